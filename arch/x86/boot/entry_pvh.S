/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The PVH entry (Xen's "PVH boot", docs/misc/pvh): 32-bit protected mode, flat segments, paging
 * off, EBX = hvm_start_info. It maps the low 4 GiB one to one and the first GiB once more at the
 * top 2 GiB, goes to 64-bit mode and calls boot_start_pvh(). The image stands at its link address
 * here, so physical = virtual - KERNEL_VMA.
 */
#define KERNEL_VMA 0xffffffff80000000
#define PHYS(sym) (sym - KERNEL_VMA)
#define PTE_TABLE 0x3  /* present, writable */
#define PTE_LARGE 0x83 /* and a 2 MiB page */
#define COM1 0x3f8

	.section .note.pvh, "a", @note
	.balign 4
	.long 4, 4, 18 /* name size, value size, XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.long PHYS(boot_entry_pvh)

	.section .text.boot, "ax"
	.code32
	.globl boot_entry_pvh
	.type boot_entry_pvh, @function
boot_entry_pvh:
	cli
	cld
	mov %ebx, %ebp
	mov $PHYS(boot_stack_top), %esp
	mov $0x80000000, %eax
	cpuid
	cmp $0x80000001, %eax
	jb no_long_mode
	mov $0x80000001, %eax
	cpuid
	bt $29, %edx /* LM */
	jnc no_long_mode

	mov $PHYS(boot_pdpt_low + PTE_TABLE), %eax
	mov %eax, PHYS(boot_pml4)
	mov $PHYS(boot_pdpt_high + PTE_TABLE), %eax
	mov %eax, PHYS(boot_pml4 + 511 * 8)
	mov $PHYS(boot_pd + PTE_TABLE), %eax
	mov %eax, PHYS(boot_pdpt_high + 510 * 8)
	mov $PHYS(boot_pdpt_low), %edi
	mov $4, %ecx
1:	mov %eax, (%edi)
	add $4096, %eax
	add $8, %edi
	loop 1b
	mov $PHYS(boot_pd), %edi
	mov $PTE_LARGE, %eax
	mov $2048, %ecx
2:	mov %eax, (%edi)
	add $0x200000, %eax
	add $8, %edi
	loop 2b

	mov %cr4, %eax
	or $0x20, %eax /* PAE */
	mov %eax, %cr4
	mov $PHYS(boot_pml4), %eax
	mov %eax, %cr3
	mov $0xc0000080, %ecx /* EFER */
	rdmsr
	or $0x100, %eax /* LME */
	wrmsr
	mov %cr0, %eax
	or $0x80000001, %eax /* PG, PE */
	mov %eax, %cr0
	lgdt PHYS(boot_gdt_pointer)
	ljmp $0x10, $PHYS(pvh_long_mode)

no_long_mode:
	mov $PHYS(no_long_mode_text), %esi
	mov $COM1, %edx
3:	lodsb
	test %al, %al
	jz 4f
	out %al, %dx
	jmp 3b
4:	hlt
	jmp 4b

	.code64
pvh_long_mode:
	mov $pvh_high, %rax
	jmp *%rax
pvh_high:
	mov $0x18, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	xor %eax, %eax
	mov %eax, %fs
	mov %eax, %gs
	mov $boot_stack_top, %rsp
	mov %ebp, %edi
	xor %ebp, %ebp
	call boot_start_pvh
	ud2

	.section .rodata
no_long_mode_text:
	.asciz "postern: this CPU has no 64-bit mode\r\n"
	.balign 8
boot_gdt:
	.quad 0, 0
	.quad 0x00209b0000000000 /* 0x10: 64-bit code */
	.quad 0x0000930000000000 /* 0x18: data */
boot_gdt_end:
boot_gdt_pointer:
	.word boot_gdt_end - boot_gdt - 1
	.long PHYS(boot_gdt)

	.section .bss
	.balign 4096
boot_pml4:	.skip 4096
boot_pdpt_low:	.skip 4096
boot_pdpt_high:	.skip 4096
boot_pd:	.skip 4 * 4096

	.section .note.GNU-stack, "", @progbits
