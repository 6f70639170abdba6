/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Interrupt vectors: 0x30..0xef of each CPU belong to devices, one table per CPU; above them are the
 * timer, IPIs and the spurious vector. Handlers run with interrupts off; the EOI comes after them, so
 * a device's next interrupt waits in the APIC.
 *
 * Freeing: the table entry is cleared, then the target CPU answers an IPI (so nobody is between
 * reading the entry and irq_running), then irq_running is awaited, because a handler that spins for a
 * lock answers IPIs too.
 */
#include "arch/x86/early.h"
#include "kernel/thread.h"

#define FREE_DEADLINE (5 * NS_PER_S)

static struct spinlock lock; /* allocation in every CPU's table */

int arch_irq_alloc(struct irq *irq, unsigned cpu_id)
{
	struct percpu *p;

	if (cpu_id >= ARCH_MAX_CPUS || !(READ_ONCE(cpus_online) & BIT(cpu_id)))
		return -EINVAL;
	p = percpu_of[cpu_id];
	guard_spin(&lock);
	for (unsigned i = 0; i < VECTOR_DEVICES; i++) {
		if (p->irq[i])
			continue;
		irq->cpu = cpu_id;
		irq->vector = VECTOR_DEVICE_FIRST + i;
		irq->count = 0;
		__atomic_store_n(&p->irq[i], irq, __ATOMIC_RELEASE);
		return 0;
	}
	return -ENOSPC;
}

static void nothing(void *)
{
}

void arch_irq_free(struct irq *irq)
{
	struct percpu *p = percpu_of[irq->cpu];
	u64 deadline = arch_now_ns() + FREE_DEADLINE;
	bool on = arch_irq_save();

	BUG_ON(p->irq[irq->vector - VECTOR_DEVICE_FIRST] != irq);
	__atomic_store_n(&p->irq[irq->vector - VECTOR_DEVICE_FIRST], NULL, __ATOMIC_SEQ_CST);
	if (p == percpu_this()) {
		BUG_ON(p->irq_running == irq); /* from its own handler */
	} else {
		ipi_mask(BIT(irq->cpu), nothing, NULL);
		while (READ_ONCE(p->irq_running) == irq) {
			arch_cpu_relax();
			if (arch_now_ns() > deadline)
				panic("the handler of vector 0x%x on CPU %u does not end", irq->vector, irq->cpu);
		}
	}
	arch_irq_restore(on);
}

static void device_interrupt(struct percpu *p, unsigned vector)
{
	struct irq *irq = READ_ONCE(p->irq[vector - VECTOR_DEVICE_FIRST]);

	if (irq) {
		WRITE_ONCE(p->irq_running, irq);
		irq->count++;
		irq->handler(irq->arg);
		__atomic_store_n(&p->irq_running, NULL, __ATOMIC_RELEASE);
	} else {
		p->spurious++;
	}
	apic_eoi();
}

void irq_dispatch(struct percpu *p, unsigned vector)
{
	if (vector >= VECTOR_DEVICE_FIRST && vector <= VECTOR_DEVICE_LAST) {
		device_interrupt(p, vector);
		return;
	}
	switch (vector) {
	case VECTOR_TIMER:
		apic_eoi();
		if (!apic_timer_expired(p))
			return;
		p->user_work = 1;
		if (upcalls.timer)
			upcalls.timer();
		return;
	case VECTOR_CALL:
		apic_eoi();
		ipi_serve();
		return;
	case VECTOR_KICK:
		p->user_work = 1;
		apic_eoi();
		return;
	case VECTOR_SPURIOUS: /* SDM 11.9: no EOI */
		p->spurious++;
		return;
	default:
		p->spurious++;
		if (vector > VECTOR_DEVICE_LAST) /* the PIC's are not the APIC's to acknowledge */
			apic_eoi();
	}
}
