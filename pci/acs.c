// SPDX-License-Identifier: GPL-2.0-only
/*
 * Access control services (PCI Express 6.12, 7.7.11): switched on for every capable function at
 * enumeration and after every reset, and asked for when groups are made.  Needed for isolation are
 * source validation, request redirect, completion redirect and upstream forwarding; a bit that the
 * capability lacks counts as hard-wired.  Translation blocking is set on ports, but for those above
 * a function that may use ATS (the unit blocks translated requests of all others there);
 * egress control and direct translated peer-to-peer, which open ways around redirection, are cleared.
 * The operator has the last word (acs_options.c).
 */
#include <stdio.h>

#include "pci/internal.h"

#define ACS_NEEDED (PCI_ACS_SV | PCI_ACS_RR | PCI_ACS_CR | PCI_ACS_UF)
#define ACS_DWORD_CTRL 8 /* control of the ports whose registers are dwords; all bits are in the low halves */

/* Chipset configuration registers, at the LPC bridge's RCBA, as Linux uses them. */
#define PCH_LPC 0xf8 /* 1f.0 */
#define PCH_LPC_RCBA 0xf0
#define PCH_RCBA_ENABLE 1u
#define PCH_RCBA_SIZE 0x4000u
#define PCH_UPDCR (0x1014 / 4)
#define PCH_UPDCR_PEERS 0x3fu
#define PCH_BSPR (0x1104 / 4)
#define PCH_BSPR_NO_PEER 0x300u /* neither posted nor other requests */
#define PCH_PORT_MPC 0xd8
#define PCH_MPC_CHECK_BUS (1u << 26)

static u32 acs_ctrl(const struct pci_dev *d)
{
	return d->quirks & PCI_QUIRK_ACS_DWORD ? pci_read32(d, d->cap_acs + ACS_DWORD_CTRL) :
						 pci_read16(d, d->cap_acs + PCI_ACS_CTRL);
}

/*
 * Root ports of the 5 to 9 series chipsets have no ACS.  What comes in is not sent to another port when
 * the chipset decodes for no peer (hard-wired in BSPR, or by UPDCR); MPC refuses foreign bus numbers.
 */
static bool pch_isolate(const struct pci_dev *d)
{
	u32 rcba = pci_cfg_read(d->segment, d->bus, PCH_LPC, PCH_LPC_RCBA, 4);
	volatile u32 *regs;

	if (rcba == ~0u || !(rcba & PCH_RCBA_ENABLE))
		return false;
	regs = arch_map_uncached(rcba & ~(PCH_RCBA_SIZE - 1), PCH_RCBA_SIZE);
	if (!regs)
		return false;
	pci_write32(d, PCH_PORT_MPC, pci_read32(d, PCH_PORT_MPC) | PCH_MPC_CHECK_BUS);
	if (!(~regs[PCH_BSPR] & PCH_BSPR_NO_PEER))
		return true;
	regs[PCH_UPDCR] &= ~PCH_UPDCR_PEERS;
	return !(regs[PCH_UPDCR] & PCH_UPDCR_PEERS);
}

/* Without an ACS capability. */
static void isolate(struct pci_dev *d)
{
	if (d->quirks & PCI_QUIRK_ISOLATED)
		return;
	if (!(d->quirks & PCI_QUIRK_PCH_PORT) || !pch_isolate(d)) {
		if (!pci_acs_overridden(d))
			return;
		log_err("pci %s counts as isolated by pcie_acs_override=. It is NOT: devices beside or below it may reach each "
			"other's memory", d->name);
	}
	d->quirks |= PCI_QUIRK_ISOLATED;
}

void pci_acs_enable(struct pci_dev *d)
{
	u32 cap, old, ctrl;

	if (!d->cap_acs) {
		isolate(d);
		return;
	}
	cap = pci_read16(d, d->cap_acs + PCI_ACS_CAP);
	old = acs_ctrl(d);
	ctrl = old & ~(u32)(PCI_ACS_EC | PCI_ACS_DT | PCI_ACS_TB);
	ctrl |= cap & (ACS_NEEDED | (pci_is_port(d) && !d->ats_below ? PCI_ACS_TB : 0));
	ctrl = pci_acs_configured(d, cap, ctrl);
	if (ctrl == old)
		return;
	if (d->quirks & PCI_QUIRK_ACS_DWORD)
		pci_write32(d, d->cap_acs + ACS_DWORD_CTRL, ctrl);
	else
		pci_write16(d, d->cap_acs + PCI_ACS_CTRL, (u16)ctrl);
}

/* The needed bits that are neither set nor hard-wired. */
static u32 acs_missing(const struct pci_dev *d)
{
	/* All ones: the function is gone, and says nothing that may be believed. */
	if (!d->cap_acs || pci_read32(d, PCI_VENDOR_ID) == ~0u)
		return ACS_NEEDED;
	return ACS_NEEDED & pci_read16(d, d->cap_acs + PCI_ACS_CAP) & ~acs_ctrl(d);
}

static const struct pci_dev *top(const struct pci_dev *d)
{
	return d->parent ? top(d->parent) : d;
}

bool pci_acs_pass_translated(struct pci_dev *d, char *why, size_t n)
{
	struct pci_dev *p;

	for (p = d->parent; p; p = p->parent) {
		if (pci_is_port(p) || p->type == PCI_UPSTREAM)
			continue;
		snprintf(why, n, "%s above it changes requester ids", p->name);
		return false;
	}
	pci_for_each(p) {
		if (!pci_is_port(p) || p->segment != d->segment || (p->type == PCI_DOWNSTREAM && top(p) != top(d)) ||
		    p->quirks & PCI_QUIRK_ISOLATED || !(acs_missing(p) & PCI_ACS_SV))
			continue;
		snprintf(why, n, "port %s lacks ACS SV: what is below it could send under its id", p->name);
		return false;
	}
	for (p = d->parent; p; p = p->parent) {
		p->ats_below = true;
		pci_acs_enable(p);
	}
	return true;
}

static bool acs_complete(const struct pci_dev *d, char *why, size_t n)
{
	u32 missing = acs_missing(d);

	if (missing)
		snprintf(why, n, "%s %s lacks ACS%s%s%s%s",
			 pci_is_port(d) ? "port" : pci_is_bridge(d) ? "bridge" : "multifunction device", d->name,
			 missing & PCI_ACS_SV ? " SV" : "", missing & PCI_ACS_RR ? " RR" : "",
			 missing & PCI_ACS_CR ? " CR" : "", missing & PCI_ACS_UF ? " UF" : "");
	return !missing;
}

bool pci_acs_isolated(const struct pci_dev *d, char *why, size_t n)
{
	if (n)
		why[0] = 0;
	if (d->quirks & PCI_QUIRK_ISOLATED)
		return true;
	if (pci_is_port(d))
		return acs_complete(d, why, n);
	if (d->type != PCI_CONVENTIONAL && PCI_FUNCTION_TYPES & BIT(d->type))
		return !d->multifunction || acs_complete(d, why, n);
	if (d->type == PCI_CONVENTIONAL)
		snprintf(why, n, "%s is a conventional %s", d->name,
			 pci_is_bridge(d) ? "bridge" : d->multifunction ? "multifunction device" : "device");
	else /* of a reserved type nothing is known */
		snprintf(why, n, "%s is a %s", d->name, pci_type_name(d));
	return false;
}
