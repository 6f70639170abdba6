// SPDX-License-Identifier: GPL-2.0-only
/*
 * Error reports on the config-space model: who is counted, who loses bus mastering, who is told.  Two
 * root ports, below the first a card of two functions with error registers and one without, below the
 * second a card; and an event collector with one integrated device.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "pci/internal.h"
#include "tests/host/host.h"
#include "tests/host/pci_model.h"

enum { PORT, CARD0, CARD1, PLAIN, PORT2, OTHER, COLLECTOR, INTEGRATED, N };

static struct model_fn *f[N];
static struct pci_dev *dev[N];
static unsigned told, lines; /* as bits */

static void on_error(struct pci_dev *d, bool show)
{
	for (unsigned i = 0; i < N; i++)
		told |= d == dev[i] ? 1u << i : 0;
	lines += show;
}

static struct model_fn *add(unsigned i, u8 bus, u8 slot, u8 fn, enum pci_type type, u32 class, bool aer)
{
	f[i] = model_fn_add(0, bus, slot, fn, 0x8086, (u16)(0x1000 + i), class);
	model_express(f[i], type, false);
	if (aer)
		model_aer(f[i]);
	return f[i];
}

static int setup(void **state)
{
	(void)state;
	host_init();
	model_pci_clear();
	model_bridge(add(PORT, 0, 1, 0, PCI_ROOT_PORT, 0x060400, true), 1, 1);
	model_multifunction(add(CARD0, 1, 0, 0, PCI_ENDPOINT, 0x020000, true));
	add(CARD1, 1, 0, 1, PCI_ENDPOINT, 0x020000, true);
	add(PLAIN, 1, 0, 2, PCI_ENDPOINT, 0x020000, false);
	model_bridge(add(PORT2, 0, 2, 0, PCI_ROOT_PORT, 0x060400, true), 2, 2);
	add(OTHER, 2, 0, 0, PCI_ENDPOINT, 0x020000, true);
	add(COLLECTOR, 0, 3, 0, PCI_RC_EVENT, 0x080700, true);
	add(INTEGRATED, 0, 4, 0, PCI_RC_ENDPOINT, 0x020000, true);
	/* What firmware left is nobody's error. */
	model_put(f[CARD0], f[CARD0]->aer + PCI_ERR_UNCOR_STATUS, 4, PCI_ERR_UNC_UNSUP);
	assert_int_equal(model_pci_scan(), N);
	for (unsigned i = 0; i < N; i++) {
		dev[i] = pci_find(0, f[i]->bus, f[i]->devfn);
		assert_int_equal(pci_aer_root(dev[i]), i == PORT || i == PORT2 || i == COLLECTOR);
		if (pci_aer_root(dev[i]))
			pci_aer_root_start(dev[i]);
		pci_set_master(dev[i], true);
	}
	pci_above.error = on_error;
	told = lines = 0;
	return 0;
}

static void raise_error(unsigned port, unsigned by, u16 reg, u32 bits, u32 root)
{
	u16 source = (u16)(f[by]->bus << 8 | f[by]->devfn);
	bool uncorrectable = root & PCI_ERR_ROOT_UNCOR_RCV;

	if (bits)
		model_put(f[by], f[by]->aer + reg, 4, bits);
	model_put(f[port], f[port]->aer + PCI_ERR_ROOT_STATUS, 4, root);
	model_put(f[port], f[port]->aer + PCI_ERR_ROOT_ERR_SRC, 4, uncorrectable ? (u32)source << 16 : source);
	pci_aer_interrupt(dev[port]);
	assert_int_equal(model_get(f[port], f[port]->aer + PCI_ERR_ROOT_STATUS, 4), 0);
	if (bits)
		assert_int_equal(model_get(f[by], f[by]->aer + reg, 4), 0);
}

/* Exactly these lost bus mastering, and their owners were told. */
static void stopped(unsigned which)
{
	for (unsigned i = 0; i < N; i++)
		if (!pci_is_bridge(dev[i]))
			assert_int_equal(!(model_get(f[i], PCI_COMMAND, 2) & PCI_COMMAND_MASTER), which >> i & 1);
	assert_int_equal(told, which);
}

