/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Table pages: birth, spare ones, splitting, death.
 *
 * An emptied table is all zero and, where the reader does not snoop, flushed: a few of them stay with
 * their tree as spares, so that mapping and unmapping one page again and again zeroes and flushes no
 * page twice.  Spares are chained through their first entry, whose line is flushed again when the
 * page is used.
 */
#include "kernel/pt_tables.h"

#define SPARE_KEPT 8u

int pt_init(struct pt *pt, const struct pt_format *fmt, unsigned levels, unsigned max_leaf, bool flush)
{
	BUG_ON(levels < 2 || levels > PT_LEVELS_MAX || max_leaf < 1 || max_leaf > 3);
	*pt = (struct pt){
		.fmt = fmt,
		.root = frame_alloc(SZ_4K),
		.levels = (u8)levels,
		.max_leaf = (u8)max_leaf,
		.flush = flush,
		.tables = 1,
		.top = pt_span(levels + 1),
		.spare = FRAME_NONE,
	};
	if (pt->root == FRAME_NONE)
		return -ENOMEM;
	pt_flush(pt, phys_to_virt(pt->root), PT_ENTRIES);
	return 0;
}

static void spare_push(struct pt *pt, paddr_t page)
{
	*(u64 *)phys_to_virt(page) = pt->spare;
	pt->spare = page;
	pt->nspare++;
}

paddr_t pt_table_take(struct pt *pt)
{
	paddr_t page = pt->spare;
	u64 *first = phys_to_virt(page);

	BUG_ON(!pt->nspare);
	pt->spare = *first;
	pt->nspare--;
	*first = 0;
	pt->tables++;
	return page;
}

static void spare_free_to(struct pt *pt, u64 keep)
{
	while (pt->nspare > keep) {
		frame_put_zeroed(pt_table_take(pt));
		pt->tables--;
		resched_point();
	}
}

int pt_reserve(struct pt *pt, u64 n)
{
	while (pt->nspare < n) {
		paddr_t page = frame_alloc(SZ_4K);

		if (page == FRAME_NONE) {
			spare_free_to(pt, SPARE_KEPT);
			return -ENOMEM;
		}
		pt_flush(pt, phys_to_virt(page), PT_ENTRIES);
		spare_push(pt, page);
		resched_point();
	}
	return 0;
}

void pt_trash_free(struct pt_trash *trash)
{
	struct pt *pt = trash->pt;

	while (trash->count) {
		paddr_t page = trash->head;
		u64 *first = phys_to_virt(page);

		trash->head = *first;
		trash->count--;
		*first = 0;
		if (pt->nspare < SPARE_KEPT)
			spare_push(pt, page);
		else
			frame_put_zeroed(page);
		resched_point();
	}
	trash->head = FRAME_NONE;
}

int pt_raise(struct pt *pt, u64 top)
{
	while (pt->top < top) {
		u64 *table;

		if (pt_reserve(pt, 1))
			return -ENOMEM;
		table = phys_to_virt(pt_table_take(pt));
		table[0] = pt->root | pt->fmt->table;
		pt->root = virt_to_phys(table);
		*frame_note(pt->root) = 1;
		pt->levels++;
		pt->top = pt_span(pt->levels + 1);
	}
	return 0;
}

/* Replace the large leaf by a table of smaller ones, with a page from the reserve. */
static void split(struct pt *pt, u64 *entry, unsigned level)
{
	paddr_t page = pt_table_take(pt), pa = *entry & pt->fmt->addr_mask;
	u64 bits = pt->fmt->leaf(pt->fmt->prot(*entry)) | (level > 2 ? pt->fmt->large : 0);
	u64 *table = phys_to_virt(page);

	for (unsigned i = 0; i < PT_ENTRIES; i++)
		table[i] = (pa + i * pt_span(level - 1)) | bits;
	*frame_note(page) = PT_ENTRIES;
	pt_flush(pt, table, PT_ENTRIES); /* before the reader can come here */
	WRITE_ONCE(*entry, page | pt->fmt->table);
	pt_flush(pt, entry, 1);
}

int pt_cut(struct pt *pt, u64 va)
{
	u64 *table = phys_to_virt(pt->root), *entry;

	if (va >= pt->top || IS_ALIGNED(va, pt_span(pt->max_leaf)))
		return 0;
	for (unsigned level = pt->levels; !IS_ALIGNED(va, pt_span(level)); level--) {
		entry = &table[pt_index(va, level)];
		if (pt_is_leaf(pt, *entry, level)) {
			if (pt_reserve(pt, 1))
				return -ENOMEM;
			split(pt, entry, level);
		}
		if (!pt_is_table(pt, *entry, level))
			break;
		table = pt_table(pt, *entry);
	}
	return 0;
}

/* Frees everything below; entries need not be cleared: nobody reads them any more. */
static void destroy(struct pt *pt, u64 *table, unsigned level, u64 limit)
{
	u64 base = 0;

	for (unsigned i = 0; i < PT_ENTRIES && base < limit; i++, base += pt_span(level)) {
		if (!pt_is_table(pt, table[i], level))
			continue;
		if (level > 2)
			destroy(pt, pt_table(pt, table[i]), level - 1, pt_span(level));
		frame_put(table[i] & pt->fmt->addr_mask);
		pt->tables--;
		resched_point();
	}
}

void pt_destroy(struct pt *pt)
{
	destroy(pt, phys_to_virt(pt->root), pt->levels, pt->top);
	spare_free_to(pt, 0);
	/* A root that is all ours and empty is zero: whoever gets it next need not clear it. */
	if (pt->top == pt_span(pt->levels + 1) && !*frame_note(pt->root))
		frame_put_zeroed(pt->root);
	else
		frame_put(pt->root);
	pt->tables--;
	pt->root = FRAME_NONE;
}
