/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The frames of an anonymous object: found, allocated, cut, let go.  The object's lock is held
 * throughout; it sleeps, so zeroing 2 MiB passes resched_point().
 */
#include "kernel/frames.h"
#include "kernel/mobj_pages.h"

#define ZERO_STEP 0x8000u

int mobj_pages_init(struct mobj *m)
{
	int err = pt_init(&m->pages, &pt_x86, 2, 2, false);

	if (!err && pt_raise(&m->pages, m->size)) {
		pt_destroy(&m->pages);
		err = -ENOMEM;
	}
	return err;
}

void mobj_pages_free(struct mobj *m)
{
	struct pt_leaf leaf;
	u64 at = 0;

	while (pt_next(&m->pages, &at, &leaf))
		frame_put(leaf.pa);
	pt_destroy(&m->pages);
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

/* Put a page into the hole: a 2 MiB frame if the object covers it and there is one. */
static int fill(struct mobj *m, u64 off, u64 hole, struct pt_leaf *leaf)
{
	u64 start = ALIGN_DOWN(off, SZ_2M);
	int err;

	*leaf = (struct pt_leaf){ .va = start, .pa = FRAME_NONE, .size = SZ_2M };
	if (hole >= SZ_2M && !m->small && start + SZ_2M <= m->size)
		leaf->pa = zeroed_2m();
	if (leaf->pa == FRAME_NONE)
		*leaf = (struct pt_leaf){ .va = ALIGN_DOWN(off, SZ_4K), .pa = frame_alloc(SZ_4K), .size = SZ_4K };
	if (leaf->pa == FRAME_NONE)
		return -ENOMEM;
	err = pt_map(&m->pages, leaf->va, leaf->pa, leaf->size, PT_READ);
	if (err)
		frame_put(leaf->pa);
	return err;
}

int mobj_page_locked(struct mobj *m, u64 off, bool alloc, struct mobj_page *out)
{
	struct pt_leaf leaf;
	int err;

	if (off >= m->size)
		return -ENXIO;
	if (!pt_lookup(&m->pages, off, &leaf)) {
		if (!alloc) {
			out->off = leaf.va + leaf.size;
			return -ENOENT;
		}
		err = fill(m, off, leaf.size, &leaf);
		if (err)
			return err;
	}
	*out = (struct mobj_page){ .pa = leaf.pa, .off = leaf.va, .size = leaf.size };
	return 0;
}

s64 mobj_run_locked(struct mobj *m, u64 off, u64 end, paddr_t *pa)
{
	struct mobj_page page;
	int err = mobj_page_locked(m, off, true, &page);

	if (err)
		return err;
	*pa = page.pa + (off - page.off);
	end = MIN(end, m->size);
	if (end - page.off > page.size)
		end = pt_run_end(&m->pages, off, end);
	return (s64)(end - off);
}

int mobj_cut_locked(struct mobj *m, u64 off)
{
	struct pt_leaf leaf;
	unsigned refs = 1;

	if (!pt_lookup(&m->pages, off, &leaf) || leaf.va == off)
		return 0;
	while (refs < 512 && !frame_get(leaf.pa))
		refs++;
	if (refs == 512 && !pt_cut(&m->pages, off))
		return 0;
	while (--refs)
		frame_put(leaf.pa);
	return -ENOMEM;
}

int mobj_discard_locked(struct mobj *m, u64 off, u64 len)
{
	u64 end = MIN(off + len, m->pages.top), at;
	struct pt_trash trash = PT_TRASH_INIT;
	struct pt_leaf leaf;
	int err = 0;

	if (mobj_cut_locked(m, off)) {
		off = ALIGN_UP(off, SZ_2M);
		err = -ENOMEM;
	}
	if (off < end && mobj_cut_locked(m, end)) {
		end = ALIGN_DOWN(end, SZ_2M);
		err = -ENOMEM;
	}
	if (off >= end)
		return err;
	for (at = off; pt_next_below(&m->pages, &at, end, &leaf);)
		frame_put(leaf.pa);
	BUG_ON(pt_unmap(&m->pages, off, end - off, &trash) < 0); /* nothing was left to split */
	pt_trash_free(&trash);
	return err;
}

/* Pieces of a 2 MiB frame share a count, of which the object has one per piece. */
static u32 own_refs(const struct mobj *m, const struct pt_leaf *leaf)
{
	u64 at = ALIGN_DOWN(leaf->va, SZ_2M), end = at + SZ_2M;
	struct pt_leaf piece;
	u32 own = 0;

	if (leaf->size == frame_size(leaf->pa))
		return 1;
	while (pt_next_below(&m->pages, &at, end, &piece))
		own += ALIGN_DOWN(piece.pa, SZ_2M) == ALIGN_DOWN(leaf->pa, SZ_2M);
	return own;
}

/* A page is pinned when somebody besides its object holds it. */
bool mobj_pinned_locked(struct mobj *m, u64 off, u64 len)
{
	u64 at = off;
	struct pt_leaf leaf;
	u32 refs;

	while (pt_next_below(&m->pages, &at, off + len, &leaf)) {
		refs = frame_refs(leaf.pa);
		if (refs > 1 && refs > own_refs(m, &leaf))
			return true;
	}
	return false;
}
