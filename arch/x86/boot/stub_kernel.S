/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the stub carries: the kernel, as it lies in memory, and the last instructions under the firmware's page
 * tables (copied below 4 GiB before they run): RDI = new page tables, RSI = handover, RDX = entry.
 */
	.section .rodata, "a"
	.balign 16
	.globl stub_kernel, stub_kernel_end
	.hidden stub_kernel, stub_kernel_end
stub_kernel:
	.incbin KERNEL_IMAGE
stub_kernel_end:

	.text
	.globl stub_jump, stub_jump_end
	.hidden stub_jump, stub_jump_end
stub_jump:
	cli
	cld
	mov %rdi, %cr3
	mov %rsi, %rdi
	jmp *%rdx
stub_jump_end:

	.section .note.GNU-stack, "", @progbits
