// SPDX-License-Identifier: GPL-2.0-only
/*
 * Config space put aside and put back around a reset, at close, and on the way out of D3hot.  Order
 * of putting back: PCI Express control, resizable BARs, BARs with decode off, message interrupts,
 * and last the command register, so that nothing decodes or sends before its addresses are right.
 */
#include "pci/internal.h"

#define REBAR_CAP(i) (u16)(PCI_REBAR_CAP + 8 * (i))
#define REBAR_CTRL(i) (u16)(PCI_REBAR_CTRL + 8 * (i))
#define DWORD(reg) ((reg) / 4)

/* Registers of version 2 of the capability: is this one there? */
static bool has_v2(const struct pci_dev *d, u16 reg)
{
	return d->cap_pcie && d->cap_pcie + reg + 2 <= PCI_CFG_CONVENTIONAL &&
	       FIELD_GET(PCI_EXP_FLAGS_VERS, pci_read16(d, d->cap_pcie + PCI_EXP_FLAGS)) >= 2;
}

static bool has_link(const struct pci_dev *d)
{
	return d->type == PCI_ENDPOINT || d->type == PCI_LEGACY_ENDPOINT;
}

static unsigned rebar_count(const struct pci_dev *d, u16 cap)
{
	unsigned n = FIELD_GET(PCI_REBAR_CTRL_NBAR_MASK, pci_read32(d, cap + REBAR_CTRL(0)));

	return MIN(n, PCI_MAX_REBARS);
}

static u16 msi_reg(const struct pci_dev *d, u16 reg_32, u16 reg_64)
{
	return d->cap_msi + (d->msi_64 ? reg_64 : reg_32);
}

void pci_save(struct pci_dev *d, struct pci_saved *s)
{
	u16 rebar = pci_find_ext_cap(d, PCI_EXT_CAP_ID_REBAR);

	memset(s, 0, sizeof(*s));
	for (unsigned i = 0; i < ARRAY_SIZE(s->header); i++)
		s->header[i] = pci_read32(d, (u16)(4 * i));
	if (d->cap_pcie)
		s->devctl = pci_read16(d, d->cap_pcie + PCI_EXP_DEVCTL);
	if (has_link(d))
		s->lnkctl = pci_read16(d, d->cap_pcie + PCI_EXP_LNKCTL);
	if (has_v2(d, PCI_EXP_DEVCTL2))
		s->devctl2 = pci_read16(d, d->cap_pcie + PCI_EXP_DEVCTL2);
	if (d->cap_pm)
		s->pmcsr = pci_read16(d, d->cap_pm + PCI_PM_CTRL);
	for (unsigned i = 0; rebar && i < rebar_count(d, rebar); i++)
		s->rebar[i] = pci_read32(d, rebar + REBAR_CTRL(i));
	if (d->cap_msix)
		s->msix_ctrl = pci_read16(d, d->cap_msix + PCI_MSIX_FLAGS);
	if (!d->cap_msi)
		return;
	s->msi_ctrl = pci_read16(d, d->cap_msi + PCI_MSI_FLAGS);
	s->msi_addr = pci_read32(d, d->cap_msi + PCI_MSI_ADDRESS_LO);
	if (d->msi_64)
		s->msi_addr_hi = pci_read32(d, d->cap_msi + PCI_MSI_ADDRESS_HI);
	s->msi_data = pci_read16(d, msi_reg(d, PCI_MSI_DATA_32, PCI_MSI_DATA_64));
	if (d->msi_maskable)
		s->msi_mask = pci_read32(d, msi_reg(d, PCI_MSI_MASK_32, PCI_MSI_MASK_64));
}

static void express_restore(struct pci_dev *d, const struct pci_saved *s)
{
	u16 rebar = pci_find_ext_cap(d, PCI_EXT_CAP_ID_REBAR);

	/* Bit 15 starts a reset; it reads 0, but a device's word is not taken for that. */
	if (d->cap_pcie)
		pci_write16(d, d->cap_pcie + PCI_EXP_DEVCTL, s->devctl & ~PCI_EXP_DEVCTL_BCR_FLR);
	if (has_link(d))
		pci_write16(d, d->cap_pcie + PCI_EXP_LNKCTL, s->lnkctl);
	if (has_v2(d, PCI_EXP_DEVCTL2))
		pci_write16(d, d->cap_pcie + PCI_EXP_DEVCTL2, s->devctl2);
	for (unsigned i = 0; rebar && i < rebar_count(d, rebar); i++)
		pci_write32(d, rebar + REBAR_CTRL(i), s->rebar[i]);
}

static void msi_restore(struct pci_dev *d, const struct pci_saved *s)
{
	if (!d->cap_msi)
		return;
	pci_msi_disable(d);
	pci_write32(d, d->cap_msi + PCI_MSI_ADDRESS_LO, s->msi_addr);
	if (d->msi_64)
		pci_write32(d, d->cap_msi + PCI_MSI_ADDRESS_HI, s->msi_addr_hi);
	pci_write16(d, msi_reg(d, PCI_MSI_DATA_32, PCI_MSI_DATA_64), s->msi_data);
	if (d->msi_maskable)
		pci_write32(d, msi_reg(d, PCI_MSI_MASK_32, PCI_MSI_MASK_64), s->msi_mask);
	pci_write16(d, d->cap_msi + PCI_MSI_FLAGS, s->msi_ctrl);
}

/* Memory decode is on when the table is written, whatever the command register was. */
static void msix_restore(struct pci_dev *d, const struct pci_saved *s, u16 command)
{
	u16 flags = d->cap_msix + PCI_MSIX_FLAGS;

	if (!d->cap_msix)
		return;
	if (s->msix_ctrl & PCI_MSIX_FLAGS_ENABLE && d->msix_map) {
		pci_write16(d, flags, s->msix_ctrl | PCI_MSIX_FLAGS_MASKALL);
		pci_write16(d, PCI_COMMAND, (command & ~PCI_COMMAND_MASTER) | PCI_COMMAND_MEMORY);
		pci_msix_rewrite(d);
	}
	pci_write16(d, flags, s->msix_ctrl);
}

void pci_restore(struct pci_dev *d, const struct pci_saved *s)
{
	u16 command = (u16)s->header[DWORD(PCI_COMMAND)];

	if (d->header_type != PCI_HEADER_TYPE_NORMAL)
		return;
	pci_write16(d, PCI_COMMAND, PCI_COMMAND_INTX_DISABLE);
	express_restore(d, s);
	for (unsigned i = DWORD(PCI_BASE_ADDRESS_0); i <= DWORD(PCI_BASE_ADDRESS_5); i++)
		pci_write32(d, (u16)(4 * i), s->header[i]);
	pci_write32(d, PCI_ROM_ADDRESS, s->header[DWORD(PCI_ROM_ADDRESS)]);
	pci_write16(d, PCI_CACHE_LINE_SIZE, (u16)s->header[DWORD(PCI_CACHE_LINE_SIZE)]);
	pci_write8(d, PCI_INTERRUPT_LINE, (u8)s->header[DWORD(PCI_INTERRUPT_LINE)]);
	msi_restore(d, s);
	msix_restore(d, s, command);
	pci_write16(d, PCI_COMMAND, command);
}
