/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * INTx on a model of lines: a function drives its line while it wants service and DisINTx is clear, and a
 * line that is driven and not masked interrupts again and again.  Random calls against a model of what a
 * program must see (a state of four bits), three devices on one line; then what each rule is there for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/host/vfio_rig.h"

#define INTX VFIO_PCI_INTX_IRQ_INDEX
#define NONE VFIO_IRQ_SET_DATA_NONE
#define BOOLS VFIO_IRQ_SET_DATA_BOOL
#define FDS VFIO_IRQ_SET_DATA_EVENTFD
#define TRIGGER VFIO_IRQ_SET_ACTION_TRIGGER
#define MASK VFIO_IRQ_SET_ACTION_MASK
#define UNMASK VFIO_IRQ_SET_ACTION_UNMASK
#define LINE 16 /* of NVME, NIC and EDU */
#define TWIN_LINE 21
#define STORM 20000u
#define ROUNDS 60000
#define COUNT 3

static const enum vr_dev dev_of[COUNT] = { VR_NVME, VR_NIC, VR_EDU };
static unsigned vectors_before;

struct user {
	int c, g, d, ev, unmask;
	bool wants; /* the device */
	bool on, masked, off, has_ev, has_unmask;
	unsigned told;
};
static struct user u[COUNT];

static void user_open(unsigned i)
{
	u[i] = (struct user){ .masked = true };
	assert_int_equal(vr_open_device(dev_of[i], &u[i].c, &u[i].g, &u[i].d), 0);
	u[i].ev = vr_eventfd();
	u[i].unmask = vr_eventfd();
}

static void user_close(unsigned i)
{
	vr_close(u[i].d);
	vr_close(u[i].g);
	vr_close(u[i].c);
	vr_close(u[i].ev);
	vr_close(u[i].unmask);
}

static int begin(void **state)
{
	(void)state;
	vr_begin();
	vectors_before = host_irqs_in_use();
	for (unsigned i = 0; i < COUNT; i++)
		user_open(i);
	return 0;
}

static int end(void **state)
{
	const char *left;

	(void)state;
	vr_iommu.fail_irq = 0;
	left = vr_end();
	if (left)
		print_error("left over: %s\n", left);
	return left ? -1 : 0;
}

static bool disabled(unsigned i)
{
	return vr_fn(dev_of[i])->cfg[PCI_COMMAND + 1] & PCI_COMMAND_INTX_DISABLE >> 8;
}

/* The line as hardware has it; how often it interrupted. */
static unsigned settle(void)
{
	unsigned n = 0;

	for (bool driven = true; driven && n < STORM; n += driven) {
		driven = false;
		for (unsigned i = 0; i < COUNT; i++) {
			u8 *status = &vr_fn(dev_of[i])->cfg[PCI_STATUS];

			*status = (u8)(u[i].wants ? *status | PCI_STATUS_INTERRUPT : *status & ~PCI_STATUS_INTERRUPT);
			driven |= u[i].wants && !disabled(i);
		}
		driven = driven && host_ioapic[LINE].routed && !host_ioapic[LINE].masked;
		if (driven)
			assert_true(host_irq_raise(0, host_ioapic[LINE].vector));
	}
	return n;
}

static s64 set(unsigned i, u32 flags, u32 count, const void *data)
{
	return vr_set_irqs(u[i].d, INTX, flags, 0, count, data);
}

static void enable(unsigned i)
{
	assert_int_equal(set(i, FDS | TRIGGER, 1, &u[i].ev), 0);
	u[i].masked = u[i].on ? u[i].masked : u[i].off;
	u[i].on = u[i].has_ev = true;
}

static void disable(unsigned i)
{
	assert_int_equal(set(i, NONE | TRIGGER, 0, NULL), u[i].on ? 0 : -EINVAL);
	u[i].on = u[i].has_ev = u[i].has_unmask = false;
	u[i].masked = true;
}

static void tell(unsigned i)
{
	u[i].told += u[i].has_ev;
}

/* What an unmask is, when the program may be told at once. */
static void model_unmask(unsigned i)
{
	if (!u[i].on || !u[i].masked || u[i].off)
		return;
	if (u[i].wants)
		tell(i);
	else
		u[i].masked = false;
}

static void bit10(unsigned i, bool off)
{
	u32 v = vr_config(u[i].d, PCI_COMMAND, 2) & ~PCI_COMMAND_INTX_DISABLE;
	bool was = u[i].off;

	vr_config_set(u[i].d, PCI_COMMAND, 2, v | (off ? PCI_COMMAND_INTX_DISABLE : 0));
	u[i].off = off;
	if (off && !was)
		u[i].masked = true;
	if (!off && was)
		model_unmask(i);
}

