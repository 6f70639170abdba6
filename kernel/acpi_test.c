/* SPDX-License-Identifier: GPL-2.0-only */
/* ACPI tables by hand: right ones are found, and every way of lying is refused with a line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kernel/acpi.h"
#include "kernel/frames.h"
#include "kernel/log.h"
#include "tests/host/host.h"

#define RSDP 0xf0010ull
static paddr_t area; /* firmware's memory */

static u8 *at(paddr_t pa)
{
	return phys_to_virt(pa);
}

static void fix_sum(u8 *p, size_t n, size_t where)
{
	u8 s = 0;

	p[where] = 0;
	for (size_t i = 0; i < n; i++)
		s = (u8)(s + p[i]);
	p[where] = (u8)-s;
}

static void put64(u8 *p, u64 v)
{
	memcpy(p, &v, 8);
}

static void put32(u8 *p, u32 v)
{
	memcpy(p, &v, 4);
}

static paddr_t table(paddr_t pa, const char *signature, const void *body, u32 n)
{
	u8 *p = at(pa);

	memset(p, 0, 36);
	memcpy(p, signature, 4);
	put32(p + 4, 36 + n);
	memcpy(p + 36, body, n);
	fix_sum(p, 36 + n, 9);
	return pa;
}

static bool said(const char *what)
{
	static char text[65537];
	static u64 pos;
	size_t n = log_read(&pos, text, sizeof(text) - 1);

	text[n] = 0;
	return strstr(text, what) != NULL;
}

/* revision 2 with an XSDT of `n` entries, or revision 0 with an RSDT. */
static void root(unsigned revision, const u64 *entry, unsigned n)
{
	u8 body[256], *r = at(RSDP);
	unsigned size = revision ? 8 : 4;

	for (unsigned i = 0; i < n; i++)
		memcpy(body + i * size, &entry[i], size);
	table(area, revision ? "XSDT" : "RSDT", body, n * size);
	memset(at(0xe0000), 0, 0x20000);
	memcpy(r, "RSD PTR ", 8);
	r[15] = (u8)revision;
	put32(r + 16, revision ? 0 : (u32)area);
	put32(r + 20, 36);
	put64(r + 24, revision ? area : 0);
	fix_sum(r, 20, 8);
	fix_sum(r, 36, 32);
}

static void test_find(void **state)
{
	u64 entries[4] = { area + 0x1001, ~0ull << 4, area + 0x2000, area + 0x3000 };
	const struct acpi_header *t;

	(void)state;
	for (unsigned revision = 0; revision <= 2; revision += 2) {
		table(entries[0], "AAAA", "x", 1);
		table(entries[2], "BBBB", "yz", 2);
		table(entries[3], "CCCC", "", 0);
		root(revision, entries, 4);
		assert_int_equal(acpi_init(0), 0); /* found in the BIOS area */
		assert_int_equal(acpi_init(RSDP), 0);
		t = acpi_find("BBBB");
		assert_non_null(t);
		assert_ptr_equal(t, at(entries[2]));
		assert_ptr_equal(acpi_find("AAAA"), at(entries[0]));
		assert_null(acpi_find("DDDD"));
		at(entries[2])[36] ^= 1;
		assert_null(acpi_find("BBBB"));
		assert_true(said("BBBB") && acpi_find("AAAA"));
		table(entries[2], "BBBB", "yz", 2);
		put32(at(entries[2]) + 4, 35);
		assert_null(acpi_find("BBBB"));
		assert_true(said("length 35"));
		put32(at(entries[2]) + 4, 0x7fffffff);
		assert_null(acpi_find("BBBB"));
		assert_true(said("BBBB"));
		put32(at(entries[2]) + 4, 0x100000); /* over the end of memory */
		assert_null(acpi_find("BBBB"));
		assert_true(said("impossible"));
	}
}

static void test_root(void **state)
{
	u64 entry = area + 0x2000;

	(void)state;
	root(2, &entry, 1);
	at(RSDP)[8]++;
	assert_int_equal(acpi_init(RSDP), -EBADMSG);
	assert_int_equal(acpi_init(0), -ENOENT);
	assert_null(acpi_find("BBBB"));
	root(2, &entry, 1);
	at(RSDP)[33]++;
	assert_int_equal(acpi_init(RSDP), -EBADMSG);
	assert_int_equal(acpi_init(0x7fffffffff0), -EBADMSG);
	root(2, &entry, 1);
	at(area)[1] = 'Y';
	fix_sum(at(area), 44, 9);
	assert_int_equal(acpi_init(RSDP), -EBADMSG);
	root(2, &entry, 1);
	at(area)[9]++;
	assert_int_equal(acpi_init(RSDP), -EBADMSG);
	root(2, &entry, 1);
	put64(at(RSDP) + 24, ~0ull - 3);
	fix_sum(at(RSDP), 36, 32);
	assert_int_equal(acpi_init(RSDP), -EBADMSG);
	root(2, &entry, 1);
	put32(at(RSDP) + 20, 0xffffffff);
	assert_int_equal(acpi_init(RSDP), -EBADMSG);
}

