/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ticket spinlocks.  Interrupts are off while one is held, so that an interrupt handler may take
 * the same lock.  A spinning CPU calls arch_cpu_relax(), which serves the inter-processor requests
 * of others: somebody who waits for all CPUs with a lock held would otherwise wait for ever.
 */
#include "kernel/thread.h"

bool spin_lock(struct spinlock *l)
{
	bool on = arch_irq_save();
	u32 ticket = __atomic_fetch_add(&l->next, 1, __ATOMIC_ACQ_REL);

	while (__atomic_load_n(&l->serving, __ATOMIC_ACQUIRE) != ticket)
		arch_cpu_relax();
	return on;
}

void spin_unlock(struct spinlock *l, bool irq_was_on)
{
	__atomic_store_n(&l->serving, l->serving + 1, __ATOMIC_RELEASE);
	arch_irq_restore(irq_was_on);
}
