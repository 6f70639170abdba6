/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interrupts of guests: messages and irqfds to running, blocked and halted vCPUs, priorities, the
 * timer in its modes, IPIs, starting a second vCPU, and signals that end KVM_RUN. Prints the same on
 * Linux and on Postern.
 *
 * The guests say READY_PORT when the host may act, and TAKEN_PORT with the vector from a handler, which
 * has ended its interrupt by then: the next guest begins in the middle of it.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/check.h"
#include "lib/kvm.h"

#define READY_PORT 0xf6
#define LATER_PORT 0xf7
#define TAKEN_PORT 0xf5
#define HANDLER_GPA 0x3000u
#define MSI_ADDRESS 0xfee00000u

#define APIC_ON "mov $0xfee00000, %ebx\n movl $0x1ff, 0xf0(%rbx)\n"
#define READY "out %al, $0xf6\n"
#define LATER "out %al, $0xf7\n"
#define SPIN "mov $100000, %ecx\n 9: dec %ecx\n jnz 9b\n"

GUEST(64, handler30, "movl $0, 0xb0(%rbx)\n mov $0x30, %al\n out %al, $0xf5\n iretq\n");
GUEST(64, handler31, "movl $0, 0xb0(%rbx)\n mov $0x31, %al\n out %al, $0xf5\n iretq\n");
GUEST(64, handler40, "movl $0, 0xb0(%rbx)\n mov $0x40, %al\n out %al, $0xf5\n iretq\n");
GUEST(64, handler50, "mov $0x80b, %ecx\n xor %eax, %eax\n xor %edx, %edx\n wrmsr\n"
		     "mov $0x50, %al\n out %al, $0xf5\n iretq\n");

static void handler_put(struct machine *m, unsigned int vector, const uint8_t *code, const uint8_t *end)
{
	uint32_t at = HANDLER_GPA + (vector - 0x30) * 0x40;

	memcpy(m->memory + at, code, (size_t)(end - code));
	machine_gate(m, vector, at);
}

static void guest_start(struct machine *m, const uint8_t *code, const uint8_t *end)
{
	handler_put(m, 0x30, handler30_start, handler30_end);
	handler_put(m, 0x31, handler31_start, handler31_end);
	handler_put(m, 0x40, handler40_start, handler40_end);
	handler_put(m, 0x50, handler50_start, handler50_end);
	machine_start_long(m, code, end);
}

/* The port of the next output, with its byte above: 0xf5 + 256 * vector. */
static int next_out(struct machine *m)
{
	int r;

	do
		r = machine_run(m);
	while (r == -EINTR || r == -EAGAIN);
	if (r != KVM_EXIT_IO || m->run->io.direction != KVM_EXIT_IO_OUT)
		return -r - 1000;
	return m->run->io.port == TAKEN_PORT ? TAKEN_PORT + 256 * *machine_io(m) : m->run->io.port;
}

#define TAKEN(vector) (TAKEN_PORT + 256 * (vector))

static int signal_msi(struct machine *m, unsigned int vector)
{
	const struct kvm_msi msi = { .address_lo = MSI_ADDRESS, .data = vector };

	return ioctl(m->vm, KVM_SIGNAL_MSI, &msi);
}

GUEST(64, wait, APIC_ON READY "sti\n 1: hlt\n jmp 1b\n");
GUEST(64, masked, APIC_ON "cli\n" READY SPIN LATER "sti\n nop\n" SPIN LATER "1: hlt\n jmp 1b\n");
GUEST(64, priority,
      APIC_ON "sti\n mov $4, %eax\n mov %rax, %cr8\n" READY SPIN LATER
	      "mov %cr8, %rax\n mov %eax, %esi\n mov 0x80(%rbx), %edi\n xor %eax, %eax\n mov %rax, %cr8\n"
	      SPIN LATER);

static void test_messages(struct machine *m)
{
	struct kvm_regs regs;

	guest_start(m, wait_start, wait_end);
	check_equal("guest is ready", next_out(m), READY_PORT);
	check_equal("message delivered", signal_msi(m, 0x30), 1);
	check_equal("interrupt taken", next_out(m), TAKEN(0x30));
	check_equal("two messages", signal_msi(m, 0x30) + signal_msi(m, 0x40), 2);
	check_equal("the higher first", next_out(m), TAKEN(0x40));
	check_equal("then the lower", next_out(m), TAKEN(0x30));

	const struct kvm_msi nobody = { .address_lo = MSI_ADDRESS | 9 << 12, .data = 0x30 };

	check_equal("message to nobody", ioctl(m->vm, KVM_SIGNAL_MSI, &nobody), 0);

	guest_start(m, masked_start, masked_end);
	check_equal("guest with interrupts off", next_out(m), READY_PORT);
	signal_msi(m, 0x30);
	check_equal("nothing comes", next_out(m), LATER_PORT);
	check_equal("until they are on", next_out(m), TAKEN(0x30));
	check_equal("and it goes on", next_out(m), LATER_PORT);

	guest_start(m, priority_start, priority_end);
	check_equal("guest with CR8 = 4", next_out(m), READY_PORT);
	signal_msi(m, 0x40);
	check_equal("class 4 waits", next_out(m), LATER_PORT);
	check_equal("until CR8 = 0", next_out(m), TAKEN(0x40));
	check_equal("and on", next_out(m), LATER_PORT);
	ioctl(m->vcpu, KVM_GET_REGS, &regs);
	check_true("CR8 and TPR agree", regs.rsi == 4 && regs.rdi == 0x40);
}

