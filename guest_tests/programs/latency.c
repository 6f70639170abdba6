/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How long may the kernel go on without letting another thread run?  A SCHED_FIFO thread sleeps for a
 * few microseconds at a time and looks how late it is; on the same CPU an ordinary thread, or a dying
 * process, makes the kernel work on large things.  Under `-icount shift=0` a nanosecond is one instruction,
 * so that the worst lateness, with interrupt, wake-up and switch in it, is the longest stretch of
 * instructions without a possible reschedule, short by a sleep at most.
 *
 * latency [MIB [MAPPINGS]]: memory and mappings of the large things (64, 4000); needs one CPU and an edu device
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "lib/check.h"
#include "lib/child.h"
#include "lib/vfio.h"

#define RW (VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE)
#define LIMIT 50000u
#define SLEEP 3000u
#define MANY_AT 0x100000000ull /* above the window of interrupt messages */
#define LARGE (2ull << 20)

static volatile uint64_t worst;
static volatile uint64_t looks;
static struct vfio v;
static uint64_t bytes = 64ull << 20;
static unsigned mappings = 4000;

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void *watch(void *arg)
{
	const struct sched_param p = { .sched_priority = 10 };

	need("SCHED_FIFO", !pthread_setschedparam(pthread_self(), SCHED_FIFO, &p));
	for (unsigned i = 0;; i++) {
		uint64_t due = now() + SLEEP + i * 517 % 2000, late;
		struct timespec t = { (time_t)(due / 1000000000), (long)(due % 1000000000) };

		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
		late = now() - due;
		if (late > worst)
			worst = late;
		looks = looks + 1;
	}
	return arg;
}

static void phase(const char *name, void (*fn)(void))
{
	char line[128];
	uint64_t seen;

	worst = 0;
	looks = 0;
	fn();
	seen = worst;
	printf("%-50s %8llu instructions, %llu looks\n", name, (unsigned long long)seen, (unsigned long long)looks);
	snprintf(line, sizeof(line), "%s: no long stretch", name);
	check_true(line, seen > 0 && seen <= LIMIT);
}

static char *memory;

static void spin(void)
{
	for (uint64_t end = now() + 2000000; now() < end;)
		;
}

static void reserve(void)
{
	char *p = mmap(NULL, bytes + LARGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	need("memory", p != MAP_FAILED);
	memory = (char *)(((uintptr_t)p + LARGE - 1) & ~(uintptr_t)(LARGE - 1));
}
static void touch(void)
{
	for (uint64_t i = 0; i < bytes; i += 4096)
		memory[i] = 1;
}
static void small(void)
{
	reserve();
	madvise(memory, bytes, MADV_NOHUGEPAGE);
	touch();
}
static void large(void)
{
	reserve();
	madvise(memory, bytes, MADV_HUGEPAGE);
	touch();
}
static void map_it(void) { check_equal("MAP_DMA", vfio_map(&v, memory, 0x40000000, bytes, RW), 0); }
static void unmap_it(void) { check_equal("UNMAP_DMA", vfio_unmap(&v, 0x40000000, bytes, NULL), 0); }
static void munmap_it(void) { check_equal("munmap", munmap(memory, bytes), 0); }
static void dontneed(void) { check_equal("MADV_DONTNEED", madvise(memory, bytes, MADV_DONTNEED), 0); }
static void protect(void) { check_equal("mprotect", mprotect(memory, bytes, PROT_READ), 0); }

static void map_many(void)
{
	for (unsigned i = 0; i < mappings; i++)
		need("MAP_DMA of one page", !vfio_map(&v, memory + 4096ull * (i % 512), MANY_AT + 8192ull * i, 4096, RW));
}
static void unmap_many(void)
{
	uint64_t n = 0;

	check_equal("UNMAP_DMA of many", vfio_unmap(&v, MANY_AT, 8192ull * mappings, &n), 0);
	check_equal("bytes unmapped", (long long)n, 4096ll * mappings);
}
/* Pieces of large pages go, of which one small page stays pinned. */
static void pieces(void)
{
	for (unsigned i = 0; i < 8; i++)
		check_equal("MAP_DMA of one page", vfio_map(&v, memory + i * LARGE + LARGE / 2, LARGE * i, 4096, RW), 0);
	for (unsigned i = 0; i < 8; i++)
		check_equal("munmap of a piece", munmap(memory + i * LARGE + 4096, 4096), 0);
	check_equal("MADV_DONTNEED", madvise(memory + LARGE, 4096, MADV_DONTNEED), 0);
	check_equal("MADV_DONTNEED", madvise(memory + 2 * LARGE + 8192, LARGE - 8192, MADV_DONTNEED), 0);
	check_equal("munmap", munmap(memory, bytes), 0);
}
static void close_all(void) { vfio_close(&v); }
static void audit(void)
{
	char line[256];
	int fd = open("/sys/kernel/postern/audit", O_RDONLY);

	need("the audit", fd >= 0 && read(fd, line, sizeof(line)) > 0);
	close(fd);
}
static void open_edu(void) { vfio_open(&v, vfio_find(0x1234, 0x11e8)); }

/* A process that ends with all of it: memory in pages of both sizes, mapped, and many mappings. */
static int child(void)
{
	open_edu();
	small();
	map_it();
	large();
	check_equal("MAP_DMA", vfio_map(&v, memory, 0x8000000000, bytes, RW), 0);
	for (unsigned i = 0; i < mappings; i++)
		need("MAP_DMA of one page", !vfio_map(&v, memory + 4096ull * (i % 512), 0x4000000000 + 8192ull * i, 4096, RW));
	return 0;
}
static void child_dies(void)
{
	char arg[64];

	snprintf(arg, sizeof(arg), "%llu,%u", (unsigned long long)bytes, mappings);
	check_equal("a process with all of it", child_run("child", arg), 0);
}

int main(int argc, char **argv)
{
	pthread_t t;

	if (argc == 3 && !strcmp(argv[1], "child")) {
		need("what to do", sscanf(argv[2], "%llu,%u", (unsigned long long *)&bytes, &mappings) == 2);
		return child();
	}
	if (argc > 1)
		bytes = strtoull(argv[1], NULL, 0) << 20;
	if (argc > 2)
		mappings = (unsigned)strtoul(argv[2], NULL, 0);
	need("a thread", !pthread_create(&t, NULL, watch, NULL));
	while (!looks)
		usleep(100);
	phase("nothing", spin);
	phase("faults of 4 KiB pages", small);
	phase("open a device", open_edu);
	phase("MAP_DMA in 4 KiB leaves", map_it);
	phase("UNMAP_DMA of them", unmap_it);
	phase("mprotect", protect);
	phase("munmap of 4 KiB pages", munmap_it);
	phase("faults of 2 MiB pages", large);
	phase("MAP_DMA in 2 MiB leaves", map_it);
	phase("the audit of large leaves", audit);
	phase("UNMAP_DMA of them, again", unmap_it);
	phase("many mappings", map_many);
	phase("the audit", audit);
	phase("UNMAP_DMA of many", unmap_many);
	map_many();
	phase("close of a container with many", close_all);
	open_edu();
	phase("pieces of pinned pages", pieces);
	close_all();
	large();
	phase("MADV_DONTNEED", dontneed);
	phase("munmap", munmap_it);
	phase("end of a process", child_dies);
	return check_result();
}
