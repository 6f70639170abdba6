/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Private to virt/: the VM and the vCPU.
 *
 * Lifetime: the VM file and each open vCPU file hold a reference on the VM; vCPUs belong to the VM
 * and go with it. The VM's memory (slots, address space) and irqfds go when the VM file is closed: a
 * program's mapping of a vCPU keeps the vCPU file, and so must not keep the program's memory.
 *
 * Locks, in order: vm->lock -> vcpu->lock -> (address space) -> slots.lock. Interrupt context reads vm->vcpu[],
 * vm->routes and the LAPICs without locks: vCPUs are only ever added, and a routing table is freed
 * after every CPU has answered an IPI.
 */
#ifndef VIRT_VM_H
#define VIRT_VM_H

#include <linux/kvm.h>

#include "arch/x86/vcpu.h"
#include "kernel/file.h"
#include "kernel/thread.h"
#include "virt/decode.h"
#include "virt/lapic.h"
#include "virt/slots.h"

#define VM_MAX_VCPUS 16
#define VM_MAX_GSIS 4096 /* KVM_CAP_IRQ_ROUTING */
#define VCPU_MMAP_PAGES 3 /* struct kvm_run, port data, coalesced ring (unused) */
#define CPUID_MAX_ENTRIES 256

struct irq_route;
struct irqfd;

struct vm {
	u32 refs;
	struct mutex lock; /* creation of vCPUs, irqchip, routes, irqfds */
	struct slots slots;
	u32 flush_generation; /* counts removals from the nested tables */
	bool irqchip;
	bool closed;
	struct vcpu *vcpu[VM_MAX_VCPUS];
	unsigned vcpus; /* under lock */
	u64 tsc_start; /* guests count from here */
	struct irq_route *routes; /* VM_MAX_GSIS of them; NULL: none */
	struct irqfd *irqfds;
	struct vm *next; /* list for the audit */
};

/* What the next KVM_RUN has to finish first. */
enum vcpu_pending {
	PENDING_NONE, PENDING_OUT, PENDING_IN, PENDING_INS, PENDING_MMIO_READ, PENDING_MMIO_WRITE,
};

/* An instruction on device memory, between its exits to the VMM. */
struct mmio_state {
	struct insn insn;
	struct vcpu_mode mode;
	gpa_t gpa;    /* of the access that is under way */
	gpa_t target; /* where the result goes */
};

struct io_state {
	u16 port;
	u8 size;
	u8 addr_size;
	u32 count; /* elements in the port data page */
	bool rep;
	u64 linear; /* INS: where they go */
	u64 next_rip;
};

#define VCPU_REQUEST_INIT BIT(0)
#define VCPU_REQUEST_STARTUP BIT(1)

struct vcpu {
	struct vm *vm;
	u32 id;
	struct mutex lock; /* one ioctl at a time */
	struct arch_vcpu *arch;
	struct lapic lapic;
	u32 mp_state;
	/* Set by anybody: VCPU_REQUEST_*. in_guest and blocked tell a kicker what to do; each is set before
	 * the vCPU looks for work, and the work is there before a kicker looks at them. */
	u32 requests;
	u8 startup_vector;
	bool in_guest, blocked;
	unsigned cpu;
	struct waitq wait;
	u32 flushed; /* vm->flush_generation it has seen */
	/* Shared with the program, which may write it at any time; frames held by us. */
	struct mobj *shared;
	paddr_t shared_pa[VCPU_MMAP_PAGES];
	struct kvm_run *run;
	u8 *port_data;
	enum vcpu_pending pending;
	u64 pending_rip;
	struct mmio_state mmio;
	struct io_state io;
	/* Registers of the floating-point unit while somebody else's are in the CPU. */
	void *guest_fpu, *user_fpu;
	struct kvm_cpuid_entry2 *cpuid;
	unsigned cpuid_count;
	u64 misc_enable, mcg_status;
};

/* kvm.c */
extern const struct vcpu_ops *virt_ops;
/*
 * One ioctl of a descriptor. Its number tells size and direction of its structure: `data` is a copy of that at
 * `arg`, filled before the call and given back after it unless it fails. Other calls take `arg` as a value.
 */
struct kvm_call {
	u32 nr;
	union {
		s64 (*vm)(struct vm *vm, void *data, u64 arg); /* NULL on /dev/kvm */
		s64 (*vcpu)(struct vcpu *v, void *data, u64 arg);
	};
};
/* Does nr by the table, which ends with {0}; with v NULL it is a VM's. -ENOTTY when it is not there. */
s64 kvm_call(const struct kvm_call *call, const char *what, struct vm *vm, struct vcpu *v, u32 nr, u64 arg);
s64 kvm_check_extension(struct vm *vm, void *data, u64 cap);

