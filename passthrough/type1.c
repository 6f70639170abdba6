/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The type1 backend: the IOMMU domains of a container, and the mappings that a program made in it.
 *
 * A mapping pins the program's memory when it is made; what the program does with its address space
 * later changes nothing for the device.  The order that keeps the promise "touches nothing else": pin,
 * then map; unmap, wait for the invalidation, then unpin.  When an invalidation fails the pages stay
 * pinned for ever (quarantine): a device could still reach them.
 *
 * Called with the container's lock held, which guards everything here; the list of all backends, which
 * only the audit walks, has a lock of its own.
 */
#include "kernel/mm.h"
#include "kernel/process.h"
#include "passthrough/type1.h"

#define TYPE1_DMA_LIMIT 65535 /* vfio_iommu_type1.dma_entry_limit: Linux's preset, any number may be given */

static struct mutex all_lock = MUTEX_INIT(all_lock);
static LIST_HEAD(, type1) all = LIST_HEAD_INITIALIZER(all);
static u64 quarantined; /* pins that were never released */

static int check_extension(void *data, u64 extension)
{
	struct type1 *t = data;
	struct iommu_geometry geo;

	switch (extension) {
	case VFIO_TYPE1_IOMMU:
	case VFIO_TYPE1v2_IOMMU:
	case VFIO_UNMAP_ALL:
		return 1;
	case VFIO_DMA_CC_IOMMU:
		if (!t || !t->ndomains)
			return 0;
		type1_geometry(t, &geo);
		return geo.snoop;
	default:
		return 0;
	}
}

