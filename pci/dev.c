// SPDX-License-Identifier: GPL-2.0-only
/*
 * One function: from its config space to a struct pci_dev, quiet from then on.  What it is told at
 * once, whatever firmware left behind: no bus mastering, no INTx, no MSI, no MSI-X, no ATS, no page
 * requests, no PASIDs, no virtual functions, no phantom functions.  An untranslated bus master
 * cannot survive this, nor can a translated request come from a function that nobody gave ATS.
 *
 * The memory and I/O decode bits stay, so a display that shows the console goes on showing it.
 */
#include <stdio.h>

#include "kernel/frames.h"
#include "pci/internal.h"

#define SRIOV_CTRL_OFF (PCI_SRIOV_CTRL_VFE | PCI_SRIOV_CTRL_MSE)

static const char *const type_names[] = {
	[PCI_ENDPOINT] = "endpoint",
	[PCI_LEGACY_ENDPOINT] = "legacy endpoint",
	[PCI_ROOT_PORT] = "root port",
	[PCI_UPSTREAM] = "upstream port",
	[PCI_DOWNSTREAM] = "downstream port",
	[PCI_PCIE_TO_PCI] = "PCIe-to-PCI bridge",
	[PCI_PCI_TO_PCIE] = "PCI-to-PCIe bridge",
	[PCI_RC_ENDPOINT] = "integrated endpoint",
	[PCI_RC_EVENT] = "event collector",
};

const char *pci_type_name(const struct pci_dev *d)
{
	if (d->type == PCI_CONVENTIONAL)
		return pci_is_bridge(d) ? "conventional bridge" : "conventional";
	return d->type < ARRAY_SIZE(type_names) && type_names[d->type] ? type_names[d->type] : "unknown type";
}

/* Clear bits of a control register in an extended capability; were any set? */
static bool ext_clear(const struct pci_dev *d, u16 id, u16 reg, u16 bits)
{
	u16 cap = pci_find_ext_cap(d, id);
	bool set = cap && pci_read16(d, cap + reg) & bits;

	if (set)
		pci_update16(d, cap + reg, bits, 0);
	return set;
}

static void quiesce(struct pci_dev *d)
{
	pci_update16(d, PCI_COMMAND, PCI_COMMAND_MASTER, PCI_COMMAND_INTX_DISABLE);
	pci_msi_disable(d);
	pci_msix_disable(d);
	if (d->cap_pcie)
		pci_update16(d, d->cap_pcie + PCI_EXP_DEVCTL, PCI_EXP_DEVCTL_PHANTOM, 0);
	(void)ext_clear(d, PCI_EXT_CAP_ID_ATS, PCI_ATS_CTRL, PCI_ATS_CTRL_ENABLE);
	(void)ext_clear(d, PCI_EXT_CAP_ID_PRI, PCI_PRI_CTRL, PCI_PRI_CTRL_ENABLE);
	(void)ext_clear(d, PCI_EXT_CAP_ID_PASID, PCI_PASID_CTRL, PCI_PASID_CTRL_ENABLE);
	if (ext_clear(d, PCI_EXT_CAP_ID_SRIOV, PCI_SRIOV_CTRL, SRIOV_CTRL_OFF))
		pci_wait_ms(PCI_SRIOV_QUIET_MS);
}

static void header_read(struct pci_dev *d)
{
	u32 v = pci_read32(d, PCI_CLASS_REVISION);
	u8 header = pci_read8(d, PCI_HEADER_TYPE);
	u16 subsystem = 0;

	d->revision = (u8)v;
	d->class = v >> 8;
	d->header_type = header & 0x7f;
	/* What is true of a VF is said in its PF's header (9.3.4.1.6). */
	d->multifunction = !d->pf && (header & 0x80 || (d->devfn & 7) || (d->parent && d->parent->ari && d->devfn));
	d->interrupt_pin = pci_read8(d, PCI_INTERRUPT_PIN);
	if (d->interrupt_pin > 4 || d->pf)
		d->interrupt_pin = 0;
	if (d->header_type == PCI_HEADER_TYPE_NORMAL) {
		subsystem = PCI_SUBSYSTEM_VENDOR_ID;
	} else if (pci_is_bridge(d)) {
		u8 cap = pci_find_cap(d, PCI_CAP_ID_SSVID); /* PCI-to-PCI Bridge 1.2, 3.2.5.13 */

		subsystem = cap ? cap + PCI_SSVID_VENDOR_ID : 0;
		d->secondary = pci_read8(d, PCI_SECONDARY_BUS);
		d->subordinate = pci_read8(d, PCI_SUBORDINATE_BUS);
		pci_windows_read(d);
	} else {
		log_warn("pci %s: header type %u is not known here: its BARs and what is behind it are not used",
			 d->name, d->header_type);
	}
	if (subsystem && subsystem + 4 <= PCI_CFG_CONVENTIONAL) {
		d->subsystem_vendor = pci_read16(d, subsystem);
		d->subsystem_device = pci_read16(d, subsystem + 2);
	}
}

/* Intel Volume Management Devices: the domain behind one is reached through its BARs, and not looked into. */
static bool is_vmd(const struct pci_dev *d)
{
	static const u16 ids[] = { 0x201d, 0x28c0, 0x467f, 0x4c3d, 0x7d0b, 0x9a0b, 0xa77f, 0xad0b, 0xb06f, 0xb60b };

	for (unsigned i = 0; d->vendor == 0x8086 && d->class >> 8 == PCI_CLASS_RAID && i < ARRAY_SIZE(ids); i++)
		if (d->device == ids[i])
			return true;
	return false;
}

void pci_dev_decode(struct pci_dev *d)
{
	header_read(d);
	pci_caps_read(d);
	d->quirks = pci_quirks_of(d);
	d->vmd = is_vmd(d);
	quiesce(d);
	if (!d->pf) {
		pci_sriov_read(d);
		pci_bars_read(d);
	}
	pci_msix_check(d);
	pci_acs_enable(d);
	pci_aer_init(d);
	pci_reset_methods_init(d);
}

void pci_dev_free(struct pci_dev *d)
{
	kfree(d->msix_msgs);
	kfree(d->aer);
	kfree(d->sriov);
	kfree(d);
}

struct pci_dev *pci_dev_new(u16 segment, u16 rid, struct pci_dev *parent)
{
	struct pci_dev *d = kzalloc(sizeof(*d));

	if (!d)
		return NULL;
	d->segment = segment;
	d->bus = (u8)(rid >> 8);
	d->devfn = (u8)rid;
	d->parent = parent;
	d->cfg_size = PCI_CFG_CONVENTIONAL;
	mutex_init(&d->lock);
	snprintf(d->name, sizeof(d->name), "%04x:%02x:%02x.%x", segment, d->bus, d->devfn >> 3, d->devfn & 7);
	return d;
}

int pci_dev_read(u16 segment, u8 bus, u8 devfn, struct pci_dev *parent, struct pci_dev **out)
{
	u32 id = pci_cfg_read(segment, bus, devfn, PCI_VENDOR_ID, 4);
	struct pci_dev *d;

	*out = NULL;
	/* All ones: nobody. Vendor 0 and 1: some bridges' way to say the same, and "not ready". */
	if ((id & 0xffff) == 0xffff || (id & 0xffff) <= 1)
		return 0;
	*out = d = pci_dev_new(segment, (u16)(bus << 8 | devfn), parent);
	if (!d)
		return -ENOMEM;
	d->vendor = (u16)id;
	d->device = (u16)(id >> 16);
	pci_dev_decode(d);
	return 0;
}
