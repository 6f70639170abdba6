/* SPDX-License-Identifier: GPL-2.0-only */
/* See vfio_iommu.h. Ranges are as iommu_map() gave them: whole ones are unmapped. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/host/vfio_iommu.h"

struct range {
	struct range *next;
	u64 iova, size;
	paddr_t pa;
};
struct iommu_domain {
	struct range *ranges;
	unsigned devs;
};
struct iommu_irte {
	struct pci_dev *dev;
	unsigned count;
	u32 gsi; /* without dev */
};
struct vr_iommu vr_iommu;

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "fake iommu: %s\n", what);
	abort();
}

static int domain_create(struct pci_dev *dev, struct iommu_domain **out)
{
	(void)dev;
	if (vr_iommu.fail_create && --vr_iommu.fail_create == 0)
		return -ENOMEM;
	*out = calloc(1, sizeof(**out));
	vr_iommu.domains++;
	return 0;
}

static void domain_destroy(struct iommu_domain *d)
{
	must(!d->devs, "a domain goes while devices are in it");
	while (d->ranges) {
		struct range *r = d->ranges;

		vr_iommu.pages -= r->size / PAGE_SIZE;
		d->ranges = r->next;
		free(r);
	}
	vr_iommu.domains--;
	free(d);
}

static void geometry(const struct iommu_domain *d, struct iommu_geometry *out)
{
	(void)d;
	*out = (struct iommu_geometry){ .aperture_end = (1ull << 48) - 1, .pgsizes = 0x40201000 };
}

static int attach(struct iommu_domain *d, struct pci_dev *dev)
{
	(void)dev;
	if (vr_iommu.fail_attach && --vr_iommu.fail_attach == 0)
		return -ENOSPC;
	d->devs++;
	vr_iommu.attached++;
	return 0;
}

static int detach(struct iommu_domain *d, struct pci_dev *dev)
{
	must(!(pci_read16(dev, PCI_COMMAND) & PCI_COMMAND_MASTER) || vr_fn(VR_NVME)->gone,
	     "a device is taken out of its domain while it is bus master");
	d->devs--;
	vr_iommu.attached--;
	return vr_iommu.fail_detach ? -EIO : 0;
}

static int map(struct iommu_domain *d, iova_t iova, paddr_t pa, u64 size, unsigned prot)
{
	struct range *r = malloc(sizeof(*r));

	(void)prot;
	must(size && IS_ALIGNED(iova | pa | size, PAGE_SIZE) && iova + size - 1 < 1ull << 48, "a mapping's bounds");
	for (const struct range *o = d->ranges; o; o = o->next)
		must(iova >= o->iova + o->size || o->iova >= iova + size, "a page is mapped twice");
	for (u64 i = 0; i < size; i += PAGE_SIZE)
		must(frame_in_use(pa + i), "a free page is mapped");
	*r = (struct range){ d->ranges, iova, size, pa };
	d->ranges = r;
	vr_iommu.pages += size / PAGE_SIZE;
	return 0;
}

static int unmap(struct iommu_domain *d, iova_t iova, u64 size)
{
	struct range **at = &d->ranges;

	while (*at) {
		struct range *r = *at;

		if (r->iova + r->size <= iova || r->iova >= iova + size) {
			at = &r->next;
			continue;
		}
		must(r->iova >= iova && r->iova + r->size <= iova + size, "part of a mapping is unmapped");
		must(frame_in_use(r->pa), "unpinned before it is unmapped");
		vr_iommu.pages -= r->size / PAGE_SIZE;
		*at = r->next;
		free(r);
	}
	return 0;
}

static bool walk(const struct iommu_domain *d, iova_t iova, paddr_t *pa)
{
	for (const struct range *r = d->ranges; r; r = r->next) {
		if (iova < r->iova || iova >= r->iova + r->size)
			continue;
		*pa = r->pa + (iova - r->iova);
		return true;
	}
	return false;
}

static int device_add(struct pci_dev *dev)
{
	(void)dev;
	return 0;
}

static int usable(struct pci_dev *dev)
{
	(void)dev;
	return 0;
}

static unsigned regions(struct pci_dev *dev, struct iommu_region *out, unsigned cap)
{
	(void)dev, (void)out, (void)cap;
	return 0;
}

static int irq_map(struct pci_dev *dev, struct irq *irqs, unsigned count, struct iommu_irte **out,
		   struct msi_msg *msg)
{
	must(count && !(count & (count - 1)) && count <= 32, "a count that is no power of two");
	for (unsigned i = 0; i < count; i++)
		must(irqs[i].vector != 0, "an interrupt without vector");
	if (vr_iommu.fail_irq && --vr_iommu.fail_irq == 0)
		return -ENOSPC;
	*out = malloc(sizeof(**out));
	**out = (struct iommu_irte){ dev, count, 0 };
	vr_iommu.irtes += count;
	*msg = (struct msi_msg){ 0xfee00010, count > 1 ? 0 : irqs[0].vector };
	return 0;
}

static bool irq_confined(const struct pci_dev *dev)
{
	(void)dev;
	return !vr_iommu.forgeable;
}

static int irq_map_gsi(u32 gsi, struct irq *irq, bool level, bool low, struct iommu_irte **out)
{
	must(level && irq->vector, "a line that is no level, or without vector");
	if (vr_iommu.fail_irq && --vr_iommu.fail_irq == 0)
		return -ENOSPC;
	*out = malloc(sizeof(**out));
	**out = (struct iommu_irte){ NULL, 1, gsi };
	vr_iommu.irtes++;
	return arch_ioapic_route(gsi, 1, irq->vector, level, low, false);
}

static void irq_unmap(struct iommu_irte *e)
{
	if (!e->dev)
		must(!arch_ioapic_route(e->gsi, 0, 0, true, false, true), "a line without pin");
	else if (vr_iommu.on_irq_unmap)
		vr_iommu.on_irq_unmap(e->dev, e->count);
	vr_iommu.irtes -= e->count;
	free(e);
}

const struct iommu_ops vfio_fake_iommu = {
	.name = "fake", .domain_create = domain_create, .domain_destroy = domain_destroy, .domain_geometry = geometry,
	.attach_dev = attach, .detach_dev = detach, .map = map, .unmap = unmap, .iova_to_phys = walk,
	.device_add = device_add, .usable = usable, .regions = regions, .irq_map = irq_map, .irq_confined = irq_confined, .irq_unmap = irq_unmap,
	.irq_map_gsi = irq_map_gsi,
};
