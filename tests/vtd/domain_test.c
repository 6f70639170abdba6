/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Domains: what is blocked, what is reached and what it costs; units of several abilities; the audit.
 * Random sequences are in random_test.c, failing invalidations in failure_test.c.
 */
#include "tests/vtd/vtd_test.h"

static void test_blocked_by_default(void **state)
{
	paddr_t pa;

	(void)state;
	start(&rig_plain);
	for (unsigned i = 0; i < 2; i++)
		assert_true(vm_translating(rig_unit[i]) && vm_remapping(rig_unit[i]));
	for (unsigned d = 0; d < RIG_DEVS; d++) {
		assert_false(rig_dma(d, 0x1000, true, &pa));
		assert_false(rig_dma(d, 0, false, &pa));
	}
	assert_int_equal(vtd_audit(), 0);
	assert_int_equal(vm_counts.violations, 0);
}

static void test_map_and_unmap(void **state)
{
	struct iommu_domain *d;
	paddr_t page, pa;

	(void)state;
	start(&rig_plain);
	page = frame_alloc(SZ_4K);
	d = domain(RIG_NIC);
	attach(d, RIG_NIC);
	attach(d, RIG_CARD); /* on the other unit */
	assert_int_equal(vtd_map(d, 0x7000, page, SZ_4K, PT_READ), 0);
	assert_true(rig_dma(RIG_NIC, 0x7123, false, &pa));
	assert_int_equal(pa, page + 0x123);
	assert_true(rig_dma(RIG_CARD, 0x7000, false, &pa));
	assert_false(rig_dma(RIG_NIC, 0x7000, true, &pa));
	assert_false(rig_dma(RIG_NVME, 0x7000, false, &pa));
	assert_false(vm_dma(rig_unit[0], 0x1f8, 0x7000, false, &pa));
	assert_int_equal(vtd_map(d, 0x7000, page, SZ_4K, PT_READ), -EEXIST);
	assert_int_equal(vtd_map(d, 0x8000, page, SZ_4K, PT_WRITE), 0);
	assert_false(rig_dma(RIG_NIC, 0x8000, false, &pa)); /* without READ it is not readable */
	assert_true(rig_dma(RIG_NIC, 0x8000, true, &pa));
	assert_int_equal(vtd_map(d, BIT(48), page, SZ_4K, PT_READ), -EINVAL);
	assert_int_equal(vtd_map(d, BIT(48) - SZ_4K, page, 2 * SZ_4K, PT_READ), -EINVAL);
	assert_int_equal(vtd_audit(), 0);
	assert_int_equal(vtd_unmap(d, 0x7000, SZ_4K), 0);
	assert_false(rig_dma(RIG_NIC, 0x7000, false, &pa));
	assert_false(rig_dma(RIG_CARD, 0x7000, false, &pa));
	assert_true(rig_dma(RIG_NIC, 0x8000, true, &pa));
	detach(RIG_NIC);
	assert_false(rig_dma(RIG_NIC, 0x8000, true, &pa));
	assert_true(rig_dma(RIG_CARD, 0x8000, true, &pa));
	detach(RIG_CARD);
	assert_false(rig_dma(RIG_CARD, 0x8000, true, &pa));
	vtd_domain_destroy(d);
	frame_put(page);
	assert_int_equal(vm_counts.violations, 0);
}

/* BASELINE.md: unmapping 4 KiB costs one MMIO write and no read, mapping none. */
static void test_mmio_budget(void **state)
{
	struct iommu_domain *d;
	paddr_t page, pa;

	(void)state;
	start(&rig_plain);
	page = frame_alloc(SZ_4K);
	d = domain(RIG_NIC);
	attach(d, RIG_NIC);
	vm_counts.mmio_reads = vm_counts.mmio_writes = vm_counts.descriptors = 0;
	assert_int_equal(vtd_map(d, 0x7000, page, SZ_4K, PT_READ), 0);
	assert_int_equal(vm_counts.mmio_reads + vm_counts.mmio_writes, 0);
	assert_true(rig_dma(RIG_NIC, 0x7000, false, &pa));
	assert_int_equal(vtd_unmap(d, 0x7000, SZ_4K), 0);
	assert_int_equal(vm_counts.mmio_reads, 0);
	assert_int_equal(vm_counts.mmio_writes, 1);
	assert_int_equal(vm_counts.descriptors, 2);
	assert_int_equal(vtd_unmap(d, 0x7000, SZ_4K), 0); /* nothing there: nothing to forget */
	assert_int_equal(vm_counts.mmio_writes, 1);
	detach(RIG_NIC);
	vtd_domain_destroy(d);
	frame_put(page);
}

