/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who keeps what alive: container, group, two devices of the group, a BAR mapping and a DMA mapping,
 * closed in every order, by a dying program, or half made.  Whatever happens, in the end no device is bus
 * master, nothing is mapped, no vector is taken and no memory is lost (vr_end).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <linux/mman.h>

#include "kernel/audit.h"
#include "kernel/mm.h"
#include "kernel/program.h"
#include "pci/internal.h"
#include "tests/host/vfio_rig.h"

#define EVENTFD (VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER)

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
	memset(&vr_iommu.fail_irq, 0, sizeof(vr_iommu) - offsetof(struct vr_iommu, fail_irq));
	left = vr_end();
	if (left)
		print_error("left over: %s\n", left);
	return left ? -1 : 0;
}

static bool master(enum vr_dev d)
{
	return vr_fn(d)->cfg[PCI_COMMAND] & PCI_COMMAND_MASTER;
}

enum { CONTAINER, GROUP, DEV0, DEV1, BAR, THINGS };
static int fd[THINGS];
static s64 bar;

static void open_all(void)
{
	uaddr_t memory = host_user_alloc(16 * PAGE_SIZE);
	int ev = vr_eventfd();

	assert_int_equal(vr_open_device(VR_TWIN0, &fd[CONTAINER], &fd[GROUP], &fd[DEV0]), 0);
	fd[DEV1] = (int)vr_call(fd[GROUP], VFIO_GROUP_GET_DEVICE_FD, vr_pci(VR_TWIN1)->name, 16);
	assert_true(fd[DEV1] >= 0);
	bar = vr_mmap(fd[DEV0], 0, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED);
	assert_true(bar > 0);
	assert_int_equal(vr_map(fd[CONTAINER], 0x100000, memory, 16 * PAGE_SIZE), 0);
	assert_int_equal(vr_set_irqs(fd[DEV0], VFIO_PCI_MSIX_IRQ_INDEX, EVENTFD, 0, 1, &ev), 0);
	assert_int_equal(vr_set_irqs(fd[DEV0], VFIO_PCI_ERR_IRQ_INDEX, EVENTFD, 0, 1, &ev), 0);
	vr_close(ev);
	vr_config_set(fd[DEV0], PCI_COMMAND, 2, PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY);
	vr_config_set(fd[DEV1], PCI_COMMAND, 2, PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY);
	assert_true(master(VR_TWIN0) && master(VR_TWIN1));
	assert_int_equal(vr_iommu.pages, 16);
}

static void close_one(int thing)
{
	if (thing == BAR)
		assert_int_equal(mm_unmap(host_mm(), (uaddr_t)bar, PAGE_SIZE), 0);
	else
		vr_close(fd[thing]);
}

/* What must be true while these things are open. */
static void check(const bool *open)
{
	bool dev0 = open[DEV0] || open[BAR], attached = open[GROUP] || dev0 || open[DEV1];

	assert_int_equal(master(VR_TWIN0), dev0);
	assert_int_equal(master(VR_TWIN1), open[DEV1]);
	assert_int_equal(vr_iommu.irtes, dev0);
	assert_int_equal(vr_iommu.attached, attached ? 2 : 0);
	assert_int_equal(vr_iommu.pages, attached ? 16 : 0);
	assert_int_equal(vr_iommu.domains, attached);
	assert_int_equal(vfio_container_count(), attached || open[CONTAINER]);
	assert_int_equal(!!vr_pci(VR_TWIN0)->group->owner[0], attached);
	if (attached)
		assert_int_equal(vr_open_group(VR_TWIN0), -EBUSY);
}

static void permute(int *order, int k)
{
	if (k == THINGS) {
		bool open[THINGS] = { true, true, true, true, true };
		unsigned resets;

		open_all();
		check(open);
		resets = vr_fn(VR_TWIN0)->resets;
		for (int i = 0; i < THINGS; i++) {
			close_one(order[i]);
			open[order[i]] = false;
			check(open);
		}
		assert_int_equal(vr_fn(VR_TWIN0)->resets, resets + 1); /* the next owner finds a reset device */
		return;
	}
	for (int i = k; i < THINGS; i++) {
		int t = order[k];

		order[k] = order[i];
		order[i] = t;
		permute(order, k + 1);
		order[i] = order[k];
		order[k] = t;
	}
}

