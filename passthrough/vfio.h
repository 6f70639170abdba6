/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VFIO: the container/group/device interface of Linux.  Nothing of it is called from elsewhere; it registers
 * itself by an initcall: /dev/vfio/vfio, /dev/vfio/N, /sys/bus/pci, /sys/kernel/iommu_groups.
 */
#ifndef PASSTHROUGH_VFIO_H
#define PASSTHROUGH_VFIO_H

#include "kernel/base.h"

int vfio_init(void);

#endif
