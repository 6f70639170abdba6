/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest-physical memory of a VM: slots, each a range of the VMM's own address space, and the
 * nested page tables derived from them.
 *
 * Nested tables are filled by nested faults, page by page as large as the process has them, and
 * emptied when a slot goes or the process loses the memory (mm_watch): then every vCPU has left the
 * guest and forgotten the translations before the call returns.
 */
#ifndef VIRT_SLOTS_H
#define VIRT_SLOTS_H

#include <linux/kvm.h>

#include "kernel/mm.h"
#include "kernel/pt.h"
#include "kernel/thread.h"

struct vcpu_ops;

#define SLOTS_MAX 32764 /* numbers 0..SLOTS_MAX-1, as on Linux */

struct slot {
	u32 id, flags;
	gpa_t gpa;
	u64 size;
	uaddr_t hva;
};

/*
 * lock guards the array and the tables; it is taken under the address space's lock (a fault
 * installs, a zap removes), so nothing that faults may be called with it.
 */
struct slots {
	struct mutex lock;
	struct slot **slot; /* by gpa */
	unsigned count, room;
	struct pt table;
	unsigned prot; /* bits that the table's format wants in every leaf */
	struct mm *mm; /* a reference; NULL when the VM is closed */
	struct mm_watch watch;
	gpa_t hole; /* this page is never memory: the local interrupt controller; ~0: none */
	/* All vCPUs have forgotten the tables' translations when it returns. */
	void (*flush)(struct slots *s);
};

int must_check slots_init(struct slots *s, struct mm *mm, const struct vcpu_ops *ops,
			  void (*flush)(struct slots *));
/* The VMM is going: no slot, no translation, no address space any more. May be called twice. */
void slots_close(struct slots *s);
void slots_destroy(struct slots *s);
/* KVM_SET_USER_MEMORY_REGION: its errno. */
int must_check slots_set(struct slots *s, const struct kvm_userspace_memory_region *r);
/* The slot that covers gpa; false: none. */
bool slots_find(struct slots *s, gpa_t gpa, struct slot *out);
/*
 * Make gpa accessible. 0; -ENXIO: no memory there, or a write to read-only memory; -EFAULT, -EIO,
 * -ENOMEM: the VMM's memory cannot be had.
 */
int must_check slots_fault(struct slots *s, gpa_t gpa, unsigned access);
/* Between guest memory and buf, for the emulation, in the thread of the VMM; write: to the guest. -ENXIO:
 * not all of it is memory. */
int must_check slots_copy(struct slots *s, gpa_t gpa, void *buf, size_t n, bool write);
/*
 * A naturally aligned entry of 4 or 8 bytes of a guest's page tables from `old` to `new`, at once, as a
 * CPU's walk does. -EAGAIN: it is not `old` any more; -ENXIO, -EIO, -EFAULT: no memory to write.
 */
int must_check slots_exchange(struct slots *s, gpa_t gpa, unsigned size, u64 old, u64 new);
/* Findings: leaves that show what the process does not map. */
unsigned slots_audit(struct slots *s);

#endif
