// SPDX-License-Identifier: GPL-2.0-only
/*
 * Resets, power and message interrupts on the config-space model: each method, devices that do not
 * come back or come back as something else, and that what was programmed is there again afterwards.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "pci/internal.h"
#include "tests/host/host.h"
#include "tests/host/pci_model.h"

#define BAR0 0xfe000000ull
#define ON (PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER)

static u32 table[0x4000 / 4]; /* what lies behind BAR 0 */
static struct model_fn *f;

static const char *methods(const struct pci_dev *d)
{
	static char text[64];

	text[pci_reset_methods_get(d, text, sizeof(text) - 1)] = '\0';
	return text;
}

static struct pci_dev *scan(void)
{
	assert_int_equal(model_pci_scan(), 1);
	return TAILQ_FIRST(&pci_devices);
}

static int setup(void **state)
{
	(void)state;
	host_init();
	host_time_step = 100 * NS_PER_US; /* waits are long here */
	host_mmio_reset();
	host_mmio_add(BAR0, sizeof(table), NULL, table);
	memset(table, 0, sizeof(table));
	model_pci_clear();
	f = model_fn_add(0, 0, 3, 0, 0x1b36, 0x0010, 0x010802);
	model_bar(f, 0, PCI_BASE_ADDRESS_MEM_TYPE_64, BAR0, sizeof(table));
	return 0;
}

static void test_flr(void **state)
{
	const struct msi_msg m = { 0xfee01004, 0x21 }, single = { 0xfee02008, 0x4042 };
	struct pci_dev *d;
	u16 msi;
	u64 start;

	(void)state;
	msi = f->next_cap;
	model_msi(f, 3, true, true);
	model_express(f, PCI_ENDPOINT, true);
	model_msix(f, 65, 0, 0x2000, 0, 0x3000);
	model_acs(f, 0x1d, 0, 0xffff);
	d = scan();
	assert_string_equal(methods(d), "flr\n");

	pci_write16(d, PCI_COMMAND, ON);
	assert_int_equal(pci_msi_enable(d, 2, &single), 0);
	assert_int_equal(pci_msix_enable(d), 0);
	pci_msix_set(d, 64, &m);
	memset(table, 0xee, sizeof(table)); /* as if the reset cleared it */
	pci_write16(d, d->cap_pcie + PCI_EXP_DEVCTL, 0x2810);
	f->pending = true;
	start = arch_now_ns();
	assert_int_equal(pci_reset(d), 0);
	assert_true(arch_now_ns() - start >= 100 * NS_PER_MS);

	assert_int_equal(f->resets, 1);
	assert_false(f->pending); /* it was waited for with bus mastering off */
	assert_int_equal(pci_read16(d, PCI_COMMAND), ON);
	assert_int_equal(pci_read32(d, PCI_BASE_ADDRESS_0), BAR0 | PCI_BASE_ADDRESS_MEM_TYPE_64);
	assert_int_equal(pci_read16(d, d->cap_pcie + PCI_EXP_DEVCTL), 0x2810);
	assert_int_equal(pci_read16(d, d->cap_acs + PCI_ACS_CTRL), 0x1d);
	assert_int_equal(pci_read16(d, msi + PCI_MSI_FLAGS) & (PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_QSIZE),
			 PCI_MSI_FLAGS_ENABLE | 2 << 4);
	assert_int_equal(pci_read32(d, msi + PCI_MSI_ADDRESS_LO), 0xfee02008);
	assert_int_equal(pci_read16(d, msi + PCI_MSI_DATA_64), 0x4042);
	assert_int_equal(pci_read16(d, f->msix + PCI_MSIX_FLAGS), 64 | PCI_MSIX_FLAGS_ENABLE);
	assert_int_equal(table[(0x2000 + 64 * 16) / 4], 0xfee01004);
	assert_int_equal(table[(0x2000 + 64 * 16) / 4 + 2], 0x21);
	assert_int_equal(table[(0x2000 + 64 * 16) / 4 + 3], 0);
	assert_int_equal(table[0x2000 / 4 + 3], 1); /* the others are masked */
	assert_int_equal(table[0x3000 / 4], 0xeeeeeeee);
}