static void unmask_eventfd(unsigned i)
{
	u64 one = 1;

	if (!u[i].has_unmask) {
		assert_int_equal(set(i, FDS | UNMASK, 1, &u[i].unmask), u[i].on ? 0 : -EINVAL);
		u[i].has_unmask = u[i].on;
	} else if (rand() % 4 == 0) {
		s32 none = -1;

		assert_int_equal(set(i, FDS | UNMASK, 1, &none), 0);
		u[i].has_unmask = false;
	} else {
		assert_int_equal(vr_write(u[i].unmask, 0, &one, 8), 8);
		assert_int_equal(vr_eventfd_take(u[i].unmask), 0); /* consumed */
		if (!u[i].off)
			u[i].masked = false;
	}
}

static void step(unsigned i)
{
	s64 on = u[i].on ? 0 : -EINVAL;
	const u8 no = 0;
	s32 none = -1;

	switch (rand() % 14) {
	case 0 ... 2:
		u[i].wants = true;
		break;
	case 3:
		u[i].wants = false;
		break;
	case 4:
		enable(i);
		break;
	case 5:
		disable(i);
		break;
	case 6:
		assert_int_equal(set(i, NONE | MASK, 1, NULL), on);
		u[i].masked = true;
		break;
	case 7 ... 8:
		assert_int_equal(set(i, NONE | UNMASK, 1, NULL), on);
		model_unmask(i);
		break;
	case 9:
		bit10(i, rand() % 2);
		break;
	case 10:
		unmask_eventfd(i);
		break;
	case 11:
		assert_int_equal(set(i, NONE | TRIGGER, 1, NULL), on);
		if (u[i].on && !u[i].off)
			tell(i);
		assert_int_equal(set(i, BOOLS | (rand() % 2 ? UNMASK : MASK), 1, &no), on);
		break;
	case 12:
		if (!u[i].on || rand() % 4)
			break;
		assert_int_equal(set(i, FDS | TRIGGER, 1, &none), 0);
		u[i].has_ev = false;
		break;
	default:
		if (dev_of[i] == VR_EDU || rand() % 4) {
			user_close(i);
			user_open(i);
		} else {
			assert_int_equal(vr_ioctl(u[i].d, VFIO_DEVICE_RESET, 0), 0);
			u[i].wants = false;
		}
	}
}

static void check(void)
{
	unsigned users = 0;

	assert_true(settle() < STORM);
	for (unsigned i = 0; i < COUNT; i++) {
		if (u[i].on && !u[i].masked && u[i].wants) {
			u[i].masked = true;
			tell(i);
		}
		assert_int_equal(vr_eventfd_take(u[i].ev), u[i].told);
		u[i].told = 0;
		if (vr_fn(dev_of[i])->mask[PCI_COMMAND + 1])
			assert_int_equal(disabled(i), u[i].masked);
		users += u[i].on;
	}
	assert_int_equal(host_irqs_in_use() - vectors_before, users > 0);
	assert_int_equal(vr_iommu.irtes, users > 0);
	assert_int_equal(!host_ioapic[LINE].masked && host_ioapic[LINE].routed, users > 0);
}

static void test_random(void **state)
{
	(void)state;
	srand(7);
	for (unsigned i = 0; i < ROUNDS; i++) {
		step((unsigned)rand() % COUNT);
		check();
	}
}

