// SPDX-License-Identifier: GPL-2.0-only
/*
 * One remapping unit: its abilities decoded once, its global commands, and its start.
 *
 * Start never leaves a moment in which a device is let through: a unit that firmware left running
 * keeps translating while its root table, queue and interrupt table are replaced, each followed by
 * the global invalidations that the manual asks for (6.6, 11.4.5).  Our first root table holds the
 * boot domains of RMRRs; everything else is not-present, so blocked until a group is attached.  Only
 * a unit that firmware left in another table mode has to be turned off in between; bus masters are
 * off by then (pci_init).
 */
#include "iommu/vtd/vtd.h"

#include "kernel/frames.h"
#include "kernel/options.h"

int vtd_wait(struct vtd_unit *u, u32 reg, const char *name, u32 mask, u32 expect)
{
	u64 deadline = arch_now_ns() + VTD_TIMEOUT_NS;
	u32 v;

	while (((v = rd32(&u->mmio, reg)) & mask) != expect) {
		if (arch_now_ns() > deadline) {
			vtd_log(3, u, "register %s (0x%x) mask 0x%x: expected 0x%x, saw 0x%x after %llu ms",
				name, reg, mask, expect, v, VTD_TIMEOUT_NS / NS_PER_MS);
			return -ETIMEDOUT;
		}
		arch_cpu_relax();
	}
	return 0;
}

int vtd_gcmd(struct vtd_unit *u, u32 set, u32 clear, u32 mask, u32 expect)
{
	u32 status = rd32(&u->mmio, VTD_GSTS) & VTD_GSTS_KEEP;

	wr32(&u->mmio, VTD_GCMD, (status & ~clear) | set);
	return vtd_wait(u, VTD_GSTS, "GSTS", mask, expect);
}

void vtd_sync(struct vtd_unit *u, const void *p, size_t n)
{
	if (!u->caps.coherent)
		arch_cache_flush(p, n);
	else
		arch_wmb();
}

int vtd_flush_write_buffer(struct vtd_unit *u)
{
	if (!u->caps.write_buffer)
		return 0;
	guard_spin(&u->queue_lock);
	if (!vtd_gcmd(u, VTD_G_WBF, 0, VTD_G_WBF, 0))
		return 0;
	u->failed = true;
	return -EIO;
}

static void unit_print(const struct vtd_unit *u)
{
	const struct vtd_caps *c = &u->caps;

	vtd_log(6, u, "segment %u%s, %s%u-level, %u bits, 4K%s%s%s%s%s%s, %u domains, %scoherent%s%s%s%s%s%s%s, "
		"%u fault record%s", u->segment, u->include_all ? " (all devices)" : "",
		!c->scalable ? "" : c->first_stage ? "scalable first-stage " : "scalable ", c->levels, c->width,
		c->max_leaf >= 2 ? " 2M" : "", c->max_leaf >= 3 ? " 1G" : "", c->queued ? ", QI" : "",
		c->remap ? ", IR" : "", c->remap && c->eim ? " x2APIC" : "",
		c->remap && c->posted ? " posted" : "", c->domains,
		c->coherent && c->walk_coherent ? "" : "not ", c->snoop ? ", snoop control" : "",
		c->page_selective ? ", page-selective" : "", c->caching_mode ? ", caching mode" : "",
		c->write_buffer ? ", write buffer" : "", c->drain_read || c->drain_write ? ", drains" : "",
		c->device_tlb ? ", device TLBs" : "",
		c->protected_regions ? ", protected regions" : "", c->fault_records,
		c->fault_records == 1 ? "" : "s");
}

/*
 * Scalable mode is for units that have no legacy tables or that firmware left running in it (so that
 * nothing is switched off), and for who asks for it.
 */
static bool scalable_wanted(struct vtd_unit *u, u64 ecap, unsigned legacy_levels)
{
	const char *option = option_get("intel_iommu");
	bool running = (rd32(&u->mmio, VTD_GSTS) & VTD_G_TE) &&
		       FIELD_GET(VTD_RTADDR_TTM, rd64(&u->mmio, VTD_RTADDR)) == VTD_TTM_SCALABLE;

	return (ecap & VTD_ECAP_SMTS) && (ecap & VTD_ECAP_QI) && (ecap & (VTD_ECAP_SSTS | VTD_ECAP_FSTS)) &&
	       (running || !legacy_levels || (option && strstr(option, "sm_on")));
}

