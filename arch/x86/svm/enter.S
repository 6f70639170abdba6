/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The world switch: void svm_enter(u64 *gpr, paddr_t vmcb, paddr_t host_extra)
 *
 * Called with interrupts off. GIF is cleared first, then IF is set: the guest runs with
 * V_INTR_MASKING, so the host's IF decides whether a host interrupt makes it leave, and GIF keeps
 * interrupts away until the guest runs and again from its exit to STGI. There IF is off again; the
 * interrupt that ended the guest comes when the caller enables interrupts.
 *
 * VMRUN and #VMEXIT swap most of the state; FS, GS, TR, LDTR, KernelGSBase, STAR, LSTAR, CSTAR,
 * SFMASK and SYSENTER_* are moved by VMSAVE/VMLOAD (APM 2, 15.5.2), the host's into host_extra at
 * every entry and back at every exit. No guest value stays in a general register.
 */
#define R(n) (8 * (n))

	.text
	.globl svm_enter
	.type svm_enter, @function
svm_enter:
	push %rbp
	mov %rsp, %rbp
	.irp reg, rbx, r12, r13, r14, r15, rdx, rdi
	push %\reg
	.endr

	clgi
	mov %rdx, %rax
	vmsave %rax
	mov %rsi, %rax
	vmload %rax
	mov R(1)(%rdi), %rcx
	mov R(2)(%rdi), %rdx
	mov R(3)(%rdi), %rbx
	mov R(5)(%rdi), %rbp
	mov R(6)(%rdi), %rsi
	.irp n, 8, 9, 10, 11, 12, 13, 14, 15
	mov R(\n)(%rdi), %r\n
	.endr
	mov R(7)(%rdi), %rdi
	sti
	vmrun %rax
	cli
	vmsave %rax
	xchg %rdi, (%rsp)
	mov %rcx, R(1)(%rdi)
	mov %rdx, R(2)(%rdi)
	mov %rbx, R(3)(%rdi)
	mov %rbp, R(5)(%rdi)
	mov %rsi, R(6)(%rdi)
	.irp n, 8, 9, 10, 11, 12, 13, 14, 15
	mov %r\n, R(\n)(%rdi)
	.endr
	pop %rcx
	mov %rcx, R(7)(%rdi)
	pop %rax
	vmload %rax
	stgi

	.irp reg, ecx, edx, esi, edi, r8d, r9d, r10d, r11d
	xor %\reg, %\reg
	.endr
	.irp reg, r15, r14, r13, r12, rbx, rbp
	pop %\reg
	.endr
	ret
	.size svm_enter, . - svm_enter
	.section .note.GNU-stack, "", @progbits
