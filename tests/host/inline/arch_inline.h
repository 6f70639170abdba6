/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel has inline (arch/x86/inline), as functions of the host side. */
#ifndef TESTS_HOST_INLINE_ARCH_INLINE_H
#define TESTS_HOST_INLINE_ARCH_INLINE_H

void *phys_to_virt(paddr_t pa);
bool arch_irq_save(void);
void arch_irq_restore(bool on);
void *arch_percpu_get(void);
unsigned arch_cpu_id(void);
void arch_wmb(void);

#endif
