/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * /sys/firmware/acpi/tables: the tables as firmware left them, by signature, numbered from 1 where there are
 * several, as on Linux. They are for programs that interpret AML; ring 0 does not.
 */
#include <stdio.h>

#include "kernel/acpi.h"
#include "kernel/file.h"
#include "kernel/initcall.h"

static s64 table_read(struct node *n, u64 off, void *buf, size_t len)
{
	const struct acpi_header *t = node_priv(n);

	if (off >= t->length)
		return 0;
	len = MIN(len, t->length - off);
	memcpy(buf, (const u8 *)t + off, len);
	return (s64)len;
}

static const struct node_ops table_node = { .bin_read = table_read, .bin_size = ACPI_TABLE_MAX, .mode = 0400 };

/* A name must be one: a signature is firmware's word. */
static void table_add(const struct acpi_header *t, unsigned number)
{
	char name[16];

	if (!t)
		return;
	for (unsigned i = 0; i < sizeof(t->signature); i++)
		if (t->signature[i] <= ' ' || t->signature[i] > '~' || t->signature[i] == '/' || t->signature[i] == '.')
			return;
	snprintf(name, sizeof(name), number ? "%.4s%u" : "%.4s", t->signature, number);
	node_addf(&table_node, (void *)t, "/sys/firmware/acpi/tables/%s", name);
}

static int acpi_files_init(void)
{
	for (unsigned i = 0; i < acpi_tables(); i++) {
		const struct acpi_header *t = acpi_table(i), *other;
		unsigned before = 0, all = 0;

		for (unsigned k = 0; t && k < acpi_tables(); k++) {
			other = acpi_table(k);
			all += other && !memcmp(other->signature, t->signature, sizeof(t->signature));
			before = k == i ? all : before;
		}
		table_add(t, all > 1 ? before : 0);
	}
	table_add(acpi_dsdt(), 0);
	return 0;
}
INITCALL(INITCALL_DEVICES, acpi_files_init);
