// SPDX-License-Identifier: GPL-2.0-only
/*
 * Functions whose config space does not tell the truth about isolation or requester ids.  Data only:
 * the code that acts on a flag stands in acs.c and alias.c.  Left out on purpose: Intel root ports
 * without an ACS capability, which are isolated only after chipset registers were programmed; here
 * they count as not isolated.
 */
#include "pci/internal.h"

#define INTEL 0x8086
#define MARVELL 0x1b4b
#define RICOH 0x1180
#define JMICRON 0x197b

static const struct pci_quirk {
	u16 vendor, first, last; /* device ids, inclusive */
	u8 flags;
} quirks[] = {
	/* Intel root ports of the 100 to 300 series: ACS registers are dwords */
	{ INTEL, 0xa110, 0xa11f, PCI_QUIRK_ACS_DWORD },
	{ INTEL, 0xa167, 0xa16a, PCI_QUIRK_ACS_DWORD },
	{ INTEL, 0xa290, 0xa29f, PCI_QUIRK_ACS_DWORD },
	{ INTEL, 0xa2e7, 0xa2ee, PCI_QUIRK_ACS_DWORD },
	{ INTEL, 0x9d10, 0x9d1b, PCI_QUIRK_ACS_DWORD },
	/* Intel network controllers: 82598, 82599, X540 */
	{ INTEL, 0x10c6, 0x10c6, PCI_QUIRK_ISOLATED },
	{ INTEL, 0x10db, 0x10db, PCI_QUIRK_ISOLATED },
	{ INTEL, 0x10dd, 0x10dd, PCI_QUIRK_ISOLATED },
	{ INTEL, 0x10e1, 0x10e1, PCI_QUIRK_ISOLATED },
	{ INTEL, 0x10f1, 0x10f1, PCI_QUIRK_ISOLATED },
	{ INTEL, 0x10f7, 0x10fc, PCI_QUIRK_ISOLATED },
	{ INTEL, 0x1507, 0x1507, PCI_QUIRK_ISOLATED },
	{ INTEL, 0x1514, 0x1514, PCI_QUIRK_ISOLATED },
	{ INTEL, 0x151c, 0x151c, PCI_QUIRK_ISOLATED },
	{ INTEL, 0x1529, 0x152a, PCI_QUIRK_ISOLATED },
	{ INTEL, 0x154d, 0x154d, PCI_QUIRK_ISOLATED },
	{ INTEL, 0x154f, 0x154f, PCI_QUIRK_ISOLATED },
	{ INTEL, 0x1551, 0x1551, PCI_QUIRK_ISOLATED },
	{ INTEL, 0x1558, 0x1558, PCI_QUIRK_ISOLATED },
	/* 82580 */
	{ INTEL, 0x1509, 0x1509, PCI_QUIRK_ISOLATED },
	{ INTEL, 0x150e, 0x1511, PCI_QUIRK_ISOLATED },
	{ INTEL, 0x1516, 0x1516, PCI_QUIRK_ISOLATED },
	{ INTEL, 0x1527, 0x1527, PCI_QUIRK_ISOLATED },
	/* 82576 */
	{ INTEL, 0x10c9, 0x10c9, PCI_QUIRK_ISOLATED },
	{ INTEL, 0x10e6, 0x10e8, PCI_QUIRK_ISOLATED },
	{ INTEL, 0x150a, 0x150a, PCI_QUIRK_ISOLATED },
	{ INTEL, 0x150d, 0x150d, PCI_QUIRK_ISOLATED },
	{ INTEL, 0x1518, 0x1518, PCI_QUIRK_ISOLATED },
	{ INTEL, 0x1526, 0x1526, PCI_QUIRK_ISOLATED },
	/* 82575 */
	{ INTEL, 0x10a7, 0x10a7, PCI_QUIRK_ISOLATED },
	{ INTEL, 0x10a9, 0x10a9, PCI_QUIRK_ISOLATED },
	{ INTEL, 0x10d6, 0x10d6, PCI_QUIRK_ISOLATED },
	/* I350, 82571, I219 */
	{ INTEL, 0x1521, 0x1524, PCI_QUIRK_ISOLATED },
	{ INTEL, 0x105e, 0x1060, PCI_QUIRK_ISOLATED },
	{ INTEL, 0x10d9, 0x10d9, PCI_QUIRK_ISOLATED },
	{ INTEL, 0x15b7, 0x15b8, PCI_QUIRK_ISOLATED },
	/* Requests under another function's id */
	{ RICOH, 0xe832, 0xe832, PCI_QUIRK_ALIAS_FN0 },
	{ RICOH, 0xe476, 0xe476, PCI_QUIRK_ALIAS_FN0 },
	{ MARVELL, 0x9120, 0x9120, PCI_QUIRK_ALIAS_FN1 },
	{ MARVELL, 0x9123, 0x9123, PCI_QUIRK_ALIAS_FN1 },
	{ MARVELL, 0x9125, 0x9125, PCI_QUIRK_ALIAS_FN1 },
	{ MARVELL, 0x9128, 0x9128, PCI_QUIRK_ALIAS_FN1 },
	{ MARVELL, 0x9130, 0x9130, PCI_QUIRK_ALIAS_FN1 },
	{ MARVELL, 0x9170, 0x9170, PCI_QUIRK_ALIAS_FN1 },
	{ MARVELL, 0x9172, 0x9172, PCI_QUIRK_ALIAS_FN1 },
	{ MARVELL, 0x917a, 0x917a, PCI_QUIRK_ALIAS_FN1 },
	{ MARVELL, 0x9182, 0x9183, PCI_QUIRK_ALIAS_FN1 },
	{ MARVELL, 0x91a0, 0x91a0, PCI_QUIRK_ALIAS_FN1 },
	{ MARVELL, 0x9215, 0x9215, PCI_QUIRK_ALIAS_FN1 },
	{ MARVELL, 0x9220, 0x9220, PCI_QUIRK_ALIAS_FN1 },
	{ MARVELL, 0x9230, 0x9230, PCI_QUIRK_ALIAS_FN1 },
	{ MARVELL, 0x9235, 0x9235, PCI_QUIRK_ALIAS_FN1 },
	{ JMICRON, 0x2392, 0x2392, PCI_QUIRK_ALIAS_FN1 }, /* JMB388 */
};

u8 pci_quirks_of(const struct pci_dev *d)
{
	u8 flags = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(quirks); i++)
		if (quirks[i].vendor == d->vendor && d->device >= quirks[i].first && d->device <= quirks[i].last)
			flags |= quirks[i].flags;
	/* VT-d 3.16: endpoints integrated in Intel's root complex do no untranslated peer-to-peer. */
	if (d->vendor == INTEL && d->type == PCI_RC_ENDPOINT)
		flags |= PCI_QUIRK_ISOLATED;
	return flags;
}
