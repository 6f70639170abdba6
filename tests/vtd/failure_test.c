/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Units that do not answer, firmware that lies: what is refused, what is quarantined, and that
 * nothing is freed that a device might still reach.
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

static struct iommu_domain *dom;
static paddr_t page;

/* A NIC with one page mapped and already used, so that the unit remembers it. */
static void start_on(const struct vm_config *c)
{
	paddr_t pa;

	assert_int_equal(rig_start(c, NULL), 0);
	page = frame_alloc(SZ_4K);
	assert_int_equal(vtd_domain_create(rig_dev[RIG_NIC], &dom), 0);
	assert_int_equal(vtd_attach_dev(dom, rig_dev[RIG_NIC]), 0);
	rig_group[RIG_NIC].domain = dom;
	assert_int_equal(vtd_map(dom, 0x7000, page, SZ_4K, PT_READ | PT_WRITE), 0);
	assert_int_equal(vtd_map(dom, SZ_1G, page, SZ_4K, PT_READ | PT_WRITE), 0);
	assert_true(rig_dma(RIG_NIC, 0x7000, true, &pa));
}

static void start(void)
{
	start_on(&rig_plain);
}

static void expect_recovered(enum vm_failure how)
{
	paddr_t pa;

	start();
	vm_fail(rig_unit[0], how, 1);
	assert_int_equal(vtd_unmap(dom, 0x7000, SZ_4K), 0);
	assert_false(rig_dma(RIG_NIC, 0x7000, true, &pa));
	assert_false(vtd_dev_of(rig_dev[RIG_NIC])->unit->failed);
	assert_int_equal(vtd_detach_dev(dom, rig_dev[RIG_NIC]), 0);
	vtd_domain_destroy(dom);
	frame_put(page);
	assert_int_equal(vm_counts.violations, 0);
}

static void test_one_error_is_mended(void **state)
{
	(void)state;
	expect_recovered(VM_SILENT);
	expect_recovered(VM_QUEUE_ERROR);
	expect_recovered(VM_DEVICE_TIMEOUT);
}

static void expect_quarantine(const struct vm_config *c, enum vm_failure how, bool by_detach)
{
	struct iommu_domain *other;
	u64 free_before, held;
	paddr_t pa;
	int r;

	start_on(c);
	assert_int_equal(vtd_domain_create(rig_dev[RIG_NVME], &other), 0);
	free_before = frames_free();
	held = vtd_quarantined_tables;
	vm_fail(rig_unit[0], how, ~0u);
	r = by_detach ? vtd_detach_dev(dom, rig_dev[RIG_NIC]) : vtd_unmap(dom, 0x7000, SZ_4K);
	assert_int_equal(r, -EIO);
	/* Nothing freed, the device without bus mastering and without a context entry, the unit out of use. */
	assert_int_equal(frames_free(), free_before);
	assert_int_equal(vtd_quarantined_tables - held, 6);
	assert_false(rig_command[0x100] & PCI_COMMAND_MASTER);
	assert_true(vtd_dev_of(rig_dev[RIG_NIC])->unit->failed);
	assert_true(rig_dev[RIG_NIC]->broken);
	assert_int_equal(vtd_attach_dev(other, rig_dev[RIG_NVME]), -EIO);
	assert_int_equal(vtd_map(dom, 0x9000, page, SZ_4K, PT_READ), -EIO);
	assert_int_equal(vtd_unmap(dom, 0x7000, SZ_4K), -EIO);
	/* A unit that comes back later still knows nothing of the device once its caches are lost. */
	vm_fail(rig_unit[0], VM_WORKS, 0);
	vm_forget_caches(rig_unit[0]);
	assert_false(rig_dma(RIG_NIC, SZ_1G, true, &pa));
	if (!by_detach)
		assert_int_equal(vtd_detach_dev(dom, rig_dev[RIG_NIC]), -EIO);
	rig_group[RIG_NIC].domain = NULL;
	vtd_domain_destroy(dom);
	assert_int_equal(frames_free(), free_before);
	assert_int_equal(vtd_audit(), 0);
	assert_int_equal(vm_counts.violations, 0);
	vtd_domain_destroy(other);
}

