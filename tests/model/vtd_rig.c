/* SPDX-License-Identifier: GPL-2.0-only */
/* Functions, DMAR table and units of the test machine. */
#include <stdio.h>

#include "iommu/vtd/vtd.h"
#include "kernel/frames.h"
#include "kernel/sched.h"
#include "tests/host/host.h"
#include "tests/model/vtd_rig.h"

struct vm_unit *rig_unit[2];
struct pci_dev *rig_dev[RIG_DEVS];
struct iommu_group rig_group[RIG_DEVS];
u16 rig_command[65536];
u16 rig_ats[65536];
u16 rig_acs[65536];

const struct vm_config rig_plain = {
	.sagaw = 6, .large = 3, .width = 48, .max_mask = 18, .nd = 2, .records = 4, .record_offset = 0x220,
	.remap = true, .eim = true, .drain = true,
};

#define ACS (PCI_ACS_SV | PCI_ACS_TB | PCI_ACS_RR | PCI_ACS_CR | PCI_ACS_UF)

static bool has_ats(u16 rid)
{
	for (unsigned i = RIG_NIC; i <= RIG_CARD; i++)
		if (pci_rid(rig_dev[i]) == rid)
			return true;
	return false;
}

static u32 cfg_read(u16 segment, u8 bus, u8 devfn, u16 off, unsigned size)
{
	u16 rid = (u16)(bus << 8 | devfn);

	(void)segment;
	(void)size;
	switch (off) {
	case PCI_COMMAND: return rig_command[rid];
	case 0x100: return has_ats(rid) ? 1u << 16 | PCI_EXT_CAP_ID_ATS : 0;
	case 0x100 + PCI_ATS_CAP: return RIG_ATS_DEPTH;
	case 0x100 + PCI_ATS_CTRL: return rig_ats[rid];
	case 0x200 + PCI_ACS_CAP: return ACS;
	case 0x200 + PCI_ACS_CTRL: return rig_acs[rid];
	default: return 0;
	}
}

static void cfg_write(u16 segment, u8 bus, u8 devfn, u16 off, unsigned size, u32 v)
{
	(void)segment;
	(void)size;
	if (off == PCI_COMMAND)
		rig_command[bus << 8 | devfn] = (u16)v;
	if (off == 0x200 + PCI_ACS_CTRL)
		rig_acs[bus << 8 | devfn] = (u16)v;
	if (off != 0x100 + PCI_ATS_CTRL || !has_ats((u16)(bus << 8 | devfn)))
		return;
	rig_ats[bus << 8 | devfn] = (u16)v;
	vm_device_enable(rig_unit[bus == 4], (u16)(bus << 8 | devfn), v & PCI_ATS_CTRL_ENABLE);
}

static const struct pci_cfg_ops cfg_ops = { cfg_read, cfg_write };

static struct pci_dev *add(u8 bus, u8 slot, u8 fn, struct pci_dev *parent, enum pci_type type, u8 secondary,
			   u32 class)
{
	struct pci_dev *d = kzalloc(sizeof(*d));

	d->bus = bus;
	d->devfn = (u8)(slot << 3 | fn);
	d->parent = parent;
	d->type = type;
	d->class = class;
	d->cfg_size = 4096;
	d->header_type = secondary ? 1 : 0;
	d->secondary = d->subordinate = secondary;
	d->cap_acs = type == PCI_ROOT_PORT ? 0x200 : 0;
	rig_acs[pci_rid(d)] = ACS;
	snprintf(d->name, sizeof(d->name), "0000:%02x:%02x.%x", bus, slot, fn);
	rig_command[pci_rid(d)] = PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY;
	TAILQ_INSERT_TAIL(&pci_devices, d, link);
	return d;
}

