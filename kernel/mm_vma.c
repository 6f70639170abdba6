/* SPDX-License-Identifier: GPL-2.0-only */
/* The tree of VMAs of an address space: search, insertion, cutting, joining, holes. */
#include "kernel/file.h"
#include "kernel/vma.h"

static int vma_order(const struct vma *a, const struct vma *b)
{
	return a->start < b->start ? -1 : a->start > b->start;
}
RB_PROTOTYPE(vma_tree, vma, node, vma_order)
RB_GENERATE(vma_tree, vma, node, vma_order)

struct vma *vma_find_from(struct mm *mm, uaddr_t addr)
{
	struct vma *v = RB_ROOT(&mm->vmas), *best = NULL;

	while (v) {
		if (addr < v->end) {
			best = v;
			if (addr >= v->start)
				break;
			v = RB_LEFT(v, node);
		} else {
			v = RB_RIGHT(v, node);
		}
	}
	return best;
}

struct vma *vma_find(struct mm *mm, uaddr_t addr)
{
	struct vma *v = mm->hit;

	if (v && addr >= v->start && addr < v->end)
		return v;
	v = vma_find_from(mm, addr);
	if (!v || addr < v->start)
		return NULL;
	mm->hit = v;
	return v;
}

struct vma *vma_next(struct vma *v)
{
	return vma_tree_RB_NEXT(v);
}

struct vma *vma_prev(struct vma *v)
{
	return vma_tree_RB_PREV(v);
}

int mm_edit_begin(struct mm_edit *e, struct mm *mm, unsigned n)
{
	*e = (struct mm_edit){ .mm = mm };
	mutex_lock(&mm->lock);
	for (unsigned i = 0; i < n; i++) {
		struct vma *v = mm->nvmas + n <= MM_MAX_VMAS ? kmalloc(sizeof(*v)) : NULL;

		if (!v) {
			mm_edit_end(e);
			return -ENOMEM;
		}
		v->next = e->spare;
		e->spare = v;
	}
	return 0;
}

static struct vma *pop(struct vma **list)
{
	struct vma *v = *list;

	if (v)
		*list = v->next;
	return v;
}

void mm_edit_end(struct mm_edit *e)
{
	struct vma *v;

	mutex_unlock(&e->mm->lock);
	while ((v = pop(&e->spare)))
		kfree(v);
	while ((v = pop(&e->dead))) {
		mobj_put(v->obj);
		file_put(v->file);
		kfree(v);
	}
}

void vma_add(struct mm_edit *e, const struct vma *proto)
{
	struct vma *v = pop(&e->spare);

	*v = *proto;
	v->mm = e->mm;
	mobj_get(v->obj);
	file_get(v->file);
	BUG_ON(RB_INSERT(vma_tree, &e->mm->vmas, v));
	e->mm->nvmas++;
	guard_mutex(&v->obj->lock);
	TAILQ_INSERT_TAIL(&v->obj->viewers, v, view);
}

void vma_remove(struct mm_edit *e, struct vma *v)
{
	RB_REMOVE(vma_tree, &e->mm->vmas, v);
	e->mm->nvmas--;
	if (e->mm->hit == v)
		e->mm->hit = NULL;
	v->next = e->dead;
	e->dead = v;
	guard_mutex(&v->obj->lock);
	TAILQ_REMOVE(&v->obj->viewers, v, view);
}

bool vma_covered(struct mm *mm, uaddr_t addr, u64 len)
{
	struct vma *v = vma_find(mm, addr);
	uaddr_t end = addr + len;

	for (; v && v->end < end; v = vma_next(v)) {
		struct vma *next = vma_next(v);

		if (!next || next->start != v->end)
			return false;
	}
	return v != NULL;
}

void vma_cut(struct mm_edit *e, uaddr_t addr)
{
	struct vma *v = vma_find(e->mm, addr), upper;

	if (!v || v->start == addr)
		return;
	upper = *v;
	upper.start = addr;
	upper.off += addr - v->start;
	vma_add(e, &upper);
	v->end = addr; /* not before: mobj_zap() must find a viewer of every part */
}

static bool continues(const struct vma *a, const struct vma *b)
{
	return a->end == b->start && a->obj == b->obj && a->off + (a->end - a->start) == b->off &&
	       a->prot == b->prot && a->flags == b->flags && a->file == b->file;
}

void vma_join(struct mm_edit *e, struct vma *v)
{
	struct vma *next = vma_next(v), *prev = vma_prev(v);

	if (next && continues(v, next)) {
		v->end = next->end;
		vma_remove(e, next);
	}
	if (prev && continues(prev, v)) {
		prev->end = v->end;
		vma_remove(e, v);
	}
}

/* The highest one below top: from gap to gap downward. */
static uaddr_t hole_below(struct mm *mm, uaddr_t top, u64 len, u64 align, u64 skew)
{
	struct vma *v = vma_find_from(mm, top - 1);

	if (!v)
		v = RB_MAX(vma_tree, &mm->vmas);
	else if (v->start >= top)
		v = vma_prev(v);
	for (unsigned n = 1;; n++) {
		uaddr_t floor = MM_LOW, start;

		if (v && v->end <= top)
			floor = MAX(v->end, MM_LOW);
		else if (v)
			floor = top; /* v covers top: no gap here */
		if (top >= floor && top - floor >= len) {
			start = ALIGN_DOWN(top - len - skew, align) + skew;
			if (start >= floor && start < top && start + len <= top)
				return start;
		}
		if (!v || v->start <= MM_LOW)
			return 0;
		top = v->start;
		v = vma_prev(v);
		if (n % 512 == 0)
			resched_point();
	}
}

uaddr_t vma_hole(struct mm *mm, const struct mobj *obj, u64 off, u64 len)
{
	u64 align = len >= SZ_2M ? SZ_2M : PAGE_SIZE, skew = (obj->phys ? obj->base + off : off) & (align - 1);
	uaddr_t at = 0;

	if (len > MM_MMAP_TOP - MM_LOW)
		return 0;
	if (mm->search < MM_MMAP_TOP)
		at = hole_below(mm, mm->search, len, align, skew);
	if (!at)
		at = hole_below(mm, MM_MMAP_TOP, len, align, skew);
	if (at)
		mm->search = at;
	return at;
}
