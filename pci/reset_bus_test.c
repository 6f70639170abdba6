// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which reset methods a function has and in which order they are tried, resets of a bus and of sets on
 * the model of config space, and NVMe controllers that shut down, late or never.
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
#define BUSY_READS 5

static struct model_fn *port, *f, *g; /* f, g: 01:00.0 and .1 behind the port */
static unsigned slot_cleared;

static const char *methods(const struct pci_dev *d)
{
	static char text[80];

	text[pci_reset_methods_get(d, text, sizeof(text) - 1)] = '\0';
	return text;
}

static struct model_fn *add(u8 fn, u16 vendor, u16 device)
{
	struct model_fn *x = model_fn_add(0, 1, 0, fn, vendor, device, 0x020000);

	model_bar(x, 0, 0, BAR0 + fn * 0x10000ull, 0x4000);
	return x;
}

static int setup(void **state)
{
	(void)state;
	host_init();
	host_time_step = 100 * NS_PER_US;
	host_mmio_reset();
	model_pci_clear();
	model_on_write = NULL;
	port = model_fn_add(0, 0, 1, 0, 0x1b36, 0xc, 0x060400);
	model_express(port, PCI_ROOT_PORT, false);
	model_put(port, port->pcie + PCI_EXP_FLAGS, 2, PCI_EXP_FLAGS_SLOT | PCI_ROOT_PORT << 4 | 2);
	model_bridge(port, 1, 1);
	f = add(0, 0x8086, 0x1234);
	return 0;
}

static struct pci_dev *scan(struct model_fn *x)
{
	assert_true(model_pci_scan() >= 2);
	return pci_find(0, x->bus, x->devfn);
}

static void on_write(struct model_fn *x, u16 off, unsigned size, u32 v)
{
	(void)size;
	slot_cleared += x == port && off == port->pcie + PCI_EXP_SLTSTA &&
			v == (PCI_EXP_SLTSTA_PDC | PCI_EXP_SLTSTA_DLLSC) && pci_find(0, 0, 8)->resetting;
}

static void test_bus(void **state)
{
	struct pci_dev *d = scan(f), *set[2];
	u64 start = arch_now_ns();

	(void)state;
	assert_string_equal(methods(d), "bus\n");
	pci_write16(d, PCI_COMMAND, ON);
	slot_cleared = 0;
	model_on_write = on_write;
	assert_int_equal(pci_reset(d), 0);
	model_on_write = NULL;
	assert_int_equal(slot_cleared, 1);
	assert_false(d->resetting || d->parent->resetting);
	assert_true(arch_now_ns() - start >= 102 * NS_PER_MS);
	assert_int_equal(f->resets, 1);
	assert_int_equal(pci_read16(d, PCI_COMMAND), ON);
	assert_int_equal(model_get(port, PCI_BRIDGE_CONTROL, 2) & PCI_BRIDGE_CTL_BUS_RESET, 0);
	assert_int_equal(pci_bus_set(d, set, 2), 1);
	assert_ptr_equal(set[0], d);
	assert_int_equal(pci_bus_set(d->parent, set, 2), 0); /* a root bus */
	assert_int_equal(pci_reset(d->parent), -ENOTTY);     /* a bridge */
}

