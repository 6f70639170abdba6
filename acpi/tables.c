/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ACPI tables from files, in memory, found from an RSDP as ACPICA expects: their addresses are this program's.
 * The copy of the FADT says that there is no ACPI hardware, so that nobody looks for registers.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "acpi_routes.h"

#define MAX_TABLES 128
#define TABLE_MAX (16u << 20)
#define HEADER 36u
#define LENGTH_AT 4
#define CHECKSUM_AT 9

/* FADT, ACPI 6.5 table 5.9 */
#define FADT_FACS 36
#define FADT_DSDT 40
#define FADT_FLAGS 112
#define FADT_HW_REDUCED (1u << 20)
#define FADT_X_FACS 132
#define FADT_X_DSDT 140
#define FADT_BYTES 276u /* revision 6 */

static struct table {
	uint8_t *bytes;
	uint32_t length;
} tables[MAX_TABLES];
static unsigned ntables;
static uint8_t rsdp[36];

static void put64(uint8_t *at, uint64_t v)
{
	memcpy(at, &v, sizeof(v));
}

static void checksum(uint8_t *bytes, uint32_t length, unsigned at)
{
	uint8_t sum = 0;

	bytes[at] = 0;
	for (uint32_t i = 0; i < length; i++)
		sum = (uint8_t)(sum + bytes[i]);
	bytes[at] = (uint8_t)-sum;
}

static struct table *table_add(uint8_t *bytes, uint32_t length)
{
	memcpy(bytes + LENGTH_AT, &length, sizeof(length));
	tables[ntables].bytes = bytes;
	tables[ntables].length = length;
	return &tables[ntables++];
}

static struct table *table_find(const char *signature)
{
	for (unsigned i = 0; i < ntables; i++)
		if (!memcmp(tables[i].bytes, signature, 4))
			return &tables[i];
	return NULL;
}

/* A file that is no whole table is left out. */
static void table_read(const char *dir, const char *name)
{
	uint8_t *bytes = calloc(1, TABLE_MAX);
	size_t have = 0;
	char path[512];
	uint32_t length;
	ssize_t n = 0;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (bytes && fd >= 0 && have < TABLE_MAX && (n = read(fd, bytes + have, TABLE_MAX - have)) > 0)
		have += (size_t)n;
	if (fd >= 0)
		close(fd);
	if (bytes)
		memcpy(&length, bytes + LENGTH_AT, sizeof(length));
	if (!bytes || have < HEADER || length < HEADER || length > have || !memcmp(bytes, "FACS", 4) || ntables >= MAX_TABLES - 1) {
		free(bytes);
		return;
	}
	bytes = realloc(bytes, length < FADT_BYTES ? FADT_BYTES : length);
	table_add(bytes, length);
}

static bool fadt_patch(void)
{
	struct table *fadt = table_find("FACP"), *dsdt = table_find("DSDT");
	uint32_t flags;

	if (!fadt || !dsdt)
		return false;
	if (fadt->length < FADT_BYTES)
		memset(fadt->bytes + fadt->length, 0, FADT_BYTES - fadt->length);
	fadt->length = FADT_BYTES;
	memcpy(fadt->bytes + LENGTH_AT, &fadt->length, sizeof(fadt->length));
	fadt->bytes[8] = 6;
	memset(fadt->bytes + FADT_FACS, 0, 8); /* FACS, DSDT */
	put64(fadt->bytes + FADT_X_FACS, 0);
	put64(fadt->bytes + FADT_X_DSDT, (uintptr_t)dsdt->bytes);
	memcpy(&flags, fadt->bytes + FADT_FLAGS, sizeof(flags));
	flags |= FADT_HW_REDUCED;
	memcpy(fadt->bytes + FADT_FLAGS, &flags, sizeof(flags));
	checksum(fadt->bytes, fadt->length, CHECKSUM_AT);
	return true;
}

bool tables_load(const char *dir)
{
	DIR *d = opendir(dir);
	uint32_t length = HEADER;
	struct dirent *e;
	uint8_t *xsdt;

	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.')
			table_read(dir, e->d_name);
	if (d)
		closedir(d);
	if (!fadt_patch()) {
		fprintf(stderr, "%s: no FACP and DSDT there\n", dir);
		return false;
	}
	xsdt = calloc(1, HEADER + 8 * MAX_TABLES);
	if (!xsdt)
		return false;
	memcpy(xsdt, "XSDT", 4);
	xsdt[8] = 1;
	for (unsigned i = 0; i < ntables; i++) {
		if (!memcmp(tables[i].bytes, "DSDT", 4))
			continue;
		put64(xsdt + length, (uintptr_t)tables[i].bytes);
		length += 8;
	}
	table_add(xsdt, length);
	checksum(xsdt, length, CHECKSUM_AT);
	memcpy(rsdp, "RSD PTR ", 8);
	rsdp[15] = 2;
	rsdp[20] = sizeof(rsdp);
	put64(rsdp + 24, (uintptr_t)xsdt);
	checksum(rsdp, 20, 8);
	checksum(rsdp, sizeof(rsdp), 32);
	return true;
}

uint64_t tables_root(void)
{
	return (uintptr_t)rsdp;
}

static bool inside(uint64_t where, uint64_t len, const void *base, uint64_t size)
{
	uint64_t at = (uintptr_t)base;

	return where >= at && where - at <= size && len <= size - (where - at);
}

bool tables_hold(uint64_t where, uint64_t len)
{
	if (inside(where, len, rsdp, sizeof(rsdp)))
		return true;
	for (unsigned i = 0; i < ntables; i++)
		if (inside(where, len, tables[i].bytes, tables[i].length))
			return true;
	return false;
}
