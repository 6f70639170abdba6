// SPDX-License-Identifier: GPL-2.0-only
/*
 * Register-based invalidation (VT-d 6.5.1), for units without a queue: the same descriptors as
 * queue.c's, each carried out by writing a command register and waiting until the unit has cleared
 * its "go" bit.  One command is complete before the next is written, so a fence is nothing to do.
 *
 * The unit says how much it really dropped; "nothing" means that it took the request for an error.
 * A command that does not end cannot be tried again (11.4.6.1: software must not touch the register
 * before), so every failure here is final.  There is no command for interrupt entries: a unit
 * without a queue does not remap interrupts.
 */
#include "iommu/vtd/vtd.h"

/* The upper halves, which are polled, hold the bits 63:32. */
static int command(struct vtd_unit *u, u32 reg, const char *name, u64 value, u64 actual)
{
	int r;

	wr64(&u->mmio, reg, value | VTD_INV_GO);
	r = vtd_wait(u, reg + 4, name, (u32)(VTD_INV_GO >> 32), 0);
	if (!r && !(rd64(&u->mmio, reg) & actual)) {
		vtd_log(3, u, "register %s (0x%x) refused the invalidation 0x%llx", name, reg, (unsigned long long)value);
		r = -EIO;
	}
	return r;
}

static int context(struct vtd_unit *u, const struct vtd_entry *d)
{
	return command(u, VTD_CCMD, "CCMD",
		       FIELD_PREP(VTD_CCMD_CIRG, FIELD_GET(VTD_DESC_G, d->lo)) |
		       FIELD_PREP(VTD_CCMD_SID, FIELD_GET(VTD_DESC_SID, d->lo)) |
		       FIELD_PREP(VTD_CCMD_DID, FIELD_GET(VTD_DESC_DID, d->lo)), VTD_CCMD_CAIG);
}

static int iotlb(struct vtd_unit *u, const struct vtd_entry *d)
{
	if (FIELD_GET(VTD_DESC_G, d->lo) == VTD_G_SELECTIVE)
		wr64(&u->mmio, u->caps.iotlb_offset, d->hi); /* IVA has the descriptor's upper half */
	return command(u, u->caps.iotlb_offset + 8, "IOTLB",
		       FIELD_PREP(VTD_IOTLB_IIRG, FIELD_GET(VTD_DESC_G, d->lo)) |
		       FIELD_PREP(VTD_IOTLB_DID, FIELD_GET(VTD_DESC_DID, d->lo)) |
		       (d->lo & VTD_DESC_DR ? VTD_IOTLB_DR : 0) | (d->lo & VTD_DESC_DW ? VTD_IOTLB_DW : 0),
		       VTD_IOTLB_IAIG);
}

int vtd_inv_registers(struct vtd_unit *u, const struct vtd_entry *d, unsigned n)
{
	int r = 0;

	for (unsigned i = 0; i < n && !r; i++) {
		switch (d[i].lo & VTD_DESC_TYPE) {
		case VTD_DESC_CONTEXT:
			r = context(u, &d[i]);
			break;
		case VTD_DESC_IOTLB:
			r = iotlb(u, &d[i]);
			break;
		case VTD_DESC_WAIT:
			break;
		default:
			r = -EIO;
		}
	}
	return r;
}
