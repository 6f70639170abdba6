/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The last steps: page tables for the jump, the final memory map, the end of boot services. The tables
 * map the low 4 GiB one to one and the kernel image at its link address; the jump itself is copied
 * into a page below 4 GiB, because the stub may have been loaded higher.
 */
#include "arch/x86/boot/regions.h"
#include "arch/x86/boot/stub.h"

#define PTE_TABLE 0x3ull
#define PTE_LARGE 0x83ull
#define CR4_LA57 (1ull << 12)
#define TABLES 8     /* PML4, 2 PDPT, 4 PD low, 1 PD window */
#define EXIT_TRIES 8 /* a timer event may change the map between the two calls */
#define MAP_SPARE 16 /* descriptors more than now: freeing and allocating adds some */

typedef void (*jump_fn)(UINT64 cr3, UINT64 handover, UINT64 entry); /* System V */

static UINT64 build_tables(void)
{
	UINT64 *t = stub_pages(TABLES * PAGE, EfiLoaderData, BELOW_4G);
	UINT64 *pml4 = t, *low = t + 512, *high = t + 1024, *pd = t + 1536, *window = t + 3584;
	UINT64 base = stub.ho->kernel_base, first = stub.window >> 21 & 511;

	if (!t)
		return 0;
	pml4[0] = (UINT64)low | PTE_TABLE;
	pml4[511] = (UINT64)high | PTE_TABLE;
	for (UINTN i = 0; i < 4; i++)
		low[i] = (UINT64)(pd + 512 * i) | PTE_TABLE;
	for (UINT64 i = 0; i < 2048; i++)
		pd[i] = i << 21 | PTE_LARGE;
	high[stub.window >> 30 & 511] = (UINT64)window | PTE_TABLE;
	for (UINT64 off = 0; off < stub.ho->kernel_size; off += LARGE_PAGE)
		window[first + (off >> 21)] = (base + off) | PTE_LARGE;
	return (UINT64)pml4;
}

static UINT32 region_kind(UINT32 type)
{
	switch (type) { /* UEFI 2.10, 7.2 */
	case EfiConventionalMemory:
	case EfiBootServicesCode:
	case EfiBootServicesData:
	case EfiLoaderCode:
		return HANDOVER_RAM;
	case EfiLoaderData:
		return HANDOVER_KERNEL;
	case EfiRuntimeServicesCode:
	case EfiRuntimeServicesData:
		return HANDOVER_RUNTIME;
	case EfiACPIReclaimMemory:
	case EfiACPIMemoryNVS:
		return HANDOVER_ACPI;
	case EfiMemoryMappedIO:
	case EfiMemoryMappedIOPortSpace:
		return HANDOVER_MMIO;
	default:
		return HANDOVER_RESERVED;
	}
}

static int add_region(const EFI_MEMORY_DESCRIPTOR *d)
{
	UINT32 kind = region_kind(d->Type);

	if (!regions_add(stub.ho, d->PhysicalStart, d->NumberOfPages * PAGE, kind))
		return 0;
	/* Full: joining neighbours may make room. */
	return regions_finish(stub.ho) || regions_add(stub.ho, d->PhysicalStart, d->NumberOfPages * PAGE, kind);
}

struct map {
	UINT8 *data;
	UINTN room, size, key, step;
};

static EFI_STATUS map_take(struct map *m)
{
	UINT32 version;
	EFI_STATUS s;

	m->size = m->room;
	s = stub.bs->GetMemoryMap(&m->size, (EFI_MEMORY_DESCRIPTOR *)m->data, &m->key, &m->step, &version);
	if (EFI_ERROR(s))
		return s;
	stub.ho->nregions = 0;
	for (UINTN at = 0; at + m->step <= m->size; at += m->step)
		if (add_region((const EFI_MEMORY_DESCRIPTOR *)(m->data + at)))
			return EFI_BUFFER_TOO_SMALL;
	return regions_finish(stub.ho) ? EFI_BUFFER_TOO_SMALL : EFI_SUCCESS;
}

static EFI_STATUS map_prepare(struct map *m)
{
	UINTN key;
	UINT32 version;
	EFI_STATUS s;

	m->size = 0;
	s = stub.bs->GetMemoryMap(&m->size, NULL, &key, &m->step, &version);
	if (s != EFI_BUFFER_TOO_SMALL)
		return EFI_ERROR(s) ? s : EFI_DEVICE_ERROR;
	m->room = m->size + MAP_SPARE * m->step;
	m->data = stub_pages(m->room, EfiLoaderCode, ~0ull); /* free for the kernel afterwards */
	return m->data ? EFI_SUCCESS : EFI_OUT_OF_RESOURCES;
}

static UINT64 read_cr4(void)
{
	UINT64 v;

	__asm__ volatile("mov %%cr4,%0" : "=r"(v));
	return v;
}

EFI_STATUS stub_leave_firmware(void)
{
	UINT64 cr3 = build_tables();
	UINT8 *jump = stub_pages(PAGE, EfiLoaderCode, BELOW_4G);
	struct map m;
	EFI_STATUS s;

	if (read_cr4() & CR4_LA57)
		return stub_fail("firmware that runs with 5-level paging", EFI_UNSUPPORTED);
	if (!cr3 || !jump)
		return stub_fail("page tables below 4 GiB", EFI_OUT_OF_RESOURCES);
	memcpy(jump, stub_jump, stub_jump_end - stub_jump);
	s = map_prepare(&m);
	if (EFI_ERROR(s))
		return stub_fail("the memory map", s);
	for (UINTN i = 0; i < EXIT_TRIES; i++) {
		s = map_take(&m);
		if (EFI_ERROR(s))
			return stub_fail("the memory map", s);
		s = stub.bs->ExitBootServices(stub.image, m.key);
		if (!EFI_ERROR(s))
			((jump_fn)jump)(cr3, (UINT64)stub.ho, stub.entry); /* for ever */
	}
	return stub_fail("the end of boot services", s);
}
