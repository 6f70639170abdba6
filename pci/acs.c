// SPDX-License-Identifier: GPL-2.0-only
/*
 * Access control services (PCI Express 6.12, 7.7.11): switched on for every capable function at
 * enumeration and after every reset, and asked for when groups are made.  Needed for isolation are
 * source validation, request redirect, completion redirect and upstream forwarding; a bit that the
 * capability lacks counts as hard-wired.  Translation blocking is set on ports, since ATS is off;
 * egress control and direct translated peer-to-peer, which open ways around redirection, are cleared.
 */
#include <stdio.h>

#include "pci/internal.h"

#define ACS_NEEDED (PCI_ACS_SV | PCI_ACS_RR | PCI_ACS_CR | PCI_ACS_UF)
#define ACS_DWORD_CTRL 8 /* control of the ports whose registers are dwords */

static bool is_port(const struct pci_dev *d)
{
	return d->type == PCI_ROOT_PORT || d->type == PCI_DOWNSTREAM;
}

static u32 acs_cap(const struct pci_dev *d)
{
	return d->quirks & PCI_QUIRK_ACS_DWORD ? pci_read32(d, d->cap_acs + PCI_ACS_CAP) :
						 pci_read16(d, d->cap_acs + PCI_ACS_CAP);
}

static u32 acs_ctrl(const struct pci_dev *d)
{
	return d->quirks & PCI_QUIRK_ACS_DWORD ? pci_read32(d, d->cap_acs + ACS_DWORD_CTRL) :
						 pci_read16(d, d->cap_acs + PCI_ACS_CTRL);
}

void pci_acs_enable(struct pci_dev *d)
{
	u32 cap, old, ctrl;

	if (!d->cap_acs)
		return;
	cap = acs_cap(d);
	old = acs_ctrl(d);
	ctrl = old & ~(u32)(PCI_ACS_EC | PCI_ACS_DT);
	ctrl |= cap & (ACS_NEEDED | (is_port(d) ? PCI_ACS_TB : 0));
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
	return ACS_NEEDED & acs_cap(d) & ~acs_ctrl(d);
}

static bool acs_complete(const struct pci_dev *d, char *why, size_t n)
{
	u32 missing = acs_missing(d);

	if (missing)
		snprintf(why, n, "%s %s lacks ACS%s%s%s%s",
			 is_port(d) ? "port" : pci_is_bridge(d) ? "bridge" : "multifunction device", d->name,
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
	switch (d->type) {
	case PCI_CONVENTIONAL:
		snprintf(why, n, "%s is a conventional %s", d->name,
			 pci_is_bridge(d) ? "bridge" : d->multifunction ? "multifunction device" : "device");
		return false;
	case PCI_PCIE_TO_PCI:
	case PCI_PCI_TO_PCIE:
	case PCI_RC_EVENT:
	default: /* of a reserved type nothing is known */
		snprintf(why, n, "%s is a %s", d->name, pci_type_name(d));
		return false;
	case PCI_ROOT_PORT:
	case PCI_DOWNSTREAM:
		return acs_complete(d, why, n);
	case PCI_ENDPOINT:
	case PCI_LEGACY_ENDPOINT:
	case PCI_RC_ENDPOINT:
	case PCI_UPSTREAM:
		return !d->multifunction || acs_complete(d, why, n);
	}
}
