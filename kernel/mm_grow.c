/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Areas that grow: the heap (brk) and mremap.
 *
 * A private area grows in place only where it ends its object, which then grows with it.  Where that
 * is not so, mremap says -ENOMEM, as Linux may, and callers copy.
 */
#include "kernel/file.h"
#include "kernel/vma.h"

void mm_brk_init(struct mm *mm, uaddr_t start)
{
	guard_mutex(&mm->lock);
	mm->brk_start = mm->brk = start;
}

static bool range_free(struct mm *mm, uaddr_t start, uaddr_t end)
{
	struct vma *v = vma_find_from(mm, start);

	return end <= MM_HIGH && (!v || v->start >= end);
}

/* The part of v below `end` is the last of an object that v owns. */
static bool ends_object(const struct vma *v, uaddr_t end)
{
	return vma_owns(v) && v->off + (end - v->start) == mobj_size(v->obj);
}

/* Lengthen v to `end`, its object with it; the place is free. */
static int vma_extend(struct vma *v, uaddr_t end)
{
	u64 size = v->off + (end - v->start);

	if (!(v->flags & MAP_SHARED) && (!ends_object(v, v->end) || mobj_resize(v->obj, size)))
		return -ENOMEM;
	v->end = end;
	return 0;
}

/* Lock held. A new area starts where the object's offset and the address agree modulo 2 MiB. */
static int brk_grow(struct mm_edit *e, uaddr_t from, uaddr_t to)
{
	struct mm *mm = e->mm;
	struct vma *v = from > mm->brk_start ? vma_find(mm, from - 1) : NULL;
	struct vma proto = {
		.start = from,
		.end = to,
		.off = from & (SZ_2M - 1),
		.prot = PROT_READ | PROT_WRITE,
		.flags = MAP_PRIVATE | MAP_ANONYMOUS,
	};

	if (!range_free(mm, from, to))
		return -ENOMEM;
	if (v && v->end == from && v->prot == proto.prot && v->flags == proto.flags && !vma_extend(v, to))
		return 0;
	proto.obj = mobj_create_anon(proto.off + (to - from), false);
	if (!proto.obj)
		return -ENOMEM;
	vma_add(e, &proto);
	mobj_put(proto.obj);
	return 0;
}

/* obj->lock is held: some area shows more of it than its first `size` bytes. */
static bool shown_beyond(const struct mobj *m, u64 size)
{
	const struct vma *v;

	TAILQ_FOREACH(v, &m->viewers, view)
		if (v->off + (v->end - v->start) > size)
			return true;
	return false;
}

/* Lock held. What is left of the heap ends its object again, so that it can grow in place. */
static void brk_shrink(struct mm_edit *e, uaddr_t from, uaddr_t to)
{
	struct mobj_page page;
	struct vma *v;
	u64 size;

	mm_remove_range(e, to, from);
	v = to > e->mm->brk_start ? vma_find(e->mm, to - 1) : NULL;
	if (!v || v->end != to || !vma_owns(v))
		return;
	size = v->off + (to - v->start);
	guard_mutex(&v->obj->lock);
	/* Unless something there could not be let go: it must not come back as fresh memory. Nor while a
	 * part that mremap moved away shows what is behind: two areas would own the same pages. */
	if (!shown_beyond(v->obj, size) && mobj_page_locked(v->obj, size, false, &page) == -ENOENT)
		v->obj->size = size;
}

uaddr_t mm_brk(struct mm *mm, uaddr_t want)
{
	struct mm_edit e;
	uaddr_t from, to;
	int err = 0;

	if (mm_edit_begin(&e, mm, 2))
		return READ_ONCE(mm->brk);
	if (want >= mm->brk_start && want <= MM_HIGH - PAGE_SIZE && mm->brk_start) {
		from = ALIGN_UP(mm->brk, PAGE_SIZE);
		to = ALIGN_UP(want, PAGE_SIZE);
		if (to > from)
			err = brk_grow(&e, from, to);
		else if (to < from)
			brk_shrink(&e, from, to);
		if (!err)
			mm->brk = want;
	}
	want = mm->brk;
	mm_edit_end(&e);
	return want;
}

