// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attaching functions to domains: context entries for the function and every alias its requests may
 * carry, and the domain's id on that unit.
 *
 * Detaching waits until no unit remembers the context entry or a translation of the domain, and no
 * request is in flight: context entries to not-present, then the caches in the order in which they are
 * filled from each other: contexts, PASIDs, IOTLB, which the unit keeps within a batch (6.5.2.12).
 *
 * A function with a boot domain (rmrr.c) leaves it when it is attached and comes back to it when it is
 * detached; nothing is ever in both.  A function that uses ATS (ats.c) is told so after its context entry is
 * there, and no longer before the entry goes.  A unit that is not on yet has nothing to forget: the root table
 * comes with global invalidations.
 */
#include "iommu/vtd/vtd.h"

static u16 alias_rid(const struct pci_alias *a)
{
	return (u16)(a->bus << 8 | a->devfn);
}

static int did_alloc(struct vtd_unit *u, u16 *did)
{
	u32 words = (u->caps.domains + 63) / 64, n;

	guard_spin(&u->lock);
	for (u32 i = 0; i < words; i++) {
		u32 w = (u->did_next / 64 + i) % words;

		if (!~u->did_bitmap[w])
			continue;
		n = w * 64 + (u32)__builtin_ctzll(~u->did_bitmap[w]);
		if (n >= u->caps.domains)
			continue;
		u->did_bitmap[w] |= BIT(n % 64);
		u->did_next = n;
		*did = (u16)n;
		return 0;
	}
	return -ENOSPC;
}

static void did_free(struct vtd_unit *u, u16 did)
{
	guard_spin(&u->lock);
	u->did_bitmap[did / 64] &= ~BIT(did % 64);
}

struct vtd_presence *vtd_presence_find(struct vtd_domain *d, const struct vtd_unit *u)
{
	for (unsigned i = 0; i < d->non; i++)
		if (d->on[i].ndevs && d->on[i].unit == u)
			return &d->on[i];
	return NULL;
}

/* The domain's place on a unit, made if it is not there yet; its ndevs is the caller's to count. */
static int presence_get(struct vtd_domain *d, struct vtd_unit *u, struct vtd_presence **out)
{
	struct vtd_presence *p = vtd_presence_find(d, u);
	int r;

	*out = p;
	if (p)
		return 0;
	for (p = d->on; p < d->on + d->non && p->ndevs; p++) /* never more slots than units */
		;
	r = did_alloc(u, &p->did);
	if (r)
		return r;
	p->unit = u;
	p->pasid = 0;
	if (u->caps.scalable)
		r = vtd_pasid_make(u, d, p->did, &p->pasid);
	if (r) {
		did_free(u, p->did);
		return r;
	}
	if (u->caps.caching_mode || u->caps.write_buffer)
		d->announce = true;
	if (p == &d->on[d->non])
		d->non++;
	*out = p;
	return 0;
}

/* Can a unit of these abilities walk the domain's table, and do all that the domain promises? */
static bool domain_readable(const struct vtd_domain *d, const struct vtd_caps *c)
{
	return d->pt.fmt == (c->first_stage ? &pt_x86 : &pt_vtd_sl) && (c->all_levels & BIT(d->pt.levels)) &&
	       d->pt.max_leaf <= c->max_leaf && (c->walk_coherent || d->pt.flush) &&
	       d->geometry.aperture_end <= BIT(c->width) - 1 && (c->snoop || !d->geometry.snoop);
}

static int attach_check(const struct vtd_domain *d, const struct vtd_dev *v)
{
	const struct vtd_caps *c = &v->unit->caps;

	if (v->unit->failed || !pci_dev_usable(v->pci) || d->quarantined)
		return refuse(-EIO, "%s: it, its unit or its container failed until power-off", v->pci->name);
	if (v->domain)
		return refuse(-EBUSY, "%s is attached already", v->pci->name);
	return domain_readable(d, c) ? 0 : -EINVAL; /* whoever attaches makes another domain then */
}

/*
 * Make the unit forget the device's context entries and the domain's translations. `tag` is the domain id
 * that entries are remembered under (context entries in scalable mode: none, and it is ignored).
 */
static int forget(struct vtd_dev *v, u16 tag, u16 did)
{
	struct vtd_unit *u = v->unit;
	struct vtd_entry inv[PCI_MAX_ALIASES + 2];
	unsigned n = 0;

	for (unsigned i = 0; i < v->naliases; i++)
		inv[n++] = vtd_inv_context_device(tag, alias_rid(&v->alias[i]));
	if (u->caps.scalable)
		inv[n++] = vtd_inv_pasid_domain(tag);
	inv[n++] = vtd_inv_iotlb_domain(u, did);
	return vtd_queue_run(u, inv, n);
}

