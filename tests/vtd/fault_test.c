/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Faults: recorded, attributed, silenced when they storm.
 */
#include "tests/vtd/vtd_test.h"
#include "kernel/sched.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_storm_of_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
