/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The host side of arch/x86/arch.h, for unit tests, models and fuzzers: what a test may set, ask
 * and inject.  The portable sources run unchanged on top of it.
 *
 *  - RAM is an arena; phys_to_virt() of anything else ends the test. What is free is poisoned for
 *    AddressSanitizer and filled with a pattern, so a use after free is seen by CPU and by models.
 *  - User memory is a struct mm walked in software, behind a TLB that remembers translations until
 *    arch_tlb_flush(): a forgotten flush shows old or poisoned memory.
 *  - CPUs are numbers; everything runs on one host thread.
 */
#ifndef TESTS_HOST_HOST_H
#define TESTS_HOST_HOST_H

#include "arch/x86/arch.h"
#include "kernel/base.h"

struct mm;
struct mobj;

/* ---- RAM (ram.c) ---- */
#define HOST_RAM_SIZE (512ull << 20)
#define HOST_POISON 0xa5
/* Bring RAM, frames and heap up; later calls do nothing. Every test's setup calls it. */
void host_init(void);
/* The map that host_init gives to frames_init: RAM from 1 MiB, with a hole and odd edges. */
struct handover *host_handover(void);
/* A fresh arena of `size` bytes for tests of the frame allocator itself. */
void host_ram_reset(u64 size);
/* The n-th request for a frame or heap object from now on fails (1: the next); 0: none fails. Once. */
void host_alloc_fail_at(u64 n);
/* Requests since host_alloc_fail_at() was called last. */
u64 host_alloc_count(void);
/* All requests fail from the n-th on, until host_alloc_fail_at(0). */
void host_alloc_fail_from(u64 n);
/* Sees every arch_cache_flush(); NULL: nobody. */
extern void (*host_on_cache_flush)(const void *p, size_t n);
/* Sees every arch_wmb(); NULL: nobody. */
extern void (*host_on_wmb)(void);

/* ---- device memory (io.c) ---- */
/* arch_mmio_map() of [pa, pa+size) gives `ops` with mmio.base = backing; arch_map_uncached() gives
 * backing itself. Either may be NULL. */
void host_mmio_add(paddr_t pa, u64 size, const struct mmio_ops *ops, void *backing);
void host_mmio_reset(void);
/* Port I/O: NULL reads as all ones and ignores writes. size: 1, 2 or 4. */
extern u32 (*host_port_in)(u16 port, unsigned size);
extern void (*host_port_out)(u16 port, u32 v, unsigned size);
struct host_ioapic_pin {
	bool routed, level, low, masked;
	u16 handle;
	u8 vector;
};
#define HOST_GSIS 64
extern struct host_ioapic_pin host_ioapic[HOST_GSIS];

/* ---- CPUs, time, interrupts (cpu.c) ---- */
extern unsigned host_cpu;  /* who runs now */
extern unsigned host_cpus; /* how many are up */
extern bool host_x2apic;
extern bool host_irqs_on;
extern u64 host_now;       /* ns */
extern u64 host_time_step; /* added at each look at the clock and each relax; 100 at first */
extern u64 host_ipi_rounds, host_ipi_kicks;
extern u64 host_random_state; /* 0: arch_random() fails */
/* Deliver a device interrupt as the CPU would; false: the vector is free. */
bool host_irq_raise(unsigned cpu, u8 vector);
/* Vectors taken now, over all CPUs. */
unsigned host_irqs_in_use(void);
/* Run fn(arg) in a child process; true when it ended in panic() (BUG_ON included). */
bool host_panics(void (*fn)(void *arg), void *arg);
/* Exit status given to arch_poweroff() by fn(arg) in a child process; -1: it did something else. */
int host_poweroff_code(void (*fn)(void *arg), void *arg);
/* What was written to serial line n; reads come from host_serial_input. */
const char *host_serial_output(unsigned n);
extern const char *host_serial_input[4];

/* ---- user memory (user.c) ---- */
/* The address space that copy_from_user() and friends reach; NULL: every copy is -EFAULT. */
void host_set_mm(struct mm *mm);
struct mm *host_mm(void);
/* The n-th page-sized piece of a user copy from now on is -EFAULT (1: the next); 0: none. Once. */
void host_efault_at(u64 n);
u64 host_copy_count(void);
/* mm_map() of an object, or (obj NULL) of fresh private memory. */
s64 host_map(struct mm *mm, uaddr_t addr, u64 len, int prot, int flags, struct mobj *obj, u64 off);
/* Fresh zeroed memory in the current mm (one is made when there is none); its address. */
uaddr_t host_user_alloc(u64 len);
/* Drop the current mm. */
void host_user_reset(void);
extern u64 host_tlb_flushes;

#endif
