/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Interrupt remapping: entries, sources, posted format, pins, and the mode of the CPUs.
 */
#include "tests/vtd/vtd_test.h"
#include "kernel/options.h"

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

/* Pins of the IOAPIC: entries with its source id, found by DMAR. */
static void test_ioapic(void **state)
{
	struct irq irq = { 0 };
	struct iommu_irte *e;
	u32 dest;
	u8 vector;

	(void)state;
	start(&rig_plain);
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

/* A unit that does not remap hands out a device only when the operator says so; messages are plain then. */
static void test_unsafe_interrupts(void **state)
{
	char allow[] = "vfio_iommu_type1.allow_unsafe_interrupts=1", none[] = "";
	struct vm_config c = rig_plain;
	struct irq irqs[2] = { { .vector = 0x41, .cpu = 1 } };
	struct iommu_irte *e;
	struct msi_msg m;
	u32 dest;
	u8 vector;

	(void)state;
	c.remap = false;
	start(&c);
	assert_int_equal(iommu_group_usable(&rig_group[RIG_NIC]), -EPERM);
	assert_int_equal(vtd_irq_map(rig_dev[RIG_NIC], irqs, 1, &e, &m), -EIO);
	options_init(allow);
	assert_int_equal(iommu_group_usable(&rig_group[RIG_NIC]), 0);
	assert_int_equal(iommu_group_usable(&rig_group[RIG_ME]), -EPERM);
	assert_false(iommu_irq_confined(rig_dev[RIG_NIC]));
	assert_int_equal(vtd_irq_map(rig_dev[RIG_NIC], irqs, 2, &e, &m), -ENOSPC);
	assert_int_equal(vtd_irq_map(rig_dev[RIG_NIC], irqs, 1, &e, &m), 0);
	assert_true(vm_msi(rig_unit[0], 0x100, m.addr, m.data, &dest, &vector));
	assert_int_equal(dest, arch_cpu_apic_id(1));
	assert_int_equal(vector, 0x41);
	assert_int_equal(vtd_irq_retarget(e, 0, &irqs[1]), -EINVAL);
	assert_int_equal(vtd_audit(), 0);
	vtd_irq_unmap(e);
	start(&rig_plain); /* and one that does, remaps all the same */
	assert_true(iommu_irq_confined(rig_dev[RIG_NIC]));
	assert_int_equal(vtd_irq_map(rig_dev[RIG_NIC], irqs, 1, &e, &m), 0);
	assert_true(m.addr & 0x10);
	vtd_irq_unmap(e);
	options_init(none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_x2apic_forbidden),
		cmocka_unit_test(test_interrupts),
		cmocka_unit_test(test_posted_entry),
		cmocka_unit_test(test_interrupt_entries_run_out),
		cmocka_unit_test(test_unsafe_interrupts),
		cmocka_unit_test(test_ioapic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
