/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Invalidation, by queue (6.5.2) and by registers (6.5.1), and how it fails.
 *
 * Descriptors are carried out in the worst order that the manual allows.
 */
#include "tests/host/host.h"
#include "tests/model/vtd_model.h"

static void queue_stop(struct vm_unit *u, u32 error)
{
	u->errors |= error;
	vm_event(u);
}

/* What must follow an invalidation of contexts or PASIDs, in granularity (6.5.2.1, 6.5.2.2). */
enum { PASID_ALL = 1, IOTLB_ALL = 2, PASID_DOMAIN = 4, IOTLB_DOMAIN = 8 };

static enum vm_answer invalidate(struct vm_unit *u, u64 lo, u64 hi)
{
	unsigned type = lo & 0xf, g = lo >> 4 & 3;
	u16 did = (u16)(lo >> 16);

	vm_counts.descriptors++;
	switch (type) {
	case 1: /* context cache */
		if ((lo & 0xfffc00000000ffc0ull) || hi || !g)
			return VM_BAD;
		vm_drop_contexts(u, g, did, (u16)(lo >> 32));
		u->owed |= (g == 1 ? IOTLB_ALL : IOTLB_DOMAIN) | (!vm_scalable(u) ? 0 : g == 1 ? PASID_ALL : PASID_DOMAIN);
		return VM_DONE;
	case 2: /* IOTLB */
		if ((lo & 0xffffffff0000ff00ull) || !g || (hi & 0xf80) || (g != 3 && hi))
			return VM_BAD;
		if (g == 3 && (u->c.no_pages || (hi & 0x3f) > u->c.max_mask))
			return VM_BAD;
		u->owed &= ~(g == 1 ? IOTLB_ALL | IOTLB_DOMAIN : g == 2 ? IOTLB_DOMAIN : 0);
		/* Table 23: of a first stage it cannot tell pages */
		vm_drop_translations(u, g == 3 && vm_first_stage(u, did) ? 2 : g, did, hi & ~0xfffull, hi & 0x3f, hi & 0x40);
		vm_drain(u, g, did, !u->c.drain || (lo & 0x80), !u->c.drain || (lo & 0x40));
		return VM_DONE;
	case 3: /* device TLB */
		return vm_device_invalidate(u, lo, hi);
	case 6: /* IOTLB by PASID: first-stage translations only */
		if ((lo & 0xfff000000000ffc0ull) || (g != 2 && g != 3) || lo >> 32 || (hi & 0xf80) || (g == 2 && hi))
			return VM_BAD;
		if (!u->c.scalable || (g == 3 && (u->c.no_pages || (hi & 0x3f) > u->c.max_mask)))
			return VM_BAD;
		vm_drop_translations(u, g, did, hi & ~0xfffull, hi & 0x3f, hi & 0x40);
		vm_drain(u, g, did, true, true);
		return VM_DONE;
	case 7: /* PASID cache */
		if ((lo & 0xfff000000000ffc0ull) || g == 2 || hi || !u->c.scalable)
			return VM_BAD;
		vm_drop_pasids(u, g, did);
		u->owed = (u->owed & ~(g == 3 ? PASID_ALL | PASID_DOMAIN : PASID_DOMAIN)) | (g == 3 ? IOTLB_ALL : IOTLB_DOMAIN);
		return VM_DONE;
	case 4: /* interrupt entries */
		if ((lo & 0xffff000007ffffe0ull) || hi)
			return VM_BAD;
		vm_drop_interrupts(u, lo & 0x10, (u16)(lo >> 32), lo >> 27 & 0x1f);
		return VM_DONE;
	default:
		return VM_BAD;
	}
}

static u32 step(const struct vm_unit *u)
{
	return u->iqa >> 11 & 1 ? 2 : 1; /* wide descriptors */
}

/* Only what was stored before a barrier is sure to be there when the unit is told. */
void vm_queue_seal(struct vm_unit *u)
{
	if (u->gsts >> 26 & 1)
		memcpy(u->ring, phys_to_virt(u->iqa & ~0xfffull), sizeof(u->ring));
}

static const struct vm_pair *desc(const struct vm_unit *u, u32 i)
{
	return &u->ring[i % 256];
}

static bool is_wait(const struct vm_pair *d)
{
	return (d->lo & 0xf) == 5;
}

static bool is_fence(const struct vm_pair *d)
{
	return is_wait(d) && (d->lo & 0x40);
}

static bool wait_done(struct vm_unit *u, const struct vm_pair *w)
{
	vm_counts.descriptors++;
	if (u->owed)
		vm_violation("contexts or PASIDs are dropped, and not as much of what was made from them");
	u->owed = 0;
	if (!(w->lo & 0x20) || (w->hi & 3)) {
		vm_violation("wait descriptor without status");
		return false;
	}
	*(u32 *)phys_to_virt(w->hi) = (u32)(w->lo >> 32);
	return true;
}

/* What is filled from what: contexts, PASIDs, IOTLB, device TLBs. -1: not an invalidation. */
static int rank(const struct vm_pair *d)
{
	static const signed char ranks[16] = { -1, 0, 2, 3, 2, -1, 2, 1, -1, -1, -1, -1, -1, -1, -1, -1 };

	return is_wait(d) ? -1 : MAX(ranks[d->lo & 0xf], 0);
}

/* The worst order that is allowed (6.5.2.12): a descriptor waits for those of lower rank ahead of it, and
 * for nothing else. The next one of n that are not done; n: none. */
