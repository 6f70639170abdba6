// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hot-plug slots on the config-space model, with what QEMU's slots never do: a device that vanishes, a
 * link that goes down, a controller that does not complete commands, contacts that bounce, a device
 * that is exchanged between two looks, a switch that is pulled out with all behind it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kernel/frames.h"
#include "kernel/options.h"
#include "kernel/tree.h"
#include "pci/internal.h"
#include "tests/host/host.h"
#include "tests/host/pci_model.h"

#define SLOTSTA (u16)(port->pcie + PCI_EXP_SLTSTA)
#define POWER (PCI_EXP_SLTCTL_PCC | PCI_EXP_SLTCTL_PIC)
#define OFF (PCI_EXP_SLTCTL_PWR_OFF | PCI_EXP_SLTCTL_PWR_IND_OFF)
#define ON PCI_EXP_SLTCTL_PWR_IND_ON

static struct model_fn *port, *card;
static struct pci_dev *dev;
static struct pci_slot *slot;
static unsigned requests, kills, powered;
static bool open, stuck;
static char options[64];

static bool let_go(struct pci_dev *d, enum pci_let_go how)
{
	requests += how == PCI_ASK && d == dev;
	kills += how == PCI_TAKE;
	if (how == PCI_TAKE)
		pci_dev_kill(d, "test");
	return d == dev && open;
}

static void on_write(struct model_fn *f, u16 off, unsigned size, u32 v)
{
	u32 status = f == port ? model_get(port, SLOTSTA, 2) : 0;

	(void)size;
	if (f != port || off != port->pcie + PCI_EXP_SLTCTL)
		return;
	powered += (v & PCI_EXP_SLTCTL_PCC) == PCI_EXP_SLTCTL_PWR_ON;
	if (!stuck)
		model_put(port, SLOTSTA, 2, status | PCI_EXP_SLTSTA_CC);
}

static void event(u16 event, bool there, bool link)
{
	u32 status = model_get(port, SLOTSTA, 2) & ~(u32)PCI_EXP_SLTSTA_PDS;

	model_put(port, SLOTSTA, 2, status | event | (there ? PCI_EXP_SLTSTA_PDS : 0));
	model_put(port, port->pcie + PCI_EXP_LNKSTA, 2, link ? PCI_EXP_LNKSTA_DLLLA : 0);
	card->gone = !there || !link;
	(void)pci_slot_interrupt(slot);
}

/* Time passes, and the thread runs as the slot asks for it. */
static void run(u64 ms)
{
	u64 end = arch_now_ns() + ms * NS_PER_MS;

	for (;;) {
		u64 when = pci_slot_step(slot);

		if (!when || when > end)
			break;
		host_time_step = 0;
		while (arch_now_ns() < when)
			arch_delay_us(100);
		host_time_step = 100;
	}
	while (arch_now_ns() < end)
		arch_delay_us(100);
}

static bool there(void)
{
	return pci_find(0, 1, 0) != NULL;
}

static u32 power(void)
{
	return model_get(port, port->pcie + PCI_EXP_SLTCTL, 2) & POWER;
}

static void machine(bool filled)
{
	strcpy(options, "pci.unplug_ms=2000");
	options_init(options);
	model_pci_clear();
	port = model_fn_add(0, 0, 1, 0, 0x1b36, 0xc, 0x060400);
	model_express(port, PCI_ROOT_PORT, false);
	model_bridge(port, 1, 4);
	model_put(port, port->pcie + PCI_EXP_FLAGS, 2, PCI_EXP_FLAGS_SLOT | PCI_ROOT_PORT << 4 | 2);
	model_put(port, port->pcie + PCI_EXP_LNKCAP, 4, PCI_EXP_LNKCAP_DLLLARC);
	model_put(port, port->pcie + PCI_EXP_SLTCAP, 4, PCI_EXP_SLTCAP_HPC | PCI_EXP_SLTCAP_PCP | PCI_EXP_SLTCAP_PIP);
	model_put(port, port->pcie + PCI_EXP_SLTCTL, 2, OFF);
	memset(port->mask + port->pcie + PCI_EXP_SLTCTL, 0xff, 2);
	memset(port->w1c + SLOTSTA, 0x1f, 1);
	memset(port->w1c + SLOTSTA + 1, 1, 1);
	card = model_fn_add(0, 1, 0, 0, 0x1b36, 0x10, 0x010802);
	model_express(card, PCI_ENDPOINT, true);
	card->gone = !filled;
	model_put(port, SLOTSTA, 2, filled ? PCI_EXP_SLTSTA_PDS : 0);
	model_put(port, port->pcie + PCI_EXP_LNKSTA, 2, filled ? PCI_EXP_LNKSTA_DLLLA : 0);
	model_on_write = on_write;
	stuck = open = false;
	requests = kills = powered = 0;
}

