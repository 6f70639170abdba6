// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMAR parser (VT-d 8.1 to 8.10).  Firmware's word is not trusted: a structure whose length tells no
 * next one ends the walk with -EBADMSG; one that is too short for its type, or has an odd scope, comes
 * out as damaged, with what can be read of it.  Structures need not be aligned (a two-hop RMRR is 34
 * bytes long), so all fields are read byte-wise.  Unknown types are stepped over by their length.
 */
#include "iommu/vtd/dmar.h"

#define DMAR_HEADER_LEN 48 /* 8.1: ACPI header, host address width, flags, 10 reserved bytes */
#define DMAR_WIDTH_AT 36
#define DMAR_FLAGS_AT 37
#define DMAR_SCOPE_LEN 6   /* 8.3.1, without the path */
#define DMAR_SCOPE_MIN (DMAR_SCOPE_LEN + 2)

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

/*
 * All scopes up to the first odd one.  Of that its first hop is believed when it has room for one; whether
 * more follow cannot be known when there would be room for them.
 */
static void scopes_check(struct dmar_entry *e, u32 offset)
{
	const u8 *p = e->scopes;
	u32 pos = 0, left;

	for (; pos < e->scopes_len; pos += p[pos + 1]) {
		left = e->scopes_len - pos;
		if (left >= DMAR_SCOPE_MIN && p[pos + 1] >= DMAR_SCOPE_MIN && p[pos + 1] % 2 == 0 && p[pos + 1] <= left)
			continue;
		e->bad = offset + pos;
		e->hides = left < DMAR_SCOPE_MIN || p[pos + 1] < DMAR_SCOPE_MIN || left >= 2 * DMAR_SCOPE_MIN;
		e->scopes_len = (u16)(left < DMAR_SCOPE_MIN || p[pos + 1] < DMAR_SCOPE_MIN ? pos : pos + DMAR_SCOPE_MIN);
		return;
	}
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
	u32 off = *offset ? *offset : DMAR_HEADER_LEN, fixed;
	const u8 *p = d->table + off;

	*offset = off;
	if (off == d->len)
		return 0;
	if (d->len - off < 4)
		return -EBADMSG;
	*e = (struct dmar_entry){ .offset = off, .type = (u16)get(p, 2), .len = (u16)get(p + 2, 2) };
	if (e->len < 4 || e->len > d->len - off)
		return -EBADMSG;
	*offset = off + e->len;
	fixed = e->type < ARRAY_SIZE(fixed_len) ? fixed_len[e->type] : 0;
	if (e->len < fixed || (e->type == DMAR_ANDD && !memchr(p + fixed, 0, e->len - fixed))) {
		e->bad = off;
		e->hides = true;
	} else if (fixed) {
		entry_fields(p, e);
		if (e->type != DMAR_ANDD && e->type != DMAR_RHSA) {
			e->scopes = p + fixed;
			e->scopes_len = (u16)(e->len - fixed);
			scopes_check(e, off + fixed);
		}
	}
	return 1;
}

bool dmar_next_scope(const struct dmar_entry *e, u16 *pos, struct dmar_scope *s)
{
	const u8 *p;

	if (*pos >= e->scopes_len)
		return false;
	p = e->scopes + *pos;
	*s = (struct dmar_scope){
		.type = p[0], .len = p[1], .flags = p[2], .id = p[4], .bus = p[5], .path = p + DMAR_SCOPE_LEN,
		.odd = p[1] > e->scopes_len - *pos,
	};
	if (s->odd)
		s->len = DMAR_SCOPE_MIN;
	s->hops = (u8)((s->len - DMAR_SCOPE_LEN) / 2);
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
