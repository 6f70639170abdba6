// SPDX-License-Identifier: GPL-2.0-only
/* Names of device classes (PCI Code and ID Assignment 1.11, chapter 1), short enough for a drawing. */
#include "tools/host/lib/topo.h"

static const struct { u16 class; const char *name; } names[] = {
	{ 0x0000, "unclassified" }, { 0x0100, "SCSI controller" }, { 0x0101, "IDE controller" }, { 0x0104, "RAID controller" },
	{ 0x0106, "SATA controller" }, { 0x0107, "SAS controller" }, { 0x0108, "NVMe drive" }, { 0x0180, "storage" },
	{ 0x0200, "Ethernet" }, { 0x0207, "InfiniBand" }, { 0x0280, "network controller" },
	{ 0x0300, "VGA display" }, { 0x0302, "3D controller" }, { 0x0380, "display controller" },
	{ 0x0400, "video device" }, { 0x0401, "audio device" }, { 0x0403, "audio device" },
	{ 0x0500, "RAM" }, { 0x0580, "memory controller" },
	{ 0x0600, "host bridge" }, { 0x0601, "ISA bridge" }, { 0x0604, "PCI bridge" }, { 0x0680, "bridge" },
	{ 0x0700, "serial port" }, { 0x0703, "modem" }, { 0x0780, "communication" },
	{ 0x0800, "PIC" }, { 0x0801, "DMA controller" }, { 0x0805, "SD controller" }, { 0x0806, "IOMMU" },
	{ 0x0807, "event collector" }, { 0x0880, "system peripheral" },
	{ 0x0c00, "FireWire" }, { 0x0c03, "USB controller" }, { 0x0c05, "SMBus" }, { 0x0c80, "serial bus" },
	{ 0x0d11, "Bluetooth" }, { 0x0d80, "wireless" }, { 0x1000, "encryption" }, { 0x1080, "encryption" },
	{ 0x0b40, "coprocessor" }, { 0x1101, "performance counters" }, { 0x1180, "signal processing" }, { 0x1200, "accelerator" }, { 0xff00, "special" },
};

const char *topo_class_name(u16 class)
{
	static char unknown[16];

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].class == class)
			return names[i].name;
	snprintf(unknown, sizeof(unknown), "class %04x", class);
	return unknown;
}
