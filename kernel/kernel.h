/* SPDX-License-Identifier: GPL-2.0-only */
/* The public face of kernel/: memory, threads, files, programs, options. */
#ifndef KERNEL_KERNEL_H
#define KERNEL_KERNEL_H

#include "kernel/acpi.h"
#include "kernel/base.h"
#include "kernel/file.h"
#include "kernel/frames.h"
#include "kernel/mm.h"
#include "kernel/mobj.h"
#include "kernel/options.h"
#include "kernel/process.h"
#include "kernel/pt.h"
#include "kernel/thread.h"

struct handover;
/* Called by arch on the boot CPU, on a boot stack. */
void kernel_main(struct handover *ho) __attribute__((noreturn));

#endif
