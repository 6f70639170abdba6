// SPDX-License-Identifier: GPL-2.0-only
/*
 * The audit of VT-d: walks what the units read and says whether all of it is owned.
 *
 *  - every present context entry belongs to an attached function (or one in its boot domain), and
 *    points at its domain's table;
 *  - every leaf shows memory that is in use (or a BAR, or in a boot domain firmware's memory), and never
 *    a page of a live page table, of a root, context or PASID table, of a queue or of an interrupt table;
 *  - every present interrupt entry lies in a taken handle and checks its owner's source id.
 *
 * Table pages are collected, sorted, and each leaf is looked up among them.
 */
#include <stdlib.h>

#include "iommu/vtd/vtd.h"

#include "kernel/frames.h"
#include "kernel/mm.h"

struct pages {
	paddr_t *pa;
	u64 n, cap;
};

static void page_add(paddr_t pa, void *arg)
{
	struct pages *p = arg;

	if (p->pa && p->n < p->cap)
		p->pa[p->n] = pa;
	p->n++;
}

static void mm_pages(struct mm *mm, void *arg)
{
	pt_each_table(mm_pt(mm), page_add, arg);
}

static void unit_pages(struct vtd_unit *u, struct pages *p)
{
	if (!u->on)
		return;
	page_add(virt_to_phys(u->root), p);
	if (u->queue)
		page_add(virt_to_phys(u->queue), p);
	for (unsigned bus = 0; bus < 256; bus++) {
		if (u->root[bus].lo & VTD_ROOT_P)
			page_add(u->root[bus].lo & VTD_ADDR, p);
		if (u->root[bus].hi & VTD_ROOT_P)
			page_add(u->root[bus].hi & VTD_ADDR, p);
	}
	for (u64 at = 0; u->remapping && at < u->irt_entries * sizeof(*u->irt); at += SZ_4K)
		page_add(virt_to_phys(u->irt) + at, p);
}

static void collect(struct pages *p)
{
	struct vtd_domain *d;
	struct vtd_unit *u;

	p->n = 0;
	mm_each(mm_pages, p);
	TAILQ_FOREACH(d, &vtd_domains, link) {
		pt_each_table(&d->pt, page_add, p);
		for (unsigned i = 0; i < d->non; i++) {
			if (!d->on[i].ndevs || !d->on[i].pasid)
				continue;
			page_add(d->on[i].pasid, p);
			page_add(vtd_pasid_table(d->on[i].pasid), p);
		}
	}
	TAILQ_FOREACH(u, &vtd_units, link)
		unit_pages(u, p);
}

static int page_compare(const void *a, const void *b)
{
	paddr_t x = *(const paddr_t *)a, y = *(const paddr_t *)b;

	resched_point(); /* tables are many */
	return x < y ? -1 : x > y;
}

/* A table page inside [pa, pa+size), or 0. */
static paddr_t page_inside(const struct pages *p, paddr_t pa, u64 size)
{
	u64 low = 0, high = MIN(p->n, p->cap);

	while (low < high) {
		u64 mid = (low + high) / 2;

		if (p->pa[mid] < pa)
			low = mid + 1;
		else
			high = mid;
	}
	return low < MIN(p->n, p->cap) && p->pa[low] - pa < size ? p->pa[low] : 0;
}

static bool in_bar(paddr_t pa, u64 size)
{
	const struct pci_dev *dev;

	pci_for_each(dev)
		for (unsigned i = 0; i < PCI_BARS; i++)
			if (dev->bar[i].size && !dev->bar[i].io && pa >= dev->bar[i].base &&
			    pa - dev->bar[i].base < dev->bar[i].size &&
			    size <= dev->bar[i].size - (pa - dev->bar[i].base))
				return true;
	return false;
}

static unsigned audit_leaf(const struct pt_leaf *leaf, const struct pages *tables, bool boot)
{
	paddr_t table = page_inside(tables, leaf->pa, leaf->size);

	if (table) {
		log_err("audit: address 0x%llx of a domain shows the table page at 0x%llx",
			(unsigned long long)leaf->va, (unsigned long long)table);
		return 1;
	}
	if (!frame_is_ram(leaf->pa) && in_bar(leaf->pa, leaf->size))
		return 0;
	for (u64 at = 0; at < leaf->size; at += SZ_4K) {
		bool ram = frame_is_ram(leaf->pa + at);

		if (boot ? ram : !ram || !frame_in_use(leaf->pa + at)) {
			log_err("audit: address 0x%llx of a %s shows 0x%llx, which %s", (unsigned long long)(leaf->va + at),
				boot ? "boot domain" : "domain", (unsigned long long)(leaf->pa + at),
				boot ? "is not firmware's" : "nobody holds");
			return 1;
		}
		if (at % SZ_2M == 0)
			resched_point();
	}
	return 0;
}

