/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Taking over the memory map: the table of frame records is cut from the first RAM that holds it,
 * and the rest of all RAM above 1 MiB becomes free.  The map itself is kept: it says which addresses
 * are memory at all.
 */
#include "kernel/frames_records.h"

#define LOW_RESERVE 0x100000ull /* the CPUs' trampoline, BIOS data */
#define BIOS_AREA 0xe0000ull    /* RSDP and old tables; often in no map */
#define BIOS_AREA_END 0x100000ull

static bool region_range(const struct handover_region *r, paddr_t *base, paddr_t *end)
{
	*base = ALIGN_UP(MAX(r->base, LOW_RESERVE), PAGE_SIZE);
	*end = ALIGN_DOWN(r->base + r->size, PAGE_SIZE);
	return r->kind == HANDOVER_RAM && *base < *end;
}

static void add_range(paddr_t base, paddr_t end)
{
	while (base < end) {
		paddr_t next = MIN(ALIGN_DOWN(base, SZ_2M) + SZ_2M, end);
		struct frame *f = frame_record(base);

		if (next - base == SZ_2M) {
			f->state = FRAME_STATE_FREE;
			TAILQ_INSERT_TAIL(&frames.free, f, link);
			frames.total_pages += FRAME_PAGES;
			frames.free_pages += FRAME_PAGES;
		} else {
			frame_add_pages(base, next);
		}
		base = next;
	}
}

void frames_init(const struct handover *ho)
{
	paddr_t base, end, table = FRAME_NONE;
	u64 size;
	u32 i;

	memset(&frames, 0, sizeof(frames));
	TAILQ_INIT(&frames.free);
	TAILQ_INIT(&frames.partial);
	frames.map = ho;
	for (i = 0; i < ho->nregions; i++)
		if (region_range(&ho->region[i], &base, &end))
			frames.top = MAX(frames.top, end);
	frames.nrecords = ALIGN_UP(frames.top, SZ_2M) >> 21;
	size = ALIGN_UP(frames.nrecords * sizeof(struct frame), PAGE_SIZE);
	for (i = 0; i < ho->nregions && table == FRAME_NONE; i++)
		if (region_range(&ho->region[i], &base, &end) && end - base >= size)
			table = base;
	if (table == FRAME_NONE)
		panic("no RAM for %llu bytes of frame records", (unsigned long long)size);
	frames.record = phys_to_virt(table);
	memset(frames.record, 0, size);
	for (i = 0; i < ho->nregions; i++) {
		if (!region_range(&ho->region[i], &base, &end))
			continue;
		add_range(base == table ? base + size : base, end);
	}
	log_info("memory: %llu MiB free, highest address 0x%llx",
		 (unsigned long long)(frames_free() >> 20), (unsigned long long)frames.top);
}

/* What arch keeps in the direct map: all RAM and firmware memory, and below 4 GiB what is reserved. */
static bool is_mapped(const struct handover_region *r)
{
	if (r->kind == HANDOVER_RESERVED)
		return r->base + r->size <= 4 * SZ_1G;
	return r->kind != HANDOVER_MMIO;
}

bool frames_is_memory(paddr_t pa, u64 len)
{
	paddr_t end = pa + len;

	if (!len || end < pa)
		return false;
	if (pa >= BIOS_AREA && end <= BIOS_AREA_END)
		return true;
	for (u32 i = 0; i < frames.map->nregions && pa < end; i++) {
		const struct handover_region *r = &frames.map->region[i];

		if (is_mapped(r) && r->base <= pa && pa - r->base < r->size)
			pa = r->base + r->size;
	}
	return pa >= end;
}

bool frames_meet(paddr_t pa, u64 len, u64 kinds)
{
	const struct handover_region *r = frames.map->region;

	for (u32 i = 0; i < frames.map->nregions; i++, r++)
		if (BIT(r->kind) & kinds && pa < r->base + r->size && r->base < pa + len)
			return true;
	return false;
}

paddr_t frames_low_end(void)
{
	paddr_t top = 0, base, end;

	for (u32 i = 0; i < frames.map->nregions; i++)
		if (region_range(&frames.map->region[i], &base, &end) && base < 4 * SZ_1G)
			top = MAX(top, MIN(end, 4 * SZ_1G));
	return top;
}
