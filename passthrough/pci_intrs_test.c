/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * SET_IRQS: the state table, what is taken and given back (CPU vectors, remapping entries), what an
 * error in the middle leaves, and the order of teardown — hardware is silent before its entry goes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <linux/mman.h>

#include "kernel/mm.h"
#include "tests/host/vfio_rig.h"

#define TRIGGER VFIO_IRQ_SET_ACTION_TRIGGER
#define FDS (VFIO_IRQ_SET_DATA_EVENTFD | TRIGGER)
#define NONE (VFIO_IRQ_SET_DATA_NONE | TRIGGER)
#define BOOLS (VFIO_IRQ_SET_DATA_BOOL | TRIGGER)
#define INTX VFIO_PCI_INTX_IRQ_INDEX
#define MSI VFIO_PCI_MSI_IRQ_INDEX
#define MSIX VFIO_PCI_MSIX_IRQ_INDEX
#define ERR VFIO_PCI_ERR_IRQ_INDEX
#define REQ VFIO_PCI_REQ_IRQ_INDEX

static int c, g, d;
static s32 ev[33];
static unsigned vectors_before;

static int begin_on(enum vr_dev dev)
{
	vr_begin();
	vectors_before = host_irqs_in_use();
	if (vr_open_device(dev, &c, &g, &d))
		return -1;
	for (unsigned i = 0; i < ARRAY_SIZE(ev); i++)
		ev[i] = vr_eventfd();
	return 0;
}
static int begin_nvme(void **state)
{
	(void)state;
	return begin_on(VR_NVME);
}
static int begin_nic(void **state)
{
	(void)state;
	return begin_on(VR_NIC);
}
static int begin_edu(void **state)
{
	(void)state;
	return begin_on(VR_EDU);
}
static int end(void **state)
{
	const char *left;

	(void)state;
	vr_iommu.fail_irq = 0;
	left = vr_end();
	vr_iommu.on_irq_unmap = NULL;
	if (left)
		print_error("left over: %s\n", left);
	return left ? -1 : 0;
}

static unsigned taken(void)
{
	return host_irqs_in_use() - vectors_before;
}

static u16 control(void)
{
	const struct pci_dev *p = vr_pci(VR_NVME);

	return (u16)model_get(vr_fn(VR_NVME), p->cap_msix + PCI_MSIX_FLAGS, 2);
}

static const u32 *entry(unsigned i)
{
	return (const u32 *)(const void *)(vr_bar(VR_NVME) + 0x2000 + 16 * i);
}

static void nothing_left(void)
{
	assert_int_equal(taken(), 0);
	assert_int_equal(vr_iommu.irtes, 0);
	assert_false(control() & PCI_MSIX_FLAGS_ENABLE);
	/* The mode is none again: a trigger has nothing to trigger, another index may be enabled. */
	assert_int_equal(vr_set_irqs(d, MSIX, NONE, 0, 1, NULL), -EINVAL);
}