static void fails(enum model_reset how, int err, u64 at_least_s)
{
	struct pci_dev *d;
	u64 start;

	setup(NULL);
	model_express(f, PCI_ENDPOINT, true);
	f->reset = how;
	d = scan();
	start = arch_now_ns();
	assert_int_equal(pci_reset(d), err);
	assert_true(arch_now_ns() - start >= at_least_s * NS_PER_S);
	assert_true(arch_now_ns() - start < 65 * NS_PER_S);
	assert_int_equal(d->broken, err != 0);
	assert_int_equal(f->stalls, 0);
	if (!err)
		return;
	assert_int_equal(pci_reset(d), -EIO);
	assert_int_equal(f->resets, 1); /* and it is left alone */
}

static void test_no_return(void **state)
{
	(void)state;
	fails(MODEL_RESET_HANGS, -ETIMEDOUT, 60);
	fails(MODEL_RESET_OTHER, -EIO, 0);
	fails(MODEL_RESET_LIES, -EIO, 0);
	fails(MODEL_RESET_CRS, 0, 2);
}

static void test_other_methods(void **state)
{
	struct pci_dev *d;

	(void)state;
	model_af(f);
	d = scan();
	assert_string_equal(methods(d), "af_flr\n");
	pci_write16(d, PCI_COMMAND, ON);
	assert_int_equal(pci_reset(d), 0);
	assert_int_equal(f->resets, 1);
	assert_int_equal(pci_read16(d, PCI_COMMAND), ON);

	setup(NULL);
	model_pm(f, false);
	d = scan();
	assert_string_equal(methods(d), "pm\n");
	assert_int_equal(pci_reset(d), 0);
	assert_int_equal(f->resets, 1);
	assert_int_equal(pci_read32(d, PCI_BASE_ADDRESS_0), BAR0 | PCI_BASE_ADDRESS_MEM_TYPE_64);

	setup(NULL);
	model_pm(f, true);
	d = scan();
	assert_false(pci_reset_supported(d));
	assert_int_equal(pci_reset(d), -ENOTTY);
	assert_false(d->broken);
}

static unsigned hook_before, hook_after;

static void hook(struct pci_dev *d, bool before)
{
	hook_before += before && !(pci_read16(d, PCI_COMMAND) & PCI_COMMAND_MASTER) && !f->resets;
	hook_after += !before && pci_read32(d, PCI_BASE_ADDRESS_0) == (BAR0 | PCI_BASE_ADDRESS_MEM_TYPE_64);
}

/* Who has state in the function is told before it goes, and when it can be put back. */
static void test_hook(void **state)
{
	void (*was)(struct pci_dev *d, bool before) = pci_above.reset;
	struct pci_dev *d;

	(void)state;
	model_pm(f, false);
	model_express(f, PCI_ENDPOINT, true);
	d = scan();
	hook_before = hook_after = 0;
	pci_above.reset = hook;
	assert_int_equal(pci_reset(d), 0);
	assert_int_equal(hook_before, 1);
	assert_int_equal(hook_after, 1);
	pci_write16(d, d->cap_pm + PCI_PM_CTRL, 3);
	assert_int_equal(pci_power_on(d), 0);
	assert_int_equal(hook_after, 2);
	f->reset = MODEL_RESET_STUCK;
	assert_int_equal(pci_reset(d), -EIO);
	assert_int_equal(hook_after, 2);
	pci_above.reset = was;
}

/* ---- verification: every register that is put back, and every one that says who it is ---- */

static bool narrow; /* MSI of 32 bits */

