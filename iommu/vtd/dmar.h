/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ACPI DMAR table (VT-d chapter 8) as an iterator: every structure and scope in table order, all
 * lengths checked before a byte is used.  It knows nothing of units, PCI or memory, and keeps
 * nothing: callers (vtd.c, a printing tool, a fuzzer) decide what an entry means, a damaged one too.
 */
#ifndef IOMMU_VTD_DMAR_H
#define IOMMU_VTD_DMAR_H

#include "kernel/base.h"

enum dmar_type { /* 8.2 */
	DMAR_DRHD = 0, DMAR_RMRR = 1, DMAR_ATSR = 2, DMAR_RHSA = 3, DMAR_ANDD = 4, DMAR_SATC = 5, DMAR_SIDP = 6,
};
enum dmar_scope_type { /* 8.3.1 */
	DMAR_SCOPE_ENDPOINT = 1, DMAR_SCOPE_BRIDGE = 2, DMAR_SCOPE_IOAPIC = 3, DMAR_SCOPE_HPET = 4,
	DMAR_SCOPE_NAMESPACE = 5,
};
#define DMAR_INTR_REMAP BIT(0)
#define DMAR_X2APIC_OPT_OUT BIT(1)
#define DMAR_DMA_CTRL_OPT_IN BIT(2)
#define DMAR_INCLUDE_PCI_ALL BIT(0) /* DRHD flags */
#define DMAR_ALL_PORTS BIT(0)       /* ATSR flags */
#define DMAR_ATC_REQUIRED BIT(0)    /* SATC flags */

struct dmar {
	const u8 *table;
	u32 len;
	u8 width;        /* host address width in bits */
	u8 flags;
};
struct dmar_entry {
	u32 offset;      /* in the table, for messages */
	u16 type, len;
	u16 segment;     /* DRHD RMRR ATSR SATC SIDP */
	u8 flags;        /* DRHD ATSR SATC */
	u8 size;         /* DRHD: registers take 2^size pages */
	u64 base;        /* DRHD RHSA registers; RMRR start */
	u64 limit;       /* RMRR, inclusive */
	u32 proximity;   /* RHSA */
	u8 acpi_device;  /* ANDD */
	const char *name; /* ANDD: NUL-terminated inside the entry */
	const u8 *scopes; /* what follows the fixed part; scopes_len 0: none */
	u16 scopes_len;
	u32 bad;         /* offset in the table of what cannot be read: the entry itself (then nothing but type
			  * and len is known), or its first odd scope, which comes out last. 0: nothing */
	bool hides;      /* there may be scopes that do not come out */
};
struct dmar_scope {
	u8 type, len, flags, id, bus;
	bool odd;           /* its length is wrong: the function of its first hop, or one below */
	u8 hops;            /* at least 1 */
	const u8 *path;     /* hops pairs of device, function */
};

/* -EBADMSG when the bytes are no DMAR table; the checksum is the finder's business. */
int must_check dmar_open(struct dmar *d, const void *table, size_t len);
/* Next structure; *offset starts at 0. 1; 0 at the end; -EBADMSG: its length makes all from *offset on
 * unreadable. Unknown types come out with nothing but type and len. */
int must_check dmar_next(const struct dmar *d, u32 *offset, struct dmar_entry *e);
/* Next scope of an entry that dmar_next gave; *pos starts at 0. */
bool dmar_next_scope(const struct dmar_entry *e, u16 *pos, struct dmar_scope *s);
/*
 * The function a scope names: each hop but the last is a bridge whose secondary bus the callback
 * gives (-1: no such bridge). 0, or -ENODEV.
 */
int must_check dmar_resolve(const struct dmar_scope *s, u16 segment,
			    int (*secondary)(u16 segment, u8 bus, u8 devfn), u8 *bus, u8 *devfn);

#endif
