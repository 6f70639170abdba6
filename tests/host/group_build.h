/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tests of groups share. Include after cmocka.h. */
#ifndef TESTS_HOST_GROUP_BUILD_H
#define TESTS_HOST_GROUP_BUILD_H

#include <stdio.h>

#include "iommu/iommu.h"
#include "kernel/options.h"

#define ACS_ALL (PCI_ACS_SV | PCI_ACS_RR | PCI_ACS_CR | PCI_ACS_UF)

static inline void build(bool linux_rule)
{
	static char text[64];

	snprintf(text, sizeof(text), "iommu.groups=%s", linux_rule ? "linux" : "safe");
	options_init(text);
	assert_int_equal(iommu_groups_build(), 0);
}

#endif
