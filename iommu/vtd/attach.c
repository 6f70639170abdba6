// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attaching functions to domains: context entries for the function and every alias its requests may
 * carry, and the domain's id on that unit.
 *
 * Detaching waits until no unit remembers the context entry or a translation of the domain, and no
 * request is in flight: context entries to not-present, context cache, fence, IOTLB (6.6). Without
 * the fence a request could fill the IOTLB again from a context entry that is still cached.
 *
 * A function with a boot domain (rmrr.c) leaves it when it is attached and comes back to it when it is
 * detached; nothing is ever in both.  A unit that is not on yet has nothing to forget: the root table
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
	bool irq = spin_lock(&u->lock);
	int r = -ENOSPC;

	for (u32 i = 0; i < words && r; i++) {
		u32 w = (u->did_next / 64 + i) % words;

		if (!~u->did_bitmap[w])
			continue;
		n = w * 64 + (u32)__builtin_ctzll(~u->did_bitmap[w]);
		if (n >= u->caps.domains)
			continue;
		u->did_bitmap[w] |= BIT(n % 64);
		u->did_next = n;
		*did = (u16)n;
		r = 0;
	}
	spin_unlock(&u->lock, irq);
	return r;
}

static void did_free(struct vtd_unit *u, u16 did)
{
	bool irq = spin_lock(&u->lock);

	u->did_bitmap[did / 64] &= ~BIT(did % 64);
	spin_unlock(&u->lock, irq);
}

/* The domain's place on a unit, made if it is not there yet; its ndevs is the caller's to count. */
static int presence_get(struct vtd_domain *d, struct vtd_unit *u, struct vtd_presence **out)
{
	struct vtd_presence *p = NULL;
	int r;

	for (unsigned i = 0; i < d->non; i++) {
		if (d->on[i].ndevs && d->on[i].unit == u) {
			*out = &d->on[i];
			return 0;
		}
		if (!d->on[i].ndevs)
			p = &d->on[i];
	}
	if (!p)
		p = &d->on[d->non]; /* never more slots than units */
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

	if (v->unit->failed || v->quarantined || d->quarantined)
		return refuse(-EIO, "%s: vtd unit %u failed an invalidation: nothing is handed out until power-off",
			      v->pci->name, v->unit->index);
	if (v->domain)
		return refuse(-EBUSY, "%s is attached already", v->pci->name);
	return domain_readable(d, c) ? 0 : -EINVAL; /* whoever attaches makes another domain then */
}

/*
 * Make the unit forget the device's context entries and the domain's translations. `tag` is the domain id
 * that the entries are remembered under; in scalable mode they have none, and all are dropped.
 */
static int forget(struct vtd_dev *v, u16 tag, u16 did)
{
	struct vtd_unit *u = v->unit;
	struct vtd_entry inv[PCI_MAX_ALIASES + 4];
	unsigned n = 0;

	if (u->caps.scalable) {
		inv[n++] = vtd_inv_context_global();
		inv[n++] = vtd_inv_fence(u);
		inv[n++] = vtd_inv_pasid_global();
	}
	for (unsigned i = 0; i < v->naliases && !u->caps.scalable; i++)
		inv[n++] = vtd_inv_context_device(tag, alias_rid(&v->alias[i]));
	inv[n++] = vtd_inv_fence(u);
	inv[n++] = vtd_inv_iotlb_domain(u, did);
	return vtd_queue_run(u, inv, n);
}

static int context_block(struct vtd_dev *v, u16 did)
{
	for (unsigned i = 0; i < v->naliases; i++)
		(void)vtd_context_clear(v->unit, alias_rid(&v->alias[i]));
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

/* Undo of attach and all of detach; domain->lock held. */
static int dev_block(struct vtd_domain *d, struct vtd_dev *v, struct vtd_presence *p)
{
	int r = context_block(v, p->did);

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

	mutex_lock(&d->lock);
	r = attach_check(d, v);
	if (!r)
		r = presence_get(d, v->unit, &p);
	if (r)
		goto out;
	p->ndevs++;
	v->domain = d;
	TAILQ_INSERT_TAIL(&d->devs, v, link);
	v->naliases = pci_dma_aliases(v->pci, v->alias);
	for (unsigned i = 0; i < v->naliases && !r; i++)
		r = vtd_context_set(v->unit, alias_rid(&v->alias[i]), vtd_context_entry(d, p));
	if (!r)
		r = context_announce(v, p->did);
	if (r && dev_block(d, v, p))
		r = -EIO;
out:
	mutex_unlock(&d->lock);
	return r;
}

static int domain_leave(struct vtd_domain *d, struct vtd_dev *v)
{
	int r = 0;

	mutex_lock(&d->lock);
	BUG_ON(v->domain != d);
	for (unsigned i = 0; i < d->non; i++) {
		if (d->on[i].ndevs && d->on[i].unit == v->unit) {
			r = dev_block(d, v, &d->on[i]);
			break;
		}
	}
	mutex_unlock(&d->lock);
	return r;
}

static void boot_return(struct vtd_dev *v)
{
	if (!v->boot || v->domain || v->quarantined || v->unit->failed)
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
