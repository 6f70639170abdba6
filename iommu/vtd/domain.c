// SPDX-License-Identifier: GPL-2.0-only
/*
 * A domain: one page table (kernel/pt.h; second stage, or first stage where units have no other) and
 * the units it is on.
 *
 * After vtd_unmap() returns 0 no device reaches the range, under any translation a unit may still
 * have remembered and with no request in flight (drain); only then do emptied table pages go back.
 * Mapping turns not-present into present, which a unit notices by itself unless it has caching mode
 * or a write buffer to flush.
 *
 * When an invalidation fails, the truth is unknown: the domain is quarantined. Its devices lose bus
 * mastering and their context entries, every call returns -EIO, and neither table pages nor what
 * was mapped is ever freed.
 */
#include "iommu/vtd/vtd.h"

#include "kernel/frames.h"

/* More page-selective descriptors than this cost more than refilling the domain's IOTLB. */
#define PAGES_DESC_MAX 8

struct vtd_domain_list vtd_domains = TAILQ_HEAD_INITIALIZER(vtd_domains);
struct mutex vtd_domains_lock = MUTEX_INIT(vtd_domains_lock);
u64 vtd_quarantined_tables;

int vtd_domain_create(struct pci_dev *dev, struct iommu_domain **out)
{
	const struct vtd_caps *caps = &vtd_dev_of(dev)->unit->caps;
	struct vtd_domain *d = kzalloc(sizeof(*d));
	int r;

	if (!d)
		return -ENOMEM;
	r = pt_init(&d->pt, caps->first_stage ? &pt_x86 : &pt_vtd_sl, caps->levels, caps->max_leaf, !caps->walk_coherent);
	if (r) {
		kfree(d);
		return r;
	}
	mutex_init(&d->lock);
	TAILQ_INIT(&d->devs);
	d->geometry = (struct iommu_geometry){
		.aperture_end = BIT(caps->width) - 1,
		.pgsizes = SZ_4K | (caps->max_leaf >= 2 ? SZ_2M : 0) | (caps->max_leaf >= 3 ? SZ_1G : 0),
		.snoop = caps->snoop,
	};
	*out = (struct iommu_domain *)d;
	guard_mutex(&vtd_domains_lock);
	TAILQ_INSERT_TAIL(&vtd_domains, d, link);
	return 0;
}

/* Detaching the last device has flushed everything, so the tables can go at once. */
void vtd_domain_destroy(struct iommu_domain *id)
{
	struct vtd_domain *d = to_vtd(id);

	BUG_ON(!TAILQ_EMPTY(&d->devs));
	if (d->quarantined)
		return; /* stays on vtd_domains: the audit still looks at it */
	mutex_lock(&vtd_domains_lock);
	TAILQ_REMOVE(&vtd_domains, d, link);
	mutex_unlock(&vtd_domains_lock);
	pt_destroy(&d->pt);
	kfree(d);
}

void vtd_domain_geometry(const struct iommu_domain *d, struct iommu_geometry *out)
{
	*out = to_vtd(d)->geometry;
}

/* Descriptors that drop [iova, iova+size): naturally aligned blocks, or the whole domain. */
static unsigned flush_descs(const struct vtd_unit *u, u16 did, iova_t iova, u64 size, bool leaf_only,
			    struct vtd_entry *out)
{
	unsigned n = 0;

	while (size && u->caps.page_selective && n < PAGES_DESC_MAX) {
		unsigned mask = 63 - (unsigned)__builtin_clzll(size >> PAGE_SHIFT);

		if (iova)
			mask = MIN(mask, (unsigned)__builtin_ctzll(iova >> PAGE_SHIFT));
		mask = MIN(mask, u->caps.max_mask);
		out[n++] = vtd_inv_iotlb_pages(u, did, iova, mask, leaf_only);
		iova += SZ_4K << mask;
		size -= SZ_4K << mask;
	}
	if (!size)
		return n;
	out[0] = vtd_inv_iotlb_domain(u, did);
	return 1;
}

