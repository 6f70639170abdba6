/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random writes to config space against a list of what must never change in hardware.  The list is
 * written here from the specifications, not from the tables under test; the functions' registers take
 * whatever is written to them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/host/vfio_rig.h"

#define CONFIG(off) ((7ull << VFIO_REGION_SHIFT) + (off))
#define EVENTFD (VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER)

static int c, g, d; /* the descriptors */

static u8 never[4096];

static void forbid(u32 from, u32 len)
{
	memset(never + from, 0xff, len);
}

static void forbid_std(const struct pci_dev *p)
{
	u16 at = pci_read8(p, PCI_CAPABILITY_LIST);

	for (; at; at = pci_read8(p, at + 1)) {
		switch (pci_read8(p, at)) {
		case PCI_CAP_ID_VNDR:
			forbid(at, 2);
			break;
		case PCI_CAP_ID_MSI: /* but the mask bits */
			forbid(at, p->msi_64 ? 14 : 10);
			if (p->msi_maskable)
				forbid(at + (p->msi_64 ? 20 : 16), 4);
			break;
		case PCI_CAP_ID_EXP: /* but device control and device control 2 */
			forbid(at, 8);
			never[at + PCI_EXP_DEVCTL] = PCI_EXP_DEVCTL_PAYLOAD;
			never[at + PCI_EXP_DEVCTL + 1] = PCI_EXP_DEVCTL_PHANTOM >> 8;
			forbid(at + 10, 0x28 - 10);
			never[at + PCI_EXP_DEVCTL2] = PCI_EXP_DEVCTL2_ARI;
			forbid(at + 0x2a, 0x3c - 0x2a);
			break;
		case PCI_CAP_ID_PM: /* but the power state and what the data register selects */
			forbid(at, 8);
			never[at + PCI_PM_CTRL] = (u8)~PCI_PM_CTRL_STATE_MASK;
			never[at + PCI_PM_CTRL + 1] = 0x81;
			break;
		case PCI_CAP_ID_MSIX:
			forbid(at, 12);
			break;
		case PCI_CAP_ID_DBG:
			forbid(at, 4);
			break;
		default:
			forbid(at, 6);
		}
	}
}

static void forbid_ext(const struct pci_dev *p)
{
	static const struct {
		u16 id, len;
	} len[] = {
		{ PCI_EXT_CAP_ID_ERR, 4 }, { PCI_EXT_CAP_ID_VNDR, 4 }, { PCI_EXT_CAP_ID_ATS, 8 },
		{ PCI_EXT_CAP_ID_PRI, 16 }, { PCI_EXT_CAP_ID_PASID, 8 }, { PCI_EXT_CAP_ID_SRIOV, 64 },
		{ PCI_EXT_CAP_ID_REBAR, 4 + 8 * 6 }, { PCI_EXT_CAP_ID_ACS, 8 + 4 }, { PCI_EXT_CAP_ID_VC, 16 + 12 * 2 },
		{ PCI_EXT_CAP_ID_L1SS, 16 }, { PCI_EXT_CAP_ID_LTR, 8 }, { PCI_EXT_CAP_ID_DPA, 16 + 32 },
		{ PCI_EXT_CAP_ID_TPH, 12 }, { PCI_EXT_CAP_ID_DPC, 64 }, { PCI_EXT_CAP_ID_DSN, 12 },
		{ PCI_EXT_CAP_ID_PTM, 12 },
	};
	u32 h, at = p->cfg_size > 256 ? 0x100 : 0;

	for (; at; at = h >> 20) {
		h = pci_read32(p, (u16)at);
		for (unsigned i = 0; h && i < ARRAY_SIZE(len); i++)
			if (len[i].id == (u16)h)
				forbid(at, len[i].len);
	}
}

static void random_writes(enum vr_dev dev, bool msi)
{
	struct model_fn *f = vr_fn(dev);
	const struct pci_dev *p = vr_pci(dev);
	s32 ev[4];
	u8 was[4096];

	assert_int_equal(vr_open_device(dev, &c, &g, &d), 0);
	memset(never, 0, sizeof(never));
	forbid(0, 4);
	never[PCI_COMMAND + 1] = PCI_COMMAND_INTX_DISABLE >> 8;
	forbid(6, 6);
	forbid(0x0e, 1);
	forbid(0x10, 0x30);
	forbid_std(p);
	forbid_ext(p);
	for (unsigned i = 0; i < 4; i++)
		ev[i] = vr_eventfd();
	if (msi && p->msix_vectors)
		assert_int_equal(vr_set_irqs(d, VFIO_PCI_MSIX_IRQ_INDEX, EVENTFD, 0, 4, ev), 0);
	else if (msi)
		assert_int_equal(vr_set_irqs(d, VFIO_PCI_MSI_IRQ_INDEX, EVENTFD, 0, 1, ev), 0);
	if (msi && p->cap_msi) /* in MSI mode its enable and size are the program's */
		never[p->cap_msi + PCI_MSI_FLAGS] = 0x0e;
	memcpy(was, f->cfg, sizeof(was));
	for (unsigned i = 0; i < 6000; i++) {
		unsigned off = (unsigned)rand() % (rand() % 2 ? p->cfg_size : 256), n = 1 + (unsigned)rand() % 8;
		u8 v[8];

		for (unsigned k = 0; k < 8; k++)
			v[k] = rand() % 3 ? (u8)rand() : 0xff;
		n = MIN(n, p->cfg_size - off);
		assert_int_equal(vr_write(d, CONFIG(off), v, n), n);
		for (unsigned k = 0; k < p->cfg_size; k++) {
			if (!((f->cfg[k] ^ was[k]) & never[k]))
				continue;
			fail_msg("%s: byte 0x%x went from 0x%02x to 0x%02x by a write of %u bytes at 0x%x", p->name, k,
				 was[k], f->cfg[k], n, off);
		}
	}
	assert_int_equal(vr_config(d, 0, 4), model_get(f, 0, 4));
}

static void test_random_writes(void **state)
{
	(void)state;
	srand(5);
	vr_begin();
	for (unsigned i = 0; i < 2 * VR_DEVS; i++) {
		random_writes(i / 2, i & 1);
		vr_close(d);
		vr_close(g);
		vr_close(c);
	}
	assert_null(vr_end());
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_random_writes) };

	vr_start(false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
