/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Unmapping.  A large leaf that is only partly inside is split before anything goes.
 *
 * Order of writes: leaves are cleared first, then the entry that points to an emptied table; its page
 * is trash until the caller has flushed the reader's caches.
 */
#include "kernel/pt_tables.h"

struct unmap_job {
	struct pt *pt;
	struct pt_trash *trash;
	s64 bytes; /* that were mapped */
};

/* Leaves at the start of the n entries: cleared and counted. Returns how many entries were passed. */
static u64 clear_leaves(const struct pt *pt, u64 *entry, unsigned level, u64 n, unsigned *gone)
{
	u64 present = pt->fmt->present, large = level > 1 ? pt->fmt->large : 0, k;
	unsigned cleared = 0;

	for (k = 0; k < n; k++) {
		u64 e = entry[k];

		if (!(e & present))
			continue;
		if ((e & large) != large)
			break;
		WRITE_ONCE(entry[k], 0);
		cleared++;
	}
	*gone += cleared;
	return k;
}

/* The table that *entry leads to is empty. */
static void drop_table(struct unmap_job *j, u64 *entry)
{
	paddr_t page = *entry & j->pt->fmt->addr_mask;

	WRITE_ONCE(*entry, 0);
	/* The chain stays readable as a table of entries that are not present. */
	*(u64 *)phys_to_virt(page) = j->trash->head & j->pt->fmt->addr_mask;
	j->trash->head = page;
	j->trash->count++;
	j->pt->tables--;
}

/* Entries [first, first+n) have been looked at, `gone` of them cleared. Is the table empty now? */
static bool cleared(struct pt *pt, paddr_t page, unsigned first, u64 n, unsigned gone)
{
	u16 *count = frame_note(page);

	if (gone) {
		*count -= gone;
		pt_flush(pt, (u64 *)phys_to_virt(page) + first, n);
	}
	return *count == 0;
}

/* Returns whether the table is empty now. */
static bool unmap(struct unmap_job *j, paddr_t page, unsigned level, u64 va, u64 end)
{
	struct pt *pt = j->pt;
	u64 *table = phys_to_virt(page);
	unsigned first = pt_index(va, level), i = first, gone = 0;

	while (va < end) {
		u64 next, n;

		if (IS_ALIGNED(va, pt_span(level))) {
			unsigned leaves = 0;

			n = (end - va) >> pt_shift(level);
			n = clear_leaves(pt, &table[i], level, MIN(n, PT_ENTRIES - i), &leaves);
			gone += leaves;
			j->bytes += (s64)(leaves * pt_span(level));
			i += n;
			va += n * pt_span(level);
			if (va >= end || i == PT_ENTRIES)
				break;
		}
		next = pt_part_end(va, end, level);
		if (pt_is_table(pt, table[i], level) &&
		    unmap(j, table[i] & pt->fmt->addr_mask, level - 1, va, next)) {
			drop_table(j, &table[i]);
			gone++;
		}
		va = next;
		i++;
	}
	if (level <= 2)
		resched_point();
	return cleared(pt, page, first, i - first, gone);
}

s64 pt_unmap(struct pt *pt, u64 va, u64 len, struct pt_trash *trash)
{
	struct unmap_job j = { .pt = pt, .trash = trash };
	struct pt_place at;
	bool empty;

	if (!pt_range_ok(pt, va, len))
		return -EINVAL;
	pt_descend(pt, va, va + len, &at);
	if (at.level > 1 && (pt_cut(pt, va) || pt_cut(pt, va + len)))
		return -ENOMEM;
	BUG_ON(trash->count && trash->pt != pt);
	trash->pt = pt;
	empty = unmap(&j, at.page, at.level, va, va + len);
	while (empty && at.level < pt->levels) {
		u64 *entry = at.entry[++at.level];

		drop_table(&j, entry);
		at.page = ALIGN_DOWN(virt_to_phys(entry), PAGE_SIZE);
		empty = cleared(pt, at.page, pt_index(va, at.level), 1, 1);
	}
	return j.bytes;
}