static void start(void)
{
	(void)model_pci_scan();
	dev = pci_find(0, 1, 0);
	assert_true(pci_slot_has(pci_find(0, 0, 8)));
	slot = pci_slot_start(pci_find(0, 0, 8), let_go);
	run(10);
}

static int filled(void **state)
{
	(void)state;
	machine(true);
	start();
	assert_int_equal(power(), ON);
	return 0;
}

static int empty(void **state)
{
	(void)state;
	machine(false);
	start();
	assert_int_equal(power(), OFF);
	return 0;
}

static int teardown(void **state)
{
	struct pci_dev *d;

	(void)state;
	model_on_write = NULL;
	kfree(slot);
	pci_for_each(d)
		pci_sysfs_remove(d);
	pci_forget_all();
	return 0;
}

static void test_button(void **state)
{
	(void)state;
	open = true;
	event(PCI_EXP_SLTSTA_ABP, true, true);
	run(1000);
	assert_int_equal(requests, 1);
	assert_int_equal(power(), PCI_EXP_SLTCTL_PWR_IND_BLINK);
	assert_true(there());
	open = false;
	run(100);
	assert_false(there());
	assert_int_equal(power(), OFF);
	assert_int_equal(kills, 0);
	/* The card stays in; its link going down with the power is no reason to switch it on. */
	event(PCI_EXP_SLTSTA_DLLSC, true, false);
	run(1000);
	assert_int_equal(power(), OFF);
	/* Pressed again: it comes back, in the same structure. */
	event(PCI_EXP_SLTSTA_ABP, true, true);
	run(1000);
	assert_ptr_equal(pci_find(0, 1, 0), dev);
	assert_true(pci_dev_usable(dev));
	assert_int_equal(power(), ON);
}

static void test_time_is_up(void **state)
{
	(void)state;
	open = true;
	event(PCI_EXP_SLTSTA_ABP, true, true);
	run(1900);
	assert_true(there());
	run(200);
	assert_false(there());
	assert_int_equal(kills, 1);
	assert_int_equal(power(), OFF);
	/* What is put in now waits for the last close. */
	event(PCI_EXP_SLTSTA_PDC, true, true);
	run(5000);
	assert_false(there());
	assert_int_equal(power(), OFF);
	open = false;
	run(1000);
	assert_true(there());
}

static void test_vanishes(void **state)
{
	(void)state;
	open = true;
	event(PCI_EXP_SLTSTA_PDC, false, false);
	(void)pci_slot_step(slot);
	assert_int_equal(kills, 1);
	assert_false(pci_dev_usable(dev));
	assert_false(there());
	assert_int_equal(power(), OFF);
}

/* While it is waited for, too. */
static void test_vanishes_while_leaving(void **state)
{
	(void)state;
	open = true;
	event(PCI_EXP_SLTSTA_ABP, true, true);
	run(100);
	event(PCI_EXP_SLTSTA_DLLSC, true, false);
	(void)pci_slot_step(slot);
	assert_int_equal(kills, 1);
	assert_false(there());
}

static void test_link_down(void **state)
{
	struct pci_dev *bridge = pci_find(0, 0, 8);

	(void)state;
	bridge->resetting = true; /* on purpose */
	event(PCI_EXP_SLTSTA_DLLSC, true, false);
	run(500);
	event(0, true, true);
	bridge->resetting = false;
	run(500);
	assert_int_equal(kills, 0);
	assert_true(there());
	event(PCI_EXP_SLTSTA_DLLSC, true, false);
	run(10);
	assert_int_equal(kills, 1);
	assert_false(there());
}

