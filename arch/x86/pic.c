/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The two 8259 interrupt controllers of the PC: moved away from the exceptions' vectors and masked, for
 * ever. What they still raise is spurious and only counted.
 */
#include "arch/x86/early.h"

#define PIC1 0x20
#define PIC2 0xa0
#define ICW1_INIT_ICW4 0x11
#define ICW4_8086 0x01
#define PIC_VECTOR 0x20

void pic_disable(void)
{
	arch_out8(PIC1, ICW1_INIT_ICW4);
	arch_out8(PIC2, ICW1_INIT_ICW4);
	arch_out8(PIC1 + 1, PIC_VECTOR);
	arch_out8(PIC2 + 1, PIC_VECTOR + 8);
	arch_out8(PIC1 + 1, 4); /* the second one is at line 2 */
	arch_out8(PIC2 + 1, 2);
	arch_out8(PIC1 + 1, ICW4_8086);
	arch_out8(PIC2 + 1, ICW4_8086);
	arch_out8(PIC1 + 1, 0xff);
	arch_out8(PIC2 + 1, 0xff);
}
