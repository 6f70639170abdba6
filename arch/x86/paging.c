/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's own page table. All RAM is mapped once at ARCH_DIRECT_BASE, writable and not
 * executable; what firmware reserved below 4 GiB and the BIOS area are there too, read-only, because
 * ACPI tables may lie in it. The image is mapped with the rights of its segments: nothing is writable
 * and executable. The PML4 slots of the uncached views and of the kernel stacks exist from the start, so
 * that every process root, which copies the upper 256 entries once, sees what is mapped there later.
 *
 * The tables of this first build come from one claim on the memory map; later ones from the frames.
 */
#include "arch/x86/boot/start.h"
#include "arch/x86/early.h"
#include "kernel/frames.h"

#define ENTRIES 512u
#define TABLE_FLAGS (PTE_P | PTE_W | PTE_U) /* leaves decide; the kernel half has no PTE_U leaf */
#define LOW_4G (4 * SZ_1G)

u64 image_phys_delta;
paddr_t paging_root, trampoline_page, trampoline_root;

static u64 table_offset;        /* 0 while low memory is mapped one to one */
static paddr_t pool, pool_end;  /* early tables */
static u64 nx_allowed = PTE_NX;

paddr_t virt_to_phys(const void *va)
{
	u64 v = (u64)va;

	return v >= KERNEL_VMA ? v - KERNEL_VMA + image_phys_delta : v - ARCH_DIRECT_BASE;
}

void arch_root_init(void *root_page)
{
	memcpy((u64 *)root_page + ENTRIES / 2, (u64 *)phys_to_virt(paging_root) + ENTRIES / 2, PAGE_SIZE / 2);
}

static u64 *table_at(paddr_t pa)
{
	return (u64 *)(pa + table_offset);
}

static paddr_t table_alloc(void)
{
	paddr_t pa = pool;

	if (table_offset)
		return frame_alloc(SZ_4K);
	if (pool >= pool_end)
		early_fail("the first page tables need more memory than was set aside");
	pool += PAGE_SIZE;
	memset(table_at(pa), 0, PAGE_SIZE);
	return pa;
}

static u64 level_size(unsigned level)
{
	return SZ_4K << (9 * (level - 1));
}

/* The entry for va at `level` under `root`, tables made on the way; NULL: no memory, or a leaf above. */
static u64 *entry_at(paddr_t root, u64 va, unsigned level)
{
	paddr_t table = root;

	for (unsigned l = 4; l > level; l--) {
		u64 *e = &table_at(table)[va >> (12 + 9 * (l - 1)) & (ENTRIES - 1)];

		if (*e & PTE_LARGE)
			return NULL;
		if (!*e) {
			paddr_t new = table_alloc();

			if (new == FRAME_NONE)
				return NULL;
			*e = new | TABLE_FLAGS;
		}
		table = *e & PTE_ADDR;
	}
	return &table_at(table)[va >> (12 + 9 * (level - 1)) & (ENTRIES - 1)];
}

static unsigned leaf_level(u64 va, paddr_t pa, u64 len)
{
	if (cpu.gb_pages && IS_ALIGNED(va | pa, SZ_1G) && len >= SZ_1G)
		return 3;
	return IS_ALIGNED(va | pa, SZ_2M) && len >= SZ_2M ? 2 : 1;
}

static int map_range(paddr_t root, u64 va, paddr_t pa, u64 len, u64 flags)
{
	flags &= ~PTE_NX | nx_allowed;
	while (len) {
		unsigned level = leaf_level(va, pa, len);
		u64 *e = entry_at(root, va, level), size = level_size(level);

		if (!e)
			return -ENOMEM;
		WRITE_ONCE(*e, pa | flags | PTE_P | PTE_A | PTE_D | (level > 1 ? PTE_LARGE : 0));
		va += size;
		pa += size;
		len -= size;
	}
	return 0;
}

int paging_map(u64 va, paddr_t pa, u64 len, u64 flags)
{
	return map_range(paging_root, va, pa, len, flags);
}

