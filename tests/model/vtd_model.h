/* SPDX-License-Identifier: GPL-2.0-only */
/* The insides of the software VT-d unit, shared by the files vtd_*.c of this folder only. */
#ifndef TESTS_MODEL_VTD_MODEL_H
#define TESTS_MODEL_VTD_MODEL_H

#include <sys/queue.h>

#include "tests/model/vtd_unit.h"

struct vm_pair {
	u64 lo, hi;
};

/* Everything a unit may remember is one of these. */
struct vm_context {
	LIST_ENTRY(vm_context) link;
	u16 sid, did; /* did 0: remembered as not present */
	u8 reason;    /* 0: present */
	struct vm_pair e;
};
struct vm_pasid { /* scalable mode: PASID 0 of a requester */
	LIST_ENTRY(vm_pasid) link;
	u16 sid, did; /* did 0: remembered as not present */
	u64 directory;
	u8 reason;
	u64 e[8];
};
struct vm_translation {
	LIST_ENTRY(vm_translation) link;
	u16 did;
	u64 iova, size;
	u64 to;       /* page, or next table when level > 1 */
	u8 level;     /* 1: a leaf (of any size); n: pointer to a table of level n - 1 */
	u8 reason;    /* leaf: 0, or remembered as not present */
	bool read, write;
};
struct vm_device { /* has a TLB of its own */
	LIST_ENTRY(vm_device) link;
	u16 sid;
	u8 depth;      /* invalidations that it can queue */
	bool on, mute; /* ATS enable; it answers no invalidation */
	LIST_HEAD(, vm_translation) tlb;
};
struct vm_flight {
	u16 did, sid;
	bool write, busy, translated;
	u64 iova;
};

struct vm_unit {
	struct vm_config c;
	struct vm_unit *next;
	u64 cap, ecap, rtaddr, root, iqa, irta, irt, ccmd, iva, iotlb;
	u32 shown;       /* GSTS while the unit is busy with a command, for so many more reads */
	unsigned busy;
	unsigned slow;   /* the same of a register-based invalidation, and how it will end */
	enum vm_failure slow_how;
	unsigned lag, pmen_lag; /* the same of the queue that firmware left, and of protected regions */
	u32 gsts, fectl, fedata, feaddr, feuaddr, pmen, iqh, iqt, errors;
	struct vm_pair record[256];
	unsigned next_record;
	bool overflow, event_held, event_due;
	enum vm_failure how;
	unsigned fail_left;
	unsigned owed; /* invalidations that must follow, vtd_queue.c */
	struct vm_pair ring[256]; /* the queue, as stored before the last barrier */
	u32 bad_slot; /* IQH + 1 of a descriptor that cannot be read; 0: none */
	LIST_HEAD(, vm_context) contexts;
	LIST_HEAD(, vm_pasid) pasids;
	LIST_HEAD(, vm_translation) translations;
	LIST_HEAD(, vm_device) devices;
	struct vm_pair irte[65536];
	bool irte_cached[65536];
	struct vm_flight flight[16];
	unsigned flight_next;
};

/* What a present context entry, and in scalable mode its PASID entry, leads to. */
struct vm_stage {
	u16 did;
	unsigned levels;
	u64 table;
	bool first, snoops; /* first stage; page-table reads are coherent */
	u8 reason;
};

#define IOTLB_AT 0x340 /* 16 times ECAP.IRO */

/* vtd_unit.c */
void vm_violation(const char *what);
void vm_fault(struct vm_unit *u, u16 sid, u64 info, bool write, u8 reason);
void vm_event(struct vm_unit *u);
/* What a test does between two steps of the unit or of the driver. */
void vm_step_between(void);

/* vtd_memory.c */
extern bool vm_shadow_buffered;
void vm_shadow_flush(const void *p, size_t n);
/* All lines outside [p, p+n) that were flushed before go to memory as they are now. */
void vm_shadow_evict(const void *p, size_t n);
void vm_shadow_reset(void);
void vm_write_buffer_drain(void);
u64 vm_mem_as(const struct vm_unit *u, u64 pa, bool snoops);
u64 vm_mem(const struct vm_unit *u, u64 pa); /* root, context, PASID and interrupt entries */

/* vtd_context.c */
bool vm_scalable(const struct vm_unit *u);
const struct vm_context *vm_context(struct vm_unit *u, u16 sid);
struct vm_stage vm_stage_of(struct vm_unit *u, const struct vm_context *c);
void vm_drop_contexts(struct vm_unit *u, unsigned g, u16 did, u16 sid);
void vm_drop_pasids(struct vm_unit *u, unsigned g, u16 did);
bool vm_first_stage(const struct vm_unit *u, u16 did);

/* vtd_walk.c */
/* What a request of `sid` is translated with, or the reason of a fault; by_device: a translation request. */
u8 vm_lookup(struct vm_unit *u, u16 sid, u64 iova, bool by_device, struct vm_stage *s, const struct vm_translation **t);
struct vm_translation *vm_remember(struct vm_unit *u, struct vm_translation t);
void vm_drop_translations(struct vm_unit *u, unsigned g, u16 did, u64 iova, unsigned mask, bool leaf_only);
void vm_drain(struct vm_unit *u, unsigned g, u16 did, bool reads, bool writes);

/* vtd_device.c */
enum vm_answer { VM_BAD, VM_DONE, VM_NO_ANSWER };
struct vm_device *vm_device_find(struct vm_unit *u, u16 sid);
enum vm_answer vm_device_invalidate(struct vm_unit *u, u64 lo, u64 hi);
void vm_devices_forget(struct vm_unit *u);

/* vtd_interrupt.c */
void vm_drop_interrupts(struct vm_unit *u, bool one, u16 index, unsigned mask);

/* vtd_sealed.c: at a barrier, or at a request */
void vm_entries_look(const struct vm_unit *u, bool barrier);
void vm_sealed_reset(void);

/* vtd_queue.c */
void vm_queue_work(struct vm_unit *u);
void vm_queue_seal(struct vm_unit *u);
void vm_queue_resume(struct vm_unit *u);
void vm_register_command(struct vm_unit *u, bool context, u64 v);
u32 vm_register_high(struct vm_unit *u, bool context);

#endif