#define NONFATAL (PCI_ERR_ROOT_UNCOR_RCV | PCI_ERR_ROOT_NONFATAL_RCV)
#define FATAL (PCI_ERR_ROOT_UNCOR_RCV | PCI_ERR_ROOT_FIRST_FATAL | PCI_ERR_ROOT_FATAL_RCV)

static void test_nonfatal(void **state)
{
	(void)state;
	raise_error(PORT, CARD1, PCI_ERR_UNCOR_STATUS, PCI_ERR_UNC_POISON_TLP, NONFATAL);
	stopped(1 << CARD1);
}

static void test_fatal_takes_the_link(void **state)
{
	(void)state;
	model_put(f[CARD1], f[CARD1]->aer + PCI_ERR_UNCOR_SEVER, 4, PCI_ERR_UNC_MALF_TLP);
	raise_error(PORT, CARD1, PCI_ERR_UNCOR_STATUS, PCI_ERR_UNC_MALF_TLP, FATAL);
	stopped(1 << CARD0 | 1 << CARD1 | 1 << PLAIN);
}

static void test_ports_own(void **state)
{
	(void)state;
	raise_error(PORT2, PORT2, PCI_ERR_UNCOR_STATUS, PCI_ERR_UNC_COMP_TIME, NONFATAL);
	stopped(1 << OTHER);
}

static void test_correctable(void **state)
{
	(void)state;
	raise_error(PORT, CARD0, PCI_ERR_COR_STATUS, PCI_ERR_COR_BAD_TLP | PCI_ERR_COR_RCVR, PCI_ERR_ROOT_COR_RCV);
	stopped(0);
}

/* No registers: believed to be the sender that the port names; one that is not below it is not. */
static void test_source(void **state)
{
	(void)state;
	raise_error(PORT, PLAIN, 0, 0, NONFATAL);
	stopped(1 << PLAIN);
	told = 0;
	pci_set_master(dev[PLAIN], true);
	raise_error(PORT2, PLAIN, 0, 0, NONFATAL);
	stopped(1 << OTHER);
}

static void test_collector(void **state)
{
	(void)state;
	raise_error(COLLECTOR, INTEGRATED, PCI_ERR_UNCOR_STATUS, PCI_ERR_UNC_INTN, NONFATAL);
	stopped(1 << INTEGRATED);
}

/* A masked bit was not reported; a card that was pulled out reads as ones, which are no errors. */
static void test_masked_and_gone(void **state)
{
	(void)state;
	model_put(f[CARD0], f[CARD0]->aer + PCI_ERR_UNCOR_MASK, 4, PCI_ERR_UNC_UNSUP);
	model_put(f[CARD0], f[CARD0]->aer + PCI_ERR_UNCOR_STATUS, 4, PCI_ERR_UNC_UNSUP);
	f[CARD1]->gone = true;
	raise_error(PORT, PLAIN, 0, 0, NONFATAL);
	f[CARD1]->gone = false;
	stopped(1 << PLAIN);
	f[PORT]->gone = true;
	pci_aer_interrupt(dev[PORT]);
	assert_int_equal(told, 1 << PLAIN);
}

static void test_storm(void **state)
{
	u16 command = (u16)(f[PORT]->aer + PCI_ERR_ROOT_COMMAND);

	(void)state;
	host_time_step = 0;
	for (unsigned i = 0; i < 999; i++)
		raise_error(PORT, CARD0, PCI_ERR_UNCOR_STATUS, PCI_ERR_UNC_UNSUP, NONFATAL);
	assert_int_equal(model_get(f[PORT], command, 4), 7);
	raise_error(PORT, CARD0, PCI_ERR_UNCOR_STATUS, PCI_ERR_UNC_UNSUP, NONFATAL);
	assert_int_equal(model_get(f[PORT], command, 4), 0);
	assert_int_equal(model_get(f[PORT2], f[PORT2]->aer + PCI_ERR_ROOT_COMMAND, 4), 7);
	assert_int_equal(lines, 10);
	stopped(1 << CARD0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_nonfatal, setup),
		cmocka_unit_test_setup(test_fatal_takes_the_link, setup),
		cmocka_unit_test_setup(test_ports_own, setup),
		cmocka_unit_test_setup(test_correctable, setup),
		cmocka_unit_test_setup(test_source, setup),
		cmocka_unit_test_setup(test_collector, setup),
		cmocka_unit_test_setup(test_masked_and_gone, setup),
		cmocka_unit_test_setup(test_storm, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
