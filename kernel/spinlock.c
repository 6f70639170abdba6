/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ticket spinlocks; taking a free one is inline (kernel/thread.h).  Interrupts are off while one is
 * held, so that an interrupt handler may take the same lock.  A spinning CPU calls arch_cpu_relax(),
 * which serves the inter-processor requests of others: somebody who waits for all CPUs with a lock held
 * would otherwise wait for ever.
 */
#include "kernel/thread.h"

void spin_wait(struct spinlock *l, u32 ticket)
{
	while (__atomic_load_n(&l->serving, __ATOMIC_ACQUIRE) != ticket)
		arch_cpu_relax();
}
