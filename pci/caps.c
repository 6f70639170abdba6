// SPDX-License-Identifier: GPL-2.0-only
/*
 * Capability lists (PCI Local Bus 6.7, PCI Express 7.6.3) and what we keep of them.  A list is
 * firmware's and the device's word: walks are bounded by the number of capabilities that fit, so a
 * loop ends, and a capability counts as there only when its fixed part lies inside config space.
 */
#include "pci/internal.h"

#define CAP_FIRST 0x40
#define CAP_MAX_STEPS ((PCI_CFG_CONVENTIONAL - CAP_FIRST) / 4)
#define EXT_FIRST 0x100
#define EXT_MAX_STEPS ((PCI_CFG_EXPRESS - EXT_FIRST) / 8)

/* Bytes of a capability's fixed part, without which it is not used; 0: its header. */
static const u8 cap_size[256] = {
	[PCI_CAP_ID_PM] = PCI_PM_SIZEOF, [PCI_CAP_ID_MSI] = 10, [PCI_CAP_ID_MSIX] = PCI_CAP_MSIX_SIZEOF,
	[PCI_CAP_ID_EXP] = 12, /* through Device Status; later registers are checked where used */
	[PCI_CAP_ID_AF] = PCI_CAP_AF_SIZEOF,
};

u8 pci_find_cap(const struct pci_dev *d, u8 id)
{
	unsigned pos, head = d->header_type == PCI_HEADER_TYPE_CARDBUS ? PCI_CB_CAPABILITY_LIST :
									 PCI_CAPABILITY_LIST;

	if (!(pci_read16(d, PCI_STATUS) & PCI_STATUS_CAP_LIST))
		return 0;
	pos = pci_read8(d, (u16)head) & ~3u;
	for (unsigned step = 0; step < CAP_MAX_STEPS && pos >= CAP_FIRST; step++) {
		u16 header = pci_read16(d, (u16)pos); /* one read: the id and next that belong together */

		if ((header & 0xff) == 0xff)
			return 0;
		if ((header & 0xff) == id)
			return pos + MAX(cap_size[id], 2) <= PCI_CFG_CONVENTIONAL ? (u8)pos : 0;
		pos = (header >> 8) & ~3u;
	}
	return 0;
}

u16 pci_find_ext_cap(const struct pci_dev *d, u16 id)
{
	unsigned pos = EXT_FIRST;

	if (d->cfg_size < PCI_CFG_EXPRESS)
		return 0;
	for (unsigned step = 0; step < EXT_MAX_STEPS && pos >= EXT_FIRST; step++) {
		u32 header = pci_read32(d, (u16)pos);

		if (header == 0 || header == ~0u)
			return 0;
		if (PCI_EXT_CAP_ID(header) == id)
			return pos + 8 <= PCI_CFG_EXPRESS ? (u16)pos : 0;
		pos = PCI_EXT_CAP_NEXT(header);
	}
	return 0;
}

bool pci_express_v2(const struct pci_dev *d, u16 reg)
{
	return d->cap_pcie && d->cap_pcie + reg + 4 <= PCI_CFG_CONVENTIONAL &&
	       FIELD_GET(PCI_EXP_FLAGS_VERS, pci_read16(d, d->cap_pcie + PCI_EXP_FLAGS)) >= 2;
}

bool pci_link_up(const struct pci_dev *port)
{
	return !(pci_read32(port, port->cap_pcie + PCI_EXP_LNKCAP) & PCI_EXP_LNKCAP_DLLLARC) ||
	       pci_read16(port, port->cap_pcie + PCI_EXP_LNKSTA) & PCI_EXP_LNKSTA_DLLLA;
}

