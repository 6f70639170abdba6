/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The virtualization engine of the CPU behind one table of operations: SVM (arch/x86/svm) and VMX.
 * virt/ sees this and nothing below it.
 *
 * A struct arch_vcpu is what an engine runs.  While it does not run, what changes at every exit lies in
 * the common head below and may be changed there; the engine takes it from there at entry and puts it
 * back at exit.  Everything else (segments, control registers, MSRs) is the
 * engine's and is reached through the operations.  One thread at a time uses an arch_vcpu.
 *
 * Nothing of a guest stays in the CPU after run() but the FPU registers and, on metal, caches: the
 * caller swaps the FPU (arch_fpu_save/load) around a whole stay in the run loop.
 */
#ifndef ARCH_X86_VCPU_H
#define ARCH_X86_VCPU_H

#include "arch/x86/arch.h"
#include "arch/x86/registers.h"

struct pt_format;

/* General registers in the order in which instructions encode them. */
enum vcpu_gpr {
	GPR_RAX, GPR_RCX, GPR_RDX, GPR_RBX, GPR_RSP, GPR_RBP, GPR_RSI, GPR_RDI,
	GPR_R8, GPR_R9, GPR_R10, GPR_R11, GPR_R12, GPR_R13, GPR_R14, GPR_R15, GPR_COUNT
};

/* In the order of the VMCB, the first six also in that of the instruction encoding. */
enum vcpu_seg {
	SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_GDTR, SEG_LDTR, SEG_IDTR, SEG_TR, SEG_COUNT
};

struct vcpu_segment { /* as in the VMCB; APM 2, table B-2 */
	u16 selector;
	u16 attr; /* bits 0-7: descriptor bits 40-47, 8-11: bits 52-55; none in GDTR and IDTR */
	u32 limit;
	u64 base;
};
_Static_assert(sizeof(struct vcpu_segment) == 16, "APM 2, table B-2");
#define VCPU_SEG_TYPE GENMASK(3, 0)
#define VCPU_SEG_S BIT(4)
#define VCPU_SEG_DPL GENMASK(6, 5)
#define VCPU_SEG_P BIT(7)
#define VCPU_SEG_AVL BIT(8)
#define VCPU_SEG_L BIT(9)
#define VCPU_SEG_DB BIT(10)
#define VCPU_SEG_G BIT(11)

struct vcpu_sregs {
	struct vcpu_segment seg[SEG_COUNT];
	u64 cr0, cr3, cr4, efer;
};

/* What a walk of the guest's page tables and the decoder need. */
struct vcpu_mode {
	u64 cr0, cr3, cr4, efer;
	unsigned cpl;
	unsigned bits; /* size of the code segment: 16, 32 or 64 */
};

/* An event to deliver, as VMCB and VMCS have it, the error code above it: APM 2, 15.20; SDM 3, 25.8.3. */
#define VCPU_EVENT_VECTOR GENMASK(7, 0)
#define VCPU_EVENT_TYPE GENMASK(10, 8)
#define VCPU_EVENT_HAS_ERROR BIT(11)
#define VCPU_EVENT_VALID BIT(31)
#define VCPU_EVENT_ERROR GENMASK(63, 32)
enum { VCPU_EVENT_INTERRUPT = 0, VCPU_EVENT_EXCEPTION = 3, VCPU_EVENT_SOFT = 4 };

static inline u64 vcpu_interrupt(u8 vector)
{
	return VCPU_EVENT_VALID | vector | FIELD_PREP(VCPU_EVENT_TYPE, VCPU_EVENT_INTERRUPT);
}

static inline u64 vcpu_exception(u8 vector)
{
	return VCPU_EVENT_VALID | vector | FIELD_PREP(VCPU_EVENT_TYPE, VCPU_EVENT_EXCEPTION);
}

static inline u64 vcpu_exception_error(u8 vector, u32 error)
{
	return vcpu_exception(vector) | VCPU_EVENT_HAS_ERROR | FIELD_PREP(VCPU_EVENT_ERROR, error);
}