static void test_large_leaves(void **state)
{
	struct vm_config c = rig_plain;
	struct iommu_domain *d;
	struct vtd_domain *v;
	paddr_t page, pa;
	u64 tables;

	(void)state;
	c.large = 1;
	start(&c);
	page = frame_alloc(SZ_2M);
	d = domain(RIG_NIC);
	v = to_vtd(d);
	attach(d, RIG_NIC);
	assert_int_equal(vtd_map(d, SZ_2M * 5, page, SZ_2M, PT_READ | PT_WRITE), 0);
	tables = v->pt.tables;
	assert_int_equal(tables, 3);
	assert_true(rig_dma(RIG_NIC, SZ_2M * 5 + 0x12345, true, &pa));
	assert_int_equal(pa, page + 0x12345);
	assert_int_equal(vtd_unmap(d, SZ_2M * 5 + SZ_4K, SZ_4K), 0); /* splits it */
	assert_false(rig_dma(RIG_NIC, SZ_2M * 5 + SZ_4K, true, &pa));
	assert_true(rig_dma(RIG_NIC, SZ_2M * 5, true, &pa));
	assert_int_equal(vtd_unmap(d, SZ_2M * 5, SZ_2M), 0);
	assert_false(rig_dma(RIG_NIC, SZ_2M * 5, true, &pa));
	assert_int_equal(v->pt.tables, 1);
	detach(RIG_NIC);
	vtd_domain_destroy(d);
	frame_put(page);
	assert_int_equal(vm_counts.violations, 0);
}

static void test_aliases(void **state)
{
	struct iommu_domain *d;
	paddr_t page, pa;

	(void)state;
	start(&rig_plain);
	page = frame_alloc(SZ_4K);
	d = domain(RIG_LEGACY);
	attach(d, RIG_LEGACY);
	assert_int_equal(vtd_map(d, 0, page, SZ_4K, PT_READ | PT_WRITE), 0);
	assert_true(vm_dma(rig_unit[0], 0x300, 0, true, &pa));  /* as the bridge sends it */
	assert_true(vm_dma(rig_unit[0], 0x308, 0, true, &pa));
	assert_false(vm_dma(rig_unit[0], 0x310, 0, true, &pa));
	assert_int_equal(vtd_audit(), 0);
	detach(RIG_LEGACY);
	assert_false(vm_dma(rig_unit[0], 0x300, 0, true, &pa));
	assert_false(vm_dma(rig_unit[0], 0x308, 0, true, &pa));
	vtd_domain_destroy(d);
	frame_put(page);
}

/* A container's tables must be readable by every unit it comes to. */
static void test_units_differ(void **state)
{
	struct vm_config weak = rig_plain, strong = rig_plain;
	struct iommu_domain *on_weak, *on_strong;

	(void)state;
	strong.coherent = true;
	weak.large = 1;
	assert_int_equal(rig_start(&weak, &strong), 0);
	on_weak = domain(RIG_NIC);
	on_strong = domain(RIG_CARD);
	assert_int_equal(vtd_attach_dev(on_strong, rig_dev[RIG_NIC]), -EINVAL);
	attach(on_weak, RIG_CARD);
	detach(RIG_CARD);
	attach(on_strong, RIG_CARD);
	assert_int_equal(vtd_attach_dev(on_weak, rig_dev[RIG_CARD]), -EBUSY);
	detach(RIG_CARD);
	vtd_domain_destroy(on_weak);
	vtd_domain_destroy(on_strong);
}

