/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KERNEL_VERSION_H
#define KERNEL_VERSION_H

#define POSTERN_VERSION "0.1"

#endif