static void test_every_closing_order(void **state)
{
	int order[THINGS] = { CONTAINER, GROUP, DEV0, DEV1, BAR };

	(void)state;
	permute(order, 0);
}

static void test_death_with_all_open(void **state)
{
	(void)state;
	open_all();
	vr_die();
	assert_false(master(VR_TWIN0) || master(VR_TWIN1));
}

/* Requests of a dying program's device must have ended before its memory goes: the fake IOMMU watches. */
static void test_death_without_container_fd(void **state)
{
	(void)state;
	open_all();
	vr_close(fd[CONTAINER]);
	vr_close(fd[GROUP]);
	vr_die();
}

static void test_unset_container(void **state)
{
	struct vfio_group_status s = { .argsz = sizeof(s) };
	int c, g, d;

	(void)state;
	assert_int_equal(vr_open_device(VR_NVME, &c, &g, &d), 0);
	assert_int_equal(vr_map(c, 0, host_user_alloc(PAGE_SIZE), PAGE_SIZE), 0);
	assert_int_equal(vr_ioctl(g, VFIO_GROUP_UNSET_CONTAINER, 0), -EBUSY);
	assert_int_equal(vr_iommu.pages, 1);
	vr_close(d);
	assert_int_equal(vr_ioctl(g, VFIO_GROUP_UNSET_CONTAINER, 0), 0);
	assert_int_equal(vr_iommu.pages + vr_iommu.attached + vr_iommu.domains, 0);
	assert_int_equal(vr_ioctl(g, VFIO_GROUP_UNSET_CONTAINER, 0), -EINVAL);
	assert_int_equal(vr_call(g, VFIO_GROUP_GET_STATUS, &s, sizeof(s)), 0);
	assert_int_equal(s.flags, VFIO_GROUP_FLAGS_VIABLE);
	assert_int_equal(vr_call(g, VFIO_GROUP_GET_DEVICE_FD, vr_pci(VR_NVME)->name, 16), -EINVAL);
	assert_int_equal(vr_ioctl(c, VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU), -EINVAL);
	/* The container can be used again, with another type. */
	assert_int_equal(vr_call(g, VFIO_GROUP_SET_CONTAINER, &c, sizeof(c)), 0);
	assert_int_equal(vr_call(g, VFIO_GROUP_SET_CONTAINER, &c, sizeof(c)), -EINVAL);
	assert_int_equal(vr_call(g, VFIO_GROUP_GET_DEVICE_FD, vr_pci(VR_NVME)->name, 16), -EINVAL);
	assert_int_equal(vr_ioctl(c, VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU), 0);
	assert_int_equal(vr_ioctl(c, VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU), -EINVAL);
}

/* Two groups in one container: mappings stay until the last one leaves. */
static void test_last_group_takes_mappings(void **state)
{
	int c, g, d, g2;

	(void)state;
	assert_int_equal(vr_open_device(VR_NVME, &c, &g, &d), 0);
	g2 = vr_open_group(VR_EDU);
	assert_int_equal(vr_call(g2, VFIO_GROUP_SET_CONTAINER, &c, sizeof(c)), 0);
	assert_int_equal(vr_map(c, 0, host_user_alloc(PAGE_SIZE), PAGE_SIZE), 0);
	vr_close(d);
	vr_close(g);
	assert_int_equal(vr_iommu.attached, 1);
	assert_int_equal(vr_iommu.pages, 1);
	vr_close(g2);
	assert_int_equal(vr_iommu.pages, 0);
}

/* A device that does not come back from the reset at close stays blocked for ever. */
static void broken_at_close(enum model_reset how)
{
	int c, g, d, again;

	assert_int_equal(vr_open_device(VR_NVME, &c, &g, &d), 0);
	vr_config_set(d, PCI_COMMAND, 2, PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY);
	vr_fn(VR_NVME)->reset = how;
	vr_close(d);
	assert_true(vr_pci(VR_NVME)->broken);
	/* The group is still attached, but the device is not given out again. */
	assert_int_equal(vr_call(g, VFIO_GROUP_GET_DEVICE_FD, vr_pci(VR_NVME)->name, 16), -EIO);
	vr_close(g);
	vr_close(c);
	assert_int_equal(vr_iommu.attached, 0);
	assert_int_equal(audit_run(), 0); /* a device that is gone is no finding */
	vr_fn(VR_NVME)->reset = MODEL_RESET_WORKS; /* too late */
	vr_fn(VR_NVME)->gone = false;
	assert_false(master(VR_NVME));
	assert_int_equal(vr_open_device(VR_NVME, &c, &again, &d), -EPERM);
	vr_close(c);
	c = vr_open("/dev/vfio/vfio");
	assert_int_equal(vr_call(again, VFIO_GROUP_SET_CONTAINER, &c, sizeof(c)), -EPERM);
	assert_int_equal(vr_iommu.attached, 0);
}
static void test_reset_at_close_hangs(void **state)
{
	(void)state;
	broken_at_close(MODEL_RESET_HANGS);
}
static void test_reset_at_close_other_device(void **state)
{
	(void)state;
	broken_at_close(MODEL_RESET_OTHER);
}

