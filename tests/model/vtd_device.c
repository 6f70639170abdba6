/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Functions with a TLB of their own (ATS): they ask the unit for translations, keep every one until a
 * device-TLB invalidation names it, and send requests with translated addresses, of which a unit
 * looks at nothing but whether the requester's context entry allows them.
 */
#include <stdlib.h>

#include "tests/model/vtd_model.h"

struct vm_device *vm_device_find(struct vm_unit *u, u16 sid)
{
	struct vm_device *d;

	LIST_FOREACH(d, &u->devices, link)
		if (d->sid == sid)
			return d;
	return NULL;
}

static void forget(struct vm_device *d, u64 iova, u64 last)
{
	struct vm_translation *t, *next;

	for (t = LIST_FIRST(&d->tlb); t; t = next) {
		next = LIST_NEXT(t, link);
		if (t->iova > last || t->iova + (t->size - 1) < iova)
			continue;
		LIST_REMOVE(t, link);
		free(t);
	}
}

void vm_device_add(struct vm_unit *u, u16 sid, u8 depth)
{
	struct vm_device *d = calloc(1, sizeof(*d));

	d->sid = sid;
	d->depth = depth;
	LIST_INSERT_HEAD(&u->devices, d, link);
}

void vm_device_enable(struct vm_unit *u, u16 sid, bool on)
{
	struct vm_device *d = vm_device_find(u, sid);
	const struct vm_context *c = vm_context(u, sid);

	if (on && !d->on)
		forget(d, 0, ~0ull);
	if (on && (!(u->gsts >> 31) || c->reason || !(c->e.lo & 4)))
		vm_violation("ATS is on before the context entry allows it");
	d->on = on;
}

void vm_device_mute(struct vm_unit *u, u16 sid, bool mute)
{
	vm_device_find(u, sid)->mute = mute;
}

/* The whole of 6.5.2.5. */
enum vm_answer vm_device_invalidate(struct vm_unit *u, u64 lo, u64 hi)
{
	u16 sid = (u16)(lo >> 32), pf = (u16)((lo >> 12 & 0xf) | (lo >> 48 & 0xfff0));
	struct vm_device *d = vm_device_find(u, sid);
	u64 mask = 0xfff, iova;

	if (!u->c.device_tlb || (lo & 0xf0000ffe00ff0ull) || (hi & 0xffe))
		return VM_BAD;
	if (pf != (u->c.throttle ? sid : 0))
		vm_violation("device-TLB invalidation: physical function");
	if (!d) {
		vm_violation("device-TLB invalidation of a function that has none");
		return VM_BAD;
	}
	if ((lo >> 16 & 0x1f) != d->depth)
		vm_violation("device-TLB invalidation: not the function's queue depth");
	if (d->mute)
		return VM_NO_ANSWER;
	if (hi & 1) { /* the lowest zero among the address bits */
		u64 size = 0x1000;

		while (size && (hi & size))
			size <<= 1;
		mask = 2 * size - 1; /* bit 63: all of it */
	}
	iova = hi & ~mask & ~0xfffull;
	forget(d, iova, iova | mask);
	for (unsigned i = 0; i < 16; i++)
		if (u->flight[i].translated && u->flight[i].sid == sid && (u->flight[i].iova & ~mask) == iova)
			u->flight[i].busy = false;
	return VM_DONE;
}

bool vm_translated(struct vm_unit *u, u16 sid, u64 pa, u64 iova, bool write)
{
	const struct vm_context *c = vm_context(u, sid);
	u8 reason = c->reason;

	if (!(u->gsts >> 31))
		return true;
	if (!reason && !(c->e.lo & 4))
		reason = vm_scalable(u) ? 0x44 : 0xd;
	if (reason) {
		vm_fault(u, sid, pa & ~0xfffull, write, reason);
		return false;
	}
	u->flight[u->flight_next++ % 16] = (struct vm_flight){ .sid = sid, .write = write, .busy = true,
							       .translated = true, .iova = iova };
	return true;
}

/* Asks for a translation; one that allows nothing is not kept, and is no fault. */
static struct vm_translation *ask(struct vm_unit *u, struct vm_device *d, u64 iova, bool write)
{
	const struct vm_translation *got;
	struct vm_translation *t;
	struct vm_stage s;
	u8 reason = vm_lookup(u, d->sid, iova, true, &s, &got);

	if (reason) {
		vm_fault(u, d->sid, iova & ~0xfffull, write, reason);
		return NULL;
	}
	if (got->reason || (!got->read && !got->write))
		return NULL;
	t = malloc(sizeof(*t));
	*t = *got;
	LIST_INSERT_HEAD(&d->tlb, t, link);
	return t;
}

bool vm_device_dma(struct vm_unit *u, u16 sid, u64 iova, bool write, paddr_t *pa)
{
	struct vm_device *d = vm_device_find(u, sid);
	struct vm_translation *t;

	if (!d || !d->on)
		return vm_dma(u, sid, iova, write, pa);
	LIST_FOREACH(t, &d->tlb, link)
		if (iova - t->iova < t->size && (write ? t->write : t->read))
			break;
	if (!t)
		t = ask(u, d, iova, write);
	if (!t || !(write ? t->write : t->read))
		return false;
	*pa = t->to + (iova - t->iova);
	return vm_translated(u, sid, *pa, iova, write);
}

void vm_devices_forget(struct vm_unit *u)
{
	struct vm_device *d;

	while ((d = LIST_FIRST(&u->devices))) {
		forget(d, 0, ~0ull);
		LIST_REMOVE(d, link);
		free(d);
	}
}
