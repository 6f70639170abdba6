/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A program's address space: a tree of VMAs over memory objects, and the page table that shows them.
 * Guarded by one sleeping lock (mm->lock, inside mm.c).  User areas lie in [MM_LOW, MM_HIGH); the
 * mmap area goes downward from MM_MMAP_TOP, below every IOMMU's address width and outside the
 * interrupt window.
 */
#ifndef KERNEL_MM_H
#define KERNEL_MM_H

#include "kernel/base.h"
#include "kernel/mobj.h"

struct mm;
struct file;

#define MM_LOW 0x10000ull
#define MM_HIGH 0x800000000000ull
#define MM_MMAP_TOP 0x3000000000ull /* 192 GiB: below 2^38, so below the narrowest unit's 39 bits */

struct mm *mm_create(void); /* NULL: no memory */
void mm_get(struct mm *mm);
void mm_put(struct mm *mm); /* the last one unmaps everything */
paddr_t mm_root(const struct mm *mm);

/* prot and flags are Linux's PROT_* and MAP_* (asm/mman.h). */
struct mm_map_args {
	uaddr_t addr;  /* hint, or exact with MAP_FIXED(_NOREPLACE) */
	u64 len;
	int prot, flags;
	struct mobj *obj; /* the VMA takes its own reference */
	u64 off;          /* in obj; 4 KiB aligned */
	struct file *file; /* reference kept as long as the mapping lives; may be NULL */
};
/* Address, or -EINVAL/-ENOMEM/-EEXIST/-EPERM (fixed, below MM_LOW). A private mapping of a shared object
 * is not offered: copy first. A private mapping without a file owns its range of obj: unmapping and
 * MADV_DONTNEED free the pages there. */
s64 must_check mm_map(struct mm *mm, const struct mm_map_args *a);
int must_check mm_unmap(struct mm *mm, uaddr_t addr, u64 len);
int must_check mm_protect(struct mm *mm, uaddr_t addr, u64 len, int prot);
/* MADV_DONTNEED, MADV_NOHUGEPAGE, MADV_HUGEPAGE; others 0 or -EINVAL as Linux. */
int must_check mm_advise(struct mm *mm, uaddr_t addr, u64 len, int advice);
s64 must_check mm_remap(struct mm *mm, uaddr_t old, u64 old_len, u64 new_len, int flags, uaddr_t new_addr);
/* brk(2): sets up at exec with mm_brk_init, then returns the current break as Linux does. */
void mm_brk_init(struct mm *mm, uaddr_t start);
uaddr_t mm_brk(struct mm *mm, uaddr_t want);
/* Serve a page fault; access is enum arch_fault bits. -EFAULT (SIGSEGV), -EIO (SIGBUS), -ENOMEM, -EBUSY
 * (a gate says "soon", and thread_interrupted()). */
int must_check mm_fault(struct mm *mm, uaddr_t addr, unsigned access);
/* Copy into/out of another address space (exec's stack). */
int must_check mm_write(struct mm *mm, uaddr_t dst, const void *src, size_t n);

/* Pin [addr, addr+len) (4 KiB aligned) for DMA: pages are made present first. -EFAULT: not mapped,
 * or write and not writable, or not RAM; -ENOMEM. */
int must_check mm_pin(struct mm *mm, uaddr_t addr, u64 len, bool write, struct pin **out);

/*
 * Who derives translations from this address space (nested paging) registers a watch: zap() runs
 * with the mm's lock held before pages go away or lose rights, must drop and flush every
 * translation derived from [addr, addr+len) — it may drop more — and must not call back into this mm.
 */
struct mm_watch {
	void (*zap)(struct mm_watch *w, uaddr_t addr, u64 len);
	struct mm_watch *next;
};
void mm_watch_add(struct mm *mm, struct mm_watch *w);
void mm_watch_remove(struct mm *mm, struct mm_watch *w);
/* Make the page at addr present for `access` and call fn with the mm's lock held, so that fn can
 * install a translation that no zap misses. prot: enum pt_prot bits that the VMA allows. Errors:
 * mm_fault's, fn's. */
struct mm_page {
	uaddr_t addr; /* start of the page */
	paddr_t pa;
	u64 size;     /* SZ_4K or SZ_2M; wholly inside the VMA */
	unsigned prot;
};
int must_check mm_with_page(struct mm *mm, uaddr_t addr, unsigned access,
			    int (*fn)(void *arg, const struct mm_page *page), void *arg);
/* The page behind addr if there is one now and it may be read (pagemap, audit); false if not. */
bool mm_peek(struct mm *mm, uaddr_t addr, struct mm_page *out);

/* For /proc/self/maps: next VMA at or after *addr. The caller puts `file`. */
struct mm_vma_info {
	uaddr_t start, end;
	int prot, flags;
	u64 off;
	struct file *file;
};
bool mm_next_vma(struct mm *mm, uaddr_t *addr, struct mm_vma_info *out);
u64 mm_resident(struct mm *mm); /* bytes */

/* The audit walks every live address space. fn runs with the mm's lock held: it may walk mm_pt(), not
 * call back into the mm. */
void mm_each(void (*fn)(struct mm *mm, void *arg), void *arg);
struct pt;
const struct pt *mm_pt(const struct mm *mm);

#endif
