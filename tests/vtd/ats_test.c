/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Device TLBs: off unless asked for, emptied at every change of mappings, off while a function is reset,
 * and a function that does not answer harms nobody but itself.
 */
#include "tests/vtd/vtd_test.h"
#include <stdio.h>

#include "kernel/options.h"

static struct vm_config with_ats;

/* `words` stays what options are read from. */
static void start_ats(const char *ats)
{
	static char words[64];

	snprintf(words, sizeof(words), "%s", ats);
	options_init(words);
	with_ats = rig_plain;
	with_ats.device_tlb = true;
	start(&with_ats);
}

static int teardown(void **state)
{
	static char none[] = "";

	(void)state;
	options_init(none);
	return vm_counts.violations != 0;
}

static bool may_use(enum rig_dev d)
{
	return rig_dev[d]->ats;
}

static void test_off_unless_asked(void **state)
{
	struct iommu_domain *d;
	paddr_t page, pa;

	(void)state;
	start_ats("");
	d = domain(RIG_NIC);
	attach(d, RIG_NIC);
	page = frame_alloc(SZ_4K);
	assert_int_equal(vtd_map(d, 0x7000, page, SZ_4K, PT_READ | PT_WRITE), 0);
	assert_int_equal(rig_ats[0x100], 0);
	assert_true(rig_dma(RIG_NIC, 0x7000, true, &pa));
	assert_false(vm_translated(rig_unit[0], 0x100, page, 0x7000, true));
	rig_ats[0x100] = PCI_ATS_CTRL_ENABLE; /* it takes the liberty: its questions are not answered */
	vm_device_enable(rig_unit[0], 0x100, true);
	assert_int_equal(vm_counts.violations, 1);
	vm_counts.violations = 0;
	assert_false(rig_dma(RIG_NIC, 0x7000, true, &pa));
	detach(RIG_NIC);
}

/* Only who is asked for, and can. */
static void test_who_may(void **state)
{
	u8 buf[512], satc[] = { 5, 0, 24, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 1, 0, 0, 1, 8, 0, 0, 0, 0, 2, 0 };
	size_t n;

	(void)state;
	start_ats("ats=01:00.0,0000:04:00.0,0000:03:01.0,00:02.0,01:00");
	assert_true(may_use(RIG_NIC) && may_use(RIG_CARD));
	assert_false(may_use(RIG_NVME));    /* not named */
	assert_false(may_use(RIG_LEGACY));  /* behind a bridge that changes ids */
	assert_false(may_use(RIG_DISPLAY)); /* has no such capability */
	assert_int_equal(rig_acs[0xe0] & (PCI_ACS_TB | PCI_ACS_SV), PCI_ACS_SV); /* its port, and not the other */
	assert_int_equal(rig_acs[0xe1] & (PCI_ACS_TB | PCI_ACS_SV), PCI_ACS_TB | PCI_ACS_SV);
	rig_build(&with_ats, NULL); /* what is below a port that checks no sources could take its id */
	rig_acs[0xe1] &= ~PCI_ACS_SV;
	assert_int_equal(vtd_init(buf, rig_dmar(buf)), 0);
	assert_false(may_use(RIG_NIC) || may_use(RIG_CARD));
	with_ats.device_tlb = false;
	start(&with_ats);
	assert_false(may_use(RIG_NIC)); /* the unit knows nothing of it */

	with_ats.device_tlb = true; /* ATSR: for the other port only, then for all */
	for (unsigned flag = 0; flag < 2; flag++) {
		rig_build(&with_ats, NULL);
		n = rig_dmar(buf);
		buf[168 + 4] = (u8)flag;
		buf[168 + 14] = 0x1e;
		assert_int_equal(buf[168], 2);
		assert_int_equal(vtd_init(buf, n), 0);
		assert_int_equal(may_use(RIG_NIC), flag);
		assert_true(may_use(RIG_CARD));
	}

	/* SATC: those that need it, not those that could, and not by a damaged structure. */
	for (unsigned i = 0; i < 3; i++) {
		start_ats("");
		rig_build(&with_ats, NULL);
		satc[4] = i > 0;
		satc[17] = i == 2 ? 2 : 8; /* a scope too short: nobody is believed to be meant */
		n = rig_dmar(buf);
		n = rig_put(buf, n, satc, sizeof(satc));
		assert_int_equal(vtd_init(buf, n), 0);
		assert_int_equal(may_use(RIG_NIC), i == 1);
		assert_false(may_use(RIG_CARD));
	}
}

