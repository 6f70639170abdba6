/* SPDX-License-Identifier: GPL-2.0-only */
/* Reading page tables: one address, a range, all leaves in order, all table pages. */
#include "kernel/pt_tables.h"

void pt_descend(const struct pt *pt, u64 va, u64 end, struct pt_place *p)
{
	u64 present = pt->fmt->present, large = pt->fmt->large, mask = pt->fmt->addr_mask;
	u64 differ = va ^ (end - 1);
	unsigned shift = pt_shift(pt->levels);

	p->page = pt->root;
	for (p->level = pt->levels; p->level > 1 && !(differ >> shift); p->level--, shift -= 9) {
		u64 *entry = (u64 *)phys_to_virt(p->page) + ((va >> shift) & (PT_ENTRIES - 1));
		u64 e = *entry;

		if (!(e & present) || (e & large))
			return;
		p->entry[p->level] = entry;
		p->page = e & mask;
	}
}

bool pt_lookup(const struct pt *pt, u64 va, struct pt_leaf *out)
{
	const u64 *table = phys_to_virt(pt->root);

	*out = (struct pt_leaf){ .va = pt->top, .size = -pt->top };
	if (va >= pt->top)
		return false;
	for (unsigned level = pt->levels;; level--) {
		u64 e = READ_ONCE(table[pt_index(va, level)]);

		if (pt_is_table(pt, e, level)) {
			table = pt_table(pt, e);
			continue;
		}
		out->size = pt_span(level);
		out->va = ALIGN_DOWN(va, out->size);
		if (!pt_is_leaf(pt, e, level))
			return false;
		out->pa = e & pt->fmt->addr_mask;
		out->prot = pt->fmt->prot(e);
		return true;
	}
}

u64 pt_run_end(const struct pt *pt, u64 va, u64 end)
{
	const u64 *table = phys_to_virt(pt->root);
	u64 leaf, step, most, n;
	unsigned level = pt->levels;

	for (; pt_is_table(pt, table[pt_index(va, level)], level); level--)
		table = pt_table(pt, table[pt_index(va, level)]);
	table += pt_index(va, level);
	step = pt_span(level);
	most = PT_ENTRIES - pt_index(va, level);
	va = ALIGN_DOWN(va, step);
	most = MIN(most, (end - va + step - 1) >> pt_shift(level));
	leaf = table[0] + step;
	for (n = 1; n < most && table[n] == leaf; n++)
		leaf += step;
	return MIN(va + n * step, end);
}

bool pt_next_below(const struct pt *pt, u64 *va, u64 end, struct pt_leaf *out)
{
	bool found = false;

	end = MIN(end, pt->top);
	while (*va < end && !found) {
		found = pt_lookup(pt, *va, out);
		*va = out->va + out->size;
		resched_point();
	}
	return found;
}

static void each(const struct pt *pt, paddr_t page, unsigned level, u64 limit,
		 void (*fn)(paddr_t table, void *arg), void *arg)
{
	const u64 *table = phys_to_virt(page);
	u64 base = 0;

	fn(page, arg);
	resched_point();
	for (unsigned i = 0; level > 1 && i < PT_ENTRIES && base < limit; i++, base += pt_span(level))
		if (pt_is_table(pt, table[i], level))
			each(pt, table[i] & pt->fmt->addr_mask, level - 1, pt_span(level), fn, arg);
}

void pt_each_table(const struct pt *pt, void (*fn)(paddr_t table, void *arg), void *arg)
{
	each(pt, pt->root, pt->levels, pt->top, fn, arg);
	for (paddr_t page = pt->spare; page != FRAME_NONE; page = *(u64 *)phys_to_virt(page))
		fn(page, arg);
}
