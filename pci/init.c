// SPDX-License-Identifier: GPL-2.0-only
/*
 * The start of PCI: config space found, every function enumerated and made quiet, and one line on
 * each.  From here on no function can send until an owner of its group switches its bus master on;
 * a panic takes them all away again.
 */
#include <stdio.h>

#include "kernel/initcall.h"
#include "pci/internal.h"

#define MAX_SEGMENTS 32

struct line {
	char text[256];
	size_t len;
};

static void printf_like(2, 3) add(struct line *l, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(l->text + l->len, sizeof(l->text) - l->len, fmt, ap);
	va_end(ap);
	if (n > 0)
		l->len = MIN(l->len + (size_t)n, sizeof(l->text) - 1);
}

/* Resizable BARs (7.8.6) stay as firmware left them: which sizes they could have, bit 0 for 1 MiB. */
static void add_rebars(const struct pci_dev *d, struct line *l)
{
	u16 cap = pci_find_ext_cap(d, PCI_EXT_CAP_ID_REBAR);
	unsigned n = cap ? FIELD_GET(PCI_REBAR_CTRL_NBAR_MASK, pci_read32(d, cap + PCI_REBAR_CTRL)) : 0;

	for (u16 at = cap; n && at + 12 <= PCI_CFG_EXPRESS; n--, at += 8)
		add(l, ", BAR%u resizable (sizes 0x%x)", pci_read8(d, at + PCI_REBAR_CTRL) & PCI_REBAR_CTRL_BAR_IDX,
		    pci_read32(d, at + PCI_REBAR_CAP) >> 4);
}

static void describe(const struct pci_dev *d, struct line *l)
{
	add(l, "pci %s [%04x:%04x] %06x %s", d->name, d->vendor, d->device, d->class, pci_type_name(d));
	if (pci_is_bridge(d) && d->secondary)
		add(l, ", buses %02x-%02x", d->secondary, d->subordinate);
	for (unsigned i = 0; i < PCI_BARS; i++) {
		const struct pci_bar *b = &d->bar[i];

		if (b->want)
			add(l, ", BAR%u %s 0x%llx+0x%llx", i, b->io ? "io" : b->mem64 ? "mem64" : "mem32",
			    (unsigned long long)b->base, (unsigned long long)b->want);
	}
	if (d->cap_msi)
		add(l, ", MSI %u", d->msi_vectors);
	if (d->msix_vectors)
		add(l, ", MSI-X %u", d->msix_vectors);
	if (d->cap_acs)
		add(l, ", ACS");
	if (pci_reset_method[PCI_RESET_FLR].has(d) || pci_reset_method[PCI_RESET_AF_FLR].has(d))
		add(l, ", FLR");
	if (d->ari)
		add(l, ", ARI");
	if (d->vmd)
		add(l, ", a VMD: the drives behind it are its own, send under its id and go with it");
	add_rebars(d, l);
}

static void panic_quiet(void)
{
	pci_ecam_panic();
	pci_clear_all_masters();
}

static int pci_init(void)
{
	struct pci_segment s[MAX_SEGMENTS];
	int n = pci_ecam_init(s, MAX_SEGMENTS);
	struct pci_dev *d;

	if (n < 0)
		return n;
	arch_on_panic(panic_quiet);
	for (int i = 0; i < n; i++) {
		int err = pci_scan(s[i].segment, s[i].bus_first, s[i].bus_last);

		if (err) {
			log_err("pci: out of memory while functions were listed");
			return err;
		}
	}
	pci_bars_check();
	pci_for_each(d) {
		struct line l = { .len = 0 };

		describe(d, &l);
		log_info("%s", l.text);
	}
	return 0;
}
INITCALL(INITCALL_PCI, pci_init);
