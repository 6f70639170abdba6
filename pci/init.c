// SPDX-License-Identifier: GPL-2.0-only
/*
 * The start of PCI: config space found, every function enumerated and made quiet, and one line on
 * each.  From here on no function can send until an owner of its group switches its bus master on;
 * a panic takes them all away again.
 */
#include <stdio.h>
#include <string.h>

#include "kernel/initcall.h"
#include "pci/internal.h"

#define MAX_SEGMENTS 32

/* To the end of the text, as much as fits. */
#define add(text, ...) ((void)snprintf((text) + strlen(text), LINE - strlen(text), __VA_ARGS__))
#define LINE 256

static void describe(const struct pci_dev *d, char *text)
{
	u16 cap = pci_find_ext_cap(d, PCI_EXT_CAP_ID_REBAR);
	unsigned n = cap ? FIELD_GET(PCI_REBAR_CTRL_NBAR_MASK, pci_read32(d, cap + PCI_REBAR_CTRL)) : 0;

	snprintf(text, LINE, "pci %s [%04x:%04x] %06x %s", d->name, d->vendor, d->device, d->class, pci_type_name(d));
	if (pci_is_bridge(d) && d->secondary)
		add(text, ", buses %02x-%02x", d->secondary, d->subordinate);
	for (unsigned i = 0; i < PCI_BARS; i++) {
		const struct pci_bar *b = &d->bar[i];

		if (b->want)
			add(text, ", BAR%u %s 0x%llx+0x%llx", i, b->io ? "io" : b->mem64 ? "mem64" : "mem32",
			    (unsigned long long)b->base, (unsigned long long)b->want);
	}
	if (d->cap_msi)
		add(text, ", MSI %u", d->msi_vectors);
	if (d->msix_vectors)
		add(text, ", MSI-X %u", d->msix_vectors);
	add(text, "%s%s%s%s", d->cap_acs ? ", ACS" : "",
	    pci_reset_method[PCI_RESET_FLR].has(d) || pci_reset_method[PCI_RESET_AF_FLR].has(d) ? ", FLR" : "",
	    d->ari ? ", ARI" : "",
	    d->vmd ? ", a VMD: the drives behind it are its own, send under its id and go with it" : "");
	/* Resizable BARs (7.8.6) stay as firmware left them: which sizes they could have, bit 0 for 1 MiB. */
	for (u16 at = cap; n && at + 12 <= PCI_CFG_EXPRESS; n--, at += 8)
		add(text, ", BAR%u resizable (sizes 0x%x)", pci_read8(d, at + PCI_REBAR_CTRL) & PCI_REBAR_CTRL_BAR_IDX,
		    pci_read32(d, at + PCI_REBAR_CAP) >> 4);
}

void pci_panic(void)
{
	struct pci_dev *d;

	pci_ecam_panic();
	pci_for_each(d)
		pci_set_master(d, false);
}

static int pci_init(void)
{
	struct pci_segment s[MAX_SEGMENTS];
	int n = pci_ecam_init(s, MAX_SEGMENTS);
	struct pci_dev *d;

	if (n < 0)
		return n;
	arch_on_panic(pci_panic);
	for (int i = 0; i < n; i++) {
		if (!pci_scan(s[i].segment, s[i].bus_first, s[i].bus_last))
			continue;
		log_err("pci: out of memory while functions were listed");
		return -ENOMEM;
	}
	pci_bars_check();
	pci_for_each(d) {
		char text[LINE];

		describe(d, text);
		log_info("%s", text);
	}
	return 0;
}
INITCALL(INITCALL_PCI, pci_init);
