/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory objects: what is mapped, apart from where.  Anonymous memory (also memfd and the pages of
 * programs) owns frames, found by offset; a physical object shows fixed addresses that are not RAM
 * (a BAR) through a gate which says whether they may be touched now.
 *
 * Viewers are the process ranges that show the object (struct vma, kernel/mm.c).  mobj_zap() takes
 * away every CPU view of a range — and, through mm watches, every nested-paging view — flushes and
 * waits; a later touch faults again.
 */
#ifndef KERNEL_MOBJ_H
#define KERNEL_MOBJ_H

#include "kernel/base.h"

struct mobj;

/* size: bytes, rounded up to 4 KiB. small: 4 KiB pages only (MADV_NOHUGEPAGE). NULL: no memory. */
struct mobj *mobj_create_anon(u64 size, bool small);
/*
 * Fixed physical range, mapped uncached. gate(arg): 0 when it may be touched now, -EBUSY: ask again
 * soon, else -EIO (the program gets SIGBUS). release(arg) runs when the last reference goes.
 */
struct mobj *mobj_create_phys(paddr_t base, u64 size, int (*gate)(void *arg),
			      void (*release)(void *arg), void *arg);
void mobj_get(struct mobj *m);
void mobj_put(struct mobj *m);
u64 mobj_size(const struct mobj *m);
/* Grow or shrink an anonymous object (memfd ftruncate, brk): -ENOMEM, -EBUSY (pinned pages there).
 * One call at a time: the caller has a lock of its own for that. */
int must_check mobj_resize(struct mobj *m, u64 size);

struct mobj_page {
	paddr_t pa;   /* start of the page that covers the offset */
	u64 off;      /* offset of that page in the object */
	u64 size;     /* SZ_4K or SZ_2M; for a physical object the largest aligned run */
};
/* The page at `off`, allocated (zeroed) when absent and `alloc`. -ENOMEM, -ENOENT (absent: out->off is
 * where the next one may be), -ENXIO (off out of range), or the gate's errno. */
int must_check mobj_page(struct mobj *m, u64 off, bool alloc, struct mobj_page *out);
/* Copy between a kernel buffer and an anonymous object, without any process. 0, -ENOMEM, -ENXIO. */
int must_check mobj_write(struct mobj *m, u64 off, const void *src, size_t n);
int must_check mobj_read(struct mobj *m, u64 off, void *dst, size_t n);
/* Take away all CPU and nested views of [off, off+len); returns after the flushes. The caller has a
 * reference and holds no mm's lock; it may hold what comes before those (device locks). */
void mobj_zap(struct mobj *m, u64 off, u64 len);

/*
 * A pin keeps [off, off+len) of objects at their physical addresses until it is released, whatever
 * the process does.  Runs are physically contiguous.
 */
struct pin;
struct pin_run {
	paddr_t pa;
	u64 len;
	const struct pin_chunk *chunk; /* pin_next() is at this record of it */
	u32 at;
};
/* Iterate: *pos starts at 0 (bytes from the pin's start); run stays as it was. false at the end. */
bool pin_next(const struct pin *p, u64 *pos, struct pin_run *run);
void pin_release(struct pin *p);

#endif