static int type1_open(u64 type, void **data)
{
	struct type1 *t;

	if (type != VFIO_TYPE1_IOMMU && type != VFIO_TYPE1v2_IOMMU)
		return -ENODEV;
	t = kzalloc(sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->v2 = type == VFIO_TYPE1v2_IOMMU;
	t->limit = t->avail = (u32)option_u64("vfio_iommu_type1.dma_entry_limit", TYPE1_DMA_LIMIT);
	RB_INIT(&t->dmas);
	*data = t;
	guard_mutex(&all_lock);
	LIST_INSERT_HEAD(&all, t, link);
	return 0;
}

static void dma_free(struct type1 *t, struct type1_dma *d, bool unreachable)
{
	RB_REMOVE(type1_tree, &t->dmas, d);
	t->avail++;
	if (unreachable) {
		pin_release(d->pin);
	} else {
		quarantined++;
		log_err("vfio: IOVA 0x%llx+0x%llx stays pinned for ever: its unit failed",
			(unsigned long long)d->iova, (unsigned long long)d->size);
	}
	kfree(d);
	resched_point();
}

static void detach_group(void *data, struct iommu_group *g)
{
	struct type1 *t = data;

	if (iommu_detach(g))
		t->failed = true;
	for (unsigned i = 0; i < t->ngroups; i++) {
		if (t->group[i] != g)
			continue;
		t->group[i] = t->group[--t->ngroups];
		break;
	}
	type1_domains_trim(t);
	if (t->ngroups)
		type1_ranges_build(t);
}

/* No group is attached then: no device can reach anything, unless a unit failed on the way. */
static void type1_release(void *data)
{
	struct type1 *t = data;
	struct type1_dma *d;

	mutex_lock(&all_lock);
	LIST_REMOVE(t, link);
	mutex_unlock(&all_lock);
	while (t->ngroups)
		detach_group(t, t->group[0]);
	type1_domains_trim(t);
	while ((d = RB_MIN(type1_tree, &t->dmas)))
		dma_free(t, d, !t->failed);
	kfree(t);
}

static int attach_group(void *data, struct iommu_group *g)
{
	struct type1 *t = data;
	int ret;

	if (t->ngroups == ARRAY_SIZE(t->group))
		return refuse(-ENOSPC, "group %u: a container holds at most %zu groups", g->id, ARRAY_SIZE(t->group));
	ret = type1_ranges_conflict(t, g);
	if (ret)
		return ret;
	ret = type1_domain_attach(t, g);
	if (ret)
		return ret;
	t->group[t->ngroups++] = g;
	type1_ranges_build(t);
	if (t->nranges)
		return 0;
	detach_group(t, g);
	return refuse(-EINVAL, "group %u: its reserved regions leave no IOVA at all", g->id);
}

/* Every run of the pin into the domain; on failure what was mapped is taken out again. */
static int map_pin(struct type1 *t, struct type1_dma *d)
{
	unsigned prot = type1_prot(d);
	struct pin_run run;
	u64 pos = 0, done = 0;
	int ret;

	while (pin_next(d->pin, &pos, &run)) {
		ret = type1_domains_map(t, d->iova + done, run.pa, run.len, prot);
		if (ret)
			goto undo;
		done += run.len;
		resched_point();
	}
	BUG_ON(done != d->size);
	return 0;
undo:
	/* -EIO: the unit may remember the run that failed; nothing of this pin may be freed then. */
	if (ret == -EIO || (done && type1_domains_unmap(t, d->iova, done)))
		t->failed = true;
	return ret;
}

/* 3.2: the order of the tests is Linux's. */
static s64 map_dma(struct type1 *t, uaddr_t arg)
{
	struct vfio_iommu_type1_dma_map m;
	struct type1_dma *d;
	int ret;

	if (copy_from_user(&m, arg, sizeof(m)))
		return -EFAULT;
	ret = type1_map_check(t, &m);
	if (ret)
		return ret;
	d = kmalloc(sizeof(*d));
	if (!d)
		return -ENOMEM;
	*d = (struct type1_dma){ .iova = m.iova, .size = m.size, .prot = m.flags };
	ret = mm_pin(process_mm(process_current()), m.vaddr, m.size, m.flags & VFIO_DMA_MAP_FLAG_WRITE, &d->pin);
	if (ret)
		goto free;
	ret = map_pin(t, d);
	if (ret)
		goto unpin;
	RB_INSERT(type1_tree, &t->dmas, d);
	t->avail--;
	return 0;
unpin:
	if (t->failed)
		quarantined++;
	else
		pin_release(d->pin);
free:
	kfree(d);
	return ret;
}

/* 3.3. What is removed is a run of whole mappings: one pass over the tables, one flush, then the pins. */
static s64 unmap_dma(struct type1 *t, uaddr_t arg)
{
	struct vfio_iommu_type1_dma_unmap u;
	struct type1_dma *first, *d, *next;
	u64 last, total = 0;
	int ret;

	if (copy_from_user(&u, arg, sizeof(struct type1_unmap_fixed)))
		return -EFAULT;
	ret = type1_unmap_check(t, &u, &first, &last);
	if (ret)
		return ret;
	if (first) {
		d = type1_first(t, last); /* the last one, or the one behind it */
		if (!d || d->iova > last)
			d = d ? RB_PREV(type1_tree, &t->dmas, d) : RB_MAX(type1_tree, &t->dmas);
		ret = type1_domains_unmap(t, first->iova, d->iova + d->size - first->iova);
		if (ret)
			t->failed = true;
	}
	for (d = first; d && d->iova <= last; d = next) {
		next = RB_NEXT(type1_tree, &t->dmas, d);
		total += d->size;
		dma_free(t, d, ret == 0);
	}
	if (ret)
		return ret;
	u.size = total;
	return copy_to_user(arg, &u, sizeof(struct type1_unmap_fixed));
}

static s64 type1_ioctl(void *data, u32 nr, uaddr_t arg)
{
	struct type1 *t = data;

	switch (nr) {
	case VFIO_IOMMU_GET_INFO:
		return type1_info(t, arg);
	case VFIO_IOMMU_MAP_DMA:
		return map_dma(t, arg);
	case VFIO_IOMMU_UNMAP_DMA:
		return unmap_dma(t, arg);
	default:
		return -ENOTTY;
	}
}

const struct vfio_iommu_driver_ops vfio_type1_ops = {
	.name = "type1",
	.check_extension = check_extension,
	.open = type1_open,
	.release = type1_release,
	.ioctl = type1_ioctl,
	.attach_group = attach_group,
	.detach_group = detach_group,
};

/* Every byte of every mapping translates to the pinned page, and to nothing else. */
static unsigned audit_dma(const struct iommu_domain *domain, struct type1_dma *d)
{
	struct pin_run run;
	u64 pos = 0, off = 0;

	while (pin_next(d->pin, &pos, &run)) {
		for (u64 i = 0; i < run.len; i += PAGE_SIZE) {
			paddr_t pa;

			resched_point();
			if (iommu_iova_to_phys(domain, d->iova + off + i, &pa) && pa == run.pa + i)
				continue;
			log_err("audit: IOVA 0x%llx does not lead to its pinned page 0x%llx",
				(unsigned long long)(d->iova + off + i), (unsigned long long)(run.pa + i));
			return 1;
		}
		off += run.len;
	}
	return 0;
}

unsigned vfio_type1_audit(void)
{
	struct type1 *t;
	struct type1_dma *d;
	unsigned bad = 0;

	guard_mutex(&all_lock);
	LIST_FOREACH(t, &all, link)
		for (unsigned i = 0; i < t->ndomains && !t->failed; i++)
			RB_FOREACH(d, type1_tree, &t->dmas)
				bad += audit_dma(t->domain[i], d);
	if (quarantined)
		log_warn("audit: %llu mappings are quarantined after a failed invalidation",
			 (unsigned long long)quarantined);
	return bad;
}
