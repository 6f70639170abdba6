// SPDX-License-Identifier: GPL-2.0-only
/*
 * PASID directories and tables (VT-d 9.5, 9.6), for units in scalable mode: what a context entry points
 * to there, instead of to page tables.
 *
 * A domain has one directory and one table on each unit, with one entry: PASID 0, as which requests
 * without a PASID are treated (RID_PASID of the context entry).  All devices of the domain share them.
 * They are complete before a context entry leads to them, never change, and go after the unit has
 * forgotten the last one; so no order of writes matters here.  Requests with a PASID, and requests
 * for execution or as supervisor, stay blocked.
 */
#include "iommu/vtd/vtd.h"

#include "kernel/frames.h"

struct pasid_entry {
	u64 val[8];
};
_Static_assert(sizeof(struct pasid_entry) == 64, "VT-d 9.6");

int vtd_pasid_make(struct vtd_unit *u, const struct vtd_domain *d, u16 did, paddr_t *directory)
{
	paddr_t dir = frame_alloc(SZ_4K), table = dir == FRAME_NONE ? FRAME_NONE : frame_alloc(SZ_4K);
	struct pasid_entry *e;
	u64 *slot;

	if (table == FRAME_NONE) {
		if (dir != FRAME_NONE)
			frame_put(dir);
		return -ENOMEM;
	}
	e = phys_to_virt(table);
	e->val[0] = VTD_PASID_P | FIELD_PREP(VTD_PASID_AW, u->caps.first_stage ? u->caps.first_aw : d->pt.levels - 2u);
	e->val[1] = FIELD_PREP(VTD_PASID_DID, did) | (u->caps.walk_coherent ? VTD_PASID_PWSNP : 0);
	if (u->caps.first_stage) {
		e->val[0] |= FIELD_PREP(VTD_PASID_PGTT, VTD_PGTT_FIRST);
		e->val[1] |= d->geometry.snoop ? VTD_PASID_PGSNP : 0; /* second stage: a bit in each leaf */
		e->val[2] = d->pt.root; /* FSPM 0: 4 levels */
	} else {
		e->val[0] |= FIELD_PREP(VTD_PASID_PGTT, VTD_PGTT_SECOND) | d->pt.root;
	}
	vtd_sync(u, e, SZ_4K);
	slot = phys_to_virt(dir);
	*slot = table | VTD_PASID_P;
	vtd_sync(u, slot, SZ_4K);
	*directory = dir;
	return 0;
}

paddr_t vtd_pasid_table(paddr_t directory)
{
	return *(u64 *)phys_to_virt(directory) & VTD_ADDR;
}

void vtd_pasid_free(paddr_t directory)
{
	frame_put(vtd_pasid_table(directory));
	frame_put(directory);
}
