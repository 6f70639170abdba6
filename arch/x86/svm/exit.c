// SPDX-License-Identifier: GPL-2.0-only
/*
 * Why the guest left, in the engine-neutral words of arch/x86/vcpu.h.
 *
 * An event that was being delivered when the guest left (EXITINTINFO) is put back for the next
 * entry, except software interrupts and traps: RIP still points at their instruction, which simply
 * runs again (APM 2, 15.20). Exits that concern nobody but the engine end here as RETRY.
 */
#include "arch/x86/svm/svm.h"

enum { TRAP_DB = 1, TRAP_BP = 3, TRAP_OF = 4, TRAP_GP = 13, TRAP_AC = 17 };

static u64 event_exception(unsigned vector, bool has_error)
{
	return VMCB_EVENT_VALID | vector | FIELD_PREP(VMCB_EVENT_TYPE, VMCB_EVENT_EXCEPTION) |
	       (has_error ? VMCB_EVENT_HAS_ERROR : 0);
}

/* The event to deliver again, or 0. */
static u64 event_interrupted(u64 info)
{
	unsigned vector = FIELD_GET(VMCB_EVENT_VECTOR, info);
	unsigned type = FIELD_GET(VMCB_EVENT_TYPE, info);

	if (!(info & VMCB_EVENT_VALID) || type == VMCB_EVENT_SOFT)
		return 0;
	if (type == VMCB_EVENT_EXCEPTION && (vector == TRAP_BP || vector == TRAP_OF))
		return 0;
	info &= VMCB_EVENT_VECTOR | VMCB_EVENT_TYPE | VMCB_EVENT_HAS_ERROR | VMCB_EVENT_VALID |
		VMCB_EVENT_ERROR;
	/* Vectors above 31 are no exceptions: an emulator has called an interrupt so. */
	if (type == VMCB_EVENT_EXCEPTION && vector > 31)
		info = VMCB_EVENT_VALID | vector | FIELD_PREP(VMCB_EVENT_TYPE, VMCB_EVENT_INTR);
	return info;
}

static void decode_io(struct vcpu_exit *e, const struct vmcb *c)
{
	e->kind = VCPU_EXIT_IO;
	e->next_rip = c->exit_info2;
	e->io.port = FIELD_GET(VMCB_IO_PORT, c->exit_info1);
	e->io.size = FIELD_GET(VMCB_IO_SIZE, c->exit_info1);
	e->io.in = c->exit_info1 & VMCB_IO_IN;
	e->io.string = c->exit_info1 & VMCB_IO_STRING;
	e->io.rep = c->exit_info1 & VMCB_IO_REP;
}

static void decode_nested_fault(struct vcpu_exit *e, const struct vmcb *c)
{
	e->kind = VCPU_EXIT_NESTED_FAULT;
	e->fault.gpa = c->exit_info2;
	e->fault.access = c->exit_info1 & VMCB_NPF_WRITE   ? ARCH_FAULT_WRITE
			  : c->exit_info1 & VMCB_NPF_FETCH ? ARCH_FAULT_EXEC
							   : ARCH_FAULT_READ;
	e->fault.table = c->exit_info1 & VMCB_NPF_TABLE;
}

/* From here on the guest owns the debug registers; DR6 and DR7 are in the VMCB anyway. */
static enum vcpu_exit_kind debug_begin(struct svm_vcpu *v)
{
	v->debug_live = true;
	v->vmcb->intercept_dr = 0;
	return VCPU_EXIT_RETRY;
}

static enum vcpu_exit_kind deliver(struct svm_vcpu *v, unsigned vector, bool has_error)
{
	v->event = event_exception(vector, has_error);
	return VCPU_EXIT_RETRY;
}

static enum vcpu_exit_kind exit_kind(struct svm_vcpu *v)
{
	u64 code = v->vmcb->exit_code;

	if (code >= SVM_EXIT_READ_DR0 && code <= SVM_EXIT_WRITE_DR15)
		return debug_begin(v);

	switch (code) {
	case SVM_EXIT_INTR:
	case SVM_EXIT_NMI:
	case SVM_EXIT_INIT:
		return VCPU_EXIT_INTERRUPT;
	case SVM_EXIT_VINTR:
		return VCPU_EXIT_WINDOW;
	case SVM_EXIT_CPUID:
		return VCPU_EXIT_CPUID;
	case SVM_EXIT_HLT:
		return VCPU_EXIT_HLT;
	case SVM_EXIT_MSR:
		return v->vmcb->exit_info1 & 1 ? VCPU_EXIT_WRMSR : VCPU_EXIT_RDMSR;
	case SVM_EXIT_WRITE_CR4:
		return VCPU_EXIT_CR4_WRITE;
	case SVM_EXIT_WRITE_CR8:
		return VCPU_EXIT_CR8_WRITE;
	case SVM_EXIT_XSETBV:
		return VCPU_EXIT_XSETBV;
	case SVM_EXIT_VMMCALL:
		return VCPU_EXIT_HYPERCALL;
	case SVM_EXIT_INVD:
	case SVM_EXIT_WBINVD:
		return VCPU_EXIT_CACHE;
	case SVM_EXIT_SHUTDOWN:
		return VCPU_EXIT_SHUTDOWN;
	/* Only the machine is offered that CPUID tells of. */
	case SVM_EXIT_INVLPGA:
	case SVM_EXIT_VMRUN:
	case SVM_EXIT_VMLOAD:
	case SVM_EXIT_VMSAVE:
	case SVM_EXIT_STGI:
	case SVM_EXIT_CLGI:
	case SVM_EXIT_SKINIT:
	case SVM_EXIT_RDTSCP:
	case SVM_EXIT_MONITOR:
	case SVM_EXIT_MWAIT:
	case SVM_EXIT_MWAIT_ARMED:
	case SVM_EXIT_RDPRU:
		return VCPU_EXIT_UNDEFINED;
	case SVM_EXIT_RDPMC:
		return deliver(v, TRAP_GP, true);
	/* Delivered here, so that a guest that faults in its delivery for ever still leaves. */
	case SVM_EXIT_EXCEPTION + TRAP_DB:
		return deliver(v, TRAP_DB, false);
	case SVM_EXIT_EXCEPTION + TRAP_AC:
		return deliver(v, TRAP_AC, true);
	default:
		return VCPU_EXIT_UNKNOWN;
	}
}

void svm_exit_decode(struct svm_vcpu *v)
{
	struct vmcb *c = v->vmcb;
	struct vcpu_exit *e = &v->common.exit;

	e->code = c->exit_code;
	e->next_rip = 0;
	if ((s32)c->exit_code == SVM_EXIT_INVALID) {
		e->kind = VCPU_EXIT_INVALID;
		e->vectoring = false;
		return;
	}
	v->event = event_interrupted(c->exit_int_info);
	e->vectoring = v->event != 0;
	if (c->exit_code == SVM_EXIT_NPF)
		decode_nested_fault(e, c);
	else if (c->exit_code == SVM_EXIT_IOIO)
		decode_io(e, c);
	else
		e->kind = exit_kind(v);
}
