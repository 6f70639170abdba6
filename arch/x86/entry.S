/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every way into ring 0 and back. All build a struct user_regs on the stack.
 *
 *  - 256 stubs of 16 bytes (the IDT computes their addresses), each pushing an error code if the CPU
 *    did not, and its vector in EDI.
 *  - Ordinary entries tell ring 3 by the saved CS and then swap GS. NMI, #DF, #MC and #DB may come
 *    between a SYSCALL and its SWAPGS, so they never judge: they find their CPU's block at the top of
 *    their own stack, set GS base to it and put back what was there. #DB from ring 3 moves to the
 *    thread's stack, as its handler may sleep.
 *  - The way back to ring 3 asks user_work with interrupts off until nothing is asked, and uses
 *    SYSRET only when the registers are those that SYSRET restores; RIP is checked below 2^47,
 *    because SYSRET to a non-canonical address faults in ring 0 on a ring-3 stack, and IRET likewise.
 */
#include "arch/x86/offsets.h"
#include "arch/x86/patch.h"

#define RFLAGS_USER 0x254dd5
#define RFLAGS_IF_FIXED 0x202
#define RFLAGS_TF_RF 0x10100

	.text

	/* Vectors whose error code the CPU pushes: 8 10-14 17 21 29 30 (SDM table 6-1, APM 8.2). */
	.macro stub vector
	.balign 16
	.set has_error, (\vector-8)*(\vector-10)*(\vector-11)*(\vector-12)*(\vector-13)*(\vector-14)
	.if has_error * (\vector-17)*(\vector-21)*(\vector-29)*(\vector-30)
	push $0
	.endif
	push %rdi
	.ifeq (\vector-1)
	jmp entry_debug
	.else
	mov $\vector, %edi
	.ifeq (\vector-2)*(\vector-8)*(\vector-18)
	jmp entry_paranoid
	.else
	jmp entry_common
	.endif
	.endif
	.endm

	.balign 16
	.globl entry_stubs
entry_stubs:
	.altmacro
	.set vector, 0
	.rept 256
	stub %vector
	.set vector, vector + 1
	.endr
	.noaltmacro

	/* In the order of struct user_regs; rdi is saved already. */
	.macro push_regs
	.irp reg, rsi, rdx, rcx, rax, r8, r9, r10, r11, rbx, rbp, r12, r13, r14, r15
	push %\reg
	.endr
	.endm
	/* Clears also what ring 3 could make ring 0 speculate or trip on. */
	.macro save_regs
	push_regs
	.irp reg, ebx, ebp, r12d, r13d, r14d, r15d
	xor %\reg, %\reg
	.endr
	.endm
	/* All but rdi, which the caller pops last. */
	.macro restore_regs
	.irp reg, r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi
	pop %\reg
	.endr
	.endm

	.balign 16
	.type entry_common, @function
entry_common:
	cld
	clac_if_smap
	testb $3, REGS_CS - REGS_RDI(%rsp)
	jz entry_from_kernel
	swapgs
entry_from_user:
	save_regs
	mov %edi, %esi
	mov %rsp, %rdi
	sub $8, %rsp /* the C calling convention's 16 bytes */
	call trap_dispatch
	add $8, %rsp
	jmp exit_user

entry_from_kernel:
	/* Keep RBP across: a backtrace goes on through the interrupted function. */
	push_regs
	mov %edi, %esi
	mov %rsp, %rdi
	sub $8, %rsp /* the C calling convention's 16 bytes */
	call trap_dispatch
	add $8, %rsp
	restore_regs
	pop %rdi
	add $8, %rsp
	iretq

	.type entry_paranoid, @function