static void test_checks(void **state)
{
	struct vfio_irq_set s = { .argsz = sizeof(s), .index = MSIX, .count = 1 };
	s32 bad = 99, no_eventfd = c;
	u8 yes = 1, buf[sizeof(s) + 4];

	(void)state;
	assert_int_equal(vr_ioctl(d, VFIO_DEVICE_SET_IRQS, 8), -EFAULT);
	s.argsz = 19;
	s.flags = NONE;
	assert_int_equal(vr_call(d, VFIO_DEVICE_SET_IRQS, &s, sizeof(s)), -EINVAL);
	s.argsz = sizeof(s) + 3; /* one short of a descriptor */
	s.flags = FDS;
	memcpy(buf, &s, sizeof(s));
	memcpy(buf + sizeof(s), ev, 4);
	assert_int_equal(vr_call(d, VFIO_DEVICE_SET_IRQS, buf, sizeof(buf)), -EINVAL);
	assert_int_equal(vr_set_irqs(d, 5, NONE, 0, 1, NULL), -EINVAL);
	assert_int_equal(vr_set_irqs(d, MSIX, NONE | 0x40, 0, 1, NULL), -EINVAL);
	assert_int_equal(vr_set_irqs(d, MSIX, NONE, 0, 17, NULL), -EINVAL);
	assert_int_equal(vr_set_irqs(d, MSIX, NONE, 16, 0, NULL), -EINVAL);
	assert_int_equal(vr_set_irqs(d, MSIX, NONE, 2, ~0u - 1, NULL), -EINVAL);
	assert_int_equal(vr_set_irqs(d, MSIX, TRIGGER, 0, 1, NULL), -EINVAL);
	assert_int_equal(vr_set_irqs(d, MSIX, NONE | VFIO_IRQ_SET_DATA_BOOL, 0, 1, &yes), -EINVAL);
	assert_int_equal(vr_set_irqs(d, MSIX, VFIO_IRQ_SET_DATA_NONE, 0, 1, NULL), -ENOTTY);
	assert_int_equal(vr_set_irqs(d, MSIX, NONE | VFIO_IRQ_SET_ACTION_MASK, 0, 1, NULL), -ENOTTY);
	assert_int_equal(vr_set_irqs(d, MSIX, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_MASK, 0, 1, NULL), -ENOTTY);
	assert_int_equal(vr_set_irqs(d, MSIX, NONE | VFIO_IRQ_SET_ACTION_UNMASK, 0, 1, NULL), -ENOTTY);
	/* No INTx whose line is known, no MSI on this device: every call is EINVAL. */
	assert_int_equal(vr_set_irqs(d, INTX, FDS, 0, 1, ev), -EINVAL);
	assert_int_equal(vr_set_irqs(d, MSI, NONE, 0, 0, NULL), -EINVAL);
	/* Mode none. */
	assert_int_equal(vr_set_irqs(d, MSIX, NONE, 0, 0, NULL), -EINVAL);
	assert_int_equal(vr_set_irqs(d, MSIX, BOOLS, 0, 1, &yes), -EINVAL);
	assert_int_equal(vr_set_irqs(d, MSIX, FDS, 0, 0, NULL), -ERANGE);
	assert_int_equal(vr_set_irqs(d, MSIX, FDS, 0, 1, &bad), -EBADF);
	assert_int_equal(vr_set_irqs(d, MSIX, FDS, 0, 1, &no_eventfd), -EINVAL);
	nothing_left();
}

static void test_msix(void **state)
{
	const u8 some[3] = { 0, 1, 1 };
	s32 none = -1, mixed[3] = { ev[0], -1, ev[2] };
	u64 rounds;

	(void)state;
	assert_int_equal(vr_set_irqs(d, MSIX, FDS, 1, 3, mixed), 0); /* four vectors, two eventfds */
	assert_int_equal(control() & (PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL), PCI_MSIX_FLAGS_ENABLE);
	assert_int_equal(taken(), 2);
	assert_int_equal(vr_iommu.irtes, 2);
	assert_int_equal(entry(1)[3] & 1, 0);
	assert_int_equal(entry(1)[0], 0xfee00010);
	assert_int_equal(entry(0)[3] & 1, 1);
	assert_int_equal(entry(2)[3] & 1, 1);
	/* The device's message arrives at its eventfd. */
	assert_true(host_irq_raise(0, (u8)entry(3)[2]));
	assert_int_equal(vr_eventfd_take(ev[2]), 1);
	assert_int_equal(vr_eventfd_take(ev[0]), 0);
	/* Loopback: vectors without eventfd are skipped. */
	assert_int_equal(vr_set_irqs(d, MSIX, NONE, 0, 4, NULL), 0);
	assert_int_equal(vr_eventfd_take(ev[0]) + vr_eventfd_take(ev[2]), 2);
	assert_int_equal(vr_set_irqs(d, MSIX, BOOLS, 1, 3, some), 0);
	assert_int_equal(vr_eventfd_take(ev[0]), 0);
	assert_int_equal(vr_eventfd_take(ev[2]), 1);
	/* Bounds hold while the mode is on, too. */
	assert_int_equal(vr_set_irqs(d, MSIX, NONE, 2, ~0u - 1, NULL), -EINVAL);
	assert_int_equal(vr_set_irqs(d, MSIX, NONE, 16, 0, NULL), -EINVAL);
	/* More vectors at any time; an eventfd is replaced, set and cleared. */
	assert_int_equal(vr_set_irqs(d, MSIX, FDS, 15, 1, &ev[6]), 0);
	assert_int_equal(taken(), 3);
	assert_true(host_irq_raise(0, (u8)entry(15)[2]));
	assert_int_equal(vr_eventfd_take(ev[6]), 1);
	assert_int_equal(vr_set_irqs(d, MSIX, FDS, 15, 1, &none), 0);
	assert_int_equal(entry(15)[3] & 1, 1);
	rounds = host_ipi_rounds;
	assert_int_equal(vr_set_irqs(d, MSIX, FDS, 3, 1, &ev[5]), 0);
	assert_true(host_ipi_rounds > rounds); /* nobody signals the old one any more */
	assert_int_equal(taken(), 2);
	assert_true(host_irq_raise(0, (u8)entry(3)[2]));
	assert_int_equal(vr_eventfd_take(ev[5]), 1);
	assert_int_equal(vr_eventfd_take(ev[2]), 0);
	assert_int_equal(vr_set_irqs(d, MSIX, FDS, 3, 1, &none), 0);
	assert_int_equal(taken(), 1);
	assert_int_equal(vr_iommu.irtes, 1);
	assert_int_equal(entry(3)[3] & 1, 1);
	assert_int_equal(vr_set_irqs(d, MSIX, NONE, 0, 0, NULL), 0);
	nothing_left();
}

