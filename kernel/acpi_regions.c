/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which ports and memory a table's AML names: operation regions (ACPI 6.5, 19.6.100 and 20.2.5.2) whose place and
 * length are constants. Nothing is interpreted: the bytes are searched for that operator, so data that look like it
 * count too; a region whose place is computed, or whose name has more than two parts, is not found. Reads t->length bytes
 * of t and nothing else.
 */
#include "kernel/acpi.h"

/* ACPI 6.5, 20.2 and 20.3. Constants are of so many bytes, Zero and One of none. */
enum { AML_ONE = 1, AML_DUAL_NAME = 0x2e, AML_EXT = 0x5b, AML_PARENT = '^', AML_ROOT = '\\', AML_REGION = 0x80 };
enum { AML_SPACE_MEMORY = 0, AML_SPACE_IO = 1 };
static const short constant_bytes[] = { 0, 0, -1, -1, -1, -1, -1, -1, -1, -1, 1, 2, 4, -1, 8 };
#define AML_SEG 4
#define AML_PORTS 0x10000u

struct cursor { const u8 *at, *end; };

/* The next byte; -1: there is none, or not the one that is looked for (-1: any). */
static int next(struct cursor *c, int which)
{
	return c->at < c->end && (which < 0 || *c->at == which) ? *c->at++ : -1;
}

static bool name_skip(struct cursor *c)
{
	int v, segs;

	while (next(c, AML_ROOT) >= 0 || next(c, AML_PARENT) >= 0)
		;
	segs = next(c, AML_DUAL_NAME) >= 0 ? 2 : 1;
	for (int i = 0; i < segs * AML_SEG; i++) {
		v = next(c, -1);
		if (!(v >= 'A' && v <= 'Z') && v != '_' && !(i % AML_SEG && v >= '0' && v <= '9'))
			return false;
	}
	return true;
}

static bool constant(struct cursor *c, u64 *v)
{
	int op = next(c, -1), bytes = op >= 0 && op < (int)ARRAY_SIZE(constant_bytes) ? constant_bytes[op] : -1;

	if (bytes < 0 || c->end - c->at < bytes)
		return false;
	*v = op == AML_ONE;
	memcpy(v, c->at, (size_t)bytes);
	c->at += bytes;
	return true;
}

u32 acpi_region_next(const struct acpi_header *t, u32 off, struct acpi_region *out)
{
	for (off = MAX(off, (u32)sizeof(*t)); off < t->length; off++) {
		struct cursor c = { (const u8 *)t + off, (const u8 *)t + t->length };
		int space = next(&c, AML_EXT) >= 0 && next(&c, AML_REGION) >= 0 && name_skip(&c) ? next(&c, -1) : -1;

		out->io = space == AML_SPACE_IO;
		if ((out->io || space == AML_SPACE_MEMORY) && constant(&c, &out->base) && constant(&c, &out->size) &&
		    out->base + out->size > out->base && (!out->io || out->base + out->size <= AML_PORTS))
			return off + 1;
	}
	return 0;
}
