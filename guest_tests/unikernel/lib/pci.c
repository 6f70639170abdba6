/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PCI through configuration mechanism #1: finding a function by class, its BARs (placed by whoever
 * started the guest), and MSI and MSI-X with every message going to this CPU's local APIC.
 */
#include "guest_tests/unikernel/lib/unikernel.h"

#define CONFIG_ADDRESS		0xcf8
#define CONFIG_DATA		0xcfc
#define ADDRESS_ENABLE		(1u << 31)

/* Header, PCI Local Bus 3.0, 6.1 */
#define PCI_ID			0x00
#define PCI_COMMAND		0x04
#define COMMAND_MEMORY		(1u << 1)
#define COMMAND_MASTER		(1u << 2)
#define PCI_STATUS		0x06
#define STATUS_CAPABILITIES	(1u << 4)
#define PCI_CLASS		0x08
#define PCI_HEADER_TYPE		0x0e
#define HEADER_MULTI		(1u << 7)
#define HEADER_BRIDGE		1u
#define PCI_BAR0		0x10
#define BAR_IO			(1u << 0)
#define BAR_64			(1u << 2)
#define PCI_BUSES		0x18
#define PCI_CAPABILITIES	0x34

/* MSI, 6.8.1 */
#define CAP_MSI			0x05
#define MSI_CONTROL		2
#define MSI_ENABLE		(1u << 0)
#define MSI_COUNT		(7u << 4)
#define MSI_64BIT		(1u << 7)
#define MSI_ADDRESS		4
#define MSI_DATA_32		8
#define MSI_DATA_64		12

/* MSI-X, 6.8.2 */
#define CAP_MSIX		0x11
#define MSIX_CONTROL		2
#define MSIX_ENABLE		(1u << 15)
#define MSIX_MASK_ALL		(1u << 14)
#define MSIX_SIZE		0x7ffu
#define MSIX_TABLE		4
#define MSIX_TABLE_BIR		7u
#define ENTRY_BYTES		16u
#define ENTRY_ADDRESS		0
#define ENTRY_DATA		8
#define ENTRY_CONTROL		12
#define ENTRY_MASKED		1u

#define MESSAGE_ADDRESS		0xfee00000u	/* Intel SDM 3A, 11.11 */

static void config_select(struct pci_function fn, unsigned int offset)
{
	port_write32(CONFIG_ADDRESS, ADDRESS_ENABLE | (uint32_t)fn.bus << 16 |
		     (uint32_t)fn.devfn << 8 | (offset & 0xfc));
}

uint32_t pci_read32(struct pci_function fn, unsigned int offset)
{
	config_select(fn, offset);
	return port_read32(CONFIG_DATA);
}

void pci_write32(struct pci_function fn, unsigned int offset, uint32_t value)
{
	config_select(fn, offset);
	port_write32(CONFIG_DATA, value);
}

uint16_t pci_read16(struct pci_function fn, unsigned int offset)
{
	uint16_t value;

	config_select(fn, offset);
	__asm__ volatile("inw %1, %0" : "=a"(value)
			 : "Nd"((uint16_t)(CONFIG_DATA + (offset & 2))) : "memory");
	return value;
}

void pci_write16(struct pci_function fn, unsigned int offset, uint16_t value)
{
	config_select(fn, offset);
	__asm__ volatile("outw %0, %1"
			 :: "a"(value), "Nd"((uint16_t)(CONFIG_DATA + (offset & 2))) : "memory");
}

static bool bus_find_class(unsigned int bus, uint32_t class, struct pci_function *found)
{
	for (unsigned int devfn = 0; devfn < 256; devfn++) {
		struct pci_function fn = { .bus = (uint8_t)bus, .devfn = (uint8_t)devfn };
		unsigned int header, secondary;

		if (pci_read32(fn, PCI_ID) == ~0u) {
			if (devfn % 8 == 0)
				devfn += 7;	/* no function 0: no device */
			continue;
		}
		if (pci_read32(fn, PCI_CLASS) >> 8 == class) {
			*found = fn;
			return true;
		}
		header = pci_read16(fn, PCI_HEADER_TYPE) & 0xff;
		if ((header & ~HEADER_MULTI) == HEADER_BRIDGE) {
			secondary = (pci_read32(fn, PCI_BUSES) >> 8) & 0xff;
			/* Bus numbers grow downwards, so this ends whatever a bridge says. */
			if (secondary > bus && bus_find_class(secondary, class, found))
				return true;
		}
		if (devfn % 8 == 0 && !(header & HEADER_MULTI))
			devfn += 7;
	}
	return false;
}

bool pci_find_class(uint32_t class, struct pci_function *fn)
{
	return bus_find_class(0, class, fn);
}

uint64_t pci_bar_address(struct pci_function fn, unsigned int index)
{
	uint32_t low = pci_read32(fn, PCI_BAR0 + 4 * index);
	uint64_t addr = low & ~0xfu;

	if (low & BAR_IO)
		return 0;
	if (low & BAR_64)
		addr |= (uint64_t)pci_read32(fn, PCI_BAR0 + 4 * (index + 1)) << 32;
	return addr;
}

