/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Config space as a program sees it, over functions whose registers take whatever is written to
 * them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <linux/mman.h>

#include "kernel/mm.h"
#include "kernel/sched.h"
#include "tests/host/vfio_rig.h"

#define CONFIG(off) ((7ull << VFIO_REGION_SHIFT) + (off))
#define EVENTFD (VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER)
#define ON (PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER)

static int c, g, d; /* the descriptors */

static int begin(void **state)
{
	(void)state;
	vr_begin();
	return 0;
}
static int end(void **state)
{
	const char *left;

	(void)state;
	model_on_write = NULL;
	left = vr_end();
	if (left)
		print_error("left over: %s\n", left);
	return left ? -1 : 0;
}

static u32 hw(enum vr_dev dev, u16 off, unsigned size)
{
	return model_get(vr_fn(dev), off, size);
}

static void open_device(enum vr_dev dev)
{
	assert_int_equal(vr_open_device(dev, &c, &g, &d), 0);
}

/* ---- the header ---- */

static void test_bars_are_virtual(void **state)
{
	u8 before[24];

	(void)state;
	open_device(VR_NVME);
	memcpy(before, vr_fn(VR_NVME)->cfg + PCI_BASE_ADDRESS_0, sizeof(before));
	assert_int_equal(vr_config(d, PCI_BASE_ADDRESS_0, 4), hw(VR_NVME, PCI_BASE_ADDRESS_0, 4));
	vr_config_set(d, PCI_BASE_ADDRESS_0, 4, ~0u);
	vr_config_set(d, PCI_BASE_ADDRESS_1, 4, ~0u);
	assert_int_equal(vr_config(d, PCI_BASE_ADDRESS_0, 4), ~0x3fffu | PCI_BASE_ADDRESS_MEM_TYPE_64);
	assert_int_equal(vr_config(d, PCI_BASE_ADDRESS_1, 4), ~0u);
	vr_config_set(d, PCI_BASE_ADDRESS_0, 4, 0x12345678);
	assert_int_equal(vr_config(d, PCI_BASE_ADDRESS_0, 4), 0x12344000 | PCI_BASE_ADDRESS_MEM_TYPE_64);
	vr_config_set(d, PCI_BASE_ADDRESS_2, 4, ~0u);
	assert_int_equal(vr_config(d, PCI_BASE_ADDRESS_2, 4), 0);
	vr_config_set(d, PCI_ROM_ADDRESS, 4, ~0u);
	vr_config_set(d, PCI_COMMAND, 2, 0);
	vr_config_set(d, PCI_COMMAND, 2, ON); /* decode goes on where hardware's BARs are */
	assert_memory_equal(before, vr_fn(VR_NVME)->cfg + PCI_BASE_ADDRESS_0, sizeof(before));
	assert_int_equal(hw(VR_NVME, PCI_ROM_ADDRESS, 4), 0);
	vr_close(d);
	vr_close(g);
	open_device(VR_NIC);
	vr_config_set(d, PCI_BASE_ADDRESS_2, 4, ~0u);
	assert_int_equal(vr_config(d, PCI_BASE_ADDRESS_2, 4), ~31u | PCI_BASE_ADDRESS_SPACE_IO);
	assert_int_equal(hw(VR_NIC, PCI_BASE_ADDRESS_2, 4), 0xc040 | PCI_BASE_ADDRESS_SPACE_IO);
}

