/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A VT-d remapping unit in software, for tests: written from the manual (revision 5.10), with numbers
 * of its own and none of the driver's headers.
 *
 * It remembers.  Translations, table pointers, context entries and interrupt entries stay cached
 * until an invalidation names them; a unit that is not coherent reads memory only as arch_cache_flush()
 * wrote it back (memory that never was written back reads as garbage); a unit with a write buffer
 * sees it later still.  Descriptors are carried out in the worst order that 6.5.2.12 allows, with the
 * test's callback in between.  What the manual forbids
 * software to do is counted as a violation.
 */
#ifndef TESTS_MODEL_VTD_UNIT_H
#define TESTS_MODEL_VTD_UNIT_H

#include "arch/x86/arch.h"

struct vm_config {
	u8 sagaw;            /* bit n: n + 2 levels */
	u8 large;            /* bit 0: 2M, bit 1: 1G */
	u8 width;            /* MGAW in bits */
	u8 max_mask;         /* MAMV */
	u8 nd;               /* 2^(4 + 2 nd) domains */
	u8 records;          /* fault recording registers */
	u8 version;          /* VER; 0: 1.0 */
	u16 record_offset;   /* of the first, multiple of 16 */
	bool coherent, caching_mode, write_buffer, no_queue, no_pages, remap, eim, drain, snoop, protected_regions,
	     scalable, first_only, walk_snoop, first_1g, /* SMTS; FSTS without SSTS; SMPWC; FS1GP */
	     device_tlb, throttle;                       /* DT, DIT */
};

/* What happens to the next `n` tail writes or register commands. */
enum vm_failure { VM_WORKS, VM_SILENT, VM_QUEUE_ERROR, VM_DEVICE_TIMEOUT };

struct vm_unit;
/* Registers appear at `base` (host_mmio_add). Freed by vm_forget_all(). */
struct vm_unit *vm_unit_create(paddr_t base, const struct vm_config *c);
void vm_forget_all(void);

/* A request of a device: true and the address reached, or false: blocked and recorded. The request stays
 * in flight until it is drained, or sixteen more came. */
bool vm_dma(struct vm_unit *u, u16 sid, u64 iova, bool write, paddr_t *pa);
/* A function that has ATS, off. `depth`: of its invalidation queue. */
void vm_device_add(struct vm_unit *u, u16 sid, u8 depth);
void vm_device_enable(struct vm_unit *u, u16 sid, bool on);
/* It answers no invalidation any more, or does again. */
void vm_device_mute(struct vm_unit *u, u16 sid, bool mute);
/* A request of a device by its own TLB while ATS is on there, else as vm_dma. */
bool vm_device_dma(struct vm_unit *u, u16 sid, u64 iova, bool write, paddr_t *pa);
/* A request with a translated address, whoever gave it; iova: what it is in flight for. */
bool vm_translated(struct vm_unit *u, u16 sid, u64 pa, u64 iova, bool write);
/* Requests of a device to [iova, iova+size) that are still in flight. */
unsigned vm_in_flight(const struct vm_unit *u, u16 sid, u64 iova, u64 size);
/* A message of a device: true with its destination and vector, or false: blocked and recorded. */
bool vm_msi(struct vm_unit *u, u16 sid, u64 addr, u32 data, u32 *dest, u8 *vector);
/* Deliver a fault event that is due. */
void vm_deliver(struct vm_unit *u);

/* Failure of invalidations: the next n tail writes. */
void vm_fail(struct vm_unit *u, enum vm_failure how, unsigned n);
/* A unit may forget at any time. */
void vm_forget_caches(struct vm_unit *u);
/* Called between any two descriptors and after every flush from the caches. */
extern void (*vm_between)(void);

/* As firmware would leave it: registers set without the driver; context and translations cached. */
void vm_firmware(struct vm_unit *u, bool translation, bool remapping, bool queue, paddr_t page);
/* Firmware's table mode (RTADDR.TTM) while translation is on. */
void vm_firmware_mode(struct vm_unit *u, unsigned ttm);

struct vm_counts {
	u64 mmio_reads, mmio_writes, violations, te_off, faults_recorded, faults_lost, descriptors;
	char what[128]; /* last violation */
};
extern struct vm_counts vm_counts;
bool vm_translating(const struct vm_unit *u);
bool vm_remapping(const struct vm_unit *u);
bool vm_protected_regions_on(const struct vm_unit *u);

#endif
