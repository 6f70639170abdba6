// SPDX-License-Identifier: GPL-2.0-only
/*
 * Enumeration on the config-space model: what is found and in what state it is left, and that bridges,
 * capability lists and BARs that lie are survived and refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "pci/internal.h"
#include "tests/host/host.h"
#include "tests/host/pci_model.h"

#define MEM64 (PCI_BASE_ADDRESS_MEM_TYPE_64 | PCI_BASE_ADDRESS_MEM_PREFETCH)

static struct model_fn *nvme(u8 bus, u8 dev, u64 base)
{
	struct model_fn *f = model_fn_add(0, bus, dev, 0, 0x1b36, 0x0010, 0x010802);

	model_bar(f, 0, PCI_BASE_ADDRESS_MEM_TYPE_64, base, 0x4000);
	model_express(f, PCI_ENDPOINT, true);
	model_msix(f, 65, 0, 0x2000, 0, 0x3000);
	return f;
}

static struct model_fn *root_port(u8 dev, u8 secondary, u8 subordinate)
{
	struct model_fn *f = model_fn_add(0, 0, dev, 0, 0x1b36, 0x000c, 0x060400);

	model_bridge(f, secondary, subordinate);
	model_express(f, PCI_ROOT_PORT, false);
	model_acs(f, 0x5f, PCI_ACS_EC | PCI_ACS_DT, 0xffff);
	return f;
}

static int setup(void **state)
{
	(void)state;
	host_init();
	model_pci_clear();
	return 0;
}

static void test_machine(void **state)
{
	const u16 left_by_firmware = PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	struct model_fn *drive, *vga, *port;
	struct pci_dev *d;
	u16 ats, sriov;
	u32 last = 0;
	char why[96];

	(void)state;
	drive = nvme(1, 0, 0xfe000000);
	model_put(drive, PCI_COMMAND, 2, left_by_firmware);
	model_put(drive, drive->msix + PCI_MSIX_FLAGS, 2, 64 | PCI_MSIX_FLAGS_ENABLE);
	ats = model_ext_cap(drive, PCI_EXT_CAP_ID_ATS, 8);
	model_put(drive, ats + PCI_ATS_CTRL, 2, PCI_ATS_CTRL_ENABLE);
	memset(drive->mask + ats + PCI_ATS_CTRL, 0xff, 2);
	sriov = model_ext_cap(drive, PCI_EXT_CAP_ID_SRIOV, 0x40);
	model_put(drive, sriov + PCI_SRIOV_CTRL, 2, PCI_SRIOV_CTRL_VFE | PCI_SRIOV_CTRL_MSE);
	memset(drive->mask + sriov + PCI_SRIOV_CTRL, 0xff, 2);
	vga = model_fn_add(0, 0, 2, 0, 0x1234, 0x1111, 0x030000);
	model_bar(vga, 0, PCI_BASE_ADDRESS_MEM_PREFETCH, 0xfd000000, 0x1000000);
	model_bar(vga, 1, PCI_BASE_ADDRESS_SPACE_IO, 0xc000, 0x40);
	model_put(vga, PCI_COMMAND, 2, left_by_firmware);
	model_msi(vga, 2, true, true);
	port = root_port(1, 1, 1);
	model_fn_add(0, 0, 0, 0, 0x8086, 0x29c0, 0x060000);
	model_fn_add(0, 0x80, 0, 0, 0x1b36, 0x000b, 0x060000); /* an expander's root bus */
	model_fn_add(7, 0, 0, 0, 0x8086, 0x29c0, 0x060000);
	model_fn_add(0, 0, 9, 2, 0x8086, 0x1, 0x020000); /* no function 0: not there */
	assert_int_equal(model_pci_scan(), 6);

	pci_for_each(d) {
		u32 a = (u32)d->segment << 16 | pci_rid(d);

		assert_true(a > last || d == TAILQ_FIRST(&pci_devices));
		last = a;
		assert_int_equal(pci_read16(d, PCI_COMMAND) & (PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE),
				 PCI_COMMAND_INTX_DISABLE);
	}
	d = pci_find_name("0000:01:00.0");
	assert_ptr_equal(d->parent, pci_find(0, 0, 1 << 3));
	assert_int_equal(d->bar[0].base, 0xfe000000);
	assert_int_equal(d->bar[0].size, 0x4000);
	assert_true(d->bar[0].mem64 && d->reset_methods[0] == PCI_RESET_FLR && d->msix_vectors == 65 && d->cfg_size == 4096);
	assert_int_equal(model_get(drive, PCI_BASE_ADDRESS_0, 4), 0xfe000004);
	assert_int_equal(model_get(drive, PCI_COMMAND, 2),
			 PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_INTX_DISABLE);
	assert_int_equal(model_get(drive, drive->msix + PCI_MSIX_FLAGS, 2), 64);
	assert_int_equal(model_get(drive, ats + PCI_ATS_CTRL, 2), 0);
	assert_int_equal(model_get(drive, sriov + PCI_SRIOV_CTRL, 2), 0);
	d = pci_find_name("0000:00:02.0");
	assert_true(d->bar[1].io && d->bar[1].base == 0xc000 && d->bar[1].size == 0x40);
	assert_true(d->bar[0].prefetch && d->bar[0].size == 0x1000000);
	assert_true(d->msi_64 && d->msi_maskable && d->msi_vectors == 4);
	/* needed bits and translation blocking on, egress control and direct translated off */
	assert_int_equal(model_get(port, port->acs + PCI_ACS_CTRL, 2), 0x1f);
	/* who uses ATS takes translation blocking from the ports above, now and for good, and nothing else */
	assert_true(pci_acs_pass_translated(pci_find_name("0000:01:00.0"), why, sizeof(why)));
	assert_int_equal(model_get(port, port->acs + PCI_ACS_CTRL, 2), 0x1f & ~PCI_ACS_TB);
	pci_acs_enable(pci_find(0, 0, 1 << 3));
	assert_int_equal(model_get(port, port->acs + PCI_ACS_CTRL, 2), 0x1f & ~PCI_ACS_TB);

	pci_bridges_master(true);
	assert_true(model_get(port, PCI_COMMAND, 2) & PCI_COMMAND_MASTER);
	assert_false(model_get(drive, PCI_COMMAND, 2) & PCI_COMMAND_MASTER);
	pci_set_master(pci_find_name("0000:01:00.0"), true);
	pci_panic();
	assert_false(model_get(port, PCI_COMMAND, 2) & PCI_COMMAND_MASTER);
	assert_false(model_get(drive, PCI_COMMAND, 2) & PCI_COMMAND_MASTER);
}

