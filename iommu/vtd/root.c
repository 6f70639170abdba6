// SPDX-License-Identifier: GPL-2.0-only
/*
 * Root and context tables in legacy mode (VT-d 9.1, 9.3): which domain a requester id belongs to.
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

/* The context entry, or NULL when its bus has no table. unit->lock is held. */
static struct vtd_entry *context_find(struct vtd_unit *u, u16 rid)
{
	u64 root = u->root[rid >> 8].lo;

	if (!(root & VTD_ROOT_P))
		return NULL;
	return (struct vtd_entry *)phys_to_virt(root & VTD_ADDR) + (rid & 0xff);
}

static int table_add(struct vtd_unit *u, u8 bus)
{
	paddr_t table = frame_alloc(SZ_4K);

	if (table == FRAME_NONE)
		return -ENOMEM;
	vtd_sync(u, phys_to_virt(table), SZ_4K);
	WRITE_ONCE(u->root[bus].lo, table | VTD_ROOT_P);
	vtd_sync(u, &u->root[bus], sizeof(u->root[bus]));
	return 0;
}

int vtd_context_set(struct vtd_unit *u, u16 rid, paddr_t root, unsigned levels, u16 did)
{
	struct vtd_entry want = {
		.lo = root | VTD_CONTEXT_P, /* TT 0: translated requests and ATS are blocked */
		.hi = FIELD_PREP(VTD_CONTEXT_AW, levels - 2) | FIELD_PREP(VTD_CONTEXT_DID, did),
	};
	struct vtd_entry *e;
	bool irq = spin_lock(&u->lock);
	int r = 0;

	e = context_find(u, rid);
	if (!e) {
		r = table_add(u, (u8)(rid >> 8));
		e = r ? NULL : context_find(u, rid);
	}
	if (e && (e->lo & VTD_CONTEXT_P)) {
		r = e->lo == want.lo && e->hi == want.hi ? 0 : -EBUSY;
	} else if (e) {
		WRITE_ONCE(e->hi, want.hi);
		arch_wmb();
		WRITE_ONCE(e->lo, want.lo);
		vtd_sync(u, e, sizeof(*e));
	}
	spin_unlock(&u->lock, irq);
	return r;
}

bool vtd_context_clear(struct vtd_unit *u, u16 rid)
{
	bool irq = spin_lock(&u->lock), present = false;
	struct vtd_entry *e = context_find(u, rid);

	if (e) {
		present = e->lo & VTD_CONTEXT_P;
		WRITE_ONCE(e->lo, 0);
		arch_wmb();
		WRITE_ONCE(e->hi, 0);
		vtd_sync(u, e, sizeof(*e));
	}
	spin_unlock(&u->lock, irq);
	return present;
}

bool vtd_context_get(struct vtd_unit *u, u16 rid, struct vtd_entry *out)
{
	bool irq = spin_lock(&u->lock);
	struct vtd_entry *e = context_find(u, rid);

	if (e)
		*out = *e;
	spin_unlock(&u->lock, irq);
	return e && (out->lo & VTD_CONTEXT_P);
}
