/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What type1 decides before it acts: argument checks in Linux's order, the valid IOVA ranges, and
 * GET_INFO with its capability chain.  Nothing here changes a mapping.
 */
#include "passthrough/type1.h"

RB_GENERATE(type1_tree, type1_dma, node, type1_dma_cmp)

#define MAP_FLAGS (VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE | VFIO_DMA_MAP_FLAG_VADDR)
#define UNMAP_FLAGS (VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP | VFIO_DMA_UNMAP_FLAG_ALL | VFIO_DMA_UNMAP_FLAG_VADDR)
#define ull(x) ((unsigned long long)(x))

struct type1_dma *type1_first(struct type1 *t, iova_t iova)
{
	struct type1_dma *d = RB_ROOT(&t->dmas), *best = NULL;

	while (d) {
		if (d->iova + d->size - 1 >= iova) {
			best = d;
			d = RB_LEFT(d, node);
		} else {
			d = RB_RIGHT(d, node);
		}
	}
	return best;
}

/* Take [start, end] out of the sorted ranges. */
static void range_exclude(struct type1 *t, u64 start, u64 end)
{
	for (unsigned i = 0; i < t->nranges; i++) {
		struct type1_range *r = &t->range[i];

		if (end < r->start || start > r->end)
			continue;
		if (start > r->start && end < r->end) {
			/* Splits; when the table is full the upper part is given up, never the exclusion. */
			if (t->nranges < TYPE1_MAX_RANGES) {
				memmove(r + 2, r + 1, (t->nranges - i - 1) * sizeof(*r));
				r[1] = (struct type1_range){ end + 1, r->end };
				t->nranges++;
			}
			r->end = start - 1;
		} else if (start > r->start) {
			r->end = start - 1;
		} else if (end < r->end) {
			r->start = end + 1;
		} else {
			memmove(r, r + 1, (t->nranges - i - 1) * sizeof(*r));
			t->nranges--;
			i--;
		}
	}
}

#define MAX_REGIONS 64

void type1_ranges_build(struct type1 *t)
{
	struct iommu_region r[MAX_REGIONS];
	struct iommu_geometry geo;

	type1_geometry(t, &geo);
	t->range[0] = (struct type1_range){ 0, geo.aperture_end };
	t->nranges = 1;
	for (unsigned g = 0; g < t->ngroups; g++) {
		unsigned n = iommu_group_regions(t->group[g], r, MAX_REGIONS);

		if (n > MAX_REGIONS) { /* more than we can look at: nothing is safe */
			t->nranges = 0;
			return;
		}
		for (unsigned i = 0; i < n; i++)
			if (r[i].type != IOMMU_RESV_DIRECT_RELAXABLE)
				range_exclude(t, ALIGN_DOWN(r[i].start, PAGE_SIZE), r[i].end | (PAGE_SIZE - 1));
	}
}

int type1_ranges_conflict(struct type1 *t, struct iommu_group *g)
{
	struct iommu_region r[MAX_REGIONS];
	unsigned n = iommu_group_regions(g, r, MAX_REGIONS);

	if (n > MAX_REGIONS)
		return refuse(-EINVAL, "group %u has %u reserved regions, more than %u", g->id, n, MAX_REGIONS);
	for (unsigned i = 0; i < n; i++) {
		struct type1_dma *d = type1_first(t, r[i].start);

		if (r[i].type == IOMMU_RESV_DIRECT_RELAXABLE || !d || d->iova > r[i].end)
			continue;
		return refuse(-EINVAL, "group %u: its reserved region 0x%llx-0x%llx overlaps the mapping at IOVA 0x%llx",
			      g->id, ull(r[i].start), ull(r[i].end), ull(d->iova));
	}
	return 0;
}

int type1_map_check(struct type1 *t, const struct vfio_iommu_type1_dma_map *m)
{
	bool access = m->flags & (VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE);
	bool vaddr = m->flags & VFIO_DMA_MAP_FLAG_VADDR;
	struct type1_dma *d;
	u64 last;

	if (m->argsz < sizeof(*m) || (m->flags & ~MAP_FLAGS))
		return refuse(-EINVAL, "MAP_DMA: argsz %u or flags 0x%x", m->argsz, m->flags);
	if (access == vaddr)
		return refuse(-EINVAL, "MAP_DMA: flags 0x%x: READ or WRITE is needed, and VADDR stands alone", m->flags);
	if (!m->size || !IS_ALIGNED(m->size | m->iova | m->vaddr, PAGE_SIZE))
		return refuse(-EINVAL, "MAP_DMA: iova 0x%llx vaddr 0x%llx size 0x%llx: all must be multiples of 4096, and size not 0",
			      ull(m->iova), ull(m->vaddr), ull(m->size));
	last = m->iova + m->size - 1;
	if (last < m->iova || m->vaddr + m->size - 1 < m->vaddr)
		return refuse(-EINVAL, "MAP_DMA: iova 0x%llx or vaddr 0x%llx plus size 0x%llx wraps around",
			      ull(m->iova), ull(m->vaddr), ull(m->size));
	if (vaddr)
		return refuse(-EINVAL, "MAP_DMA: VADDR updates are not offered (extension 10 is 0)");
	d = type1_first(t, m->iova);
	if (d && d->iova <= last)
		return refuse(-EEXIST, "MAP_DMA: 0x%llx-0x%llx overlaps the mapping 0x%llx-0x%llx; unmap it first",
			      ull(m->iova), ull(last), ull(d->iova), ull(d->iova + d->size - 1));
	if (!t->avail)
		return refuse(-ENOSPC, "MAP_DMA: all %u mappings are in use (vfio_iommu_type1.dma_entry_limit=N gives more)",
			      t->limit);
	for (unsigned i = 0; i < t->nranges; i++)
		if (m->iova >= t->range[i].start && last <= t->range[i].end)
			return 0;
	return refuse(-EINVAL, "MAP_DMA: 0x%llx-0x%llx is not inside one valid IOVA range (see VFIO_IOMMU_GET_INFO)",
		      ull(m->iova), ull(last));
}

