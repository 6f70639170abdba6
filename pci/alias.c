// SPDX-License-Identifier: GPL-2.0-only
/*
 * Under which requester ids a function's requests reach the root complex.  Its own; those of known
 * misbehaviour, on the same bus; and those that bridges put in their place on the way up: a PCI
 * Express to PCI bridge sends as (secondary bus, 00.0) (PCIe-to-PCI Bridge 2.3), a conventional or a
 * PCI to PCI Express bridge as itself.  Ports and switches pass ids on.
 */
#include "pci/internal.h"

static unsigned add(struct pci_alias *out, unsigned n, const struct pci_dev *d, u8 bus, u8 devfn,
		    struct pci_dev *owner)
{
	for (unsigned i = 0; i < n; i++)
		if (out[i].bus == bus && out[i].devfn == devfn)
			return n;
	if (n == PCI_MAX_ALIASES) {
		log_warn("pci %s: more than %u requester ids; requests as %02x:%02x.%x are blocked", d->name,
			 PCI_MAX_ALIASES, bus, devfn >> 3, devfn & 7);
		return n;
	}
	out[n] = (struct pci_alias){ d->segment, bus, devfn, owner };
	return n + 1;
}

unsigned pci_dma_aliases(struct pci_dev *d, struct pci_alias *out)
{
	unsigned n = add(out, 0, d, d->bus, d->devfn, d);
	u8 slot = d->devfn & ~7u;

	if (d->quirks & PCI_QUIRK_ALIAS_FN0)
		n = add(out, n, d, d->bus, slot, d);
	if (d->quirks & PCI_QUIRK_ALIAS_FN1)
		n = add(out, n, d, d->bus, slot | 1, d);
	for (struct pci_dev *up = d->parent; up; up = up->parent) {
		if (pci_is_port(up) || up->type == PCI_UPSTREAM)
			continue;
		/* A conventional bridge on a PCI Express link only lacks the capability (ASM1083, IT8893). */
		if (up->type == PCI_PCIE_TO_PCI || (up->type == PCI_CONVENTIONAL && pci_is_port(up->parent)))
			n = add(out, n, d, up->secondary, 0, up);
		if (up->type != PCI_PCIE_TO_PCI)
			n = add(out, n, d, up->bus, up->devfn, up);
	}
	return n;
}
