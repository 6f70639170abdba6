/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Building the handover's memory map: append what firmware said in any order, then make it sorted and
 * disjoint. Shared by the EFI stub and the kernel's PVH entry, so it stands on handover.h alone.
 * Where two entries overlap, RAM gives way: memory that somebody claims is not free.
 */
#ifndef ARCH_X86_BOOT_REGIONS_H
#define ARCH_X86_BOOT_REGIONS_H

#include "arch/x86/boot/handover.h"

/* 0, or -1 when the map is full. A region that touches the last one of the same kind extends it. */
static inline int regions_add(struct handover *ho, uint64_t base, uint64_t size, uint32_t kind)
{
	struct handover_region *last = ho->nregions ? &ho->region[ho->nregions - 1] : 0;
	uint64_t end = base + size;

	if (end < base)
		end = ~0xfffull;
	if (kind == HANDOVER_RAM) { /* only whole pages are free, */
		base = (base + 0xfff) & ~0xfffull;
		end &= ~0xfffull;
	} else { /* and a page that is partly claimed is not */
		base &= ~0xfffull;
		end = end > ~0xfffull ? ~0xfffull : (end + 0xfff) & ~0xfffull;
	}
	if (end <= base)
		return 0;
	if (last && last->kind == kind && last->base + last->size == base) {
		last->size = end - last->base;
		return 0;
	}
	if (ho->nregions == HANDOVER_MAX_REGIONS)
		return -1;
	ho->region[ho->nregions++] = (struct handover_region){ base, end - base, kind, 0 };
	return 0;
}

static inline void regions_sort(struct handover *ho)
{
	for (uint32_t i = 1; i < ho->nregions; i++) {
		struct handover_region r = ho->region[i];
		uint32_t j = i;

		for (; j > 0 && ho->region[j - 1].base > r.base; j--)
			ho->region[j] = ho->region[j - 1];
		ho->region[j] = r;
	}
}

/* Claim [base, base+size) out of what is free there: the parts that are RAM become `kind`. 0 or -1. */
static inline int regions_claim(struct handover *ho, uint64_t base, uint64_t size, uint32_t kind)
{
	uint64_t start = base & ~0xfffull, end = (base + size + 0xfff) & ~0xfffull;
	uint32_t n = ho->nregions;

	for (uint32_t i = 0; i < n; i++) {
		struct handover_region *r = &ho->region[i];
		uint64_t lo = r->base > start ? r->base : start;
		uint64_t r_end = r->base + r->size, hi = r_end < end ? r_end : end;

		if (r->kind != HANDOVER_RAM || lo >= hi)
			continue;
		if (ho->nregions + 2 > HANDOVER_MAX_REGIONS)
			return -1;
		r->size = lo - r->base;
		if (r_end > hi)
			ho->region[ho->nregions++] =
				(struct handover_region){ hi, r_end - hi, HANDOVER_RAM, 0 };
		ho->region[ho->nregions++] = (struct handover_region){ lo, hi - lo, kind, 0 };
	}
	return 0;
}

/* Sort, take out what is empty, let claims win over RAM, and join neighbours of one kind. */
static inline int regions_finish(struct handover *ho)
{
	uint32_t out = 0, n = ho->nregions;

	for (uint32_t i = 0; i < n; i++) {
		struct handover_region r = ho->region[i];

		if (r.kind != HANDOVER_RAM && r.size && regions_claim(ho, r.base, r.size, r.kind))
			return -1;
	}
	regions_sort(ho);
	for (uint32_t i = 0; i < ho->nregions; i++) {
		struct handover_region r = ho->region[i];
		uint64_t covered = out ? ho->region[out - 1].base + ho->region[out - 1].size : 0;

		if (r.base < covered) { /* claimed twice: the first one stands */
			uint64_t cut = covered - r.base;

			r.size = cut < r.size ? r.size - cut : 0;
			r.base = covered;
		}
		if (!r.size)
			continue;
		if (out && r.base == covered && ho->region[out - 1].kind == r.kind)
			ho->region[out - 1].size += r.size;
		else
			ho->region[out++] = r;
	}
	ho->nregions = out;
	return 0;
}

#endif
