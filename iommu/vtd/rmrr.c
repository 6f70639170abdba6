// SPDX-License-Identifier: GPL-2.0-only
/*
 * RMRRs (VT-d 8.4): memory that firmware lets a device use.
 *
 * A function with one is not handed out; USB controllers and displays are the exception, they need it
 * only before an operating system runs ("relaxable").  While nobody has attached a function, it stands
 * in a boot domain of its own that maps its RMRRs to themselves and nothing else: before translation
 * goes on, and again after a program's last detach.
 *
 * An RMRR is firmware's claim, not a fact: one that ends before it starts, is larger than any device needs,
 * lies beyond the unit's width or covers RAM that we manage is not mapped, and the function is never
 * handed out.  An empty one (0 to 0) is skipped.  A function whose requests come under other ids
 * (behind a bridge) gets no boot domain: the id is not its alone.
 */
#include "iommu/vtd/vtd.h"

#include "kernel/frames.h"

#define CLASS_DISPLAY 0x03 /* base class */
#define CLASS_USB 0x0c03   /* base and sub class */
#define RMRR_MAX (16 * SZ_1G)

/* Next RMRR that names the function; *offset as for dmar_next. */
static bool next_rmrr(const struct pci_dev *dev, u32 *offset, struct dmar_entry *e)
{
	while (vtd_dmar.len && dmar_next(&vtd_dmar, offset, e) > 0)
		if (e->type == DMAR_RMRR && (e->base || e->limit) && vtd_entry_covers(e, dev))
			return true;
	return false;
}

static bool relaxable(const struct pci_dev *dev)
{
	return dev->class >> 16 == CLASS_DISPLAY || dev->class >> 8 == CLASS_USB;
}

static struct iommu_region region_of(const struct dmar_entry *e, const struct pci_dev *dev)
{
	return (struct iommu_region){
		.start = ALIGN_DOWN(e->base, SZ_4K), .end = e->limit | (SZ_4K - 1),
		.type = relaxable(dev) ? IOMMU_RESV_DIRECT_RELAXABLE : IOMMU_RESV_DIRECT };
}

unsigned vtd_regions(struct pci_dev *dev, struct iommu_region *out, unsigned cap)
{
	struct dmar_entry e;
	unsigned n = 0;

	for (u32 off = 0; next_rmrr(dev, &off, &e); n++)
		if (n < cap)
			out[n] = region_of(&e, dev);
	return n;
}

/* What is wrong with an RMRR for this unit; NULL: nothing. */
static const char *odd(const struct vtd_unit *u, const struct iommu_region *r)
{
	if (r->end < r->start)
		return "ends before it starts";
	if (r->end - r->start >= RMRR_MAX)
		return "is too large to be true";
	if (r->end >> u->caps.width)
		return "lies beyond its unit's addresses";
	for (u64 at = r->start; at < r->end; at += SZ_4K)
		if (frame_is_ram(at))
			return "covers memory that is in use as RAM";
	return NULL;
}

int vtd_rmrr_usable(const struct pci_dev *dev)
{
	struct iommu_region r;
	struct dmar_entry e;
	const char *why;

	for (u32 off = 0; next_rmrr(dev, &off, &e);) {
		r = region_of(&e, dev);
		why = odd(vtd_dev_of(dev)->unit, &r);
		if (why || !relaxable(dev))
			return refuse(-EPERM, "%s: firmware keeps 0x%llx-0x%llx for it (RMRR at DMAR offset 0x%x), and %s%s",
				      dev->name, (unsigned long long)e.base, (unsigned long long)e.limit, e.offset,
				      why ? "that range " : "it is neither USB nor display", why ? why : "");
	}
	return 0;
}

/* Ranges may overlap each other, in part or as doubles: all map to the same. */
static int map_identity(struct iommu_domain *d, const struct iommu_region *r)
{
	int ret = vtd_map(d, r->start, r->start, r->end + 1 - r->start, PT_READ | PT_WRITE);

	for (u64 at = r->start; ret == -EEXIST && at < r->end; at += SZ_4K) {
		ret = vtd_map(d, at, at, SZ_4K, PT_READ | PT_WRITE);
		if (!ret)
			ret = -EEXIST;
	}
	return ret == -EEXIST ? 0 : ret;
}

static int boot_domain_make(struct vtd_dev *v)
{
	struct pci_alias alias[PCI_MAX_ALIASES];
	struct iommu_domain *d;
	struct iommu_region r;
	struct dmar_entry e;
	int ret;

	if (pci_dma_aliases(v->pci, alias) > 1)
		return -EXDEV;
	ret = vtd_domain_create(v->pci, &d);
	if (ret)
		return ret;
	to_vtd(d)->boot = true;
	for (u32 off = 0; !ret && next_rmrr(v->pci, &off, &e);) {
		const char *why;

		r = region_of(&e, v->pci);
		why = odd(v->unit, &r);
		if (why)
			log_warn("DMAR offset 0x%x: the RMRR 0x%llx-0x%llx of %s %s: not mapped", e.offset,
				 (unsigned long long)e.base, (unsigned long long)e.limit, v->pci->name, why);
		else
			ret = map_identity(d, &r);
	}
	if (!ret)
		ret = vtd_attach_dev(d, v->pci);
	if (ret)
		vtd_domain_destroy(d);
	else
		v->boot = to_vtd(d);
	return ret;
}

void vtd_rmrr_boot(void)
{
	struct dmar_entry e;
	struct pci_dev *dev;

	pci_for_each(dev) {
		struct vtd_dev *v = vtd_dev_of(dev);
		u32 off = 0;
		int r;

		if (!v->unit || v->unit->failed || !next_rmrr(dev, &off, &e))
			continue;
		r = boot_domain_make(v);
		if (r)
			log_warn("%s: its RMRR (DMAR offset 0x%x) is not mapped (error %d): the device is blocked", dev->name,
				 e.offset, -r);
	}
}
