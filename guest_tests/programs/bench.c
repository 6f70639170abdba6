/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What VFIO operations cost, in ticks of the time-stamp counter: under `-icount shift=0` one tick is one
 * instruction.  Prints `bench NAME VALUE`, the median where an operation is repeated.  Runs on Linux and
 * on Postern unchanged, against an edu device.
 */
#include <fcntl.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "lib/check.h"
#include "lib/vfio.h"

#define RW (VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE)
#define RUNS 101
#define GIB (1ull << 30)
#define MANY 65535

static struct vfio v;
static uint64_t sample[RUNS];

static uint64_t now(void)
{
	uint32_t lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return (uint64_t)hi << 32 | lo;
}

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void print(const char *name, uint64_t value)
{
	printf("bench %s %llu\n", name, (unsigned long long)value);
}

static void print_median(const char *name, unsigned n)
{
	qsort(sample, n, sizeof(sample[0]), by_value);
	print(name, sample[n / 2]);
}

/* Each of RUNS runs: `before` outside, `op` inside the clock. */
#define MEASURE(name, before, op)                                                        \
	do {                                                                             \
		for (unsigned i_ = 0; i_ < RUNS; i_++) {                                 \
			uint64_t t_;                                                     \
			before;                                                          \
			t_ = now();                                                      \
			op;                                                              \
			sample[i_] = now() - t_;                                         \
		}                                                                        \
		print_median(name, RUNS);                                                \
	} while (0)
#define ONCE(name, op)                                                                   \
	do {                                                                             \
		uint64_t t_ = now();                                                     \
		need(name, !(op));                                                       \
		print(name, now() - t_);                                                 \
	} while (0)

static void *gigabyte(int advice)
{
	char *p = mmap(NULL, GIB + (2 << 20), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	need("1 GiB of memory", p != MAP_FAILED);
	p = (char *)(((uintptr_t)p + (2 << 20) - 1) & ~(uintptr_t)((2 << 20) - 1));
	madvise(p, GIB, advice);
	for (uint64_t i = 0; i < GIB; i += 4096)
		p[i] = 1;
	return p;
}

static void mappings(void)
{
	char *p = gigabyte(MADV_HUGEPAGE);

	MEASURE("syscall", (void)0, syscall(SYS_getppid));
	MEASURE("map_4k", vfio_unmap(&v, 0, 4096, NULL), vfio_map(&v, p, 0, 4096, RW));
	MEASURE("unmap_4k", vfio_map(&v, p, 0, 4096, RW), vfio_unmap(&v, 0, 4096, NULL));
	MEASURE("map_2m", vfio_unmap(&v, 0, 2 << 20, NULL), vfio_map(&v, p, 0, 2 << 20, RW));
	vfio_unmap(&v, 0, 2 << 20, NULL);
	ONCE("map_1g_2m", vfio_map(&v, p, GIB, GIB, RW));
	ONCE("unmap_1g_2m", vfio_unmap(&v, GIB, GIB, NULL));
	for (unsigned i = 0; i < MANY; i++) {
		uint64_t t = now();

		need("MAP_DMA of many", !vfio_map(&v, p + 4096ull * i, 8192ull * i, 4096, RW));
		sample[i % RUNS] = now() - t;
	}
	print_median("map_65535", RUNS);
	ONCE("unmap_65535", vfio_unmap(&v, 0, 8192ull * MANY, NULL));
	munmap(p, GIB);
	p = gigabyte(MADV_NOHUGEPAGE);
	ONCE("map_1g_4k", vfio_map(&v, p, GIB, GIB, RW));
	ONCE("unmap_1g_4k", vfio_unmap(&v, GIB, GIB, NULL));
	munmap(p, GIB);
}

static void device(void)
{
	const off_t config = 7ll << 40;
	volatile uint32_t *bar;
	uint32_t x, sink = 0;

	MEASURE("config_read", (void)0, sink += pread(v.device, &x, 4, config + 8));
	x = 0x402;
	MEASURE("config_write", (void)0, sink += pwrite(v.device, &x, 2, config + 4));
	MEASURE("bar_read", (void)0, sink += pread(v.device, &x, 4, 0));
	bar = NULL;
	MEASURE("bar_mmap", if (bar) munmap((void *)bar, 4096),
		bar = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, v.device, 0));
	MEASURE("bar_touch", munmap((void *)bar, 4096);
		bar = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, v.device, 0), sink += bar[0]);
}

static void interrupts(void)
{
	volatile uint32_t *bar = vfio_bar(&v, 0, NULL);
	int a = eventfd(0, 0), b = eventfd(0, 0);
	uint64_t n;

	vfio_bus_master(&v, true);
	MEASURE("msi_enable", vfio_disable_irqs(&v, 1), vfio_set_irqs(&v, 1, 0, 1, &a));
	MEASURE("msi_disable", vfio_set_irqs(&v, 1, 0, 1, &a), vfio_disable_irqs(&v, 1));
	vfio_set_irqs(&v, 1, 0, 1, &a);
	MEASURE("msi_replace", (void)0, vfio_set_irqs(&v, 1, 0, 1, i_ % 2 ? &a : &b));
	vfio_set_irqs(&v, 1, 0, 1, &a);
	MEASURE("msi_read", bar[0x64 / 4] = 1, bar[0x60 / 4] = 1; need("read", read(a, &n, 8) == 8));
}

/* Opening, without the reset that other devices have. */
static void opening(const char *name)
{
	char path[64];
	int c, g, d = -1;

	snprintf(path, sizeof(path), "/dev/vfio/%d", vfio_group_of(name));
	c = open("/dev/vfio/vfio", O_RDWR);
	g = open(path, O_RDWR);
	for (unsigned i = 0; i < 11; i++) {
		uint64_t t;

		need("SET_CONTAINER", !ioctl(g, VFIO_GROUP_SET_CONTAINER, &c));
		t = now();
		need("SET_IOMMU", !ioctl(c, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU));
		sample[i] = now() - t;
		need("UNSET_CONTAINER", !ioctl(g, VFIO_GROUP_UNSET_CONTAINER));
	}
	print_median("set_iommu", 11);
	need("SET_CONTAINER", !ioctl(g, VFIO_GROUP_SET_CONTAINER, &c));
	need("SET_IOMMU", !ioctl(c, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU));
	for (unsigned i = 0; i < 11; i++) {
		uint64_t t = now();

		d = ioctl(g, VFIO_GROUP_GET_DEVICE_FD, name);
		sample[i] = now() - t;
		close(d);
	}
	print_median("get_device_fd", 11);
	close(g);
	close(c);
}

/* Monotonic time starts with the kernel: as the first program this shows what the boot took, a little of its
 * own start included. */
static void print_boot(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	print("boot", (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec);
}

int main(void)
{
	struct sched_param fifo = { .sched_priority = 1 };
	const char *name;
	char copy[16];

	print_boot();
	name = vfio_find(0x1234, 0x11e8);
	need("an edu device", name != NULL);
	strcpy(copy, name);
	syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &fifo); /* musl has only a stub */
	opening(copy);
	vfio_open(&v, copy);
	device();
	interrupts();
	mappings();
	vfio_close(&v);
	return 0;
}
