/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Page faults, and looking through an address space at its pages.
 *
 * mm->lock is held from the look at the object (and the gate of a physical one) until the leaf is
 * written, so a zap that follows the closing of a gate finds every leaf there is.
 *
 * A gate that says -EBUSY opens or closes for good before long (a device in reset): the fault waits
 * without the lock, and is given up when the thread has something else to do.
 */
#include "kernel/vma.h"

static bool vma_allows(const struct vma *v, unsigned access)
{
	if (v->prot == PROT_NONE)
		return false;
	if ((access & ARCH_FAULT_WRITE) && !(v->prot & PROT_WRITE))
		return false;
	return !(access & ARCH_FAULT_EXEC) || (v->prot & PROT_EXEC);
}

/* The page at addr as this VMA shows it: 2 MiB if all of it is inside and congruent, else 4 KiB. */
static void page_in_vma(const struct vma *v, uaddr_t addr, const struct mobj_page *p, struct mm_page *out)
{
	u64 off = v->off + (addr - v->start), within = off - p->off;

	out->prot = vma_pt_prot(v);
	if (p->size == SZ_2M && addr - v->start >= within && addr - within + SZ_2M <= v->end &&
	    IS_ALIGNED(addr - within, SZ_2M)) {
		out->addr = addr - within;
		out->pa = p->pa;
		out->size = SZ_2M;
	} else {
		out->addr = ALIGN_DOWN(addr, PAGE_SIZE);
		out->pa = p->pa + ALIGN_DOWN(within, PAGE_SIZE);
		out->size = SZ_4K;
	}
}

/* 0, or the errno of a fault: beyond the object's end and behind a closed gate is SIGBUS; -ENOENT:
 * nothing there yet, and not `alloc`. */
static int find_page(struct mm *mm, uaddr_t addr, unsigned access, bool alloc, struct mm_page *out)
{
	struct vma *v = vma_find(mm, addr);
	struct mobj_page page;
	int err;

	if (!v || !vma_allows(v, access))
		return -EFAULT;
	err = mobj_page(v->obj, v->off + (addr - v->start), alloc, &page);
	if (err)
		return err == -ENXIO ? -EIO : err;
	page_in_vma(v, addr, &page, out);
	return 0;
}

#define GATE_STEP_MS 1

/* find_page() for those who want the page itself; takes the lock. */
static int lock_page(struct mm *mm, uaddr_t addr, unsigned access, struct mm_page *out)
{
	int err;

	mutex_lock(&mm->lock);
	while ((err = find_page(mm, addr, access, true, out)) == -EBUSY && !thread_interrupted()) {
		mutex_unlock(&mm->lock);
		thread_sleep_until(arch_now_ns() + GATE_STEP_MS * NS_PER_MS);
		mutex_lock(&mm->lock);
	}
	return err;
}

int mm_fault(struct mm *mm, uaddr_t addr, unsigned access)
{
	struct mm_page page;
	struct pt_leaf leaf;
	int err = lock_page(mm, addr, access, &page);

	if (err)
		goto out;
	/* Another thread was faster? A fault makes the CPU forget the translation by itself. */
	if (pt_lookup(&mm->pt, addr, &leaf) && (leaf.prot & page.prot) == page.prot)
		goto out;
	err = pt_map(&mm->pt, page.addr, page.pa, page.size, page.prot);
	if (err == -EEXIST) {
		/* It is there with fewer rights, or 4 KiB pages of it are: put this page in their place. */
		mm_clear(mm, page.addr, page.addr + page.size);
		err = pt_map(&mm->pt, page.addr, page.pa, page.size, page.prot);
	}
	if (!err)
		mm->resident += page.size;
out:
	mutex_unlock(&mm->lock);
	return err;
}

int mm_with_page(struct mm *mm, uaddr_t addr, unsigned access,
		 int (*fn)(void *arg, const struct mm_page *page), void *arg)
{
	struct mm_page page;
	int err = lock_page(mm, addr, access, &page);

	if (!err)
		err = fn(arg, &page);
	mutex_unlock(&mm->lock);
	return err;
}

bool mm_peek(struct mm *mm, uaddr_t addr, struct mm_page *out)
{
	guard_mutex(&mm->lock);
	return find_page(mm, addr, ARCH_FAULT_READ, false, out) == 0;
}

/* The object behind addr, with a reference, and the offset there; *len: at most to the area's end. */
static struct mobj *object_at(struct mm *mm, uaddr_t addr, u64 *off, size_t *len)
{
	struct vma *v;

	guard_mutex(&mm->lock);
	v = vma_find(mm, addr);
	if (!v)
		return NULL;
	*off = v->off + (addr - v->start);
	*len = (size_t)MIN((u64)*len, v->end - addr);
	mobj_get(v->obj);
	return v->obj;
}

int mm_write(struct mm *mm, uaddr_t dst, const void *src, size_t n)
{
	const char *s = src;
	size_t part;

	for (; n; dst += part, s += part, n -= part) {
		struct mobj *obj;
		u64 off;
		int err;

		part = n;
		obj = object_at(mm, dst, &off, &part);
		if (!obj)
			return -EFAULT;
		err = mobj_write(obj, off, s, part);
		mobj_put(obj);
		if (err)
			return err == -ENXIO ? -EFAULT : err;
	}
	return 0;
}
