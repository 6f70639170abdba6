/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The program ends while its guests run, halt, and have a timer and an irqfd armed: everything must
 * end with it. What is left over is found by the audit afterwards, not here.
 */
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/check.h"
#include "lib/kvm.h"

GUEST(64, spin, "1: incl 0x20000\n jmp 1b\n");
GUEST(64, sleep, "mov $0xfee00000, %ebx\n movl $0x1ff, 0xf0(%rbx)\n movl $0x0b, 0x3e0(%rbx)\n"
		 "movl $0x20031, 0x320(%rbx)\n movl $1000000, 0x380(%rbx)\n incl 0x20000\n"
		 "cli\n 1: hlt\n jmp 1b\n");

static void *run_main(void *arg)
{
	machine_run(arg);
	return NULL;
}

static void start(struct machine *m, const uint8_t *code, const uint8_t *end)
{
	pthread_t t;

	machine_create(m, 1);
	machine_start_long(m, code, end);
	need("thread", pthread_create(&t, NULL, run_main, m) == 0);
	while (!*(volatile uint32_t *)(m->memory + DATA_GPA))
		usleep(1000);
}

int main(void)
{
	static struct machine spinning, sleeping;
	struct kvm_irqfd irqfd = { .fd = (uint32_t)eventfd(0, 0), .gsi = 30 };

	start(&spinning, spin_start, spin_end);
	start(&sleeping, sleep_start, sleep_end);
	need("irqfd", ioctl(sleeping.vm, KVM_IRQFD, &irqfd) == 0);
	check_true("both guests run", *(volatile uint32_t *)(spinning.memory + DATA_GPA) > 0);
	return check_result();
}
