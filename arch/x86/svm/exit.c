// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a guest leaves for, and why it has left, in the engine-neutral words of arch/x86/vcpu.h.
 *
 * An event that was being delivered when the guest left (EXITINTINFO) is put back for the next
 * entry, except software interrupts and traps: RIP still points at their instruction, which simply
 * runs again (APM 2, 15.20). Exits that concern nobody but the engine end here as RETRY.
 */
#include "arch/x86/svm/svm.h"

/* The event to deliver again, or 0. */
static u64 event_interrupted(u64 info)
{
	u8 vector = FIELD_GET(VCPU_EVENT_VECTOR, info);
	unsigned type = FIELD_GET(VCPU_EVENT_TYPE, info);

	if (!(info & VCPU_EVENT_VALID) || type == VCPU_EVENT_SOFT)
		return 0;
	if (type == VCPU_EVENT_EXCEPTION && (vector == TRAP_BP || vector == TRAP_OF))
		return 0;
	/* Vectors above 31 are no exceptions: an emulator has called an interrupt so. */
	if (type == VCPU_EVENT_EXCEPTION && vector > 31)
		return vcpu_interrupt(vector);
	return info & (VCPU_EVENT_VECTOR | VCPU_EVENT_TYPE | VCPU_EVENT_HAS_ERROR | VCPU_EVENT_VALID |
		       VCPU_EVENT_ERROR);
}

static void decode_io(struct vcpu_exit *e, const struct vmcb *c)
{
	e->next_rip = c->exit_info2;
	e->io.port = FIELD_GET(VMCB_IO_PORT, c->exit_info1);
	e->io.size = FIELD_GET(VMCB_IO_SIZE, c->exit_info1);
	e->io.in = c->exit_info1 & VMCB_IO_IN;
	e->io.string = c->exit_info1 & VMCB_IO_STRING;
	e->io.rep = c->exit_info1 & VMCB_IO_REP;
}

static void decode_nested_fault(struct vcpu_exit *e, const struct vmcb *c)
{
	e->fault.gpa = c->exit_info2;
	e->fault.access = c->exit_info1 & VMCB_NPF_WRITE   ? ARCH_FAULT_WRITE
			  : c->exit_info1 & VMCB_NPF_FETCH ? ARCH_FAULT_EXEC
							   : ARCH_FAULT_READ;
	e->fault.table = c->exit_info1 & VMCB_NPF_TABLE;
}

