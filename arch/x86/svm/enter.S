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
	push %rbx
	push %r12
	push %r13
	push %r14
	push %r15
	push %rdx
	push %rdi

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
	mov R(8)(%rdi), %r8
	mov R(9)(%rdi), %r9
	mov R(10)(%rdi), %r10
	mov R(11)(%rdi), %r11
	mov R(12)(%rdi), %r12
	mov R(13)(%rdi), %r13
	mov R(14)(%rdi), %r14
	mov R(15)(%rdi), %r15
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
	mov %r8, R(8)(%rdi)
	mov %r9, R(9)(%rdi)
	mov %r10, R(10)(%rdi)
	mov %r11, R(11)(%rdi)
	mov %r12, R(12)(%rdi)
	mov %r13, R(13)(%rdi)
	mov %r14, R(14)(%rdi)
	mov %r15, R(15)(%rdi)
	pop %rcx
	mov %rcx, R(7)(%rdi)
	pop %rax
	vmload %rax
	stgi

	xor %ecx, %ecx
	xor %edx, %edx
	xor %esi, %esi
	xor %edi, %edi
	xor %r8d, %r8d
	xor %r9d, %r9d
	xor %r10d, %r10d
	xor %r11d, %r11d
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbx
	pop %rbp
	ret
	.size svm_enter, . - svm_enter
	.section .note.GNU-stack, "", @progbits