static const u8 madt[] = {
	0, 0, 0xe0, 0xfe, 1, 0, 0, 0,                              /* LAPIC, flags */
	0, 8, 0, 0, 1, 0, 0, 0,                                    /* CPU 0 */
	0, 8, 1, 2, 0, 0, 0, 0,                                    /* disabled */
	0, 8, 2, 4, 1, 0, 0, 0,                                    /* CPU 4 */
	9, 16, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0,           /* again as x2APIC */
	9, 16, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0,           /* x2APIC id 256 */
	0, 8, 9, 0xff, 1, 0, 0, 0,                                 /* no id */
	1, 12, 7, 0, 0, 0, 0xc0, 0xfe, 24, 0, 0, 0,                /* IOAPIC */
	2, 10, 0, 9, 9, 0, 0, 0, 0x0d, 0,                          /* override */
	0x7f, 4, 1, 2,                                             /* unknown */
	5, 12, 0, 0, 0, 0x10, 0xe0, 0xfe, 1, 0, 0, 0,              /* 64-bit LAPIC address */
};

static int parse_madt(const void *body, u32 n, struct acpi_madt *out)
{
	/* Exactly as long as it says: a byte too far is seen by the sanitizer. */
	struct acpi_header *t = malloc(36 + n);
	int err;

	memset(t, 0, 36);
	memcpy((u8 *)t + 36, body, n);
	t->length = 36 + n;
	err = acpi_parse_madt(t, out);
	free(t);
	return err;
}

static void test_madt(void **state)
{
	struct acpi_madt m;
	u8 bad[sizeof(madt)], many[8 + 300 * 8];
	static const u32 ends[] = { 8, 16, 24, 32, 48, 64, 72, 84, 94, 98, 110 };

	(void)state;
	assert_int_equal(acpi_parse_madt(NULL, &m), -ENOENT);
	assert_int_equal(parse_madt(madt, sizeof(madt), &m), 0);
	assert_int_equal(m.ncpus, 3);
	assert_int_equal(m.cpu[1].apic_id, 4);
	assert_int_equal(m.cpu[2].apic_id, 256);
	assert_int_equal(m.nioapics, 1);
	assert_int_equal(m.ioapic[0].base, 0xfec00000);
	assert_int_equal(m.ioapic[0].gsi_base, 24);
	assert_int_equal(m.ioapic[0].id, 7);
	assert_int_equal(m.noverrides, 1);
	assert_int_equal(m.override[0].bus_irq, 9);
	assert_int_equal(m.override[0].flags, 0x0d);
	assert_int_equal(m.lapic, 0x1fee01000);
	/* Cut anywhere: fine at the end of an entry, refused elsewhere. */
	for (u32 n = 0, e = 0; n < sizeof(madt); n++) {
		while (e < ARRAY_SIZE(ends) && ends[e] < n)
			e++;
		assert_int_equal(parse_madt(madt, n, &m), e < ARRAY_SIZE(ends) && ends[e] == n ? 0 : -EBADMSG);
	}
	for (u8 len = 0; len < 12; len++) {
		memcpy(bad, madt, sizeof(madt));
		bad[73] = len; /* the IOAPIC's */
		if (len == 8)
			continue;
		assert_int_equal(parse_madt(bad, sizeof(bad), &m), -EBADMSG);
		assert_true(said("MADT, offset 108"));
	}
	memset(many, 0, sizeof(many));
	for (unsigned i = 0; i < 300; i++)
		memcpy(many + 8 + i * 8, (u8[]){ 0, 8, 0, (u8)(i % 250), 1, 0, 0, 0 }, 8);
	assert_int_equal(parse_madt(many, sizeof(many), &m), 0);
	assert_int_equal(m.ncpus, 250);
	for (unsigned i = 0; i < 40; i++)
		memcpy(many + 8 + i * 12, (u8[]){ 1, 12, (u8)i, 0, 0, 0, 0, 0, 0, 0, 0, 0 }, 12);
	assert_int_equal(parse_madt(many, 8 + 40 * 12, &m), 0);
	assert_int_equal(m.nioapics, ARRAY_SIZE(m.ioapic));
}

static int parse_mcfg(const u8 *entries, u32 n, struct acpi_mcfg_entry *out, unsigned cap)
{
	struct acpi_header *t = calloc(1, 44 + n);
	int r;

	memcpy((u8 *)t + 44, entries, n);
	t->length = 44 + n;
	r = acpi_parse_mcfg(t, out, cap);
	free(t);
	return r;
}

