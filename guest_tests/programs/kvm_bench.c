/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What virtual machines cost, in ticks of the time-stamp counter: under `-icount shift=0` one tick is
 * one instruction.  Prints `bench NAME VALUE`, the median where an operation is repeated.  Exits are
 * measured inside the guest, between two RDTSC.  Runs on Linux and on Postern unchanged.
 */
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/check.h"
#include "lib/kvm.h"

#define RUNS 101
#define LARGE 0x200000u
#define EXTRA_GPA 0x40000000u
#define EXTRA_SIZE (64u << 20)
#define MSI_ADDRESS 0xfee00000u

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

static uint64_t print_median(const char *name, unsigned n)
{
	qsort(sample, n, sizeof(sample[0]), by_value);
	printf("bench %s %llu\n", name, (unsigned long long)sample[n / 2]);
	return sample[n / 2];
}

/* RUNS times: ticks of `op` to the array at DATA_GPA. RBX: LAPIC, R12: device memory, RSI: memory. */
#define MEASURED(name, step, op)                                                         \
	GUEST(64, name,                                                                  \
	      "mov $0xfee00000, %ebx\n mov $0xd0000000, %r12d\n mov $0x40000000, %esi\n"        \
	      "movl $0x1ff, 0xf0(%rbx)\n mov $101, %ebp\n mov $0x20000, %edi\n"                 \
	      "1: rdtsc\n mov %eax, %r8d\n" op "rdtsc\n sub %r8d, %eax\n mov %rax, (%rdi)\n"     \
	      "add $8, %edi\n add $" #step ", %esi\n dec %ebp\n jnz 1b\n" GUEST_DONE)

MEASURED(nothing, 0, "");
MEASURED(g_cpuid, 0, "push %rbx\n mov $1, %eax\n cpuid\n pop %rbx\n");
MEASURED(g_rdmsr, 0, "mov $0x277, %ecx\n rdmsr\n");
MEASURED(g_pio, 0, "out %al, $0xf5\n");
MEASURED(g_mmio_write, 0, "mov %eax, (%r12)\n");
MEASURED(g_mmio_read, 0, "mov (%r12), %eax\n");
MEASURED(g_lapic_read, 0, "mov 0x20(%rbx), %eax\n");
MEASURED(g_eoi, 0, "movl $0, 0xb0(%rbx)\n");
MEASURED(g_touch_4k, 0x1000, "mov (%rsi), %eax\n");
MEASURED(g_touch_2m, 0x200000, "mov (%rsi), %eax\n");

static uint64_t overhead;

static uint64_t guest_measure(struct machine *m, const char *name, const uint8_t *code,
			      const uint8_t *end, unsigned n)
{
	int r;

	machine_start_long(m, code, end);
	do
		r = machine_run_done(m);
	while (r == KVM_EXIT_MMIO || r == KVM_EXIT_IO);
	need(name, r == DONE);
	for (unsigned i = 0; i < n; i++)
		sample[i] = ((uint64_t *)(m->memory + DATA_GPA))[i] - overhead;
	return print_median(name, n);
}
#define GUEST_MEASURE(m, name, guest) guest_measure(m, name, guest##_start, guest##_end, RUNS)

static uint8_t *memory_get(int advice)
{
	uint8_t *p = mmap(NULL, EXTRA_SIZE + LARGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	need("memory", p != MAP_FAILED);
	p = (uint8_t *)(((uintptr_t)p + LARGE - 1) & ~(uintptr_t)(LARGE - 1));
	madvise(p, EXTRA_SIZE, advice);
	for (size_t i = 0; i < EXTRA_SIZE; i += 4096)
		p[i] = 1;
	return p;
}

static void bench_faults(struct machine *m)
{
	uint8_t *small = memory_get(MADV_NOHUGEPAGE), *large = memory_get(MADV_HUGEPAGE);

	for (unsigned i = 0; i < RUNS; i++) {
		uint64_t t = now();

		need("slot", machine_slot(m, 1, 0, EXTRA_GPA, EXTRA_SIZE, small) == 0);
		sample[i] = now() - t;
		machine_slot(m, 1, 0, 0, 0, NULL);
	}
	print_median("set_slot_64m", RUNS);
	machine_slot(m, 1, 0, EXTRA_GPA, EXTRA_SIZE, small);
	GUEST_MEASURE(m, "npf_4k", g_touch_4k);
	machine_slot(m, 1, 0, 0, 0, NULL);
	machine_slot(m, 1, 0, EXTRA_GPA, EXTRA_SIZE, large);
	/* Beyond the slot the rest of the loop reads a device; only the first are faults on memory. */
	guest_measure(m, "npf_2m", g_touch_2m_start, g_touch_2m_end, EXTRA_SIZE / LARGE);
	machine_slot(m, 1, 0, 0, 0, NULL);
}

GUEST(64, waiter, "mov $0xfee00000, %ebx\n movl $0x1ff, 0xf0(%rbx)\n sti\n out %al, $0xf6\n 1: hlt\n jmp 1b\n");
GUEST(64, taker, "out %al, $0xf5\n movl $0, 0xb0(%rbx)\n iretq\n");

static volatile uint64_t taken_at;
static volatile int taken;

static void *waiter_main(void *arg)
{
	struct machine *m = arg;

	for (unsigned i = 0; i < RUNS; i++) {
		if (machine_run(m) != KVM_EXIT_IO)
			break;
		taken_at = now();
		taken++;
	}
	return NULL;
}

/* From the write to the first exit of the handler to the VMM, less half of such an exit. */
static void bench_wake(struct machine *m, uint64_t exit_cost)
{
	const struct sched_param high = { .sched_priority = 10 };
	struct {
		struct kvm_irq_routing head;
		struct kvm_irq_routing_entry e[1];
	} table = { .head.nr = 1 };
	const uint64_t one = 1;
	int fd = eventfd(0, 0);
	struct kvm_irqfd irqfd = { .fd = (uint32_t)fd, .gsi = 30 };
	pthread_t t;

	table.e[0].gsi = 30;
	table.e[0].type = KVM_IRQ_ROUTING_MSI;
	table.e[0].u.msi.address_lo = MSI_ADDRESS;
	table.e[0].u.msi.data = 0x30;
	need("route", ioctl(m->vm, KVM_SET_GSI_ROUTING, &table) == 0);
	need("irqfd", ioctl(m->vm, KVM_IRQFD, &irqfd) == 0);
	memcpy(m->memory + 0x3000, taker_start, (size_t)(taker_end - taker_start));
	machine_gate(m, 0x30, 0x3000);
	machine_start_long(m, waiter_start, waiter_end);
	need("guest that waits", machine_run(m) == KVM_EXIT_IO);
	need("thread", pthread_create(&t, NULL, waiter_main, m) == 0);
	pthread_setschedparam(t, SCHED_FIFO, &high);
	for (unsigned i = 0; i < RUNS; i++) {
		uint64_t start;

		usleep(2000);
		start = now();
		need("write", write(fd, &one, 8) == 8);
		while (taken <= (int)i)
			sched_yield();
		sample[i] = taken_at - start - exit_cost / 2;
	}
	pthread_join(t, NULL);
	print_median("irqfd_wake", RUNS);
}

int main(void)
{
	struct machine m;
	uint64_t exit_cost, t;
	int kvm;

	machine_create(&m, 1);
	kvm = m.kvm;
	GUEST_MEASURE(&m, "guest_nothing", nothing);
	overhead = sample[RUNS / 2];
	GUEST_MEASURE(&m, "exit_cpuid", g_cpuid);
	GUEST_MEASURE(&m, "exit_rdmsr", g_rdmsr);
	exit_cost = GUEST_MEASURE(&m, "exit_pio", g_pio);
	GUEST_MEASURE(&m, "exit_mmio_write", g_mmio_write);
	GUEST_MEASURE(&m, "exit_mmio_read", g_mmio_read);
	GUEST_MEASURE(&m, "lapic_read", g_lapic_read);
	GUEST_MEASURE(&m, "eoi_mmio", g_eoi);
	bench_faults(&m);
	bench_wake(&m, exit_cost);
	for (unsigned i = 0; i < 11; i++) {
		int vm;

		t = now();
		vm = ioctl(kvm, KVM_CREATE_VM, 0);
		sample[i] = now() - t;
		need("vm", vm >= 0);
		close(vm);
	}
	print_median("create_vm", 11);
	for (unsigned i = 0; i < 11; i++) {
		t = now();
		m.vcpu = ioctl(m.vm, KVM_CREATE_VCPU, i + 1);
		sample[i] = now() - t;
		need("vcpu", m.vcpu >= 0);
	}
	print_median("create_vcpu", 11);
	return 0;
}
