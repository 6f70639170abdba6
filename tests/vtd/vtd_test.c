/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * iommu/vtd on the software unit: one behaviour per test. The random sequences are in random_test.c,
 * failing invalidations in failure_test.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "iommu/vtd/vtd.h"
#include "kernel/acpi.h"
#include "kernel/frames.h"
#include "kernel/log.h"
#include "kernel/sched.h"
#include "tests/host/host.h"
#include "tests/model/vtd_rig.h"

static void start(const struct vm_config *c)
{
	assert_int_equal(rig_start(c, NULL), 0);
	assert_int_equal(vm_counts.violations, 0);
}

static struct iommu_domain *domain(enum rig_dev d)
{
	struct iommu_domain *out;

	assert_int_equal(vtd_domain_create(rig_dev[d], &out), 0);
	return out;
}

static void attach(struct iommu_domain *d, enum rig_dev dev)
{
	assert_int_equal(vtd_attach_dev(d, rig_dev[dev]), 0);
	rig_group[dev].domain = d;
}

static void detach(enum rig_dev dev)
{
	assert_int_equal(vtd_detach_dev(rig_group[dev].domain, rig_dev[dev]), 0);
	rig_group[dev].domain = NULL;
}

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

/* CPUs stay in xAPIC mode when firmware or a unit that remaps interrupts says so. */
static void test_x2apic_forbidden(void **state)
{
	struct vm_config c = rig_plain;
	u8 buf[512];
	size_t n;

	(void)state;
	rig_build(&c, NULL);
	n = rig_dmar(buf);
	assert_int_equal(vtd_probe(buf, n), 0);
	assert_true(host_x2apic);
	buf[37] = 3;
	assert_int_equal(vtd_probe(buf, n), 0);
	assert_false(host_x2apic);
	host_x2apic = true;
	c.eim = false;
	rig_build(&rig_plain, &c);
	assert_int_equal(vtd_probe(buf, rig_dmar(buf)), 0);
	assert_false(host_x2apic);
	assert_int_equal(vtd_init(buf, rig_dmar(buf)), 0);
	assert_true(vtd_dev_of(rig_dev[RIG_CARD])->unit->remapping);
	host_x2apic = true;
	c.remap = false; /* nothing to remap with: no reason */
	rig_build(&rig_plain, &c);
	assert_int_equal(vtd_probe(buf, rig_dmar(buf)), 0);
	assert_true(host_x2apic);
	assert_int_equal(vtd_probe(buf, 40), 0);
	assert_int_equal(vtd_probe(NULL, 0), 0);
}

static void test_interrupts(void **state)
{
	struct irq irqs[4] = { 0 }, other = { 0 };
	struct iommu_irte *one, *four;
	struct msi_msg m1, m4;
	u32 dest;
	u8 vector;

	(void)state;
	host_cpus = 4;
	start(&rig_plain);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(arch_irq_alloc(&irqs[i], i), 0);
	assert_int_equal(arch_irq_alloc(&other, 3), 0);
	assert_int_equal(vtd_irq_map(rig_dev[RIG_NIC], irqs, 1, &one, &m1), 0);
	assert_int_equal(vtd_irq_map(rig_dev[RIG_NIC], irqs, 4, &four, &m4), 0);
	assert_int_equal(vtd_irq_map(rig_dev[RIG_NIC], irqs, 3, &four, &m4), -EINVAL);
	assert_true(vm_msi(rig_unit[0], 0x100, m1.addr, m1.data, &dest, &vector));
	assert_int_equal(dest, arch_cpu_apic_id(0));
	assert_int_equal(vector, irqs[0].vector);
	for (u32 i = 0; i < 4; i++) {
		assert_true(vm_msi(rig_unit[0], 0x100, m4.addr, m4.data + i, &dest, &vector));
		assert_int_equal(dest, arch_cpu_apic_id(i));
		assert_int_equal(vector, irqs[i].vector);
	}
	assert_false(vm_msi(rig_unit[0], 0x101, m1.addr, m1.data, &dest, &vector)); /* another function's */
	assert_false(vm_msi(rig_unit[0], 0x100, m4.addr, m4.data + 4, &dest, &vector));
	assert_false(vm_msi(rig_unit[0], 0x100, 0xfee00010, 0, &dest, &vector)); /* handle 0 */
	assert_int_equal(vtd_irq_retarget(one, 0, &other), 0);
	assert_true(vm_msi(rig_unit[0], 0x100, m1.addr, m1.data, &dest, &vector));
	assert_int_equal(dest, arch_cpu_apic_id(3));
	assert_int_equal(vector, other.vector);
	assert_int_equal(vtd_audit(), 0);
	vtd_irq_unmap(one);
	assert_false(vm_msi(rig_unit[0], 0x100, m1.addr, m1.data, &dest, &vector));
	vtd_irq_unmap(four);
	assert_false(vm_msi(rig_unit[0], 0x100, m4.addr, m4.data + 3, &dest, &vector));
	/* Behind a bridge: any id of the buses its aliases lie on. */
	assert_int_equal(vtd_irq_map(rig_dev[RIG_LEGACY], irqs, 1, &one, &m1), 0);
	assert_true(vm_msi(rig_unit[0], 0x300, m1.addr, m1.data, &dest, &vector));
	assert_true(vm_msi(rig_unit[0], 0x308, m1.addr, m1.data, &dest, &vector));
	assert_false(vm_msi(rig_unit[0], 0x200, m1.addr, m1.data, &dest, &vector));
	vtd_irq_unmap(one);
	for (unsigned i = 0; i < 4; i++)
		arch_irq_free(&irqs[i]);
	arch_irq_free(&other);
	assert_int_equal(vm_counts.violations, 0);
	host_cpus = 1;
}

