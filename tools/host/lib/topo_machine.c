// SPDX-License-Identifier: GPL-2.0-only
/*
 * From a .topo file to groups, by the kernel's own code: config space is modelled function by
 * function, then pci_scan() and iommu_groups_build() run on it as they do at boot.
 *
 * What a file lists and the scan does not find — virtual functions, which answer no probe, or what
 * lies behind a bridge that the kernel does not follow — is read all the same and put where the file
 * says that it is, so that every function has a group.  What lies behind a VMD is no function of the
 * machine for the kernel: it belongs to the VMD, here too.
 */
#include <stdlib.h>

#include "iommu/iommu.h"
#include "kernel/options.h"
#include "pci/internal.h"
#include "tests/host/host.h"
#include "tests/host/pci_model.h"
#include "tools/host/lib/topo.h"

static bool below(const struct topo_fn *f, const struct topo_fn *bridge)
{
	return bridge->numbered && bridge->segment == f->segment && bridge->secondary > bridge->bus &&
	       f->bus >= bridge->secondary && f->bus <= bridge->subordinate;
}

static int find(const struct topo *t, u32 segment, u16 rid)
{
	for (unsigned i = 0; i < t->n; i++)
		if (t->fn[i].segment == segment && (t->fn[i].bus << 8 | t->fn[i].devfn) == rid)
			return (int)i;
	return -1;
}

/* The n-th VMD has the n-th of the segments behind VMDs; -1: there is none. */
static int vmd_of(const struct topo *t, u32 segment)
{
	int last = -1;
	u32 n = TOPO_VMD_SEGMENT;

	for (unsigned i = 0; i < t->n; i++) {
		if (t->fn[i].segment >= TOPO_VMD_SEGMENT || !strstr(t->fn[i].flags, "drv:vmd"))
			continue;
		last = (int)i;
		if (n++ == segment)
			break;
	}
	return last;
}

/* The innermost bridge around a function's bus; that of its physical function for a virtual one. */
static int parent_of(const struct topo *t, unsigned i)
{
	const struct topo_fn *f = &t->fn[i];
	int best = -1;

	if (f->virtual)
		return parent_of(t, (unsigned)find(t, f->pf_segment, f->pf_rid));
	for (unsigned k = 0; k < t->n; k++)
		if (below(f, &t->fn[k]) && (best < 0 || t->fn[k].secondary > t->fn[best].secondary))
			best = (int)k;
	return best < 0 && f->segment >= TOPO_VMD_SEGMENT ? vmd_of(t, f->segment) : best;
}

/* 0, 1 and 0xffff are no vendors: nobody would answer. Dumps without ids have them. */
static u16 vendor_of(const struct topo_fn *f)
{
	return f->vendor <= 1 || f->vendor == 0xffff ? 0xfffe : f->vendor;
}

#define RCBA 0xfed1c000u

/* The chipset of older Intel machines, whose ports without ACS it can keep apart. */
static void model_chipset(const struct topo_fn *f, struct model_fn *m)
{
	static u32 registers[0x4000 / 4];
	struct pci_dev d = { .vendor = f->vendor, .device = f->device, .type = f->type };

	if (!f->segment && !f->bus && f->devfn == 0xf8 && f->vendor == 0x8086 && !f->bridge) {
		host_mmio_reset();
		host_mmio_add(RCBA, sizeof(registers), NULL, registers);
		model_put(m, 0xf0, 4, RCBA | 1);
	}
	if (pci_quirks_of(&d) & PCI_QUIRK_PCH_PORT)
		memset(m->mask + 0xd8, 0xff, 4);
}

static void model_function(const struct topo_fn *f, bool enable)
{
	struct model_fn *first = model_fn_find((u16)f->segment, f->bus, f->devfn & ~7u);
	struct model_fn *m = model_fn_add((u16)f->segment, f->bus, f->devfn >> 3, f->devfn & 7, vendor_of(f), f->device,
					  (u32)f->class << 8);
	u16 writable = enable ? f->acs_cap : 0;

	if (f->multifunction && !f->virtual) {
		model_multifunction(m);
		if (first)
			model_multifunction(first);
	}
	if (f->bridge)
		model_bridge(m, f->secondary, f->subordinate);
	if (f->type != PCI_CONVENTIONAL)
		model_express(m, f->type, false);
	model_chipset(f, m);
	if (f->acs) {
		struct pci_dev d = { .vendor = f->vendor, .device = f->device, .type = f->type };

		/* What a dump shows is not the control register where that is a dword. */
		if (pci_quirks_of(&d) & PCI_QUIRK_ACS_DWORD)
			model_acs_dword(m, f->acs_cap, f->acs_cap, 0);
		else
			model_acs(m, f->acs_cap, f->acs_ctrl, writable);
	}
}

