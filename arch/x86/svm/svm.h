/* SPDX-License-Identifier: GPL-2.0-only */
/* Private to arch/x86/svm: the vCPU as this engine keeps it, and what the CPUs need for it. */
#ifndef ARCH_X86_SVM_SVM_H
#define ARCH_X86_SVM_SVM_H

#include "arch/x86/svm/vmcb.h"
#include "arch/x86/vcpu.h"
#include "arch/x86/x86.h"

/*
 * One per vCPU. The ASID is valid on CPU `cpu` as long as that CPU's generation is `generation`.
 * debug_live: the guest has touched debug registers, so DR0-DR3 are swapped around each entry.
 */
struct svm_vcpu {
	struct arch_vcpu common;
	struct vmcb *vmcb;
	paddr_t vmcb_pa;
	unsigned cpu;
	u64 generation;
	bool debug_live;
	u64 dr[4];
};

/*
 * One per CPU: the page that VMRUN keeps host state in (VM_HSAVE_PA), the page for what VMLOAD and
 * VMSAVE move, and the ASIDs. ASIDs 1..limit-1 are given out upward; when they are used up the
 * generation moves on and the CPU drops all guests' translations at the next entry.
 */
struct svm_cpu {
	paddr_t host_save, host_extra;
	bool on;
	u32 next_asid;
	u64 generation;
};

static inline struct svm_vcpu *svm_vcpu(struct arch_vcpu *v)
{
	return container_of(v, struct svm_vcpu, common);
}

static inline const struct svm_vcpu *svm_vcpu_const(const struct arch_vcpu *v)
{
	return container_of(v, const struct svm_vcpu, common);
}

/* svm.c */
extern u32 svm_asid_limit;
/* Bits of CR4 that a guest may set: the features that virt/cpuid.c offers, on a CPU that has them. */
extern u64 svm_cr4_offered;
/* This CPU, switched to SVM; NULL if that cannot be. Interrupts are off. */
struct svm_cpu *svm_cpu_this(void);

/* bitmaps.c: permission maps shared by all vCPUs */
#define SVM_IOPM_SIZE (3 * PAGE_SIZE)
#define SVM_MSRPM_SIZE (2 * PAGE_SIZE)
extern u8 svm_iopm[SVM_IOPM_SIZE], svm_msrpm[SVM_MSRPM_SIZE];
void svm_bitmaps_init(void);

/* state.c */
void svm_vcpu_reset(struct arch_vcpu *v);
void svm_get_mode(const struct arch_vcpu *v, struct vcpu_mode *m);
void svm_get_segment(const struct arch_vcpu *v, enum vcpu_seg seg, struct vcpu_segment *out);
void svm_get_sregs(const struct arch_vcpu *v, struct vcpu_sregs *s);
int svm_set_sregs(struct arch_vcpu *v, const struct vcpu_sregs *s);
int svm_set_cr4(struct arch_vcpu *v, u64 cr4);
bool svm_get_msr(const struct arch_vcpu *v, u32 msr, u64 *value);
int svm_set_msr(struct arch_vcpu *v, u32 msr, u64 value);

/* exit.c: what a guest leaves for; and why it has left, from the VMCB to common.exit */
void svm_intercepts_set(struct vmcb *c);
void svm_exit_decode(struct svm_vcpu *v);

/* run.c */
void svm_run(struct arch_vcpu *v);

/* enter.S: gpr as in struct arch_vcpu (RAX and RSP travel by the VMCB). Interrupts are off. */
void svm_enter(u64 *gpr, paddr_t vmcb, paddr_t host_extra);

#endif
