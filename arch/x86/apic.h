/* SPDX-License-Identifier: GPL-2.0-only */
/* The local APIC as the manual has it: for the CPUs' own (lapic.c, timer.c) and for those of guests (virt/). */
#ifndef ARCH_X86_APIC_H
#define ARCH_X86_APIC_H

#include "kernel/base.h"

/* IA32_APIC_BASE, SDM 3, 11.4.4 and 11.12.1 */
#define APIC_BASE_BSP BIT(8)
#define APIC_BASE_X2 BIT(10)
#define APIC_BASE_ENABLE BIT(11)
#define APIC_BASE_ADDR GENMASK(51, 12)

/* Register offsets in the page, SDM 3, table 11-1. The x2APIC MSR is 0x800 + offset / 16. */
enum {
	APIC_ID = 0x20, APIC_VERSION = 0x30, APIC_TPR = 0x80, APIC_PPR = 0xa0, APIC_EOI = 0xb0,
	APIC_LDR = 0xd0, APIC_DFR = 0xe0, APIC_SVR = 0xf0, APIC_ISR = 0x100, APIC_TMR = 0x180,
	APIC_IRR = 0x200, APIC_ESR = 0x280, APIC_LVT_CMCI = 0x2f0, APIC_ICR = 0x300, APIC_ICR2 = 0x310,
	APIC_LVT_TIMER = 0x320, APIC_LVT_THERMAL = 0x330, APIC_LVT_PERF = 0x340,
	APIC_LVT_LINT0 = 0x350, APIC_LVT_LINT1 = 0x360, APIC_LVT_ERROR = 0x370,
	APIC_TMICT = 0x380, APIC_TMCCT = 0x390, APIC_TDCR = 0x3e0, APIC_SELF_IPI = 0x3f0,
};

/* Interrupt command, SDM 3, 11.6.1; delivery mode and vector lie the same in LVTs and MSI data. */
#define ICR_VECTOR GENMASK(7, 0)
#define ICR_MODE GENMASK(10, 8)
#define ICR_LOGICAL BIT(11)
#define ICR_PENDING BIT(12)
#define ICR_ASSERT BIT(14)
#define ICR_LEVEL BIT(15)
#define ICR_SHORTHAND GENMASK(19, 18)
enum { DELIVER_FIXED = 0, DELIVER_LOWEST = 1, DELIVER_INIT = 5, DELIVER_STARTUP = 6 };
enum { SHORTHAND_NONE, SHORTHAND_SELF, SHORTHAND_ALL, SHORTHAND_OTHERS };

/* Fields of the version, spurious vector, LVT and divide registers */
#define VERSION_MAX_LVT GENMASK(23, 16)
#define SVR_ENABLE BIT(8)
#define LVT_MASKED BIT(16)
#define LVT_TIMER_MODE GENMASK(18, 17)
enum { TIMER_ONESHOT, TIMER_PERIODIC, TIMER_DEADLINE };
#define DIVIDE_BY_16 0x3

/* The CPU's own; arch/x86/lapic.c */
u32 apic_read(u32 reg);
void apic_write(u32 reg, u32 v);

#endif