/* On every unit of the domain, or only where not-present entries are remembered. domain->lock held. */
static int domain_flush(struct vtd_domain *d, iova_t iova, u64 size, bool leaf_only, bool only_caching)
{
	struct vtd_entry desc[PAGES_DESC_MAX];
	struct vtd_dev *v;
	int r = 0;

	for (unsigned i = 0; i < d->non; i++) {
		struct vtd_unit *u = d->on[i].unit;
		unsigned n;

		if (!d->on[i].ndevs)
			continue;
		if (only_caching && !u->caps.caching_mode) {
			r = vtd_flush_write_buffer(u) ? -EIO : r;
			continue;
		}
		n = flush_descs(u, d->on[i].did, iova, size, leaf_only, desc);
		r = vtd_queue_run(u, desc, n) ? -EIO : r;
	}
	TAILQ_FOREACH(v, &d->devs, link) /* device TLBs, which take their translations from the units' */
		if (!r && !only_caching)
			r = vtd_ats_flush(v, iova, size);
	if (r)
		vtd_domain_quarantine(d);
	return r;
}

static bool range_ok(const struct vtd_domain *d, iova_t iova, u64 size)
{
	return size && IS_ALIGNED(iova | size, SZ_4K) && iova <= d->geometry.aperture_end &&
	       size - 1 <= d->geometry.aperture_end - iova;
}

/* First stage (3.6): requests come as a user's; execution is not told apart (NXE 0), so no entry forbids it. */
static unsigned leaf_prot(const struct vtd_domain *d, unsigned prot)
{
	if (d->pt.fmt == &pt_x86)
		return prot | PT_USER | PT_EXEC;
	return prot | (d->geometry.snoop ? PT_SNOOP : 0);
}

int vtd_map(struct iommu_domain *id, iova_t iova, paddr_t pa, u64 size, unsigned prot)
{
	struct vtd_domain *d = to_vtd(id);
	int r, flushed = 0;

	if (!range_ok(d, iova, size) || !IS_ALIGNED(pa, SZ_4K) || !(prot & (PT_READ | PT_WRITE)) ||
	    (prot & ~(unsigned)(PT_READ | PT_WRITE)))
		return -EINVAL;
	if (d->pt.fmt == &pt_x86 && !(prot & PT_READ))
		return refuse(-EINVAL, "IOVA 0x%llx: write-only, and its unit's first-stage tables cannot forbid reading",
			      (unsigned long long)iova);
	guard_mutex(&d->lock);
	if (d->quarantined)
		return -EIO;
	r = pt_map(&d->pt, iova, pa, size, leaf_prot(d, prot));
	if (r || d->announce) /* after an error the unit may have read what was there for a moment */
		flushed = domain_flush(d, iova, size, false, !r);
	return flushed ? flushed : r;
}

int vtd_unmap(struct iommu_domain *id, iova_t iova, u64 size)
{
	struct vtd_domain *d = to_vtd(id);
	struct pt_trash trash = PT_TRASH_INIT;
	s64 cleared;
	int r;

	if (!range_ok(d, iova, size))
		return -EINVAL;
	guard_mutex(&d->lock);
	if (d->quarantined)
		return -EIO;
	cleared = pt_unmap(&d->pt, iova, size, &trash);
	r = cleared || trash.count ? domain_flush(d, iova, size, !trash.count && cleared > 0, false) : 0;
	if (!r)
		pt_trash_free(&trash);
	else
		vtd_quarantined_tables += trash.count;
	return r ? r : cleared < 0 ? (int)cleared : 0;
}

bool vtd_iova_to_phys(const struct iommu_domain *id, iova_t iova, paddr_t *pa)
{
	struct vtd_domain *d = to_vtd(id);
	struct pt_leaf leaf;

	guard_mutex(&d->lock);
	if (!pt_lookup(&d->pt, iova, &leaf))
		return false;
	*pa = leaf.pa + (iova - leaf.va);
	return true;
}
