/* SPDX-License-Identifier: GPL-2.0-only */
/* The DMAR parser on hand-made tables, odd ones included. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "iommu/vtd/dmar.h"

static u8 table[1024];
static size_t len;

static void put(const u8 *bytes, size_t n)
{
	memcpy(table + len, bytes, n);
	len += n;
	table[4] = (u8)len;
	table[5] = (u8)(len >> 8);
}
#define PUT(...) put((const u8[]){ __VA_ARGS__ }, sizeof((const u8[]){ __VA_ARGS__ }))

static int begin(void **state)
{
	(void)state;
	memset(table, 0, sizeof(table));
	memcpy(table, "DMAR", 4);
	table[36] = 38;
	table[37] = 5;
	table[4] = 48;
	len = 48;
	return 0;
}

/* Walk all: the number of structures, or the errno with *at. */
static int walk(u32 *at)
{
	struct dmar_entry e;
	struct dmar_scope s;
	struct dmar d;
	int r = dmar_open(&d, table, len), n = 0;

	*at = 0;
	if (r)
		return r;
	while ((r = dmar_next(&d, at, &e)) > 0) {
		n++;
		for (u16 pos = 0; dmar_next_scope(&e, &pos, &s);)
			assert_in_range(s.hops, 1, 124);
	}
	return r ? r : n;
}

static void test_header(void **state)
{
	struct dmar d;
	u32 at;

	(void)state;
	assert_int_equal(walk(&at), 0);
	assert_int_equal(dmar_open(&d, table, len), 0);
	assert_int_equal(d.width, 39);
	assert_int_equal(d.flags, DMAR_INTR_REMAP | DMAR_DMA_CTRL_OPT_IN);
	assert_int_equal(dmar_open(&d, table, 47), -EBADMSG);
	table[4] = 49; /* says it is longer than it is */
	assert_int_equal(dmar_open(&d, table, len), -EBADMSG);
	table[4] = 47;
	assert_int_equal(dmar_open(&d, table, len), -EBADMSG);
	table[4] = 48;
	table[0] = 'd';
	assert_int_equal(dmar_open(&d, table, len), -EBADMSG);
}

static void test_every_structure(void **state)
{
	struct dmar_entry e;
	struct dmar_scope s;
	struct dmar d;
	u32 at = 0;
	u16 pos = 0;

	(void)state;
	/* A two-hop RMRR of 34 bytes: nothing after it is aligned. */
	PUT(1, 0, 34, 0, 0, 0, 2, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0xff, 0x1f, 0, 0, 0, 0, 0, 0,
	    1, 10, 0, 0, 7, 3, 0x1c, 4, 0, 1);
	PUT(0, 0, 16, 0, 1, 2, 1, 0, 0, 0, 0xd9, 0xfe, 1, 0, 0, 0);
	PUT(2, 0, 8, 0, 1, 0, 5, 0);
	PUT(3, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0xd9, 0xfe, 0, 0, 0, 0, 3, 0, 0, 0);
	PUT(4, 0, 13, 0, 0, 0, 0, 9, '\\', '_', 'S', 'B', 0);
	PUT(5, 0, 16, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0, 2, 0);
	PUT(6, 0, 16, 0, 9, 0, 3, 0, 1, 8, 0x41, 0, 0, 0, 6, 0);
	PUT(200, 0, 5, 0, 1);
	assert_int_equal(dmar_open(&d, table, len), 0);
	assert_int_equal(dmar_next(&d, &at, &e), 1);
	assert_int_equal(e.type, DMAR_RMRR);
	assert_int_equal(e.segment, 2);
	assert_int_equal(e.base, 0x1000);
	assert_int_equal(e.limit, 0x1fff);
	assert_true(dmar_next_scope(&e, &pos, &s));
	assert_int_equal(s.hops, 2);
	assert_int_equal(s.id, 7);
	assert_int_equal(s.bus, 3);
	assert_false(dmar_next_scope(&e, &pos, &s));
	assert_int_equal(dmar_next(&d, &at, &e), 1);
	assert_int_equal(e.type, DMAR_DRHD);
	assert_int_equal(e.base, 0x1fed90000ull);
	assert_int_equal(e.flags, DMAR_INCLUDE_PCI_ALL);
	assert_int_equal(e.size, 2);
	assert_int_equal(e.segment, 1);
	assert_int_equal(dmar_next(&d, &at, &e), 1);
	assert_int_equal(e.flags, 1);
	assert_int_equal(e.segment, 5);
	assert_int_equal(dmar_next(&d, &at, &e), 1);
	assert_int_equal(e.base, 0xfed90000);
	assert_int_equal(e.proximity, 3);
	assert_int_equal(dmar_next(&d, &at, &e), 1);
	assert_int_equal(e.acpi_device, 9);
	assert_string_equal(e.name, "\\_SB");
	assert_int_equal(dmar_next(&d, &at, &e), 1);
	assert_int_equal(e.flags, 1);
	assert_int_equal(dmar_next(&d, &at, &e), 1);
	assert_int_equal(e.flags, 0); /* bytes 4 and 5 of a SIDP are reserved */
	assert_int_equal(e.segment, 3);
	pos = 0;
	assert_true(dmar_next_scope(&e, &pos, &s));
	assert_int_equal(s.flags, 0x41);
	assert_int_equal(dmar_next(&d, &at, &e), 1);
	assert_int_equal(e.type, 200);
	assert_int_equal(dmar_next(&d, &at, &e), 0);
	assert_int_equal(at, len);
}

/* The rest of the table cannot be found. */
static void expect_end(u32 where)
{
	u32 at;

	assert_int_equal(walk(&at), -EBADMSG);
	assert_int_equal(at, where);
	begin(NULL);
}