/* Out and in again between two looks: the old one is dead, the new one comes. */
static void test_exchanged(void **state)
{
	(void)state;
	event(PCI_EXP_SLTSTA_PDC | PCI_EXP_SLTSTA_DLLSC, true, true);
	(void)pci_slot_step(slot);
	assert_int_equal(kills, 1);
	assert_false(there());
	run(1000);
	assert_true(there());
	assert_true(pci_dev_usable(pci_find(0, 1, 0)));
}

static void test_bounces(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		event(PCI_EXP_SLTSTA_PDC, i % 2, i % 2);
		run(30);
		assert_int_equal(powered, 0);
	}
	event(PCI_EXP_SLTSTA_PDC, true, true);
	run(1000);
	assert_int_equal(power(), ON);
	assert_true(there());
}

static void test_no_completion(void **state)
{
	u64 start;

	(void)state;
	stuck = true;
	start = arch_now_ns();
	event(PCI_EXP_SLTSTA_PDC, true, true);
	run(200);
	assert_in_range(arch_now_ns() - start, NS_PER_S, 5 * NS_PER_S);
	assert_false(there());
	assert_int_equal(power(), OFF);
	stuck = false;
	event(PCI_EXP_SLTSTA_ABP, true, true);
	run(1000);
	assert_true(there());
}

static void test_no_link_no_answer(void **state)
{
	(void)state;
	event(PCI_EXP_SLTSTA_PDC, true, false);
	run(200);
	assert_int_equal(powered, 1);
	assert_int_equal(power(), OFF);
	event(PCI_EXP_SLTSTA_ABP, true, true);
	card->gone = true;
	run(200);
	assert_false(there());
	assert_int_equal(power(), OFF);
	/* Not ready, for ever. */
	event(PCI_EXP_SLTSTA_ABP, true, true);
	model_put(card, PCI_VENDOR_ID, 2, 1);
	run(200);
	assert_false(there());
	assert_int_equal(power(), OFF);
}

static void test_no_bridge(void **state)
{
	(void)state;
	model_bridge(card, 2, 2);
	event(PCI_EXP_SLTSTA_PDC, true, true);
	run(1000);
	assert_false(there());
	assert_int_equal(power(), OFF);
}

static void test_switch_pulled_out(void **state)
{
	struct model_fn *down, *end;
	struct pci_dev *was;

	(void)state;
	machine(true);
	model_express(card, PCI_UPSTREAM, false);
	model_put(card, card->pcie + PCI_EXP_FLAGS, 2, PCI_UPSTREAM << 4 | 2);
	model_bridge(card, 2, 4);
	down = model_fn_add(0, 2, 0, 0, 0x104c, 0x8233, 0x060400);
	model_express(down, PCI_DOWNSTREAM, false);
	model_bridge(down, 3, 3);
	end = model_fn_add(0, 3, 0, 0, 0x8086, 0x10d3, 0x020000);
	model_express(end, PCI_ENDPOINT, false);
	start();
	was = pci_find(0, 2, 0);
	assert_non_null(pci_find(0, 3, 0));
	down->gone = end->gone = true;
	event(PCI_EXP_SLTSTA_PDC, false, false);
	run(10);
	assert_int_equal(kills, 3);
	assert_null(pci_find(0, 1, 0));
	assert_null(pci_find(0, 2, 0));
	assert_null(pci_find(0, 3, 0));
	assert_false(pci_slot_has(was));
}

static int group_setup(void **state)
{
	(void)state;
	host_init();
	tree_init();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_button, filled, teardown),
		cmocka_unit_test_setup_teardown(test_time_is_up, filled, teardown),
		cmocka_unit_test_setup_teardown(test_vanishes, filled, teardown),
		cmocka_unit_test_setup_teardown(test_vanishes_while_leaving, filled, teardown),
		cmocka_unit_test_setup_teardown(test_link_down, filled, teardown),
		cmocka_unit_test_setup_teardown(test_exchanged, filled, teardown),
		cmocka_unit_test_setup_teardown(test_bounces, empty, teardown),
		cmocka_unit_test_setup_teardown(test_no_completion, empty, teardown),
		cmocka_unit_test_setup_teardown(test_no_link_no_answer, empty, teardown),
		cmocka_unit_test_setup_teardown(test_no_bridge, empty, teardown),
		cmocka_unit_test_setup_teardown(test_switch_pulled_out, NULL, teardown),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
