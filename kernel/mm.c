/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Address spaces: birth, death, mapping, and the list of all of them.
 *
 * Two counts: users keep the address space (its VMAs), holds keep the struct.  mobj_zap() only holds:
 * it must never be the one that ends an address space, whose files' releases may need locks that the
 * zapper has.
 */
#include "kernel/file.h"
#include "kernel/vma.h"

static struct mutex all_lock = MUTEX_INIT(all_lock);
static TAILQ_HEAD(, mm) all = TAILQ_HEAD_INITIALIZER(all);

struct mm *mm_create(void)
{
	struct mm *mm = kzalloc(sizeof(*mm));

	if (!mm)
		return NULL;
	if (pt_init(&mm->pt, &pt_x86, 4, 2, false)) {
		kfree(mm);
		return NULL;
	}
	mm->pt.top = MM_HIGH;
	arch_root_init(phys_to_virt(mm->pt.root));
	mm->users = mm->holds = 1;
	mm->search = MM_MMAP_TOP;
	mutex_init(&mm->lock);
	RB_INIT(&mm->vmas);
	guard_mutex(&all_lock);
	TAILQ_INSERT_TAIL(&all, mm, all);
	return mm;
}

void mm_get(struct mm *mm)
{
	BUG_ON(__atomic_fetch_add(&mm->users, 1, __ATOMIC_RELAXED) == 0);
}

void mm_hold(struct mm *mm)
{
	BUG_ON(__atomic_fetch_add(&mm->holds, 1, __ATOMIC_RELAXED) == 0);
}

void mm_drop(struct mm *mm)
{
	if (__atomic_sub_fetch(&mm->holds, 1, __ATOMIC_ACQ_REL) == 0)
		kfree(mm);
}

void mm_put(struct mm *mm)
{
	struct mm_edit e;

	if (__atomic_sub_fetch(&mm->users, 1, __ATOMIC_ACQ_REL))
		return;
	mutex_lock(&all_lock);
	TAILQ_REMOVE(&all, mm, all);
	mutex_unlock(&all_lock);
	BUG_ON(mm_edit_begin(&e, mm, 0)); /* nothing will be cut */
	mm_remove_range(&e, 0, MM_HIGH);
	arch_tlb_flush(mm->pt.root, 0, 0);
	mm_edit_end(&e);
	pt_destroy(&mm->pt);
	mm_drop(mm);
}

paddr_t mm_root(const struct mm *mm)
{
	return mm->pt.root;
}

const struct pt *mm_pt(const struct mm *mm)
{
	return &mm->pt;
}

u64 mm_resident(struct mm *mm)
{
	return READ_ONCE(mm->resident);
}

void mm_each(void (*fn)(struct mm *mm, void *arg), void *arg)
{
	struct mm *mm;

	guard_mutex(&all_lock);
	TAILQ_FOREACH(mm, &all, all) {
		guard_mutex(&mm->lock);
		fn(mm, arg);
	}
}

void mm_watch_add(struct mm *mm, struct mm_watch *w)
{
	guard_mutex(&mm->lock);
	w->next = mm->watches;
	mm->watches = w;
}

void mm_watch_remove(struct mm *mm, struct mm_watch *w)
{
	struct mm_watch **at;

	guard_mutex(&mm->lock);
	for (at = &mm->watches; *at && *at != w;)
		at = &(*at)->next;
	if (*at)
		*at = w->next;
}

static int check_args(const struct mm_map_args *a, u64 len)
{
	bool fixed = a->flags & (MAP_FIXED | MAP_FIXED_NOREPLACE);
	int type = a->flags & MAP_TYPE;

	if (!a->len || !a->obj || !IS_ALIGNED(a->off, PAGE_SIZE) || a->off + len < a->off)
		return -EINVAL;
	if (type != MAP_SHARED && type != MAP_PRIVATE && type != MAP_SHARED_VALIDATE)
		return -EINVAL;
	if (a->prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM))
		return -EINVAL;
	if (len < a->len || len > MM_HIGH)
		return -ENOMEM;
	if (!fixed)
		return 0;
	if (!IS_ALIGNED(a->addr, PAGE_SIZE))
		return -EINVAL;
	if (a->addr < MM_LOW)
		return -EPERM;
	return a->addr > MM_HIGH - len ? -ENOMEM : 0;
}

/* Where it goes: an address, or -errno. */
static s64 place(struct mm *mm, const struct mm_map_args *a, u64 len)
{
	uaddr_t hint = ALIGN_DOWN(a->addr, PAGE_SIZE);
	struct vma *v;
	uaddr_t at;

	if ((a->flags & MAP_FIXED) && !(a->flags & MAP_FIXED_NOREPLACE))
		return (s64)a->addr;
	if (hint >= MM_LOW && hint <= MM_HIGH - len) {
		v = vma_find_from(mm, hint);
		if (!v || v->start >= hint + len)
			return (s64)hint;
		if (a->flags & MAP_FIXED_NOREPLACE)
			return -EEXIST;
	}
	at = vma_hole(mm, a->obj, a->off, len);
	return at ? (s64)at : -ENOMEM;
}

s64 mm_map(struct mm *mm, const struct mm_map_args *a)
{
	u64 len = ALIGN_UP(a->len, PAGE_SIZE);
	struct mm_edit e;
	struct vma proto = {
		.off = a->off, .obj = a->obj, .file = a->file,
		.prot = a->prot & (PROT_READ | PROT_WRITE | PROT_EXEC),
		.flags = a->flags & ~(MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_POPULATE),
	};
	int err = check_args(a, len);
	s64 at;

	if (err)
		return err;
	err = mm_edit_begin(&e, mm, 3);
	if (err)
		return err;
	at = place(mm, a, len);
	if (at > 0) {
		proto.start = (uaddr_t)at;
		proto.end = proto.start + len;
		mm_remove_range(&e, proto.start, proto.end);
		vma_add(&e, &proto);
	}
	mm_edit_end(&e);
	return at;
}

bool mm_next_vma(struct mm *mm, uaddr_t *addr, struct mm_vma_info *out)
{
	struct vma *v;

	guard_mutex(&mm->lock);
	v = vma_find_from(mm, *addr);
	if (!v)
		return false;
	*out = (struct mm_vma_info){ v->start, v->end, v->prot, v->flags, v->off, v->file };
	file_get(v->file);
	*addr = v->end;
	return true;
}