/* vm.c */
s64 vm_create(struct vm *none, void *data, u64 type); /* KVM_CREATE_VM: a descriptor */
void vm_put(struct vm *vm);
unsigned vm_audit(void); /* findings */
/* -EIO when the calling program is not the VM's, or the VM is closed. */
int must_check vm_check_owner(struct vm *vm);

/* vcpu.c */
s64 vcpu_create(struct vm *vm, void *data, u64 id); /* KVM_CREATE_VCPU: a descriptor */
void vcpu_destroy(struct vcpu *v);
/* Make it look for requests and interrupts; any context. */
void vcpu_kick(struct vcpu *v);
void vcpu_request(struct vcpu *v, u32 request);

/* run.c */
s64 vcpu_run(struct vcpu *v, void *data, u64 arg);
extern const struct lapic_ops vcpu_lapic_ops;

/* exits.c: 1: go on in the guest; 0: exit to the VMM (run is filled in); negative: errno of RUN */
int vcpu_exit_handle(struct vcpu *v);
int vcpu_internal_error(struct vcpu *v, u32 suberror);
int vcpu_emulation_error(struct vcpu *v); /* the same, for an instruction that cannot be carried out */
struct guest_fault;
/* An access of an emulated instruction gave r: -EFAULT is the guest's #PF, anything else an internal error. */
int vcpu_access_error(struct vcpu *v, int r, const struct guest_fault *f);

/* io.c */
int io_exit(struct vcpu *v);
int io_complete(struct vcpu *v);
/* mmio.c */
int mmio_exit(struct vcpu *v);
int mmio_complete(struct vcpu *v);

/* guest.c: guest-linear memory in a mode. 0; -EFAULT: the guest gets #PF with *error, at
 * the address in *fault; -ENXIO: page tables or data lie outside of memory. */
struct guest_fault {
	u64 address;
	u32 error;
};
int must_check guest_translate(struct vcpu *v, const struct vcpu_mode *m, u64 linear, bool write, gpa_t *gpa,
				struct guest_fault *f);
/* Between guest memory and buf; write: to the guest. */
int must_check guest_copy(struct vcpu *v, const struct vcpu_mode *m, u64 linear, void *buf, size_t n, bool write,
			  struct guest_fault *f);
/* The bytes at RIP, as many as can be had, and the mode in which they run. */
struct guest_code {
	struct vcpu_mode mode;
	unsigned n;
	u8 byte[INSN_MAX];
};
void guest_fetch(struct vcpu *v, struct guest_code *c);
/* seg: offset. */
u64 guest_linear(struct vcpu *v, const struct vcpu_mode *m, unsigned seg, u64 offset);
/* Go on after the instruction at RIP, which has that length. */
void guest_advance(struct vcpu *v, const struct vcpu_mode *m, unsigned length);
/* The same, for one whose opcode is op; false: it is not there. */
bool guest_skip(struct vcpu *v, const char *op);

/* regs.c */
extern const struct kvm_call vcpu_calls[];
/* msr.c */
int msr_read(struct vcpu *v, u32 msr, u64 *value);
int msr_write(struct vcpu *v, u32 msr, bool by_guest, u64 value);
s64 msrs_get(struct vcpu *v, void *data, u64 arg);
s64 msrs_set(struct vcpu *v, void *data, u64 arg);
s64 msr_list(struct vm *none, void *data, u64 arg);
/* cpuid.c */
s64 cpuid_supported(struct vm *none, void *data, u64 arg);
s64 cpuid_set(struct vcpu *v, void *data, u64 arg);
void cpuid_emulate(struct vcpu *v);

/* irq.c */
struct irq_message {
	u8 vector, mode; /* DELIVER_* */
	bool logical;
	u32 dest;
};
/* Number of vCPUs that took it. Any context. */
int irq_deliver(struct vm *vm, const struct irq_message *m);
int irq_signal_msi(struct vm *vm, u64 address, u32 data);
void irq_send(struct vcpu *from, u32 icr, u32 dest);
s64 irq_routes_set(struct vm *vm, void *data, u64 arg);
void irq_routes_free(struct vm *vm);
/* Deliver what gsi is routed to. Any context. */
void irq_route_deliver(struct vm *vm, u32 gsi);
/* irqfd.c */
s64 irqfd_set(struct vm *vm, void *data, u64 arg);
void irqfds_close(struct vm *vm);

/* counters.c */
enum exit_counter {
	COUNT_OTHER, COUNT_CPUID, COUNT_IO, COUNT_MMIO, COUNT_LAPIC, COUNT_HLT, COUNT_INTERRUPT,
	COUNT_WINDOW, COUNT_NPF, COUNT_MSR, COUNT_KINDS
};
void counters_add(enum exit_counter kind);
int counters_init(void);

#endif