/* First stage alone: half the addresses, exact permissions or none. */
static void test_first_stage(void **state)
{
	struct vm_config c = rig_plain;
	struct iommu_geometry geo;
	struct iommu_domain *d;
	paddr_t page, pa;

	(void)state;
	c.scalable = c.first_only = true;
	c.sagaw = 0;
	start(&c);
	d = domain(RIG_NIC);
	attach(d, RIG_NIC);
	vtd_domain_geometry(d, &geo);
	assert_int_equal(geo.aperture_end, BIT(47) - 1);
	assert_int_equal(geo.pgsizes, 0x201000);
	page = frame_alloc(SZ_4K);
	assert_int_equal(vtd_map(d, BIT(47), page, SZ_4K, PT_READ), -EINVAL);
	assert_int_equal(vtd_map(d, 0x7000, page, SZ_4K, PT_WRITE), -EINVAL);
	assert_int_equal(vtd_map(d, 0x7000, page, SZ_4K, PT_READ), 0);
	assert_int_equal(vtd_map(d, BIT(47) - SZ_4K, page, SZ_4K, PT_READ | PT_WRITE), 0);
	assert_true(rig_dma(RIG_NIC, 0x7000, false, &pa) && pa == page);
	assert_false(rig_dma(RIG_NIC, 0x7000, true, &pa));
	assert_true(rig_dma(RIG_NIC, BIT(47) - SZ_4K, true, &pa));
	assert_int_equal(vtd_audit(), 0);
	detach(RIG_NIC);
	vtd_domain_destroy(d);
	frame_put(page);
	assert_int_equal(vm_counts.violations, 0);
}

static void test_audit_finds(void **state)
{
	struct iommu_domain *d;
	struct vtd_domain *v;
	paddr_t page;

	(void)state;
	start(&rig_plain);
	page = frame_alloc(SZ_4K);
	d = domain(RIG_NIC);
	v = to_vtd(d);
	attach(d, RIG_NIC);
	assert_int_equal(vtd_audit(), 0);
	assert_int_equal(vtd_map(d, 0, v->pt.root, SZ_4K, PT_READ), 0); /* its own table */
	assert_int_equal(vtd_audit(), 1);
	assert_int_equal(vtd_unmap(d, 0, SZ_4K), 0);
	assert_int_equal(vtd_map(d, 0, virt_to_phys(TAILQ_FIRST(&vtd_units)->queue), SZ_4K, PT_READ), 0);
	assert_int_equal(vtd_audit(), 1);
	assert_int_equal(vtd_unmap(d, 0, SZ_4K), 0);
	assert_int_equal(vtd_map(d, 0, page, SZ_4K, PT_READ), 0);
	assert_int_equal(vtd_audit(), 0);
	frame_put(page); /* freed and still mapped */
	assert_int_equal(vtd_audit(), 1);
	assert_int_equal(vtd_unmap(d, 0, SZ_4K), 0);
	rig_group[RIG_NIC].domain = NULL; /* context entry without an attached group */
	assert_int_equal(vtd_audit(), 1);
	rig_group[RIG_NIC].domain = d;
	TAILQ_LAST(&vtd_units, vtd_unit_list)->irt[77].lo = 1;
	assert_int_equal(vtd_audit(), 1);
	TAILQ_LAST(&vtd_units, vtd_unit_list)->irt[77].lo = 0;
	detach(RIG_NIC);
	vtd_domain_destroy(d);
}

static bool kept;
static paddr_t kept_page;

/* A unit that remembers nothing, at any moment. */
static void between_split(void)
{
	paddr_t pa;

	vm_forget_caches(rig_unit[0]);
	kept &= rig_dma(RIG_NIC, SZ_1G + 0x3000, true, &pa) && pa == kept_page + 0x3000;
}

/* A page goes out of a large leaf: the rest of it is never out of reach. */
static void test_split_keeps_the_rest(void **state)
{
	struct iommu_domain *d;
	paddr_t pa;

	(void)state;
	start(&rig_plain);
	kept_page = frame_alloc(SZ_2M);
	d = domain(RIG_NIC);
	attach(d, RIG_NIC);
	assert_int_equal(vtd_map(d, SZ_1G, kept_page, SZ_2M, PT_READ | PT_WRITE), 0);
	kept = true;
	vm_between = between_split;
	assert_int_equal(vtd_unmap(d, SZ_1G + 0x10000, SZ_4K), 0);
	vm_between = NULL;
	assert_true(kept);
	assert_false(rig_dma(RIG_NIC, SZ_1G + 0x10000, true, &pa));
	detach(RIG_NIC);
	vtd_domain_destroy(d);
	frame_put(kept_page);
	assert_int_equal(vm_counts.violations, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blocked_by_default),
		cmocka_unit_test(test_map_and_unmap),
		cmocka_unit_test(test_mmio_budget),
		cmocka_unit_test(test_large_leaves),
		cmocka_unit_test(test_aliases),
		cmocka_unit_test(test_units_differ),
		cmocka_unit_test(test_first_stage),
		cmocka_unit_test(test_split_keeps_the_rest),
		cmocka_unit_test(test_audit_finds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