static void test_bridges_that_lie(void **state)
{
	(void)state;
	root_port(1, 0, 0);     /* never set up */
	root_port(2, 5, 4);     /* backwards */
	root_port(3, 0x10, 0x20);
	root_port(4, 0x20, 0x28); /* overlaps the one before */
	nvme(0x10, 0, 0xfe000000);
	nvme(0x20, 0, 0xfe100000);
	model_bridge(model_fn_add(0, 0x10, 0, 1, 0x1b36, 1, 0x060400), 0x11, 0x30); /* beyond its parent */
	model_multifunction(model_fn_find(0, 0x10, 0));
	model_bridge(model_fn_add(0, 0x10, 0, 2, 0x1b36, 1, 0x060400), 0x10, 0x10); /* its own bus */
	model_bridge(model_fn_add(0, 0x10, 0, 3, 0x1b36, 1, 0x060400), 0x0e, 0x0f); /* below its own */
	model_fn_add(0, 0x0e, 0, 0, 0x8086, 0x100e, 0x020000);
	model_bridge(model_fn_add(0, 0x10, 0, 4, 0x1b36, 1, 0x060400), 0x12, 0x13);
	model_bridge(model_fn_add(0, 0x12, 0, 0, 0x1b36, 1, 0x060400), 0x12, 0x13); /* loop */
	model_fn_add(0, 0x12, 1, 0, 0x8086, 0x100e, 0x020000);
	assert_int_equal(model_pci_scan(), 4 + 5 + 2);
	assert_null(pci_find(0, 0x20, 0));
	assert_null(pci_find(0, 0x0e, 0)); /* nor is it a root bus */
	assert_int_equal(pci_find(0, 0, 4 << 3)->secondary, 0);
	assert_ptr_equal(pci_find_name("0000:12:01.0")->parent, pci_find_name("0000:10:00.4"));
	assert_true(model_reads < 100000);
}

