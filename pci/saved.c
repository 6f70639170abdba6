// SPDX-License-Identifier: GPL-2.0-only
/*
 * Config space put aside, put back and compared: around a reset, at close, on the way out of D3hot.
 * One table names the registers in the order of putting back: PCI Express control, resizable BARs,
 * BARs with decode off, errors, ATS, virtual functions, message interrupts, and last the command
 * register, so that nothing decodes or sends before its addresses are right.
 *
 * Of each register the table says which bits are written back, and which must then read as before.
 * Registers of which nothing is written back are the function's identity.  Endpoints only: a
 * bridge's bus numbers and windows are never moved.
 */
#include <stdio.h>

#include "pci/internal.h"

#define ALL 0xffffffffu
#define COMMAND_SAME (PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE)
#define VF_SETTLE_MS 100 /* 9.3.3.3.1: VF Enable to the first access */

/* Where an offset counts from, and when the register is there. */
enum space { HEADER, EXP, EXP_LINK, EXP_V2, REBAR, LTR, AER, ACS, PRI, PASID, ATS, SRIOV, MSI, MSIX };

static const struct rule {
	const char *name;
	u8 space, off, size, n, step; /* n: as many more, step bytes apart */
	u32 keep, same;
} rules[] = {
	{ "ids", HEADER, PCI_VENDOR_ID, 4, 0, 0, 0, ALL },
	{ "class", HEADER, PCI_CLASS_REVISION, 4, 0, 0, 0, 0xffffff00 },
	{ "header type", HEADER, PCI_HEADER_TYPE, 1, 0, 0, 0, 0xff },
	{ "subsystem ids", HEADER, PCI_SUBSYSTEM_VENDOR_ID, 4, 0, 0, 0, ALL },
	/* Bit 15 starts a reset; it reads 0, but a device's word is not taken for that. */
	{ "device control", EXP, PCI_EXP_DEVCTL, 2, 0, 0, ~PCI_EXP_DEVCTL_BCR_FLR, 0xffff },
	{ "link control", EXP_LINK, PCI_EXP_LNKCTL, 2, 0, 0, ~PCI_EXP_LNKCTL_RL, 0 },
	{ "device control 2", EXP_V2, PCI_EXP_DEVCTL2, 2, 0, 0, ALL, 0xffff },
	{ "BAR size", REBAR, PCI_REBAR_CTRL, 4, PCI_MAX_REBARS - 1, 8, ALL, PCI_REBAR_CTRL_BAR_SIZE },
	{ "BAR", HEADER, PCI_BASE_ADDRESS_0, 4, PCI_BARS - 1, 4, ALL, ALL },
	{ "ROM", HEADER, PCI_ROM_ADDRESS, 4, 0, 0, ALL, ALL },
	{ "cache line", HEADER, PCI_CACHE_LINE_SIZE, 2, 0, 0, ALL, 0 },
	{ "interrupt line", HEADER, PCI_INTERRUPT_LINE, 1, 0, 0, ALL, 0 },
	{ "LTR", LTR, PCI_LTR_MAX_SNOOP_LAT, 4, 0, 0, ALL, 0 },
	{ "AER mask or severity", AER, PCI_ERR_UNCOR_MASK, 4, 1, 4, ALL, ALL },
	{ "AER correctable mask", AER, PCI_ERR_COR_MASK, 4, 0, 0, ALL, ALL },
	{ "AER control", AER, PCI_ERR_CAP, 4, 0, 0, PCI_ERR_CAP_ECRC_GENE | PCI_ERR_CAP_ECRC_CHKE, 0 },
	{ "ACS", ACS, PCI_ACS_CTRL, 2, 0, 0, ALL, 0xffff },
	{ "page requests", PRI, PCI_PRI_ALLOC_REQ, 4, 0, 0, ALL, ALL },
	{ "page requests", PRI, PCI_PRI_CTRL, 2, 0, 0, ~PCI_PRI_CTRL_RESET, PCI_PRI_CTRL_ENABLE },
	{ "PASID", PASID, PCI_PASID_CTRL, 2, 0, 0, ALL, 0xffff },
	{ "ATS", ATS, PCI_ATS_CTRL, 2, 0, 0, ALL, 0xffff },
	{ "SR-IOV", SRIOV, PCI_SRIOV_CTRL, 2, 0, 0, PCI_SRIOV_CTRL_ARI, 0 }, /* before the number of VFs */
	{ "VF page size", SRIOV, PCI_SRIOV_SYS_PGSIZE, 4, 0, 0, ALL, ALL },
	{ "VF BAR", SRIOV, PCI_SRIOV_BAR, 4, PCI_BARS - 1, 4, ALL, ALL },
	{ "number of VFs", SRIOV, PCI_SRIOV_NUM_VF, 2, 0, 0, ALL, 0xffff },
	{ "SR-IOV", SRIOV, PCI_SRIOV_CTRL, 2, 0, 0, ALL, 0xffff },
	{ "MSI", MSI, PCI_MSI_FLAGS, 2, 0, 0, ~PCI_MSI_FLAGS_ENABLE, 0 }, /* off while the rest changes */
	{ "MSI message", MSI, PCI_MSI_ADDRESS_LO, 4, 3, 4, ALL, ALL }, /* address, data, and mask */
	{ "MSI", MSI, PCI_MSI_FLAGS, 2, 0, 0, ALL, 0xffff },
	{ "MSI-X", MSIX, PCI_MSIX_FLAGS, 2, 0, 0, ALL, 0xffff },
	{ "command", HEADER, PCI_COMMAND, 2, 0, 0, ALL, COMMAND_SAME },
};

