/* SPDX-License-Identifier: GPL-2.0-only */
/* Random bytes: the processor's generator, else the boot loader's seed stretched with the clock. */
#ifndef KERNEL_RANDOM_H
#define KERNEL_RANDOM_H

#include "kernel/base.h"

void random_seed(const void *seed, size_t n);
void random_fill(void *buf, size_t n);

#endif
