/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Physical memory in frames of 2 MiB and 4 KiB, and the small-object heap on top.
 * One record per 2 MiB frame; 4 KiB records exist only for frames that are split.  Every frame that
 * is out has a reference count; it goes back when the last reference is put.  Any context that may
 * take a spinlock may call; nothing here sleeps.
 */
#ifndef KERNEL_FRAMES_H
#define KERNEL_FRAMES_H

#include "kernel/base.h"

struct handover;

#define FRAME_NONE (~0ull)

/* Take over all HANDOVER_RAM from 1 MiB up; what lies below is kept back for the CPUs' trampoline. */
void frames_init(const struct handover *ho);
/* A zeroed frame of `size` (SZ_4K or SZ_2M), one reference; FRAME_NONE when there is none. */
paddr_t frame_alloc(u64 size);
/* The same, but it may be dirty: the caller zeroes it, in steps (resched points). */
paddr_t frame_alloc_dirty(u64 size);
/* 1..256 contiguous 4 KiB frames, dirty, under one reference: frame_put() of the first frees all. */
paddr_t frame_alloc_run(unsigned pages);
/* References on a frame: pa may be any address in it. For a 2 MiB frame all 4 KiB share one count.
 * Taking one more than FRAME_REFS_MAX is -ENOMEM. */
#define FRAME_REFS_MAX 0x80000000u
int must_check frame_get(paddr_t pa);
void frame_put(paddr_t pa);
u32 frame_refs(paddr_t pa);
/*
 * One reference on each frame that [pa, pa+len) touches, for as far as frames of one size go and at
 * most for 512 of them; returns the bytes done, 0 when the first has FRAME_REFS_MAX references. Put
 * with the same bounds as got: a 2 MiB frame counts once, however little of it is inside. 4 KiB
 * aligned; the caller has a reference on each already.
 */
u64 must_check frame_get_run(paddr_t pa, u64 len);
u64 must_check frame_put_run(paddr_t pa, u64 len);
/* Give back a 4 KiB frame that the caller knows to be all zero (an emptied page table). */
void frame_put_zeroed(paddr_t pa);
/* SZ_2M or SZ_4K: how the frame that covers pa is out. Stable while the caller has a reference. */
u64 frame_size(paddr_t pa);
/* RAM that we manage (true) or something else: MMIO, firmware, holes (false). */
bool frame_is_ram(paddr_t pa);
/* True while the frame is allocated to somebody. For the audit. */
bool frame_in_use(paddr_t pa);
/* Bytes managed; bytes free now. */
u64 frames_total(void);
u64 frames_free(void);
/* True when the firmware's map has all of [pa, pa+len) as memory (RAM, tables, reserved): the direct
 * map shows it. Firmware tables point anywhere; this is asked before one is followed. */
bool frames_is_memory(paddr_t pa, u64 len);
/* Does the firmware's map name anything in [pa, pa+len) that is of one of these kinds, BIT(HANDOVER_...)? */
#define FRAMES_ANY (~0ull)
#define FRAMES_OURS (BIT(HANDOVER_RAM) | BIT(HANDOVER_KERNEL) | BIT(HANDOVER_RUNTIME))
#define FRAMES_MEMORY (FRAMES_OURS | BIT(HANDOVER_ACPI))
bool frames_meet(paddr_t pa, u64 len, u64 kinds);
paddr_t frames_low_end(void); /* of the RAM below 4 GiB */

/* Heap: 16-byte aligned, up to 1 MiB; NULL when out of memory or n is larger. */
void *kmalloc(size_t n);
void *kzalloc(size_t n);
void *kcalloc(size_t n, size_t size); /* checks the product */
void kfree(void *p);
/* A pointer to the heap that is freed when its block is left, whichever way; NULL is nothing. */
#define AUTO_FREE __attribute__((cleanup(auto_free_end)))
static inline void auto_free_end(void *pointer)
{
	kfree(*(void **)pointer);
}

/* Host tests watch memory come and go here, poison what is free, and make the n-th request fail.
 * NULL on the machine. Nothing here may call back into the allocators. */
struct frames_watch {
	bool (*refuse)(u64 size);
	void (*taken)(void *p, u64 n);
	void (*freed)(void *p, u64 n, bool zeroed);
};
extern const struct frames_watch *frames_watch;

#endif
