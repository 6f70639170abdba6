/* SPDX-License-Identifier: GPL-2.0-only */
/* Registers of the local APIC, for lapic.c and timer.c only. */
#ifndef ARCH_X86_LAPIC_H
#define ARCH_X86_LAPIC_H

#include "kernel/base.h"

/* Offsets of SDM table 11-1; the x2APIC MSR is 0x800 + offset / 16. */
#define LAPIC_ID 0x20
#define LAPIC_TPR 0x80
#define LAPIC_EOI 0xb0
#define LAPIC_SVR 0xf0
#define SVR_ENABLE BIT(8)
#define LAPIC_ESR 0x280
#define LAPIC_LVT_CMCI 0x2f0
#define LAPIC_ICR 0x300
#define ICR_PENDING BIT(12)
#define LAPIC_ICR_HIGH 0x310
#define LAPIC_LVT_TIMER 0x320
#define LVT_MASKED BIT(16)
#define LVT_TSC_DEADLINE (2u << 17)
#define LAPIC_LVT_THERMAL 0x330
#define LAPIC_LVT_PERF 0x340
#define LAPIC_LVT_LINT0 0x350
#define LAPIC_LVT_LINT1 0x360
#define LAPIC_LVT_ERROR 0x370
#define LAPIC_TIMER_INIT 0x380
#define LAPIC_TIMER_NOW 0x390
#define LAPIC_TIMER_DIVIDE 0x3e0
#define DIVIDE_BY_16 0x3
#define LAPIC_VERSION 0x30
#define VERSION_MAX_LVT GENMASK(23, 16)

u32 apic_read(u32 reg);
void apic_write(u32 reg, u32 v);

#endif
