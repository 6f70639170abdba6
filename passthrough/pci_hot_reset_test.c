/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hot resets and resets under an owner's hands: what HOT_RESET_INFO says, who may reset, devices that do
 * not come back, and threads that touch a BAR meanwhile.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <linux/mman.h>

#include "kernel/mm.h"
#include "tests/host/vfio_rig.h"

#define ON (PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER)

static int c, g, d;

static int begin(void **state)
{
	(void)state;
	vr_begin();
	return 0;
}

static int end(void **state)
{
	const char *left = vr_end();

	(void)state;
	model_on_write = NULL;
	if (left)
		print_error("left over: %s\n", left);
	return left ? -1 : 0;
}

struct args { u32 argsz, flags, count; s32 fd[3]; };

static s64 hot(u32 argsz, u32 flags, u32 count, s32 a, s32 b)
{
	struct args r = { argsz, flags, count, { a, b, 0 } };

	return vr_call(d, VFIO_DEVICE_PCI_HOT_RESET, &r, sizeof(r));
}

struct infos {
	struct { u32 argsz, flags, count; } h;
	struct vfio_pci_dependent_device dev[2];
};

static s64 info(u32 argsz, struct infos *i)
{
	memset(i, 0, sizeof(*i));
	i->h.argsz = argsz;
	i->h.flags = 7;
	return vr_call(d, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, i, sizeof(*i));
}

static void test_hot_reset(void **state)
{
	unsigned resets;
	struct infos i;
	int other;

	(void)state;
	assert_int_equal(vr_open_device(VR_NVME, &c, &g, &d), 0);
	assert_int_equal(info(11, &i), -EINVAL);
	assert_int_equal(info(12, &i), -ENOSPC);
	assert_int_equal(i.h.count, 1);
	assert_int_equal(info(20, &i), -0);
	assert_int_equal(i.h.flags, 0);
	assert_int_equal(i.h.count, 1);
	assert_int_equal(i.dev[0].group_id, vr_pci(VR_NVME)->group->id);
	assert_int_equal(i.dev[0].bus, 1);

	other = vr_open_group(VR_NIC);
	vr_config_set(d, PCI_COMMAND, 2, ON);
	resets = vr_fn(VR_NVME)->resets;
	assert_int_equal(hot(11, 0, 1, g, 0), -EINVAL);
	assert_int_equal(hot(16, 1, 1, g, 0), -EINVAL);
	assert_int_equal(hot(12, 0, 0, g, 0), -EINVAL);
	assert_int_equal(hot(20, 0, 2, g, other), -EINVAL); /* more groups than functions */
	assert_int_equal(hot(16, 0, 1, 77, 0), -EBADF);
	assert_int_equal(hot(16, 0, 1, c, 0), -EINVAL);
	assert_int_equal(hot(16, 0, 1, other, 0), -EINVAL); /* a group, but not the device's */
	assert_int_equal(vr_fn(VR_NVME)->resets, resets);
	assert_int_equal(hot(16, 0, 1, g, 0), 0);
	assert_int_equal(vr_fn(VR_NVME)->resets, resets + 1);
	assert_int_equal(vr_config(d, PCI_COMMAND, 2), ON);
}

static void test_root_bus(void **state)
{
	struct infos i;

	(void)state;
	assert_int_equal(vr_open_device(VR_NIC, &c, &g, &d), 0);
	assert_int_equal(info(20, &i), -ENODEV);
	assert_int_equal(hot(16, 0, 1, g, 0), -ENODEV);
}

static uaddr_t bar;
static unsigned seen;

/* While the bus is in reset: not a bus master, no view of the BAR is left, and a new one has to wait. */
static void look(struct model_fn *f, u16 off, unsigned size, u32 v)
{
	struct mm_page page;

	(void)size;
	if (f->devfn != 8 || f->bus || off != PCI_BRIDGE_CONTROL || !(v & PCI_BRIDGE_CTL_BUS_RESET))
		return;
	assert_false(vr_fn(VR_NVME)->cfg[PCI_COMMAND] & ON);
	assert_true(vr_vfio(VR_NVME)->in_reset);
	assert_false(mm_peek(host_mm(), bar, &page));
	seen++;
}

static void test_taken_away(void **state)
{
	u32 v;

	(void)state;
	assert_int_equal(vr_open_device(VR_NVME, &c, &g, &d), 0);
	bar = (uaddr_t)vr_mmap(d, 0, 0x4000, PROT_READ | PROT_WRITE, MAP_SHARED);
	vr_config_set(d, PCI_COMMAND, 2, ON);
	assert_int_equal(copy_from_user(&v, bar, sizeof(v)), 0);
	model_on_write = look;
	seen = 0;
	assert_int_equal(hot(16, 0, 1, g, 0), 0);
	model_on_write = NULL;
	assert_int_equal(seen, 1);
	assert_false(vr_vfio(VR_NVME)->in_reset);
	assert_int_equal(copy_from_user(&v, bar, sizeof(v)), 0);
}

static void test_lost(void **state)
{
	u32 v;

	(void)state;
	assert_int_equal(vr_open_device(VR_NVME, &c, &g, &d), 0);
	bar = (uaddr_t)vr_mmap(d, 0, 0x4000, PROT_READ | PROT_WRITE, MAP_SHARED);
	vr_config_set(d, PCI_COMMAND, 2, ON);
	vr_fn(VR_NVME)->reset = MODEL_RESET_HANGS;
	assert_int_equal(hot(16, 0, 1, g, 0), -ETIMEDOUT);
	assert_non_null(strstr(vr_pci(VR_NVME)->why_broken, "bus: no answer"));
	assert_int_not_equal(copy_from_user(&v, bar, sizeof(v)), 0); /* at once: nothing to wait for */
	assert_int_equal(hot(16, 0, 1, g, 0), -EIO);
	assert_int_equal(vr_ioctl(d, VFIO_DEVICE_RESET, 0), -EIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_hot_reset, begin, end),
		cmocka_unit_test_setup_teardown(test_root_bus, begin, end),
		cmocka_unit_test_setup_teardown(test_taken_away, begin, end),
		cmocka_unit_test_setup_teardown(test_lost, begin, end),
	};

	vr_start(false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
