// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory slots: the array, sorted by guest address, and KVM_SET_USER_MEMORY_REGION with Linux's
 * rules. The nested tables are in nested.c.
 */
#include "virt/slots.h"

#include "arch/x86/vcpu.h"
#include "kernel/frames.h"
#include "virt/nested.h"

#define FLAGS_KNOWN (KVM_MEM_LOG_DIRTY_PAGES | KVM_MEM_READONLY)
#define GPA_BITS 48 /* four levels of nested tables */

int slots_init(struct slots *s, struct mm *mm, const struct vcpu_ops *ops,
	       void (*flush)(struct slots *))
{
	int r;

	memset(s, 0, sizeof(*s));
	mutex_init(&s->lock);
	r = pt_init(&s->table, ops->table_format, ops->table_levels, ops->table_max_leaf, false);
	if (r)
		return r;
	s->prot = ops->table_prot;
	s->flush = flush;
	s->hole = ~0ull;
	s->mm = mm;
	mm_get(mm);
	s->watch.zap = nested_zap;
	mm_watch_add(mm, &s->watch);
	return 0;
}

void slots_close(struct slots *s)
{
	struct mm *mm = s->mm;

	if (!mm)
		return;
	mm_watch_remove(mm, &s->watch);
	mutex_lock(&s->lock);
	s->mm = NULL;
	for (unsigned i = 0; i < s->count; i++) {
		nested_remove(s, s->slot[i]->gpa, s->slot[i]->size);
		kfree(s->slot[i]);
		if (i % 512 == 511)
			resched_point();
	}
	s->count = 0;
	mutex_unlock(&s->lock);
	mm_put(mm);
}

void slots_destroy(struct slots *s)
{
	slots_close(s);
	kfree(s->slot);
	pt_destroy(&s->table);
}