/* BARs that a reset behind our back lost are put right before decode goes on. */
static void test_lost_bars_come_back(void **state)
{
	u64 base = vr_pci(VR_NVME)->bar[0].base;

	(void)state;
	open_device(VR_NVME);
	vr_config_set(d, PCI_COMMAND, 2, 0);
	memset(vr_fn(VR_NVME)->cfg + PCI_BASE_ADDRESS_0, 0, 8);
	memset(vr_fn(VR_NVME)->cfg + PCI_COMMAND, 0, 2);
	vr_config_set(d, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	assert_true(hw(VR_NVME, PCI_COMMAND, 2) & PCI_COMMAND_INTX_DISABLE);
	assert_int_equal(hw(VR_NVME, PCI_BASE_ADDRESS_0, 4) & ~15u, base);
}

static void test_ids_are_read_only(void **state)
{
	u8 before[16], all[256];

	(void)state;
	open_device(VR_NVME);
	assert_int_equal(vr_read(d, CONFIG(0), before, 16), 16);
	memset(vr_fn(VR_NVME)->mask, 0xff, 4); /* hardware that would take them */
	memset(all, 0xff, sizeof(all));
	assert_int_equal(vr_write(d, CONFIG(0), all, 4), 4);
	assert_int_equal(vr_write(d, CONFIG(8), all, 4), 4);
	memset(vr_fn(VR_NVME)->mask, 0, 4);
	assert_int_equal(hw(VR_NVME, 0, 4), 0x1b36 | 0x1000u << 16);
	assert_int_equal(vr_config(d, 0, 4), hw(VR_NVME, 0, 4));
	assert_int_equal(vr_config(d, 8, 4), hw(VR_NVME, 8, 4));
	assert_int_equal(vr_config(d, PCI_INTERRUPT_PIN, 1), 0);
	vr_config_set(d, PCI_INTERRUPT_LINE, 1, 0x5a);
	assert_int_equal(vr_config(d, PCI_INTERRUPT_LINE, 1), 0x5a);
	assert_int_equal(hw(VR_NVME, PCI_INTERRUPT_LINE, 1), 0);
	/* Reads split anywhere give the same bytes; beyond the end nothing is done. */
	assert_int_equal(vr_read(d, CONFIG(3), all, 200), 200);
	assert_memory_equal(all, before + 3, 1);
	assert_int_equal(vr_read(d, CONFIG(4095), all, 2), -EFAULT);
	assert_int_equal(vr_write(d, CONFIG(4096), all, 1), -EFAULT);
}

static void test_command(void **state)
{
	(void)state;
	open_device(VR_NIC);
	assert_int_equal(vr_config(d, PCI_COMMAND, 2), PCI_COMMAND_MEMORY | PCI_COMMAND_IO);
	assert_true(hw(VR_NIC, PCI_COMMAND, 2) & PCI_COMMAND_INTX_DISABLE);
	vr_config_set(d, PCI_COMMAND, 2, ON);
	assert_int_equal(hw(VR_NIC, PCI_COMMAND, 2), ON | PCI_COMMAND_INTX_DISABLE);
	assert_int_equal(vr_config(d, PCI_COMMAND, 2), ON);
	vr_config_set(d, PCI_COMMAND, 2, PCI_COMMAND_INTX_DISABLE);
	assert_int_equal(hw(VR_NIC, PCI_COMMAND, 2), PCI_COMMAND_INTX_DISABLE);
	assert_int_equal(vr_config(d, PCI_COMMAND, 2), PCI_COMMAND_INTX_DISABLE);
	vr_config_set(d, PCI_COMMAND + 1, 1, 0); /* the upper byte alone */
	assert_int_equal(vr_config(d, PCI_COMMAND, 2), 0);
	assert_int_equal(hw(VR_NIC, PCI_COMMAND, 2), PCI_COMMAND_INTX_DISABLE);
}

/* ---- decode and power: no view of a BAR that does not decode ---- */

static uaddr_t bar;
static unsigned seen;

static bool reachable(void)
{
	u32 v;

	return !copy_from_user(&v, bar, sizeof(v));
}

/* Neither reachable, nor is it waited for by a thread that must go: in a reset others would wait. */
static bool reachable_now(void)
{
	struct thread *t = thread_self();
	const bool was = t->is_user;
	bool r;

	t->is_user = t->killed = true;
	r = reachable();
	t->is_user = was;
	t->killed = false;
	return r;
}

/* At the moment in which decode or power is taken away, or comes back, the program reaches nothing. */
static void closed_before(struct model_fn *f, u16 off, unsigned size, u32 v)
{
	u16 pm = f->pm + PCI_PM_CTRL;

	if (!((off == PCI_COMMAND && size == 2) || (off == pm && size == 2)))
		return;
	if (off == pm ? v & PCI_PM_CTRL_STATE_MASK : !(v & PCI_COMMAND_MEMORY)) {
		assert_false(reachable_now());
		seen++;
	} else if (off == pm ? f->cfg[pm] & 3 : !(f->cfg[PCI_COMMAND] & PCI_COMMAND_MEMORY)) {
		assert_false(reachable_now());
		seen++;
	}
}

static void test_decode_gates_the_bar(void **state)
{
	u8 wide[16];
	u32 v = 7;

	(void)state;
	open_device(VR_NVME);
	bar = (uaddr_t)vr_mmap(d, 0, 0x4000, PROT_READ | PROT_WRITE, MAP_SHARED);
	assert_true(reachable());
	assert_int_equal(vr_write(d, 0x100, &v, 4), 4);
	assert_int_equal(vr_bar(VR_NVME)[0x100], 7);
	assert_int_equal(vr_read(d, 0x3ffc, wide, sizeof(wide)), 4); /* clamped at the end */
	assert_int_equal(vr_read(d, 0x4000, wide, sizeof(wide)), -EINVAL);
	memset(vr_bar(VR_NVME) + 0x2000, 0x5a, 4);
	assert_int_equal(vr_write(d, 0x2000, &v, 4), 4); /* the MSI-X table is not the program's */
	assert_int_equal(vr_bar(VR_NVME)[0x2000], 0x5a);
	assert_int_equal(vr_read(d, 0x2000, wide, 4), 4);
	assert_int_equal(wide[0], 0xff);
	model_on_write = closed_before;
	vr_config_set(d, PCI_COMMAND, 1, PCI_COMMAND_MASTER);
	assert_int_equal(seen, 1);
	assert_false(reachable());
	assert_int_equal(vr_read(d, 0x100, &v, 4), -EIO);
	assert_int_equal(vr_write(d, 0x100, &v, 4), -EIO);
	vr_config_set(d, PCI_COMMAND, 1, ON);
	assert_int_equal(seen, 2);
	assert_true(reachable());
	assert_int_equal(vr_read(d, 0x100, &v, 4), 4);
	assert_int_equal(vr_ioctl(d, VFIO_DEVICE_RESET, 0), 0);
	assert_true(seen > 2);
	assert_true(reachable());
	seen = 0;
}

/* MODEL: No_Soft_Reset clear, so that config space is lost on the way back to D0. */
static void test_d3hot(void **state)
{
	u16 pm = vr_pci(VR_NIC)->cap_pm + PCI_PM_CTRL;
	u8 before[64];
	u32 v;

	(void)state;
	open_device(VR_NIC);
	bar = (uaddr_t)vr_mmap(d, 0, 0x4000, PROT_READ | PROT_WRITE, MAP_SHARED);
	vr_config_set(d, PCI_COMMAND, 2, ON);
	assert_true(reachable());
	memcpy(before, vr_fn(VR_NIC)->cfg, sizeof(before));
	model_on_write = closed_before;
	vr_config_set(d, pm, 2, 2); /* D2 counts as D3hot */
	assert_true(seen >= 1);
	assert_int_equal(vr_config(d, pm, 2) & 3, 3);
	assert_false(reachable());
	assert_int_equal(vr_read(d, 0, &v, 4), -EIO);
	vr_config_set(d, PCI_COMMAND, 2, 0);
	vr_config_set(d, PCI_COMMAND, 2, ON);
	assert_false(reachable()); /* decode alone is not enough */
	vr_config_set(d, pm, 2, 0);
	assert_int_equal(vr_config(d, pm, 2) & 3, 0);
	assert_int_equal(vr_fn(VR_NIC)->resets, 2); /* at open, and on this way */
	assert_memory_equal(before, vr_fn(VR_NIC)->cfg, sizeof(before));
	assert_true(reachable());
	seen = 0;
}

/* ---- MSI, MSI-X ---- */

static void test_msi_control(void **state)
{
	u16 cap = vr_pci(VR_NIC)->cap_msi, flags = cap + PCI_MSI_FLAGS;
	s32 ev[3];
	u8 message[10];

	(void)state;
	open_device(VR_NIC);
	for (unsigned i = 0; i < 3; i++)
		ev[i] = vr_eventfd();
	vr_config_set(d, flags, 2, PCI_MSI_FLAGS_ENABLE | 5 << 4);
	assert_int_equal(hw(VR_NIC, flags, 2) & (PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_QSIZE), 0);
	assert_int_equal(vr_config(d, flags, 2) & (PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_QSIZE), 0);
	assert_int_equal(vr_set_irqs(d, VFIO_PCI_MSI_IRQ_INDEX, EVENTFD, 0, 3, ev), 0);
	assert_int_equal(hw(VR_NIC, flags, 2) & (PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_QSIZE),
			 PCI_MSI_FLAGS_ENABLE | 2 << 4);
	assert_int_equal(vr_config(d, flags, 2) & PCI_MSI_FLAGS_ENABLE, 0);
	memcpy(message, vr_fn(VR_NIC)->cfg + cap + 4, sizeof(message));
	vr_config_set(d, cap + 4, 4, 0xdeadbee0);
	vr_config_set(d, cap + 8, 4, 0xdeadbeef);
	vr_config_set(d, cap + 12, 2, 0xbeef);
	assert_int_equal(vr_config(d, cap + 4, 4), 0xdeadbee0);
	assert_int_equal(vr_config(d, cap + 12, 2), 0xbeef);
	assert_memory_equal(message, vr_fn(VR_NIC)->cfg + cap + 4, sizeof(message));
	/* More vectors than were taken are not given; fewer are. */
	vr_config_set(d, flags, 2, PCI_MSI_FLAGS_ENABLE | 5 << 4);
	assert_int_equal(hw(VR_NIC, flags, 2) & 0x71, PCI_MSI_FLAGS_ENABLE | 2 << 4);
	vr_config_set(d, flags, 2, PCI_MSI_FLAGS_ENABLE | 1 << 4);
	assert_int_equal(hw(VR_NIC, flags, 2) & 0x71, PCI_MSI_FLAGS_ENABLE | 1 << 4);
	vr_config_set(d, flags, 2, 0);
	assert_int_equal(hw(VR_NIC, flags, 2) & 0x71, 0);
	assert_int_equal(vr_set_irqs(d, VFIO_PCI_MSI_IRQ_INDEX, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER, 0,
				     0, NULL), 0);
	vr_config_set(d, flags, 2, PCI_MSI_FLAGS_ENABLE);
	assert_int_equal(hw(VR_NIC, flags, 2) & PCI_MSI_FLAGS_ENABLE, 0);
}

static void test_msix_control(void **state)
{
	u16 flags = vr_pci(VR_NVME)->cap_msix + PCI_MSIX_FLAGS;
	s32 ev = vr_eventfd();

	(void)state;
	open_device(VR_NVME);
	vr_config_set(d, flags, 2, PCI_MSIX_FLAGS_ENABLE);
	assert_int_equal(hw(VR_NVME, flags, 2), 15);
	assert_int_equal(vr_set_irqs(d, VFIO_PCI_MSIX_IRQ_INDEX, EVENTFD, 0, 1, &ev), 0);
	assert_int_equal(vr_config(d, flags, 2), PCI_MSIX_FLAGS_ENABLE | 15);
	vr_config_set(d, flags, 2, PCI_MSIX_FLAGS_MASKALL);
	assert_int_equal(hw(VR_NVME, flags, 2), PCI_MSIX_FLAGS_ENABLE | 15);
}

/* ---- resets asked for in config space ---- */

static void test_reset_bits(void **state)
{
	u16 ctl = vr_pci(VR_NVME)->cap_pcie + PCI_EXP_DEVCTL;
	unsigned resets;

	(void)state;
	open_device(VR_NVME);
	vr_config_set(d, PCI_COMMAND, 2, ON);
	resets = vr_fn(VR_NVME)->resets;
	vr_config_set(d, ctl, 2, 0x2810);
	assert_int_equal(vr_fn(VR_NVME)->resets, resets);
	vr_config_set(d, ctl, 2, PCI_EXP_DEVCTL_BCR_FLR);
	assert_int_equal(vr_fn(VR_NVME)->resets, resets + 1);
	assert_int_equal(vr_config(d, ctl, 2) & PCI_EXP_DEVCTL_BCR_FLR, 0);
	assert_int_equal(vr_config(d, PCI_COMMAND, 2), ON);
	vr_close(d);
	vr_close(g);
	/* AF. */
	open_device(VR_TWIN0);
	resets = vr_fn(VR_TWIN0)->resets;
	vr_config_set(d, vr_pci(VR_TWIN0)->cap_af + PCI_AF_CTRL, 1, PCI_AF_CTRL_FLR);
	assert_int_equal(vr_fn(VR_TWIN0)->resets, resets + 1);
	assert_int_equal(vr_config(d, vr_pci(VR_TWIN0)->cap_af + PCI_AF_CTRL, 1), 0);
	vr_close(d);
	vr_close(g);
	/* A function without FLR ignores the bit, although it has another reset. */
	open_device(VR_NIC);
	resets = vr_fn(VR_NIC)->resets;
	vr_config_set(d, vr_pci(VR_NIC)->cap_pcie + PCI_EXP_DEVCTL, 2, PCI_EXP_DEVCTL_BCR_FLR);
	assert_int_equal(vr_fn(VR_NIC)->resets, resets);
	assert_int_equal(vr_config(d, vr_pci(VR_NIC)->cap_pcie + PCI_EXP_DEVCTL, 2) & PCI_EXP_DEVCTL_BCR_FLR, 0);
}

/* A reset failed while the program had the device: it neither decodes nor sends again, whatever is written. */
static void test_broken_stays_off(void **state)
{
	const u32 off = PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	u16 pm = vr_pci(VR_NVME)->cap_pm + PCI_PM_CTRL;
	s32 ev = vr_eventfd();
	u32 v;

	(void)state;
	open_device(VR_NVME);
	bar = (uaddr_t)vr_mmap(d, 0, 0x4000, PROT_READ | PROT_WRITE, MAP_SHARED);
	vr_config_set(d, PCI_COMMAND, 2, ON);
	vr_fn(VR_NVME)->reset = MODEL_RESET_OTHER;
	assert_int_equal(vr_ioctl(d, VFIO_DEVICE_RESET, 0), -EIO);
	assert_true(vr_pci(VR_NVME)->broken);
	for (unsigned i = 0; i < 2; i++) {
		vr_config_set(d, PCI_COMMAND, 2, ON | PCI_COMMAND_IO);
		assert_int_equal(hw(VR_NVME, PCI_COMMAND, 2) & off, 0);
		vr_config_set(d, PCI_COMMAND, 1, ON);
		assert_int_equal(hw(VR_NVME, PCI_COMMAND, 2) & off, 0);
		assert_int_equal(vr_set_irqs(d, VFIO_PCI_MSIX_IRQ_INDEX, EVENTFD, 0, 1, &ev), -EIO);
		assert_int_equal(hw(VR_NVME, PCI_COMMAND, 2) & off, 0);
		assert_false(reachable());
		assert_int_equal(vr_read(d, 0x100, &v, 4), -EIO);
		vr_config_set(d, pm, 2, 3); /* nor does power bring it back */
		vr_config_set(d, pm, 2, 0);
		model_put(vr_fn(VR_NVME), pm, 2, 0);
	}
	vr_close(d);
	assert_int_equal(hw(VR_NVME, PCI_COMMAND, 2) & off, 0);
}

/* ---- lists ---- */

static unsigned walk(u8 *ids)
{
	u8 at = (u8)vr_config(d, PCI_CAPABILITY_LIST, 1);
	unsigned n = 0;

	for (; at && n < 48; at = (u8)vr_config(d, at + 1, 1))
		ids[n++] = (u8)vr_config(d, at, 1);
	return n;
}

static unsigned walk_ext(u16 *ids)
{
	u32 at = 0x100, h;
	unsigned n = 0;

	for (; at && n < 64; at = h >> 20) {
		h = vr_config(d, (u16)at, 4);
		ids[n++] = (u16)h;
	}
	return n;
}

static void test_hidden_capabilities(void **state)
{
	const u8 nic[] = { PCI_CAP_ID_PM, PCI_CAP_ID_MSI, PCI_CAP_ID_VNDR, PCI_CAP_ID_EXP };
	const u16 first_hidden[] = { 0, PCI_EXT_CAP_ID_DSN };
	const u16 nvme[] = { PCI_EXT_CAP_ID_ERR, PCI_EXT_CAP_ID_ATS, PCI_EXT_CAP_ID_PRI, PCI_EXT_CAP_ID_SRIOV,
			     PCI_EXT_CAP_ID_REBAR, PCI_EXT_CAP_ID_ACS, PCI_EXT_CAP_ID_VC, PCI_EXT_CAP_ID_VNDR,
			     PCI_EXT_CAP_ID_LTR, PCI_EXT_CAP_ID_DPA, PCI_EXT_CAP_ID_TPH };
	u8 ids[48];
	u16 ext[64];

	(void)state;
	open_device(VR_NIC);
	assert_int_equal(walk(ids), sizeof(nic));
	assert_memory_equal(ids, nic, sizeof(nic));
	assert_int_equal(walk_ext(ext), 2);
	assert_memory_equal(ext, first_hidden, sizeof(first_hidden));
	assert_int_equal(vr_config(d, 0x100, 4) & 0xfffff, 0);
	vr_close(d);
	vr_close(g);
	open_device(VR_NVME);
	assert_int_equal(walk_ext(ext), ARRAY_SIZE(nvme));
	assert_memory_equal(ext, nvme, sizeof(nvme));
}

/* Lists that bite their tail: opening ends, and what is shown ends too. */
static void test_loops(void **state)
{
	struct model_fn *f = vr_fn(VR_NVME);
	u8 ids[48];
	u16 ext[64];

	(void)state;
	f->cfg[f->last_cap + 1] = f->start[f->last_cap + 1] = f->cfg[f->pm + 1]; /* back to the second */
	memcpy(f->cfg + f->last_ext, (u32[]){ PCI_EXT_CAP_ID_DPC | 0x100u << 20 }, 4);
	memcpy(f->start + f->last_ext, f->cfg + f->last_ext, 4);
	open_device(VR_NVME);
	assert_int_equal(walk(ids), 3);
	assert_int_equal(walk_ext(ext), 11);
	f->start[f->last_cap + 1] = 0;
	memcpy(f->start + f->last_ext, (u32[]){ PCI_EXT_CAP_ID_DPC | 1u << 16 }, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_bars_are_virtual, begin, end),
		cmocka_unit_test_setup_teardown(test_lost_bars_come_back, begin, end),
		cmocka_unit_test_setup_teardown(test_ids_are_read_only, begin, end),
		cmocka_unit_test_setup_teardown(test_command, begin, end),
		cmocka_unit_test_setup_teardown(test_decode_gates_the_bar, begin, end),
		cmocka_unit_test_setup_teardown(test_d3hot, begin, end),
		cmocka_unit_test_setup_teardown(test_msi_control, begin, end),
		cmocka_unit_test_setup_teardown(test_msix_control, begin, end),
		cmocka_unit_test_setup_teardown(test_reset_bits, begin, end),
		cmocka_unit_test_setup_teardown(test_broken_stays_off, begin, end),
		cmocka_unit_test_setup_teardown(test_hidden_capabilities, begin, end),
		cmocka_unit_test_setup_teardown(test_loops, begin, end),
	};

	vr_start(false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
