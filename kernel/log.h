/* SPDX-License-Identifier: GPL-2.0-only */
/* What of the log only its readers need; writers use kernel/base.h. */
#ifndef KERNEL_LOG_H
#define KERNEL_LOG_H

#include "kernel/base.h"

/* Lines below this level go to the sinks (`loglevel=`, Linux's numbers); all go to the ring. */
void log_set_level(int level);
/* Copy what the ring holds from *pos on, at most cap bytes; *pos (0 at first) moves on. Returns the
 * bytes copied; what was overwritten meanwhile is left out. */
size_t log_read(u64 *pos, char *buf, size_t cap);

#endif
