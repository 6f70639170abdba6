/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * MADT, MCFG and the regions that AML names, from any bytes.  The input is a table whose length field is made to tell the truth, as
 * acpi_find() guarantees; what is behind it belongs to the sanitizer.
 */
#include <stdlib.h>

#include "kernel/acpi.h"
#include "kernel/log.h"
#include "tests/host/host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct acpi_mcfg_entry entry[8];
	struct acpi_madt madt;
	struct acpi_region r;
	struct acpi_header *t;
	int n;

	if (size < sizeof(*t))
		return 0;
	host_init();
	t = malloc(size);
	memcpy(t, data, size);
	t->length = (u32)size;
	if (!acpi_parse_madt(t, &madt) &&
	    (madt.ncpus > ARRAY_SIZE(madt.cpu) || madt.nioapics > ARRAY_SIZE(madt.ioapic) ||
	     madt.noverrides > ARRAY_SIZE(madt.override)))
		abort();
	n = acpi_parse_mcfg(t, entry, ARRAY_SIZE(entry));
	if (n > (int)ARRAY_SIZE(entry))
		abort();
	for (int i = 0; i < n; i++)
		if (entry[i].bus_first > entry[i].bus_last)
			abort();
	for (u32 off = 0, before = 0; (off = acpi_region_next(t, off, &r)); before = off)
		if (off <= before || off > t->length || r.base + r.size <= r.base || (r.io && r.base + r.size > 0x10000))
			abort();
	free(t);
	return 0;
}
