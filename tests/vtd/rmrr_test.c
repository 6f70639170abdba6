/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * RMRRs: their boot domains, odd ones, and who may be handed out.
 */
#include "tests/vtd/vtd_test.h"

static bool rmrr_reached, rmrr_watched;

/* A device that firmware uses all the time: never blocked once translation is on. */
static void between_rmrr(void)
{
	paddr_t pa;

	rmrr_watched |= vm_translating(rig_unit[1]);
	rmrr_reached &= rig_dma(RIG_DISPLAY, 0x7b800000, true, &pa) && pa == 0x7b800000;
	rmrr_reached &= rig_dma(RIG_ME, 0x9e010, true, &pa) && pa == 0x9e010;
}

static void test_rmrr_boot_domains(void **state)
{
	struct vm_config c = rig_plain;
	struct iommu_domain *d;
	paddr_t page, pa;
	u8 buf[512];

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		c.caching_mode = i == 1;
		c.write_buffer = i == 2;
		rmrr_reached = true;
		rmrr_watched = false;
		rig_build(&c, NULL);
		vm_between = between_rmrr;
		assert_int_equal(vtd_init(buf, rig_dmar(buf)), 0);
		vm_between = NULL;
		assert_true(rmrr_reached && rmrr_watched);
		assert_true(rig_dma(RIG_DISPLAY, 0x7ffff000, false, &pa));
		assert_false(rig_dma(RIG_DISPLAY, 0x7b7ff000, false, &pa));
		assert_false(rig_dma(RIG_DISPLAY, 0x80000000, false, &pa));
		assert_false(rig_dma(RIG_NIC, 0x7b800000, false, &pa));
		assert_false(rig_dma(RIG_ME, 0x7b800000, false, &pa));
		assert_false(rig_dma(RIG_ME, 0x9f000, false, &pa));
		assert_int_equal(vtd_audit(), 0);
		/* A program's device has the program's mappings alone, and goes back afterwards. */
		d = domain(RIG_DISPLAY);
		attach(d, RIG_DISPLAY);
		assert_false(rig_dma(RIG_DISPLAY, 0x7b800000, true, &pa));
		page = frame_alloc(SZ_4K);
		assert_int_equal(vtd_map(d, 0x7b800000, page, SZ_4K, PT_READ | PT_WRITE), 0);
		assert_true(rig_dma(RIG_DISPLAY, 0x7b800000, true, &pa));
		assert_int_equal(pa, page);
		assert_int_equal(vtd_audit(), 0);
		detach(RIG_DISPLAY);
		assert_true(rig_dma(RIG_DISPLAY, 0x7b800000, true, &pa));
		assert_int_equal(pa, 0x7b800000);
		assert_int_equal(vtd_audit(), 0);
		vtd_domain_destroy(d);
		frame_put(page);
		/* A refused attach leaves it there, too. */
		d = domain(RIG_DISPLAY);
		host_alloc_fail_from(1);
		(void)!vtd_attach_dev(d, rig_dev[RIG_NIC]);
		host_alloc_fail_at(0);
		to_vtd(d)->pt.levels = 5;
		assert_int_equal(vtd_attach_dev(d, rig_dev[RIG_DISPLAY]), -EINVAL);
		to_vtd(d)->pt.levels = 4;
		assert_true(rig_dma(RIG_DISPLAY, 0x7b800000, true, &pa));
		assert_int_equal(vm_counts.violations, 0);
	}
}

/* Structures of the hand-made table: the display's RMRR is at 104, its start 8 and its limit 16 bytes in. */
#define RMRR_AT 104

static void rmrr_as(u64 start, u64 limit)
{
	u8 buf[512];
	size_t n;

	rig_build(&rig_plain, NULL);
	n = rig_dmar(buf);
	memcpy(buf + RMRR_AT + 8, &start, 8);
	memcpy(buf + RMRR_AT + 16, &limit, 8);
	assert_int_equal(vtd_init(buf, n), 0);
	assert_int_equal(iommu_group_usable(&rig_group[RIG_NIC]), 0); /* nobody else suffers */
	assert_int_equal(vtd_audit(), 0);
}