static u32 worst(const struct vm_unit *u, u32 head, u32 n, const bool *done)
{
	u32 best = n;

	for (u32 i = 0; i < n; i += step(u)) {
		int r = rank(desc(u, head + i));
		bool held = done[i] || r < 0;

		for (u32 k = 0; k < i && !held; k += step(u))
			held = !done[k] && rank(desc(u, head + k)) >= 0 && rank(desc(u, head + k)) < r;
		if (!held && (best == n || r >= rank(desc(u, head + best))))
			best = i;
	}
	return best;
}

/* Descriptors up to the next fence in the worst order; then the waits among them, and the fence. */
static bool segment(struct vm_unit *u)
{
	bool drained = false, done[256] = { false };
	u32 n = 0, tail = u->iqt >> 4, head = u->iqh >> 4, wide = step(u);

	if (u->bad_slot == u->iqh + 1 && (desc(u, head)->lo & 0xf) != 5) {
		queue_stop(u, 0x10);
		return false;
	}
	u->bad_slot = 0;
	while ((head + n) % 256 != tail && !is_fence(desc(u, head + n)))
		n += wide;
	for (u32 i; (i = worst(u, head, n, done)) < n; done[i] = true) {
		const struct vm_pair d = *desc(u, head + i);
		enum vm_answer answer;

		if (!drained)
			vm_write_buffer_drain(); /* comes before any invalidation, 6.8 */
		drained = true;
		answer = wide == 2 && (desc(u, head + i + 1)->lo | desc(u, head + i + 1)->hi) ? VM_BAD : invalidate(u, d.lo, d.hi);
		if (answer != VM_DONE) { /* 6.5.2.11: a time-out aborts the waits that were fetched */
			u->iqh = ((head + (answer == VM_BAD ? i : n - wide)) % 256) << 4;
			queue_stop(u, answer == VM_BAD ? 0x10 : 0x40);
			return false;
		}
		vm_step_between();
	}
	for (u32 i = 0; i < n; i += wide)
		if (is_wait(desc(u, head + i)) && !wait_done(u, desc(u, head + i)))
			return false;
	if ((head + n) % 256 != tail) {
		if (!wait_done(u, desc(u, head + n)))
			return false;
		n += wide;
	}
	u->iqh = ((head + n) % 256) << 4;
	return true;
}

/* The error is cleared: the unit fetches again, at once. */
void vm_queue_resume(struct vm_unit *u)
{
	if (u->bad_slot == u->iqh + 1 && !is_wait(desc(u, u->iqh >> 4)))
		queue_stop(u, 0x10);
}

void vm_queue_work(struct vm_unit *u)
{
	enum vm_failure how = u->fail_left ? u->how : VM_WORKS;

	if (!(u->gsts >> 26 & 1) || (u->errors & 0x50))
		return;
	if (u->fail_left)
		u->fail_left--;
	switch (how) {
	case VM_SILENT:
		return;
	case VM_QUEUE_ERROR: /* until something else stands there */
		u->bad_slot = u->iqh + 1;
		break;
	case VM_DEVICE_TIMEOUT:
		u->iqh = u->iqt;
		queue_stop(u, 0x40);
		return;
	case VM_WORKS:
		break;
	}
	while (u->iqh != u->iqt && segment(u))
		;
}

/* ---- register-based invalidation, 6.5.1 ---- */

/* What a command does, when it is seen to be done. */
static void register_done(struct vm_unit *u, bool context)
{
	u64 *reg = context ? &u->ccmd : &u->iotlb, v = *reg;
	unsigned g = v >> (context ? 61 : 60) & 3, done = context ? 59 : 57;

	*reg &= ~(1ull << 63 | 3ull << done);
	if (u->slow_how != VM_WORKS || !g)
		return;
	vm_write_buffer_drain();
	vm_step_between();
	if (context) {
		vm_drop_contexts(u, g, (u16)v, (u16)(v >> 16));
	} else {
		if (g == 3 && (u->c.no_pages || (u->iva & 0x3f) > u->c.max_mask))
			return;
		vm_drop_translations(u, g, (u16)(v >> 32), u->iva & ~0xfffull, u->iva & 0x3f, u->iva & 0x40);
		vm_drain(u, g, (u16)(v >> 32), !u->c.drain || (v >> 49 & 1), !u->c.drain || (v >> 48 & 1));
	}
	*reg |= (u64)g << done;
	vm_step_between();
}

/* It stays pending until it is read for the third time, or for ever. */
void vm_register_command(struct vm_unit *u, bool context, u64 v)
{
	u64 *reg = context ? &u->ccmd : &u->iotlb;

	vm_counts.descriptors++;
	if ((u->gsts >> 26 & 1) || u->c.version >= 0x60)
		vm_violation("register-based invalidation beside a queue, or where there is none");
	if ((u->ccmd | u->iotlb) >> 63)
		vm_violation("command while another one is pending");
	u->slow_how = u->fail_left ? u->how : VM_WORKS;
	if (u->fail_left)
		u->fail_left--;
	*reg = v;
	u->slow = v >> 63 && u->slow_how != VM_SILENT ? 3 : 0;
}

u32 vm_register_high(struct vm_unit *u, bool context)
{
	u64 *reg = context ? &u->ccmd : &u->iotlb;

	if (*reg >> 63 && u->slow && --u->slow == 0)
		register_done(u, context);
	return (u32)(*reg >> 32);
}

void vm_fail(struct vm_unit *u, enum vm_failure how, unsigned n)
{
	u->how = how;
	u->fail_left = n;
}