/* An error at element k clears S..S+k: not before S, not after k. The first enable disables the mode. */
static void test_error_in_the_middle(void **state)
{
	s32 bad[4] = { ev[10], ev[11], 99, ev[13] };

	(void)state;
	assert_int_equal(vr_set_irqs(d, MSIX, FDS, 0, 4, bad), -EBADF);
	nothing_left();
	assert_int_equal(vr_set_irqs(d, MSIX, FDS, 0, 8, ev), 0);
	assert_int_equal(vr_set_irqs(d, MSIX, FDS, 2, 4, bad), -EBADF);
	assert_int_equal(taken(), 5);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(entry(i)[3] & 1, i >= 2 && i <= 4);
	assert_int_equal(vr_set_irqs(d, MSIX, NONE, 0, 8, NULL), 0);
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(vr_eventfd_take(ev[i]), i < 8 && !(i >= 2 && i <= 4));
	assert_true(control() & PCI_MSIX_FLAGS_ENABLE);
}

static struct irq hog[256];
static unsigned hogs;

static void hog_all_but(unsigned n)
{
	for (hogs = 0; !arch_irq_alloc(&hog[hogs], 0); hogs++)
		;
	while (n--)
		arch_irq_free(&hog[--hogs]);
	vectors_before += hogs;
}
static void unhog(void)
{
	vectors_before -= hogs;
	while (hogs)
		arch_irq_free(&hog[--hogs]);
}

static void test_no_vectors_left_msix(void **state)
{
	(void)state;
	hog_all_but(3);
	assert_int_equal(vr_set_irqs(d, MSIX, FDS, 0, 8, ev), -ENOSPC);
	nothing_left();
	assert_int_equal(vr_set_irqs(d, MSIX, FDS, 0, 3, ev), 0);
	assert_int_equal(vr_set_irqs(d, MSIX, NONE, 0, 0, NULL), 0);
	unhog();
	vr_iommu.fail_irq = 3; /* the IOMMU has no entry left */
	assert_int_equal(vr_set_irqs(d, MSIX, FDS, 0, 8, ev), -ENOSPC);
	nothing_left();
}

static void test_no_vectors_left_msi(void **state)
{
	u16 flags = vr_pci(VR_NIC)->cap_msi + PCI_MSI_FLAGS;

	(void)state;
	hog_all_but(7);
	assert_int_equal(vr_set_irqs(d, MSI, FDS, 0, 5, ev), -ENOSPC); /* five need eight */
	assert_int_equal(taken(), 0);
	assert_int_equal(vr_set_irqs(d, MSI, FDS, 0, 4, ev), 0);
	assert_int_equal(vr_set_irqs(d, MSI, NONE, 0, 0, NULL), 0);
	unhog();
	vr_iommu.fail_irq = 1;
	assert_int_equal(vr_set_irqs(d, MSI, FDS, 0, 5, ev), -ENOSPC);
	assert_int_equal(taken() + vr_iommu.irtes, 0);
	assert_int_equal(model_get(vr_fn(VR_NIC), flags, 2) & PCI_MSI_FLAGS_ENABLE, 0);
}

