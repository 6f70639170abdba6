/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Message-signalled interrupts of a passed-through function. The guest's MSI-X table and MSI
 * registers are kept here and never reach the device: VFIO programs the real ones. Each vector is an
 * eventfd, given to VFIO for all vectors at once when the guest enables MSI or MSI-X. An unmasked
 * vector's eventfd is also an irqfd of the VM with a route to where the guest's message points, so
 * the loader has no part in an interrupt. A masked vector's is not: what arrives meanwhile stays
 * counted in the eventfd and is delivered when it becomes an irqfd again, as the PCI specification
 * wants of a pending bit. The pending-bit array that the guest reads is the device's own.
 */
#include <errno.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "loader/loader.h"

#define ENTRY_WORDS	4
#define ENTRY_BYTES	16

#define MSI_VECTORS_MAX	32

static unsigned int vectors_max(const struct device *dev)
{
	return dev->msix_vectors > dev->msi_vectors ? dev->msix_vectors : dev->msi_vectors;
}

void msi_init(struct device *dev)
{
	unsigned int count = vectors_max(dev);

	if (count == 0)
		return;
	dev->first_gsi = vm_gsi_reserve(dev->vm, count);
	dev->irq = calloc(count, sizeof(*dev->irq));
	dev->msix_table = calloc(dev->msix_vectors + 1, ENTRY_BYTES);
	if (!dev->irq || !dev->msix_table)
		fail(NULL, "%s: no memory for its interrupts", dev->bdf);
	for (unsigned int i = 0; i < dev->msix_vectors; i++)
		dev->msix_table[i * ENTRY_WORDS + 3] = PCI_MSIX_ENTRY_CTRL_MASKBIT;
}

static unsigned int irq_index(enum irq_mode mode)
{
	return mode == IRQ_MSIX ? VFIO_PCI_MSIX_IRQ_INDEX : VFIO_PCI_MSI_IRQ_INDEX;
}

static unsigned int config_u16(const struct device *dev, unsigned int offset)
{
	return dev->value[offset] | (unsigned int)dev->value[offset + 1] << 8;
}

static uint32_t config_u32(const struct device *dev, unsigned int offset)
{
	return config_u16(dev, offset) | (uint32_t)config_u16(dev, offset + 2) << 16;
}

/* What the guest wants; MSI-X wins if it asks for both, which no correct driver does. */
static enum irq_mode mode_wanted(const struct device *dev)
{
	if (dev->msix_cap &&
	    (config_u16(dev, dev->msix_cap + PCI_MSIX_FLAGS) & PCI_MSIX_FLAGS_ENABLE))
		return IRQ_MSIX;
	if (dev->msi_cap &&
	    (config_u16(dev, dev->msi_cap + PCI_MSI_FLAGS) & PCI_MSI_FLAGS_ENABLE))
		return IRQ_MSI;
	return IRQ_NONE;
}

/* As many MSI vectors as the guest enabled, a power of two. */
static unsigned int msi_wanted(const struct device *dev)
{
	unsigned int flags = config_u16(dev, dev->msi_cap + PCI_MSI_FLAGS);
	unsigned int count = 1u << ((flags & PCI_MSI_FLAGS_QSIZE) >> 4);

	return count < dev->msi_vectors ? count : dev->msi_vectors;
}

static void irqs_disable(struct device *dev)
{
	for (unsigned int i = 0; i < dev->irqs_enabled; i++)
		if (dev->irq[i].attached)
			vm_irqfd(dev->vm, dev->irq[i].eventfd, dev->first_gsi + i, false);
	vfio_irqs_set(dev->fd, dev->bdf, irq_index(dev->irq_mode), NULL, 0);
	for (unsigned int i = 0; i < dev->irqs_enabled; i++) {
		close(dev->irq[i].eventfd);
		dev->irq[i].attached = false;
	}
	dev->irqs_enabled = 0;
	dev->irq_mode = IRQ_NONE;
}

