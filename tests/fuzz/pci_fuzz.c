// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random config space: enumeration, capability walks, BAR sizing, groups and a reset must end, within
 * a bounded number of accesses, whatever the registers hold and whatever becomes of what is written.
 *
 * The input describes up to 16 functions: address, what kind, which bits are writable, how many bytes
 * of config space follow (from the device id on), then the bytes.
 */
#include <stdlib.h>

#include "iommu/iommu.h"
#include "pci/internal.h"
#include "tests/host/host.h"
#include "tests/host/pci_model.h"

#define MAX_FUNCTIONS 16
#define MAX_READS 3000000u

struct input {
	const u8 *p;
	size_t n;
};

static u8 take(struct input *in)
{
	if (!in->n)
		return 0;
	in->n--;
	return *in->p++;
}

static void function(struct input *in)
{
	u8 bus = take(in), devfn = take(in), kind = take(in), writable = take(in);
	unsigned len = take(in) * 4u;
	struct model_fn *f = model_fn_find(0, bus & 7, devfn);

	if (!f)
		f = model_fn_add(0, bus & 7, devfn >> 3, devfn & 7, 0x8086, 0x100e, 0x020000);
	if (kind & 1)
		model_express(f, kind >> 4, kind & 2);
	if (kind & 2)
		model_acs(f, take(in), take(in), take(in));
	if (kind & 4)
		model_bridge(f, take(in), take(in));
	for (unsigned i = 2; i < len && i < sizeof(f->cfg) && in->n; i++)
		f->cfg[i] = take(in);
	memcpy(f->start, f->cfg, sizeof(f->cfg));
	for (unsigned i = 4; i < sizeof(f->mask); i++)
		f->mask[i] |= kind & 8 ? writable : 0;
	f->reset = bus >> 5 < 6 ? bus >> 5 : 0;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input in = { data, size };
	struct pci_alias alias[PCI_MAX_ALIASES];
	struct pci_saved saved;
	struct pci_dev *d;
	int err;

	host_init();
	host_time_step = NS_PER_MS; /* resets wait for a minute */
	model_pci_clear();
	for (unsigned i = 0; i < MAX_FUNCTIONS && in.n; i++)
		function(&in);
	if (!model_fn_first())
		return 0;
	model_pci_scan();
	if (iommu_groups_build())
		abort();
	pci_for_each(d) {
		unsigned n = pci_dma_aliases(d, alias);

		if (n < 1 || n > PCI_MAX_ALIASES || !d->group)
			abort();
		if (d->parent && (d->parent->bus >= d->bus || d->bus != d->parent->secondary))
			abort();
		for (unsigned i = 0; i < PCI_BARS; i++)
			if (d->bar[i].size & (d->bar[i].size - 1) || (d->bar[i].base & (d->bar[i].size - 1) && d->bar[i].size))
				abort();
		pci_save(d, &saved);
		pci_restore(d, &saved);
		err = pci_reset(d);
		if ((err && err != -ENOTTY && pci_dev_usable(d)) || d->resetting)
			abort();
	}
	if (model_reads > MAX_READS)
		abort();
	pci_forget_all();
	return 0;
}