/* First-stage addresses are canonical (3.6): of the 48 bits the top one must be 0 for us. */
static void scalable_decode(struct vtd_caps *c, u64 cap, u64 ecap)
{
	u32 mgaw = (u32)FIELD_GET(VTD_CAP_MGAW, cap) + 1;

	c->scalable = true;
	c->walk_coherent = ecap & VTD_ECAP_SMPWC;
	c->first_stage = (ecap & VTD_ECAP_FSTS) && (!(ecap & VTD_ECAP_SSTS) || !c->levels);
	if (c->first_stage) {
		c->first_aw = (u8)(c->levels ? c->levels - 2 : 0);
		c->levels = 4;
		c->all_levels = BIT(4);
		c->max_leaf = cap & VTD_CAP_FS1GP ? 3 : 2;
	}
	c->width = (u8)(MIN(12u + 9u * c->levels, mgaw) - c->first_stage);
}

/* Abilities (11.4.2, 11.4.3); -ENODEV: these are not a unit's registers, or it cannot be driven. */
int vtd_unit_decode(struct vtd_unit *u)
{
	u32 ver = rd32(&u->mmio, VTD_VER);
	u64 cap = rd64(&u->mmio, VTD_CAP), ecap = rd64(&u->mmio, VTD_ECAP);
	u64 sagaw = FIELD_GET(VTD_CAP_SAGAW, cap), leaves = FIELD_GET(VTD_CAP_SSLPS, cap);
	struct vtd_caps *c = &u->caps;
	bool invalidates;

	if (!FIELD_GET(VTD_VER_MAX, ver) || cap == ~0ull || ecap == ~0ull) {
		vtd_log(3, u, "no remapping unit answers (VER 0x%x, CAP 0x%llx): its devices stay blocked by bus "
			"mastering only", ver, (unsigned long long)cap);
		return -ENODEV;
	}
	*c = (struct vtd_caps){
		.levels = sagaw & BIT(2) ? 4 : sagaw & BIT(1) ? 3 : sagaw & BIT(3) ? 5 : 0,
		.all_levels = (u8)(sagaw << 2 & 0x38),
		.max_leaf = (leaves & 3) == 3 ? 3 : leaves & 1 ? 2 : 1,
		.coherent = ecap & VTD_ECAP_C, .queued = ecap & VTD_ECAP_QI, .remap = ecap & VTD_ECAP_IR,
		.eim = ecap & VTD_ECAP_EIM, .snoop = ecap & VTD_ECAP_SC, .caching_mode = cap & VTD_CAP_CM,
		.write_buffer = cap & VTD_CAP_RWBF, .page_selective = cap & VTD_CAP_PSI,
		.drain_read = cap & VTD_CAP_DRD, .drain_write = cap & VTD_CAP_DWD,
		.posted = cap & VTD_CAP_PI, .device_tlb = ecap & VTD_ECAP_QI && ecap & VTD_ECAP_DT,
		.throttle = ecap & VTD_ECAP_DIT,
		.protected_regions = cap & (VTD_CAP_PLMR | VTD_CAP_PHMR),
		.max_mask = (u8)FIELD_GET(VTD_CAP_MAMV, cap),
		.domains = 1u << MIN(4 + 2 * FIELD_GET(VTD_CAP_ND, cap), 16),
		.fault_offset = (u32)FIELD_GET(VTD_CAP_FRO, cap) * 16,
		.fault_records = (u32)FIELD_GET(VTD_CAP_NFR, cap) + 1,
		.iotlb_offset = (u32)FIELD_GET(VTD_ECAP_IRO, ecap) * 16,
	};
	c->remap &= c->queued; /* 11.4.3: entries can be invalidated by descriptors only */
	c->walk_coherent = c->coherent;
	if (scalable_wanted(u, ecap, c->levels))
		scalable_decode(c, cap, ecap);
	else
		c->width = (u8)MIN(12u + 9u * c->levels, FIELD_GET(VTD_CAP_MGAW, cap) + 1);
	unit_print(u);
	invalidates = c->queued || FIELD_GET(VTD_VER_MAX, ver) < VTD_VER_NO_REGISTERS;
	if (!c->levels || c->width < 32 || !invalidates) {
		vtd_log(3, u, "cannot be driven: %s; its devices are never handed out",
			invalidates ? "no second-level tables of 3, 4 or 5 levels" :
			"neither an invalidation queue nor registers");
		return -ENODEV;
	}
	return 0;
}