/* Every page of ranges that are aligned and not, small and large: gone at once, and no other page. */
static void test_unmap(void **state)
{
	static const struct { u64 page, n; } range[] = {
		{ 0, 1 }, { 7, 1 }, { 6, 2 }, { 7, 2 }, { 4, 4 }, { 5, 11 }, { 511, 2 }, { 512, 512 }, { 1, 1023 }, { 0, 1024 },
	};
	struct iommu_domain *d;
	paddr_t page, pa;

	(void)state;
	start_ats("ats=01:00.0");
	d = domain(RIG_NIC);
	attach(d, RIG_NIC);
	assert_int_equal(rig_ats[0x100], PCI_ATS_CTRL_ENABLE);
	page = frame_alloc(SZ_2M);
	for (unsigned i = 0; i < ARRAY_SIZE(range); i++) {
		for (u64 p = 0; p < 1024; p++)
			assert_int_equal(vtd_map(d, p * SZ_4K, page + p % 512 * SZ_4K, SZ_4K, PT_READ | PT_WRITE), 0);
		for (u64 p = 0; p < 1024; p++)
			assert_true(rig_dma(RIG_NIC, p * SZ_4K, true, &pa));
		vm_counts.mmio_writes = 0;
		assert_int_equal(vtd_unmap(d, range[i].page * SZ_4K, range[i].n * SZ_4K), 0);
		assert_int_equal(vm_counts.mmio_writes, 2);
		for (u64 p = 0; p < 1024; p++)
			assert_int_equal(rig_dma(RIG_NIC, p * SZ_4K, true, &pa), p - range[i].page >= range[i].n);
		assert_int_equal(vm_in_flight(rig_unit[0], 0x100, range[i].page * SZ_4K, range[i].n * SZ_4K), 0);
		assert_int_equal(vtd_unmap(d, 0, 2 * SZ_2M), 0);
	}
	detach(RIG_NIC);
	vtd_domain_destroy(d);
}

/* As soon as the unit would answer, it asks: fills its TLB between any two descriptors. */
static void ask_between(void)
{
	paddr_t pa;

	(void)rig_dma(RIG_NIC, 0x7000, true, &pa);
}

static void test_iotlb_first(void **state)
{
	struct iommu_domain *d;
	paddr_t page, pa;

	(void)state;
	start_ats("ats=01:00.0");
	d = domain(RIG_NIC);
	page = frame_alloc(SZ_4K);
	for (unsigned i = 0; i < 2; i++) {
		vm_between = ask_between;
		attach(d, RIG_NIC);
		assert_int_equal(vtd_map(d, 0x7000, page, SZ_4K, PT_READ | PT_WRITE), 0);
		assert_true(rig_dma(RIG_NIC, 0x7000, true, &pa));
		assert_int_equal(vtd_audit(), 0);
		if (i == 0)
			assert_int_equal(vtd_unmap(d, 0x7000, SZ_4K), 0);
		else
			detach(RIG_NIC);
		vm_between = NULL;
		assert_false(rig_dma(RIG_NIC, 0x7000, true, &pa));
		assert_int_equal(vm_in_flight(rig_unit[0], 0x100, 0, ~0ull), 0);
		if (i == 0)
			detach(RIG_NIC);
		assert_int_equal(rig_ats[0x100], 0);
		assert_false(vm_translated(rig_unit[0], 0x100, page, 0x7000, true));
	}
	vtd_domain_destroy(d);
}

/* While it is reset or asleep it is not asked; afterwards it has ATS again. */
static void test_reset(void **state)
{
	struct iommu_domain *d;
	paddr_t page, pa;

	(void)state;
	start_ats("ats=01:00.0");
	d = domain(RIG_NIC);
	page = frame_alloc(SZ_4K);
	pci_above.reset(rig_dev[RIG_NIC], false); /* attached to nothing: nothing happens */
	attach(d, RIG_NIC);
	assert_int_equal(vtd_map(d, 0x7000, page, SZ_4K, PT_READ | PT_WRITE), 0);
	assert_true(rig_dma(RIG_NIC, 0x7000, true, &pa));
	pci_above.reset(rig_dev[RIG_NIC], true);
	assert_int_equal(rig_ats[0x100], 0);
	assert_int_equal(vm_in_flight(rig_unit[0], 0x100, 0, ~0ull), 0);
	vm_device_mute(rig_unit[0], 0x100, true);
	assert_int_equal(vtd_unmap(d, 0x7000, SZ_4K), 0);
	vm_device_mute(rig_unit[0], 0x100, false);
	pci_above.reset(rig_dev[RIG_NIC], false);
	assert_int_equal(rig_ats[0x100], PCI_ATS_CTRL_ENABLE);
	assert_false(rig_dma(RIG_NIC, 0x7000, true, &pa));
	assert_false(rig_dev[RIG_NIC]->broken);
	detach(RIG_NIC);
	vtd_domain_destroy(d);
}

