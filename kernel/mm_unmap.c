/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Unmapping, changing protection, advice.  What could fail (memory for cutting a VMA at each end) is
 * taken before the first change (struct mm_edit).
 */
#include "kernel/file.h"
#include "kernel/vma.h"

#define O_ACCMODE 3 /* <asm/fcntl.h> and the C library's clash; these two are the same everywhere */
#define O_RDONLY 0

/* The pages of an owned range go with it; pinned ones live on with their pins. */
static void let_go(struct vma *v)
{
	if (!vma_owns(v))
		return;
	guard_mutex(&v->obj->lock);
	if (mobj_discard_locked(v->obj, v->off, v->end - v->start))
		log_debug("no memory to cut a 2 MiB page; it stays until its object goes");
}

void mm_remove_range(struct mm_edit *e, uaddr_t start, uaddr_t end)
{
	struct mm *mm = e->mm;
	struct vma *v = vma_find_from(mm, start), *next;
	unsigned n = 0;

	if (!v || v->start >= end)
		return;
	mm_clear(mm, MAX(start, v->start), end);
	vma_cut(e, start);
	vma_cut(e, end);
	for (v = vma_find_from(mm, start); v && v->start < end; v = next) {
		next = vma_next(v);
		let_go(v);
		vma_remove(e, v);
		if (++n % 512 == 0)
			resched_point();
	}
	mm->search = MAX(mm->search, MIN(end, MM_MMAP_TOP));
}

static int check_range(uaddr_t addr, u64 *len)
{
	u64 whole = ALIGN_UP(*len, PAGE_SIZE);

	if (!IS_ALIGNED(addr, PAGE_SIZE) || whole < *len || addr > MM_HIGH || whole > MM_HIGH - addr)
		return -EINVAL;
	*len = whole;
	return 0;
}

int mm_unmap(struct mm *mm, uaddr_t addr, u64 len)
{
	struct mm_edit e;
	int err = check_range(addr, &len);

	if (err || !len)
		return -EINVAL;
	err = mm_edit_begin(&e, mm, 2);
	if (err)
		return err;
	mm_remove_range(&e, addr, addr + len);
	mm_edit_end(&e);
	return 0;
}

/* A read-only file does not become writable through a shared mapping of it. */
static bool may_protect(struct mm *mm, uaddr_t addr, u64 len, int prot)
{
	struct vma *v = vma_find(mm, addr);

	for (; v && v->start < addr + len; v = vma_next(v))
		if ((prot & PROT_WRITE) && (v->flags & MAP_SHARED) && v->file &&
		    (v->file->flags & O_ACCMODE) == O_RDONLY)
			return false;
	return true;
}

/* Views go at once, watches' too; what stays allowed faults in again. */
static void protect_range(struct mm_edit *e, uaddr_t addr, uaddr_t end, int prot)
{
	struct vma *v;

	mm_clear(e->mm, addr, end);
	vma_cut(e, addr);
	vma_cut(e, end);
	for (v = vma_find(e->mm, addr); v && v->start < end; v = vma_find_from(e->mm, addr)) {
		addr = v->end;
		v->prot = prot;
		vma_join(e, v);
		resched_point();
	}
}

int mm_protect(struct mm *mm, uaddr_t addr, u64 len, int prot)
{
	struct mm_edit e;
	int err = check_range(addr, &len);

	if (err)
		return IS_ALIGNED(addr, PAGE_SIZE) ? -ENOMEM : -EINVAL;
	if (prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM))
		return -EINVAL;
	if (!len)
		return 0;
	err = mm_edit_begin(&e, mm, 2);
	if (err)
		return err;
	if (!vma_covered(mm, addr, len))
		err = -ENOMEM;
	else if (!may_protect(mm, addr, len, prot))
		err = -EACCES;
	else
		protect_range(&e, addr, addr + len, prot & ~PROT_SEM);
	mm_edit_end(&e);
	return err;
}

static int advise_vma(struct mm *mm, struct vma *v, uaddr_t start, uaddr_t end, int advice)
{
	if (v->obj->phys)
		return -EINVAL;
	if (advice == MADV_DONTNEED) {
		if (!vma_owns(v))
			return 0; /* the data stays with the object */
		mm_clear(mm, start, end);
	}
	guard_mutex(&v->obj->lock);
	if (advice == MADV_DONTNEED)
		return mobj_discard_locked(v->obj, v->off + (start - v->start), end - start);
	v->obj->small = advice == MADV_NOHUGEPAGE;
	return 0;
}

static int advice_known(int advice)
{
	switch (advice) {
	case MADV_DONTNEED:
	case MADV_HUGEPAGE:
	case MADV_NOHUGEPAGE:
		return 1;
	case MADV_NORMAL:
	case MADV_RANDOM:
	case MADV_SEQUENTIAL:
	case MADV_WILLNEED:
	case MADV_FREE: /* may free later, or never */
	case MADV_DONTFORK:
	case MADV_DOFORK:
	case MADV_MERGEABLE:
	case MADV_UNMERGEABLE:
	case MADV_DONTDUMP:
	case MADV_DODUMP:
	case MADV_COLD:
	case MADV_PAGEOUT:
		return 0;
	default:
		return -EINVAL;
	}
}

int mm_advise(struct mm *mm, uaddr_t addr, u64 len, int advice)
{
	int err = check_range(addr, &len), act = advice_known(advice);
	uaddr_t end = addr + len;
	struct vma *v;

	if (err || act < 0)
		return -EINVAL;
	if (!len)
		return 0;
	guard_mutex(&mm->lock);
	for (v = vma_find_from(mm, addr); act && !err && v && v->start < end; v = vma_next(v)) {
		uaddr_t start = MAX(v->start, addr);

		err = advise_vma(mm, v, start, MIN(v->end, end), advice);
		resched_point();
	}
	if (!err && !vma_covered(mm, addr, len))
		err = -ENOMEM;
	return err;
}
