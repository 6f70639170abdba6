/* SPDX-License-Identifier: GPL-2.0-only */
/* The core above any driver: groups attach whole or not at all, regions, faults as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "iommu/iommu.h"
#include "kernel/log.h"
#include "tests/host/host.h"

static struct pci_dev devs[3];
static struct iommu_group group;
static struct iommu_domain *attached[3];
static int fail_attach, fail_detach; /* index of the function that fails, -1: none */

static unsigned index_of(const struct pci_dev *d)
{
	return (unsigned)(d - devs);
}

static int attach_dev(struct iommu_domain *d, struct pci_dev *dev)
{
	if ((int)index_of(dev) == fail_attach)
		return -ENOSPC;
	attached[index_of(dev)] = d;
	return 0;
}

static int detach_dev(struct iommu_domain *d, struct pci_dev *dev)
{
	assert_ptr_equal(attached[index_of(dev)], d);
	attached[index_of(dev)] = NULL;
	return (int)index_of(dev) == fail_detach ? -EIO : 0;
}

static int usable(struct pci_dev *dev)
{
	return dev->vendor ? 0 : -EPERM;
}

static unsigned regions(struct pci_dev *dev, struct iommu_region *out, unsigned cap)
{
	const struct iommu_region high = { 0xff000000, 0xff000fff, IOMMU_RESV_DIRECT };
	const struct iommu_region own = { 0x1000ull * (3 - index_of(dev)), 0x10000, IOMMU_RESV_DIRECT };

	if (cap > 1) {
		out[0] = high;
		out[1] = own;
	}
	return 2;
}

static const struct iommu_ops ops = {
	.name = "test", .attach_dev = attach_dev, .detach_dev = detach_dev, .usable = usable, .regions = regions,
};

static int begin(void **state)
{
	(void)state;
	host_init();
	host_time_step = 100;
	TAILQ_INIT(&pci_devices);
	memset(devs, 0, sizeof(devs));
	memset(attached, 0, sizeof(attached));
	group = (struct iommu_group){ .id = 7, .ndevs = 3, .owner = "loader[2]" };
	for (unsigned i = 0; i < 3; i++) {
		devs[i].vendor = 1;
		devs[i].bus = 1;
		devs[i].devfn = (u8)i;
		devs[i].group = &group;
		snprintf(devs[i].name, sizeof(devs[i].name), "0000:01:00.%u", i);
		group.dev[i] = &devs[i];
		TAILQ_INSERT_TAIL(&pci_devices, &devs[i], link);
	}
	fail_attach = fail_detach = -1;
	iommu_register(&ops);
	return 0;
}

static void test_whole_or_not(void **state)
{
	struct iommu_domain *d = (struct iommu_domain *)&group;

	(void)state;
	for (fail_attach = 0; fail_attach < 3; fail_attach++) {
		assert_int_equal(iommu_attach(d, &group), -ENOSPC);
		assert_true(!attached[0] && !attached[1] && !attached[2] && !group.domain);
	}
	assert_int_equal(iommu_attach(d, &group), 0);
	assert_true(attached[0] == d && attached[1] == d && attached[2] == d && group.domain == d);
	assert_int_equal(iommu_attach(d, &group), -EBUSY);
	fail_detach = 0; /* the others are detached all the same */
	assert_int_equal(iommu_detach(&group), -EIO);
	assert_true(!attached[0] && !attached[1] && !attached[2] && !group.domain);
	assert_int_equal(iommu_detach(&group), 0);
	fail_attach = 2;
	assert_int_equal(iommu_attach(d, &group), -EIO); /* and the undo failed, which is worse */
}

static void test_usable(void **state)
{
	(void)state;
	assert_int_equal(iommu_group_usable(&group), 0);
	devs[2].vendor = 0;
	assert_int_equal(iommu_group_usable(&group), -EPERM);
	devs[2].vendor = 1;
	devs[1].broken = true;
	assert_int_equal(iommu_group_usable(&group), -EPERM);
	devs[1].broken = false;
	group.too_large = true;
	assert_int_equal(iommu_group_usable(&group), -EPERM);
}

static void test_regions_sorted_once(void **state)
{
	struct iommu_region r[8];

	(void)state;
	assert_int_equal(iommu_group_regions(&group, r, 8), 5);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(r[i].start, 0x1000 * (i + 1));
	assert_int_equal(r[3].type, IOMMU_RESV_MSI);
	assert_int_equal(r[4].start, 0xff000000);
}

static u64 count_in_log(const char *what)
{
	static char text[1 << 17];
	u64 pos = 0, n = 0;
	size_t len;

	while ((len = log_read(&pos, text, sizeof(text) - 1))) {
		text[len] = 0;
		for (const char *p = text; (p = strstr(p, what)); p++)
			n++;
	}
	return n;
}

static void test_fault_lines(void **state)
{
	struct iommu_fault f = { .rid = 0x101, .write = true, .address = 0x12345000, .reason = 5,
				 .text = "no write permission" };
	const char *line = "0000:01:00.1 DMA write to 0x12345000 blocked: no write permission (reason 5), owner: loader[2]";

	(void)state;
	iommu_report_fault(&f);
	assert_ptr_equal(f.dev, &devs[1]);
	assert_int_equal(count_in_log(line), 1);
	for (unsigned i = 0; i < 99; i++)
		iommu_report_fault(&f);
	assert_int_equal(count_in_log(line), 10);
	host_now += 2 * NS_PER_S;
	iommu_report_fault(&f);
	assert_int_equal(count_in_log("0000:01:00.1: 90 more faults were not shown"), 1);
	assert_int_equal(count_in_log(line), 11);
	f = (struct iommu_fault){ .rid = 0x7788, .interrupt = true, .address = 12, .reason = 0x26, .text = "t" };
	iommu_report_fault(&f);
	assert_null(f.dev);
	assert_int_equal(count_in_log("0000:77:11.0 interrupt message 12 blocked: t (reason 38), owner: nobody"), 1);
	/* More requesters than there are records: bounded, none lost. */
	for (unsigned i = 0; i < 1000; i++) {
		f.rid = (u16)(0x8000 + i);
		iommu_report_fault(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_whole_or_not, begin),
		cmocka_unit_test_setup(test_usable, begin),
		cmocka_unit_test_setup(test_regions_sorted_once, begin),
		cmocka_unit_test_setup(test_fault_lines, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
