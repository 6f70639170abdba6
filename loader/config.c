/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Config space of a passed-through function as the guest sees it. Most of it is VFIO's config region,
 * which is itself virtualized and safe to write. Over it lie the loader's own bits: own[] says which
 * bits these are, value[] what they read, writable[] which of them the guest may change. They are
 * the BARs, the expansion ROM (none), the interrupt pin (none), the multi-function bit (none) and
 * the registers of MSI and MSI-X that say what the guest wants.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "loader/loader.h"

static uint32_t hardware_read(const struct device *dev, unsigned int offset, unsigned int len)
{
	uint32_t value = 0;

	if (pread(dev->fd, &value, len, (off_t)(dev->config.offset + offset)) != (ssize_t)len)
		return ~0u;
	return value;
}

static void hardware_write(const struct device *dev, unsigned int offset, unsigned int len,
			   uint32_t value)
{
	/* A refused write is one that has no effect, as with a real read-only register. */
	if (pwrite(dev->fd, &value, len, (off_t)(dev->config.offset + offset)) < 0)
		note("%s: config write of %u bytes at 0x%x refused", dev->bdf, len, offset);
}

static void own_set(struct device *dev, unsigned int offset, unsigned int len, uint32_t own,
		    uint32_t value, uint32_t writable)
{
	for (unsigned int i = 0; i < len; i++) {
		dev->own[offset + i] = (uint8_t)(own >> (8 * i));
		dev->value[offset + i] = (uint8_t)(value >> (8 * i));
		dev->writable[offset + i] = (uint8_t)(writable >> (8 * i));
	}
}

/* The BAR registers: zero addresses for now; bars_init() gives them values. */
static void config_bars(struct device *dev)
{
	for (unsigned int i = 0; i < NUM_BARS; i++) {
		unsigned int offset = PCI_BASE_ADDRESS_0 + 4 * i;
		uint64_t size = dev->region[i].size;
		uint32_t type = hardware_read(dev, offset, 4);
		bool io = type & PCI_BASE_ADDRESS_SPACE_IO;
		bool is64 = !io && (type & PCI_BASE_ADDRESS_MEM_TYPE_64);

		own_set(dev, offset, 4, ~0u, 0, 0);
		if (size == 0)
			continue;
		if (size & (size - 1)) {
			errno = 0;
			fail(NULL, "%s: BAR %u has the odd size 0x%llx", dev->bdf, i,
			     (unsigned long long)size);
		}
		dev->bar[i].size = size;
		dev->bar[i].io = io;
		dev->bar[i].is64 = is64;
		type &= io ? ~PCI_BASE_ADDRESS_IO_MASK : ~PCI_BASE_ADDRESS_MEM_MASK;
		own_set(dev, offset, 4, ~0u, type, (uint32_t)~(size - 1));
		if (is64 && i + 1 < NUM_BARS) {
			i++;
			own_set(dev, offset + 4, 4, ~0u, 0, (uint32_t)(~(size - 1) >> 32));
		}
	}
}

static void config_msi(struct device *dev, unsigned int cap)
{
	uint32_t flags = hardware_read(dev, cap + PCI_MSI_FLAGS, 2) & ~PCI_MSI_FLAGS_MASKBIT;
	unsigned int len = flags & PCI_MSI_FLAGS_64BIT ? 14 : 10;

	dev->msi_cap = cap;
	flags &= ~(uint32_t)(PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_QSIZE);
	own_set(dev, cap + PCI_MSI_FLAGS, 2, ~0u, flags,
		PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_QSIZE);
	for (unsigned int i = PCI_MSI_ADDRESS_LO; i < len; i++)
		own_set(dev, cap + i, 1, ~0u, 0, ~0u);
}

static void config_msix(struct device *dev, unsigned int cap)
{
	uint32_t table = hardware_read(dev, cap + PCI_MSIX_TABLE, 4);

	dev->msix_cap = cap;
	dev->msix_bar = table & PCI_MSIX_TABLE_BIR;
	dev->msix_offset = table & PCI_MSIX_TABLE_OFFSET;
	own_set(dev, cap + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL, 0,
		PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	if (dev->msix_bar >= NUM_BARS ||
	    dev->msix_offset + 16ULL * dev->msix_vectors > dev->region[dev->msix_bar].size) {
		errno = 0;
		fail(NULL, "%s: its MSI-X table lies outside its BARs", dev->bdf);
	}
}

static void config_capabilities(struct device *dev)
{
	unsigned int cap = hardware_read(dev, PCI_CAPABILITY_LIST, 1) & ~3u;

	/* 48 capabilities fill the space behind the header: more means a loop. */
	for (unsigned int n = 0; n < 48 && cap >= PCI_STD_HEADER_SIZEOF && cap < 0xf0; n++) {
		unsigned int id = hardware_read(dev, cap + PCI_CAP_LIST_ID, 1);

		if (id == PCI_CAP_ID_MSI && dev->msi_vectors && !dev->msi_cap)
			config_msi(dev, cap);
		if (id == PCI_CAP_ID_MSIX && dev->msix_vectors && !dev->msix_cap)
			config_msix(dev, cap);
		cap = hardware_read(dev, cap + PCI_CAP_LIST_NEXT, 1) & ~3u;
	}
}

void config_init(struct device *dev)
{
	if (dev->config.size < sizeof(dev->value)) {
		errno = 0;
		fail(NULL, "%s: its config space is too small", dev->bdf);
	}
	config_bars(dev);
	own_set(dev, PCI_ROM_ADDRESS, 4, ~0u, 0, 0);
	own_set(dev, PCI_INTERRUPT_PIN, 1, ~0u, 0, 0);
	own_set(dev, PCI_HEADER_TYPE, 1, 0x80, 0, 0);
	config_capabilities(dev);
}

uint32_t config_read(struct device *dev, unsigned int offset, unsigned int len)
{
	uint32_t value = hardware_read(dev, offset, len);

	for (unsigned int i = 0; i < len; i++) {
		uint32_t own = (uint32_t)dev->own[offset + i] << (8 * i);

		value &= ~own;
		value |= ((uint32_t)dev->value[offset + i] << (8 * i)) & own;
	}
	return value;
}

static bool overlaps(unsigned int offset, unsigned int len, unsigned int reg, unsigned int reg_len)
{
	return offset < reg + reg_len && reg < offset + len;
}

void config_write(struct device *dev, unsigned int offset, unsigned int len, uint32_t value)
{
	bool hardware = false;

	for (unsigned int i = 0; i < len; i++) {
		uint8_t byte = (uint8_t)(value >> (8 * i));
		uint8_t mask = dev->writable[offset + i];

		dev->value[offset + i] = (uint8_t)((dev->value[offset + i] & ~mask) | (byte & mask));
		if (dev->own[offset + i] != 0xff)
			hardware = true;
	}
	if (hardware)
		hardware_write(dev, offset, len, value);
	if (overlaps(offset, len, PCI_COMMAND, 2) ||
	    overlaps(offset, len, PCI_BASE_ADDRESS_0, 4 * NUM_BARS))
		bars_update(dev);
	if ((dev->msix_cap && overlaps(offset, len, dev->msix_cap + PCI_MSIX_FLAGS, 2)) ||
	    (dev->msi_cap && overlaps(offset, len, dev->msi_cap + PCI_MSI_FLAGS, 12)))
		msi_update(dev);
}