static int route(struct machine *m, uint32_t gsi, uint32_t vector)
{
	struct {
		struct kvm_irq_routing head;
		struct kvm_irq_routing_entry e[1];
	} table = { .head.nr = 1 };

	table.e[0].gsi = gsi;
	table.e[0].type = KVM_IRQ_ROUTING_MSI;
	table.e[0].u.msi.address_lo = MSI_ADDRESS;
	table.e[0].u.msi.data = vector;
	return ioctl(m->vm, KVM_SET_GSI_ROUTING, &table);
}

static int irqfd(struct machine *m, int fd, uint32_t gsi, uint32_t flags)
{
	const struct kvm_irqfd a = { .fd = (uint32_t)fd, .gsi = gsi, .flags = flags };

	return ioctl(m->vm, KVM_IRQFD, &a);
}

static void eventfd_raise(int fd)
{
	const uint64_t one = 1;

	need("write to the eventfd", write(fd, &one, 8) == 8);
}

static void test_irqfd(struct machine *m)
{
	int fd = eventfd(0, EFD_NONBLOCK), early = eventfd(1, EFD_NONBLOCK), pipe_fd[2];
	uint64_t value;

	need("pipe", pipe(pipe_fd) == 0);
	guest_start(m, wait_start, wait_end);
	check_equal("guest is ready for irqfds", next_out(m), READY_PORT);
	check_errno("route", route(m, 30, 0x30), 0);
	check_errno("route of a number too large", route(m, 5000, 0x30), -EINVAL);
	check_errno("irqfd flags", irqfd(m, fd, 30, 8), -EINVAL);
	check_errno("irqfd of nothing", irqfd(m, 77, 30, 0), -EBADF);
	check_errno("irqfd of a pipe", irqfd(m, pipe_fd[0], 30, 0), -EINVAL);
	check_errno("irqfd", irqfd(m, fd, 30, 0), 0);
	check_errno("the same again", irqfd(m, fd, 30, 0), -EBUSY);
	check_errno("and for another interrupt", irqfd(m, fd, 31, 0), -EBUSY);
	eventfd_raise(fd);
	check_equal("irqfd delivers", next_out(m), TAKEN(0x30));
	check_true("and has eaten the count", read(fd, &value, 8) < 0 && errno == EAGAIN);
	check_errno("route changed", route(m, 30, 0x40), 0);
	eventfd_raise(fd);
	check_equal("irqfd follows its route", next_out(m), TAKEN(0x40));
	check_errno("irqfd of an eventfd already signalled", irqfd(m, early, 30, 0), 0);
	check_equal("delivers at once", next_out(m), TAKEN(0x40));
	check_errno("irqfd off", irqfd(m, fd, 30, KVM_IRQFD_FLAG_DEASSIGN), 0);
	check_errno("irqfd off again", irqfd(m, fd, 30, KVM_IRQFD_FLAG_DEASSIGN), 0);
	eventfd_raise(fd);
	check_true("then the count stays", read(fd, &value, 8) == 8 && value == 1);
	close(fd);
	close(early);
	eventfd_raise(eventfd(0, 0));
	close(pipe_fd[0]);
	close(pipe_fd[1]);
}

/* The guest sleeps in HLT inside KVM_RUN while the host raises the interrupt. */
static void *halted_main(void *arg)
{
	return (void *)(intptr_t)next_out(arg);
}

static void test_halted(struct machine *m)
{
	int fd = eventfd(0, 0);
	pthread_t t;
	void *result;

	guest_start(m, wait_start, wait_end);
	check_equal("guest is about to halt", next_out(m), READY_PORT);
	route(m, 30, 0x31);
	irqfd(m, fd, 30, 0);
	for (unsigned int i = 0; i < 3; i++) {
		need("thread", pthread_create(&t, NULL, halted_main, m) == 0);
		usleep(20000);
		eventfd_raise(fd);
		pthread_join(t, &result);
		check_equal("halted guest woken", (int)(intptr_t)result, TAKEN(0x31));
	}
	close(fd);
}