static void test_failure_is_quarantine(void **state)
{
	struct vm_config c = rig_plain;

	(void)state;
	expect_quarantine(&c, VM_SILENT, false);
	expect_quarantine(&c, VM_SILENT, true);
	expect_quarantine(&c, VM_QUEUE_ERROR, false);
	expect_quarantine(&c, VM_QUEUE_ERROR, true);
	expect_quarantine(&c, VM_DEVICE_TIMEOUT, false);
	c.no_queue = true; /* a command that does not end, and one that is refused */
	expect_quarantine(&c, VM_SILENT, false);
	expect_quarantine(&c, VM_SILENT, true);
	expect_quarantine(&c, VM_QUEUE_ERROR, false);
	c = rig_plain;
	c.scalable = c.first_only = true; /* PASID tables are kept, too */
	c.sagaw = 0;
	expect_quarantine(&c, VM_SILENT, false);
	expect_quarantine(&c, VM_SILENT, true);
}

/* The other unit of the domain goes on working for other domains. */
static void test_failure_on_one_of_two_units(void **state)
{
	struct iommu_domain *other;
	paddr_t pa;

	(void)state;
	start();
	assert_int_equal(vtd_attach_dev(dom, rig_dev[RIG_CARD]), 0);
	vm_fail(rig_unit[0], VM_SILENT, ~0u);
	assert_int_equal(vtd_unmap(dom, 0x7000, SZ_4K), -EIO);
	assert_false(rig_command[0x400] & PCI_COMMAND_MASTER);
	assert_int_equal(vtd_domain_create(rig_dev[RIG_DISPLAY], &other), 0);
	assert_int_equal(vtd_attach_dev(other, rig_dev[RIG_DISPLAY]), 0);
	assert_int_equal(vtd_map(other, 0, page, SZ_4K, PT_READ), 0);
	assert_true(rig_dma(RIG_DISPLAY, 0, false, &pa));
	assert_int_equal(vtd_unmap(other, 0, SZ_4K), 0);
	assert_false(rig_dma(RIG_DISPLAY, 0, false, &pa));
	assert_int_equal(vtd_detach_dev(other, rig_dev[RIG_DISPLAY]), 0);
	vtd_domain_destroy(other);
}

/* Out of memory at each point of attach and map: refused, undone, tried again. */
static void test_no_memory(void **state)
{
	struct iommu_domain *d;
	paddr_t pa;
	int r = -ENOMEM;

	(void)state;
	assert_int_equal(rig_start(&rig_plain, NULL), 0);
	page = frame_alloc(SZ_4K);
	for (unsigned n = 1; r; n++) {
		host_alloc_fail_at(n);
		r = vtd_domain_create(rig_dev[RIG_NIC], &d);
		assert_true(r == 0 || r == -ENOMEM);
	}
	r = -ENOMEM;
	for (unsigned n = 1; r; n++) {
		host_alloc_fail_at(n);
		r = vtd_attach_dev(d, rig_dev[RIG_NIC]);
		assert_true(r == 0 || r == -ENOMEM);
	}
	r = -ENOMEM;
	for (unsigned n = 1; r; n++) {
		host_alloc_fail_at(n);
		r = vtd_map(d, 0x7000, page, SZ_4K, PT_READ);
		assert_true(r == 0 || r == -ENOMEM);
		host_alloc_fail_at(0);
		assert_int_equal(rig_dma(RIG_NIC, 0x7000, false, &pa), !r);
	}
	assert_int_equal(vtd_unmap(d, 0x7000, SZ_4K), 0);
	assert_false(rig_dma(RIG_NIC, 0x7000, false, &pa));
	assert_int_equal(vtd_detach_dev(d, rig_dev[RIG_NIC]), 0);
	vtd_domain_destroy(d);
}