/* Function numbers above 7: each function names the next, and the port above forwards them. */
static void model_ari(const struct topo *t, unsigned i)
{
	const struct topo_fn *f = &t->fn[i], *port = f->parent < 0 ? NULL : &t->fn[f->parent];
	struct model_fn *m = model_fn_find((u16)f->segment, f->bus, f->devfn), *above;
	unsigned next = i + 1;
	u16 cap;

	if (!f->ari || f->virtual || f->bridge || f->type == PCI_CONVENTIONAL || !port || !port->bridge)
		return;
	while (next < t->n && t->fn[next].virtual)
		next++;
	cap = model_ext_cap(m, PCI_EXT_CAP_ID_ARI, 8);
	if (next < t->n && t->fn[next].segment == f->segment && t->fn[next].bus == f->bus)
		model_put(m, cap + PCI_ARI_CAP, 2, (u32)t->fn[next].devfn << 8);
	above = model_fn_find((u16)port->segment, port->bus, port->devfn);
	if (port->type != PCI_CONVENTIONAL)
		model_put(above, above->pcie + PCI_EXP_DEVCAP2, 4, PCI_EXP_DEVCAP2_ARI);
}

/* A function that the scan did not find. */
static struct pci_dev *add(struct topo *t, struct topo_fn *f)
{
	struct pci_dev *parent = f->parent < 0 ? NULL : t->fn[f->parent].dev, *d;

	if (parent) {
		parent->secondary = t->fn[f->parent].secondary; /* a bridge that is not followed has none */
		parent->subordinate = t->fn[f->parent].subordinate;
	}
	if (pci_dev_read((u16)f->segment, f->bus, f->devfn, parent, &d) || !d)
		abort();
	if (f->virtual)
		d->multifunction = false;
	pci_list_insert(d);
	f->unreached = !f->virtual && !f->ari; /* a file does not tell whether a port forwards ARI */
	return d;
}

/* With an AMD IOMMU, which the kernel does not know, Linux counts functions of the southbridge as isolated. */
static void isolate_southbridge(struct pci_dev *d)
{
	static const u32 ids[] = { 0x10024383, 0x10024385, 0x10024399, 0x1002439c, 0x1002439d, 0x10227809, 0x1022780f };

	for (unsigned i = 0; i < ARRAY_SIZE(ids); i++)
		if (d->multifunction && !d->parent && ids[i] == ((u32)d->vendor << 16 | d->device))
			d->quirks |= PCI_QUIRK_ISOLATED;
}

int topo_group(struct topo *t, const char *options, bool enable)
{
	static char words[1024];

	snprintf(words, sizeof(words), "%s", options);
	options_init(words);
	host_init();
	model_pci_clear();
	for (unsigned i = 0; i < t->n; i++) {
		struct topo_fn *f = &t->fn[i];

		f->parent = parent_of(t, i);
		if (f->segment < TOPO_VMD_SEGMENT)
			model_function(f, enable);
		else if (vmd_of(t, f->segment) < 0)
			return snprintf(t->error, sizeof(t->error), "segment %04x lies behind a VMD, and no function "
					"has the flag drv:vmd", f->segment), t->error_line = f->line, -1;
	}
	for (unsigned i = 0; i < t->n; i++)
		if (t->fn[i].segment < TOPO_VMD_SEGMENT)
			model_ari(t, i);
	model_pci_scan();
	for (unsigned i = 0; i < t->n; i++) {
		struct topo_fn *f = &t->fn[i];

		if (f->segment >= TOPO_VMD_SEGMENT)
			continue;
		f->dev = pci_find((u16)f->segment, f->bus, f->devfn);
		if (!f->dev)
			f->dev = add(t, f);
		isolate_southbridge(f->dev);
	}
	if (iommu_groups_build())
		abort();
	for (unsigned i = 0; i < t->n; i++)
		t->fn[i].group = (t->fn[i].dev ? t->fn[i].dev : t->fn[vmd_of(t, t->fn[i].segment)].dev)->group;
	return 0;
}