static u64 table_mode(const struct vtd_unit *u)
{
	return u->caps.scalable ? VTD_TTM_SCALABLE : VTD_TTM_LEGACY;
}

/* 11.4.5: the table mode changes only while translation is off. */
static int firmware_mode_leave(struct vtd_unit *u)
{
	u64 mode = FIELD_GET(VTD_RTADDR_TTM, rd64(&u->mmio, VTD_RTADDR));

	if (!(rd32(&u->mmio, VTD_GSTS) & VTD_G_TE) || mode == table_mode(u))
		return 0;
	vtd_log(4, u, "firmware left translation on in table mode %llu: off while tables are replaced, "
		"bus masters are off", (unsigned long long)mode);
	return vtd_gcmd(u, 0, VTD_G_TE, VTD_G_TE, 0);
}

static int root_start(struct vtd_unit *u)
{
	struct vtd_entry inv[3];
	unsigned n = 0;
	int r;

	wr64(&u->mmio, VTD_RTADDR, virt_to_phys(u->root) | FIELD_PREP(VTD_RTADDR_TTM, table_mode(u)));
	r = vtd_gcmd(u, VTD_G_SRTP, 0, VTD_G_SRTP, VTD_G_SRTP);
	if (r)
		return r;
	/* 6.6; the unit keeps this order (6.5.2.12). */
	inv[n++] = vtd_inv_context_global();
	if (u->caps.scalable)
		inv[n++] = vtd_inv_pasid_global();
	inv[n++] = vtd_inv_iotlb_global(u);
	return vtd_queue_run(u, inv, n);
}

int vtd_unit_tables(struct vtd_unit *u)
{
	paddr_t root = frame_alloc(SZ_4K);

	u->did_bitmap = kcalloc((u->caps.domains + 63) / 64, sizeof(u64));
	if (root == FRAME_NONE || !u->did_bitmap)
		return -ENOMEM; /* at boot, once: the unit stays as it is and hands out nothing */
	u->root = phys_to_virt(root);
	u->did_bitmap[0] = 1; /* 6.1: id 0 is the unit's own under caching mode; we never use it */
	u->did_next = 1;
	vtd_sync(u, u->root, SZ_4K);
	return 0;
}

int vtd_unit_start(struct vtd_unit *u)
{
	u32 status = rd32(&u->mmio, VTD_GSTS);
	int r;

	wr32(&u->mmio, VTD_FECTL, VTD_FECTL_IM);
	if (status & (VTD_G_TE | VTD_G_IRE))
		vtd_log(6, u, "taking over from firmware: translation %s, interrupt remapping %s",
			status & VTD_G_TE ? "on" : "off", status & VTD_G_IRE ? "on" : "off");
	r = firmware_mode_leave(u);
	if (!r && (status & VTD_G_EAFL)) /* 11.4.4.1: faults go to the records again */
		r = vtd_gcmd(u, 0, VTD_G_EAFL, VTD_G_EAFL, 0);
	if (!r)
		r = vtd_queue_start(u);
	if (!r)
		r = root_start(u);
	if (!r && u->caps.remap)
		r = vtd_remap_start(u);
	if (!r && !(rd32(&u->mmio, VTD_GSTS) & VTD_G_TE))
		r = vtd_gcmd(u, VTD_G_TE, 0, VTD_G_TE, VTD_G_TE);
	/* 11.4.8.1: protected regions guard DMA before translation is on, and stand in its way afterwards. */
	if (!r && u->caps.protected_regions && (rd32(&u->mmio, VTD_PMEN) & VTD_PMEN_PRS)) {
		wr32(&u->mmio, VTD_PMEN, rd32(&u->mmio, VTD_PMEN) & ~(u32)VTD_PMEN_EPM);
		r = vtd_wait(u, VTD_PMEN, "PMEN", VTD_PMEN_PRS, 0);
	}
	if (!r)
		r = vtd_fault_start(u);
	if (r) {
		u->failed = true;
		vtd_log(3, u, "start failed (error %d): its devices are never handed out", -r);
		return r;
	}
	u->on = true;
	return 0;
}