/* What firmware may get wrong: a unit that is not there, no remapping, no queue, a lying table. */
static void test_odd_machines(void **state)
{
	struct vm_config none = rig_plain;
	u8 buf[512];
	paddr_t pa;
	size_t n;

	(void)state;
	none.remap = false;
	assert_int_equal(rig_start(&none, &rig_plain), 0);
	assert_false(rig_dma(RIG_NIC, 0x1000, true, &pa)); /* still blocked */
	assert_false(vtd_dev_of(rig_dev[RIG_NIC])->unit->remapping);
	assert_true(vtd_dev_of(rig_dev[RIG_CARD])->unit->remapping);

	none = rig_plain;
	none.no_queue = true; /* registers instead, until the architecture dropped them */
	assert_int_equal(rig_start(&none, &rig_plain), 0);
	assert_true(vtd_dev_of(rig_dev[RIG_NIC])->unit->on);
	assert_false(vtd_dev_of(rig_dev[RIG_NIC])->unit->remapping);
	none.version = 0x60;
	assert_int_equal(rig_start(&none, &rig_plain), 0);
	assert_false(vm_translating(rig_unit[0]));
	assert_false(vtd_dev_of(rig_dev[RIG_NIC])->unit->on);
	assert_true(vtd_dev_of(rig_dev[RIG_CARD])->unit->on);

	none = rig_plain;
	none.eim = false;
	assert_int_equal(rig_start(&none, &rig_plain), 0);
	assert_false(vtd_dev_of(rig_dev[RIG_NIC])->unit->remapping);

	rig_build(&rig_plain, NULL); /* the table denies interrupt remapping */
	n = rig_dmar(buf);
	buf[37] = 0;
	assert_int_equal(vtd_init(buf, n), 0);
	assert_true(vtd_dev_of(rig_dev[RIG_NIC])->unit->on);
	assert_false(vtd_dev_of(rig_dev[RIG_NIC])->unit->remapping);

	rig_build(&rig_plain, NULL); /* register base of zero */
	n = rig_dmar(buf);
	memset(buf + 48 + 8, 0, 8);
	assert_int_equal(vtd_init(buf, n), 0);
	assert_false(vtd_dev_of(rig_dev[RIG_CARD])->unit->on);
	assert_true(vtd_dev_of(rig_dev[RIG_NIC])->unit->on);

	rig_build(&rig_plain, NULL); /* the same base twice */
	n = rig_dmar(buf);
	memcpy(buf + 48 + 32 + 8, buf + 48 + 8, 8);
	assert_int_equal(vtd_init(buf, n), 0);
	assert_true(vtd_dev_of(rig_dev[RIG_CARD])->unit->on);
	assert_false(vtd_dev_of(rig_dev[RIG_NIC])->unit->on);

	rig_build(&rig_plain, NULL); /* no INCLUDE_PCI_ALL unit: functions under no unit */
	n = rig_dmar(buf);
	buf[48 + 32 + 4] = 0;
	assert_int_equal(vtd_init(buf, n), 0);
	assert_null(vtd_dev_of(rig_dev[RIG_NIC])->unit);
	assert_non_null(vtd_dev_of(rig_dev[RIG_CARD])->unit);
}

/* The rig's table with one byte changed: who may be handed out, which units are on. */
static void expect_damage(unsigned at, u8 value, const char *usable, bool unit0, bool unit1)
{
	static const enum rig_dev devs[] = { RIG_NIC, RIG_CARD, RIG_DISPLAY };
	u8 buf[512];
	size_t n;

	rig_build(&rig_plain, NULL);
	n = rig_dmar(buf);
	buf[at] = value;
	assert_int_equal(vtd_init(buf, n), unit0 || unit1 ? 0 : -ENODEV);
	for (unsigned i = 0; i < ARRAY_SIZE(devs); i++)
		assert_int_equal(iommu_group_usable(&rig_group[devs[i]]), strchr(usable, "NCD"[i]) ? 0 : -EPERM);
	assert_int_equal(iommu_group_usable(&rig_group[RIG_ME]), -EPERM);
	assert_int_equal(vm_translating(rig_unit[0]), unit0);
	assert_int_equal(vm_translating(rig_unit[1]), unit1);
	assert_int_equal(vm_counts.violations, 0);
}