static void functions(void)
{
	struct pci_dev *port, *bridge;

	TAILQ_INIT(&pci_devices);
	pci_set_cfg_ops(&cfg_ops);
	rig_dev[RIG_DISPLAY] = add(0, 2, 0, NULL, PCI_RC_ENDPOINT, 0, 0x030000);
	rig_dev[RIG_ME] = add(0, 0x16, 0, NULL, PCI_RC_ENDPOINT, 0, 0x078000);
	port = add(0, 0x1c, 0, NULL, PCI_ROOT_PORT, 1, 0x060400);
	rig_dev[RIG_NIC] = add(1, 0, 0, port, PCI_ENDPOINT, 0, 0x020000);
	rig_dev[RIG_NVME] = add(1, 0, 1, port, PCI_ENDPOINT, 0, 0x010802);
	port = add(0, 0x1c, 1, NULL, PCI_ROOT_PORT, 2, 0x060400);
	bridge = add(2, 0, 0, port, PCI_PCIE_TO_PCI, 3, 0x060400);
	rig_dev[RIG_LEGACY] = add(3, 1, 0, bridge, PCI_CONVENTIONAL, 0, 0x020000);
	port = add(0, 0x1d, 0, NULL, PCI_ROOT_PORT, 4, 0x060400);
	rig_dev[RIG_CARD] = add(4, 0, 0, port, PCI_ENDPOINT, 0, 0x010802);
	for (unsigned i = 0; i < RIG_DEVS; i++) {
		rig_group[i] = (struct iommu_group){ .id = i, .ndevs = 1, .dev = { rig_dev[i] }, .owner = "test[1]" };
		rig_dev[i]->group = &rig_group[i];
	}
}

size_t rig_put(u8 *buf, size_t at, const u8 *bytes, size_t n)
{
	memcpy(buf + at, bytes, n);
	at += n;
	buf[4] = (u8)at;
	buf[5] = (u8)(at >> 8);
	return at;
}
#define PUT(...) at = rig_put(buf, at, (const u8[]){ __VA_ARGS__ }, sizeof((const u8[]){ __VA_ARGS__ }))

size_t rig_dmar(u8 *buf)
{
	size_t at = 48;

	memset(buf, 0, 48);
	memcpy(buf, "DMAR", 4);
	buf[36] = 47;
	buf[37] = 1;
	/* DRHD, unit 1: endpoint 00:02.0, bridge 00:1d.0 */
	PUT(0, 0, 32, 0, 0, 0, 0, 0, 0x00, 0x00, 0xda, 0xfe, 0, 0, 0, 0, 1, 8, 0, 0, 0, 0, 2, 0, 2, 8, 0, 0, 0, 0, 0x1d, 0);
	/* DRHD, unit 0: INCLUDE_PCI_ALL, IOAPIC 0 at f0:1f.0 */
	PUT(0, 0, 24, 0, 1, 0, 0, 0, 0x00, 0x00, 0xd9, 0xfe, 0, 0, 0, 0, 3, 8, 0, 0, 0, 0xf0, 0x1f, 0);
	/* RMRR 0x7b800000-0x7fffffff for 00:02.0, 0x9e000-0x9efff for 00:16.0 */
	PUT(1, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x7b, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0, 1, 8, 0, 0, 0, 0,
	    2, 0);
	PUT(1, 0, 32, 0, 0, 0, 0, 0, 0, 0xe0, 9, 0, 0, 0, 0, 0, 0xff, 0xef, 9, 0, 0, 0, 0, 0, 1, 8, 0, 0, 0, 0, 0x16, 0);
	/* ATSR: root ports 00:1c.0 and 00:1d.0 */
	PUT(2, 0, 24, 0, 0, 0, 0, 0, 2, 8, 0, 0, 0, 0, 0x1c, 0, 2, 8, 0, 0, 0, 0, 0x1d, 0);
	PUT(99, 0, 6, 0, 1, 2); /* a type nobody knows */
	return at;
}

void rig_build(const struct vm_config *first, const struct vm_config *second)
{
	host_init();
	host_time_step = 1000;
	vm_forget_all();
	TAILQ_INIT(&this_cpu()->timers); /* of units that are gone */
	TAILQ_INIT(&vtd_units);
	TAILQ_INIT(&vtd_domains);
	functions();
	rig_unit[0] = vm_unit_create(RIG_BASE0, first);
	rig_unit[1] = vm_unit_create(RIG_BASE1, second ? second : first);
	memset(rig_ats, 0, sizeof(rig_ats));
	for (unsigned i = RIG_NIC; i <= RIG_CARD; i++)
		vm_device_add(rig_unit_of(i), pci_rid(rig_dev[i]), RIG_ATS_DEPTH);
}

int rig_start(const struct vm_config *first, const struct vm_config *second)
{
	u8 buf[512];

	rig_build(first, second);
	return vtd_init(buf, rig_dmar(buf));
}

struct vm_unit *rig_unit_of(enum rig_dev d)
{
	return rig_unit[d == RIG_CARD || d == RIG_DISPLAY];
}

bool rig_dma(enum rig_dev d, u64 iova, bool write, paddr_t *pa)
{
	return vm_device_dma(rig_unit_of(d), pci_rid(rig_dev[d]), iova, write, pa);
}
