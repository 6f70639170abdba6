/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The frames of an anonymous object: found, allocated, cut, moved, let go.  The object's lock is
 * held throughout; it sleeps, so zeroing 2 MiB passes resched_point().
 */
#include "kernel/mobj_slots.h"

#define ZERO_STEP 0x8000u

static inline struct mobj_table *slot_table(u64 slot)
{
	return (struct mobj_table *)(slot & ~SLOT_KIND);
}

static inline paddr_t slot_frame(u64 slot)
{
	return slot & ~SLOT_KIND;
}

static inline unsigned page_index(u64 off)
{
	return (off >> PAGE_SHIFT) & 511;
}

int mobj_dir_resize(struct mobj *m, u64 size)
{
	u64 n = MAX((ALIGN_UP(size, SZ_1G)) >> 30, 1ull);
	u64 **dir;

	if (size > BIT(46))
		return -ENOMEM;
	if (n <= m->ndir)
		return 0;
	if (n == 1) {
		m->dir = &m->only;
		m->ndir = 1;
		return 0;
	}
	dir = kcalloc(n, sizeof(*dir));
	if (!dir)
		return -ENOMEM;
	if (m->ndir)
		memcpy(dir, m->dir, m->ndir * sizeof(*dir));
	if (m->ndir > 1)
		kfree(m->dir);
	m->dir = dir;
	m->ndir = n;
	return 0;
}

static u64 *slot_find(struct mobj *m, u64 off)
{
	u64 *slots = m->dir[off >> 30];

	return slots ? &slots[(off >> 21) & (MOBJ_SLOTS - 1)] : NULL;
}

static u64 *slot_make(struct mobj *m, u64 off)
{
	u64 **slots = &m->dir[off >> 30];

	if (!*slots)
		*slots = kcalloc(MOBJ_SLOTS, sizeof(u64));
	return *slots ? &(*slots)[(off >> 21) & (MOBJ_SLOTS - 1)] : NULL;
}

static paddr_t zeroed_2m(void)
{
	paddr_t pa = frame_alloc_dirty(SZ_2M);
	char *p;

	if (pa == FRAME_NONE)
		return FRAME_NONE;
	p = phys_to_virt(pa);
	for (u64 at = 0; at < SZ_2M; at += ZERO_STEP) {
		memset(p + at, 0, ZERO_STEP);
		resched_point();
	}
	return pa;
}

/* Put a page behind an empty place: a 2 MiB frame if the object covers it and there is one. */
static int slot_fill(struct mobj *m, u64 *slot, u64 off)
{
	struct mobj_table *t;
	paddr_t pa;

	if (!*slot && !m->small && ALIGN_DOWN(off, SZ_2M) + SZ_2M <= m->size) {
		pa = zeroed_2m();
		if (pa != FRAME_NONE) {
			*slot = pa | SLOT_WHOLE;
			return 0;
		}
	}
	if (!*slot) {
		t = kzalloc(sizeof(*t));
		if (!t)
			return -ENOMEM;
		*slot = (u64)t | SLOT_TABLE;
	}
	pa = frame_alloc(SZ_4K);
	if (pa == FRAME_NONE)
		return -ENOMEM;
	slot_table(*slot)->page[page_index(off)] = pa;
	return 0;
}

static bool slot_has(const u64 *slot, u64 off)
{
	if (!slot || !*slot)
		return false;
	return (*slot & SLOT_WHOLE) || slot_table(*slot)->page[page_index(off)];
}

/* Up to where nothing is known to be there either. */
static u64 hole_end(const u64 *slot, u64 off)
{
	u64 step = !slot ? SZ_1G : !*slot ? SZ_2M : PAGE_SIZE;

	return ALIGN_DOWN(off, step) + step;
}

int mobj_page_locked(struct mobj *m, u64 off, bool alloc, struct mobj_page *out)
{
	u64 *slot;
	int err;

	if (off >= m->size)
		return -ENXIO;
	slot = alloc ? slot_make(m, off) : slot_find(m, off);
	if (!slot_has(slot, off)) {
		if (!alloc) {
			out->off = hole_end(slot, off);
			return -ENOENT;
		}
		err = slot ? slot_fill(m, slot, off) : -ENOMEM;
		if (err)
			return err;
	}
	if (*slot & SLOT_WHOLE)
		*out = (struct mobj_page){ slot_frame(*slot), ALIGN_DOWN(off, SZ_2M), SZ_2M };
	else
		*out = (struct mobj_page){ slot_table(*slot)->page[page_index(off)],
					   ALIGN_DOWN(off, PAGE_SIZE), SZ_4K };
	return 0;
}

s64 mobj_run_locked(struct mobj *m, u64 off, u64 end, paddr_t *pa)
{
	struct mobj_page page;
	u64 at, next, *slot;
	int err = mobj_page_locked(m, off, true, &page);

	if (err)
		return err;
	*pa = page.pa + (off - page.off);
	at = page.off + page.size;
	next = page.pa + page.size;
	slot = slot_find(m, off);
	if (page.size == SZ_2M) {
		/* The rest of this GiB; an empty slot or a table ends the run. */
		for (end = MIN(end, ALIGN_DOWN(off, SZ_1G) + SZ_1G); at < end; at += SZ_2M, next += SZ_2M)
			if (*++slot != (next | SLOT_WHOLE))
				break;
	} else {
		const paddr_t *p = &slot_table(*slot)->page[page_index(off)];

		for (end = MIN(end, ALIGN_DOWN(off, SZ_2M) + SZ_2M); at < end; at += SZ_4K, next += SZ_4K)
			if (*++p != next)
				break;
	}
	return (s64)(MIN(at, end) - off);
}