static void context_clear(struct vtd_dev *v)
{
	for (unsigned i = 0; i < v->naliases; i++)
		vtd_context_clear(v->unit, alias_rid(&v->alias[i]));
}

static int context_block(struct vtd_dev *v, u16 did)
{
	context_clear(v);
	return v->unit->on || v->unit->failed ? forget(v, did, did) : 0;
}

/* What not-present to present needs: nothing, or a write-buffer flush, or under caching mode the
 * invalidation of entries remembered as not present, which carry domain id 0 (6.1). */
static int context_announce(struct vtd_dev *v, u16 did)
{
	if (!v->unit->on)
		return 0;
	return v->unit->caps.caching_mode ? forget(v, 0, did) : vtd_flush_write_buffer(v->unit);
}

/* No bus mastering, no context entry, never handed out again; its owner's ERR eventfd fires. */
static void dev_shut(struct vtd_dev *v)
{
	struct iommu_fault f = {
		.segment = v->pci->segment, .rid = pci_rid(v->pci),
		.text = "an invalidation did not complete" };

	pci_dev_kill(v->pci, "%s", f.text);
	vtd_ats_cut(v);
	context_clear(v);
	(void)iommu_report_fault(&f);
}

void vtd_domain_quarantine(struct vtd_domain *d)
{
	struct vtd_dev *v;

	if (d->quarantined)
		return;
	d->quarantined = true;
	TAILQ_FOREACH(v, &d->devs, link)
		dev_shut(v);
	log_err("what was mapped for these devices stays pinned until power-off, as do %llu table pages",
		(unsigned long long)d->pt.tables);
	vtd_quarantined_tables += d->pt.tables;
}

int vtd_dev_quarantine(struct vtd_dev *v)
{
	dev_shut(v);
	return context_block(v, vtd_presence_find(v->domain, v->unit)->did);
}

/* Undo of attach and all of detach; domain->lock held. */
static int dev_block(struct vtd_domain *d, struct vtd_dev *v, struct vtd_presence *p)
{
	int r = vtd_ats_disable(v);

	if (context_block(v, p->did))
		r = -EIO;
	if (r)
		vtd_domain_quarantine(d);
	TAILQ_REMOVE(&d->devs, v, link);
	v->domain = NULL;
	if (--p->ndevs == 0) { /* a failed unit gives out no id again */
		did_free(p->unit, p->did);
		if (p->pasid && !r)
			vtd_pasid_free(p->pasid);
	}
	return r;
}

static int domain_join(struct vtd_domain *d, struct vtd_dev *v)
{
	struct vtd_presence *p;
	int r;

	guard_mutex(&d->lock);
	r = attach_check(d, v);
	if (!r)
		r = presence_get(d, v->unit, &p);
	if (r)
		return r;
	p->ndevs++;
	v->domain = d;
	TAILQ_INSERT_TAIL(&d->devs, v, link);
	v->naliases = pci_dma_aliases(v->pci, v->alias);
	for (unsigned i = 0; i < v->naliases && !r; i++)
		r = vtd_context_set(v->unit, alias_rid(&v->alias[i]), vtd_context_entry(v, p));
	if (!r)
		r = context_announce(v, p->did);
	if (!r)
		vtd_ats_enable(v);
	else if (dev_block(d, v, p))
		r = -EIO;
	return r;
}

static int domain_leave(struct vtd_domain *d, struct vtd_dev *v)
{
	guard_mutex(&d->lock);
	BUG_ON(v->domain != d);
	return dev_block(d, v, vtd_presence_find(d, v->unit));
}

static void boot_return(struct vtd_dev *v)
{
	if (!v->boot || v->domain || !pci_dev_usable(v->pci) || v->unit->failed)
		return;
	if (domain_join(v->boot, v))
		log_err("%s: its RMRRs stay blocked", v->pci->name);
}

int vtd_attach_dev(struct iommu_domain *d, struct pci_dev *dev)
{
	struct vtd_dev *v = vtd_dev_of(dev);
	int r = 0;

	if (v->boot && v->domain == v->boot)
		r = domain_leave(v->boot, v);
	if (!r)
		r = domain_join(to_vtd(d), v);
	if (r)
		boot_return(v);
	return r;
}

int vtd_detach_dev(struct iommu_domain *d, struct pci_dev *dev)
{
	struct vtd_dev *v = vtd_dev_of(dev);
	int r = domain_leave(to_vtd(d), v);

	boot_return(v);
	return r;
}