static void test_msi(void **state)
{
	u16 cap = vr_pci(VR_NIC)->cap_msi;
	s32 bad = 99;

	(void)state;
	assert_int_equal(vr_set_irqs(d, MSI, FDS, 0, 33, ev), -EINVAL);
	assert_int_equal(vr_set_irqs(d, MSI, FDS, 0, 5, ev), 0);
	assert_int_equal(taken(), 8);
	assert_int_equal(vr_iommu.irtes, 8);
	assert_int_equal(model_get(vr_fn(VR_NIC), cap + PCI_MSI_FLAGS, 2) & 0x71, 1 | 3 << 4);
	assert_int_equal(vr_set_irqs(d, MSI, FDS, 5, 1, ev), -EINVAL); /* five were asked for */
	assert_int_equal(vr_set_irqs(d, MSIX, NONE, 0, 0, NULL), -EINVAL);
	assert_int_equal(vr_set_irqs(d, MSI, FDS, 2, 1, &bad), -EBADF);
	assert_int_equal(taken(), 8);
	assert_int_equal(vr_set_irqs(d, MSI, NONE, 0, 5, NULL), 0);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(vr_eventfd_take(ev[i]), i != 2);
	assert_int_equal(vr_set_irqs(d, MSI, NONE, 0, 0, NULL), 0);
	assert_int_equal(taken() + vr_iommu.irtes, 0);
	assert_int_equal(model_get(vr_fn(VR_NIC), cap + PCI_MSI_FLAGS, 2) & PCI_MSI_FLAGS_ENABLE, 0);
	/* A bad first enable takes it all back. */
	assert_int_equal(vr_set_irqs(d, MSI, FDS, 0, 1, &bad), -EBADF);
	assert_int_equal(taken() + vr_iommu.irtes, 0);
	assert_int_equal(vr_set_irqs(d, MSI, NONE, 0, 1, NULL), -EINVAL);
}

static unsigned unmapped;
static bool closing;

/* What the hardware may still send when its entry goes: nothing. */
static void silent(struct pci_dev *p, unsigned count)
{
	unsigned open = 0;

	unmapped++;
	assert_false(closing && pci_read16(p, PCI_COMMAND) & PCI_COMMAND_MASTER);
	if (p->cap_msi)
		assert_false(pci_read16(p, p->cap_msi + PCI_MSI_FLAGS) & PCI_MSI_FLAGS_ENABLE);
	for (unsigned i = 0; i < p->msix_vectors; i++)
		open += !(entry(i)[3] & 1);
	assert_true(!p->msix_vectors || (count == 1 && open == vr_iommu.irtes - 1));
}

