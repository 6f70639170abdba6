/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pinning a range of an address space for DMA: VMA by VMA, run by run.  The object's lock is held
 * from finding a page until the pin has its reference, so the page cannot go in between.
 */
#include "kernel/pin.h"
#include "kernel/vma.h"

static int pin_object(struct mobj *m, u64 off, u64 end, struct pin *p)
{
	guard_mutex(&m->lock);
	while (off < end) {
		paddr_t pa;
		s64 n = mobj_run_locked(m, off, end, &pa);
		int err = n < 0 ? (int)n : pin_append(p, pa, (u64)n);

		if (err)
			return err == -ENXIO ? -EFAULT : err;
		off += (u64)n;
		resched_point();
	}
	return 0;
}

static int pin_range(struct mm *mm, uaddr_t addr, uaddr_t end, bool write, struct pin *p)
{
	struct vma *v = vma_find(mm, addr);

	while (addr < end) {
		uaddr_t to;
		int err;

		if (!v || v->start > addr)
			return refuse(-EFAULT, "0x%llx is not mapped in the program",
				      (unsigned long long)addr);
		if (v->prot == PROT_NONE || (write && !(v->prot & PROT_WRITE)))
			return refuse(-EFAULT,
				      "0x%llx is not %s for the program: map it for less, or mprotect it",
				      (unsigned long long)addr, write ? "writable" : "readable");
		if (v->obj->phys)
			return refuse(-EFAULT,
				      "0x%llx is a device's BAR: DMA to it is not offered",
				      (unsigned long long)addr);
		to = MIN(end, v->end);
		err = pin_object(v->obj, v->off + (addr - v->start), v->off + (to - v->start), p);
		if (err)
			return err;
		addr = to;
		v = addr < end ? vma_next(v) : v;
	}
	return 0;
}

int mm_pin(struct mm *mm, uaddr_t addr, u64 len, bool write, struct pin **out)
{
	struct pin *p;
	int err;

	if (!len || !IS_ALIGNED(addr | len, PAGE_SIZE))
		return -EINVAL;
	if (addr >= MM_HIGH || len > MM_HIGH - addr)
		return refuse(-EFAULT, "0x%llx + 0x%llx is outside the program's addresses",
			      (unsigned long long)addr, (unsigned long long)len);
	p = pin_create();
	if (!p)
		return -ENOMEM;
	mutex_lock(&mm->lock);
	err = pin_range(mm, addr, addr + len, write, p);
	mutex_unlock(&mm->lock);
	if (err)
		pin_release(p);
	else
		*out = p;
	return err;
}
