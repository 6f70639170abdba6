/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Units that firmware left at work, in our table mode and in another one.
 */
#include "tests/vtd/vtd_test.h"

static void between_take_over(void)
{
	paddr_t pa;

	for (unsigned i = 0; i < 2; i++)
		(void)vm_dma(rig_unit[i], 0, 0x5000, true, &pa);
}

static void test_take_over(void **state)
{
	struct vm_config c = rig_plain;
	u8 buf[512];
	paddr_t old, pa;
	u32 dest;
	u8 vector;

	(void)state;
	c.protected_regions = true;
	rig_build(&c, NULL);
	for (unsigned i = 0; i < 2; i++) {
		old = frame_alloc(SZ_2M);
		vm_firmware(rig_unit[i], true, true, true, old);
		assert_true(vm_dma(rig_unit[i], 0, 0x5000, true, &pa));
		assert_true(vm_msi(rig_unit[i], 0, 0xfee00000 | 5 << 5 | 1 << 4, 0, &dest, &vector));
	}
	vm_between = between_take_over;
	assert_int_equal(vtd_init(buf, rig_dmar(buf)), 0);
	vm_between = NULL;
	assert_int_equal(vm_counts.te_off, 0);
	assert_int_equal(vm_counts.violations, 0);
	for (unsigned i = 0; i < 2; i++) {
		assert_true(vm_translating(rig_unit[i]) && vm_remapping(rig_unit[i]));
		assert_false(vm_protected_regions_on(rig_unit[i]));
		assert_false(vm_dma(rig_unit[i], 0, 0x5000, true, &pa));
		assert_int_equal(vm_in_flight(rig_unit[i], 0, 0, ~0ull), 0);
		assert_false(vm_msi(rig_unit[i], 0, 0xfee00000 | 5 << 5 | 1 << 4, 0, &dest, &vector));
		assert_false(vm_msi(rig_unit[i], 0, 0xfee00000, 0x30, &dest, &vector)); /* compatibility format */
	}
	/* The id that firmware used: nothing of it is left. */
	assert_int_equal(vtd_dev_of(rig_dev[RIG_ME])->boot->on[0].did, 1);
	assert_false(rig_dma(RIG_ME, 0x5000, true, &pa));
	assert_true(rig_dma(RIG_ME, 0x9e000, true, &pa));
}

/* Scalable tables cannot be replaced under a running unit: it is off for a moment, and no longer. */
static void test_take_over_of_another_mode(void **state)
{
	u8 buf[512];
	paddr_t pa;

	(void)state;
	rig_build(&rig_plain, NULL);
	vm_firmware(rig_unit[0], true, true, true, frame_alloc(SZ_2M));
	vm_firmware_mode(rig_unit[0], 1);
	assert_int_equal(vtd_init(buf, rig_dmar(buf)), 0);
	assert_int_equal(vm_counts.te_off, 1);
	assert_int_equal(vm_counts.violations, 0);
	assert_true(vm_translating(rig_unit[0]));
	assert_false(vm_dma(rig_unit[0], 0, 0x5000, true, &pa));
}

/* A unit that can, is taken over in firmware's mode: its devices see no gap. */
static void test_take_over_of_scalable_tables(void **state)
{
	struct vm_config c = rig_plain;
	u8 buf[512];
	paddr_t pa;

	(void)state;
	c.scalable = true;
	rig_build(&c, NULL);
	vm_firmware(rig_unit[0], true, true, true, frame_alloc(SZ_2M));
	vm_firmware_mode(rig_unit[0], 1);
	assert_int_equal(vtd_init(buf, rig_dmar(buf)), 0);
	assert_int_equal(vm_counts.te_off, 0);
	assert_int_equal(vm_counts.violations, 0);
	assert_true(vtd_dev_of(rig_dev[RIG_NIC])->unit->caps.scalable);
	assert_false(vtd_dev_of(rig_dev[RIG_CARD])->unit->caps.scalable); /* not without need */
	assert_false(vm_dma(rig_unit[0], 0, 0x5000, true, &pa));
	assert_true(rig_dma(RIG_ME, 0x9e000, true, &pa));
	assert_false(rig_dma(RIG_ME, 0x5000, true, &pa)); /* as a PASID entry of firmware's would let it */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_take_over),
		cmocka_unit_test(test_take_over_of_another_mode),
		cmocka_unit_test(test_take_over_of_scalable_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
