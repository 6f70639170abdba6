/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Any bytes as a DMAR table: the walk ends, stays inside, and every scope of what it accepts can be
 * resolved against a hostile bridge.  Reads outside the input are AddressSanitizer's to find.
 */
#include <stdlib.h>

#include "iommu/vtd/dmar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static u8 next_bus;

static int secondary(u16 segment, u8 bus, u8 devfn)
{
	(void)segment;
	(void)bus;
	next_bus = (u8)(next_bus * 5 + devfn);
	return next_bus & 7 ? next_bus : -1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	u8 *table = malloc(size < 48 ? 48 : size), bus, devfn;
	struct dmar_entry e;
	struct dmar_scope s;
	struct dmar d;
	u32 at = 0, last = 0;

	memset(table, 0, 48);
	memcpy(table, data, size);
	/* The header right, so that the fuzzer's time goes into what follows it. */
	memcpy(table, "DMAR", 4);
	table[4] = (u8)size;
	table[5] = (u8)(size >> 8);
	table[6] = table[7] = 0;
	if (!dmar_open(&d, table, size)) {
		while (dmar_next(&d, &at, &e) > 0) {
			if (at <= last || at > d.len)
				abort();
			last = at;
			if (e.type == DMAR_ANDD && !e.bad && strlen(e.name) >= e.len)
				abort();
			for (u16 pos = 0; dmar_next_scope(&e, &pos, &s);)
				if (pos > e.scopes_len || (!dmar_resolve(&s, e.segment, secondary, &bus, &devfn) &&
							   s.hops > 125))
					abort();
		}
		if (at > d.len)
			abort();
	}
	free(table);
	return 0;
}
