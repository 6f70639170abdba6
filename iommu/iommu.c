// SPDX-License-Identifier: GPL-2.0-only
/*
 * Domains and groups above any unit driver: a group is attached and blocked as a whole, its domain
 * pointer says which, and everything else goes to the driver's ops.
 *
 * The caller (passthrough/) serializes attach, detach and destroy of one group or domain; map and
 * unmap may come from several threads, the driver locks the domain.
 */
#include "iommu/iommu.h"

#define MSI_WINDOW_START 0xfee00000ull
#define MSI_WINDOW_END 0xfeefffffull

static const struct iommu_ops *iommu;
struct mutex iommu_members_lock = MUTEX_INIT(iommu_members_lock);

void iommu_register(const struct iommu_ops *ops)
{
	iommu = ops;
}

int iommu_device_add(struct pci_dev *dev)
{
	return iommu ? iommu->device_add(dev) : 0;
}

int iommu_group_usable(const struct iommu_group *g)
{
	int r = 0;

	if (!iommu)
		return refuse(-EPERM, "group %u: no IOMMU driver", g->id);
	if (!g->ndevs)
		return refuse(-ENODEV, "group %u is empty: its devices were taken out", g->id);
	if (g->too_large)
		return refuse(-EPERM, "group %u has more than the %u devices that can be handed out together", g->id,
			      IOMMU_MAX_GROUP_DEVS);
	for (unsigned i = 0; i < g->ndevs && !r; i++) {
		if (!pci_dev_usable(g->dev[i]))
			r = refuse(-EPERM, "%s is not handed out until power-off: %s", g->dev[i]->name,
				   g->dev[i]->why_broken);
		else
			r = iommu->usable(g->dev[i]);
	}
	return r;
}

static void region_insert(struct iommu_region *out, unsigned *n, unsigned cap, const struct iommu_region *r)
{
	unsigned at = 0;

	while (at < *n && at < cap && out[at].start < r->start)
		at++;
	if (at < *n && at < cap && out[at].start == r->start && out[at].end == r->end && out[at].type == r->type)
		return; /* several functions share a range */
	for (unsigned i = MIN(*n, cap ? cap - 1 : 0); i > at; i--)
		out[i] = out[i - 1];
	if (at < cap)
		out[at] = *r;
	++*n;
}

unsigned iommu_group_regions(const struct iommu_group *g, struct iommu_region *out, unsigned cap)
{
	const struct iommu_region window = { MSI_WINDOW_START, MSI_WINDOW_END, IOMMU_RESV_MSI };
	struct iommu_region found[16];
	unsigned n = 0, k;

	region_insert(out, &n, cap, &window);
	for (unsigned i = 0; iommu && i < g->ndevs && i < IOMMU_MAX_GROUP_DEVS; i++) {
		k = iommu->regions(g->dev[i], found, ARRAY_SIZE(found));
		for (unsigned j = 0; j < MIN(k, ARRAY_SIZE(found)); j++)
			region_insert(out, &n, cap, &found[j]);
	}
	return n;
}

int iommu_domain_create(const struct iommu_group *g, struct iommu_domain **out)
{
	int r = iommu_group_usable(g);

	return r ? r : iommu->domain_create(g->dev[0], out);
}

void iommu_domain_destroy(struct iommu_domain *d)
{
	iommu->domain_destroy(d);
}

void iommu_domain_geometry(const struct iommu_domain *d, struct iommu_geometry *out)
{
	iommu->domain_geometry(d, out);
}

int iommu_attach(struct iommu_domain *d, struct iommu_group *g)
{
	int r = iommu_group_usable(g);

	if (r)
		return r;
	if (g->domain)
		return refuse(-EBUSY, "group %u is attached already", g->id);
	guard_mutex(&iommu_members_lock);
	for (unsigned i = 0; i < g->ndevs && !r; i++) {
		r = iommu->attach_dev(d, g->dev[i]);
		while (r && i-- > 0)
			if (iommu->detach_dev(d, g->dev[i]))
				r = -EIO;
	}
	if (!r)
		g->domain = d;
	return r;
}

int iommu_detach(struct iommu_group *g)
{
	int r = 0;

	if (!g->domain)
		return 0;
	guard_mutex(&iommu_members_lock);
	for (unsigned i = 0; i < g->ndevs; i++)
		if (iommu->detach_dev(g->domain, g->dev[i]))
			r = -EIO;
	g->domain = NULL;
	return r;
}

void iommu_group_quit(struct pci_dev *d)
{
	struct iommu_group *g = d->group;

	guard_mutex(&iommu_members_lock);
	if (g && g->domain && iommu->detach_dev(g->domain, d))
		log_err("%s: its unit failed while it was taken out", d->name);
	iommu_group_leave(d);
}

int iommu_map(struct iommu_domain *d, iova_t iova, paddr_t pa, u64 size, unsigned prot)
{
	return iommu->map(d, iova, pa, size, prot);
}

int iommu_unmap(struct iommu_domain *d, iova_t iova, u64 size)
{
	return iommu->unmap(d, iova, size);
}

bool iommu_iova_to_phys(const struct iommu_domain *d, iova_t iova, paddr_t *pa)
{
	return iommu->iova_to_phys(d, iova, pa);
}

int iommu_irq_map(struct pci_dev *dev, struct irq *irqs, unsigned count, struct iommu_irte **out,
		  struct msi_msg *msg)
{
	if (!iommu)
		return refuse(-EIO, "%s: no IOMMU driver remaps its interrupts", dev->name);
	return iommu->irq_map(dev, irqs, count, out, msg);
}

bool iommu_irq_confined(const struct pci_dev *dev)
{
	return iommu && iommu->irq_confined(dev);
}

int iommu_irq_retarget(struct iommu_irte *e, unsigned i, const struct irq *irq)
{
	return iommu->irq_retarget(e, i, irq);
}

void iommu_irq_unmap(struct iommu_irte *e)
{
	iommu->irq_unmap(e);
}

int iommu_irq_map_gsi(u32 gsi, struct irq *irq, bool level, bool low, struct iommu_irte **out)
{
	if (!iommu)
		return refuse(-ENODEV, "interrupt %u: no IOMMU driver remaps it", gsi);
	return iommu->irq_map_gsi(gsi, irq, level, low, out);
}