static unsigned audit_domain(struct vtd_domain *d, const struct pages *tables, u64 leaves[3])
{
	struct pt_leaf leaf;
	unsigned found = 0;

	guard_mutex(&d->lock);
	for (u64 va = 0; pt_next(&d->pt, &va, &leaf);) {
		found += audit_leaf(&leaf, tables, d->boot);
		leaves[leaf.size >= SZ_1G ? 2 : leaf.size >= SZ_2M]++;
	}
	return found;
}

static bool irte_owned(struct vtd_unit *u, u32 index)
{
	const struct iommu_irte *e;

	guard_spin(&u->lock);
	TAILQ_FOREACH(e, &u->irtes, link)
		if (index >= e->index && index - e->index < e->count)
			return true;
	return false;
}

/* Is this context entry what an attached function needs? */
static bool context_owned(struct vtd_unit *u, u16 rid, const struct vtd_entry *e)
{
	struct vtd_entry want;
	struct pci_dev *dev;

	pci_for_each(dev) {
		const struct vtd_dev *v = vtd_dev_of(dev);

		if (!v || v->unit != u || !v->domain ||
		    (v->domain != v->boot && (!dev->group || dev->group->domain != (struct iommu_domain *)v->domain)))
			continue;
		for (unsigned i = 0; i < v->naliases; i++) {
			if ((u16)(v->alias[i].bus << 8 | v->alias[i].devfn) != rid)
				continue;
			want = vtd_context_entry(v, vtd_presence_find(v->domain, u));
			return e->lo == want.lo && e->hi == want.hi;
		}
	}
	return false;
}

static unsigned audit_contexts(struct vtd_unit *u)
{
	struct vtd_entry e;
	unsigned found = 0;

	for (u32 rid = 0; u->on && rid < 0x10000; rid++) {
		if ((rid & 0xff) == 0)
			resched_point();
		if (!((u->root[rid >> 8].lo | u->root[rid >> 8].hi) & VTD_ROOT_P)) {
			rid |= 0xff;
			continue;
		}
		if (!vtd_context_get(u, (u16)rid, &e) || context_owned(u, (u16)rid, &e))
			continue;
		log_err("audit: vtd unit %u: context entry of %02x:%02x.%x is present and nobody's", u->index,
			rid >> 8, rid >> 3 & 31, rid & 7);
		found++;
	}
	return found;
}

static unsigned audit_interrupts(struct vtd_unit *u)
{
	unsigned found = 0;

	for (u32 i = 0; u->remapping && i < u->irt_entries; i++) {
		bool owned;

		if (i % 512 == 0)
			resched_point();
		if (!(u->irt[i].lo & VTD_IRTE_P))
			continue;
		owned = irte_owned(u, i);
		if (owned && FIELD_GET(VTD_IRTE_SVT, u->irt[i].hi))
			continue;
		log_err("audit: vtd unit %u: interrupt entry %u is present and %s", u->index, i,
			owned ? "checks no source" : "nobody's");
		found++;
	}
	return found;
}

unsigned vtd_audit(void)
{
	struct pages tables = { 0 };
	u64 leaves[3] = { 0 };
	struct vtd_domain *d;
	struct vtd_unit *u;
	unsigned found = 0;

	mutex_lock(&vtd_domains_lock);
	collect(&tables);
	tables.cap = tables.n + 64; /* a program may add tables meanwhile */
	tables.pa = kcalloc(tables.cap, sizeof(*tables.pa));
	if (tables.pa) {
		collect(&tables);
		qsort(tables.pa, MIN(tables.n, tables.cap), sizeof(*tables.pa), page_compare);
		TAILQ_FOREACH(d, &vtd_domains, link)
			found += audit_domain(d, &tables, leaves);
	} else if (tables.n) {
		log_err("audit: no memory for a list of %llu table pages", (unsigned long long)tables.n);
		found++;
	}
	kfree(tables.pa);
	mutex_unlock(&vtd_domains_lock);
	if (leaves[0] + leaves[1] + leaves[2])
		log_info("audit: devices see %llu leaves of 4 KiB, %llu of 2 MiB, %llu of 1 GiB", (unsigned long long)leaves[0],
			 (unsigned long long)leaves[1], (unsigned long long)leaves[2]);
	TAILQ_FOREACH(u, &vtd_units, link)
		found += audit_contexts(u) + audit_interrupts(u);
	if (vtd_quarantined_tables)
		log_info("audit: %llu table pages are quarantined", (unsigned long long)vtd_quarantined_tables);
	return found;
}
