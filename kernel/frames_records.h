/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Private to the frame allocator (and frame_note() to the page-table walker): the record of each 2 MiB
 * frame, and the page inside a split frame that keeps its 4 KiB records.  All of it is guarded by
 * frames.lock, but for the counts and the state of what is out (frames.c).
 *
 * A 2 MiB frame is NONE (not RAM), FREE, WHOLE (out in one piece) or SPLIT.  A split frame keeps its
 * records in one of its own pages, so splitting needs no other memory; when all its other pages are
 * free again, it becomes FREE.  Frames that are only partly RAM are split for ever.
 */
#ifndef KERNEL_FRAMES_RECORDS_H
#define KERNEL_FRAMES_RECORDS_H

#include <sys/queue.h>

#include "kernel/frames.h"
#include "kernel/thread.h"

#define FRAME_PAGES 512u
#define FRAME_RUN_TAIL (~0u) /* refs of the pages of a run behind its first */

enum frame_state { FRAME_STATE_NONE, FRAME_STATE_FREE, FRAME_STATE_WHOLE, FRAME_STATE_SPLIT };

struct frame {
	TAILQ_ENTRY(frame) link; /* FREE frames; SPLIT ones with a free page */
	u32 refs;       /* WHOLE */
	u16 records;    /* SPLIT: index of the page that holds struct frame_split */
	u8 state;
};
TAILQ_HEAD(frame_list, frame);
_Static_assert(sizeof(struct frame) == 24, "one record per 2 MiB: 0.0012 % of RAM");

struct frame_split {
	u32 refs[FRAME_PAGES];
	u16 note[FRAME_PAGES];
	u64 free[FRAME_PAGES / 64];
	u64 zero[FRAME_PAGES / 64]; /* of the free ones: known to be all zero */
	u64 ram[FRAME_PAGES / 64];  /* pages of the frame that are RAM and not the records themselves */
	u16 nfree;
};
_Static_assert(sizeof(struct frame_split) <= PAGE_SIZE, "fits the page it lives in");

struct frames {
	struct spinlock lock;
	struct frame *record;
	u64 nrecords;
	struct frame_list free, partial;
	u64 top, total_pages, free_pages;
	const struct handover *map;
};
extern struct frames frames;

static inline struct frame *frame_record(paddr_t pa)
{
	return &frames.record[pa >> 21];
}

static inline unsigned frame_page(paddr_t pa)
{
	return (pa >> PAGE_SHIFT) & (FRAME_PAGES - 1);
}

static inline paddr_t frame_address(const struct frame *f)
{
	return (u64)(f - frames.record) << 21;
}

static inline struct frame_split *frame_split_of(const struct frame *f)
{
	return phys_to_virt(frame_address(f) + ((u64)f->records << PAGE_SHIFT));
}

/* A word for the owner of a 4 KiB frame, 0 after frame_alloc(): the page-table walker's count. */
static inline u16 *frame_note(paddr_t pa)
{
	paddr_t records = ALIGN_DOWN(pa, SZ_2M) + ((u64)frame_record(pa)->records << PAGE_SHIFT);

	return &((struct frame_split *)phys_to_virt(records))->note[frame_page(pa)];
}

/* Give [base, end), inside one 2 MiB frame that is not all RAM, to the allocator. */
void frame_add_pages(paddr_t base, paddr_t end);
/* 4 KiB pages, lock held: n contiguous ones, FRAME_NONE when there are none. *zeroed: all zero already. */
paddr_t frame_take_pages(unsigned n, bool *zeroed);
void frame_return_page(paddr_t pa, bool zeroed);

#endif
