/* SPDX-License-Identifier: GPL-2.0-only */
/* The accessors over real device registers (port.c). Private to arch/x86. */
#ifndef ARCH_X86_MMIO_H
#define ARCH_X86_MMIO_H

#include "arch/x86/arch.h"

extern const struct mmio_ops mmio_real_ops;

#endif
