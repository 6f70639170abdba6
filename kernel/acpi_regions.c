/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which ports and memory a table's AML names: operation regions (ACPI 6.5, 19.6.100 and 20.2.5.2) whose place and
 * length are constants. Nothing is interpreted: the bytes are searched for that operator, so data that look like it
 * count too; a region whose place is computed, or whose name has more than two parts, is not found. Reads t->length bytes
 * of t and nothing else.
 */
#include "kernel/acpi.h"

/* ACPI 6.5, 20.2 and 20.3. Constants are of so many bytes, Zero and One of none. */
enum { AML_ONE = 1, AML_EXT = 0x5b, AML_REGION = 0x80, AML_SPACE_IO = 1 /* memory: 0 */ };
static const short constant_bytes[] = { 0, 0, -1, -1, -1, -1, -1, -1, -1, -1, 1, 2, 4, -1, 8 };
#define AML_NAME "\\^._0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ" /* '.': two parts follow */
#define AML_PORTS 0x10000u

static bool constant(const struct acpi_header *t, u32 *at, u64 *v)
{
	u32 op = (u32)acpi_field(t, *at, 1);
	int bytes = op < ARRAY_SIZE(constant_bytes) ? constant_bytes[op] : -1;

	if (bytes < 0 || *at >= t->length || (u32)bytes >= t->length - *at)
		return false;
	*v = op == AML_ONE ? 1 : acpi_field(t, *at + 1, (unsigned)bytes);
	*at += 1 + (u32)bytes;
	return true;
}

u32 acpi_region_next(const struct acpi_header *t, u32 off, struct acpi_region *out)
{
	const u8 *p = (const u8 *)t;

	for (off = MAX(off, (u32)sizeof(*t)); off + 1 < t->length; off++) {
		u32 at = off + 2;

		if (p[off] != AML_EXT || p[off + 1] != AML_REGION)
			continue;
		while (at < t->length && memchr(AML_NAME, p[at], sizeof(AML_NAME) - 1))
			at++;
		if (at == off + 2 || at >= t->length || p[at] > AML_SPACE_IO)
			continue;
		out->io = p[at++] == AML_SPACE_IO;
		if (constant(t, &at, &out->base) && constant(t, &at, &out->size) && out->base + out->size > out->base &&
		    (!out->io || out->base + out->size <= AML_PORTS))
			return off + 1;
	}
	return 0;
}
