/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dmar FILE: prints the facts of an ACPI DMAR table (raw bytes, as /sys/firmware/acpi/tables/DMAR
 * gives them), one line per structure and scope, by the parser that the kernel uses.
 *
 * Strings end at their first NUL, bytes outside 0x20 to 0x7e are \xNN, outer blanks are left out.
 * What can be read of a damaged table is printed, too; each damage is on standard error.
 * Status: 0; 1 the table is damaged; 2 called wrongly, or the file cannot be read.
 */
#include <stdio.h>
#include <stdlib.h>

#include "iommu/vtd/dmar.h"

#define TABLE_MAX (1u << 20) /* the largest real one has 5 KiB */
#define HEADER 48

static u8 table[TABLE_MAX + 1];

static const char *text(const u8 *p, size_t n)
{
	static char buf[4][4 * 256 + 1];
	static unsigned turn;
	char *out = buf[turn++ % 4], *at = out;
	size_t end = 0;

	while (end < n && end < 256 && p[end])
		end++;
	for (; end && *p == ' '; p++, end--)
		;
	for (; end && p[end - 1] == ' '; end--)
		;
	for (size_t i = 0; i < end; i++)
		at += sprintf(at, p[i] >= 0x20 && p[i] <= 0x7e ? "%c" : "\\x%02x", p[i]);
	*at = 0;
	return out;
}

static void print_header(const struct dmar *d)
{
	static const char *const names[] = { "INTR_REMAP", "X2APIC_OPT_OUT", "DMA_CTRL_PLATFORM_OPT_IN" };
	const char *between = "";

	printf("table length=%u revision=%u checksum=0x%02x oem=\"%s\" oemtable=\"%s\"\n", d->len, d->table[8],
	       d->table[9], text(d->table + 10, 6), text(d->table + 16, 8));
	printf("dmar haw=%u flags=0x%02x ", d->width, d->flags);
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		if (d->flags & BIT(i)) {
			printf("%s%s", between, names[i]);
			between = "|";
		}
	}
	puts(*between ? "" : "-");
}

static void print_scopes(const struct dmar_entry *e)
{
	static const char *const types[] = { "reserved", "endpoint", "bridge", "ioapic", "hpet", "namespace" };
	struct dmar_scope s;

	for (u16 pos = 0; dmar_next_scope(e, &pos, &s) && !s.odd;) {
		printf("  scope %s(%u) len=%u id=%u bus=0x%02x path=", s.type < ARRAY_SIZE(types) ? types[s.type] :
		       types[0], s.type, s.len, s.id, s.bus);
		for (unsigned i = 0; i < s.hops; i++)
			printf("%s%02x.%x", i ? "," : "", s.path[2 * i], s.path[2 * i + 1]);
		if (s.flags)
			printf(" flags=0x%02x", s.flags);
		puts("");
	}
}

static void print_entry(const struct dmar_entry *e)
{
	unsigned long long base = e->base, limit = e->limit;

	switch (e->type) {
	case DMAR_DRHD:
		printf("DRHD len=%u segment=%u base=0x%llx flags=0x%02x %s size=%u\n", e->len, e->segment, base, e->flags,
		       e->flags & DMAR_INCLUDE_PCI_ALL ? "INCLUDE_PCI_ALL" : "-", e->size);
		break;
	case DMAR_RMRR:
		printf("RMRR len=%u segment=%u base=0x%llx limit=0x%llx\n", e->len, e->segment, base, limit);
		break;
	case DMAR_ATSR:
		printf("ATSR len=%u segment=%u flags=0x%02x %s\n", e->len, e->segment, e->flags,
		       e->flags & BIT(0) ? "ALL_PORTS" : "-");
		break;
	case DMAR_RHSA:
		printf("RHSA len=%u base=0x%llx proximity=%u\n", e->len, base, e->proximity);
		break;
	case DMAR_ANDD:
		printf("ANDD len=%u device=%u name=\"%s\"\n", e->len, e->acpi_device,
		       text((const u8 *)e->name, e->len - 8u));
		break;
	case DMAR_SATC:
		printf("SATC len=%u segment=%u flags=0x%02x %s\n", e->len, e->segment, e->flags,
		       e->flags & BIT(0) ? "ATC_REQUIRED" : "-");
		break;
	case DMAR_SIDP:
		printf("SIDP len=%u segment=%u\n", e->len, e->segment);
		break;
	default:
		printf("unknown(%u) len=%u\n", e->type, e->len);
	}
	print_scopes(e);
}

/* What the parser found wrong at an offset, in words; start: where the structure begins. */
static void print_damage(const char *path, const struct dmar *d, u32 start, u32 at)
{
	const u8 *p = d->table + at;
	u32 left = d->len - at;

	fprintf(stderr, "%s: offset %u: ", path, at);
	if (at == start && left < 4)
		fprintf(stderr, "%u bytes after the last structure are none\n", left);
	else if (at == start)
		fprintf(stderr, "structure of type %u and length %u, with %u bytes left in the table: %s\n", p[0] | p[1] << 8,
			p[2] | p[3] << 8, left, (u32)(p[2] | p[3] << 8) > left ? "it runs over the end" :
			"too short for its type, or its name has no end");
	else
		fprintf(stderr, "scope of type %u and length %u in the structure at %u of length %u: too short, odd, or "
			"over its end\n", p[0], left > 1 ? p[1] : 0, start,
			d->table[start + 2] | d->table[start + 3] << 8);
}

static int print_table(const char *path, size_t len)
{
	struct dmar_entry e;
	struct dmar d;
	u32 at = 0, start = HEADER;
	u8 sum = 0;
	bool bad = false;
	int r;

	if (dmar_open(&d, table, len)) {
		fprintf(stderr, "%s: offset 0: no DMAR table: signature, or a length that is not 48 to %zu\n", path, len);
		return 1;
	}
	print_header(&d);
	while ((r = dmar_next(&d, &at, &e)) > 0) {
		if (e.bad != e.offset)
			print_entry(&e);
		fflush(stdout);
		if (e.bad)
			print_damage(path, &d, e.offset, e.bad);
		bad |= e.bad;
		start = at;
	}
	if (r)
		print_damage(path, &d, start, at);
	if (r || bad)
		return 1;
	for (u32 i = 0; i < d.len; i++)
		sum = (u8)(sum + table[i]);
	if (sum)
		fprintf(stderr, "%s: offset 9: wrong checksum: the bytes add up to 0x%02x\n", path, sum);
	return sum != 0;
}

int main(int argc, char **argv)
{
	size_t len;
	FILE *f;

	if (argc != 2 || argv[1][0] == '-') {
		fprintf(stderr, "dmar FILE: prints an ACPI DMAR table\n");
		return 2;
	}
	f = fopen(argv[1], "rb");
	if (!f) {
		perror(argv[1]);
		return 2;
	}
	len = fread(table, 1, sizeof(table), f);
	if (ferror(f) || len > TABLE_MAX) {
		fprintf(stderr, "%s: %s\n", argv[1], ferror(f) ? "cannot be read" : "larger than 1 MiB");
		return 2;
	}
	fclose(f);
	return print_table(argv[1], len);
}
