/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One passed-through PCI function, built from what the host's device file says: regions, interrupt
 * capabilities, config space. The rest of its life is in config.c, bar.c and msi.c.
 */
#include <linux/vfio.h>

#include "loader/loader.h"

_Static_assert(NUM_BARS == VFIO_PCI_BAR5_REGION_INDEX + 1, "one region per BAR");

void device_create(struct device *dev, struct vm *vm, const char *bdf, unsigned int slot)
{
	dev->vm = vm;
	dev->bdf = bdf;
	dev->slot = slot;
	dev->fd = vfio_device_open(bdf);
	for (unsigned int i = 0; i < NUM_BARS; i++)
		vfio_region_info(dev->fd, bdf, i, &dev->region[i]);
	vfio_region_info(dev->fd, bdf, VFIO_PCI_CONFIG_REGION_INDEX, &dev->config);
	dev->msi_vectors = vfio_irq_count(dev->fd, VFIO_PCI_MSI_IRQ_INDEX);
	dev->msix_vectors = vfio_irq_count(dev->fd, VFIO_PCI_MSIX_IRQ_INDEX);
	config_init(dev);
	msi_init(dev);
	note("%s is device 00:%02x.0 of the guest, with %u MSI-X and %u MSI vectors", bdf, slot,
	     dev->msix_vectors, dev->msi_vectors);
}
