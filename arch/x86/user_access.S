/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The only instructions that touch user memory. STAC and CLAC enclose nothing else; each access is in
 * the exception table with the place to go on at when the page cannot be had. The string instructions
 * go on where they stopped after a served fault. Addresses were checked by usercopy.c.
 */
#include "arch/x86/patch.h"

	.macro user_access fixup, insn:vararg
772:	\insn
	.pushsection .extable, "a"
	.quad 772b, \fixup
	.popsection
	.endm

	.text
	/* int user_copy(void *dst, const void *src, size_t n): 0 or -EFAULT */
	.globl user_copy
	.type user_copy, @function
user_copy:
	stac_if_smap
	mov %rdx, %rcx
	shr $3, %rcx
	user_access user_failed, rep movsq
	mov %edx, %ecx
	and $7, %ecx
	user_access user_failed, rep movsb
	clac_if_smap
	xor %eax, %eax
	ret

	/* int user_clear(void *dst, size_t n) */
	.globl user_clear
	.type user_clear, @function
user_clear:
	stac_if_smap
	xor %eax, %eax
	mov %rsi, %rcx
	shr $3, %rcx
	user_access user_failed, rep stosq
	mov %esi, %ecx
	and $7, %ecx
	user_access user_failed, rep stosb
	clac_if_smap
	ret

	/* int user_load(u32 *out, const u32 *src) */
	.globl user_load
	.type user_load, @function
user_load:
	stac_if_smap
	user_access user_failed, movl (%rsi), %edx
	clac_if_smap
	mov %edx, (%rdi)
	xor %eax, %eax
	ret

	/* s64 user_string(char *dst, const char *src, size_t cap): length, cap when no NUL was in it,
	 * or -EFAULT */
	.globl user_string
	.type user_string, @function
user_string:
	stac_if_smap
	xor %eax, %eax
1:	cmp %rdx, %rax
	jae 2f
	user_access user_failed, movb (%rsi,%rax), %cl
	mov %cl, (%rdi,%rax)
	test %cl, %cl
	jz 2f
	inc %rax
	jmp 1b
2:	clac_if_smap
	ret

	.type user_failed, @function
user_failed:
	clac_if_smap
	mov $-14, %rax /* -EFAULT */
	ret

	.section .note.GNU-stack, "", @progbits