static void test_not_alone(void **state)
{
	struct pci_dev *d, *e, *set[2];

	(void)state;
	g = add(1, 0x8086, 0x1235);
	model_multifunction(f), model_multifunction(g);
	d = scan(f), e = pci_find(0, 1, 1);
	/* As on Linux: when the first was found nobody else was known on the bus. */
	assert_string_equal(methods(d), "bus\n");
	assert_string_equal(methods(e), "");
	assert_int_equal(pci_reset(d), -ENOTTY);
	assert_int_equal(f->resets + g->resets, 0);
	assert_int_equal(pci_reset_methods_set(d, "bus"), -EINVAL);
	assert_int_equal(pci_reset_methods_set(d, "default"), 0);
	assert_string_equal(methods(d), "");

	pci_write16(d, PCI_COMMAND, ON);
	assert_int_equal(pci_bus_set(e, set, 2), 2);
	assert_int_equal(pci_reset_bus(set, 2), 0);
	assert_int_equal(f->resets, 1);
	assert_int_equal(g->resets, 1);
	assert_int_equal(pci_read16(d, PCI_COMMAND), ON);
	assert_int_equal(pci_read16(e, PCI_COMMAND) & PCI_COMMAND_MASTER, 0);

	/* One that kept its state: not a success, but nothing is lost. */
	g->reset = MODEL_RESET_LIES;
	assert_int_equal(pci_reset_bus(set, 2), -ENOTTY);
	assert_true(pci_dev_usable(d) && pci_dev_usable(e));
	assert_int_equal(pci_read16(d, PCI_COMMAND), ON);
	/* One that stays away: the other is put back. */
	f->reset = MODEL_RESET_HANGS;
	assert_int_equal(pci_reset_bus(set, 2), -ETIMEDOUT);
	assert_false(pci_dev_usable(d));
	assert_true(pci_dev_usable(e));
	assert_int_equal(pci_read32(e, PCI_BASE_ADDRESS_0), BAR0 + 0x10000);
	assert_int_equal(g->resets, 3);
	assert_int_equal(pci_reset_bus(set, 2), -EIO); /* and is not tried again */
	assert_int_equal(g->resets, 3);
	assert_false(e->resetting);
}

static void test_bridge_in_set(void **state)
{
	struct model_fn *below = model_fn_add(0, 1, 1, 0, 0x1b36, 1, 0x060400);
	struct pci_dev *d, *set[2];

	(void)state;
	model_put(port, port->pcie + PCI_EXP_FLAGS, 2, PCI_PCIE_TO_PCI << 4 | 2); /* so that there are two slots */
	model_bridge(below, 2, 2);
	model_put(port, PCI_SUBORDINATE_BUS, 1, 2);
	d = scan(f);
	assert_int_equal(pci_bus_set(d, set, 2), 2);
	assert_int_equal(pci_reset_bus(set, 2), -ENOTTY);
	assert_int_equal(f->resets, 0);
}

static void test_order(void **state)
{
	struct pci_dev *d;

	(void)state;
	model_express(f, PCI_ENDPOINT, true);
	model_pm(f, false);
	model_af(f);
	d = scan(f);
	assert_string_equal(methods(d), "flr af_flr pm bus\n");
	assert_int_equal(pci_reset_methods_set(d, " bus\n"), 0);
	assert_string_equal(methods(d), "bus\n");
	assert_int_equal(pci_reset_methods_set(d, "pm flr nothing"), -EINVAL);
	assert_int_equal(pci_reset_methods_set(d, "device_specific"), -EINVAL);
	assert_int_equal(pci_reset_methods_set(d, "bus flr bus flr bus flr"), -EINVAL);
	assert_string_equal(methods(d), "bus\n");
	assert_int_equal(pci_reset_methods_set(d, "\n"), 0);
	assert_string_equal(methods(d), "");
	assert_false(pci_reset_supported(d));
	assert_int_equal(pci_reset(d), -ENOTTY);
	assert_true(pci_dev_usable(d));
	/* D3hot that resets nothing is no reset; others that do nothing are the end. */
	f->reset = MODEL_RESET_LIES;
	assert_int_equal(pci_reset_methods_set(d, "pm"), 0);
	assert_int_equal(pci_reset(d), -ENOTTY);
	assert_int_equal(f->resets, 1);
	assert_true(pci_dev_usable(d));
	assert_int_equal(pci_reset_methods_set(d, "default\n"), 0);
	assert_int_equal(pci_reset(d), -EIO);
	assert_int_equal(f->resets, 5);
	assert_false(pci_dev_usable(d));
	assert_non_null(strstr(d->why_broken, "bus"));
}