enum vcpu_exit_kind {
	VCPU_EXIT_UNASKED,    /* nothing that the engine had asked for */
	VCPU_EXIT_UNKNOWN,    /* nothing that we emulate; code is the CPU's exit code */
	VCPU_EXIT_INTERRUPT,  /* a host interrupt: nothing to do but let it come */
	VCPU_EXIT_WINDOW,     /* the guest can take an interrupt now */
	VCPU_EXIT_CPUID,
	VCPU_EXIT_HLT,
	VCPU_EXIT_IO,
	VCPU_EXIT_RDMSR,
	VCPU_EXIT_WRMSR,
	VCPU_EXIT_CR4_WRITE,
	VCPU_EXIT_CR8_WRITE,
	VCPU_EXIT_NESTED_FAULT,
	VCPU_EXIT_XSETBV,
	VCPU_EXIT_HYPERCALL,
	VCPU_EXIT_CACHE,      /* WBINVD, INVD */
	VCPU_EXIT_UNDEFINED,  /* an instruction that this CPU does not have for guests */
	VCPU_EXIT_RETRY,      /* the engine has dealt with it: enter again */
	VCPU_EXIT_SHUTDOWN,   /* triple fault */
	VCPU_EXIT_INVALID,    /* the CPU refused the state; code is its reason */
	VCPU_EXIT_KINDS
};
struct vcpu_exit {
	enum vcpu_exit_kind kind;
	u64 code;
	u64 next_rip;  /* 0: the CPU does not say */
	union {
		struct {
			u16 port;
			u8 size; /* 1, 2, 4 */
			bool in, string, rep;
		} io;
		struct {
			u64 gpa;
			unsigned access; /* enum arch_fault bits */
			bool table; /* the guest's own page-table walk did it */
		} fault;
	};
};

struct arch_vcpu {
	u64 gpr[GPR_COUNT];
	u64 rip, rflags, cr2;
	u8 cr8; /* task priority, 0..15: to the CPU at entry, from it at exit */
	/* Delivered at the next entry; 0: nothing. At exit: what was being delivered, to be delivered again. */
	u64 event;
	bool shadow; /* no interrupt before the next instruction is over (STI, MOV SS) */
	bool window; /* VCPU_EXIT_WINDOW is wanted, as soon as an interrupt may be delivered */
	bool flush;  /* forget before the next entry every translation that came from the nested tables */
	u64 tsc_offset; /* the guest's TSC is the CPU's plus this */
	struct vcpu_exit exit;
};

/* Go on at `rip`: an emulated instruction is over, and the interrupt shadow with it. */
static inline void vcpu_skip(struct arch_vcpu *v, u64 rip)
{
	v->rip = rip;
	v->shadow = false;
}

/* True when an external interrupt may be delivered now. */
static inline bool vcpu_interruptible(const struct arch_vcpu *v)
{
	return (v->rflags & RFLAGS_IF) && !v->shadow && !v->event;
}

struct vcpu_ops {
	const char *name; /* "SVM" */
	/* Nested page tables: format, depth, largest leaf (as in struct pt), and bits to add to prot. */
	const struct pt_format *table_format;
	unsigned table_levels, table_max_leaf, table_prot;

	/* A vCPU in its power-on state over the given nested tables; NULL: no memory. */
	struct arch_vcpu *(*create)(paddr_t nested_root);
	void (*destroy)(struct arch_vcpu *v);
	/* Registers as after INIT; gpr, rip and rflags too. */
	void (*reset)(struct arch_vcpu *v);
	/* Enter the guest once. Interrupts are off before and after. Fills v->exit. */
	void (*run)(struct arch_vcpu *v);

	void (*get_mode)(const struct arch_vcpu *v, struct vcpu_mode *m);
	void (*get_segment)(const struct arch_vcpu *v, enum vcpu_seg seg, struct vcpu_segment *out);
	void (*get_sregs)(const struct arch_vcpu *v, struct vcpu_sregs *s);
	/* -EINVAL: no CPU can be in this state. */
	int (*set_sregs)(struct arch_vcpu *v, const struct vcpu_sregs *s);
	/* -EINVAL: it has bits of features that guests are not offered, or the CPU would refuse it now. */
	int (*set_cr4)(struct arch_vcpu *v, u64 cr4);
	/* MSRs that are part of the CPU's state (EFER included). false: not one of them. set: -EINVAL
	 * for a value that the CPU would refuse, -ENOENT when it is not one of them. */
	bool (*get_msr)(const struct arch_vcpu *v, u32 msr, u64 *value);
	int (*set_msr)(struct arch_vcpu *v, u32 msr, u64 value);

	/* CPUID of the machine, for deriving what guests see. */
	void (*cpuid)(u32 leaf, u32 subleaf, u32 out[4]);
};

/* The engine of this machine, or NULL with the reason in *why. */
const struct vcpu_ops *arch_vcpu_ops(const char **why);

#endif