uint64_t pci_bar_move(struct pci_function fn, unsigned int index, uint64_t addr)
{
	unsigned int offset = PCI_BAR0 + 4 * index;
	uint64_t mask;

	pci_write16(fn, PCI_COMMAND, (uint16_t)(pci_read16(fn, PCI_COMMAND) & ~COMMAND_MEMORY));
	pci_write32(fn, offset, ~0u);
	mask = 0xffffffff00000000ull | (pci_read32(fn, offset) & ~0xfu);
	if (pci_read32(fn, offset) & BAR_64) {
		pci_write32(fn, offset + 4, ~0u);
		mask = (mask & ~0u) | (uint64_t)pci_read32(fn, offset + 4) << 32;
		pci_write32(fn, offset + 4, (uint32_t)(addr >> 32));
	}
	pci_write32(fn, offset, (uint32_t)addr);
	return ~mask + 1;
}

void pci_enable(struct pci_function fn)
{
	pci_write16(fn, PCI_COMMAND,
		    (uint16_t)(pci_read16(fn, PCI_COMMAND) | COMMAND_MEMORY | COMMAND_MASTER));
}

static unsigned int capability_find(struct pci_function fn, unsigned int id)
{
	unsigned int at;

	if (!(pci_read16(fn, PCI_STATUS) & STATUS_CAPABILITIES))
		return 0;
	at = pci_read32(fn, PCI_CAPABILITIES) & 0xfc;
	for (unsigned int n = 0; n < 48 && at >= 0x40; n++) {
		uint32_t head = pci_read32(fn, at);

		if ((head & 0xff) == id)
			return at;
		at = (head >> 8) & 0xfc;
	}
	return 0;
}

static uint32_t message_address(void)
{
	return MESSAGE_ADDRESS | (lapic_id() & 0xff) << 12;
}

int pci_msi_route(struct pci_function fn, unsigned int vector)
{
	unsigned int cap = capability_find(fn, CAP_MSI);
	uint16_t control;

	if (!cap)
		return -1;
	control = (uint16_t)(pci_read16(fn, cap + MSI_CONTROL) & ~(MSI_ENABLE | MSI_COUNT));
	pci_write16(fn, cap + MSI_CONTROL, control);
	pci_write32(fn, cap + MSI_ADDRESS, message_address());
	if (control & MSI_64BIT)
		pci_write32(fn, cap + MSI_ADDRESS + 4, 0);
	pci_write16(fn, cap + (control & MSI_64BIT ? MSI_DATA_64 : MSI_DATA_32), (uint16_t)vector);
	pci_write16(fn, cap + MSI_CONTROL, (uint16_t)(control | MSI_ENABLE));
	return 0;
}

int pci_msix_init(struct pci_msix *msix, struct pci_function fn)
{
	unsigned int cap = capability_find(fn, CAP_MSIX);
	uint32_t where;
	uint64_t bar;
	uint16_t control;

	if (!cap)
		return -1;
	control = pci_read16(fn, cap + MSIX_CONTROL);
	where = pci_read32(fn, cap + MSIX_TABLE);
	bar = pci_bar_address(fn, where & MSIX_TABLE_BIR);
	msix->fn = fn;
	msix->cap = cap;
	msix->vectors = (control & MSIX_SIZE) + 1;
	msix->table = bar ? mmio_map(bar + (where & ~MSIX_TABLE_BIR),
				     msix->vectors * ENTRY_BYTES) : NULL;
	if (!msix->table)
		return -1;
	for (unsigned int i = 0; i < msix->vectors; i++)
		mmio_write32(msix->table + i * ENTRY_BYTES + ENTRY_CONTROL, ENTRY_MASKED);
	pci_write16(fn, cap + MSIX_CONTROL, (uint16_t)(control | MSIX_ENABLE));
	return 0;
}

void pci_msix_route(struct pci_msix *msix, unsigned int index, unsigned int vector)
{
	volatile uint8_t *entry = msix->table + index * ENTRY_BYTES;

	mmio_write32(entry + ENTRY_ADDRESS, message_address());
	mmio_write32(entry + ENTRY_ADDRESS + 4, 0);
	mmio_write32(entry + ENTRY_DATA, vector);
	mmio_write32(entry + ENTRY_CONTROL, 0);
}

void pci_msix_mask(struct pci_msix *msix, unsigned int index, bool masked)
{
	mmio_write32(msix->table + index * ENTRY_BYTES + ENTRY_CONTROL, masked ? ENTRY_MASKED : 0);
}

void pci_msix_mask_all(struct pci_msix *msix, bool masked)
{
	uint16_t control = pci_read16(msix->fn, msix->cap + MSIX_CONTROL);

	control = (uint16_t)(masked ? control | MSIX_MASK_ALL : control & ~MSIX_MASK_ALL);
	pci_write16(msix->fn, msix->cap + MSIX_CONTROL, control);
}
