/* SPDX-License-Identifier: GPL-2.0-only */
/* Names for addresses of the kernel's text. Private to arch/x86. */
#ifndef ARCH_X86_SYMBOLS_H
#define ARCH_X86_SYMBOLS_H

#include "kernel/base.h"

/* The function that holds `address`, and the offset in it; NULL when it is none of ours. */
const char *symbol_find(u64 address, u64 *offset);

#endif
