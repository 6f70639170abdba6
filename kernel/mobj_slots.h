/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Private to memory objects.  An anonymous object finds its frames through a directory: one array of
 * 512 slots per GiB, one slot per 2 MiB, which is empty, a whole 2 MiB frame, or a table of 512
 * pages.  Each page of a table holds a reference of its own, also when it is a piece of a 2 MiB frame
 * (the slot was whole once); a whole slot holds one.
 *
 * Lock order: mm->lock, then mobj->lock.  mobj_zap(), which comes from the object and needs the mm,
 * takes mobj->lock only to choose a viewer and to hold its mm (struct memory, not the address
 * space), drops it, takes both in order and looks again.
 */
#ifndef KERNEL_MOBJ_SLOTS_H
#define KERNEL_MOBJ_SLOTS_H

#include <sys/queue.h>

#include "kernel/frames.h"
#include "kernel/mobj.h"
#include "kernel/thread.h"

struct vma;

#define SLOT_WHOLE 1ull /* address of a 2 MiB frame */
#define SLOT_TABLE 2ull /* pointer to struct mobj_table */
#define SLOT_KIND 3ull
#define MOBJ_SLOTS 512u

struct mobj_table {
	paddr_t page[512]; /* 0: none */
};
_Static_assert(sizeof(struct mobj_table) == PAGE_SIZE, "a heap run of one page");

struct mobj {
	u32 refs;
	bool phys;
	bool small;        /* 4 KiB pages only from now on */
	u64 size;          /* guarded by lock, as is all below */
	struct mutex lock;
	u64 **dir;         /* ndir arrays of MOBJ_SLOTS slots, or NULL; &only when there is one */
	u64 *only;
	u64 ndir;
	TAILQ_HEAD(viewers, vma) viewers;
	u64 zaps;          /* number of the zap that ran last */
	paddr_t base;      /* physical objects; constant */
	int (*gate)(void *arg);
	void (*release)(void *arg);
	void *arg;
};

/* All of these: lock held. */
int must_check mobj_page_locked(struct mobj *m, u64 off, bool alloc, struct mobj_page *out);
/*
 * The longest physically contiguous run from off on, at most to `end` and over at most 512 slots or
 * pages; pages are allocated. Anonymous objects only. Bytes, or -ENOMEM, -ENXIO.
 */
s64 must_check mobj_run_locked(struct mobj *m, u64 off, u64 end, paddr_t *pa);
/* Let go of the pages of [off, off+len), pinned ones too: a pin keeps its frames. Nobody may see
 * them any more. What cannot be cut for want of memory stays: -ENOMEM. */
int mobj_discard_locked(struct mobj *m, u64 off, u64 len);
/* Move the pages of [off, off+len) of `from` to the same place in `to` (of the same size).
 * -ENOMEM: some have not been moved; moving them back cannot fail. */
int must_check mobj_move_locked(struct mobj *from, struct mobj *to, u64 off, u64 len);
bool mobj_pinned_locked(struct mobj *m, u64 off, u64 len);
int must_check mobj_dir_resize(struct mobj *m, u64 size);
void mobj_dir_free(struct mobj *m);

#endif
