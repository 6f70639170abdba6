/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Loading the kernel that stub_kernel.S carries: its memory as it was linked, without the zeros at its end. It
 * goes to the physical place it was linked for if that is free, else anywhere below 4 GiB at a multiple of
 * 2 MiB; its page tables make up for the difference.
 */
#include "arch/x86/boot/stub.h"

#define KERNEL_VMA 0xffffffff80000000ull

/* Whole 2 MiB pages, because the window is made of them. 0: no memory. */
static UINT64 image_place(UINT64 linked, UINT64 bytes)
{
	UINT64 size = (bytes + LARGE_PAGE - 1) & ~(LARGE_PAGE - 1), base;
	EFI_PHYSICAL_ADDRESS at = linked;

	if (!EFI_ERROR(stub.bs->AllocatePages(AllocateAddress, EfiLoaderData, PAGES(size), &at)))
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
	const struct image_head *head = (const void *)stub_kernel;
	UINT64 size = head->end - head->start, base = image_place(head->start - KERNEL_VMA, size);

	if (!base)
		return stub_fail("memory below 4 GiB for the kernel", EFI_OUT_OF_RESOURCES);
	memset((void *)base, 0, size);
	memcpy((void *)base, stub_kernel, stub_kernel_end - stub_kernel);
	stub.ho->kernel_base = base;
	stub.ho->kernel_size = size;
	stub.window = head->start;
	stub.entry = head->entry;
	return EFI_SUCCESS;
}