static void test_capability_loops(void **state)
{
	struct model_fn *f = nvme(0, 3, 0xfe000000);
	struct pci_dev *d;
	u16 a = model_ext_cap(f, PCI_EXT_CAP_ID_ERR, 0x40), last;

	(void)state;
	model_put(f, f->msix + 1, 1, f->pcie);                       /* conventional list: a loop */
	model_put(f, a, 4, (u32)a << 20 | 1u << 16 | PCI_EXT_CAP_ID_ERR); /* extended list: itself */
	assert_int_equal(model_pci_scan(), 1);
	d = pci_find_name("0000:00:03.0");
	assert_true(d->cap_pcie && d->msix_vectors == 65 && d->cap_acs == 0);

	/* Capabilities that start where config space ends. */
	last = 0xfc;
	model_put(f, f->msix + 1, 1, last);
	model_put(f, last, 4, 0x03000000 | PCI_CAP_ID_AF);
	model_put(f, a, 4, 0xffcu << 20 | 1u << 16 | PCI_EXT_CAP_ID_ERR);
	model_put(f, 0xffc, 4, 1u << 16 | PCI_EXT_CAP_ID_ACS);
	assert_int_equal(model_pci_scan(), 1);
	d = pci_find_name("0000:00:03.0");
	assert_int_equal(d->cap_af, 0);
	assert_int_equal(d->cap_acs, 0);
}

static void test_msix_outside(void **state)
{
	struct model_fn *f = nvme(0, 3, 0xfe000000);

	(void)state;
	model_put(f, f->msix + PCI_MSIX_TABLE, 4, 0x3c00); /* 65 entries end at 0x4010 */
	model_pci_scan();
	assert_int_equal(pci_find_name("0000:00:03.0")->msix_vectors, 0);
	model_put(f, f->msix + PCI_MSIX_TABLE, 4, 0x2000 | 3); /* no such BAR */
	model_pci_scan();
	assert_int_equal(pci_find_name("0000:00:03.0")->msix_vectors, 0);
	model_put(f, f->msix + PCI_MSIX_TABLE, 4, 0x3bf0);
	model_pci_scan();
	assert_int_equal(pci_find_name("0000:00:03.0")->msix_vectors, 65);
}

static void test_bars_that_lie(void **state)
{
	struct model_fn *f = nvme(0, 3, 0xfe000000), *g;
	struct pci_dev *d;

	(void)state;
	model_bar(f, 2, 0, 0xfe002000, 0x2000);               /* over BAR 0 of the same function */
	model_bar(f, 4, 0, 0xfee00000, 0x1000);               /* interrupt addresses */
	model_bar(f, 5, MEM64, 0x100000000, 0x1000);          /* 64 bits, and no register left */
	g = model_fn_add(0, 0, 4, 0, 0x8086, 1, 0x020000);
	model_bar(g, 0, 0, 0xf0000000, 0x1000);
	memset(g->mask + PCI_BASE_ADDRESS_0, 0x55, 4);        /* a mask with holes */
	model_bar(g, 1, 0, 0, 0x1000);                        /* no address */
	model_bar(g, 2, MEM64, 0x8000000000000000, 0x1000);   /* beyond the physical address width */
	model_bar(g, 4, MEM64, 0x4000000000, 0x800000000);    /* 32 GiB, as it should be */
	assert_int_equal(model_pci_scan(), 2);
	d = pci_find_name("0000:00:03.0");
	assert_int_equal(d->bar[0].size, 0);
	assert_int_equal(d->bar[2].size, 0);
	assert_int_equal(d->bar[4].size, 0);
	assert_int_equal(d->bar[5].size, 0);
	assert_int_equal(d->msix_vectors, 0);
	d = pci_find_name("0000:00:04.0");
	assert_int_equal(d->bar[0].size, 0);
	assert_int_equal(d->bar[1].size, 0);
	assert_int_equal(d->bar[2].size, 0);
	assert_int_equal(d->bar[4].base, 0x4000000000);
	assert_int_equal(d->bar[4].size, 0x800000000);

	/* Over RAM, over what is not RAM below its end, and beside it. */
	model_pci_clear();
	g = model_fn_add(0, 0, 4, 0, 0x8086, 1, 0x020000);
	model_bar(g, 0, 0, 0x1000000, 0x1000);
	model_bar(g, 1, 0, 0x310000, 0x1000);
	model_bar(g, 2, 0, HOST_RAM_SIZE, 0x1000);
	model_pci_scan();
	d = pci_find_name("0000:00:04.0");
	assert_int_equal(d->bar[0].size, 0);
	assert_int_equal(d->bar[1].size, 0);
	assert_int_equal(d->bar[2].base, HOST_RAM_SIZE);

	/* Two devices at one address: neither is used. */
	model_pci_clear();
	nvme(0, 3, 0xfe000000);
	nvme(0, 4, 0xfe000000);
	model_pci_scan();
	assert_int_equal(pci_find_name("0000:00:03.0")->bar[0].size, 0);
	assert_int_equal(pci_find_name("0000:00:04.0")->bar[0].size, 0);
}