/* Index of the first slot that ends above gpa. */
static unsigned slot_index(const struct slots *s, gpa_t gpa)
{
	unsigned lo = 0, hi = s->count;

	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;

		if (s->slot[mid]->gpa + s->slot[mid]->size > gpa)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

struct slot *slots_at(const struct slots *s, gpa_t gpa)
{
	unsigned i = slot_index(s, gpa);

	return i < s->count && s->slot[i]->gpa <= gpa ? s->slot[i] : NULL;
}

bool slots_find(struct slots *s, gpa_t gpa, struct slot *out)
{
	const struct slot *slot;

	guard_mutex(&s->lock);
	slot = slots_at(s, gpa);
	if (slot)
		*out = *slot;
	return slot;
}

static struct slot *slot_by_id(const struct slots *s, u32 id)
{
	for (unsigned i = 0; i < s->count; i++) {
		if (s->slot[i]->id == id)
			return s->slot[i];
		if (i % 512 == 511)
			resched_point();
	}
	return NULL;
}

/* Another slot than `self` in the range? */
static const struct slot *slot_overlap(const struct slots *s, gpa_t gpa, u64 size,
				       const struct slot *self)
{
	for (unsigned i = slot_index(s, gpa); i < s->count && s->slot[i]->gpa < gpa + size; i++)
		if (s->slot[i] != self)
			return s->slot[i];
	return NULL;
}

static int room_make(struct slots *s)
{
	unsigned room = s->room ? s->room * 2 : 16;
	struct slot **bigger;

	if (s->count < s->room)
		return 0;
	bigger = kcalloc(room, sizeof(struct slot *));
	if (!bigger)
		return -ENOMEM;
	if (s->count)
		memcpy(bigger, s->slot, s->count * sizeof(struct slot *));
	kfree(s->slot);
	s->slot = bigger;
	s->room = room;
	return 0;
}

static void slot_insert(struct slots *s, struct slot *slot)
{
	unsigned at = slot_index(s, slot->gpa);

	memmove(&s->slot[at + 1], &s->slot[at], (s->count - at) * sizeof(struct slot *));
	s->slot[at] = slot;
	s->count++;
}

static void slot_take_out(struct slots *s, const struct slot *slot)
{
	unsigned at = slot_index(s, slot->gpa);

	memmove(&s->slot[at], &s->slot[at + 1], (s->count - at - 1) * sizeof(struct slot *));
	s->count--;
}

static int slot_add(struct slots *s, const struct slot *want)
{
	const struct slot *other = slot_overlap(s, want->gpa, want->size, NULL);
	struct slot *slot;

	if (other)
		return refuse(-EEXIST, "memory slot %u at 0x%llx overlaps slot %u at 0x%llx", want->id,
			      (unsigned long long)want->gpa, other->id,
			      (unsigned long long)other->gpa);
	if (room_make(s))
		return -ENOMEM;
	slot = kmalloc(sizeof(*slot));
	if (!slot)
		return -ENOMEM;
	*slot = *want;
	slot_insert(s, slot);
	return 0;
}

static int slot_change(struct slots *s, struct slot *slot, const struct slot *want)
{
	const struct slot *other;

	if (want->hva != slot->hva || want->size != slot->size || want->flags != slot->flags)
		return refuse(-EINVAL, "memory slot %u can move, not change: delete it first",
			      want->id);
	if (want->gpa == slot->gpa)
		return 0;
	other = slot_overlap(s, want->gpa, want->size, slot);
	if (other)
		return refuse(-EEXIST, "memory slot %u moved to 0x%llx would overlap slot %u", want->id,
			      (unsigned long long)want->gpa, other->id);
	nested_remove(s, slot->gpa, slot->size);
	slot_take_out(s, slot);
	slot->gpa = want->gpa;
	slot_insert(s, slot);
	return 0;
}

static int region_check(const struct kvm_userspace_memory_region *r)
{
	u64 gpa = r->guest_phys_addr, size = r->memory_size, hva = r->userspace_addr;

	if (r->flags & ~FLAGS_KNOWN)
		return refuse(-EINVAL, "memory slot flags 0x%x are unknown", r->flags);
	if (r->flags & KVM_MEM_LOG_DIRTY_PAGES)
		return refuse(-EINVAL, "memory slot %u: there is no dirty log", r->slot);
	if (!IS_ALIGNED(size | gpa | hva, PAGE_SIZE))
		return refuse(-EINVAL, "memory slot %u: size, guest and user address must be multiples of 4096",
			      r->slot);
	if (r->slot >> 16)
		return refuse(-EINVAL, "memory slot 0x%x: there is only address space 0", r->slot);
	if (r->slot >= SLOTS_MAX)
		return refuse(-EINVAL, "memory slot %u: numbers end at %u", r->slot, SLOTS_MAX - 1);
	if (gpa + size < gpa || gpa + size > BIT(GPA_BITS))
		return refuse(-EINVAL, "memory slot %u: guest addresses have %u bits", r->slot, GPA_BITS);
	if (hva + size < hva || hva + size > MM_HIGH)
		return refuse(-EINVAL, "memory slot %u: 0x%llx is no address of a program", r->slot,
			      (unsigned long long)hva);
	return 0;
}

int slots_set(struct slots *s, const struct kvm_userspace_memory_region *r)
{
	const struct slot want = { .id = r->slot, .flags = r->flags, .gpa = r->guest_phys_addr,
				   .size = r->memory_size, .hva = r->userspace_addr };
	struct slot *slot;
	int err = region_check(r);

	if (err)
		return err;
	guard_mutex(&s->lock);
	slot = slot_by_id(s, want.id);
	if (!s->mm)
		return -EIO;
	if (want.size)
		return slot ? slot_change(s, slot, &want) : slot_add(s, &want);
	if (!slot)
		return refuse(-EINVAL, "memory slot %u does not exist", want.id);
	slot_take_out(s, slot);
	nested_remove(s, slot->gpa, slot->size);
	kfree(slot);
	return 0;
}

/* Where [gpa, gpa + *n) lies in the program; *n is cut to the slot. */
static inline __attribute__((always_inline)) bool memory_at(struct slots *s, gpa_t gpa, size_t *n, uaddr_t *hva, bool write)
{
	const struct slot *slot;

	guard_mutex(&s->lock);
	slot = slots_at(s, gpa);
	if (!slot || (write && (slot->flags & KVM_MEM_READONLY)))
		return false;
	*n = MIN(*n, slot->gpa + slot->size - gpa);
	*hva = slot->hva + (gpa - slot->gpa);
	return true;
}

int slots_copy(struct slots *s, gpa_t gpa, void *buf, size_t n, bool write)
{
	u8 *at = buf;

	while (n) {
		size_t part = n;
		uaddr_t hva;

		if (!memory_at(s, gpa, &part, &hva, write))
			return -ENXIO;
		if (write ? copy_to_user(hva, at, part) : copy_from_user(at, hva, part))
			return -EFAULT;
		at += part;
		gpa += part;
		n -= part;
	}
	return 0;
}

struct exchange {
	uaddr_t hva;
	unsigned size;
	u64 old, new;
};

static int exchange_in_page(void *arg, const struct mm_page *page)
{
	struct exchange *x = arg;
	paddr_t pa = page->pa + (x->hva - page->addr);
	u32 old = (u32)x->old;
	bool done;

	if (!frame_is_ram(pa))
		return -ENXIO;
	if (x->size == 8)
		done = __atomic_compare_exchange_n((u64 *)phys_to_virt(pa), &x->old, x->new, false,
						   __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
	else
		done = __atomic_compare_exchange_n((u32 *)phys_to_virt(pa), &old, (u32)x->new, false,
						   __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
	return done ? 0 : -EAGAIN;
}

int slots_exchange(struct slots *s, gpa_t gpa, unsigned size, u64 old, u64 new)
{
	struct exchange x = { .size = size, .old = old, .new = new };
	struct mm *mm = READ_ONCE(s->mm);
	size_t n = size;

	if (!mm)
		return -EIO;
	if (!IS_ALIGNED(gpa, size) || !memory_at(s, gpa, &n, &x.hva, true))
		return -ENXIO;
	return mm_with_page(mm, x.hva, ARCH_FAULT_WRITE, exchange_in_page, &x);
}
