/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A machine for tests of iommu/vtd: software units, a DMAR table that names them, and PCI functions
 * that exist only as records with a command register.
 *
 *   unit 0, INCLUDE_PCI_ALL, also the IOAPIC's    unit 1: 00:02.0 and all below bridge 00:1d.0
 */
#ifndef TESTS_MODEL_VTD_RIG_H
#define TESTS_MODEL_VTD_RIG_H

#include "iommu/iommu.h"
#include "tests/model/vtd_unit.h"

enum rig_dev {
	RIG_NIC,     /* 01:00.0, behind root port 00:1c.0 */
	RIG_NVME,    /* 01:00.1 */
	RIG_LEGACY,  /* 03:01.0, behind the PCIe-to-PCI bridge 02:00.0: also sends as 03:00.0 */
	RIG_CARD,    /* 04:00.0, below 00:1d.0: unit 1 */
	RIG_DISPLAY, /* 00:02.0: unit 1; has an RMRR that is relaxable */
	RIG_ME,      /* 00:16.0: has one that is not */
	RIG_DEVS
};
#define RIG_BASE0 0xfed90000ull
#define RIG_BASE1 0xfeda0000ull

extern struct vm_unit *rig_unit[2];
extern struct pci_dev *rig_dev[RIG_DEVS];
extern struct iommu_group rig_group[RIG_DEVS];
extern u16 rig_command[65536]; /* PCI command registers by requester id */
extern u16 rig_ats[65536];     /* ATS control of NIC, NVME, LEGACY and CARD */
extern u16 rig_acs[65536];     /* ACS control of the root ports */
#define RIG_ATS_DEPTH 5        /* invalidations that they can queue */

extern const struct vm_config rig_plain; /* not coherent, 4-level, 2M 1G, page-selective, drains */

/* Units with these abilities (second NULL: as the first), functions and table; then vtd_init(). */
int rig_start(const struct vm_config *first, const struct vm_config *second);
/* The parts, for tests that come in between. */
void rig_build(const struct vm_config *first, const struct vm_config *second);
/* A DMAR table; returns its length. */
size_t rig_dmar(u8 *buf);
size_t rig_put(u8 *buf, size_t at, const u8 *bytes, size_t n);
/* Unit of a device, and a request of it. */
struct vm_unit *rig_unit_of(enum rig_dev d);
bool rig_dma(enum rig_dev d, u64 iova, bool write, paddr_t *pa);

#endif
