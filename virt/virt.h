/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Virtual machines: /dev/kvm and what hangs on it.  Nothing of it is called from elsewhere: virt/
 * registers itself by an initcall and meets devices only through eventfds.
 */
#ifndef VIRT_VIRT_H
#define VIRT_VIRT_H

#include "kernel/base.h"

/* Registers /dev/kvm (10:232). Without a virtualization engine open() answers -ENODEV and says why. */
int kvm_init(void);

#endif
