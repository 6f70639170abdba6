/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One walker for every page table of the machine, with the format as data: x86 (processes, nested
 * paging, the pages of memory objects), EPT, VT-d second level.  A table page holds 512 entries of 8
 * bytes; pages go back through a struct pt_trash *after* the caller has flushed.
 *
 * The walker knows nothing of TLBs.  pt_map() only turns not-present entries into present ones (it
 * refuses to replace a leaf); pt_unmap() clears; who caches them must flush before pt_trash_free().
 * The caller holds the table's lock through every call that changes a table, pt_trash_free()
 * included.  That lock is a mutex: long ranges pass resched_point().
 */
#ifndef KERNEL_PT_H
#define KERNEL_PT_H

#include "kernel/base.h"

enum pt_prot { PT_READ = 1, PT_WRITE = 2, PT_EXEC = 4, PT_UNCACHED = 8, PT_USER = 16, PT_SNOOP = 32 };

struct pt_format {
	u64 addr_mask;                 /* bits of an entry that hold the address */
	u64 table;                     /* bits set in an entry that points to a table */
	u64 large;                     /* bit that makes an upper-level entry a leaf */
	u64 present;                   /* entry is present when any of these is set */
	u64 (*leaf)(unsigned prot);    /* bits of a leaf of any level, without address and `large` */
	unsigned (*prot)(u64 leaf);    /* and back */
};
extern const struct pt_format pt_x86;       /* processes and NPT (PT_USER is set for all of NPT) */
extern const struct pt_format pt_vtd_sl;    /* VT-d 3.7: second-stage */

struct pt {
	const struct pt_format *fmt;
	paddr_t root;
	u8 levels;    /* 2 to 5 */
	u8 max_leaf;  /* 1: 4K only, 2: 2M too, 3: 1G too */
	bool flush;   /* the reader does not snoop: arch_cache_flush() each entry written */
	u64 tables;   /* table pages in the tree now, root included */
	u64 top;      /* the tree is ours below this address; pt_init: all that the levels reach. A
		       * process root, whose upper half is the kernel's, lowers it. */
	/* Pages ready to become tables: all zero (but for the chain in their first entry) and flushed. */
	paddr_t spare;
	u64 nspare;
};

/* Table pages taken out of use, chained through their first entry: free them after the flush. Some stay
 * with `pt` for its next tables, so free the trash before pt_destroy(). */
struct pt_trash {
	paddr_t head;
	u64 count;
	struct pt *pt;
};
#define PT_TRASH_INIT { FRAME_NONE, 0, NULL }

int must_check pt_init(struct pt *pt, const struct pt_format *fmt, unsigned levels, unsigned max_leaf,
		       bool flush);
/* Frees the root and every table below it; leaves' frames are not touched. Caller has flushed. */
void pt_destroy(struct pt *pt);
/*
 * Map [va, va+len) -> [pa, ...), 4 KiB aligned, with the largest leaves that alignment and max_leaf
 * allow; a table is filled at a time. -ENOMEM, -EEXIST (something is mapped in there), -EINVAL
 * (outside the tree or the format's addresses, not aligned): then nothing has been written.
 */
int must_check pt_map(struct pt *pt, u64 va, paddr_t pa, u64 len, unsigned prot);
/*
 * Clear every leaf in [va, va+len); a large leaf that is only partly inside is split first.
 * Emptied tables go to trash: if there are any, paging-structure caches need flushing too. Returns
 * bytes that were mapped. -ENOMEM only from a split.
 */
s64 must_check pt_unmap(struct pt *pt, u64 va, u64 len, struct pt_trash *trash);
/* No leaf reaches over va any more; what is mapped stays as it was. -ENOMEM. */
int must_check pt_cut(struct pt *pt, u64 va);
void pt_trash_free(struct pt_trash *trash);
/* Make the tree reach [0, top) by levels above its root, which changes: not where hardware reads it. -ENOMEM. */
int must_check pt_raise(struct pt *pt, u64 top);

struct pt_leaf {
	u64 va;    /* start of the leaf */
	paddr_t pa;
	u64 size;
	unsigned prot;
};
/* The leaf that covers va; false if none: then out->va and out->size tell of a hole there. */
bool pt_lookup(const struct pt *pt, u64 va, struct pt_leaf *out);
/* Where what is physically contiguous from va on, in leaves of one table, ends; at most `end`. va is mapped. */
u64 pt_run_end(const struct pt *pt, u64 va, u64 end);
/* Next leaf at or after *va (which is advanced past it) and below `end`; false: there is none. */
bool pt_next_below(const struct pt *pt, u64 *va, u64 end, struct pt_leaf *out);
static inline bool pt_next(const struct pt *pt, u64 *va, struct pt_leaf *out)
{
	return pt_next_below(pt, va, pt->top, out);
}
/* Calls fn for every table page, root and spare ones included. For the audit. */
void pt_each_table(const struct pt *pt, void (*fn)(paddr_t table, void *arg), void *arg);

#endif
