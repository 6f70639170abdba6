/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The type1 backend's object and its parts: type1.c performs (pins, maps, unmaps), type1_check.c decodes
 * and decides (argument checks, IOVA ranges, GET_INFO) without side effects, type1_domains.c keeps the
 * IOMMU domains alike.
 */
#ifndef PASSTHROUGH_TYPE1_H
#define PASSTHROUGH_TYPE1_H

#include <sys/tree.h>

#include "kernel/options.h"
#include "passthrough/private.h"

struct type1_dma {
	RB_ENTRY(type1_dma) node;
	iova_t iova;
	u64 size;
	u32 prot; /* VFIO_DMA_MAP_FLAG_* */
	struct pin *pin;
};
RB_HEAD(type1_tree, type1_dma);

struct type1_range {
	u64 start, end; /* inclusive */
};

#define TYPE1_MAX_GROUPS 64
#define TYPE1_MAX_DOMAINS 8 /* kinds of units */
#define TYPE1_MAX_RANGES 64
struct type1 {
	LIST_ENTRY(type1) link;
	bool v2;
	bool failed; /* an invalidation failed: nothing pinned is ever released */
	u32 limit, avail;
	struct iommu_domain *domain[TYPE1_MAX_DOMAINS];
	unsigned ndomains;
	struct iommu_group *group[TYPE1_MAX_GROUPS];
	unsigned ngroups;
	struct type1_range range[TYPE1_MAX_RANGES]; /* valid IOVAs, sorted */
	unsigned nranges;
	struct type1_tree dmas;
};

static inline int type1_dma_cmp(const struct type1_dma *a, const struct type1_dma *b)
{
	return a->iova < b->iova ? -1 : a->iova > b->iova;
}
RB_PROTOTYPE(type1_tree, type1_dma, node, type1_dma_cmp)

/* The 24 bytes that UNMAP_DMA reads and writes; `data` follows. */
struct type1_unmap_fixed {
	u32 argsz, flags;
	u64 iova, size;
};
_Static_assert(sizeof(struct type1_unmap_fixed) == offsetof(struct vfio_iommu_type1_dma_unmap, data), "vfio.h");

/* type1_domains.c: attach to a domain that the group's units can read, or to a new one. -EINVAL, -EPERM, -ENOMEM, -EIO. */
int must_check type1_domain_attach(struct type1 *t, struct iommu_group *g);
/* Domains without a group go. */
void type1_domains_trim(struct type1 *t);
/* In all domains or in none. Errors are those of iommu_map() and iommu_unmap(). */
int must_check type1_domains_map(struct type1 *t, iova_t iova, paddr_t pa, u64 size, unsigned prot);
int must_check type1_domains_unmap(struct type1 *t, iova_t iova, u64 size);
void type1_geometry(const struct type1 *t, struct iommu_geometry *out); /* what all can do; there is one */
unsigned type1_prot(const struct type1_dma *d); /* as PT_* */

/* First mapping that ends above iova; NULL if none. */
struct type1_dma *type1_first(struct type1 *t, iova_t iova);
/* Valid IOVAs = aperture minus the reserved regions of all groups (relaxable ones excepted). */
void type1_ranges_build(struct type1 *t);
/* -EINVAL with the region named when a reserved region of g overlaps a mapping. */
int must_check type1_ranges_conflict(struct type1 *t, struct iommu_group *g);
int must_check type1_map_check(struct type1 *t, const struct vfio_iommu_type1_dma_map *m);
/* *first: NULL when nothing is to be removed; *last: mappings that start at or below it go. */
int must_check type1_unmap_check(struct type1 *t, const struct vfio_iommu_type1_dma_unmap *u,
				 struct type1_dma **first, u64 *last);
s64 type1_info(struct type1 *t, uaddr_t arg);
unsigned vfio_type1_audit(void);

#endif
