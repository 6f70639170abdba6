/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Loading the kernel that stub_kernel.S carries: at the physical place it was linked for if that is
 * free, else anywhere below 4 GiB at a multiple of 2 MiB; its page tables make up for the difference.
 */
#include <elf.h>

#include "arch/x86/boot/stub.h"

#define KERNEL_VMA 0xffffffff80000000ull
#define IMAGE_MAX (256ull << 20)

struct extent {
	UINT64 start, end, paddr;
};

static const Elf64_Phdr *phdr(const Elf64_Ehdr *eh, UINTN i)
{
	return (const Elf64_Phdr *)(stub_kernel + eh->e_phoff) + i;
}

static int header_ok(const Elf64_Ehdr *eh, UINT64 size)
{
	return size >= sizeof *eh && !memcmp(eh->e_ident, ELFMAG, SELFMAG) &&
	       eh->e_ident[EI_CLASS] == ELFCLASS64 && eh->e_machine == EM_X86_64 && eh->e_type == ET_EXEC &&
	       eh->e_phentsize == sizeof(Elf64_Phdr) && eh->e_phnum < 16 &&
	       eh->e_phoff <= size - eh->e_phnum * sizeof(Elf64_Phdr);
}

static int segments_ok(const Elf64_Ehdr *eh, UINT64 size, struct extent *x)
{
	*x = (struct extent){ ~0ull, 0, 0 };
	for (UINTN i = 0; i < eh->e_phnum; i++) {
		const Elf64_Phdr *p = phdr(eh, i);

		if (p->p_type != PT_LOAD)
			continue;
		if (p->p_offset > size || p->p_filesz > size - p->p_offset || p->p_filesz > p->p_memsz ||
		    p->p_vaddr < KERNEL_VMA || p->p_memsz > IMAGE_MAX || p->p_vaddr > ~0ull - IMAGE_MAX)
			return 0;
		if (p->p_vaddr < x->start) {
			x->start = p->p_vaddr;
			x->paddr = p->p_paddr;
		}
		if (p->p_vaddr + p->p_memsz > x->end)
			x->end = p->p_vaddr + p->p_memsz;
	}
	return x->start < x->end && x->end - x->start <= IMAGE_MAX && x->start % LARGE_PAGE == 0 &&
	       eh->e_entry >= x->start && eh->e_entry < x->end;
}

/* Whole 2 MiB pages, because the window is made of them. 0: no memory. */
static UINT64 image_place(const struct extent *x)
{
	UINT64 size = (x->end - x->start + LARGE_PAGE - 1) & ~(LARGE_PAGE - 1), base;
	EFI_PHYSICAL_ADDRESS at = x->paddr;

	if (at % LARGE_PAGE == 0 &&
	    !EFI_ERROR(stub.bs->AllocatePages(AllocateAddress, EfiLoaderData, PAGES(size), &at)))
		return at;
	at = BELOW_4G;
	if (EFI_ERROR(stub.bs->AllocatePages(AllocateMaxAddress, EfiLoaderData, PAGES(size + LARGE_PAGE), &at)))
		return 0;
	base = (at + LARGE_PAGE - 1) & ~(LARGE_PAGE - 1);
	if (base > at)
		stub.bs->FreePages(at, PAGES(base - at));
	if (base < at + LARGE_PAGE)
		stub.bs->FreePages(base + size, PAGES(at + LARGE_PAGE - base));
	return base;
}

EFI_STATUS stub_load_kernel(void)
{
	const Elf64_Ehdr *eh = (const Elf64_Ehdr *)stub_kernel;
	UINT64 size = stub_kernel_end - stub_kernel, base;
	struct extent x;

	if (!header_ok(eh, size) || !segments_ok(eh, size, &x))
		return stub_fail("the kernel inside this file", EFI_LOAD_ERROR);
	base = image_place(&x);
	if (!base)
		return stub_fail("memory below 4 GiB for the kernel", EFI_OUT_OF_RESOURCES);
	memset((void *)base, 0, x.end - x.start);
	for (UINTN i = 0; i < eh->e_phnum; i++) {
		const Elf64_Phdr *p = phdr(eh, i);

		if (p->p_type == PT_LOAD)
			memcpy((void *)(base + (p->p_vaddr - x.start)), stub_kernel + p->p_offset, p->p_filesz);
	}
	stub.ho->kernel_base = base;
	stub.ho->kernel_size = x.end - x.start;
	stub.window = x.start;
	stub.entry = eh->e_entry;
	return EFI_SUCCESS;
}
