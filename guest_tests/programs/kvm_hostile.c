/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VMM that means harm: vCPU states that no CPU can be in, states that hardly any guest is ever in,
 * and guests of random instructions, on three vCPUs at once. Whatever comes of the guests, a signal ends every
 * stay in one within a moment, and a guest that the CPU refused shows its VMM nothing of the host.
 *
 * kvm_hostile SECONDS [SEED]
 */
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "lib/check.h"
#include "lib/kvm.h"

#define VCPUS 3
#define KERNEL_ADDRESS 0x0000800000000000ull /* and above */

GUEST(16, deaf, "cli\n 1: incl 0x8000\n jmp 1b\n");

static void nothing(int signal)
{
	(void)signal;
}

static uint64_t random_next(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static uint64_t random_value(uint64_t *seed)
{
	static const uint64_t edges[] = {
		0, 1, ~0ull, 1ull << 63, (1ull << 63) - 1, 0xffff800000000000, 0x800000000000, 0x7ffffffff000,
		0xfee00000, CODE_GPA, MEMORY_SIZE,
	};
	uint64_t r = random_next(seed);

	return r % 3 ? edges[r % (sizeof(edges) / 8)] : random_next(seed) >> r % 64;
}

static void *waker_main(void *whom)
{
	usleep(50000);
	pthread_kill(*(pthread_t *)whom, SIGUSR1);
	return NULL;
}

/* The CPU refuses a state; the same vCPU then runs a guest that takes no interrupt. */
static void test_refused(void)
{
	struct kvm_sregs good, s;
	struct kvm_regs regs;
	struct machine m;
	pthread_t waker, self = pthread_self();

	machine_create(&m, 1);
	machine_start_real(&m, deaf_start, deaf_end);
	ioctl(m.vcpu, KVM_GET_SREGS, &good);
	s = good;
	s.cr3 = 1ull << 60;
	if (ioctl(m.vcpu, KVM_SET_SREGS, &s) == 0) {
		machine_run(&m);
		ioctl(m.vcpu, KVM_GET_SREGS, &s);
		ioctl(m.vcpu, KVM_GET_REGS, &regs);
		check_true("no register of the host", s.gdt.base < KERNEL_ADDRESS && s.idt.base < KERNEL_ADDRESS &&
			   regs.rip < KERNEL_ADDRESS && regs.rsp < KERNEL_ADDRESS && !(s.cr0 >> 31));
	}
	machine_start_real(&m, deaf_start, deaf_end);
	check_errno("set sregs", ioctl(m.vcpu, KVM_SET_SREGS, &good), 0);
	need("thread", pthread_create(&waker, NULL, waker_main, &self) == 0);
	check_equal("a signal ends it", machine_run(&m), -EINTR);
	pthread_join(waker, NULL);
	machine_destroy(&m);
}

static volatile int stop;
static unsigned long stays;

struct runner {
	pthread_t thread;
	struct machine m; /* the vCPU is its own, the rest is shared */
	uint64_t seed;
};

static void sregs_random(struct machine *m, uint64_t *seed)
{
	union {
		struct kvm_sregs s;
		uint64_t words[offsetof(struct kvm_sregs, interrupt_bitmap) / 8];
	} u;

	if (random_next(seed) % 2)
		machine_start_long(m, deaf_start, deaf_end);
	else
		machine_start_real(m, deaf_start, deaf_end);
	ioctl(m->vcpu, KVM_GET_SREGS, &u.s);
	for (unsigned int i = 0; i < 2; i++)
		u.words[random_next(seed) % (sizeof(u.words) / 8)] = random_value(seed);
	ioctl(m->vcpu, KVM_SET_SREGS, &u.s);
}

/*
 * Instructions of one byte, in every mode: privileged, of strings, of ports, traps and returns, and
 * prefixes. (Bytes of every value make QEMU's translator crash, with or without a hypervisor.)
 */
static const uint8_t opcodes[] = {
	0xfa, 0xfb, 0xf4, 0x90, 0xec, 0xee, 0xed, 0xef, 0x6c, 0x6e, 0x6d, 0x6f, 0xa4, 0xaa, 0xab, 0xcc, 0xcf, 0x9c,
	0x9d, 0xf1, 0xcb, 0xc3, 0x9b, 0x1e, 0x1f, 0x06, 0x07, 0x17, 0x50, 0x58, 0xf3, 0x66, 0x67, 0xfd, 0xfc,
};

static void *runner_main(void *arg)
{
	struct runner *r = arg;
	struct machine *m = &r->m;
	const struct kvm_mp_state runnable = { .mp_state = KVM_MP_STATE_RUNNABLE };

	while (!stop) {
		struct kvm_regs regs = { .rip = CODE_GPA + random_next(&r->seed) % 0x400, .rsp = STACK_GPA };
		struct kvm_sregs good;

		ioctl(m->vcpu, KVM_GET_SREGS, &good);
		sregs_random(m, &r->seed);
		ioctl(m->vcpu, KVM_SET_MP_STATE, &runnable);
		for (unsigned int i = 0; i < 0x1000; i++)
			m->memory[CODE_GPA + i] = opcodes[random_next(&r->seed) % sizeof(opcodes)];
		regs.rflags = random_next(&r->seed) % 4 ? 2 : random_value(&r->seed);
		regs.rcx = random_value(&r->seed);
		regs.rsi = random_value(&r->seed);
		regs.rdi = random_value(&r->seed);
		ioctl(m->vcpu, KVM_SET_REGS, &regs);
		for (unsigned int i = 0; i < 20 && !stop; i++) {
			int reason = machine_run(m);

			stays++;
			if (reason == KVM_EXIT_SHUTDOWN || reason == KVM_EXIT_FAIL_ENTRY ||
			    reason == KVM_EXIT_INTERNAL_ERROR || (reason < 0 && reason != -EINTR))
				break;
		}
		ioctl(m->vcpu, KVM_SET_SREGS, &good);
	}
	return NULL;
}

static void test_random(unsigned int seconds, uint64_t seed)
{
	static struct runner runners[VCPUS];
	struct timespec begin, now;

	machine_create(&runners[0].m, 1);
	for (unsigned int i = 0; i < VCPUS; i++) {
		struct runner *r = &runners[i];

		if (i) {
			r->m = runners[0].m;
			r->m.vcpu = machine_add_vcpu(&r->m, i, &r->m.run);
		}
		r->seed = (seed + i) * 0x9e3779b97f4a7c15 | 1;
		need("thread", pthread_create(&r->thread, NULL, runner_main, r) == 0);
	}
	clock_gettime(CLOCK_MONOTONIC, &begin);
	do {
		usleep(3000);
		pthread_kill(runners[random_next(&seed) % VCPUS].thread, SIGUSR1);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec - begin.tv_sec < (time_t)seconds);
	stop = 1;
	for (unsigned int i = 0; i < VCPUS; i++) {
		runners[i].m.run->immediate_exit = 1;
		pthread_kill(runners[i].thread, SIGUSR1);
		pthread_join(runners[i].thread, NULL);
	}
	printf("# %lu stays\n", stays);
	check_true("every stay ended", stays > 0);
}

int main(int argc, char **argv)
{
	const struct sigaction act = { .sa_handler = nothing };

	need("seconds as argument", argc >= 2);
	sigaction(SIGUSR1, &act, NULL);
	test_refused();
	test_random((unsigned int)atoi(argv[1]), argc > 2 ? (uint64_t)atoi(argv[2]) : 1);
	return check_result();
}
