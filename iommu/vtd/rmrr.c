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
 * lies beyond the unit's width, covers RAM that we manage or comes from a damaged structure is not
 * mapped, and the function is never handed out.  An empty one (0 to 0) is skipped.  One that may be
 * anybody's, because its scopes cannot be read, is kept out of every program's addresses.
 *
 * A function behind a bridge that puts its own id in the place of the function's gets a boot domain under
 * both ids, unless another function sends with one of them: the memory would be open to that one too.
 */
#include "iommu/vtd/vtd.h"

#include "kernel/frames.h"

#define CLASS_DISPLAY 0x03 /* base class */
#define CLASS_USB 0x0c03   /* base and sub class */
#define RMRR_MAX (16 * SZ_1G)

/* May the RMRR be this function's? */
static bool hidden(const struct dmar_entry *e, const struct pci_dev *dev)
{
	return e->hides && e->segment == dev->segment && !vtd_entry_covers(e, dev);
}

/* Next RMRR that names the function, or may; *offset as for dmar_next. */
static bool next_rmrr(const struct pci_dev *dev, u32 *offset, struct dmar_entry *e, bool may)
{
	while (vtd_dmar.len && dmar_next(&vtd_dmar, offset, e) > 0)
		if (e->type == DMAR_RMRR && (e->base || e->limit) &&
		    (vtd_entry_covers(e, dev) || (may && hidden(e, dev))))
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
		.type = hidden(e, dev) ? IOMMU_RESV_RESERVED :
			relaxable(dev) ? IOMMU_RESV_DIRECT_RELAXABLE : IOMMU_RESV_DIRECT };
}

unsigned vtd_regions(struct pci_dev *dev, struct iommu_region *out, unsigned cap)
{
	struct dmar_entry e;
	unsigned n = 0;

	for (u32 off = 0; next_rmrr(dev, &off, &e, true); n++)
		if (n < cap)
			out[n] = region_of(&e, dev);
	return n;
}

/* What is wrong with an RMRR for this unit; NULL: nothing. */
static const char *odd(const struct vtd_unit *u, const struct dmar_entry *e, const struct iommu_region *r)
{
	if (e->bad)
		return "comes from a damaged structure";
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

	for (u32 off = 0; next_rmrr(dev, &off, &e, false);) {
		r = region_of(&e, dev);
		why = odd(vtd_dev_of(dev)->unit, &e, &r);
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

/* Another function that sends with one of its ids, bridges included. */
static const struct pci_dev *id_sharer(struct pci_dev *dev)
{
	struct pci_alias mine[PCI_MAX_ALIASES], theirs[PCI_MAX_ALIASES];
	unsigned n = pci_dma_aliases(dev, mine);
	struct pci_dev *other;

	pci_for_each(other) {
		unsigned m = other != dev && other->segment == dev->segment ? pci_dma_aliases(other, theirs) : 0;

		for (unsigned i = 0; i < n * m; i++)
			if (mine[i / m].bus == theirs[i % m].bus && mine[i / m].devfn == theirs[i % m].devfn)
				return other;
	}
	return NULL;
}

static int boot_domain_make(struct vtd_dev *v)
{
	const struct pci_dev *other = id_sharer(v->pci);
	struct iommu_domain *d;
	struct iommu_region r;
	struct dmar_entry e;
	int ret;

	if (other) {
		log_warn("%s shares a requester id with %s: RMRRs of the one would be open to the other", v->pci->name,
			 other->name);
		return -EXDEV;
	}
	ret = vtd_domain_create(v->pci, &d);
	if (ret)
		return ret;
	to_vtd(d)->boot = true;
	for (u32 off = 0; !ret && next_rmrr(v->pci, &off, &e, false);) {
		const char *why;

		r = region_of(&e, v->pci);
		why = odd(v->unit, &e, &r);
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

		if (!v->unit || v->unit->failed || !next_rmrr(dev, &off, &e, false))
			continue;
		r = boot_domain_make(v);
		if (r)
			log_warn("%s: its RMRR (DMAR offset 0x%x) is not mapped (error %d): the device is blocked", dev->name,
				 e.offset, -r);
	}
}
