/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What another CPU executes first: copied to a page below 1 MiB, entered in real mode at its start by a
 * start-up IPI, and from there straight to 64-bit mode (paging and protection are switched on
 * together). smp.c fills in the slots at the end.
 */
#define AT(sym) (sym - trampoline_start)

	.section .rodata
	.code16
	.balign 16
	.globl trampoline_start
trampoline_start:
	cli
	cld
	mov %cs, %ax
	mov %ax, %ds
	mov $0x20, %eax /* PAE */
	mov %eax, %cr4
	mov AT(trampoline_cr3), %eax
	mov %eax, %cr3
	mov $0xc0000080, %ecx /* EFER */
	rdmsr
	or AT(trampoline_efer), %eax
	wrmsr
	lgdtl AT(trampoline_gdt_pointer)
	mov $0x80000011, %eax /* PG, ET, PE */
	mov %eax, %cr0
	ljmpl *AT(trampoline_jump)

	.code64
trampoline_long:
	mov $0x10, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	mov trampoline_stack(%rip), %rsp
	xor %ebp, %ebp
	mov trampoline_entry(%rip), %rax
	call *%rax
	ud2

	.balign 8
	.globl trampoline_gdt
trampoline_gdt:
	.quad 0
	.quad 0x00209b0000000000 /* 0x08: 64-bit code */
	.quad 0x0000930000000000 /* 0x10: data */
trampoline_gdt_end:
	.globl trampoline_gdt_pointer, trampoline_jump, trampoline_cr3, trampoline_efer
	.globl trampoline_stack, trampoline_entry, trampoline_end, trampoline_long
trampoline_gdt_pointer:
	.word trampoline_gdt_end - trampoline_gdt - 1
	.long 0
	.balign 4
trampoline_jump:
	.long 0
	.word 0x08
	.balign 4
trampoline_cr3:
	.long 0
trampoline_efer:
	.long 0
	.balign 8
trampoline_stack:
	.quad 0
trampoline_entry:
	.quad 0
trampoline_end:

	.section .note.GNU-stack, "", @progbits
