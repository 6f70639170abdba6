// SPDX-License-Identifier: GPL-2.0-only
/*
 * Nested page tables of a VM: filled by faults, emptied by the slots and by the address space.
 *
 * A fault looks the slot up, asks the address space for the page, and installs the translation in
 * a callback under the address space's lock, after it has looked again: a zap or a slot that went
 * in between is either seen there, or comes after and removes what was installed.
 * Removal: entries cleared, all vCPUs flushed, then the table pages freed.
 */
#include "virt/nested.h"

#include "arch/x86/arch.h"
#include "kernel/frames.h"

#define FAULT_RETRIES 16

/* Whole leaves around [*gpa, *gpa + *size): nothing has to be split, so nothing can fail. */
static void widen_to_leaves(const struct pt *pt, gpa_t *gpa, u64 *size)
{
	gpa_t start = *gpa, end = *gpa + *size;
	struct pt_leaf leaf;

	if (pt_lookup(pt, start, &leaf))
		start = leaf.va;
	if (pt_lookup(pt, end - 1, &leaf))
		end = leaf.va + leaf.size;
	*gpa = start;
	*size = end - start;
}

void nested_remove(struct slots *s, gpa_t gpa, u64 size)
{
	struct pt_trash trash = PT_TRASH_INIT;
	s64 removed;

	widen_to_leaves(&s->table, &gpa, &size);
	removed = pt_unmap(&s->table, gpa, size, &trash);
	BUG_ON(removed < 0);
	if (removed || trash.count)
		s->flush(s);
	pt_trash_free(&trash);
}

void nested_zap(struct mm_watch *w, uaddr_t addr, u64 len)
{
	struct slots *s = container_of(w, struct slots, watch);

	guard_mutex(&s->lock);
	for (unsigned i = 0; i < s->count; i++) {
		const struct slot *slot = s->slot[i];
		uaddr_t start = MAX(addr, slot->hva);
		uaddr_t end = MIN(addr + len, slot->hva + slot->size);

		if (start < end)
			nested_remove(s, slot->gpa + (start - slot->hva), end - start);
	}
}

struct fill {
	struct slots *s;
	gpa_t gpa; /* of the page */
	uaddr_t hva;
	bool write;
};

/* The part of the page that can be one leaf: all of it if guest and host addresses are congruent. */
static struct pt_leaf leaf_for(const struct fill *f, const struct slot *slot,
			       const struct mm_page *page)
{
	struct pt_leaf leaf = { .va = f->gpa, .pa = page->pa + (f->hva - page->addr), .size = SZ_4K };
	gpa_t start = f->gpa - (f->hva - page->addr);

	leaf.prot = PT_READ | PT_EXEC | f->s->prot | (page->prot & PT_UNCACHED);
	if (f->write)
		leaf.prot |= PT_WRITE;
	if (page->size < SZ_2M || f->s->table.max_leaf < 2 || !IS_ALIGNED(start, SZ_2M))
		return leaf;
	if (page->addr < slot->hva || page->addr + SZ_2M > slot->hva + slot->size)
		return leaf;
	if (ALIGN_DOWN(f->s->hole, SZ_2M) == start)
		return leaf;
	leaf.va = start;
	leaf.pa = page->pa;
	leaf.size = SZ_2M;
	return leaf;
}

static int leaf_install(struct slots *s, const struct pt_leaf *want)
{
	struct pt_leaf old;
	int r = pt_map(&s->table, want->va, want->pa, want->size, want->prot);

	if (r != -EEXIST)
		return r;
	/* Another vCPU was here first, or the leaf allows less, or smaller ones are in the way. */
	if (pt_lookup(&s->table, want->va, &old) && old.size >= want->size &&
	    old.pa + (want->va - old.va) == want->pa && !(want->prot & ~old.prot))
		return 0;
	nested_remove(s, want->va, want->size);
	return pt_map(&s->table, want->va, want->pa, want->size, want->prot);
}

