/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an operation costs does not depend on how much is mapped: counted in cache lines written back,
 * register accesses and descriptors, on a unit that does not snoop.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "iommu/vtd/vtd.h"
#include "kernel/frames.h"
#include "tests/host/host.h"
#include "tests/model/vtd_rig.h"

#define MAPPINGS 1000000u
#define SAMPLE 4096u /* operations: the same number of tables, wherever it is taken */
#define DOMAINS 4096u

struct cost {
	u64 lines, mmio, descriptors;
};
static u64 lines;

static void count_lines(const void *p, size_t n)
{
	(void)p;
	lines += (n + 63) / 64;
}

static struct cost now(void)
{
	return (struct cost){ lines, vm_counts.mmio_reads + vm_counts.mmio_writes, vm_counts.descriptors };
}

static struct cost since(struct cost was)
{
	struct cost is = now();

	return (struct cost){ is.lines - was.lines, is.mmio - was.mmio, is.descriptors - was.descriptors };
}

static void expect_same(struct cost first, struct cost last)
{
	assert_int_equal(first.lines, last.lines);
	assert_int_equal(first.mmio, last.mmio);
	assert_int_equal(first.descriptors, last.descriptors);
}

static struct iommu_domain *start(const struct vm_config *c)
{
	struct iommu_domain *d;

	assert_int_equal(rig_start(c, NULL), 0);
	host_on_cache_flush = count_lines; /* no request is made: the model need not see the tables */
	assert_int_equal(vtd_domain_create(rig_dev[RIG_NIC], &d), 0);
	return d;
}

static void attach(struct iommu_domain *d)
{
	assert_int_equal(vtd_attach_dev(d, rig_dev[RIG_NIC]), 0);
}

static void end(struct iommu_domain *d)
{
	assert_int_equal(vtd_detach_dev(d, rig_dev[RIG_NIC]), 0);
	vtd_domain_destroy(d);
	assert_int_equal(vm_counts.violations, 0);
}

/* A million mappings of one page: the first ones cost what the last ones do, to make and to remove. */
static void test_million_pages(void **state)
{
	struct iommu_domain *d = start(&rig_plain);
	struct cost first = { 0 }, at = { 0 };
	paddr_t page = frame_alloc(SZ_4K);

	(void)state;
	attach(d);
	for (u32 i = 0; i < MAPPINGS; i++) {
		if (i == SAMPLE)
			first = since(at);
		if (i == 0 || i == ALIGN_DOWN(MAPPINGS, SAMPLE) - SAMPLE)
			at = now();
		if (i == ALIGN_DOWN(MAPPINGS, SAMPLE))
			at = since(at);
		assert_int_equal(vtd_map(d, SZ_1G + (u64)i * SZ_4K, page, SZ_4K, PT_READ), 0);
	}
	assert_int_equal(first.mmio + first.descriptors, 0);
	assert_true(at.lines <= first.lines && at.lines >= SAMPLE); /* the first ones make upper tables, too */
	/* 8 bytes for each page, and the tables above: 2 MiB and little more for each GiB. */
	assert_true(to_vtd(d)->pt.tables * SZ_4K < (MAPPINGS / (SZ_1G / SZ_4K) + 1) * (SZ_2M + 4 * SZ_4K));
	print_message("tables: %llu bytes for each GiB in 4 KiB leaves\n",
		      (unsigned long long)(to_vtd(d)->pt.tables * SZ_4K * (SZ_1G / SZ_4K) / MAPPINGS));
	for (u32 i = 0; i < 2 * SAMPLE; i++) {
		if (i % SAMPLE == 0)
			at = now();
		assert_int_equal(vtd_unmap(d, SZ_1G + (u64)i * SZ_4K, SZ_4K), 0);
		if (i == SAMPLE - 1)
			first = since(at);
	}
	expect_same(first, since(at));
	assert_int_equal(first.mmio, SAMPLE);
	at = now(); /* and all the rest at once: one invalidation */
	assert_int_equal(vtd_unmap(d, SZ_1G, (u64)MAPPINGS * SZ_4K), 0);
	assert_int_equal(since(at).mmio, 1);
	end(d);
	frame_put(page);
}

/* 1 TiB in 2 MiB leaves, GiB by GiB and as a whole. */
static void test_tebibyte(void **state)
{
	struct vm_config c = rig_plain;
	struct iommu_domain *d;
	struct cost first = { 0 }, at;

	(void)state;
	c.large = 1;
	d = start(&c);
	attach(d);
	for (u64 i = 0; i < 1024; i++) {
		at = now();
		assert_int_equal(vtd_map(d, i * SZ_1G, i * SZ_1G, SZ_1G, PT_READ | PT_WRITE), 0);
		at = since(at);
		if (i == 1) /* the 0th makes the table above */
			first = at;
		else if (i > 1 && i % 512)
			expect_same(first, at);
	}
	assert_int_equal(to_vtd(d)->pt.tables, 1 + 2 + 1024); /* 4 KiB for each GiB */
	print_message("tables: %llu bytes for each GiB in 2 MiB leaves\n", (unsigned long long)(to_vtd(d)->pt.tables * SZ_4K / 1024));
	at = now();
	assert_int_equal(vtd_unmap(d, 0, 1024 * SZ_1G), 0);
	assert_int_equal(since(at).mmio, 1);
	assert_int_equal(to_vtd(d)->pt.tables, 1);
	at = now();
	assert_int_equal(vtd_map(d, 0, 0, 1024 * SZ_1G, PT_READ), 0);
	assert_int_equal(since(at).mmio, 0);
	end(d);
}

/* 4,096 domains alive: attaching the last one costs what attaching the first one did. */
static void test_many_domains(void **state)
{
	static struct iommu_domain *d[DOMAINS];
	struct vm_config c = rig_plain;
	struct cost first = { 0 }, at;

	(void)state;
	c.nd = 6;
	vtd_domain_destroy(start(&c));
	for (u32 i = 0; i < DOMAINS; i++) {
		assert_int_equal(vtd_domain_create(rig_dev[RIG_NIC], &d[i]), 0);
		assert_int_equal(vtd_map(d[i], 0x7000, 0x7000, SZ_4K, PT_READ), 0);
		at = now();
		attach(d[i]);
		assert_int_equal(vtd_map(d[i], 0x8000, 0x8000, SZ_4K, PT_READ), 0);
		assert_int_equal(vtd_unmap(d[i], 0x7000, SZ_4K), 0);
		assert_int_equal(vtd_detach_dev(d[i], rig_dev[RIG_NIC]), 0);
		at = since(at);
		if (i == 1)
			first = at;
		else if (i > 1)
			expect_same(first, at);
	}
	for (u32 i = 0; i < DOMAINS; i++)
		vtd_domain_destroy(d[i]);
	assert_int_equal(vm_counts.violations, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_million_pages),
		cmocka_unit_test(test_tebibyte),
		cmocka_unit_test(test_many_domains),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