static void test_exceptions(void **state)
{
	struct pci_dev *d, *set[1];
	u64 start;

	(void)state;
	model_put(f, PCI_DEVICE_ID, 2, 0x0953);
	model_express(f, PCI_ENDPOINT, true);
	d = scan(f);
	assert_string_equal(methods(d), "device_specific flr bus\n");
	start = arch_now_ns();
	assert_int_equal(pci_reset(d), 0);
	assert_true(arch_now_ns() - start >= 350 * NS_PER_MS);

	setup(NULL);
	model_put(f, PCI_DEVICE_ID, 2, 0x1502);
	model_express(f, PCI_ENDPOINT, true);
	assert_string_equal(methods(scan(f)), "bus\n");

	setup(NULL);
	model_put(f, PCI_VENDOR_ID, 4, 0x0032168c);
	d = scan(f);
	assert_string_equal(methods(d), "");
	assert_int_equal(pci_bus_set(d, set, 1), 0);
}

/* ---- NVMe ---- */

static struct {
	u32 cc, csts, writes, order;
	unsigned busy;         /* reads until it has done what it was told */
	bool dead;             /* never */
	unsigned resets_then;  /* when it was stopped */
} nvme;

static u32 nvme_rd32(struct mmio *m, u32 off)
{
	(void)m;
	if (off == 0)
		return 2u << 24; /* CAP.TO: one second */
	if (off == 0x14)
		return nvme.cc;
	if (nvme.busy && !nvme.dead && !--nvme.busy)
		nvme.csts = nvme.cc & 1 ? nvme.csts | 2 << 2 : 0;
	return nvme.csts;
}

static void nvme_wr32(struct mmio *m, u32 off, u32 v)
{
	(void)m;
	assert_int_equal(off, 0x14);
	assert_true(pci_read16(pci_find(0, 1, 0), PCI_COMMAND) & PCI_COMMAND_MASTER);
	nvme.order = nvme.order << 4 | (v & 1) << 1 | (v >> 14 & 1);
	nvme.cc = v;
	nvme.busy = BUSY_READS;
	nvme.resets_then = f->resets;
}

static const struct mmio_ops nvme_ops = { .rd32 = nvme_rd32, .wr32 = nvme_wr32 };

static u64 nvme_reset(u32 cc, u32 csts, bool dead)
{
	struct pci_dev *d;
	u64 start;

	setup(NULL);
	host_mmio_add(BAR0, 0x4000, &nvme_ops, NULL);
	model_put(f, PCI_CLASS_REVISION, 4, 0x01080200);
	model_express(f, PCI_ENDPOINT, true);
	d = scan(f);
	memset(&nvme, 0, sizeof(nvme));
	nvme.cc = cc, nvme.csts = csts, nvme.dead = dead, nvme.resets_then = 99;
	pci_write16(d, PCI_COMMAND, PCI_COMMAND_MASTER);
	start = arch_now_ns();
	assert_int_equal(pci_reset(d), 0);
	assert_int_equal(f->resets, 1);
	assert_int_equal(pci_read16(d, PCI_COMMAND), PCI_COMMAND_MASTER);
	return (arch_now_ns() - start) / NS_PER_MS;
}

static void test_nvme(void **state)
{
	u64 ms;

	(void)state;
	nvme_reset(0x460000, 0, false); /* not at work: left alone */
	assert_int_equal(nvme.order, 0);
	ms = nvme_reset(0x460001, 1, false);
	assert_int_equal(nvme.order, 0x30); /* shut down, then stopped; both before the reset, both awaited */
	assert_int_equal(nvme.resets_then, 0);
	assert_int_equal(nvme.busy, 0);
	assert_int_equal(nvme.csts, 0);
	assert_true(ms < 500);
	ms = nvme_reset(0x460001, 1, true);
	assert_int_equal(nvme.order, 0x30);
	assert_true(ms >= 6000 && ms < 8000); /* five seconds and CAP.TO */
	nvme_reset(0x460001, 3, false); /* fatal: no shutdown, it would not come */
	assert_int_equal(nvme.order, 0);
	assert_int_equal(nvme.cc, 0x460000);
	assert_true(nvme_reset(~0u, ~0u, false) < 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_bus, setup),
		cmocka_unit_test_setup(test_not_alone, setup),
		cmocka_unit_test_setup(test_bridge_in_set, setup),
		cmocka_unit_test_setup(test_order, setup),
		cmocka_unit_test_setup(test_exceptions, setup),
		cmocka_unit_test_setup(test_nvme, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
