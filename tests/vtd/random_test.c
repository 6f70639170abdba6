/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random sequences (random.c), one machine per test.
 */
#include "tests/vtd/random.h"

static void test_not_coherent(void **s)
{
	struct vm_config other = rig_plain;

	(void)s;
	other.coherent = true;
	random_run(&rig_plain, &other, "");
}

static void test_caching_mode(void **s)
{
	struct vm_config c = rig_plain;

	(void)s;
	c.caching_mode = true;
	c.sagaw = 2;
	c.width = 39;
	c.large = 1;
	random_run(&c, NULL, "");
}

static void test_write_buffer(void **s)
{
	struct vm_config c = rig_plain;

	(void)s;
	c.write_buffer = true;
	c.drain = false;
	c.max_mask = 3;
	random_run(&c, NULL, "");
}

static void test_no_page_selective(void **s)
{
	struct vm_config c = rig_plain;

	(void)s;
	c.no_pages = true;
	c.coherent = true;
	c.snoop = true;
	c.large = 0;
	c.nd = 0;
	c.records = 1;
	random_run(&c, NULL, "");
}

static void test_registers(void **s)
{
	struct vm_config c = rig_plain;

	(void)s;
	c.no_queue = true;
	c.drain = true;
	random_run(&c, &rig_plain, "");
}

/* Second stage through PASID tables; tables are snooped and page tables are not, or the other way round. */
static void test_scalable(void **s)
{
	struct vm_config c = rig_plain, other;

	(void)s;
	c.scalable = true;
	c.coherent = true;
	c.snoop = true;
	other = c;
	other.coherent = false;
	other.walk_snoop = true;
	random_run(&c, &other, "intel_iommu=on,sm_on");
	c.caching_mode = true;
	random_run(&c, &c, "intel_iommu=on,sm_on");
}

/* A unit that has nothing but first-stage tables. */
static void test_first_stage(void **s)
{
	struct vm_config c = rig_plain;

	(void)s;
	c.scalable = c.first_only = true;
	c.sagaw = 0;
	random_run(&c, NULL, "");
	c.caching_mode = true;
	c.walk_snoop = true;
	random_run(&c, NULL, "");
}

/* Functions with TLBs of their own on both units, in either mode; now and then one is reset. */
static void test_device_tlbs(void **s)
{
	struct vm_config c = rig_plain;

	(void)s;
	c.device_tlb = c.throttle = true;
	random_run(&c, NULL, "ats=01:00.0,04:00.0");
	c.scalable = c.coherent = c.walk_snoop = true;
	random_run(&c, NULL, "ats=01:00.0,04:00.0 intel_iommu=sm_on");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_not_coherent),
		cmocka_unit_test(test_caching_mode),
		cmocka_unit_test(test_write_buffer),
		cmocka_unit_test(test_no_page_selective),
		cmocka_unit_test(test_registers),
		cmocka_unit_test(test_scalable),
		cmocka_unit_test(test_first_stage),
		cmocka_unit_test(test_device_tlbs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
