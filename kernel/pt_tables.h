/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Private to the walker: geometry of a table, its entries, and where table pages come from.  The
 * number of present entries of a table is kept in frame_note() of its page.
 */
#ifndef KERNEL_PT_TABLES_H
#define KERNEL_PT_TABLES_H

#include "arch/x86/arch.h"
#include "kernel/frames_records.h"
#include "kernel/pt.h"
#include "kernel/thread.h"

#define PT_ENTRIES 512u
#define PT_LEVELS_MAX 5u

static inline unsigned pt_shift(unsigned level)
{
	return 3 + 9 * level;
}

static inline u64 pt_span(unsigned level) /* bytes that one entry covers */
{
	return 1ull << pt_shift(level);
}

static inline unsigned pt_index(u64 va, unsigned level)
{
	return (va >> pt_shift(level)) & (PT_ENTRIES - 1);
}

static inline bool pt_is_table(const struct pt *pt, u64 entry, unsigned level)
{
	return level > 1 && (entry & pt->fmt->present) && !(entry & pt->fmt->large);
}

static inline bool pt_is_leaf(const struct pt *pt, u64 entry, unsigned level)
{
	return (entry & pt->fmt->present) && (level == 1 || (entry & pt->fmt->large));
}

static inline u64 *pt_table(const struct pt *pt, u64 entry)
{
	return phys_to_virt(entry & pt->fmt->addr_mask);
}

/* End of the part of [va, end) that the entry covering va covers. */
static inline u64 pt_part_end(u64 va, u64 end, unsigned level)
{
	u64 next = ALIGN_DOWN(va, pt_span(level)) + pt_span(level);

	return MIN(next, end);
}

static inline bool pt_range_ok(const struct pt *pt, u64 va, u64 len)
{
	return len && !((va | len) & (PAGE_SIZE - 1)) && va < pt->top && len <= pt->top - va;
}

static inline void pt_flush(const struct pt *pt, const u64 *entry, u64 n)
{
	if (pt->flush && n)
		arch_cache_flush(entry, n * sizeof(*entry));
}

/* Where a range's paths part: the lowest table that has all of it under it. */
struct pt_place {
	paddr_t page;
	unsigned level;
	u64 *entry[PT_LEVELS_MAX + 1]; /* entry[l], of a table of level l, leads here */
};
void pt_descend(const struct pt *pt, u64 va, u64 end, struct pt_place *p);

/* Have n spare pages at hand: 0, -ENOMEM. After 0, pt_table_take() works n times. */
int must_check pt_reserve(struct pt *pt, u64 n);
/* A zero page; its first entry is not flushed yet, the others are. */
paddr_t pt_table_take(struct pt *pt);

#endif
