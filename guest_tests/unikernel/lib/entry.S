/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PVH entry: 32-bit protected mode without paging, EBX the start info. Builds identity tables
 * for the low 4 GiB from 2 MiB pages, switches to long mode with SSE on, and calls
 * runtime_start(start_info). The tables stay; paging.c changes them for devices.
 */

#define CR0_MP		(1 << 1)
#define CR0_EM		(1 << 2)
#define CR0_NE		(1 << 5)
#define CR0_PG		(1 << 31)
#define CR4_PAE		(1 << 5)
#define CR4_OSFXSR	(1 << 9)
#define CR4_OSXMMEXCPT	(1 << 10)
#define MSR_EFER	0xc0000080
#define EFER_LME	(1 << 8)
#define PTE_TABLE	0x003		/* present, writable */
#define PTE_LARGE	0x083		/* present, writable, 2 MiB */

#define CODE_SELECTOR	0x08
#define DATA_SELECTOR	0x10

#define STACK_BYTES	65536

	.section .note.pvh, "a", @note
	.balign 4
	.long 4				/* size of the name */
	.long 4				/* size of the entry address */
	.long 18			/* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.long pvh_entry

	.section .text.entry, "ax", @progbits
	.code32
	.globl pvh_entry
pvh_entry:
	cli
	cld
	movl %ebx, %ebp			/* the start info */

	/* 4 tables of 512 entries, one after the other: 2048 large pages. */
	movl $page_directories, %edi
	movl $PTE_LARGE, %eax
	movl $2048, %ecx
1:	movl %eax, (%edi)
	movl $0, 4(%edi)
	addl $0x200000, %eax
	addl $8, %edi
	decl %ecx
	jnz 1b

	movl $page_directories + PTE_TABLE, %eax
	movl $page_pointers, %edi
	movl $4, %ecx
1:	movl %eax, (%edi)
	addl $4096, %eax
	addl $8, %edi
	decl %ecx
	jnz 1b
	movl $page_pointers + PTE_TABLE, page_root

	movl %cr4, %eax
	orl $CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT, %eax
	movl %eax, %cr4
	movl $page_root, %eax
	movl %eax, %cr3
	movl $MSR_EFER, %ecx
	rdmsr
	orl $EFER_LME, %eax
	wrmsr
	movl %cr0, %eax
	andl $~CR0_EM, %eax
	orl $CR0_PG | CR0_NE | CR0_MP, %eax
	movl %eax, %cr0
	lgdt gdt_pointer
	ljmp $CODE_SELECTOR, $long_mode

	.code64
long_mode:
	movl $DATA_SELECTOR, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	xorl %eax, %eax
	movl %eax, %fs
	movl %eax, %gs
	movl $stack_top, %esp
	movl %ebp, %edi
	xorl %ebp, %ebp
	call runtime_start
1:	hlt
	jmp 1b

	.section .rodata
	.balign 8
gdt:
	.quad 0
	.quad 0x00af9b000000ffff	/* 64-bit code */
	.quad 0x00cf93000000ffff	/* data */
gdt_pointer:
	.word . - gdt - 1
	.quad gdt

	.section .bss, "aw", @nobits
	.balign 4096
	.globl page_root
page_root:
	.skip 4096
page_pointers:
	.skip 4096
page_directories:
	.skip 4 * 4096
	.balign 16
	.skip STACK_BYTES
stack_top:

	.section .note.GNU-stack, "", @progbits
