/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One stub per vector, TRAP_VECTORS of them, each TRAP_STUB_BYTES long: pushes the error code (0
 * where the CPU pushes none) and the vector, saves the general and the SSE registers and calls
 * trap_handle(frame). SSE is saved because the handlers are ordinary C.
 */
#include "guest_tests/unikernel/lib/trap_vectors.h"

	.text
	.globl trap_stubs
	.balign TRAP_STUB_BYTES
trap_stubs:
	.set vector, 0
	.rept TRAP_VECTORS
	.balign TRAP_STUB_BYTES
	.if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || \
	      vector == 29 || vector == 30)
	pushq $0
	.endif
	pushq $vector
	jmp trap_common
	.set vector, vector + 1
	.endr

trap_common:
	pushq %rax
	pushq %rcx
	pushq %rdx
	pushq %rbx
	pushq %rbp
	pushq %rsi
	pushq %rdi
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	cld
	movq %rsp, %rdi
	movq %rsp, %rbx
	subq $512, %rsp
	andq $-16, %rsp
	fxsave64 (%rsp)
	call trap_handle
	fxrstor64 (%rsp)
	movq %rbx, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rdi
	popq %rsi
	popq %rbp
	popq %rbx
	popq %rdx
	popq %rcx
	popq %rax
	addq $16, %rsp
	iretq

	.section .note.GNU-stack, "", @progbits