GUEST(64, oneshot, APIC_ON "movl $0x0b, 0x3e0(%rbx)\n movl $0x31, 0x320(%rbx)\n cli\n" READY
		   "movl $1000000, 0x380(%rbx)\n sti\n hlt\n mov 0x390(%rbx), %esi\n" LATER);
GUEST(64, periodic, APIC_ON "movl $0x0b, 0x3e0(%rbx)\n movl $0x20031, 0x320(%rbx)\n sti\n" READY
		    "movl $1000000, 0x380(%rbx)\n 1: hlt\n jmp 1b\n");
GUEST(64, stop_timer, APIC_ON "movl $0, 0x380(%rbx)\n movl $0x10000, 0x320(%rbx)\n sti\n nop\n" SPIN
		      "cli\n" LATER);
GUEST(64, deadline,
      APIC_ON "movl $0x40031, 0x320(%rbx)\n cli\n" READY
	      "rdtsc\n add $2000000, %eax\n adc $0, %edx\n mov $0x6e0, %ecx\n wrmsr\n sti\n hlt\n"
	      "rdmsr\n mov %eax, %esi\n" LATER);

static void test_timer(struct machine *m)
{
	struct kvm_regs regs;

	guest_start(m, oneshot_start, oneshot_end);
	check_equal("one-shot set", next_out(m), READY_PORT);
	check_equal("one-shot fires", next_out(m), TAKEN(0x31));
	check_equal("and the guest goes on", next_out(m), LATER_PORT);
	ioctl(m->vcpu, KVM_GET_REGS, &regs);
	check_equal("count is 0", (long long)regs.rsi, 0);
	guest_start(m, periodic_start, periodic_end);
	check_equal("periodic set", next_out(m), READY_PORT);
	for (unsigned int i = 0; i < 3; i++)
		check_equal("periodic fires", next_out(m), TAKEN(0x31));
	guest_start(m, stop_timer_start, stop_timer_end);
	while (next_out(m) == TAKEN(0x31))
		;
	guest_start(m, deadline_start, deadline_end);
	check_equal("deadline set", next_out(m), READY_PORT);
	check_equal("deadline fires", next_out(m), TAKEN(0x31));
	check_equal("and the guest goes on", next_out(m), LATER_PORT);
	ioctl(m->vcpu, KVM_GET_REGS, &regs);
	check_equal("deadline is 0", (long long)regs.rsi, 0);
}

GUEST(64, self, APIC_ON "sti\n movl $0x40030, 0x300(%rbx)\n nop\n" LATER "mov 0x20(%rbx), %esi\n"
		"mov 0x30(%rbx), %edi\n" LATER);
GUEST(64, x2, APIC_ON "sti\n mov $0x1b, %ecx\n rdmsr\n or $0x400, %eax\n wrmsr\n"
	      "mov $0x802, %ecx\n rdmsr\n mov %eax, %esi\n"
	      "mov $0x83f, %ecx\n mov $0x50, %eax\n xor %edx, %edx\n wrmsr\n nop\n" LATER
	      "mov $0x830, %ecx\n mov $0x50, %eax\n xor %edx, %edx\n wrmsr\n nop\n" LATER);

static void test_ipi(struct machine *m)
{
	struct kvm_regs regs;

	guest_start(m, self_start, self_end);
	check_equal("IPI to itself", next_out(m), TAKEN(0x30));
	check_equal("and on", next_out(m), LATER_PORT);
	check_equal("and on", next_out(m), LATER_PORT);
	ioctl(m->vcpu, KVM_GET_REGS, &regs);
	check_equal("APIC ID", (long long)regs.rsi, 0);
	check_equal("APIC version", (long long)regs.rdi & 0xff, 0x14);
	guest_start(m, x2_start, x2_end);
	check_equal("x2APIC self IPI", next_out(m), TAKEN(0x50));
	check_equal("and on", next_out(m), LATER_PORT);
	check_equal("x2APIC IPI by ID", next_out(m), TAKEN(0x50));
	check_equal("and on", next_out(m), LATER_PORT);
	ioctl(m->vcpu, KVM_GET_REGS, &regs);
	check_equal("x2APIC ID", (long long)regs.rsi, 0);
}

GUEST(64, spin, "1: jmp 1b\n");
GUEST(64, asleep, "cli\n 1: hlt\n jmp 1b\n");
GUEST(64, deaf, APIC_ON "cli\n" READY "hlt\n" LATER);

static void on_signal(int sig)
{
	(void)sig;
}