static void test_modes(void **state)
{
	s32 bad = 99;
	const s32 ev = u[1].ev;

	(void)state;
	assert_int_equal(set(1, FDS | TRIGGER, 1, &bad), -EBADF);
	assert_int_equal(set(1, FDS | TRIGGER, 1, &u[1].c), -EINVAL);
	vr_iommu.fail_irq = 1;
	assert_int_equal(set(1, FDS | TRIGGER, 1, &ev), -ENOSPC);
	check();
	enable(1);
	assert_int_equal(set(1, FDS | MASK, 1, &ev), -ENOTTY);
	assert_int_equal(set(1, NONE | MASK | UNMASK, 1, NULL), -ENOTTY);
	assert_int_equal(set(1, NONE, 1, NULL), -ENOTTY);
	assert_int_equal(set(1, NONE | MASK, 0, NULL), -EINVAL);
	assert_int_equal(vr_set_irqs(u[1].d, VFIO_PCI_MSI_IRQ_INDEX, FDS | TRIGGER, 0, 1, &ev), -EINVAL);
	disable(1);
	assert_int_equal(vr_set_irqs(u[1].d, VFIO_PCI_MSI_IRQ_INDEX, FDS | TRIGGER, 0, 1, &ev), 0);
	assert_int_equal(set(1, FDS | TRIGGER, 1, &ev), -EINVAL);
	assert_int_equal(set(1, NONE | TRIGGER, 0, NULL), -EINVAL);
	assert_int_equal(vr_set_irqs(u[1].d, VFIO_PCI_MSI_IRQ_INDEX, NONE | TRIGGER, 0, 0, NULL), 0);
	enable(1);
	/* The unmask eventfd: one at a time, until it is closed. */
	assert_int_equal(set(1, FDS | UNMASK, 1, &u[1].unmask), 0);
	assert_int_equal(set(1, FDS | UNMASK, 1, &u[2].unmask), -EBUSY);
	vr_close(u[1].unmask);
	u[1].unmask = vr_eventfd();
	assert_int_equal(set(1, FDS | UNMASK, 1, &u[1].unmask), 0);
	u[1].has_unmask = true;
	u[1].wants = true;
	check();
}

/* Without DisINTx: the line is its own, and masked at the IOAPIC. */
static void test_not_maskable(void **state)
{
	(void)state;
	vr_fn(VR_EDU)->mask[PCI_COMMAND + 1] = 0;
	vr_fn(VR_EDU)->cfg[PCI_COMMAND + 1] = 0;
	user_close(2);
	user_open(2);
	enable(1);
	assert_int_equal(set(2, FDS | TRIGGER, 1, &u[2].ev), -EBUSY);
	check();
	disable(1);
	assert_int_equal(set(2, FDS | TRIGGER, 1, &u[2].ev), 0);
	assert_int_equal(set(1, FDS | TRIGGER, 1, &u[1].ev), -EBUSY);
	u[2].wants = true;
	for (unsigned i = 1; i < 4; i++) {
		assert_int_equal(settle(), 1);
		assert_true(host_ioapic[LINE].masked);
		assert_int_equal(vr_eventfd_take(u[2].ev), 1);
		assert_int_equal(set(2, NONE | UNMASK, 1, NULL), 0);
		assert_false(host_ioapic[LINE].masked);
	}
	u[2].wants = false;
	assert_int_equal(settle(), 0);
	bit10(2, true);
	assert_true(host_ioapic[LINE].masked);
	bit10(2, false);
	assert_false(host_ioapic[LINE].masked);
	assert_int_equal(set(2, NONE | MASK, 1, NULL), 0);
	assert_true(host_ioapic[LINE].masked);
	assert_true(host_irq_raise(0, host_ioapic[LINE].vector)); /* was on its way */
	assert_int_equal(vr_eventfd_take(u[2].ev), 0);
	assert_int_equal(set(2, NONE | TRIGGER, 0, NULL), 0);
}

/* Nobody's: masked with a line in the log; who comes or goes gives it another try. */
static void test_unclaimed(void **state)
{
	(void)state;
	enable(0);
	u[0].wants = true;
	check(); /* masked: what comes now is not its */
	for (unsigned i = 1; i < COUNT; i++) {
		unsigned n = 0;

		while (n < STORM && !host_ioapic[LINE].masked) {
			assert_true(host_irq_raise(0, host_ioapic[LINE].vector));
			n++;
		}
		assert_int_equal(n, 10000);
		enable(i);
		assert_false(host_ioapic[LINE].masked);
	}
	u[1].wants = true;
	check();
	/* One that does not answer any more reads all ones, which is no claim. */
	vr_fn(VR_NVME)->gone = true;
	assert_true(host_irq_raise(0, host_ioapic[LINE].vector));
	assert_int_equal(vr_eventfd_take(u[0].ev), 0);
	vr_fn(VR_NVME)->gone = false;
}

/* A program that unmasks by the very eventfd that is signalled does not keep the CPU. */
static void test_storm(void **state)
{
	(void)state;
	enable(1);
	assert_int_equal(set(1, FDS | UNMASK, 1, &u[1].ev), 0);
	u[1].wants = true;
	assert_true(settle() < STORM);
	assert_true(disabled(1));
	assert_int_equal(set(1, NONE | UNMASK, 1, NULL), 0);
	assert_true(disabled(1)); /* until the last close */
	user_close(1);
	user_open(1);
	enable(1);
	check();
}