/* 9.10, by hand: the address in two parts, IM 1, and no bit that is reserved there. */
static void test_posted_entry(void **state)
{
	struct vtd_entry e = vtd_irte_posted(0x123456789c0, 0xf2, true, 1u << 18 | 0x100);

	(void)state;
	assert_int_equal(e.lo, 0x456789c0ull << 32 | 0xf2u << 16 | 1u << 15 | 1u << 14 | 1);
	assert_int_equal(e.hi, 0x123ull << 32 | 1u << 18 | 0x100);
	e = vtd_irte_posted(0x40, 0, false, 0);
	assert_int_equal(e.lo, 0x40ull << 32 | 1u << 15 | 1);
	assert_int_equal(e.hi, 0);
}

static void test_interrupt_entries_run_out(void **state)
{
	struct irq irq = { 0 };
	struct iommu_irte *e[5000];
	struct msi_msg m;
	unsigned n = 0;

	(void)state;
	start(&rig_plain);
	assert_int_equal(arch_irq_alloc(&irq, 0), 0);
	while (n < 5000 && !vtd_irq_map(rig_dev[RIG_NIC], &irq, 1, &e[n], &m))
		n++;
	assert_int_equal(n, 4095);
	assert_int_equal(vtd_irq_map(rig_dev[RIG_NIC], &irq, 1, &e[n], &m), -ENOSPC);
	while (n--)
		vtd_irq_unmap(e[n]);
	arch_irq_free(&irq);
	assert_int_equal(vtd_audit(), 0);
}

static paddr_t acpi_put(paddr_t at, const char *signature, const void *body, size_t n)
{
	u8 *p = phys_to_virt(at), sum = 0;

	memset(p, 0, 36);
	memcpy(p, signature, 4);
	p[4] = (u8)(36 + n);
	memcpy(p + 36, body, n);
	for (size_t i = 0; i < 36 + n; i++)
		sum = (u8)(sum + p[i]);
	p[9] = (u8)-sum;
	return at;
}

/* Pins of the IOAPIC: entries with its source id, found by MADT and DMAR. */
static void test_ioapic(void **state)
{
	const u8 madt[] = { 0, 0, 0xe0, 0xfe, 1, 0, 0, 0, 1, 12, 0, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0,
			    1, 12, 9, 0, 0, 0x10, 0xc0, 0xfe, 24, 0, 0, 0 };
	const paddr_t acpi = HOST_RAM_SIZE - 0x83000;
	u8 *rsdp = phys_to_virt(acpi), sum = 0;
	struct irq irq = { 0 };
	struct iommu_irte *e;
	u64 xsdt[1];
	u32 dest;
	u8 vector;

	(void)state;
	start(&rig_plain);
	xsdt[0] = acpi_put(acpi + 0x200, "APIC", madt, sizeof(madt));
	memset(rsdp, 0, 36);
	memcpy(rsdp, "RSD PTR ", 8);
	rsdp[15] = 2;
	rsdp[20] = 36;
	*(u64 *)(rsdp + 24) = acpi_put(acpi + 0x100, "XSDT", xsdt, sizeof(xsdt));
	for (unsigned i = 0; i < 20; i++)
		sum = (u8)(sum + rsdp[i]);
	rsdp[8] = (u8)-sum;
	sum = 0;
	for (unsigned i = 0; i < 36; i++)
		sum = (u8)(sum + rsdp[i]);
	rsdp[32] = (u8)-sum;
	assert_int_equal(acpi_init(acpi), 0);
	assert_int_equal(arch_irq_alloc(&irq, 0), 0);
	assert_int_equal(iommu_irq_map_gsi(17, &irq, true, true, &e), 0);
	assert_true(host_ioapic[17].routed && !host_ioapic[17].masked && host_ioapic[17].level && host_ioapic[17].low);
	assert_int_equal(host_ioapic[17].vector, irq.vector);
	assert_true(vm_msi(rig_unit[0], 0xf0f8, 0xfee00010 | host_ioapic[17].handle << 5, 0, &dest, &vector));
	assert_int_equal(vector, irq.vector);
	assert_false(vm_msi(rig_unit[0], 0xf0f0, 0xfee00010 | host_ioapic[17].handle << 5, 0, &dest, &vector));
	assert_int_equal(vtd_audit(), 0);
	iommu_irq_unmap(e);
	assert_true(host_ioapic[17].masked);
	assert_false(vm_msi(rig_unit[0], 0xf0f8, 0xfee00010 | host_ioapic[17].handle << 5, 0, &dest, &vector));
	assert_int_equal(iommu_irq_map_gsi(30, &irq, true, true, &e), -ENODEV); /* IOAPIC 9 is in no scope */
	arch_irq_free(&irq);
}