static unsigned told;

static void on_fault(const struct iommu_fault *f)
{
	told += f->dev == rig_dev[RIG_NIC] && !f->reason;
}

/* It does not answer: blocked for good. The domain, the other device in it and the unit go on. */
static void test_no_answer(void **state)
{
	struct iommu_domain *d, *other;
	paddr_t page, pa;

	for (unsigned i = 0; i < 3; i++) {
		bool by_detach = i == 1, gone = i == 2;

		teardown(state);
		start_ats("ats=01:00.0,01:00.1");
		iommu_set_fault_handler(on_fault);
		told = 0;
		d = domain(RIG_NIC);
		attach(d, RIG_NIC);
		attach(d, RIG_NVME);
		page = frame_alloc(SZ_4K);
		assert_int_equal(vtd_map(d, 0x7000, page, SZ_4K, PT_READ | PT_WRITE), 0);
		assert_int_equal(vtd_map(d, 0x8000, page, SZ_4K, PT_READ | PT_WRITE), 0);
		assert_true(rig_dma(RIG_NIC, 0x7000, true, &pa) && rig_dma(RIG_NVME, 0x7000, true, &pa));
		vm_device_mute(rig_unit[0], 0x100, !gone);
		if (gone) /* config space reads all ones: it is not even asked */
			rig_ats[0x100] = 0xffff;
		if (by_detach)
			detach(RIG_NIC);
		else
			assert_int_equal(vtd_unmap(d, 0x7000, SZ_4K), 0);
		assert_int_equal(told, 1);
		assert_false(rig_command[0x100] & PCI_COMMAND_MASTER);
		assert_int_equal(rig_ats[0x100], 0);
		assert_false(vm_translated(rig_unit[0], 0x100, page, 0x7000, true)); /* what its TLB still has */
		assert_false(vm_dma(rig_unit[0], 0x100, 0x8000, true, &pa));
		assert_int_equal(iommu_group_usable(&rig_group[RIG_NIC]), -EPERM);

		assert_false(vtd_dev_of(rig_dev[RIG_NIC])->unit->failed || to_vtd(d)->quarantined);
		assert_true(rig_command[0x101] & PCI_COMMAND_MASTER);
		assert_int_equal(rig_dma(RIG_NVME, 0x7000, true, &pa), by_detach);
		assert_true(rig_dma(RIG_NVME, 0x8000, true, &pa));
		assert_int_equal(vtd_unmap(d, 0x8000, SZ_4K), 0);
		assert_false(rig_dma(RIG_NVME, 0x8000, true, &pa));
		assert_int_equal(vtd_audit(), 0);
		if (!by_detach)
			detach(RIG_NIC);
		detach(RIG_NVME);
		vtd_domain_destroy(d);
		other = domain(RIG_NIC);
		assert_int_equal(vtd_attach_dev(other, rig_dev[RIG_NIC]), -EIO);
		assert_int_equal(vtd_attach_dev(other, rig_dev[RIG_NVME]), 0);
		assert_int_equal(vtd_detach_dev(other, rig_dev[RIG_NVME]), 0);
		assert_int_equal(vm_counts.violations, 0);
	}
	iommu_set_fault_handler(NULL);
}

/* The unit itself fails while a device TLB is emptied: as ever. */
static void test_unit_fails(void **state)
{
	struct iommu_domain *d;

	(void)state;
	start_ats("ats=01:00.0");
	d = domain(RIG_NIC);
	attach(d, RIG_NIC);
	vm_fail(rig_unit[0], VM_SILENT, ~0u);
	pci_above.reset(rig_dev[RIG_NIC], true);
	assert_true(to_vtd(d)->quarantined && vtd_dev_of(rig_dev[RIG_NIC])->unit->failed);
	assert_int_equal(vtd_map(d, 0x7000, 0, SZ_4K, PT_READ), -EIO);
	rig_group[RIG_NIC].domain = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_off_unless_asked, teardown),
		cmocka_unit_test_teardown(test_who_may, teardown),
		cmocka_unit_test_teardown(test_unmap, teardown),
		cmocka_unit_test_teardown(test_iotlb_first, teardown),
		cmocka_unit_test_teardown(test_reset, teardown),
		cmocka_unit_test_teardown(test_no_answer, teardown),
		cmocka_unit_test_teardown(test_unit_fails, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