/* The offset that `space` counts from; NONE: these registers are not there. */
#define NONE 0xffff
static u16 base_of(const struct pci_dev *d, enum space space)
{
	static const u16 ext[] = {
		[REBAR] = PCI_EXT_CAP_ID_REBAR, [LTR] = PCI_EXT_CAP_ID_LTR, [AER] = PCI_EXT_CAP_ID_ERR,
		[PRI] = PCI_EXT_CAP_ID_PRI, [PASID] = PCI_EXT_CAP_ID_PASID, [ATS] = PCI_EXT_CAP_ID_ATS,
		[SRIOV] = PCI_EXT_CAP_ID_SRIOV, [MSIX] = 0,
	};
	bool link = d->type == PCI_ENDPOINT || d->type == PCI_LEGACY_ENDPOINT;
	const u16 own[] = {
		[EXP] = d->cap_pcie, [EXP_LINK] = link ? d->cap_pcie : 0, [MSI] = d->cap_msi, [MSIX] = d->cap_msix,
		[EXP_V2] = pci_express_v2(d, PCI_EXP_DEVCTL2) ? d->cap_pcie : 0,
		[ACS] = d->cap_acs, /* that of ports may have other registers; they are not put back */
	};

	if (space == HEADER)
		return 0;
	return (ext[space] ? pci_find_ext_cap(d, ext[space]) : own[space]) ?: NONE;
}

/* How many registers of a rule's there are. */
static unsigned count_of(const struct pci_dev *d, const struct rule *rule, u16 base)
{
	unsigned n = rule->n + 1u;

	if (rule->space == REBAR)
		n = MIN(n, MAX(1u, FIELD_GET(PCI_REBAR_CTRL_NBAR_MASK, pci_read32(d, base + PCI_REBAR_CTRL))));
	return rule->space == MSI && rule->n ? 2u + d->msi_64 + d->msi_maskable : n;
}

void pci_save(struct pci_dev *d, struct pci_saved *s)
{
	u16 base = NONE;

	s->n = 0;
	for (unsigned i = 0; i < ARRAY_SIZE(rules); i++) {
		const struct rule *rule = &rules[i];

		if (!i || rule->space != rules[i - 1].space)
			base = base_of(d, rule->space);
		for (unsigned k = 0, n = base == NONE ? 0 : count_of(d, rule, base); k < n; k++) {
			struct pci_saved_reg *r = &s->reg[s->n++];

			BUG_ON(s->n > PCI_MAX_SAVED);
			*r = (struct pci_saved_reg){ (u16)(base + rule->off + k * rule->step), rule->size, (u8)i, 0 };
			r->value = pci_read(d, r->off, r->size);
		}
	}
}

/* Memory decode is on when the table is written, whatever the command register was. */
static void msix_restore(struct pci_dev *d, const struct pci_saved_reg *r)
{
	if (r->value & PCI_MSIX_FLAGS_ENABLE && d->msix_map) {
		pci_write16(d, r->off, (u16)r->value | PCI_MSIX_FLAGS_MASKALL);
		pci_write16(d, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_INTX_DISABLE);
		pci_msix_rewrite(d);
		pci_write16(d, PCI_COMMAND, PCI_COMMAND_INTX_DISABLE);
	}
	pci_write16(d, r->off, (u16)r->value);
}

void pci_restore_registers(struct pci_dev *d, const struct pci_saved *s)
{
	u16 sriov = base_of(d, SRIOV);
	/* VFs that are on were not lost, and may be newer than what was saved; those that are not wanted stay off. */
	bool vfs_on = sriov != NONE && pci_read16(d, sriov + PCI_SRIOV_CTRL) & PCI_SRIOV_CTRL_VFE;

	pci_write16(d, PCI_COMMAND, PCI_COMMAND_INTX_DISABLE);
	for (unsigned i = 0; i + 1 < s->n; i++) {
		const struct pci_saved_reg *r = &s->reg[i];
		const struct rule *rule = &rules[r->rule];
		bool control = rule->space == SRIOV && rule->off == PCI_SRIOV_CTRL;
		u32 value = r->value & rule->keep;

		if (rule->space == SRIOV && vfs_on)
			continue;
		if (control && !(d->sriov && d->sriov->num))
			value &= ~(PCI_SRIOV_CTRL_VFE | PCI_SRIOV_CTRL_MSE);
		if (rule->space == MSIX)
			msix_restore(d, r);
		else if (rule->keep)
			pci_write(d, r->off, r->size, value);
		if (control && value & PCI_SRIOV_CTRL_VFE)
			pci_wait_ms(VF_SETTLE_MS);
	}
}

void pci_restore(struct pci_dev *d, const struct pci_saved *s)
{
	if (d->header_type != PCI_HEADER_TYPE_NORMAL)
		return;
	pci_restore_registers(d, s);
	pci_write16(d, PCI_COMMAND, pci_saved_command(s));
}

u16 pci_saved_command(const struct pci_saved *s)
{
	return (u16)s->reg[s->n - 1].value;
}

bool pci_saved_same(const struct pci_dev *d, const struct pci_saved *s, bool identity, char *what, size_t n)
{
	for (unsigned i = 0; i < s->n; i++) {
		const struct pci_saved_reg *r = &s->reg[i];
		const struct rule *rule = &rules[r->rule];
		u32 now = identity && rule->keep ? r->value : pci_read(d, r->off, r->size);

		if (!((now ^ r->value) & rule->same))
			continue;
		snprintf(what, n, "%s (0x%x) reads 0x%x, was 0x%x", rule->name, r->off, now, r->value);
		return false;
	}
	return true;
}
