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

void vma_copy(struct vma *v, const struct vma *from)
{
	*v = *from;
	mobj_get(v->obj);
	file_get(v->file);
}

struct vma *vma_create(const struct vma *proto)
{
	struct vma *v = kmalloc(sizeof(*v));

	if (!v)
		return NULL;
	vma_copy(v, proto);
	return v;
}

void vma_insert(struct mm *mm, struct vma *v)
{
	v->mm = mm;
	BUG_ON(RB_INSERT(vma_tree, &mm->vmas, v));
	mm->nvmas++;
	mutex_lock(&v->obj->lock);
	TAILQ_INSERT_TAIL(&v->obj->viewers, v, view);
	mutex_unlock(&v->obj->lock);
}

void vma_remove(struct mm *mm, struct vma *v, struct vma **dead)
{
	mutex_lock(&v->obj->lock);
	TAILQ_REMOVE(&v->obj->viewers, v, view);
	mutex_unlock(&v->obj->lock);
	RB_REMOVE(vma_tree, &mm->vmas, v);
	mm->nvmas--;
	if (mm->hit == v)
		mm->hit = NULL;
	v->next_dead = *dead;
	*dead = v;
}

void vma_bury(struct vma *dead)
{
	while (dead) {
		struct vma *v = dead;

		dead = v->next_dead;
		mobj_put(v->obj);
		file_put(v->file);
		kfree(v);
	}
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

void vma_cut(struct mm *mm, uaddr_t addr, struct vma **spare)
{
	struct vma *v = vma_find(mm, addr), *upper = *spare;

	if (!v || v->start == addr)
		return;
	*spare = NULL;
	vma_copy(upper, v);
	upper->start = addr;
	upper->off = v->off + (addr - v->start);
	v->end = addr;
	vma_insert(mm, upper);
}

static bool continues(const struct vma *a, const struct vma *b)
{
	return a->end == b->start && a->obj == b->obj && a->off + (a->end - a->start) == b->off &&
	       a->prot == b->prot && a->flags == b->flags && a->file == b->file;
}

void vma_join(struct mm *mm, struct vma *v, struct vma **dead)
{
	struct vma *next = vma_next(v), *prev = vma_prev(v);

	if (next && continues(v, next)) {
		v->end = next->end;
		vma_remove(mm, next, dead);
	}
	if (prev && continues(prev, v)) {
		prev->end = v->end;
		vma_remove(mm, v, dead);
	}
}

void vma_placement(const struct mobj *obj, u64 off, u64 len, u64 *align, u64 *skew)
{
	*align = len >= SZ_2M ? SZ_2M : PAGE_SIZE;
	*skew = (obj->phys ? obj->base + off : off) & (*align - 1);
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

uaddr_t vma_hole(struct mm *mm, u64 len, u64 align, u64 skew)
{
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