static void msi_read(struct pci_dev *d)
{
	u16 ctrl;
	unsigned size;

	d->cap_msi = pci_find_cap(d, PCI_CAP_ID_MSI);
	if (!d->cap_msi)
		return;
	ctrl = pci_read16(d, d->cap_msi + PCI_MSI_FLAGS);
	d->msi_64 = ctrl & PCI_MSI_FLAGS_64BIT;
	d->msi_maskable = ctrl & PCI_MSI_FLAGS_MASKBIT;
	size = (d->msi_64 ? 14 : 10) + (d->msi_maskable ? 10 : 0);
	if (FIELD_GET(PCI_MSI_FLAGS_QMASK, ctrl) > 5 || d->cap_msi + size > PCI_CFG_CONVENTIONAL) {
		log_warn("pci %s: MSI capability at 0x%x is malformed and not used", d->name, d->cap_msi);
		d->cap_msi = 0;
		return;
	}
	d->msi_vectors = (u8)(1u << FIELD_GET(PCI_MSI_FLAGS_QMASK, ctrl));
}

/* Is [off, off+size) in a memory BAR that has an address? */
static bool in_bar(const struct pci_dev *d, unsigned bar, u32 off, u32 size)
{
	return bar < PCI_BARS && d->bar[bar].size && !d->bar[bar].io && (u64)off + size <= d->bar[bar].size;
}

/* Does a BAR of a function still wait for an address? */
static bool unplaced(const struct pci_dev *d, unsigned bar)
{
	return bar < PCI_BARS && d->bar[bar].want && !d->bar[bar].size;
}

void pci_msix_check(struct pci_dev *d)
{
	u32 table, pba;

	d->msix_vectors = 0;
	if (!d->cap_msix)
		return;
	table = pci_read32(d, d->cap_msix + PCI_MSIX_TABLE);
	pba = pci_read32(d, d->cap_msix + PCI_MSIX_PBA);
	d->msix_vectors = (u16)((pci_read16(d, d->cap_msix + PCI_MSIX_FLAGS) & PCI_MSIX_FLAGS_QSIZE) + 1);
	d->msix_bar = table & PCI_MSIX_TABLE_BIR;
	d->msix_table = table & PCI_MSIX_TABLE_OFFSET;
	d->msix_pba_bar = pba & PCI_MSIX_PBA_BIR;
	d->msix_pba = pba & PCI_MSIX_PBA_OFFSET;
	if (in_bar(d, d->msix_bar, d->msix_table, d->msix_vectors * PCI_MSIX_ENTRY_SIZE) &&
	    in_bar(d, d->msix_pba_bar, d->msix_pba, (d->msix_vectors + 63u) / 64 * 8))
		return;
	if (!unplaced(d, d->msix_bar) && !unplaced(d, d->msix_pba_bar))
		log_warn("pci %s: MSI-X is not used: its table (BAR%u+0x%x, %u entries) or PBA (BAR%u+0x%x) lies outside of the BARs",
			 d->name, d->msix_bar, d->msix_table, d->msix_vectors, d->msix_pba_bar, d->msix_pba);
	d->msix_vectors = 0;
}

/* A function has 4096 bytes when its path is PCI Express all the way and 0x100 answers. */
static u16 cfg_size(const struct pci_dev *d)
{
	bool path = !d->parent || (d->parent->cfg_size == PCI_CFG_EXPRESS && d->parent->type != PCI_PCIE_TO_PCI);

	return d->cap_pcie && path && pci_cfg_read(d->segment, d->bus, d->devfn, EXT_FIRST, 4) != ~0u ?
	       PCI_CFG_EXPRESS : PCI_CFG_CONVENTIONAL;
}

void pci_caps_read(struct pci_dev *d)
{
	d->type = PCI_CONVENTIONAL;
	d->cap_pcie = pci_find_cap(d, PCI_CAP_ID_EXP);
	if (d->cap_pcie)
		d->type = FIELD_GET(PCI_EXP_FLAGS_TYPE, pci_read16(d, d->cap_pcie + PCI_EXP_FLAGS));
	d->cap_pm = pci_find_cap(d, PCI_CAP_ID_PM);
	d->cap_af = pci_find_cap(d, PCI_CAP_ID_AF);
	msi_read(d);
	d->cap_msix = pci_find_cap(d, PCI_CAP_ID_MSIX); /* read when the BARs are known */

	d->cfg_size = cfg_size(d);
	d->cap_acs = pci_find_ext_cap(d, PCI_EXT_CAP_ID_ACS);
}