/* Asleep, and it does not wake up: it is not given out again either. */
static void test_no_power_at_close(void **state)
{
	struct model_fn *f = vr_fn(VR_NVME);
	int c, g, d;

	(void)state;
	assert_int_equal(vr_open_device(VR_NVME, &c, &g, &d), 0);
	vr_config_set(d, vr_pci(VR_NVME)->cap_pm + PCI_PM_CTRL, 2, 3);
	f->mask[f->pm + PCI_PM_CTRL] = 0;
	vr_close(d);
	f->mask[f->pm + PCI_PM_CTRL] = PCI_PM_CTRL_STATE_MASK;
	assert_true(vr_pci(VR_NVME)->broken);
	assert_int_equal(vr_call(g, VFIO_GROUP_GET_DEVICE_FD, vr_pci(VR_NVME)->name, 16), -EIO);
}

/* Empty groups are kept and used again: the first time leaves one more. */
static int end_with_a_group_more(void **state)
{
	const char *left = vr_end();

	(void)state;
	return left && strcmp(left, "a heap object");
}

/* Taken out while it is open: blocked at once, its descriptors stay and do nothing; the next one at its
 * address is the same structure, in a group that the old descriptors do not reach. */
static void test_taken_out(void **state)
{
	struct model_fn *f = vr_fn(VR_NVME);
	struct pci_dev *was = vr_pci(VR_NVME), *now;
	struct iommu_group *group = was->group;
	int c, g, d, c2, g2, d2;

	(void)state;
	assert_int_equal(vr_open_device(VR_NVME, &c, &g, &d), 0);
	vr_config_set(d, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	assert_int_equal(pci_dev_withdraw(was), -EBUSY);
	pci_dev_kill(was, "test");
	assert_int_equal(pci_dev_withdraw(was), 0);
	assert_int_equal(vr_iommu.attached, 0);
	assert_null(was->group);
	f->gone = true;
	assert_int_equal(vr_config(d, PCI_CLASS_REVISION, 4), ~0u);
	assert_int_equal(vr_call(g, VFIO_GROUP_GET_DEVICE_FD, was->name, sizeof(was->name)), -ENODEV);
	assert_int_equal(vr_ioctl(d, VFIO_DEVICE_RESET, 0), -EIO);
	vr_close(d);
	assert_int_equal(vr_ioctl(g, VFIO_GROUP_UNSET_CONTAINER, 0), 0);
	assert_int_equal(vr_call(g, VFIO_GROUP_SET_CONTAINER, &(s32){ c }, 4), -ENODEV);

	f->gone = false;
	assert_int_equal(pci_dev_read(0, f->bus, f->devfn, was->parent, &now), 0);
	assert_int_equal(pci_dev_publish(&now), 0);
	assert_ptr_equal(now, was);
	assert_ptr_not_equal(now->group, group); /* g is open still */
	assert_int_equal(vr_call(g, VFIO_GROUP_GET_DEVICE_FD, was->name, sizeof(was->name)), -ENODEV);
	assert_int_equal(vr_open_device(VR_NVME, &c2, &g2, &d2), 0);
	assert_int_equal(vr_iommu.attached, 1);
	assert_int_equal(vr_config(d2, PCI_VENDOR_ID, 2), now->vendor);
}

/* A group whose second function cannot be attached is not attached at all; later it can. */
static void test_attach_fails(void **state)
{
	int c, g, d;

	(void)state;
	for (unsigned n = 1; n <= 2; n++) {
		vr_iommu.fail_attach = n;
		assert_int_equal(vr_open_device(VR_TWIN0, &c, &g, &d), -ENOSPC);
		assert_int_equal(vr_iommu.attached + vr_iommu.domains, 0);
		assert_int_equal(vr_ioctl(c, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU), 0);
		assert_int_equal(vr_iommu.attached, 2);
		vr_close(c);
		vr_close(g);
	}
}

/* Of two groups the second cannot be attached: neither is. */
static void test_second_group_fails(void **state)
{
	int c = vr_open("/dev/vfio/vfio"), g[2] = { vr_open_group(VR_NVME), vr_open_group(VR_EDU) };

	(void)state;
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(vr_call(g[i], VFIO_GROUP_SET_CONTAINER, &c, sizeof(c)), 0);
	vr_iommu.fail_attach = 2;
	assert_int_equal(vr_ioctl(c, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU), -ENOSPC);
	assert_int_equal(vr_iommu.attached + vr_iommu.domains, 0);
	assert_int_equal(vr_ioctl(c, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU), 0);
	assert_int_equal(vr_iommu.attached, 2);
}

/* Memory runs out anywhere on the way: what was made until then goes away with the descriptors. */
static void test_no_memory_anywhere(void **state)
{
	int c, g, d, r = -1;
	char touch = 0;

	(void)state;
	vr_die();
	for (unsigned n = 1; r; n++) {
		vr_begin();
		(void)vr_write(-1, 0, &touch, 1);
		host_alloc_fail_at(n);
		r = vr_open_device(VR_TWIN1, &c, &g, &d);
		host_alloc_fail_at(0);
		if (r)
			assert_int_equal(r, -ENOMEM);
		assert_null(vr_end());
	}
	vr_begin();
}

/* The first open gives a known state; the second file of a device shares it, and the last close ends it. */
static void test_two_files_of_a_device(void **state)
{
	int c, g, d, d2;

	(void)state;
	memset(vr_fn(VR_EDU)->cfg + PCI_COMMAND, 0, 2);
	assert_int_equal(vr_open_device(VR_EDU, &c, &g, &d), 0);
	assert_int_equal(vr_config(d, PCI_COMMAND, 2), PCI_COMMAND_MEMORY);
	assert_true(vr_fn(VR_EDU)->cfg[PCI_COMMAND + 1] & PCI_COMMAND_INTX_DISABLE >> 8);
	vr_config_set(d, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
	d2 = (int)vr_call(g, VFIO_GROUP_GET_DEVICE_FD, vr_pci(VR_EDU)->name, 16);
	assert_int_equal(vr_config(d2, PCI_COMMAND, 2), PCI_COMMAND_MASTER);
	vr_close(d);
	assert_true(master(VR_EDU));
	assert_int_equal(vr_ioctl(g, VFIO_GROUP_UNSET_CONTAINER, 0), -EBUSY);
	vr_close(d2);
	assert_false(master(VR_EDU));
	/* Marked broken, for whatever reason: never again, also where there is no reset to fail. */
	vr_pci(VR_EDU)->broken = true;
	assert_int_equal(vr_call(g, VFIO_GROUP_GET_DEVICE_FD, vr_pci(VR_EDU)->name, 16), -EIO);
	assert_int_equal(vr_ioctl(g, VFIO_GROUP_UNSET_CONTAINER, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_every_closing_order, begin, end),
		cmocka_unit_test_setup_teardown(test_death_with_all_open, begin, end),
		cmocka_unit_test_setup_teardown(test_death_without_container_fd, begin, end),
		cmocka_unit_test_setup_teardown(test_unset_container, begin, end),
		cmocka_unit_test_setup_teardown(test_last_group_takes_mappings, begin, end),
		cmocka_unit_test_setup_teardown(test_reset_at_close_hangs, begin, end),
		cmocka_unit_test_setup_teardown(test_reset_at_close_other_device, begin, end),
		cmocka_unit_test_setup_teardown(test_no_power_at_close, begin, end),
		cmocka_unit_test_setup_teardown(test_taken_out, begin, end_with_a_group_more),
		cmocka_unit_test_setup_teardown(test_taken_out, begin, end),
		cmocka_unit_test_setup_teardown(test_attach_fails, begin, end),
		cmocka_unit_test_setup_teardown(test_second_group_fails, begin, end),
		cmocka_unit_test_setup_teardown(test_no_memory_anywhere, begin, end),
		cmocka_unit_test_setup_teardown(test_two_files_of_a_device, begin, end),
	};

	vr_start(false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
