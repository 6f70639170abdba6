/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The IOMMU domains of a container.  Mostly there is one; a group whose unit cannot read the tables of
 * those that are there (levels, page sizes, coherency, snoop control) gets one more, with every mapping
 * replayed before the group is attached.  The program sees one address space: each change is made
 * in all domains or in none, and what GET_INFO tells is what all of them can do.
 */
#include "kernel/pt.h"
#include "passthrough/type1.h"

int type1_domains_map(struct type1 *t, iova_t iova, paddr_t pa, u64 size, unsigned prot)
{
	for (unsigned i = 0; i < t->ndomains; i++) {
		int ret = iommu_map(t->domain[i], iova, pa, size, prot);

		if (!ret)
			continue;
		while (i--)
			if (iommu_unmap(t->domain[i], iova, size))
				ret = -EIO;
		return ret;
	}
	return 0;
}

int type1_domains_unmap(struct type1 *t, iova_t iova, u64 size)
{
	int ret = 0;

	for (unsigned i = 0; i < t->ndomains; i++)
		if (iommu_unmap(t->domain[i], iova, size))
			ret = -EIO;
	return ret;
}

void type1_geometry(const struct type1 *t, struct iommu_geometry *out)
{
	struct iommu_geometry geo;

	iommu_domain_geometry(t->domain[0], out);
	for (unsigned i = 1; i < t->ndomains; i++) {
		iommu_domain_geometry(t->domain[i], &geo);
		out->aperture_end = MIN(out->aperture_end, geo.aperture_end);
		out->pgsizes &= geo.pgsizes;
		out->snoop &= geo.snoop;
	}
}

unsigned type1_prot(const struct type1_dma *d)
{
	return (d->prot & VFIO_DMA_MAP_FLAG_READ ? PT_READ : 0) | (d->prot & VFIO_DMA_MAP_FLAG_WRITE ? PT_WRITE : 0);
}

/* Every mapping into a domain that no device uses yet. */
static int replay(struct type1 *t, struct iommu_domain *domain, const struct iommu_group *g)
{
	struct iommu_geometry geo;
	struct pin_run run;
	struct type1_dma *d;

	iommu_domain_geometry(domain, &geo);
	RB_FOREACH(d, type1_tree, &t->dmas) {
		u64 pos = 0, done = 0;

		if (d->iova + d->size - 1 > geo.aperture_end)
			return refuse(-EINVAL, "group %u: its unit reaches up to 0x%llx, the mapping at IOVA 0x%llx lies above",
				      g->id, (unsigned long long)geo.aperture_end, (unsigned long long)d->iova);
		while (pin_next(d->pin, &pos, &run)) {
			int ret = iommu_map(domain, d->iova + done, run.pa, run.len, type1_prot(d));

			if (ret)
				return ret;
			done += run.len;
			resched_point();
		}
	}
	return 0;
}

int type1_domain_attach(struct type1 *t, struct iommu_group *g)
{
	struct iommu_domain *d;
	int ret = -EINVAL;

	for (unsigned i = 0; i < t->ndomains && ret == -EINVAL; i++)
		ret = iommu_attach(t->domain[i], g);
	if (ret != -EINVAL)
		return ret;
	if (t->ndomains == ARRAY_SIZE(t->domain))
		return refuse(-ENOSPC, "group %u: a container holds units of at most %zu kinds", g->id,
			      ARRAY_SIZE(t->domain));
	ret = iommu_domain_create(g, &d);
	if (ret)
		return ret;
	ret = replay(t, d, g);
	if (!ret)
		ret = iommu_attach(d, g);
	if (ret)
		iommu_domain_destroy(d);
	else
		t->domain[t->ndomains++] = d;
	return ret;
}

void type1_domains_trim(struct type1 *t)
{
	for (unsigned i = 0; i < t->ndomains && !t->failed; i++) {
		bool used = false;

		for (unsigned k = 0; k < t->ngroups; k++)
			used |= t->group[k]->domain == t->domain[i];
		if (used)
			continue;
		iommu_domain_destroy(t->domain[i]);
		t->domain[i--] = t->domain[--t->ndomains];
	}
}
