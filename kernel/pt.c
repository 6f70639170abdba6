/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Mapping in page tables.  It decodes first: a look at the range finds what is in the way and counts
 * the tables that will be needed; those are reserved; what then writes cannot fail.
 *
 * Order of writes, which a reader that walks at the same time relies on: a new table is filled, then
 * flushed, and only then does the entry that points to it appear, flushed in turn.  Leaves are
 * written whole, 64 bits at once.
 */
#include "kernel/pt_tables.h"

struct map_job {
	struct pt *pt;
	u64 bits[4]; /* leaf bits by level, without the address */
	u64 delta;   /* pa - va */
	u64 tables;  /* missing ones, counted by map_check */
};

/* How many entries of this level, from va's on and in one table, the range fills as leaves. */
static inline u64 leaf_run(const struct map_job *j, u64 va, u64 end, unsigned level)
{
	u64 n = (end - va) >> pt_shift(level), room = PT_ENTRIES - pt_index(va, level);

	if (level > j->pt->max_leaf || ((va | j->delta) & (pt_span(level) - 1)))
		return 0;
	return MIN(n, room);
}

/* All n entries at once, so that the loop has no branch of its own. */
static inline u64 seen_bits(const u64 *entry, u64 n)
{
	u64 seen = 0;

#pragma GCC unroll 8
	for (u64 k = 0; k < n; k++)
		seen |= entry[k];
	return seen;
}

/* table NULL: there is none yet. */
static int map_check(struct map_job *j, const u64 *table, unsigned level, u64 va, u64 end)
{
	while (va < end) {
		unsigned i = pt_index(va, level);
		u64 n = leaf_run(j, va, end, level), next = va + n * pt_span(level), e;
		const u64 *below = NULL;
		int err;

		if (n) {
			if (table && (seen_bits(&table[i], n) & j->pt->fmt->present))
				return -EEXIST;
			va = next;
			continue;
		}
		next = pt_part_end(va, end, level);
		e = table ? table[i] : 0;
		if (pt_is_leaf(j->pt, e, level))
			return -EEXIST;
		if (pt_is_table(j->pt, e, level))
			below = pt_table(j->pt, e);
		else
			j->tables++;
		err = map_check(j, below, level - 1, va, next);
		if (err)
			return err;
		va = next;
	}
	if (level == 2)
		resched_point();
	return 0;
}

static void fill_leaves(struct map_job *j, u64 *entry, unsigned level, u64 va, u64 n)
{
	u64 leaf = (va + j->delta) | j->bits[level];

#pragma GCC unroll 8
	for (u64 k = 0; k < n; k++, leaf += pt_span(level))
		WRITE_ONCE(entry[k], leaf);
}

/* Entries [first, first+n) of the table have been written, `present` of them for the first time. */
static void written(struct pt *pt, paddr_t page, unsigned first, u64 n, u64 present, bool fresh)
{
	u64 *table = phys_to_virt(page);

	*frame_note(page) += present;
	pt_flush(pt, &table[first], n);
	if (fresh && first)
		pt_flush(pt, table, 1);
}

static void map_write(struct map_job *j, paddr_t page, unsigned level, u64 va, u64 end, bool fresh)
{
	struct pt *pt = j->pt;
	u64 *table = phys_to_virt(page), present = 0;
	unsigned first = pt_index(va, level), i = first;

	while (va < end) {
		u64 n = leaf_run(j, va, end, level), next;
		paddr_t below;

		if (n) {
			fill_leaves(j, &table[i], level, va, n);
			va += n * pt_span(level);
			i += n;
			present += n;
			continue;
		}
		next = pt_part_end(va, end, level);
		if (pt_is_table(pt, table[i], level)) {
			map_write(j, table[i] & pt->fmt->addr_mask, level - 1, va, next, false);
		} else {
			below = pt_table_take(pt);
			map_write(j, below, level - 1, va, next, true);
			WRITE_ONCE(table[i], below | pt->fmt->table);
			present++;
		}
		va = next;
		i++;
	}
	if (present)
		written(pt, page, first, i - first, present, fresh);
	if (level <= 2)
		resched_point();
}

/* The level whose leaves map all of the range; 0: several, or not worth finding out. */
static unsigned one_level(const struct map_job *j, u64 va, u64 len)
{
	if (len < SZ_2M || j->pt->max_leaf == 1 || (j->delta & (SZ_2M - 1)))
		return 1;
	return ((va | len) & (SZ_2M - 1)) || (j->pt->max_leaf > 2 && len >= SZ_1G) ? 0 : 2;
}

/*
 * The frequent case: all leaves go into one table, which is there (at->level is theirs), or of which
 * and of those above nothing is there. 1: it is not that case.
 */
static int map_one_table(struct map_job *j, const struct pt_place *at, unsigned leaf, u64 va, u64 n)
{
	struct pt *pt = j->pt;
	unsigned i = pt_index(va, at->level);
	u64 *entry = (u64 *)phys_to_virt(at->page) + i;
	paddr_t page = at->page, upper;

	if (seen_bits(entry, leaf == at->level ? n : 1) & pt->fmt->present)
		return leaf == at->level ? -EEXIST : 1;
	if (pt_reserve(pt, at->level - leaf))
		return -ENOMEM;
	if (leaf < at->level)
		page = pt_table_take(pt);
	i = pt_index(va, leaf);
	fill_leaves(j, (u64 *)phys_to_virt(page) + i, leaf, va, n);
	written(pt, page, i, n, n, leaf < at->level);
	for (unsigned level = leaf + 1; level <= at->level; level++) {
		upper = level < at->level ? pt_table_take(pt) : at->page;
		i = pt_index(va, level);
		WRITE_ONCE(((u64 *)phys_to_virt(upper))[i], page | pt->fmt->table);
		written(pt, upper, i, 1, 1, level < at->level);
		page = upper;
	}
	if (n >= PT_ENTRIES / 2)
		resched_point();
	return 0;
}

int pt_map(struct pt *pt, u64 va, paddr_t pa, u64 len, unsigned prot)
{
	const struct pt_format *f = pt->fmt;
	u64 bits = f->leaf(prot), large = bits | f->large, end = va + len;
	struct map_job j = { .pt = pt, .bits = { 0, bits, large, large }, .delta = pa - va };
	struct pt_place at;
	unsigned leaf;
	int err;

	if (!pt_range_ok(pt, va, len) || (pa & (PAGE_SIZE - 1)) || pa + len < pa ||
	    ((pa + len - 1) & ~(f->addr_mask | (PAGE_SIZE - 1))) || !(bits & f->present))
		return -EINVAL;
	pt_descend(pt, va, end, &at);
	leaf = one_level(&j, va, len);
	if (leaf && leaf <= at.level && !((va ^ (end - 1)) >> pt_shift(leaf + 1))) {
		err = map_one_table(&j, &at, leaf, va, len >> pt_shift(leaf));
		if (err <= 0)
			return err;
	}
	err = map_check(&j, phys_to_virt(at.page), at.level, va, end);
	if (!err)
		err = pt_reserve(pt, j.tables);
	if (!err)
		map_write(&j, at.page, at.level, va, end, false);
	return err;
}
