/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Taking views away.  The order is fixed: those who derive translations (nested paging) drop theirs,
 * then the leaves are cleared, then the CPUs flush, then emptied tables are freed; frames go after
 * all of it.
 */
#include "kernel/vma.h"

unsigned vma_pt_prot(const struct vma *v)
{
	unsigned prot = 0;

	if (v->prot == PROT_NONE)
		return 0;
	prot = PT_READ | PT_USER;
	if (v->prot & PROT_WRITE)
		prot |= PT_WRITE;
	if ((v->prot & PROT_EXEC) && !v->obj->phys)
		prot |= PT_EXEC;
	if (v->obj->phys)
		prot |= PT_UNCACHED;
	return prot;
}

void mm_clear(struct mm *mm, uaddr_t start, uaddr_t end)
{
	struct pt_trash trash = PT_TRASH_INIT;
	struct mm_watch *w, *next;
	struct pt_leaf leaf;
	s64 bytes;

	/* A leaf that reaches over an end goes whole; what is outside faults in again. */
	if (pt_lookup(&mm->pt, start, &leaf))
		start = leaf.va;
	if (pt_lookup(&mm->pt, end - 1, &leaf))
		end = leaf.va + leaf.size;
	for (w = mm->watches; w; w = next) {
		next = w->next;
		w->zap(w, start, end - start);
	}
	if (!mm->resident)
		return;
	bytes = pt_unmap(&mm->pt, start, end - start, &trash);
	BUG_ON(bytes < 0); /* nothing was left to split */
	if (bytes) {
		mm->resident -= (u64)bytes;
		arch_tlb_flush(mm->pt.root, start, end - start);
	}
	pt_trash_free(&trash);
}

/* An mm that shows the range where this zap has not been; held. */
static struct mm *viewer_left(struct mobj *m, u64 off, u64 end, u64 zap)
{
	struct vma *v;

	guard_mutex(&m->lock);
	TAILQ_FOREACH(v, &m->viewers, view) {
		if (v->zapped >= zap || v->off >= end || v->off + (v->end - v->start) <= off)
			continue;
		mm_hold(v->mm);
		return v->mm;
	}
	return NULL;
}

static void zap_in(struct mm *mm, struct mobj *m, u64 off, u64 end, u64 zap)
{
	struct vma *v;

	guard_mutex(&mm->lock);
	guard_mutex(&m->lock);
	TAILQ_FOREACH(v, &m->viewers, view) {
		u64 from = MAX(v->off, off), to = MIN(v->off + (v->end - v->start), end);

		if (v->mm != mm)
			continue;
		v->zapped = MAX(v->zapped, zap);
		if (from < to)
			mm_clear(mm, v->start + (from - v->off), v->start + (to - v->off));
	}
}

/*
 * A viewer that comes while this runs has no translations yet, and its faults find what the caller
 * changed before the zap: a smaller object, a gate closed.  mm->lock, which a fault holds from its
 * look at the object until the leaf is written, orders the two.
 */
void mobj_zap(struct mobj *m, u64 off, u64 len)
{
	struct mm *mm;
	u64 zap;

	mutex_lock(&m->lock);
	zap = ++m->zaps;
	mutex_unlock(&m->lock);
	while ((mm = viewer_left(m, off, off + len, zap))) {
		zap_in(mm, m, off, off + len, zap);
		mm_drop(mm);
	}
}
