/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where the entries meet: the handover is checked and copied into the image, so that what the entry
 * built it in may be forgotten; then the CPU is set up and kernel_main() takes over.  Until
 * arch_init_early() has run, low memory is mapped one to one and nothing may be allocated except by
 * boot_claim(), which takes RAM out of the memory map.
 */
#include "arch/x86/boot/start.h"

#include "arch/x86/boot/regions.h"
#include "arch/x86/early.h"
#include "kernel/kernel.h"

struct handover boot_handover;

paddr_t boot_claim(u64 size, paddr_t below)
{
	struct handover *ho = &boot_handover;
	paddr_t best = 0;

	for (u32 i = 0; i < ho->nregions; i++) {
		const struct handover_region *r = &ho->region[i];
		u64 end = MIN(r->base + r->size, below);

		/* Page 0 stays out: address 0 means "none" here. */
		if (r->kind == HANDOVER_RAM && end > size && end - size >= MAX(r->base, PAGE_SIZE))
			best = MAX(best, end - size);
	}
	if (!best || regions_claim(ho, best, size, HANDOVER_KERNEL) || regions_finish(ho))
		return 0;
	return best;
}

__attribute__((noreturn)) static void start_kernel(void)
{
	arch_init_early(&boot_handover);
	kernel_main(&boot_handover);
}

void boot_start_efi(const struct handover *ho)
{
	if (ho->magic != HANDOVER_MAGIC || ho->version != HANDOVER_VERSION ||
	    ho->nregions > HANDOVER_MAX_REGIONS)
		early_fail("the handover of the EFI stub is of another version");
	memcpy(&boot_handover, ho, sizeof *ho);
	boot_handover.cmdline[HANDOVER_CMDLINE - 1] = 0;
	boot_handover.firmware[sizeof boot_handover.firmware - 1] = 0;
	if (regions_finish(&boot_handover))
		early_fail("the memory map has too many entries");
	start_kernel();
}

/* The PVH loader's structures (Xen public/arch-x86/hvm/start_info.h), all little-endian. */
#define PVH_MAGIC 0x336ec578

struct pvh_start_info {
	u32 magic, version, flags, nr_modules;
	u64 modlist, cmdline, rsdp;
	u64 memmap; /* from version 1 */
	u32 memmap_entries, reserved;
};
_Static_assert(sizeof(struct pvh_start_info) == 56, "start_info.h");
struct pvh_module {
	u64 base, size, cmdline, reserved;
};
struct pvh_memmap {
	u64 base, size;
	u32 type, reserved; /* E820 types */
};
_Static_assert(sizeof(struct pvh_memmap) == 24, "start_info.h");

#define LOW_LIMIT (4 * SZ_1G) /* what the boot page tables map */

static u32 pvh_kind(u32 type)
{
	switch (type) { /* ACPI 6.5, table 15.14 */
	case 1:
		return HANDOVER_RAM;
	case 3:
		return HANDOVER_ACPI;
	case 4:
		return HANDOVER_ACPI; /* NVS: ACPI's, kept */
	default:
		return HANDOVER_RESERVED;
	}
}

static void pvh_memory(const struct pvh_start_info *si)
{
	const struct pvh_memmap *map = (const void *)si->memmap;

	if (si->version < 1 || !si->memmap || si->memmap + si->memmap_entries * sizeof *map > LOW_LIMIT)
		early_fail("the PVH loader gave no memory map");
	for (u32 i = 0; i < si->memmap_entries; i++)
		if (regions_add(&boot_handover, map[i].base, map[i].size, pvh_kind(map[i].type)))
			early_fail("the memory map has too many entries");
}

static void pvh_cmdline(const struct pvh_start_info *si)
{
	const char *text = (const char *)si->cmdline;
	size_t n = 0;

	if (!si->cmdline || si->cmdline + HANDOVER_CMDLINE > LOW_LIMIT)
		return;
	while (n < HANDOVER_CMDLINE - 1 && text[n])
		n++;
	if (text[n])
		early_fail("the command line is longer than 4095 bytes");
	memcpy(boot_handover.cmdline, text, n);
}

void boot_start_pvh(u32 start_info)
{
	const struct pvh_start_info *si = (const void *)(u64)start_info;
	struct handover *ho = &boot_handover;

	if (si->magic != PVH_MAGIC)
		early_fail("the PVH entry was called without its start info");
	ho->magic = HANDOVER_MAGIC;
	ho->version = HANDOVER_VERSION;
	memcpy(ho->firmware, "PVH", 4);
	ho->rsdp = si->rsdp;
	ho->kernel_base = (u64)image_start - KERNEL_VMA;
	ho->kernel_size = image_end - image_start;
	pvh_cmdline(si);
	pvh_memory(si);
	if (si->nr_modules && si->modlist && si->modlist + sizeof(struct pvh_module) <= LOW_LIMIT) {
		const struct pvh_module *m = (const void *)si->modlist;

		ho->initrd = m->base;
		ho->initrd_size = m->size;
	}
	if (regions_finish(ho) || regions_claim(ho, ho->kernel_base, ho->kernel_size, HANDOVER_KERNEL) ||
	    regions_claim(ho, ho->initrd, ho->initrd_size, HANDOVER_KERNEL) || regions_finish(ho))
		early_fail("the memory map has too many entries");
	start_kernel();
}
