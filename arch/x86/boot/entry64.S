/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The head of the image, for the EFI stub, and the 64-bit entry that it jumps to: interrupts off, RDI = physical
 * address of the handover, page tables that map low memory one to one and the image at its link
 * address. And the stack on which the boot CPU runs until sched_start().
 */
	.section .text.head, "a"
	.quad image_start, image_end, boot_entry64 /* struct image_head */

	.section .text.boot, "ax"
	.globl boot_entry64
	.type boot_entry64, @function
boot_entry64:
	cli
	cld
	mov $boot_stack_top, %rsp
	xor %ebp, %ebp
	call boot_start_efi
	ud2

	.section .bss
	.balign 16
	.globl boot_stack, boot_stack_top
boot_stack:
	.skip 16384
boot_stack_top:

	.section .note.GNU-stack, "", @progbits
