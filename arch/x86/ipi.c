/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One CPU makes others do something. There is one mailbox, held by one initiator at a time; each target
 * has a flag that says the mailbox is for it. A target serves it from the interrupt, or, while it spins
 * with interrupts off, from arch_cpu_relax(), which the initiators call too: no two CPUs can wait for
 * each other.
 */
#include "arch/x86/early.h"

#define ANSWER_DEADLINE (5 * NS_PER_S)

u64 cpus_online = 1;

static struct {
	u32 taken;
	u32 left; /* targets that have not finished */
	void (*fn)(void *arg);
	void *arg;
} mailbox;

/* Interrupts off. */
void ipi_serve(void)
{
	if (!__atomic_exchange_n(&percpu_this()->ipi_pending, 0, __ATOMIC_ACQUIRE))
		return;
	mailbox.fn(mailbox.arg);
	__atomic_sub_fetch(&mailbox.left, 1, __ATOMIC_RELEASE);
}

void arch_cpu_relax(void)
{
	bool on;

	cpu_pause();
	if (!READ_ONCE(percpu_this()->ipi_pending))
		return;
	on = arch_irq_save();
	ipi_serve();
	arch_irq_restore(on);
}

/* Only one CPU at a time may hold the mailbox, and who waits for it must answer. */
static void mailbox_take(void)
{
	u64 deadline = arch_now_ns() + ANSWER_DEADLINE * 2;

	while (__atomic_exchange_n(&mailbox.taken, 1, __ATOMIC_ACQUIRE)) {
		arch_cpu_relax();
		if (arch_now_ns() > deadline)
			panic("the IPI mailbox stays taken");
	}
}

static void answers_wait(void)
{
	u64 deadline = arch_now_ns() + ANSWER_DEADLINE;

	while (__atomic_load_n(&mailbox.left, __ATOMIC_ACQUIRE)) {
		arch_cpu_relax();
		if (arch_now_ns() <= deadline)
			continue;
		for (unsigned c = 0; c < ARCH_MAX_CPUS; c++)
			if (percpu_of[c] && percpu_of[c]->ipi_pending)
				panic("CPU %u does not answer an IPI", c);
		panic("a CPU does not finish what an IPI asked of it");
	}
}

void ipi_mask(u64 cpus, void (*fn)(void *arg), void *arg)
{
	bool on = arch_irq_save();

	cpus &= ~BIT(arch_cpu_id());
	if (cpus) {
		mailbox_take();
		mailbox.fn = fn;
		mailbox.arg = arg;
		mailbox.left = bits_count(cpus);
		for (u64 rest = cpus; rest; rest &= rest - 1) {
			struct percpu *p = percpu_of[__builtin_ctzll(rest)];

			__atomic_store_n(&p->ipi_pending, 1, __ATOMIC_RELEASE);
			apic_send(p->apic_id, ICR_FIXED(VECTOR_CALL));
		}
		answers_wait();
		__atomic_store_n(&mailbox.taken, 0, __ATOMIC_RELEASE);
	}
	arch_irq_restore(on);
}

void arch_ipi_all(void (*fn)(void *arg), void *arg)
{
	ipi_mask(READ_ONCE(cpus_online), fn, arg);
}

void arch_ipi_kick(unsigned cpu_id)
{
	if (cpu_id == arch_cpu_id())
		percpu_this()->user_work = 1;
	if (cpu_id < ARCH_MAX_CPUS && (READ_ONCE(cpus_online) & BIT(cpu_id)))
		apic_send(percpu_of[cpu_id]->apic_id, ICR_FIXED(VECTOR_KICK));
}

void ipi_stop_others(void)
{
	for (u64 rest = cpus_online & ~BIT(arch_cpu_id()); rest; rest &= rest - 1)
		apic_send(percpu_of[__builtin_ctzll(rest)]->apic_id, ICR_NMI);
}
