/* SPDX-License-Identifier: GPL-2.0-only */
/* The IOMMU of vfio_rig.h: it keeps what it is told and ends the test when that contradicts itself. */
#ifndef TESTS_HOST_VFIO_IOMMU_H
#define TESTS_HOST_VFIO_IOMMU_H

#include "tests/host/vfio_rig.h"

extern const struct iommu_ops vfio_fake_iommu;

#endif
