// SPDX-License-Identifier: GPL-2.0-only
/*
 * Functions whose config space does not tell the truth about isolation or requester ids.  Data only:
 * the code that acts on a flag stands in acs.c and alias.c.
 */
#include "pci/internal.h"

#define INTEL 0x8086
#define MARVELL 0x1b4b
#define BROADCOM 0x14e4

struct range { u16 vendor, first, last; }; /* device ids, inclusive */

/* Root ports of the 100 to 300 series: ACS registers are dwords. */
static const struct range acs_dword[] = {
	{ INTEL, 0xa110, 0xa11f }, { INTEL, 0xa167, 0xa16a }, { INTEL, 0xa290, 0xa29f }, { INTEL, 0xa2e7, 0xa2ee },
	{ INTEL, 0x9d10, 0x9d1b },
};

/* Root ports of the 5 to 9 series: Ibex Peak, Cougar, Panther, Lynx, Wildcat Point; Wellsburg; of
 * Patsburg and the last Lynx Point even ids only, pch_port_even. */
static const struct range pch_port[] = {
	{ INTEL, 0x3b42, 0x3b51 }, { INTEL, 0x1c10, 0x1c1f }, { INTEL, 0x1e10, 0x1e1f }, { INTEL, 0x8c10, 0x8c1f },
	{ INTEL, 0x9c10, 0x9c1b }, { INTEL, 0x9c90, 0x9c9b }, { INTEL, 0x8d10, 0x8d1e },
};
static const struct range pch_port_even[] = { { INTEL, 0x1d10, 0x1d1e }, { INTEL, 0x8c90, 0x8c9e } };

/* Network controllers whose makers state that their functions do no peer-to-peer. */
static const struct range isolated[] = {
	/* Intel 82598, 82599, X540 */
	{ INTEL, 0x10c6, 0x10c6 }, { INTEL, 0x10db, 0x10db }, { INTEL, 0x10dd, 0x10dd }, { INTEL, 0x10e1, 0x10e1 },
	{ INTEL, 0x10f1, 0x10f1 }, { INTEL, 0x10f7, 0x10fc }, { INTEL, 0x1507, 0x1507 }, { INTEL, 0x1514, 0x1514 },
	{ INTEL, 0x151c, 0x151c }, { INTEL, 0x1529, 0x152a }, { INTEL, 0x154d, 0x154d }, { INTEL, 0x154f, 0x154f },
	{ INTEL, 0x1551, 0x1551 }, { INTEL, 0x1558, 0x1558 },
	/* 82580, 82576, 82575 */
	{ INTEL, 0x1509, 0x1509 }, { INTEL, 0x150e, 0x1511 }, { INTEL, 0x1516, 0x1516 }, { INTEL, 0x1527, 0x1527 },
	{ INTEL, 0x10c9, 0x10c9 }, { INTEL, 0x10e6, 0x10e8 }, { INTEL, 0x150a, 0x150a }, { INTEL, 0x150d, 0x150d },
	{ INTEL, 0x1518, 0x1518 }, { INTEL, 0x1526, 0x1526 }, { INTEL, 0x10a7, 0x10a7 }, { INTEL, 0x10a9, 0x10a9 },
	{ INTEL, 0x10d6, 0x10d6 },
	/* I350, 82571, I219 */
	{ INTEL, 0x1521, 0x1524 }, { INTEL, 0x105e, 0x1060 }, { INTEL, 0x10d9, 0x10d9 }, { INTEL, 0x15b7, 0x15b8 },
	/* Solarflare SFN5000 to SFN8000, Emulex BE3 and Skyhawk, Broadcom BCM57414, BCM5750x and BCM5760x */
	{ 0x1924, 0x0903, 0x0903 }, { 0x1924, 0x0923, 0x0923 }, { 0x1924, 0x0a03, 0x0a03 }, { 0x19a2, 0x0710, 0x0710 },
	{ 0x10df, 0x0720, 0x0720 }, { BROADCOM, 0x16d7, 0x16d7 }, { BROADCOM, 0x1750, 0x1752 },
	{ BROADCOM, 0x1760, 0x1763 },
};

/* Send as function 0 of their slot, too: Ricoh. */
static const struct range alias_fn0[] = { { 0x1180, 0xe832, 0xe832 }, { 0x1180, 0xe476, 0xe476 } };

/* Send as function 1 of their slot, too: Marvell, HighPoint, JMicron JMB388, Plextor M6e. */
static const struct range alias_fn1[] = {
	{ MARVELL, 0x9120, 0x9120 }, { MARVELL, 0x9123, 0x9123 }, { MARVELL, 0x9125, 0x9125 }, { MARVELL, 0x9128, 0x9128 },
	{ MARVELL, 0x9130, 0x9130 }, { MARVELL, 0x9170, 0x9170 }, { MARVELL, 0x9172, 0x9172 }, { MARVELL, 0x917a, 0x917a },
	{ MARVELL, 0x9182, 0x9183 }, { MARVELL, 0x91a0, 0x91a0 }, { MARVELL, 0x9215, 0x9215 }, { MARVELL, 0x9220, 0x9220 },
	{ MARVELL, 0x9230, 0x9230 }, { MARVELL, 0x9235, 0x9235 }, { 0x1103, 0x0642, 0x0642 }, { 0x1103, 0x0645, 0x0645 },
	{ 0x197b, 0x2392, 0x2392 }, { 0x1c28, 0x0122, 0x0122 },
};

static const struct { const struct range *range; size_t n; u8 flag, odd; } quirks[] = {
	{ acs_dword, ARRAY_SIZE(acs_dword), PCI_QUIRK_ACS_DWORD, 1 },
	{ pch_port, ARRAY_SIZE(pch_port), PCI_QUIRK_PCH_PORT, 1 },
	{ pch_port_even, ARRAY_SIZE(pch_port_even), PCI_QUIRK_PCH_PORT, 0 },
	{ isolated, ARRAY_SIZE(isolated), PCI_QUIRK_ISOLATED, 1 },
	{ alias_fn0, ARRAY_SIZE(alias_fn0), PCI_QUIRK_ALIAS_FN0, 1 },
	{ alias_fn1, ARRAY_SIZE(alias_fn1), PCI_QUIRK_ALIAS_FN1, 1 },
};

u8 pci_quirks_of(const struct pci_dev *d)
{
	u8 flags = 0;

	for (size_t i = 0; i < ARRAY_SIZE(quirks); i++)
		for (const struct range *r = quirks[i].range; r < quirks[i].range + quirks[i].n; r++)
			if (r->vendor == d->vendor && d->device >= r->first && d->device <= r->last &&
			    (quirks[i].odd || !(d->device & 1)))
				flags |= quirks[i].flag;
	if (d->type != PCI_ROOT_PORT)
		flags &= (u8)~(PCI_QUIRK_ACS_DWORD | PCI_QUIRK_PCH_PORT);
	/* VT-d 3.16: endpoints integrated in Intel's root complex do no untranslated peer-to-peer. */
	if (d->vendor == INTEL && d->type == PCI_RC_ENDPOINT)
		flags |= PCI_QUIRK_ISOLATED;
	return flags;
}