static struct iommu_fault seen;
static u64 seen_count;

static void on_fault(const struct iommu_fault *f)
{
	seen = *f;
	seen_count++;
}

static void test_faults(void **state)
{
	paddr_t pa;

	(void)state;
	start(&rig_plain);
	seen_count = 0;
	iommu_set_fault_handler(on_fault);
	assert_false(rig_dma(RIG_NIC, 0x12345678, true, &pa));
	vm_deliver(rig_unit[0]);
	assert_int_equal(seen_count, 1);
	assert_ptr_equal(seen.dev, rig_dev[RIG_NIC]);
	assert_int_equal(seen.address, 0x12345000);
	assert_true(seen.write && !seen.interrupt);
	assert_int_equal(seen.reason, 1);
	/* More than there are records: the overflow is cleared, and recording goes on. */
	for (unsigned i = 0; i < 9; i++)
		assert_false(rig_dma(RIG_NVME, SZ_4K * i, false, &pa));
	vm_deliver(rig_unit[0]);
	assert_int_equal(seen_count, 5);
	assert_false(rig_dma(RIG_NVME, 0x9000, false, &pa));
	vm_deliver(rig_unit[0]);
	assert_int_equal(seen_count, 6);
	assert_int_equal(seen.address, 0x9000);
	assert_true(!seen.write);
	/* A storm costs the device its bus mastering. */
	host_time_step = 1;
	assert_true(rig_command[0x101] & PCI_COMMAND_MASTER);
	for (unsigned i = 0; i < 1100; i++) {
		assert_false(rig_dma(RIG_NVME, 0x9000, false, &pa));
		vm_deliver(rig_unit[0]);
	}
	assert_false(rig_command[0x101] & PCI_COMMAND_MASTER);
	assert_true(rig_command[0x100] & PCI_COMMAND_MASTER);
	iommu_set_fault_handler(NULL);
	assert_int_equal(vm_counts.violations, 0);
}

/* Requests of a function that is not there: no bus master bit stops them, so they must be cheap. */
static void test_storm_of_nobody(void **state)
{
	u64 before, taken;
	paddr_t pa;

	(void)state;
	start(&rig_plain);
	seen_count = 0;
	iommu_set_fault_handler(on_fault);
	for (unsigned i = 0; i < 100000; i++) {
		assert_false(vm_dma(rig_unit[0], 0xabc8, 0x1000, true, &pa));
		vm_deliver(rig_unit[0]);
	}
	assert_in_range(seen_count, 1000, 2000);
	taken = vm_counts.mmio_reads;
	for (unsigned i = 0; i < 1000; i++) {
		assert_false(vm_dma(rig_unit[0], 0xabc8, 0x1000, true, &pa));
		vm_deliver(rig_unit[0]);
	}
	assert_int_equal(vm_counts.mmio_reads, taken);
	/* The timer looks again, and once it is quiet a single fault is an event again. */
	before = seen_count;
	for (unsigned i = 0; i < 400; i++) {
		host_now += 10 * NS_PER_MS;
		ktimer_run_expired(this_cpu());
		vm_deliver(rig_unit[0]);
	}
	assert_true(seen_count > before);
	before = seen_count;
	assert_false(rig_dma(RIG_NIC, 0x9000, true, &pa));
	vm_deliver(rig_unit[0]);
	assert_int_equal(seen_count, before + 1);
	assert_ptr_equal(seen.dev, rig_dev[RIG_NIC]);
	iommu_set_fault_handler(NULL);
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
		cmocka_unit_test(test_blocked_by_default),
		cmocka_unit_test(test_map_and_unmap),
		cmocka_unit_test(test_mmio_budget),
		cmocka_unit_test(test_large_leaves),
		cmocka_unit_test(test_aliases),
		cmocka_unit_test(test_units_differ),
		cmocka_unit_test(test_take_over),
		cmocka_unit_test(test_take_over_of_another_mode),
		cmocka_unit_test(test_take_over_of_scalable_tables),
		cmocka_unit_test(test_first_stage),
		cmocka_unit_test(test_rmrr_boot_domains),
		cmocka_unit_test(test_odd_rmrrs),
		cmocka_unit_test(test_x2apic_forbidden),
		cmocka_unit_test(test_interrupts),
		cmocka_unit_test(test_posted_entry),
		cmocka_unit_test(test_interrupt_entries_run_out),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_storm_of_nobody),
		cmocka_unit_test(test_audit_finds),
		cmocka_unit_test(test_rmrr_and_usable),
		cmocka_unit_test(test_ioapic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
