// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/bus/pci/devices/BDF: what VFIO programs read before they open anything, in Linux's formats.
 * All is read only but `reset` and `reset_method` (pci/reset_methods.c); config space is shown as hardware
 * has it, and written only through VFIO.  The link to the group is made by iommu/, which knows it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "kernel/file.h"
#include "kernel/initcall.h"
#include "pci/internal.h"

/* Resource flags as Linux prints them in `resource`. */
#define RES_IO 0x100ull
#define RES_MEM 0x200ull
#define RES_PREFETCH 0x2000ull
#define RES_READONLY 0x4000ull
#define RES_SIZEALIGN 0x40000ull
#define RES_MEM_64 0x100000ull

PCI_SHOW(vendor, "0x%04x", vendor)
PCI_SHOW(device, "0x%04x", device)
PCI_SHOW(subsystem_vendor, "0x%04x", subsystem_vendor)
PCI_SHOW(subsystem_device, "0x%04x", subsystem_device)
PCI_SHOW(class, "0x%06x", class)
PCI_SHOW(revision, "0x%02x", revision)

/* One node: that is what the machine's memory is to us. */
static s64 show_numa_node(struct node *, char *buf, size_t cap)
{
	return snprintf(buf, cap, "-1\n");
}

static u64 resource_flags(const struct pci_bar *b, bool rom)
{
	u64 f = RES_SIZEALIGN | (b->io ? RES_IO | PCI_BASE_ADDRESS_SPACE_IO : RES_MEM);

	if (rom)
		f |= RES_READONLY | RES_PREFETCH;
	if (b->prefetch)
		f |= RES_PREFETCH | PCI_BASE_ADDRESS_MEM_PREFETCH;
	if (b->mem64)
		f |= RES_MEM_64 | PCI_BASE_ADDRESS_MEM_TYPE_64;
	return f;
}

/* Six BARs, the ROM, six BARs of VFs: start, end, flags; zeros when unused. */
static s64 show_resource(struct node *n, char *buf, size_t cap)
{
	struct pci_dev *d = node_priv(n);
	size_t len = 0;

	for (unsigned i = 0; i < PCI_REGIONS && len < cap; i++) {
		const struct pci_bar *b = pci_bar_of(d, i);

		len += (size_t)snprintf(buf + len, cap - len, "0x%016llx 0x%016llx 0x%016llx\n",
					(unsigned long long)b->base,
					(unsigned long long)(b->size ? b->base + b->size - 1 : 0),
					(unsigned long long)(b->size ? resource_flags(b, i == PCI_BARS) : 0));
	}
	return (s64)MIN(len, cap);
}

/* Each register by the width that alignment allows, as a program's own accesses would be. */
static s64 read_config(struct node *n, u64 off, void *buf, size_t len)
{
	const struct pci_dev *d = node_priv(n);
	u8 *out = buf;
	size_t done = 0, step;

	if (off >= d->cfg_size)
		return 0;
	for (len = MIN(len, d->cfg_size - off); done < len; done += step) {
		u16 reg = (u16)(off + done);
		u32 v;

		for (step = 4; !IS_ALIGNED(reg, step) || len - done < step; step /= 2)
			;
		v = pci_read(d, reg, (unsigned)step);
		memcpy(out + done, &v, step);
	}
	return (s64)done;
}

static const struct pci_attribute attributes[] = {
	{ "vendor", { .show = show_vendor, .mode = 0444 } },
	{ "device", { .show = show_device, .mode = 0444 } },
	{ "subsystem_vendor", { .show = show_subsystem_vendor, .mode = 0444 } },
	{ "subsystem_device", { .show = show_subsystem_device, .mode = 0444 } },
	{ "class", { .show = show_class, .mode = 0444 } },
	{ "revision", { .show = show_revision, .mode = 0444 } },
	{ "resource", { .show = show_resource, .mode = 0444 } },
	{ "numa_node", { .show = show_numa_node, .mode = 0444 } },
};
static const struct node_ops config_256 = { .bin_read = read_config, .bin_size = PCI_CFG_CONVENTIONAL, .mode = 0444 };
static const struct node_ops config_4096 = { .bin_read = read_config, .bin_size = PCI_CFG_EXPRESS, .mode = 0444 };

u64 pci_number(const char *text)
{
	char *end;
	u64 v = strtoull(text, &end, 0);

	return end == text || *text == '-' || (*end && strcmp(end, "\n")) ? ~0ull : v;
}

bool pci_nodes_add(struct pci_dev *d, const struct pci_attribute *a, unsigned n)
{
	bool ok = true;

	for (; ok && n; n--, a++)
		ok = node_addf(&a->ops, d, PCI_SYSFS "/%s/%s", d->name, a->name);
	return ok;
}

int pci_sysfs_add(struct pci_dev *d)
{
	const struct node_ops *config = d->cfg_size == PCI_CFG_EXPRESS ? &config_4096 : &config_256;

	/* Every function that is not a bridge is ours to hand out. */
	return node_addf(config, d, PCI_SYSFS "/%s/config", d->name) &&
	       pci_nodes_add(d, attributes, ARRAY_SIZE(attributes)) &&
	       pci_reset_nodes(d) && pci_aer_nodes(d) && pci_sriov_nodes(d) &&
	       (d->header_type != PCI_HEADER_TYPE_NORMAL ||
		node_symlinkf("../../../../bus/pci/drivers/vfio-pci", PCI_SYSFS "/%s/driver", d->name)) ? 0 : -ENOMEM;
}

void pci_sysfs_remove(struct pci_dev *d)
{
	char path[64];

	snprintf(path, sizeof(path), PCI_SYSFS "/%s", d->name);
	node_remove(path);
	if (d->pf)
		pci_sriov_unlink(d);
}

static int pci_sysfs_init(void)
{
	struct pci_dev *d;

	if (!node_add_dir(PCI_SYSFS) || !node_add_dir("/sys/bus/pci/drivers/vfio-pci"))
		return -ENOMEM;
	pci_for_each(d)
		if (pci_sysfs_add(d))
			return -ENOMEM;
	return 0;
}
INITCALL(INITCALL_DEVICES, pci_sysfs_init);