/* Damaged at `where`, with so many scopes that come out, and whether more may be lost; the next one is read. */
static void expect_bad(u32 where, unsigned scopes, bool odd, bool hides)
{
	struct dmar_entry e;
	struct dmar_scope s = { 0 };
	struct dmar d;
	u32 at = 0;
	u16 pos = 0;
	unsigned n = 0;

	PUT(3, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0xd9, 0xfe, 0, 0, 0, 0, 3, 0, 0, 0);
	assert_int_equal(dmar_open(&d, table, len), 0);
	assert_int_equal(dmar_next(&d, &at, &e), 1);
	assert_int_equal(e.bad, where);
	assert_int_equal(e.hides, hides);
	assert_true(where > e.offset || (!e.scopes_len && !e.base && !e.segment));
	for (; dmar_next_scope(&e, &pos, &s); n++)
		assert_int_equal(s.odd, odd && n + 1 == scopes);
	assert_int_equal(n, scopes);
	if (odd) {
		assert_int_equal(s.hops, 1);
		assert_int_equal(s.path[0], 2);
	}
	assert_int_equal(dmar_next(&d, &at, &e), 1);
	assert_int_equal(e.bad, 0);
	assert_int_equal(e.proximity, 3);
	assert_int_equal(dmar_next(&d, &at, &e), 0);
	begin(NULL);
}

static void test_malformed(void **state)
{
	(void)state;
	PUT(99, 0, 3, 0); /* shorter than its own header: would never end */
	expect_end(48);
	PUT(99, 0, 0, 0);
	expect_end(48);
	PUT(99, 0, 5, 0); /* over the end of the table */
	expect_end(48);
	PUT(0, 0, 16); /* no room for a length */
	expect_end(48);
	PUT(0, 0, 15, 0, 1, 0, 9, 0, 0, 0, 0xd9, 0xfe, 0, 0, 0); /* shorter than a DRHD */
	expect_bad(48, 0, false, true);
	PUT(1, 0, 16, 0, 1, 0, 9, 0, 0, 0, 0xd9, 0xfe, 0, 0, 0, 0); /* shorter than an RMRR */
	expect_bad(48, 0, false, true);
	PUT(4, 0, 12, 0, 0, 0, 0, 9, 'A', 'B', 'C', 'D'); /* a name without an end */
	expect_bad(48, 0, false, true);
	PUT(2, 0, 10, 0, 0, 0, 0, 0, 1, 8); /* scope cut off in its fixed part */
	expect_bad(56, 0, false, true);
	PUT(2, 0, 16, 0, 0, 0, 0, 0, 1, 6, 0, 0, 0, 0, 0, 0); /* scope without a path */
	expect_bad(56, 0, false, true);
	PUT(2, 0, 16, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 2, 0); /* would never end */
	expect_bad(56, 0, false, true);
	PUT(2, 0, 16, 0, 0, 0, 0, 0, 1, 9, 0, 0, 0, 0, 2, 0); /* half a hop, and over the end */
	expect_bad(56, 1, true, false);
	PUT(2, 0, 17, 0, 0, 0, 0, 0, 1, 9, 0, 0, 0, 0, 2, 0, 0); /* half a hop */
	expect_bad(56, 1, true, false);
	PUT(2, 0, 16, 0, 0, 0, 0, 0, 1, 10, 0, 0, 0, 0, 2, 0); /* over its structure */
	expect_bad(56, 1, true, false);
	PUT(2, 0, 18, 0, 0, 0, 0, 0, 1, 8, 0, 0, 0, 0, 1, 0, 1, 0); /* a second one that is none */
	expect_bad(64, 1, false, true);
	PUT(2, 0, 32, 0, 0, 0, 0, 0, 1, 8, 0, 0, 0, 0, 3, 0, 1, 11, 0, 0, 0, 0, 2, 0, 1, 8, 0, 0, 0, 0, 4, 0);
	expect_bad(64, 2, true, true); /* the second of three */
}

static int secondary(u16 segment, u8 bus, u8 devfn)
{
	if (segment != 2)
		return -1;
	return bus == 3 && devfn == (0x1c << 3 | 4) ? 8 : bus == 8 && devfn == 1 ? 9 : -1;
}

static void test_paths(void **state)
{
	const u8 path[] = { 0x1c, 4, 0, 1, 31, 7 };
	struct dmar_scope s = { .type = 1, .bus = 3, .path = path };
	u8 bus, devfn;

	(void)state;
	s.hops = 1;
	assert_int_equal(dmar_resolve(&s, 2, secondary, &bus, &devfn), 0);
	assert_int_equal(bus << 8 | devfn, 3 << 8 | 0x1c << 3 | 4);
	s.hops = 2;
	assert_int_equal(dmar_resolve(&s, 2, secondary, &bus, &devfn), 0);
	assert_int_equal(bus << 8 | devfn, 8 << 8 | 1);
	s.hops = 3;
	assert_int_equal(dmar_resolve(&s, 2, secondary, &bus, &devfn), 0);
	assert_int_equal(bus << 8 | devfn, 9 << 8 | 0xff);
	assert_int_equal(dmar_resolve(&s, 1, secondary, &bus, &devfn), -ENODEV);
	s.path = (const u8[]){ 32, 0 };
	s.hops = 1;
	assert_int_equal(dmar_resolve(&s, 2, secondary, &bus, &devfn), -ENODEV);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_header, begin),
		cmocka_unit_test_setup(test_every_structure, begin),
		cmocka_unit_test_setup(test_malformed, begin),
		cmocka_unit_test(test_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
