/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Changing kernel stacks. What a context keeps on its stack is what the C calling convention lets a
 * callee keep; everything else of a thread is in its user_regs and its FPU area.
 */
	.text
	/* void arch_context_switch(struct arch_context *from, const struct arch_context *to) */
	.globl arch_context_switch
	.type arch_context_switch, @function
arch_context_switch:
	.irp reg, rbx, rbp, r12, r13, r14, r15
	push %\reg
	.endr
	mov %rsp, (%rdi)
	mov (%rsi), %rsp
	.irp reg, r15, r14, r13, r12, rbp, rbx
	pop %\reg
	.endr
	ret

	/* First instructions of a new context: fn in rbx, arg in r12 (user.c). Interrupts stay as the
	 * switch left them: off, since the scheduler holds its run queue's lock across it. */
	.globl context_start
	.type context_start, @function
context_start:
	mov %r12, %rdi
	xor %ebp, %ebp
	call *%rbx
	ud2

	.section .note.GNU-stack, "", @progbits