static void *spin_main(void *arg)
{
	return (void *)(intptr_t)machine_run(arg);
}

/* Runs on from where it is until a signal. */
static void signal_ends(struct machine *m, const char *name)
{
	const struct sigaction action = { .sa_handler = on_signal };
	pthread_t t;
	void *result;

	sigaction(SIGUSR1, &action, NULL);
	need("thread", pthread_create(&t, NULL, spin_main, m) == 0);
	usleep(20000);
	pthread_kill(t, SIGUSR1);
	pthread_join(t, &result);
	check_equal(name, (int)(intptr_t)result, -EINTR);
	check_equal("its exit reason", m->run->exit_reason, KVM_EXIT_INTR);
}

static void test_signal(struct machine *m)
{
	machine_start_long(m, spin_start, spin_end);
	signal_ends(m, "signal to a running guest");
	machine_start_long(m, asleep_start, asleep_end);
	signal_ends(m, "signal to a halted guest");
	guest_start(m, deaf_start, deaf_end);
	check_equal("guest about to halt with interrupts off", next_out(m), READY_PORT);
	signal_msi(m, 0x30);
	signal_ends(m, "an interrupt does not wake it");
}

/* The second vCPU: real mode at 0x7000, counts its passes at DATA_GPA. */
GUEST(16, ap, "mov $0x2000, %ax\n mov %ax, %ds\n 1: incw 0\n jmp 1b\n");
GUEST(64, bsp, APIC_ON "mov $0x01000000, %eax\n mov %eax, 0x310(%rbx)\n movl $0x4500, 0x300(%rbx)\n"
	       "mov %eax, 0x310(%rbx)\n movl $0x4607, 0x300(%rbx)\n"
	       "1: pause\n cmpw $10, 0x20000\n jb 1b\n" GUEST_DONE);

struct second {
	struct machine m;
	pthread_t thread;
	volatile int stop;
};

static void *second_main(void *arg)
{
	struct second *s = arg;
	int r;

	do
		r = machine_run(&s->m);
	while ((r == -EINTR || r == -EAGAIN) && !s->stop);
	return (void *)(intptr_t)r;
}

static void test_second(void)
{
	struct machine m;
	struct second s = { .stop = 0 };
	struct kvm_mp_state mp;
	void *result;

	machine_create(&m, 1);
	s.m = m;
	s.m.vcpu = machine_add_vcpu(&m, 1, &s.m.run);
	ioctl(s.m.vcpu, KVM_GET_MP_STATE, &mp);
	check_equal("second vCPU is not started", mp.mp_state, KVM_MP_STATE_UNINITIALIZED);
	memcpy(m.memory + 0x7000, ap_start, (size_t)(ap_end - ap_start));
	guest_start(&m, bsp_start, bsp_end);
	need("thread", pthread_create(&s.thread, NULL, second_main, &s) == 0);
	check_equal("INIT and STARTUP start it", machine_run_done(&m), DONE);
	s.stop = 1;
	s.m.run->immediate_exit = 1;
	pthread_kill(s.thread, SIGUSR1);
	pthread_join(s.thread, &result);
	check_equal("a signal stops it", (int)(intptr_t)result, -EINTR);
	close(s.m.vcpu);
	machine_destroy(&m);
}

static void test_order(void)
{
	struct machine m;
	int fd = eventfd(0, 0);

	machine_create(&m, 0);
	check_errno("irqchip after a vCPU", ioctl(m.vm, KVM_CREATE_IRQCHIP, 0), -EINVAL);
	check_errno("irqfd without irqchip", irqfd(&m, fd, 30, 0), -EINVAL);
	check_errno("message without irqchip", signal_msi(&m, 0x30), -EINVAL);
	check_errno("vCPU 0 again", ioctl(m.vm, KVM_CREATE_VCPU, 0), -EEXIST);
	check_errno("vCPU with a huge id", ioctl(m.vm, KVM_CREATE_VCPU, 1 << 20), -EINVAL);
	machine_destroy(&m);
	machine_create(&m, 1);
	check_errno("irqchip twice", ioctl(m.vm, KVM_CREATE_IRQCHIP, 0), -EEXIST);
	machine_destroy(&m);
	close(fd);
}

int main(void)
{
	struct machine m;

	setvbuf(stdout, NULL, _IONBF, 0);
	test_order();
	machine_create(&m, 1);
	test_messages(&m);
	test_irqfd(&m);
	test_halted(&m);
	test_timer(&m);
	test_signal(&m);
	machine_destroy(&m);
	machine_create(&m, 1);
	test_ipi(&m); /* leaves x2APIC mode on */
	machine_destroy(&m);
	test_second();
	return check_result();
}