entry_paranoid:
	cld
	clac_if_smap
	save_regs
	mov $ENTRY_MSR_GS_BASE, %ecx
	rdmsr
	shl $32, %rdx
	or %rdx, %rax
	mov %rax, %rbx
	mov REGS_SIZE(%rsp), %rax
	mov %rax, %rdx
	shr $32, %rdx
	wrmsr
	mov %edi, %esi
	mov %rsp, %rdi
	sub $8, %rsp
	call trap_paranoid
	add $8, %rsp
	mov $ENTRY_MSR_GS_BASE, %ecx
	mov %ebx, %eax
	mov %rbx, %rdx
	shr $32, %rdx
	wrmsr
	restore_regs
	pop %rdi
	add $8, %rsp
	iretq

	.type entry_debug, @function
entry_debug:
	testb $3, REGS_CS - REGS_RDI(%rsp)
	mov $1, %edi
	jz entry_paranoid
	cld
	clac_if_smap
	swapgs
	mov %rsp, %rdi
	mov %gs:PERCPU_KSTACK_TOP, %rsp
	.irp field, REGS_SS, REGS_RSP, REGS_RFLAGS, REGS_CS, REGS_RIP
	push \field - REGS_RDI(%rdi)
	.endr
	push $0
	push (%rdi) /* the saved rdi */
	mov $1, %edi
	jmp entry_from_user

	.balign 16
	.globl entry_syscall
	.type entry_syscall, @function
entry_syscall:
	swapgs
	mov %rsp, %gs:PERCPU_USER_RSP
	mov %gs:PERCPU_KSTACK_TOP, %rsp
	push $SEL_UDATA
	push %gs:PERCPU_USER_RSP
	push %r11
	push $SEL_UCODE
	push %rcx
	push %rax
	push %rdi
	save_regs
	movq $-38, REGS_RAX(%rsp) /* -ENOSYS until somebody answers */
	mov %rsp, %rdi
	mov upcalls(%rip), %rax /* upcalls.syscall */
	sub $8, %rsp
	sti
	call *%rax
	cli
	add $8, %rsp
	cmpl $0, %gs:PERCPU_USER_WORK
	jne exit_user_work
exit_syscall:
	mov REGS_RCX(%rsp), %rcx
	cmp %rcx, REGS_RIP(%rsp)
	jne exit_iret
	mov REGS_R11(%rsp), %r11
	cmp %r11, REGS_RFLAGS(%rsp)
	jne exit_iret
	/* SYSRET would load IOPL and IF as they stand there: RT_SIGRETURN fills both from user memory. */
	mov %r11, %rax
	and $~(RFLAGS_USER & ~RFLAGS_TF_RF), %rax
	cmp $RFLAGS_IF_FIXED, %rax
	jne exit_iret
	mov %rcx, %rax
	shr $47, %rax
	jnz exit_iret
	restore_regs
	pop %rdi
	mov 32(%rsp), %rsp /* orig_rax rip cs rflags [rsp] */
	swapgs
	sysretq

exit_user_work:
	mov %rsp, %rdi
	sub $8, %rsp
	call trap_user_work
	add $8, %rsp
	jmp exit_user

	/* Interrupts off, a whole user_regs at rsp. */
	.type exit_user, @function
exit_user:
	cmpl $0, %gs:PERCPU_USER_WORK
	jne exit_user_work
exit_iret:
	mov REGS_RIP(%rsp), %rax
	shr $47, %rax
	jnz exit_bad_rip
	movq $SEL_UCODE, REGS_CS(%rsp)
	movq $SEL_UDATA, REGS_SS(%rsp)
	andq $RFLAGS_USER, REGS_RFLAGS(%rsp)
	orq $RFLAGS_IF_FIXED, REGS_RFLAGS(%rsp)
	restore_regs
	pop %rdi
	add $8, %rsp
	swapgs
	iretq

exit_bad_rip:
	mov %rsp, %rdi
	sub $8, %rsp
	call trap_bad_rip
	add $8, %rsp
	jmp exit_user

	/* void arch_user_enter(struct user_regs *regs) */
	.globl arch_user_enter
	.type arch_user_enter, @function
arch_user_enter:
	cli
	mov %rdi, %rsp
	xor %ebp, %ebp
	jmp exit_user

	.section .note.GNU-stack, "", @progbits
