// SPDX-License-Identifier: GPL-2.0-only
/*
 * Placing BARs that firmware left without an address: inside of every window above, over nothing that is
 * there, on a root bus only between what is there, and not at all when there is no such place.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kernel/options.h"
#include "pci/internal.h"
#include "tests/host/host.h"
#include "tests/host/pci_model.h"

#define MEM64 PCI_BASE_ADDRESS_MEM_TYPE_64
#define PREF64 (MEM64 | PCI_BASE_ADDRESS_MEM_PREFETCH)
#define MEM_BASE 0xe0000000u
#define PREF_BASE 0x8000000000ull

static struct model_fn *port(u8 bus, u8 dev, enum pci_type type, u8 secondary, u8 subordinate)
{
	struct model_fn *f = model_fn_add(0, bus, dev, 0, 0x1b36, 0x000c, 0x060400);

	model_bridge(f, secondary, subordinate);
	model_express(f, type, false);
	return f;
}

static struct pci_dev *scan(const char *name)
{
	struct pci_dev *d;

	model_pci_scan();
	pci_for_each(d)
		pci_bars_assign(d);
	return pci_find_name(name);
}

static int setup(void **state)
{
	static char line[] = "quiet";

	(void)state;
	host_init();
	options_init(line);
	model_pci_clear();
	return 0;
}

static void test_behind_a_port(void **state)
{
	struct model_fn *p = port(0, 1, PCI_ROOT_PORT, 1, 1), *f = model_fn_add(0, 1, 0, 0, 0x1b36, 1, 0x010802);
	struct pci_dev *d;

	(void)state;
	model_windows(p, MEM_BASE, MEM_BASE + 0x200000, PREF_BASE, PREF_BASE + 0x100000);
	model_express(f, PCI_ENDPOINT, true);
	model_bar(f, 0, MEM64, 0, 0x4000);
	model_bar(f, 2, PREF64, 0, 0x80000);
	model_bar(f, 4, 0, MEM_BASE, 0x100000); /* firmware placed this one */
	model_bar(f, 5, 0, 0, 0x10);            /* smaller than a page */
	model_msix(f, 65, 0, 0x2000, 0, 0x3000);
	d = scan("0000:01:00.0");
	assert_int_equal(d->bar[0].base, MEM_BASE + 0x100000);
	assert_int_equal(model_get(f, PCI_BASE_ADDRESS_0, 4), (MEM_BASE + 0x100000) | MEM64);
	assert_int_equal(d->bar[2].base, PREF_BASE);
	assert_int_equal(model_get(f, PCI_BASE_ADDRESS_3, 4), PREF_BASE >> 32);
	assert_int_equal(d->bar[4].base, MEM_BASE);
	assert_int_equal(d->bar[5].base, MEM_BASE + 0x104000);
	assert_int_equal(d->bar[5].size, 0x10);
	assert_int_equal(d->msix_vectors, 65);
	assert_true(model_get(p, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY);
	assert_false(model_get(f, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY); /* its owner's to switch on */
}

/* Two-level: both windows must have it; a sister's window and a window that is closed have it not. */
static void test_nested_windows(void **state)
{
	struct model_fn *up = port(0, 1, PCI_ROOT_PORT, 1, 4), *down, *f;
	struct pci_dev *d;

	(void)state;
	model_windows(up, MEM_BASE, MEM_BASE + 0x400000, 0, 0);
	model_windows(port(1, 0, PCI_UPSTREAM, 2, 4), MEM_BASE, MEM_BASE + 0x300000, 0, 0);
	model_windows(port(2, 0, PCI_DOWNSTREAM, 3, 3), MEM_BASE + 0x100000, MEM_BASE + 0x200000, 0, 0);
	down = port(2, 1, PCI_DOWNSTREAM, 4, 4);
	model_windows(down, MEM_BASE + 0x100000, MEM_BASE + 0x400000, PREF_BASE, PREF_BASE + 0x100000);
	model_bar(down, 0, 0, MEM_BASE + 0x210000, 0x1000); /* its own register in the middle */
	f = model_fn_add(0, 4, 0, 0, 0x8086, 1, 0x020000);
	model_bar(f, 0, 0, 0, 0x10000);
	model_bar(f, 1, 0, 0, 0x100000);   /* nowhere: a megabyte is not left in all three */
	model_bar(f, 2, PREF64, 0, 0x1000); /* the prefetchable window leads nowhere: the other one */
	model_bar(f, 4, PCI_BASE_ADDRESS_SPACE_IO, 0, 0x20); /* no I/O window */
	d = scan("0000:04:00.0");
	assert_int_equal(d->bar[0].base, MEM_BASE + 0x200000);
	assert_int_equal(d->bar[1].size, 0);
	assert_int_equal(d->bar[1].base, 0);
	assert_int_equal(d->bar[2].base, MEM_BASE + 0x211000);
	assert_int_equal(d->bar[4].size, 0);
	assert_int_equal(model_get(f, PCI_BASE_ADDRESS_1, 4), 0);
}

static void test_root_bus(void **state)
{
	struct model_fn *f = model_fn_add(0, 0, 3, 0, 0x8086, 1, 0x020000), *g;
	struct pci_dev *d;

	(void)state;
	/* nothing says what the host bridge forwards */
	model_bar(f, 0, 0, 0, 0x1000);
	d = scan("0000:00:03.0");
	assert_int_equal(d->bar[0].size, 0);
	assert_int_equal(d->bar[0].want, 0x1000);
	/* between two others, and beside what is called the board's own */
	g = model_fn_add(0, 0, 4, 0, 0x8086, 1, 0x020000);
	model_bar(g, 0, 0, 0xf0000000, 0x1000);
	model_bar(g, 1, 0, 0xfebf0000, 0x1000);
	model_bar(g, 2, MEM64, PREF_BASE, 0x1000);
	model_bar(g, 4, MEM64, PREF_BASE + 0x3000, 0x1000);
	model_bar(f, 1, 0, 0, 0x10000000); /* nothing so large below the chipset's addresses */
	model_bar(f, 2, MEM64, 0, 0x1000);
	model_bar(f, 4, MEM64, 0, 0x4000); /* above 4 GiB there is no room; below there is */
	d = scan("0000:00:03.0");
	assert_int_equal(d->bar[1].size, 0);
	assert_int_equal(d->bar[0].base, 0xf0001000);
	assert_int_equal(d->bar[2].base, PREF_BASE + 0x1000);
	assert_int_equal(d->bar[4].base, 0xf0004000);
	/* where an IOMMU has its registers is found out later */
	pci_bars_exclude(0xf0000000, 0x10000, "an IOMMU's registers");
	d = scan("0000:00:03.0");
	assert_int_equal(pci_find_name("0000:00:04.0")->bar[0].size, 0);
	assert_int_equal(d->bar[0].size, 0); /* of the low ones one is left: no span */
}

/* QEMU's host bridge forwards all above the memory to bus 0, and any to its bus, if the operator says so. */
static void test_above_the_memory(void **state)
{
	static char said[] = "pci=config_acs=1@0:0:1.0,nocrs", other[] = "pci=nocrsx,xnocrs";
	struct model_fn *host = model_fn_add(0, 0, 0, 0, 0x8086, 0x29c0, 0x060000);
	struct model_fn *f = model_fn_add(0, 0, 3, 0, 0x8086, 1, 0x020000), *g = model_fn_add(0, 2, 3, 0, 0x8086, 1, 0x020000);

	(void)state;
	model_bar(f, 0, MEM64, 0, 0x1000);
	model_bar(f, 2, 0, 0, 0x1000); /* 32 bits */
	model_bar(g, 0, MEM64, 0, 0x1000);
	options_init(other);
	assert_int_equal(scan("0000:00:03.0")->bar[0].size, 0);
	model_put(host, PCI_SUBSYSTEM_VENDOR_ID, 4, 0x11001af4);
	assert_int_equal(scan("0000:00:03.0")->bar[0].base, 4 * SZ_1G);
	assert_int_equal(pci_find_name("0000:00:03.0")->bar[2].size, 0);
	assert_int_equal(pci_find_name("0000:02:03.0")->bar[0].size, 0);
	options_init(said);
	model_bar(f, 0, MEM64, 0, 0x1000);
	model_put(host, PCI_DEVICE_ID, 2, 0x29c1);
	assert_int_equal(scan("0000:00:03.0")->bar[0].base, 4 * SZ_1G);
	assert_int_equal(pci_find_name("0000:02:03.0")->bar[0].base, 4 * SZ_1G + 0x1000);
}

/* A register that does not take the address. */
static void test_stubborn(void **state)
{
	struct model_fn *p = port(0, 1, PCI_ROOT_PORT, 1, 1), *f = model_fn_add(0, 1, 0, 0, 0x1b36, 1, 0x010802);

	(void)state;
	model_windows(p, MEM_BASE, MEM_BASE + 0x100000, 0, 0);
	model_bar(f, 0, 0, 0, 0x1000);
	model_pci_scan();
	memset(f->mask + PCI_BASE_ADDRESS_0, 0, 4);
	pci_bars_assign(pci_find_name("0000:01:00.0"));
	assert_int_equal(pci_find_name("0000:01:00.0")->bar[0].size, 0);
	assert_int_equal(pci_find_name("0000:01:00.0")->bar[0].base, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_behind_a_port, setup),
		cmocka_unit_test_setup(test_nested_windows, setup),
		cmocka_unit_test_setup(test_stubborn, setup),
		cmocka_unit_test_setup(test_above_the_memory, setup),
		cmocka_unit_test_setup(test_root_bus, setup), /* last: what is excluded stays so */
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