static u64 region_flags(const struct handover_region *r)
{
	switch (r->kind) {
	case HANDOVER_RAM:
	case HANDOVER_KERNEL:
	case HANDOVER_ACPI:
	case HANDOVER_RUNTIME:
		return PTE_W | PTE_NX | PTE_G;
	case HANDOVER_RESERVED:
		return r->base < LOW_4G ? PTE_NX | PTE_G : 0;
	default:
		return 0;
	}
}

/* Upper bound of the tables below: two edges per region at each level, and, without 1 GiB pages, one
 * directory per GiB. */
static u64 tables_needed(const struct handover *ho)
{
	u64 n = 16 + (ho->kernel_size + SZ_2M - 1) / SZ_2M + 1;

	for (u32 i = 0; i < ho->nregions; i++) {
		const struct handover_region *r = &ho->region[i];

		if (!region_flags(r))
			continue;
		n += 6 + r->size / (512 * SZ_1G);
		n += cpu.gb_pages ? 0 : r->size / SZ_1G;
	}
	return n;
}

static void map_direct(const struct handover *ho)
{
	for (u32 i = 0; i < ho->nregions; i++) {
		const struct handover_region *r = &ho->region[i];
		u64 flags = region_flags(r), size = r->size;

		if (!flags)
			continue;
		if (r->kind == HANDOVER_RESERVED)
			size = MIN(size, LOW_4G - r->base);
		if (map_range(paging_root, ARCH_DIRECT_BASE + r->base, r->base, size, flags))
			early_fail("the memory map overlaps itself");
	}
	for (u64 pa = 0; pa < 0x100000; pa += PAGE_SIZE) { /* the rest of the BIOS area */
		u64 *e = entry_at(paging_root, ARCH_DIRECT_BASE + pa, 1);

		if (e && !*e)
			*e = pa | PTE_P | PTE_A | PTE_D | PTE_G | (PTE_NX & nx_allowed);
	}
}

static void map_image(const char *from, const char *to, u64 flags)
{
	u64 va = (u64)from;

	for (; va < (u64)to; va += PAGE_SIZE) { /* 4 KiB pages: rights change within 2 MiB */
		u64 *e = entry_at(paging_root, va, 1);

		*e = virt_to_phys((void *)va) | PTE_P | PTE_A | PTE_D | PTE_G | (flags & (~PTE_NX | nx_allowed));
	}
}

/* Another CPU turns paging on at its trampoline page: that page one to one, and the kernel. */
static void trampoline_tables(void)
{
	u64 *root = table_at(trampoline_root);

	memset(root, 0, PAGE_SIZE);
	memcpy(root + ENTRIES / 2, table_at(paging_root) + ENTRIES / 2, PAGE_SIZE / 2);
	if (map_range(trampoline_root, trampoline_page, trampoline_page, PAGE_SIZE, 0))
		early_fail("no page tables for the other CPUs");
}

void paging_init(void)
{
	struct handover *ho = &boot_handover;
	u64 size = tables_needed(ho) * PAGE_SIZE;

	image_phys_delta = ho->kernel_base - ((u64)image_start - KERNEL_VMA);
	nx_allowed = cpu.nx ? PTE_NX : 0;
	trampoline_page = boot_claim(PAGE_SIZE, 0xa0000);
	pool = boot_claim(size, LOW_4G);
	if (!pool)
		early_fail("no free memory below 4 GiB for the first page tables");
	pool_end = pool + size;
	paging_root = table_alloc();
	map_direct(ho);
	map_image(text_start, text_end, 0);
	map_image(rodata_start, rodata_end, PTE_NX);
	map_image(data_start, image_end, PTE_W | PTE_NX);
	for (u64 slot = ENTRIES / 2; slot < ENTRIES; slot++) { /* shared by all roots: see above */
		u64 va = ~0ull << 48 | slot << 39;

		if (va == KERNEL_MMIO_BASE || va == KERNEL_KSTACK_BASE)
			table_at(paging_root)[slot] = table_alloc() | TABLE_FLAGS;
	}
	if (trampoline_page) {
		trampoline_root = table_alloc();
		trampoline_tables();
	}
	write_cr3(paging_root);
	table_offset = ARCH_DIRECT_BASE;
}