static void unmask_amid(struct model_fn *f, u16 off, unsigned size, u32 v)
{
	static bool again;
	u64 one = 1;

	(void)v;
	/* Config space is written all through a reset, and by what this calls. */
	if (again || f != vr_fn(VR_NIC) || !vr_vfio(VR_NIC)->in_reset || (off == PCI_COMMAND && size == 2))
		return;
	again = true;
	assert_int_equal(vr_write(u[1].unmask, 0, &one, 8), 8);
	again = false;
	u[1].masked = false;
	assert_true(disabled(1));
}

/* Unmasked while a reset is going on: DisINTx is cleared after it, and not before. */
static void test_reset(void **state)
{
	(void)state;
	enable(1);
	assert_int_equal(set(1, NONE | MASK, 1, NULL), 0);
	u[1].masked = true;
	assert_int_equal(set(1, FDS | UNMASK, 1, &u[1].unmask), 0);
	assert_int_equal(vr_ioctl(u[1].d, VFIO_DEVICE_RESET, 0), 0);
	check();
	model_on_write = unmask_amid;
	assert_int_equal(vr_ioctl(u[1].d, VFIO_DEVICE_RESET, 0), 0);
	model_on_write = NULL;
	assert_false(u[1].masked);
	check();
}

static s64 report(const char *line)
{
	int fd = vr_open("/sys/kernel/postern/intx_routes");
	s64 r = vr_write(fd, 0, line, strlen(line));

	vr_close(fd);
	return r < 0 ? r : 0;
}

static u32 count_of(enum vr_dev which)
{
	struct vfio_irq_info i = { .argsz = sizeof(i), .index = INTX };
	int c, g, d;

	assert_int_equal(vr_open_device(which, &c, &g, &d), 0);
	assert_int_equal(vr_call(d, VFIO_DEVICE_GET_IRQ_INFO, &i, sizeof(i)), 0);
	assert_int_equal(vr_config(d, PCI_INTERRUPT_PIN, 1), i.count);
	vr_close(d);
	vr_close(g);
	vr_close(c);
	return i.count;
}

/* Runs first: a route stays for ever. */
static void test_routes(void **state)
{
	static const char *const wrong[] = { "", "0 0 3 0 10", "0 0 3 4 10 0", "0 0 20 0 10 0", "0 0 3 0 400 0", "0 0 3 0 10 2",
					     "0 100 3 0 10 0", "10000 0 3 0 10 0", "x" };

	(void)state;
	for (unsigned i = 0; i < COUNT; i++)
		user_close(i);
	assert_int_equal(count_of(VR_NIC), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_int_equal(report(wrong[i]), -EINVAL);
	assert_int_equal(report("0 0 3 0 2 0"), -EINVAL); /* the timer's */
	assert_int_equal(report("0 0 3 0 3ff 0"), -ENXIO);
	assert_int_equal(report("0 0 1e 0 10 0"), -ENODEV);
	assert_int_equal(count_of(VR_NIC), 0);
	assert_int_equal(report("0 0 3 0 10 1"), 0);
	assert_int_equal(report("0 0 3 0 10 1"), 0);
	assert_int_equal(report("0 0 3 0 11 1"), -EEXIST);
	assert_int_equal(report("0 0 4 0 10 0\n"), 0);
	assert_int_equal(report("0 0 1 0 10 1"), 0); /* for what is behind the port */
	assert_int_equal(report("0 0 5 0 15 1"), 0);
	assert_int_equal(count_of(VR_NIC), 1);
	assert_int_equal(pci_intx_line(vr_pci(VR_NVME)), LINE | PCI_INTX_LOW);
	assert_int_equal(pci_intx_line(vr_pci(VR_EDU)), LINE);
	assert_int_equal(pci_intx_line(vr_pci(VR_TWIN1)), TWIN_LINE | PCI_INTX_LOW);
	for (unsigned i = 0; i < COUNT; i++)
		user_open(i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_routes, begin, end),
		cmocka_unit_test_setup_teardown(test_modes, begin, end),
		cmocka_unit_test_setup_teardown(test_not_maskable, begin, end),
		cmocka_unit_test_setup_teardown(test_unclaimed, begin, end),
		cmocka_unit_test_setup_teardown(test_storm, begin, end),
		cmocka_unit_test_setup_teardown(test_reset, begin, end),
		cmocka_unit_test_setup_teardown(test_random, begin, end),
	};

	vr_start(false);
	if (pci_intx_init())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
