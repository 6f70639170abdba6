/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A random sequence of everything that the driver is asked for, on units of these abilities (second
 * NULL: as the first) and with these options; a failure is cmocka's.
 *
 * VTD_STEPS and VTD_SEED in the environment make it longer or another one.
 */
#ifndef TESTS_VTD_RANDOM_H
#define TESTS_VTD_RANDOM_H

#include "tests/vtd/vtd_test.h"

void random_run(const struct vm_config *first, const struct vm_config *second, const char *options);

#endif