static u16 everything(void)
{
	u16 ext[8], n = 0;

	memset(f->mask + PCI_ROM_ADDRESS + 2, 0xff, 2);
	model_msi(f, 3, !narrow, true);
	model_express(f, PCI_ENDPOINT, true);
	model_msix(f, 65, 0, 0x2000, 0, 0x3000);
	model_pm(f, true);
	model_acs(f, 0x1d, 0, 0xffff);
	ext[n++] = model_ext_cap(f, PCI_EXT_CAP_ID_ERR, 0x48);
	ext[n++] = model_ext_cap(f, PCI_EXT_CAP_ID_ATS, 8);
	ext[n++] = model_ext_cap(f, PCI_EXT_CAP_ID_PRI, 16);
	ext[n++] = model_ext_cap(f, PCI_EXT_CAP_ID_PASID, 8);
	ext[n++] = model_ext_cap(f, PCI_EXT_CAP_ID_SRIOV, 0x40);
	model_put(f, ext[4] + PCI_SRIOV_TOTAL_VF, 2, 4);
	ext[n++] = model_ext_cap(f, PCI_EXT_CAP_ID_REBAR, 12);
	model_put(f, ext[5] + PCI_REBAR_CTRL, 4, 1 << 5);
	for (u16 i = 0; i < n; i++)
		memset(f->mask + ext[i] + 4, 0xff, i == 5 ? 8 : i == 1 || i == 3 ? 4 : 0x0c);
	memset(f->mask + ext[0] + 16, 0xff, 12);
	memset(f->mask + ext[4] + 16, 0xff, 0x30);
	return ext[0];
}

/* Puts a value into each register that the reset loses; what the reset makes of it, `how` says. */
static int once(enum model_reset how, u16 at, bool everywhere)
{
	const struct msi_msg m = { 0xfee01004, 0x21 };
	struct pci_dev *d;
	u16 err, ats, pri, pasid, sriov;
	int ret;

	setup(NULL);
	err = everything();
	d = scan();
	ats = pci_find_ext_cap(d, PCI_EXT_CAP_ID_ATS), pri = pci_find_ext_cap(d, PCI_EXT_CAP_ID_PRI);
	pasid = pci_find_ext_cap(d, PCI_EXT_CAP_ID_PASID), sriov = pci_find_ext_cap(d, PCI_EXT_CAP_ID_SRIOV);
	pci_write16(d, PCI_COMMAND, ON);
	assert_int_equal(pci_msi_enable(d, 2, &m), 0);
	assert_int_equal(pci_msix_enable(d), 0);
	pci_msix_set(d, 3, &m);
	pci_write32(d, d->cap_msi + (narrow ? PCI_MSI_MASK_32 : PCI_MSI_MASK_64), 5);
	if (!narrow)
		pci_write32(d, d->cap_msi + PCI_MSI_ADDRESS_HI, 1);
	pci_write32(d, PCI_ROM_ADDRESS, 0xfd100000);
	pci_write16(d, d->cap_pcie + PCI_EXP_DEVCTL, 0x2810);
	pci_write16(d, d->cap_pcie + PCI_EXP_LNKCTL, 0x40);
	pci_write16(d, d->cap_pcie + PCI_EXP_DEVCTL2, 0x400);
	pci_write32(d, err + PCI_ERR_UNCOR_MASK, 0x100000);
	pci_write32(d, err + PCI_ERR_UNCOR_SEVER, 0x62030);
	pci_write32(d, err + PCI_ERR_COR_MASK, 0x2000);
	pci_write16(d, ats + PCI_ATS_CTRL, 0x8001);
	pci_write32(d, pri + PCI_PRI_ALLOC_REQ, 32);
	pci_write16(d, pri + PCI_PRI_CTRL, 1);
	pci_write16(d, pasid + PCI_PASID_CTRL, 1);
	pci_write32(d, sriov + PCI_SRIOV_SYS_PGSIZE, 1);
	pci_write16(d, sriov + PCI_SRIOV_NUM_VF, 2);
	pci_write32(d, sriov + PCI_SRIOV_BAR, 0xfd000000);
	pci_write16(d, sriov + PCI_SRIOV_CTRL, 9);
	d->sriov->num = 2;
	pci_write32(d, pci_find_ext_cap(d, PCI_EXT_CAP_ID_REBAR) + PCI_REBAR_CTRL, 0x320);
	memset(table + 0x2000 / 4, 0, 65 * 16); /* the reset clears it */
	f->reset = how;
	f->other = at;
	ret = pci_reset(d);
	if (everywhere) {
		assert_int_equal(ret, 0);
		assert_int_equal(pci_read32(d, pci_find_ext_cap(d, PCI_EXT_CAP_ID_REBAR) + PCI_REBAR_CTRL), 0x320);
		assert_int_equal(pci_read16(d, d->cap_pcie + PCI_EXP_LNKCTL), 0x40);
		assert_int_equal(pci_read16(d, sriov + PCI_SRIOV_CTRL), 9);
		assert_int_equal(table[(0x2000 + 3 * 16) / 4], 0xfee01004);
		return ret;
	}
	assert_int_equal(pci_dev_usable(d), ret == 0);
	assert_false(d->resetting);
	assert_int_equal(pci_read16(d, PCI_COMMAND) & PCI_COMMAND_MASTER, ret ? 0 : PCI_COMMAND_MASTER);
	if (ret && at)
		assert_non_null(strstr(d->why_broken, "reads 0x"));
	if (how == MODEL_RESET_OTHER) /* another's registers are not written */
		assert_int_equal(pci_read16(d, d->cap_pcie + PCI_EXP_DEVCTL), 0);
	return ret;
}