/* A whole slot becomes a table of its 512 pieces, each with a reference. */
static int slot_cut(u64 *slot)
{
	paddr_t pa = slot_frame(*slot);
	struct mobj_table *t = kmalloc(sizeof(*t));

	if (!t)
		return -ENOMEM;
	for (unsigned i = 0; i < 512; i++) {
		t->page[i] = pa + i * PAGE_SIZE;
		if (!i || !frame_get(pa))
			continue;
		while (--i)
			frame_put(pa);
		kfree(t);
		return -ENOMEM;
	}
	*slot = (u64)t | SLOT_TABLE;
	return 0;
}

static void slot_clear_pages(struct mobj_table *t, unsigned first, unsigned n)
{
	for (unsigned i = first; i < first + n; i++) {
		if (t->page[i])
			frame_put(t->page[i]);
		t->page[i] = 0;
		if (i % 64 == 0)
			resched_point();
	}
}

static void slot_free(u64 *slot)
{
	if (*slot & SLOT_WHOLE) {
		frame_put(slot_frame(*slot));
	} else if (*slot & SLOT_TABLE) {
		slot_clear_pages(slot_table(*slot), 0, 512);
		kfree(slot_table(*slot));
	}
	*slot = 0;
}

int mobj_discard_locked(struct mobj *m, u64 off, u64 len)
{
	u64 end = MIN(off + len, m->ndir << 30), next;

	for (; off < end; off = next) {
		u64 *slot = slot_find(m, off);

		if (!slot) {
			next = ALIGN_DOWN(off, SZ_1G) + SZ_1G;
			continue;
		}
		next = MIN(ALIGN_DOWN(off, SZ_2M) + SZ_2M, end);
		if (next - off == SZ_2M) {
			slot_free(slot);
		} else {
			if ((*slot & SLOT_WHOLE) && slot_cut(slot))
				return -ENOMEM;
			if (*slot)
				slot_clear_pages(slot_table(*slot), page_index(off),
						 (unsigned)((next - off) >> PAGE_SHIFT));
		}
		resched_point();
	}
	return 0;
}

/* A page is pinned when somebody besides its object holds it. Pieces of a 2 MiB frame share a count,
 * of which the object has one per piece. */
static bool table_page_pinned(const struct mobj_table *t, unsigned i)
{
	paddr_t frame = ALIGN_DOWN(t->page[i], SZ_2M);
	u32 refs, own = 0;

	if (!t->page[i])
		return false;
	refs = frame_refs(t->page[i]);
	if (refs == 1 || frame_size(t->page[i]) == SZ_4K)
		return refs > 1;
	for (unsigned k = 0; k < 512; k++)
		own += t->page[k] == frame + k * PAGE_SIZE;
	resched_point();
	return refs > own;
}

bool mobj_pinned_locked(struct mobj *m, u64 off, u64 len)
{
	u64 end = MIN(off + len, m->ndir << 30), next;

	for (; off < end; off = next) {
		u64 *slot = slot_find(m, off);

		next = slot ? MIN(ALIGN_DOWN(off, SZ_2M) + SZ_2M, end) : ALIGN_DOWN(off, SZ_1G) + SZ_1G;
		if (!slot || !*slot)
			continue;
		if (*slot & SLOT_WHOLE) {
			if (frame_refs(slot_frame(*slot)) > 1)
				return true;
			continue;
		}
		for (u64 at = off; at < next; at += PAGE_SIZE)
			if (table_page_pinned(slot_table(*slot), page_index(at)))
				return true;
		resched_point();
	}
	return false;
}

/* Both are tables. */
static void move_pages(struct mobj_table *from, struct mobj_table *to, u64 off, u64 next)
{
	for (; off < next; off += PAGE_SIZE) {
		unsigned i = page_index(off);

		if (!from->page[i])
			continue;
		to->page[i] = from->page[i];
		from->page[i] = 0;
	}
}

static int move_slot(u64 *from, struct mobj *to, u64 off, u64 next)
{
	u64 *slot = slot_make(to, off);
	struct mobj_table *t;

	if (!slot)
		return -ENOMEM;
	if ((*from & SLOT_WHOLE) && next - off == SZ_2M && !*slot) {
		*slot = *from;
		*from = 0;
		return 0;
	}
	if (!*slot) {
		t = kzalloc(sizeof(*t));
		if (!t)
			return -ENOMEM;
		*slot = (u64)t | SLOT_TABLE;
	}
	if ((*from & SLOT_WHOLE) && slot_cut(from))
		return -ENOMEM;
	move_pages(slot_table(*from), slot_table(*slot), off, next);
	return 0;
}

int mobj_move_locked(struct mobj *from, struct mobj *to, u64 off, u64 len)
{
	u64 end = MIN(off + len, from->ndir << 30), next;
	int err;

	for (; off < end; off = next) {
		u64 *slot = slot_find(from, off);

		next = slot ? MIN(ALIGN_DOWN(off, SZ_2M) + SZ_2M, end) : ALIGN_DOWN(off, SZ_1G) + SZ_1G;
		if (!slot || !*slot)
			continue;
		err = move_slot(slot, to, off, next);
		if (err)
			return err;
		resched_point();
	}
	return 0;
}

void mobj_dir_free(struct mobj *m)
{
	for (u64 i = 0; i < m->ndir; i++) {
		u64 *slots = m->dir[i];

		for (unsigned k = 0; slots && k < MOBJ_SLOTS; k++) {
			if (!slots[k])
				continue;
			slot_free(&slots[k]);
			resched_point();
		}
		kfree(slots);
	}
	if (m->ndir > 1)
		kfree(m->dir);
	m->ndir = 0;
}