/* Lengths that lie: closed for whom they concern, and for nobody else. */
static void test_damaged_tables(void **state)
{
	struct iommu_region r[8];
	struct vtd_unit *u;
	paddr_t pa;
	u16 sid;

	(void)state;
	expect_damage(48 + 2, 3, "", false, false); /* nothing can be read */
	/* What comes after cannot: another unit may be in there, so INCLUDE_PCI_ALL says nothing. */
	expect_damage(80 + 2, 0xff, "CD", false, true);
	expect_damage(104 + 2, 0, "CD", true, true);
	/* A unit's last scope, or one with others behind it. */
	expect_damage(72 + 1, 9, "N", true, true);
	expect_damage(64 + 1, 9, "", true, true);
	expect_damage(72 + 1, 4, "", true, true);
	/* INCLUDE_PCI_ALL names no function, but its IOAPIC is unknown then. */
	expect_damage(96 + 1, 7, "NCD", true, true);
	assert_int_equal(vtd_find_ioapic(0, &u, &sid), -ENODEV);
	/* An RMRR whose device can be told, */
	expect_damage(128 + 1, 10, "NC", true, true);
	assert_false(rig_dma(RIG_DISPLAY, 0x7b800000, true, &pa));
	assert_int_equal(iommu_group_regions(&rig_group[RIG_NIC], r, 8), 1);
	/* and one that may be anybody's. */
	expect_damage(128 + 1, 6, "NCD", true, true);
	assert_null(vtd_dev_of(rig_dev[RIG_DISPLAY])->boot);
	assert_false(rig_dma(RIG_DISPLAY, 0x7b800000, true, &pa));
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(iommu_group_regions(&rig_group[i ? RIG_NIC : RIG_DISPLAY], r, 8), 2);
		assert_int_equal(r[0].start, 0x7b800000);
		assert_int_equal(r[0].type, IOMMU_RESV_RESERVED);
	}
}

/* Abilities as fault records beyond the first page, one record, 3 levels only. */
static void test_abilities(void **state)
{
	struct vm_config c = rig_plain;
	const struct vtd_caps *caps;

	(void)state;
	c.record_offset = 0x1200;
	c.records = 8;
	c.sagaw = 2;
	c.width = 39;
	c.large = 1;
	c.max_mask = 9;
	c.nd = 6;
	assert_int_equal(rig_start(&c, NULL), 0);
	caps = &vtd_dev_of(rig_dev[RIG_NIC])->unit->caps;
	assert_int_equal(caps->levels, 3);
	assert_int_equal(caps->max_leaf, 2);
	assert_int_equal(caps->width, 39);
	assert_int_equal(caps->max_mask, 9);
	assert_int_equal(caps->domains, 65536);
	assert_int_equal(caps->fault_records, 8);
	assert_int_equal(caps->fault_offset, 0x1200);
	assert_true(caps->eim && caps->remap && caps->queued && !caps->coherent && !caps->caching_mode);
	assert_int_equal(vm_counts.violations, 0);
}

/* Every domain id in use: refused, and one that was given back works again. */
static void test_domain_ids_run_out(void **state)
{
	struct vm_config c = rig_plain;
	struct iommu_domain *d[16];
	struct vtd_unit *u;
	unsigned n = 0;

	(void)state;
	c.nd = 0;
	assert_int_equal(rig_start(&c, NULL), 0);
	u = vtd_dev_of(rig_dev[RIG_NIC])->unit;
	u->did_bitmap[0] = 0xfff0 | 3; /* 1 is RIG_ME's boot domain; 2 and 3 are left */
	for (enum rig_dev v = 0; v < RIG_CARD; v++)
		assert_int_equal(vtd_domain_create(rig_dev[v], &d[n++]), 0);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(vtd_attach_dev(d[i], rig_dev[i]), 0);
	assert_int_equal(vtd_attach_dev(d[2], rig_dev[2]), -ENOSPC);
	assert_int_equal(vtd_detach_dev(d[1], rig_dev[1]), 0);
	assert_int_equal(vtd_attach_dev(d[2], rig_dev[2]), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_error_is_mended),
		cmocka_unit_test(test_failure_is_quarantine),
		cmocka_unit_test(test_failure_on_one_of_two_units),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_odd_machines),
		cmocka_unit_test(test_damaged_tables),
		cmocka_unit_test(test_abilities),
		cmocka_unit_test(test_domain_ids_run_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
