/* SPDX-License-Identifier: GPL-2.0-only */
/* Reading a cpio archive of the "newc" kind (magic 070701), as initrds are. Pure. */
#ifndef KERNEL_CPIO_H
#define KERNEL_CPIO_H

#include "kernel/base.h"

struct cpio_entry {
	const char *name; /* in the archive, NUL terminated, without leading "/" or "./" */
	const u8 *data;
	u64 size;
	u32 mode;         /* type and permission bits, as stat gives them */
};
/*
 * The entry at *pos, which is advanced past it. 1: an entry; 0: the end (a trailer or nothing but
 * zeroes); -EBADMSG: not an archive, or it is cut short (*pos tells where).
 */
int must_check cpio_next(const void *archive, u64 size, u64 *pos, struct cpio_entry *out);

#endif
