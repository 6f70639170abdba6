/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's PCI bus 0: a host bridge at 00:00.0 and the passed-through devices from 00:01.0 on,
 * one function each, reached by configuration mechanism #1 (PCI Local Bus 3.0, 3.2.2.3.2): an
 * address in port 0xcf8, data through ports 0xcfc-0xcff. Everything else reads all ones.
 */
#include <string.h>

#include "loader/loader.h"

#define CONFIG_ADDRESS		0xcf8
#define CONFIG_DATA		0xcfc

#define ADDRESS_ENABLE		(1u << 31)
#define ADDRESS_WRITABLE	(ADDRESS_ENABLE | 0x00fffffc)

/* The bridge has the identity of Red Hat's generic PCIe host bridge: no driver claims it. */
#define BRIDGE_VENDOR		0x1b36
#define BRIDGE_DEVICE		0x0008

static struct {
	uint32_t address;
	struct device *devs;
	unsigned int count;
	uint8_t bridge[PCI_STD_HEADER_SIZEOF];
} host;

void pci_host_init(struct device *devs, unsigned int count)
{
	const uint16_t class = 0x0600;		/* host bridge */
	const uint16_t ids[2] = { BRIDGE_VENDOR, BRIDGE_DEVICE };

	memset(&host, 0, sizeof(host));
	host.devs = devs;
	host.count = count;
	memcpy(&host.bridge[PCI_VENDOR_ID], ids, sizeof(ids));
	memcpy(&host.bridge[PCI_CLASS_DEVICE], &class, sizeof(class));
}

static uint32_t bridge_read(unsigned int offset, unsigned int len)
{
	uint32_t value = 0;

	if (offset + len <= sizeof(host.bridge))
		memcpy(&value, &host.bridge[offset], len);
	return value;
}

static uint32_t function_read(unsigned int bus, unsigned int slot, unsigned int function,
			      unsigned int offset, unsigned int len)
{
	if (bus == 0 && function == 0 && slot == 0)
		return bridge_read(offset, len);
	if (bus == 0 && function == 0 && slot <= host.count)
		return config_read(&host.devs[slot - 1], offset, len);
	return ~0u;
}

static void config_data(unsigned int offset, void *data, unsigned int len, bool write)
{
	unsigned int bus = (host.address >> 16) & 0xff;
	unsigned int slot = (host.address >> 11) & 0x1f;
	unsigned int function = (host.address >> 8) & 7;
	uint32_t value = 0;

	if (!write) {
		value = function_read(bus, slot, function, offset, len);
		memcpy(data, &value, len);
		return;
	}
	memcpy(&value, data, len);
	if (bus == 0 && function == 0 && slot >= 1 && slot <= host.count)
		config_write(&host.devs[slot - 1], offset, len, value);
}

void pci_host_port(unsigned int port, void *data, unsigned int len, bool write)
{
	if (port == CONFIG_ADDRESS && len == 4) {
		if (write) {
			memcpy(&host.address, data, len);
			host.address &= ADDRESS_WRITABLE;
		} else {
			memcpy(data, &host.address, len);
		}
		return;
	}
	if (port >= CONFIG_DATA && port + len <= CONFIG_DATA + 4 &&
	    (host.address & ADDRESS_ENABLE)) {
		config_data((host.address & 0xfc) + (port - CONFIG_DATA), data, len, write);
		return;
	}
	if (!write)
		memset(data, 0xff, len);
}
