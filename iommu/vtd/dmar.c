// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMAR parser (VT-d 8.1 to 8.10).  Firmware's word is not trusted: a structure or scope that is too
 * short, runs over its container or has a broken path ends the walk with -EBADMSG and the table
 * offset.  Structures need not be aligned (a two-hop RMRR is 34 bytes long), so all fields are read
 * byte-wise.  Unknown types are stepped over by their length.
 */
#include "iommu/vtd/dmar.h"

#define DMAR_HEADER_LEN 48 /* 8.1: ACPI header, host address width, flags, 10 reserved bytes */
#define DMAR_WIDTH_AT 36
#define DMAR_FLAGS_AT 37
#define DMAR_SCOPE_LEN 6   /* 8.3.1, without the path */

/* Fixed part of each structure, by type. */
static const u8 fixed_len[] = {
	[DMAR_DRHD] = 16, [DMAR_RMRR] = 24, [DMAR_ATSR] = 8, [DMAR_RHSA] = 20,
	[DMAR_ANDD] = 8, [DMAR_SATC] = 8, [DMAR_SIDP] = 8,
};

static u64 get(const u8 *p, unsigned bytes)
{
	u64 v = 0;

	for (unsigned i = 0; i < bytes; i++)
		v |= (u64)p[i] << 8 * i;
	return v;
}

int dmar_open(struct dmar *d, const void *table, size_t len)
{
	const u8 *p = table;

	if (len < DMAR_HEADER_LEN || memcmp(p, "DMAR", 4) || get(p + 4, 4) < DMAR_HEADER_LEN ||
	    get(p + 4, 4) > len)
		return -EBADMSG;
	*d = (struct dmar){
		.table = p,
		.len = (u32)get(p + 4, 4),
		.width = (u8)(p[DMAR_WIDTH_AT] + 1),
		.flags = p[DMAR_FLAGS_AT],
	};
	return 0;
}

/* 0, or -EBADMSG with *bad the offset inside the scopes. */
static int scopes_check(const u8 *p, u32 len, u32 *bad)
{
	u32 pos = 0;

	while (pos < len) {
		*bad = pos;
		if (len - pos < DMAR_SCOPE_LEN)
			return -EBADMSG;
		if (p[pos + 1] < DMAR_SCOPE_LEN + 2 || p[pos + 1] % 2 || p[pos + 1] > len - pos)
			return -EBADMSG;
		pos += p[pos + 1];
	}
	return 0;
}

static void entry_fields(const u8 *p, struct dmar_entry *e)
{
	switch (e->type) {
	case DMAR_DRHD: /* 8.3 */
		e->flags = p[4];
		e->size = p[5] & 0xf;
		e->segment = (u16)get(p + 6, 2);
		e->base = get(p + 8, 8);
		break;
	case DMAR_RMRR: /* 8.4 */
		e->segment = (u16)get(p + 6, 2);
		e->base = get(p + 8, 8);
		e->limit = get(p + 16, 8);
		break;
	case DMAR_ATSR: /* 8.5 */
	case DMAR_SATC: /* 8.8 */
	case DMAR_SIDP: /* 8.9 */
		e->flags = e->type == DMAR_SIDP ? 0 : p[4];
		e->segment = (u16)get(p + 6, 2);
		break;
	case DMAR_RHSA: /* 8.6 */
		e->base = get(p + 8, 8);
		e->proximity = (u32)get(p + 16, 4);
		break;
	case DMAR_ANDD: /* 8.7 */
		e->acpi_device = p[7];
		e->name = (const char *)p + 8;
		break;
	}
}

int dmar_next(const struct dmar *d, u32 *offset, struct dmar_entry *e)
{
	u32 off = *offset ? *offset : DMAR_HEADER_LEN, bad = 0, fixed;
	const u8 *p = d->table + off;

	*offset = off;
	if (off == d->len)
		return 0;
	if (d->len - off < 4)
		return -EBADMSG;
	*e = (struct dmar_entry){ .offset = off, .type = (u16)get(p, 2), .len = (u16)get(p + 2, 2) };
	if (e->len < 4 || e->len > d->len - off)
		return -EBADMSG;
	if (e->type < ARRAY_SIZE(fixed_len)) {
		fixed = fixed_len[e->type];
		if (e->len < fixed)
			return -EBADMSG;
		entry_fields(p, e);
		if (e->type == DMAR_ANDD) {
			if (!memchr(e->name, 0, e->len - fixed))
				return -EBADMSG;
		} else if (e->type != DMAR_RHSA) {
			e->scopes = p + fixed;
			e->scopes_len = (u16)(e->len - fixed);
			if (scopes_check(e->scopes, e->scopes_len, &bad)) {
				*offset = off + fixed + bad;
				return -EBADMSG;
			}
		}
	}
	*offset = off + e->len;
	return 1;
}

bool dmar_next_scope(const struct dmar_entry *e, u16 *pos, struct dmar_scope *s)
{
	const u8 *p;

	if (*pos >= e->scopes_len)
		return false;
	p = e->scopes + *pos;
	*s = (struct dmar_scope){
		.type = p[0], .len = p[1], .flags = p[2], .id = p[4], .bus = p[5],
		.hops = (u8)((p[1] - DMAR_SCOPE_LEN) / 2), .path = p + DMAR_SCOPE_LEN,
	};
	*pos = (u16)(*pos + s->len);
	return true;
}

int dmar_resolve(const struct dmar_scope *s, u16 segment,
		 int (*secondary)(u16 segment, u8 bus, u8 devfn), u8 *bus, u8 *devfn)
{
	int b = s->bus;

	for (unsigned i = 0;; i++) {
		u8 dev = s->path[2 * i], fn = s->path[2 * i + 1];

		if (dev > 31 || fn > 7)
			return -ENODEV;
		*bus = (u8)b;
		*devfn = (u8)(dev << 3 | fn);
		if (i + 1 == s->hops)
			return 0;
		b = secondary(segment, *bus, *devfn);
		if (b < 0 || b > 255)
			return -ENODEV;
	}
}
