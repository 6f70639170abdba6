/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The interrupt descriptor table, one for all CPUs: 256 interrupt gates to the stubs of entry.S. NMI,
 * #DF, #MC and #DB run on stacks of their own, because they may come where no stack and no GS base
 * can be trusted. Only INT3 may be called by ring 3.
 */
#include "arch/x86/early.h"

struct idt_gate { /* SDM 6.14.1 */
	u16 offset_low, selector;
	u8 ist, type;
	u16 offset_mid;
	u32 offset_high, reserved;
};
_Static_assert(sizeof(struct idt_gate) == 16, "SDM 6.14.1");

#define GATE_INTERRUPT 0x8e
#define GATE_DPL3 0x60
#define STUB_SIZE 16 /* entry.S */

extern const char entry_stubs[];
extern void entry_debug(void);

static struct idt_gate idt[256] __attribute__((aligned(16)));

static void gate_set(unsigned vector, u64 target, u8 ist, u8 type)
{
	idt[vector] = (struct idt_gate){
		.offset_low = target,
		.selector = SEL_KCODE,
		.ist = ist,
		.type = type,
		.offset_mid = target >> 16,
		.offset_high = target >> 32,
	};
}

static void idt_fill(void)
{
	for (unsigned v = 0; v < 256; v++)
		gate_set(v, (u64)entry_stubs + v * STUB_SIZE, 0, GATE_INTERRUPT);
	idt[1].ist = IST_DEBUG;
	idt[2].ist = IST_NMI;
	idt[3].type |= GATE_DPL3;
	idt[8].ist = IST_DOUBLE_FAULT;
	idt[18].ist = IST_MACHINE_CHECK;
}

void idt_load(void)
{
	struct {
		u16 limit;
		u64 base;
	} __attribute__((packed)) idtr = { sizeof idt - 1, (u64)idt };

	if (!idt[0].type)
		idt_fill();
	__asm__ volatile("lidt %0" :: "m"(idtr) : "memory");
}