static void test_odd_rmrrs(void **state)
{
	paddr_t pa, ram;

	(void)state;
	host_init();
	ram = frame_alloc(SZ_2M);
	rmrr_as(ram, ram + 0xfff);
	assert_int_equal(iommu_group_usable(&rig_group[RIG_DISPLAY]), -EPERM);
	assert_false(rig_dma(RIG_DISPLAY, ram, true, &pa));
	rmrr_as(0x80000000, 0x7fffffff - 0x1000);
	assert_int_equal(iommu_group_usable(&rig_group[RIG_DISPLAY]), -EPERM);
	rmrr_as(0x80000000, ~0ull);
	assert_int_equal(iommu_group_usable(&rig_group[RIG_DISPLAY]), -EPERM);
	rmrr_as(BIT(48), BIT(48) + 0xfff);
	assert_int_equal(iommu_group_usable(&rig_group[RIG_DISPLAY]), -EPERM);
	rmrr_as(0, 0); /* empty */
	assert_int_equal(iommu_group_usable(&rig_group[RIG_DISPLAY]), 0);
	assert_false(rig_dma(RIG_DISPLAY, 0, true, &pa));
	rmrr_as(0x80000000, 0x80000234); /* not page aligned: whole pages */
	assert_int_equal(iommu_group_usable(&rig_group[RIG_DISPLAY]), 0);
	assert_true(rig_dma(RIG_DISPLAY, 0x80000ffc, true, &pa));
	assert_false(rig_dma(RIG_DISPLAY, 0x80001000, true, &pa));
	rmrr_as(0xc0000000, 0xffffffff); /* 1 GiB */
	assert_true(rig_dma(RIG_DISPLAY, 0xc1234000, true, &pa));
}

/* Behind a bridge that sends in its own name: both ids reach the RMRR, unless somebody else has one of them. */
static void test_rmrr_behind_a_bridge(void **state)
{
	struct pci_dev other;
	struct iommu_domain *d;
	u8 buf[512];
	paddr_t pa;
	size_t n;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		rig_build(&rig_plain, NULL);
		n = rig_dmar(buf);
		buf[RMRR_AT + 24 + 5] = 3; /* 03:01.0 */
		buf[RMRR_AT + 24 + 6] = 1;
		rig_dev[RIG_LEGACY]->class = 0x0c0310; /* a USB controller */
		other = *rig_dev[RIG_LEGACY];
		other.devfn = 2 << 3;
		if (i)
			TAILQ_INSERT_TAIL(&pci_devices, &other, link);
		assert_int_equal(vtd_init(buf, n), 0);
		assert_int_equal(iommu_group_usable(&rig_group[RIG_LEGACY]), 0);
		assert_int_equal(rig_dma(RIG_LEGACY, 0x7b800000, true, &pa), !i);
		assert_int_equal(vm_dma(rig_unit[0], 0x300, 0x7b800000, true, &pa), !i);
		assert_false(vm_dma(rig_unit[0], 0x310, 0x7b800000, true, &pa));
		d = domain(RIG_LEGACY);
		attach(d, RIG_LEGACY);
		assert_false(rig_dma(RIG_LEGACY, 0x7b800000, true, &pa));
		assert_false(vm_dma(rig_unit[0], 0x300, 0x7b800000, true, &pa));
		assert_int_equal(vtd_audit(), 0);
		detach(RIG_LEGACY);
		assert_int_equal(vm_dma(rig_unit[0], 0x300, 0x7b800000, true, &pa), !i);
		assert_int_equal(vtd_audit(), 0);
		assert_int_equal(vm_counts.violations, 0);
		vtd_domain_destroy(d);
	}
}

/* Who may be handed out, and what a program must know of it. */
static void test_rmrr_and_usable(void **state)
{
	struct iommu_region r[8];
	struct vm_config none = rig_plain;

	(void)state;
	start(&rig_plain);
	assert_int_equal(iommu_group_usable(&rig_group[RIG_NIC]), 0);
	assert_int_equal(iommu_group_usable(&rig_group[RIG_DISPLAY]), 0);
	assert_int_equal(iommu_group_usable(&rig_group[RIG_ME]), -EPERM);
	assert_int_equal(iommu_group_regions(&rig_group[RIG_NIC], r, 8), 1);
	assert_int_equal(r[0].start, 0xfee00000);
	assert_int_equal(r[0].end, 0xfeefffff);
	assert_int_equal(r[0].type, IOMMU_RESV_MSI);
	assert_int_equal(iommu_group_regions(&rig_group[RIG_DISPLAY], r, 8), 2);
	assert_int_equal(r[0].start, 0x7b800000);
	assert_int_equal(r[0].end, 0x7fffffff);
	assert_int_equal(r[0].type, IOMMU_RESV_DIRECT_RELAXABLE);
	assert_int_equal(iommu_group_regions(&rig_group[RIG_ME], r, 8), 2);
	assert_int_equal(r[0].start, 0x9e000);
	assert_int_equal(r[0].end, 0x9efff);
	assert_int_equal(r[0].type, IOMMU_RESV_DIRECT);
	assert_int_equal(iommu_group_regions(&rig_group[RIG_ME], r, 1), 2);
	none.remap = false;
	assert_int_equal(rig_start(&none, NULL), 0);
	assert_int_equal(iommu_group_usable(&rig_group[RIG_NIC]), -EPERM);
	rig_build(&rig_plain, NULL);
	assert_int_equal(vtd_init(NULL, 0), -ENODEV);
	assert_int_equal(iommu_group_usable(&rig_group[RIG_NIC]), -EPERM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rmrr_boot_domains),
		cmocka_unit_test(test_odd_rmrrs),
		cmocka_unit_test(test_rmrr_behind_a_bridge),
		cmocka_unit_test(test_rmrr_and_usable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