static void test_silent_before_unmapped(void **state)
{
	s32 none = -1;

	(void)state;
	vr_iommu.on_irq_unmap = silent;
	unmapped = 0;
	assert_int_equal(vr_set_irqs(d, MSIX, FDS, 0, 8, ev), 0);
	assert_int_equal(vr_set_irqs(d, MSIX, FDS, 3, 1, &none), 0);
	assert_int_equal(vr_set_irqs(d, MSIX, NONE, 0, 0, NULL), 0);
	assert_int_equal(unmapped, 8);
	assert_int_equal(vr_set_irqs(d, MSIX, FDS, 0, 8, ev), 0);
	vr_config_set(d, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
	closing = true;
	vr_close(d); /* the last close does the same, when the device sends nothing any more */
	closing = false;
	assert_int_equal(unmapped, 16);
}
static void test_silent_before_unmapped_msi(void **state)
{
	(void)state;
	vr_iommu.on_irq_unmap = silent;
	unmapped = 0;
	assert_int_equal(vr_set_irqs(d, MSI, FDS, 0, 3, ev), 0);
	assert_int_equal(vr_set_irqs(d, MSI, NONE, 0, 0, NULL), 0);
	assert_int_equal(unmapped, 1);
}

static void notices(bool express)
{
	u8 yes = 1, no = 0;
	s32 none = -1, odd = -2, bad = 99;

	for (u32 index = express ? ERR : REQ; index <= REQ; index++) {
		assert_int_equal(vr_set_irqs(d, index, NONE, 0, 1, NULL), -EINVAL);
		assert_int_equal(vr_set_irqs(d, index, NONE, 0, 0, NULL), -EINVAL);
		assert_int_equal(vr_set_irqs(d, index, FDS, 0, 1, &bad), -EBADF);
		assert_int_equal(vr_set_irqs(d, index, FDS, 0, 1, &ev[0]), 0);
		assert_int_equal(vr_set_irqs(d, index, FDS, 0, 1, &ev[1]), 0);
		assert_int_equal(vr_set_irqs(d, index, FDS, 0, 1, &odd), 0);
		assert_int_equal(vr_set_irqs(d, index, NONE, 0, 1, NULL), 0);
		assert_int_equal(vr_set_irqs(d, index, BOOLS, 0, 1, &yes), 0);
		assert_int_equal(vr_set_irqs(d, index, BOOLS, 0, 1, &no), 0);
		assert_int_equal(vr_eventfd_take(ev[0]), 0);
		assert_int_equal(vr_eventfd_take(ev[1]), 2);
		assert_int_equal(vr_set_irqs(d, index, BOOLS, 0, 0, &yes), -EINVAL);
		assert_int_equal(vr_set_irqs(d, index, FDS, 0, 0, ev), -EINVAL);
		assert_int_equal(vr_set_irqs(d, index, FDS, 0, 1, &none), 0);
		assert_int_equal(vr_set_irqs(d, index, NONE, 0, 1, NULL), -EINVAL);
		assert_int_equal(vr_set_irqs(d, index, FDS, 0, 1, &ev[1]), 0); /* dropped at close */
	}
}
static void test_notices(void **state)
{
	(void)state;
	notices(true);
}
static void test_notices_conventional(void **state)
{
	(void)state;
	assert_int_equal(vr_set_irqs(d, ERR, FDS, 0, 1, ev), -EINVAL);
	notices(false);
}

/* A reset keeps what SET_IRQS made. */
static void test_reset_keeps_vectors(void **state)
{
	(void)state;
	assert_int_equal(vr_set_irqs(d, MSIX, FDS, 0, 2, ev), 0);
	memset(vr_bar(VR_NVME) + 0x2000, 0xee, 32);
	assert_int_equal(vr_ioctl(d, VFIO_DEVICE_RESET, 0), 0);
	assert_true(control() & PCI_MSIX_FLAGS_ENABLE);
	assert_int_equal(entry(1)[3] & 1, 0);
	assert_true(host_irq_raise(0, (u8)entry(1)[2]));
	assert_int_equal(vr_eventfd_take(ev[1]), 1);
}

#define STORM 32768u /* in 125 ms, on one CPU */

static void interrupts(unsigned cpu, unsigned n)
{
	while (n--)
		assert_true(host_irq_raise(cpu, (u8)entry(0)[2]));
}

static bool master(void)
{
	return model_get(vr_fn(VR_NVME), PCI_COMMAND, 2) & PCI_COMMAND_MASTER;
}

/* Too fast for one CPU: no bus master any more, until the device is opened anew. */
static void test_storm(void **state)
{
	const u32 on = PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY;

	(void)state;
	assert_int_equal(vr_set_irqs(d, MSIX, FDS, 0, 1, ev), 0);
	vr_config_set(d, PCI_COMMAND, 2, on);
	interrupts(0, STORM); /* since ever */
	for (unsigned i = 0; i < 3; i++) {
		host_now += 125 * NS_PER_MS;
		interrupts(0, STORM);
	}
	assert_true(master());
	interrupts(0, STORM - 1);
	assert_true(master());
	interrupts(0, 1);
	assert_false(master());
	vr_config_set(d, PCI_COMMAND, 2, on);
	assert_false(master());
	assert_int_equal(vr_ioctl(d, VFIO_DEVICE_RESET, 0), 0);
	vr_config_set(d, PCI_COMMAND, 1, on);
	assert_false(master());
	assert_int_equal(vr_eventfd_take(ev[0]), 5 * STORM); /* none was lost */
	vr_close(d);
	vr_close(g);
	vr_close(c);
	assert_int_equal(vr_open_device(VR_NVME, &c, &g, &d), 0);
	vr_config_set(d, PCI_COMMAND, 2, on);
	assert_true(master());
}

/* Without interrupt remapping the pages of the MSI-X table are no program's. */
static void test_table_is_closed(void **state)
{
	struct {
		struct vfio_region_info info;
		struct vfio_info_cap_header cap;
		u32 nr_areas, reserved;
		u64 area[4];
	} r = { .info = { .argsz = sizeof(r.info) + sizeof(r.cap) } };
	s64 at;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		vr_iommu.forgeable = i;
		assert_int_equal(vr_call(d, VFIO_DEVICE_GET_REGION_INFO, &r, sizeof(r)), 0);
		assert_int_equal(r.info.cap_offset, i ? 0 : sizeof(r.info)); /* no room, but the size is told */
		if (i) {
			assert_int_equal(r.info.argsz, sizeof(r));
			assert_int_equal(vr_call(d, VFIO_DEVICE_GET_REGION_INFO, &r, sizeof(r)), 0);
			assert_int_equal(r.info.cap_offset, sizeof(r.info));
		}
		assert_int_equal(r.cap.id, i ? VFIO_REGION_INFO_CAP_SPARSE_MMAP : VFIO_REGION_INFO_CAP_MSIX_MAPPABLE);
		at = vr_mmap(d, 0x1000, 0x2000, PROT_READ | PROT_WRITE, MAP_SHARED);
		assert_int_equal(at < 0 ? at : 0, i ? -EINVAL : 0);
		if (at > 0)
			assert_int_equal(mm_unmap(host_mm(), (uaddr_t)at, 0x2000), 0);
	}
	assert_int_equal(r.nr_areas, 2);
	assert_true(r.area[0] == 0 && r.area[1] == 0x2000 && r.area[2] == 0x3000 && r.area[3] + 0x3000 == r.info.size);
	assert_int_equal(vr_mmap(d, 0x2fff & ~0xfffull, PAGE_SIZE, PROT_READ, MAP_SHARED), -EINVAL);
	for (unsigned i = 0; i < 2; i++) {
		at = vr_mmap(d, r.area[2 * i], r.area[2 * i + 1], PROT_READ | PROT_WRITE, MAP_SHARED);
		assert_true(at > 0);
		assert_int_equal(mm_unmap(host_mm(), (uaddr_t)at, r.area[2 * i + 1]), 0);
	}
	vr_iommu.forgeable = false;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_checks, begin_nvme, end),
		cmocka_unit_test_setup_teardown(test_msix, begin_nvme, end),
		cmocka_unit_test_setup_teardown(test_error_in_the_middle, begin_nvme, end),
		cmocka_unit_test_setup_teardown(test_no_vectors_left_msix, begin_nvme, end),
		cmocka_unit_test_setup_teardown(test_no_vectors_left_msi, begin_nic, end),
		cmocka_unit_test_setup_teardown(test_msi, begin_nic, end),
		cmocka_unit_test_setup_teardown(test_silent_before_unmapped, begin_nvme, end),
		cmocka_unit_test_setup_teardown(test_silent_before_unmapped_msi, begin_nic, end),
		cmocka_unit_test_setup_teardown(test_notices, begin_nvme, end),
		cmocka_unit_test_setup_teardown(test_notices_conventional, begin_edu, end),
		cmocka_unit_test_setup_teardown(test_reset_keeps_vectors, begin_nvme, end),
		cmocka_unit_test_setup_teardown(test_storm, begin_nvme, end),
		cmocka_unit_test_setup_teardown(test_table_is_closed, begin_nvme, end),
	};

	vr_start(false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