static void irqs_enable(struct device *dev, enum irq_mode mode, unsigned int count)
{
	int *fds = calloc(count, sizeof(*fds));

	if (!fds)
		fail(NULL, "%s: no memory for %u interrupts", dev->bdf, count);
	for (unsigned int i = 0; i < count; i++) {
		fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (fds[i] < 0)
			fail(NULL, "%s: cannot make eventfd %u of %u", dev->bdf, i, count);
		dev->irq[i].eventfd = fds[i];
	}
	note("wiring %s: %u %s vectors, device -> eventfd -> irqfd -> guest", dev->bdf, count,
	     mode == IRQ_MSIX ? "MSI-X" : "MSI");
	vfio_irqs_set(dev->fd, dev->bdf, irq_index(mode), fds, count);
	free(fds);
	dev->irqs_enabled = count;
	dev->irq_mode = mode;
}

/* The message of vector @i; false while the guest does not want it delivered. */
static bool vector_message(const struct device *dev, unsigned int i, uint64_t *addr, uint32_t *data)
{
	const uint32_t *entry = &dev->msix_table[i * ENTRY_WORDS];
	unsigned int cap = dev->msi_cap;
	bool is64;

	if (dev->irq_mode == IRQ_MSIX) {
		*addr = entry[0] | (uint64_t)entry[1] << 32;
		*data = entry[2];
		return !(config_u16(dev, dev->msix_cap + PCI_MSIX_FLAGS) & PCI_MSIX_FLAGS_MASKALL) &&
		       !(entry[3] & PCI_MSIX_ENTRY_CTRL_MASKBIT);
	}
	is64 = config_u16(dev, cap + PCI_MSI_FLAGS) & PCI_MSI_FLAGS_64BIT;
	*addr = config_u32(dev, cap + PCI_MSI_ADDRESS_LO);
	if (is64)
		*addr |= (uint64_t)config_u32(dev, cap + PCI_MSI_ADDRESS_HI) << 32;
	*data = config_u16(dev, cap + (is64 ? PCI_MSI_DATA_64 : PCI_MSI_DATA_32));
	*data = (*data & ~(dev->irqs_enabled - 1)) | i;	/* the low bits number the vector */
	return true;
}

/* Routes first, then the irqfds that use them. */
static void vectors_connect(struct device *dev)
{
	bool changed = false;
	uint64_t addr;
	uint32_t data;

	for (unsigned int i = 0; i < dev->irqs_enabled; i++)
		if (vector_message(dev, i, &addr, &data) &&
		    vm_route_set(dev->vm, dev->first_gsi + i, addr, data))
			changed = true;
	if (changed)
		vm_routes_commit(dev->vm);
	for (unsigned int i = 0; i < dev->irqs_enabled; i++) {
		bool attach = vector_message(dev, i, &addr, &data);

		if (attach != dev->irq[i].attached)
			vm_irqfd(dev->vm, dev->irq[i].eventfd, dev->first_gsi + i, attach);
		dev->irq[i].attached = attach;
	}
}

void msi_update(struct device *dev)
{
	enum irq_mode mode = mode_wanted(dev);
	unsigned int count = mode == IRQ_NONE ? 0 :
			     mode == IRQ_MSIX ? dev->msix_vectors : msi_wanted(dev);

	if (dev->irq_mode != IRQ_NONE && (mode != dev->irq_mode || count != dev->irqs_enabled))
		irqs_disable(dev);
	if (mode != IRQ_NONE && dev->irq_mode == IRQ_NONE)
		irqs_enable(dev, mode, count);
	vectors_connect(dev);
}

bool msix_table_hit(const struct device *dev, unsigned int bar, uint64_t offset)
{
	return dev->msix_cap && bar == dev->msix_bar && offset >= dev->msix_offset &&
	       offset - dev->msix_offset < (uint64_t)dev->msix_vectors * ENTRY_BYTES;
}

void msix_table_access(struct device *dev, uint64_t offset, void *data, unsigned int len, bool write)
{
	uint64_t at = offset - dev->msix_offset;
	uint64_t end = (uint64_t)dev->msix_vectors * ENTRY_BYTES;
	uint8_t *table = (uint8_t *)dev->msix_table;

	if (len > end - at) {
		if (!write)
			memset(data, 0xff, len);
		return;
	}
	if (!write) {
		memcpy(data, table + at, len);
		return;
	}
	memcpy(table + at, data, len);
	dev->msix_table[at / ENTRY_BYTES * ENTRY_WORDS + 3] &= PCI_MSIX_ENTRY_CTRL_MASKBIT;
	vectors_connect(dev);
}
