/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * MADT and MCFG from any bytes.  The input is a table whose length field is made to tell the truth, as
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
	free(t);
	return 0;
}