/* By exit code: what is intercepted, besides debug registers and nested faults. */
static const u8 kinds[] = {
	[SVM_EXIT_INTR] = VCPU_EXIT_INTERRUPT, [SVM_EXIT_NMI] = VCPU_EXIT_INTERRUPT,
	[SVM_EXIT_INIT] = VCPU_EXIT_INTERRUPT, [SVM_EXIT_VINTR] = VCPU_EXIT_WINDOW,
	[SVM_EXIT_CPUID] = VCPU_EXIT_CPUID, [SVM_EXIT_HLT] = VCPU_EXIT_HLT, [SVM_EXIT_IOIO] = VCPU_EXIT_IO,
	[SVM_EXIT_MSR] = VCPU_EXIT_RDMSR, [SVM_EXIT_WRITE_CR4] = VCPU_EXIT_CR4_WRITE,
	[SVM_EXIT_WRITE_CR8] = VCPU_EXIT_CR8_WRITE, [SVM_EXIT_XSETBV] = VCPU_EXIT_XSETBV,
	[SVM_EXIT_VMMCALL] = VCPU_EXIT_HYPERCALL, [SVM_EXIT_INVD] = VCPU_EXIT_CACHE,
	[SVM_EXIT_WBINVD] = VCPU_EXIT_CACHE, [SVM_EXIT_SHUTDOWN] = VCPU_EXIT_SHUTDOWN,
	[SVM_EXIT_TASK_SWITCH] = VCPU_EXIT_UNKNOWN, [SVM_EXIT_EXCEPTION + TRAP_MC] = VCPU_EXIT_UNKNOWN,
	/* Only the machine is offered that CPUID tells of. */
	[SVM_EXIT_INVLPGA] = VCPU_EXIT_UNDEFINED, [SVM_EXIT_VMRUN] = VCPU_EXIT_UNDEFINED,
	[SVM_EXIT_VMLOAD] = VCPU_EXIT_UNDEFINED, [SVM_EXIT_VMSAVE] = VCPU_EXIT_UNDEFINED,
	[SVM_EXIT_STGI] = VCPU_EXIT_UNDEFINED, [SVM_EXIT_CLGI] = VCPU_EXIT_UNDEFINED,
	[SVM_EXIT_SKINIT] = VCPU_EXIT_UNDEFINED, [SVM_EXIT_RDTSCP] = VCPU_EXIT_UNDEFINED,
	[SVM_EXIT_MONITOR] = VCPU_EXIT_UNDEFINED, [SVM_EXIT_MWAIT] = VCPU_EXIT_UNDEFINED,
	[SVM_EXIT_MWAIT_ARMED] = VCPU_EXIT_UNDEFINED, [SVM_EXIT_RDPRU] = VCPU_EXIT_UNDEFINED,
	/* Delivered below, so that a guest that faults in its delivery for ever still leaves. */
	[SVM_EXIT_EXCEPTION + TRAP_DB] = VCPU_EXIT_RETRY, [SVM_EXIT_EXCEPTION + TRAP_AC] = VCPU_EXIT_RETRY,
	[SVM_EXIT_RDPMC] = VCPU_EXIT_RETRY,
};

void svm_intercepts_set(struct vmcb *c)
{
	for (unsigned code = 0; code < ARRAY_SIZE(kinds); code++)
		if (kinds[code])
			c->intercept[code / 32] |= BIT(code % 32);
	c->intercept[SVM_EXIT_READ_DR0 / 32] = ~0u;
}

static enum vcpu_exit_kind exit_kind(struct svm_vcpu *v, u64 code)
{
	if (code == SVM_EXIT_NPF)
		return VCPU_EXIT_NESTED_FAULT;
	if (code == SVM_EXIT_MSR && (v->vmcb->exit_info1 & 1))
		return VCPU_EXIT_WRMSR;
	if (code == SVM_EXIT_EXCEPTION + TRAP_DB)
		v->common.event = vcpu_exception(TRAP_DB);
	else if (code == SVM_EXIT_EXCEPTION + TRAP_AC || code == SVM_EXIT_RDPMC)
		v->common.event = vcpu_exception_error(code == SVM_EXIT_RDPMC ? TRAP_GP : TRAP_AC, 0);
	if (code < SVM_EXIT_READ_DR0 || code > SVM_EXIT_WRITE_DR15)
		return code < ARRAY_SIZE(kinds) ? kinds[code] : VCPU_EXIT_UNASKED;
	/* From here on the guest owns the debug registers; DR6 and DR7 are in the VMCB anyway. */
	v->debug_live = true;
	v->vmcb->intercept[SVM_EXIT_READ_DR0 / 32] = 0;
	return VCPU_EXIT_RETRY;
}

void svm_exit_decode(struct svm_vcpu *v)
{
	struct vmcb *c = v->vmcb;
	struct vcpu_exit *e = &v->common.exit;

	e->code = c->exit_code;
	e->next_rip = 0;
	if ((s32)c->exit_code == SVM_EXIT_INVALID) {
		e->kind = VCPU_EXIT_INVALID;
		return;
	}
	v->common.event = event_interrupted(c->exit_int_info);
	e->kind = exit_kind(v, c->exit_code);
	if (e->kind == VCPU_EXIT_NESTED_FAULT)
		decode_nested_fault(e, c);
	else if (e->kind == VCPU_EXIT_IO)
		decode_io(e, c);
}