struct remap {
	uaddr_t old;
	u64 old_len, new_len;
	int flags;
	uaddr_t to;
};

/* Move [old, old+old_len), which lies in one VMA, to r->to; the pages stay in the object. */
static void remap_move(struct mm_edit *e, const struct remap *r)
{
	struct vma *v, moved;

	mm_clear(e->mm, r->old, r->old + r->old_len);
	vma_cut(e, r->old);
	vma_cut(e, r->old + r->old_len);
	v = vma_find(e->mm, r->old);
	moved = *v;
	moved.start = r->to;
	moved.end = r->to + r->new_len;
	vma_add(e, &moved);
	vma_remove(e, v);
}

/* Shorter, or longer where nothing is behind it. */
static bool remap_in_place(struct mm_edit *e, const struct remap *r, struct vma *v)
{
	uaddr_t end = r->old + r->old_len, to = r->old + r->new_len;

	if (to < end)
		mm_remove_range(e, to, end);
	return to <= end || (end == v->end && range_free(e->mm, end, to) && !vma_extend(v, to));
}

static int remap_locked(struct mm_edit *e, struct remap *r)
{
	struct vma *v = vma_find(e->mm, r->old);
	uaddr_t end = r->old + r->old_len;
	u64 off;

	if (!v || end > v->end)
		return -EFAULT;
	off = v->off + (r->old - v->start);
	if (!(r->flags & MREMAP_FIXED)) {
		r->to = r->old;
		if (remap_in_place(e, r, v))
			return 0;
		r->to = r->flags & MREMAP_MAYMOVE ? vma_hole(e->mm, v->obj, off, r->new_len) : 0;
		if (!r->to)
			return -ENOMEM;
	}
	if (r->new_len > r->old_len && !(v->flags & MAP_SHARED) &&
	    (!ends_object(v, end) || mobj_resize(v->obj, off + r->new_len)))
		return -ENOMEM;
	if (r->flags & MREMAP_FIXED)
		mm_remove_range(e, r->to, r->to + r->new_len);
	if (r->new_len < r->old_len) {
		mm_remove_range(e, r->old + r->new_len, end);
		r->old_len = r->new_len;
	}
	remap_move(e, r);
	return 0;
}

static int remap_check(const struct remap *r)
{
	bool fixed = r->flags & MREMAP_FIXED;

	if (!IS_ALIGNED(r->old, PAGE_SIZE) || !r->old_len || !r->new_len)
		return -EINVAL;
	if (r->flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED) || (fixed && !(r->flags & MREMAP_MAYMOVE)))
		return -EINVAL;
	if (r->old > MM_HIGH || r->old_len > MM_HIGH - r->old)
		return -EFAULT;
	if (r->new_len > MM_HIGH)
		return -ENOMEM;
	if (!fixed)
		return 0;
	if (!IS_ALIGNED(r->to, PAGE_SIZE) || r->to < MM_LOW || r->to > MM_HIGH - r->new_len)
		return -EINVAL;
	return r->to < r->old + r->old_len && r->old < r->to + r->new_len ? -EINVAL : 0;
}

s64 mm_remap(struct mm *mm, uaddr_t old, u64 old_len, u64 new_len, int flags, uaddr_t new_addr)
{
	struct remap r = {
		.old = old,
		.old_len = ALIGN_UP(old_len, PAGE_SIZE),
		.new_len = ALIGN_UP(new_len, PAGE_SIZE),
		.flags = flags,
		.to = new_addr,
	};
	int err = remap_check(&r);
	struct mm_edit e;

	if (err)
		return err;
	err = mm_edit_begin(&e, mm, 7); /* two ends each of the target, the tail and the move, which is one more */
	if (err)
		return err;
	err = remap_locked(&e, &r);
	mm_edit_end(&e);
	return err ? err : (s64)r.to;
}
