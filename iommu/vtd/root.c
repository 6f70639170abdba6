// SPDX-License-Identifier: GPL-2.0-only
/*
 * Root and context tables (VT-d 9.1 to 9.4): which domain a requester id belongs to.  In scalable mode
 * a bus has two tables of 128 wider entries, one for each half of its functions.
 *
 * A bus without an attached device has a not-present root entry, a requester id that nobody owns a
 * not-present context entry: blocked is the state of everything that is not attached.  Context
 * tables stay once they are made.
 *
 * Order.  The unit may read an entry between any two of our writes.  Set-up: high half (domain id,
 * width), then low half with the present bit; teardown: low half to zero first.  On a unit that does
 * not snoop the entry is then written back; both halves lie in one cache line, and a line that goes
 * to memory early holds the stores in program order.  The invalidations are the caller's.
 */
#include "iommu/vtd/vtd.h"

#include "kernel/frames.h"

/* The half of the root entry that leads to the requester's context table. */
static u64 *root_slot(struct vtd_unit *u, u16 rid)
{
	struct vtd_entry *e = &u->root[rid >> 8];

	return u->caps.scalable && (rid & 0x80) ? &e->hi : &e->lo;
}

/* The context entry, or NULL when its bus has no table. unit->lock is held. */
static struct vtd_entry *context_find(struct vtd_unit *u, u16 rid)
{
	u64 root = *root_slot(u, rid);

	if (!(root & VTD_ROOT_P))
		return NULL;
	return (struct vtd_entry *)phys_to_virt(root & VTD_ADDR) + (u->caps.scalable ? 2 * (rid & 0x7f) : rid & 0xff);
}

static int table_add(struct vtd_unit *u, u16 rid)
{
	paddr_t table = frame_alloc(SZ_4K);
	u64 *slot = root_slot(u, rid);

	if (table == FRAME_NONE)
		return -ENOMEM;
	vtd_sync(u, phys_to_virt(table), SZ_4K);
	WRITE_ONCE(*slot, table | VTD_ROOT_P);
	vtd_sync(u, slot, sizeof(*slot));
	return 0;
}

struct vtd_entry vtd_context_entry(const struct vtd_dev *v, const struct vtd_presence *p)
{
	const struct vtd_domain *d = v->domain;
	u64 low = VTD_CONTEXT_P | (vtd_ats_wanted(v) ? VTD_CONTEXT_DT : 0);

	if (p->unit->caps.scalable)
		return (struct vtd_entry){ p->pasid | low, 0 }; /* no PASIDs; RID_PASID 0 */
	return (struct vtd_entry){
		.lo = d->pt.root | low,
		.hi = FIELD_PREP(VTD_CONTEXT_AW, d->pt.levels - 2) | FIELD_PREP(VTD_CONTEXT_DID, p->did),
	};
}

void vtd_entry_set(struct vtd_unit *u, struct vtd_entry *e, struct vtd_entry want)
{
	WRITE_ONCE(e->hi, want.hi);
	arch_wmb();
	WRITE_ONCE(e->lo, want.lo);
	vtd_sync(u, e, sizeof(*e));
}

int vtd_context_set(struct vtd_unit *u, u16 rid, struct vtd_entry want)
{
	struct vtd_entry *e;

	guard_spin(&u->lock);
	if (!context_find(u, rid) && table_add(u, rid))
		return -ENOMEM;
	e = context_find(u, rid);
	if (e->lo & VTD_CONTEXT_P)
		return e->lo == want.lo && e->hi == want.hi ? 0 : -EBUSY;
	vtd_entry_set(u, e, want);
	return 0;
}

void vtd_context_clear(struct vtd_unit *u, u16 rid)
{
	struct vtd_entry *e;

	guard_spin(&u->lock);
	e = context_find(u, rid);
	if (!e)
		return;
	WRITE_ONCE(e->lo, 0);
	vtd_sync(u, e, sizeof(*e));
}

bool vtd_context_get(struct vtd_unit *u, u16 rid, struct vtd_entry *out)
{
	struct vtd_entry *e;

	guard_spin(&u->lock);
	e = context_find(u, rid);
	if (e)
		*out = *e;
	return e && (out->lo & VTD_CONTEXT_P);
}