/* Functions of one device under two ports, one of which forwards functions above 7. */
static void test_ari(void **state)
{
	(void)state;
	for (u8 bus = 1; bus <= 2; bus++) {
		static const u8 devfns[] = { 0, 3, 8, 0x90 };
		struct model_fn *port = root_port(bus, bus, bus), *f;

		if (bus == 1)
			model_put(port, port->pcie + PCI_EXP_DEVCAP2, 4, PCI_EXP_DEVCAP2_ARI);
		model_put(port, port->pcie + PCI_EXP_DEVCTL2, 2, PCI_EXP_DEVCTL2_ARI);
		for (unsigned i = 0; i < 4; i++) {
			f = model_fn_add(0, bus, devfns[i] >> 3, devfns[i] & 7, 0x8086, 1, 0x020000);
			model_express(f, PCI_ENDPOINT, false);
			/* the last leads back */
			model_put(f, model_ext_cap(f, PCI_EXT_CAP_ID_ARI, 8) + PCI_ARI_CAP, 2, devfns[(i + 1) % 4] << 8);
		}
		/* what no function leads to */
		model_fn_add(0, bus, 4, 0, 0x8086, 1, 0x020000);
	}
	assert_int_equal(model_pci_scan(), 2 + 4 + 1);
	assert_true(pci_find_name("0000:00:01.0")->ari);
	assert_true(pci_find_name("0000:01:12.0")->multifunction);
	assert_non_null(pci_find_name("0000:01:01.0"));
	assert_false(pci_find_name("0000:00:02.0")->ari);
	assert_int_equal(model_get(model_fn_find(0, 0, 1 << 3), 0x40 + PCI_EXP_DEVCTL2, 2), PCI_EXP_DEVCTL2_ARI);
	assert_int_equal(model_get(model_fn_find(0, 0, 2 << 3), 0x40 + PCI_EXP_DEVCTL2, 2), 0);
}

static void test_not_ready(void **state)
{
	struct model_fn *f = nvme(0, 3, 0xfe000000);
	u64 start = arch_now_ns();

	(void)state;
	f->reset = MODEL_RESET_CRS;
	f->ready_at = start + 2 * NS_PER_S;
	assert_int_equal(model_pci_scan(), 1);
	assert_int_equal(pci_find_name("0000:00:03.0")->msix_vectors, 65);
	/* never: the others are found all the same, in bounded time */
	model_fn_add(0, 0, 4, 0, 0x8086, 1, 0x020000);
	for (u8 dev = 5; dev < 32; dev++) {
		f = nvme(0, dev, 0);
		f->reset = MODEL_RESET_CRS;
		f->ready_at = ~0ull;
	}
	start = arch_now_ns();
	assert_int_equal(model_pci_scan(), 2);
	assert_true(arch_now_ns() - start < 6 * NS_PER_S);
}

static void test_odd_headers(void **state)
{
	struct model_fn *f;

	(void)state;
	for (u8 dev = 1; dev < 32; dev++) {
		f = nvme(0, dev, 0xf0000000 + dev * 0x10000u);
		model_put(f, PCI_HEADER_TYPE, 1, dev + 1);
	}
	f = model_fn_add(0, 0, 0, 0, 0x8086, 0x201d, 0x010400);
	assert_int_equal(model_pci_scan(), 32);
	assert_int_equal(pci_find_name("0000:00:01.0")->bar[0].size, 0); /* a CardBus bridge */
	assert_int_equal(pci_find_name("0000:00:1f.0")->bar[0].size, 0);
	assert_true(pci_find_name("0000:00:00.0")->vmd);
	assert_false(pci_find_name("0000:00:01.0")->vmd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_machine, setup),
		cmocka_unit_test_setup(test_bridges_that_lie, setup),
		cmocka_unit_test_setup(test_capability_loops, setup),
		cmocka_unit_test_setup(test_msix_outside, setup),
		cmocka_unit_test_setup(test_bars_that_lie, setup),
		cmocka_unit_test_setup(test_ari, setup),
		cmocka_unit_test_setup(test_not_ready, setup),
		cmocka_unit_test_setup(test_odd_headers, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
