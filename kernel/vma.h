/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Private to address spaces: what an mm is made of and what its files share.
 *
 * mm->lock guards all of it.  Leaves of the page table never reach over a VMA's edge: whoever cuts a
 * VMA first takes away the leaf that straddles the cut, and what remains faults in again.  So no
 * unmapping ever needs memory for splitting.
 *
 * A private VMA without a file owns its range of its object: unmapping lets the pages go.  Others let
 * their object go and no more.
 */
#ifndef KERNEL_VMA_H
#define KERNEL_VMA_H

#include <linux/mman.h>
#include <sys/queue.h>
#include <sys/tree.h>

#include "kernel/frames.h"
#include "kernel/mm.h"
#include "kernel/mobj_pages.h"
#include "kernel/pt.h"
#include "kernel/thread.h"

#define MM_MAX_VMAS 65530u /* Linux's vm.max_map_count */

struct vma {
	RB_ENTRY(vma) node;
	TAILQ_ENTRY(vma) view; /* obj->viewers, under obj->lock too */
	struct mm *mm;
	uaddr_t start, end;
	u64 off; /* of start, in obj */
	int prot, flags;
	struct mobj *obj;
	struct file *file;
	u64 zapped; /* obj->zaps that has been through here */
	struct vma *next; /* of those that an edit has to spare, or has removed */
};
RB_HEAD(vma_tree, vma);

struct mm {
	u32 users; /* the address space lives */
	u32 holds; /* this struct lives; all users together hold once */
	struct mutex lock;
	struct vma_tree vmas;
	unsigned nvmas;
	struct vma *hit; /* found last */
	struct pt pt;
	u64 resident;
	uaddr_t brk_start, brk;
	uaddr_t search; /* areas are looked for downward from here */
	struct mm_watch *watches;
	TAILQ_ENTRY(mm) all;
};

/* It alone shows its range of the object, and there is nothing behind the object. */
static inline bool vma_owns(const struct vma *v)
{
	return !(v->flags & MAP_SHARED) && !v->file && !v->obj->phys;
}

/*
 * A change of the tree.  The VMAs that it may need are at hand before anything changes, so that it
 * happens whole or not at all.  Objects and files of removed VMAs are put after mm->lock is dropped,
 * because a release may zap other views of this mm.
 */
struct mm_edit {
	struct mm *mm;
	struct vma *spare, *dead;
};

/* ---- mm_vma.c: the tree; lock held ---- */
/* Locks mm, with n VMAs to spare. -ENOMEM (also when the mm would have too many): it is not locked. */
int must_check mm_edit_begin(struct mm_edit *e, struct mm *mm, unsigned n);
void mm_edit_end(struct mm_edit *e);
struct vma *vma_find(struct mm *mm, uaddr_t addr);      /* that covers addr */
struct vma *vma_find_from(struct mm *mm, uaddr_t addr); /* first that ends above addr */
struct vma *vma_next(struct vma *v);
struct vma *vma_prev(struct vma *v);
/* A copy with its own references on object and file; takes a spare VMA. */
void vma_add(struct mm_edit *e, const struct vma *proto);
/* Out of tree and views; its object and file stay referenced until the end of the edit. */
void vma_remove(struct mm_edit *e, struct vma *v);
/* True when [addr, addr+len) lies in VMAs without a hole. */
bool vma_covered(struct mm *mm, uaddr_t addr, u64 len);
/* Make addr a VMA edge; takes a spare VMA if it is none. */
void vma_cut(struct mm_edit *e, uaddr_t addr);
/* Join v with its neighbours where they continue each other. */
void vma_join(struct mm_edit *e, struct vma *v);
/* A hole of len bytes, placed so that large pages of this part of the object fit; 0 when there is none. */
uaddr_t vma_hole(struct mm *mm, const struct mobj *obj, u64 off, u64 len);

/* ---- mm.c ---- */
void mm_hold(struct mm *mm);
void mm_drop(struct mm *mm);

/* ---- mm_view.c: translations; lock held ---- */
/* Take away every translation of [start, end), watches' too, and flush. */
void mm_clear(struct mm *mm, uaddr_t start, uaddr_t end);
unsigned vma_pt_prot(const struct vma *v);

/* ---- mm_unmap.c ---- */
/* Takes up to two spare VMAs. */
void mm_remove_range(struct mm_edit *e, uaddr_t start, uaddr_t end);

/* ---- mm_audit.c ---- */
unsigned mm_audit(void); /* findings, each with a line */

#endif