/* The table loses an entry when bus mastering comes back. */
static void table_forgets(struct model_fn *x, u16 off, unsigned size, u32 v)
{
	(void)x, (void)size;
	if (off == PCI_COMMAND && v & PCI_COMMAND_MASTER)
		table[(0x2000 + 3 * 16) / 4 + 2] = 0;
}

static void test_msix_verified(void **state)
{
	const struct msi_msg m = { 0xfee01004, 0x21 };
	struct pci_dev *d;

	(void)state;
	model_express(f, PCI_ENDPOINT, true);
	model_msix(f, 65, 0, 0x2000, 0, 0x3000);
	d = scan();
	pci_write16(d, PCI_COMMAND, PCI_COMMAND_MASTER);
	assert_int_equal(pci_msix_enable(d), 0);
	pci_msix_set(d, 3, &m);
	assert_int_equal(pci_reset(d), 0);
	assert_int_equal(pci_read16(d, PCI_COMMAND), PCI_COMMAND_MASTER);
	model_on_write = table_forgets;
	assert_int_equal(pci_reset(d), -EIO);
	model_on_write = NULL;
	assert_non_null(strstr(d->why_broken, "MSI-X table"));
}

static void test_verified(void **state)
{
	static const u16 identity[] = { PCI_VENDOR_ID, PCI_DEVICE_ID, PCI_CLASS_REVISION + 1, PCI_CLASS_DEVICE,
					PCI_CLASS_DEVICE + 1, PCI_HEADER_TYPE, PCI_SUBSYSTEM_VENDOR_ID, PCI_SUBSYSTEM_ID };
	struct pci_dev *d;
	u16 err;

	(void)state;
	once(MODEL_RESET_WORKS, 0, true);
	for (unsigned i = 0; i < ARRAY_SIZE(identity); i++)
		assert_int_equal(once(MODEL_RESET_OTHER, identity[i], false), -EIO);
	d = TAILQ_FIRST(&pci_devices);
	err = pci_find_ext_cap(d, PCI_EXT_CAP_ID_ERR);
	{
		const u16 pcie = d->cap_pcie, msi = d->cap_msi, sriov = pci_find_ext_cap(d, PCI_EXT_CAP_ID_SRIOV);
		const u16 stuck[] = {
			PCI_BASE_ADDRESS_0, PCI_ROM_ADDRESS, msi + PCI_MSI_ADDRESS_HI, PCI_COMMAND, pcie + PCI_EXP_DEVCTL, pcie + PCI_EXP_DEVCTL2,
			msi, msi + PCI_MSI_ADDRESS_LO, msi + PCI_MSI_DATA_64,
			msi + PCI_MSI_MASK_64, d->cap_msix, d->cap_acs + 4,
			err + PCI_ERR_UNCOR_MASK, err + PCI_ERR_UNCOR_SEVER, err + PCI_ERR_COR_MASK,
			pci_find_ext_cap(d, PCI_EXT_CAP_ID_ATS) + 4, pci_find_ext_cap(d, PCI_EXT_CAP_ID_PRI) + 4,
			pci_find_ext_cap(d, PCI_EXT_CAP_ID_PRI) + PCI_PRI_ALLOC_REQ,
			pci_find_ext_cap(d, PCI_EXT_CAP_ID_PASID) + 4, sriov + PCI_SRIOV_CTRL,
			sriov + PCI_SRIOV_NUM_VF, sriov + PCI_SRIOV_SYS_PGSIZE, sriov + PCI_SRIOV_BAR,
			pci_find_ext_cap(d, PCI_EXT_CAP_ID_REBAR) + PCI_REBAR_CTRL,
		};

		for (unsigned i = 0; i < ARRAY_SIZE(stuck); i++)
			assert_int_equal(once(MODEL_RESET_STUCK, stuck[i], false), -EIO);
		narrow = true;
		assert_int_equal(once(MODEL_RESET_WORKS, 0, false), 0);
		assert_int_equal(once(MODEL_RESET_STUCK, msi + PCI_MSI_DATA_32, false), -EIO);
		assert_int_equal(once(MODEL_RESET_STUCK, msi + PCI_MSI_MASK_32, false), -EIO);
		narrow = false;
	}
}

