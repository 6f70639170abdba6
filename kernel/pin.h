/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Private to pins: runs in the order of the pinned range, in chunks.  Each run holds one reference on
 * every frame it touches, taken and put with the same bounds; that alone keeps the frames, so a pin
 * needs neither its objects nor the address space.  Owner: whoever made it; not locked.
 */
#ifndef KERNEL_PIN_H
#define KERNEL_PIN_H

#include "kernel/mobj.h"

struct pin_record {
	paddr_t pa;
	u64 len;
};
struct pin_chunk {
	struct pin_chunk *next;
	u32 used, cap;
	struct pin_record run[];
};
struct pin {
	u64 len;
	struct pin_chunk *last;
	struct pin_chunk first;   /* PIN_INLINE records */
};
#define PIN_INLINE 2u
#define PIN_CHUNK 254u

struct pin *pin_create(void);
/* Takes the references. -ENOMEM. The run continues where the pin ends. */
int must_check pin_append(struct pin *p, paddr_t pa, u64 len);

#endif
