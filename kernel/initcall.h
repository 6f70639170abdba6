/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How the folders above kernel/ are started without kernel/ naming them: each registers one function
 * in a link-time set; kernel_main runs them in level order.  A failing one logs its own refusal.
 */
#ifndef KERNEL_INITCALL_H
#define KERNEL_INITCALL_H

struct initcall {
	const char *name;
	int level;
	int (*fn)(void);
};
enum { INITCALL_EARLY = 0, INITCALL_PCI = 1, INITCALL_IOMMU = 2, INITCALL_DEVICES = 3 };
/* Level EARLY runs before arch_init(): memory, options and ACPI are there, interrupts and threads are not.
 * Levels PCI and IOMMU run on the boot CPU before any other CPU starts. */
#define INITCALL(lvl, func)                                                              \
	static const struct initcall func##_initcall                                     \
		__attribute__((used, section(".initcalls"), aligned(8))) = { #func, lvl, func }

#endif