static void test_mcfg(void **state)
{
	static const u8 two[32] = { 0, 0, 0, 0xb0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0, 0, 0, 0,
				    0, 0, 0, 0, 0x40, 0, 0, 0, 1, 0, 4, 7, 0, 0, 0, 0 };
	struct acpi_mcfg_entry e[2];
	u8 bad[32];

	(void)state;
	assert_int_equal(acpi_parse_mcfg(NULL, e, 2), -ENOENT);
	assert_int_equal(parse_mcfg(two, 32, e, 2), 2);
	assert_int_equal(e[0].base, 0xb0000000);
	assert_int_equal(e[0].bus_last, 255);
	assert_int_equal(e[1].base, 0x4000000000);
	assert_int_equal(e[1].segment, 1);
	assert_int_equal(e[1].bus_first, 4);
	assert_int_equal(parse_mcfg(two, 32, e, 1), 1);
	assert_int_equal(parse_mcfg(two, 0, e, 2), 0);
	assert_int_equal(parse_mcfg(two, 31, e, 2), -EBADMSG);
	memcpy(bad, two, 32);
	bad[26] = 8;
	assert_int_equal(parse_mcfg(bad, 32, e, 2), -EBADMSG);
	assert_true(said("MCFG, offset 60"));
	bad[26] = 4;
	bad[18] = 8;
	assert_int_equal(parse_mcfg(bad, 32, e, 2), -EBADMSG);
}

static const u8 aml[] = {
	0x10, 0x5b, 0x80, 'P', 'O', 'R', 'T', 1, 0x0b, 0x10, 0x05, 0x0a, 0x02,             /* constants of all widths */
	0x5b, 0x80, '\\', '_', 'S', 'B', '_', 0, 0x0c, 0x00, 0x10, 0x00, 0xd0, 0x01,
	0x5b, 0x80, '^', '^', 0x2e, 'A', 'B', 'C', 'D', 'E', '0', '1', '2', 0, 0x00, 0x0e, 0, 0, 0, 0, 1, 0, 0, 0,
	0x5b, 0x80, 'A', '_', '0', '9', 1, 0x0b, 0xff, 0xff, 0x01,
	0x5b, 0x80, 'P', 'O', 'R', 'T', 1, 0x0b, 0xff, 0xff, 0x0a, 0x02,                   /* ends after the last port */
	0x5b, 0x80, 'M', 'E', 'M', '_', 0, 0x0e, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0b, 0x00, 0x01, /* wraps */
	0x5b, 0x80, 'M', 'E', 'M', '_', 0, 0x0a, 0x10, 0x00,                               /* empty */
	0x5b, 0x80, 'E', 'C', 'O', 'R', 3, 0x00, 0x0a, 0x10,                               /* another space */
	0x5b, 0x80, 'C', 'O', 'M', 'P', 1, 'B', 'A', 'S', 'E', 0x0a, 0x10,                 /* computed */
	0x5b, 0x80, 'b', 'a', 'd', '_', 1, 0x0a, 0x10, 0x0a, 0x10,                         /* no name */
	0x5b, 0x80, 1, 0x0a, 0x10, 0x0a, 0x10,
	0x5b, 0x80, 0x2f, 0, 1, 0x0a, 0x10, 0x0a, 0x10,
	0x5b, 0x81, 'P', 'O', 'R', 'T', 1, 0x0a, 0x10, 0x0a, 0x10,                         /* a field */
	0x5b, 0x80, 0x5b, 0x80, 'L', 'A', 'S', 'T', 1, 0x0a, 0x80, 0x01,
};

static void test_regions(void **state)
{
	static const struct acpi_region want[] = {
		{ .base = 0x510, .size = 2, .io = true }, { .base = 0xd0001000, .size = 1 }, { .size = 0x100000000 },
		{ .base = 0xffff, .size = 1, .io = true }, { .base = 0x80, .size = 1, .io = true },
	};
	/* Where the bytes end that each of them needs. */
	static const u32 ends[] = { 13, 27, 51, 62, sizeof(aml) };

	(void)state;
	for (u32 n = 0; n <= sizeof(aml); n++) {
		struct acpi_header *t = calloc(1, sizeof(*t) + n); /* exactly as long as it says */
		struct acpi_region r;
		unsigned found = 0;

		memcpy(t + 1, aml, n);
		t->length = (u32)sizeof(*t) + n;
		for (u32 off = 0; (off = acpi_region_next(t, off, &r)); found++) {
			assert_true(found < ARRAY_SIZE(want));
			assert_int_equal(r.base, want[found].base);
			assert_int_equal(r.size, want[found].size);
			assert_int_equal(r.io, want[found].io);
		}
		assert_true(found == ARRAY_SIZE(want) || n < ends[found]);
		assert_true(!found || n >= ends[found - 1]);
		free(t);
	}
}

static int setup(void **state)
{
	(void)state;
	host_init();
	area = HOST_RAM_SIZE - 0x80000;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_root),
		cmocka_unit_test(test_madt),
		cmocka_unit_test(test_mcfg),
		cmocka_unit_test(test_regions),
	};

	return cmocka_run_group_tests_name("acpi", tests, setup, NULL);
}
