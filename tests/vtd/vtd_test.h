/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of iommu/vtd on the software unit begin with: cmocka, the machine of
 * tests/model/vtd_rig.h, and the steps that every test takes and that must not fail.
 */
#ifndef TESTS_VTD_VTD_TEST_H
#define TESTS_VTD_VTD_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "iommu/vtd/vtd.h"
#include "kernel/frames.h"
#include "tests/host/host.h"
#include "tests/model/vtd_rig.h"

static inline void start(const struct vm_config *c)
{
	assert_int_equal(rig_start(c, NULL), 0);
	assert_int_equal(vm_counts.violations, 0);
}

static inline struct iommu_domain *domain(enum rig_dev d)
{
	struct iommu_domain *out;

	assert_int_equal(vtd_domain_create(rig_dev[d], &out), 0);
	return out;
}

static inline void attach(struct iommu_domain *d, enum rig_dev dev)
{
	assert_int_equal(vtd_attach_dev(d, rig_dev[dev]), 0);
	rig_group[dev].domain = d;
}

static inline void detach(enum rig_dev dev)
{
	assert_int_equal(vtd_detach_dev(rig_group[dev].domain, rig_dev[dev]), 0);
	rig_group[dev].domain = NULL;
}

#endif
