/* SPDX-License-Identifier: GPL-2.0-only */
/* Private to pci_perm.c and pci_config.c: the tables' builder. */
#ifndef PASSTHROUGH_PCI_PERM_H
#define PASSTHROUGH_PCI_PERM_H

#include "passthrough/private.h"

/* Fills v->perm and the capability links in v->shadow from the device's own lists (bounded walks). */
void vfio_perm_build(struct vfio_device *v);

#endif
