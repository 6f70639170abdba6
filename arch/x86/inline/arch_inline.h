/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The small half of arch.h, inline: what the hot paths ask of the CPU in one to four instructions.
 * arch.h includes <arch_inline.h>; the include path says whose: this one in the kernel, that of
 * tests/host/inline on a host.
 */
#ifndef ARCH_X86_INLINE_ARCH_INLINE_H
#define ARCH_X86_INLINE_ARCH_INLINE_H

#include "arch/x86/offsets.h"

static inline void *phys_to_virt(paddr_t pa)
{
	return (void *)(pa + ARCH_DIRECT_BASE);
}

static inline bool arch_irq_save(void)
{
	u64 flags;

	__asm__ volatile("pushfq; popq %0; cli" : "=r"(flags) : : "memory");
	return flags & BIT(9); /* RFLAGS.IF */
}

static inline void arch_irq_restore(bool on)
{
	if (on)
		__asm__ volatile("sti" ::: "memory");
}

static inline void *arch_percpu_get(void)
{
	void *v;

	__asm__ volatile("movq %%gs:%c1,%0" : "=r"(v) : "i"(PERCPU_SLOT));
	return v;
}

static inline unsigned arch_cpu_id(void)
{
	unsigned id;

	__asm__ volatile("movl %%gs:%c1,%0" : "=r"(id) : "i"(PERCPU_CPU_ID));
	return id;
}

static inline void arch_wmb(void)
{
	__asm__ volatile("sfence" ::: "memory");
}

#endif
