/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Private to memory objects.  An anonymous object finds its frames through a tree of the page-table
 * walker's, from offset to frame, that no hardware reads: leaves of 2 MiB and 4 KiB.  Each leaf holds
 * a reference of its own, also when it is a piece of a 2 MiB frame (the leaf was whole once).
 *
 * Lock order: mm->lock, then mobj->lock.  mobj_zap(), which comes from the object and needs the mm,
 * takes mobj->lock only to choose a viewer and to hold its mm (struct memory, not the address
 * space), drops it, takes both in order and looks again.
 */
#ifndef KERNEL_MOBJ_PAGES_H
#define KERNEL_MOBJ_PAGES_H

#include <sys/queue.h>

#include "kernel/mobj.h"
#include "kernel/pt.h"
#include "kernel/thread.h"

struct vma;

struct mobj {
	u32 refs;
	bool phys;
	bool small;        /* 4 KiB pages only from now on */
	u64 size;          /* guarded by lock, as is all below */
	struct mutex lock;
	struct pt pages;   /* anonymous objects; reaches at least to size */
	TAILQ_HEAD(viewers, vma) viewers;
	u64 zaps;          /* number of the zap that ran last */
	paddr_t base;      /* physical objects; constant */
	int (*gate)(void *arg);
	void (*release)(void *arg);
	void *arg;
};

int must_check mobj_pages_init(struct mobj *m);
void mobj_pages_free(struct mobj *m);
/* All of these: lock held. */
int must_check mobj_page_locked(struct mobj *m, u64 off, bool alloc, struct mobj_page *out);
/*
 * The longest physically contiguous run from off on, at most to `end` and over at most 512 leaves;
 * its first page is allocated. Anonymous objects only. Bytes, or -ENOMEM, -ENXIO.
 */
s64 must_check mobj_run_locked(struct mobj *m, u64 off, u64 end, paddr_t *pa);
/* No page reaches over off any more. -ENOMEM. */
int must_check mobj_cut_locked(struct mobj *m, u64 off);
/* Let go of the pages of [off, off+len), pinned ones too: a pin keeps its frames. Nobody may see
 * them any more. What cannot be cut for want of memory stays: -ENOMEM. */
int mobj_discard_locked(struct mobj *m, u64 off, u64 len);
bool mobj_pinned_locked(struct mobj *m, u64 off, u64 len);

#endif