static int fill_page(void *arg, const struct mm_page *page)
{
	const struct fill *f = arg;
	struct slots *s = f->s;
	const struct slot *slot;
	struct pt_leaf leaf;
	int r;

	guard_mutex(&s->lock);
	slot = slots_at(s, f->gpa);
	if (!s->mm || !slot || slot->hva + (f->gpa - slot->gpa) != f->hva)
		return -EAGAIN;
	leaf = leaf_for(f, slot, page);
	r = leaf_install(s, &leaf);
	if (r != -EEXIST || leaf.size == SZ_4K)
		return r;
	leaf.pa += f->gpa - leaf.va;
	leaf.va = f->gpa;
	leaf.size = SZ_4K;
	return leaf_install(s, &leaf);
}

int slots_fault(struct slots *s, gpa_t gpa, unsigned access)
{
	struct fill f = { .s = s, .gpa = ALIGN_DOWN(gpa, PAGE_SIZE) };
	int r = -EAGAIN;

	for (unsigned i = 0; r == -EAGAIN && i < FAULT_RETRIES; i++) {
		struct slot slot;
		struct mm *mm = READ_ONCE(s->mm);

		if (!mm)
			return -EIO;
		if (f.gpa == s->hole || !slots_find(s, f.gpa, &slot))
			return -ENXIO;
		f.write = !(slot.flags & KVM_MEM_READONLY);
		if (!f.write && (access & ARCH_FAULT_WRITE))
			return -ENXIO;
		f.hva = slot.hva + (f.gpa - slot.gpa);
		/* Writable at once where the program may write, so that it faults only once. */
		r = -EFAULT;
		if (f.write)
			r = mm_with_page(mm, f.hva, ARCH_FAULT_WRITE, fill_page, &f);
		if (r == -EFAULT && !(access & ARCH_FAULT_WRITE)) {
			f.write = false;
			r = mm_with_page(mm, f.hva, ARCH_FAULT_READ, fill_page, &f);
		}
	}
	return r;
}

/* Is this leaf what the process shows there? */
static bool leaf_owned(struct slots *s, struct mm *mm, const struct pt_leaf *leaf)
{
	struct mm_page page;
	struct slot slot;
	uaddr_t hva;

	if (!slots_find(s, leaf->va, &slot) || leaf->va + leaf->size > slot.gpa + slot.size)
		return false;
	hva = slot.hva + (leaf->va - slot.gpa);
	if (!mm_peek(mm, hva, &page))
		return false;
	if (frame_is_ram(leaf->pa) && !frame_in_use(leaf->pa))
		return false;
	return page.pa + (hva - page.addr) == leaf->pa;
}

unsigned slots_audit(struct slots *s)
{
	unsigned findings = 0, steps = 0;
	struct mm *mm;
	u64 at = 0;

	mutex_lock(&s->lock);
	mm = s->mm;
	if (mm)
		mm_get(mm);
	mutex_unlock(&s->lock);
	while (mm) {
		struct pt_leaf leaf, again;
		bool more;

		mutex_lock(&s->lock);
		more = s->mm && pt_next(&s->table, &at, &leaf);
		mutex_unlock(&s->lock);
		if (!more)
			break;
		if (++steps % 512 == 0)
			resched_point();
		if (leaf_owned(s, mm, &leaf))
			continue;
		/* It counts only if it is still there. */
		mutex_lock(&s->lock);
		more = pt_lookup(&s->table, leaf.va, &again) && again.pa == leaf.pa;
		mutex_unlock(&s->lock);
		if (!more)
			continue;
		log_err("audit: nested table maps guest 0x%llx to 0x%llx, which its program does not map",
			(unsigned long long)leaf.va, (unsigned long long)leaf.pa);
		findings++;
	}
	if (mm)
		mm_put(mm);
	return findings;
}