int type1_unmap_check(struct type1 *t, const struct vfio_iommu_type1_dma_unmap *u,
		      struct type1_dma **first, u64 *last)
{
	bool all = u->flags & VFIO_DMA_UNMAP_FLAG_ALL;
	struct type1_dma *d, *end;

	if (u->argsz < sizeof(struct type1_unmap_fixed) || (u->flags & ~UNMAP_FLAGS))
		return refuse(-EINVAL, "UNMAP_DMA: argsz %u or flags 0x%x", u->argsz, u->flags);
	if (u->flags & (VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP | VFIO_DMA_UNMAP_FLAG_VADDR))
		return refuse(-EINVAL, "UNMAP_DMA: flags 0x%x: dirty tracking is off, and VADDR is not offered", u->flags);
	if (!IS_ALIGNED(u->iova, PAGE_SIZE))
		return refuse(-EINVAL, "UNMAP_DMA: iova 0x%llx is not a multiple of 4096", ull(u->iova));
	if (all) {
		if (u->iova || u->size)
			return refuse(-EINVAL, "UNMAP_DMA: with ALL, iova and size must be 0");
		*first = RB_MIN(type1_tree, &t->dmas);
		*last = ~0ull;
		return 0;
	}
	*last = u->iova + u->size - 1;
	if (!u->size || !IS_ALIGNED(u->size, PAGE_SIZE) || *last < u->iova)
		return refuse(-EINVAL, "UNMAP_DMA: size 0x%llx at iova 0x%llx", ull(u->size), ull(u->iova));
	d = type1_first(t, u->iova);
	*first = d && d->iova <= *last ? d : NULL;
	if (!*first)
		return 0;
	if (d->iova < u->iova) { /* starts inside a mapping */
		*first = NULL;
		return t->v2 ? refuse(-EINVAL, "UNMAP_DMA: 0x%llx lies inside the mapping 0x%llx+0x%llx",
				      ull(u->iova), ull(d->iova), ull(d->size)) : 0;
	}
	end = t->v2 ? type1_first(t, *last) : NULL;
	if (end && end->iova <= *last && end->iova + end->size - 1 > *last) {
		*first = NULL;
		return refuse(-EINVAL, "UNMAP_DMA: the end 0x%llx lies inside the mapping 0x%llx+0x%llx", ull(*last),
			      ull(end->iova), ull(end->size));
	}
	return 0;
}

/* The three capabilities in Linux's order, each rounded up to 8 bytes (0.4). */
struct info_caps {
	struct vfio_iommu_type1_info_cap_migration migration;
	struct vfio_iommu_type1_info_dma_avail avail;
	u32 pad;
	struct { /* vfio_iommu_type1_info_cap_iova_range without its flexible end */
		struct vfio_info_cap_header header;
		u32 nr_iovas, reserved;
	} range;
	struct vfio_iova_range iova[TYPE1_MAX_RANGES];
} __attribute__((packed));
_Static_assert(offsetof(struct info_caps, avail) == 32 && offsetof(struct info_caps, range) == 48 &&
	       offsetof(struct info_caps, iova) == 64, "3.1");

static u32 fill_caps(struct type1 *t, struct info_caps *c, u32 base)
{
	memset(c, 0, sizeof(*c));
	c->migration.header = (struct vfio_info_cap_header){ VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION, 1,
							     base + offsetof(struct info_caps, avail) };
	c->migration.pgsize_bitmap = PAGE_SIZE;
	c->migration.max_dirty_bitmap_size = 256ull << 20;
	c->avail.header = (struct vfio_info_cap_header){ VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL, 1,
							 base + offsetof(struct info_caps, range) };
	c->avail.avail = t->avail;
	c->range.header = (struct vfio_info_cap_header){ VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE, 1, 0 };
	c->range.nr_iovas = t->nranges;
	for (unsigned i = 0; i < t->nranges; i++)
		c->iova[i] = (struct vfio_iova_range){ t->range[i].start, t->range[i].end };
	return offsetof(struct info_caps, iova) + t->nranges * sizeof(c->iova[0]);
}

s64 type1_info(struct type1 *t, uaddr_t arg)
{
	const size_t minsz = offsetof(struct vfio_iommu_type1_info, cap_offset);
	struct vfio_iommu_type1_info info = { 0 };
	struct iommu_geometry geo;
	struct info_caps caps;
	u32 room, len;

	if (copy_from_user(&info, arg, minsz))
		return -EFAULT;
	room = info.argsz;
	if (room < minsz)
		return refuse(-EINVAL, "IOMMU_GET_INFO: argsz %u < %zu", room, minsz);
	type1_geometry(t, &geo);
	info.flags = VFIO_IOMMU_INFO_PGSIZES | VFIO_IOMMU_INFO_CAPS;
	info.iova_pgsizes = geo.pgsizes;
	len = fill_caps(t, &caps, sizeof(info));
	if (room >= sizeof(info) + len) {
		info.cap_offset = sizeof(info);
		if (copy_to_user(arg + sizeof(info), &caps, len))
			return -EFAULT;
	} else {
		info.argsz = sizeof(info) + len;
	}
	return copy_to_user(arg, &info, MIN(room, sizeof(info)));
}