static void test_power(void **state)
{
	struct pci_dev *d;

	(void)state;
	model_pm(f, false);
	d = scan();
	pci_write16(d, d->cap_pm + PCI_PM_CTRL, 3);
	assert_int_equal(pci_power_on(d), 0);
	assert_int_equal(pci_read16(d, d->cap_pm + PCI_PM_CTRL) & 3, 0);
	assert_int_equal(pci_read32(d, PCI_BASE_ADDRESS_0), BAR0 | PCI_BASE_ADDRESS_MEM_TYPE_64);
	pci_write16(d, d->cap_pm + PCI_PM_CTRL, 3);
	memset(f->mask + f->pm + PCI_PM_CTRL, 0, 2); /* stuck in D3hot */
	assert_int_equal(pci_power_on(d), -EIO);
}

static void test_messages(void **state)
{
	const struct msi_msg high = { 0x1fee00000, 1 }, m = { 0xfee00000, 1 };
	struct pci_dev *d;

	(void)state;
	model_msi(f, 1, false, false);
	model_msix(f, 4, 0, 0x1000, 0, 0x3000);
	d = scan();
	assert_int_equal(pci_msi_enable(d, 2, &m), -EINVAL);    /* has two */
	assert_int_equal(pci_msi_enable(d, 0, &high), -EINVAL); /* has 32 address bits */
	assert_int_equal(pci_msi_enable(d, 1, &m), 0);
	pci_msi_disable(d);
	assert_false(pci_read16(d, d->cap_msi + PCI_MSI_FLAGS) & PCI_MSI_FLAGS_ENABLE);

	memset(table, 0, sizeof(table)); /* the last owner's: all unmasked */
	assert_int_equal(pci_msix_enable(d), 0);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(table[(0x1000 + 16 * i) / 4 + 3], 1);
	pci_msix_set(d, 2, &m);
	assert_int_equal(table[(0x1000 + 32) / 4], 0xfee00000);
	assert_int_equal(table[(0x1000 + 32) / 4 + 3], 0);
	pci_msix_set(d, 2, NULL);
	assert_int_equal(table[(0x1000 + 32) / 4 + 3], 1);
	assert_false(pci_read16(d, PCI_COMMAND) & PCI_COMMAND_MEMORY); /* as it was */
	pci_msix_disable(d);
	assert_int_equal(pci_read16(d, f->msix + PCI_MSIX_FLAGS), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_flr, setup),
		cmocka_unit_test_setup(test_no_return, setup),
		cmocka_unit_test_setup(test_other_methods, setup),
		cmocka_unit_test_setup(test_hook, setup),
		cmocka_unit_test_setup(test_verified, setup),
		cmocka_unit_test_setup(test_msix_verified, setup),
		cmocka_unit_test_setup(test_power, setup),
		cmocka_unit_test_setup(test_messages, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
