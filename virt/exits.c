// SPDX-License-Identifier: GPL-2.0-only
/*
 * What to do when a guest has left: emulate and go on, or fill in kvm_run and go to the VMM.
 * Whatever is not understood ends at the VMM as KVM_EXIT_INTERNAL_ERROR, or as an exception in the
 * guest; never in ring 0.
 */
#include "virt/vm.h"

#define KVM_ENOSYS_RESULT (-1000ll) /* linux/kvm_para.h: KVM_ENOSYS */

/* The guest gets it, and runs on. */
static int inject(struct vcpu *v, u64 event)
{
	v->arch->event = event;
	return 1;
}

int vcpu_internal_error(struct vcpu *v, u32 suberror)
{
	v->run->exit_reason = KVM_EXIT_INTERNAL_ERROR;
	v->run->internal.suberror = suberror;
	v->run->internal.ndata = 0;
	(void)refuse(-EIO, "the guest at rip 0x%llx did what is not emulated (suberror %u, exit 0x%llx)",
		     (unsigned long long)v->arch->rip, suberror,
		     (unsigned long long)v->arch->exit.code);
	return 0;
}

int vcpu_emulation_error(struct vcpu *v)
{
	return vcpu_internal_error(v, KVM_INTERNAL_ERROR_EMULATION);
}

int vcpu_access_error(struct vcpu *v, int r, const struct guest_fault *f)
{
	if (r != -EFAULT)
		return vcpu_emulation_error(v);
	v->arch->cr2 = f->address;
	return inject(v, vcpu_exception_error(TRAP_PF, f->error));
}

/* Past an instruction that the CPU does not tell the length of. */
static int skip_opcode(struct vcpu *v, const char *op)
{
	return guest_skip(v, op) ? 1 : vcpu_emulation_error(v);
}

static int hlt_exit(struct vcpu *v)
{
	int r = skip_opcode(v, "\xf4");

	if (r <= 0)
		return r;
	if (v->vm->irqchip) {
		v->mp_state = KVM_MP_STATE_HALTED;
		return 1;
	}
	v->run->exit_reason = KVM_EXIT_HLT;
	return 0;
}

static int msr_exit(struct vcpu *v, bool write)
{
	u64 *gpr = v->arch->gpr;
	u32 msr = (u32)gpr[GPR_RCX];
	u64 value = 0;
	int r;

	if (write)
		r = msr_write(v, msr, true, gpr[GPR_RDX] << 32 | (u32)gpr[GPR_RAX]);
	else
		r = msr_read(v, msr, &value);
	if (r) {
		log_debug("guest %s MSR 0x%x: #GP", write ? "writes" : "reads", msr);
		return inject(v, vcpu_exception_error(TRAP_GP, 0));
	}
	if (!write) {
		gpr[GPR_RAX] = (u32)value;
		gpr[GPR_RDX] = value >> 32;
	}
	return skip_opcode(v, write ? "\x0f\x30" : "\x0f\x32");
}

/* MOV CRn, reg: 0f 22, the register in ModRM; for CR8 REX.R, or LOCK outside of 64-bit mode (APM 3). */
static int cr_write(struct vcpu *v, bool cr8)
{
	struct insn_prefixes p;
	struct guest_code c;
	unsigned at;
	u64 value;

	guest_fetch(v, &c);
	insn_prefixes(&p, c.byte, c.n, c.mode.bits);
	at = p.length;
	if (at + 3 > c.n || c.byte[at] != 0x0f || c.byte[at + 1] != 0x22)
		return vcpu_emulation_error(v);
	value = v->arch->gpr[(c.byte[at + 2] & 7) | (p.rex & 1) << 3] & insn_mask(c.mode.bits == 64 ? 8 : 4);
	if (cr8 ? value > 15 : virt_ops->set_cr4(v->arch, value) != 0)
		return inject(v, vcpu_exception_error(TRAP_GP, 0));
	if (cr8) {
		v->arch->cr8 = (u8)value;
		lapic_set_cr8(&v->lapic, (u8)value);
	}
	guest_advance(v, &c.mode, at + 3);
	return 1;
}

static int nested_fault_exit(struct vcpu *v)
{
	const struct vcpu_exit *e = &v->arch->exit;
	int r = slots_fault(&v->vm->slots, e->fault.gpa, e->fault.access);

	if (!r || r == -EBUSY) { /* busy: a device is being reset, and a signal waits */
		counters_add(COUNT_NPF);
		return 1;
	}
	if (r != -ENXIO)
		return refuse(-EFAULT, "the memory behind guest address 0x%llx cannot be had (%d)",
			      (unsigned long long)e->fault.gpa, r);
	if (e->fault.table || e->fault.access == ARCH_FAULT_EXEC)
		return vcpu_emulation_error(v);
	return mmio_exit(v);
}

static const u8 counter_of[VCPU_EXIT_KINDS] = { /* else COUNT_OTHER */
	[VCPU_EXIT_INTERRUPT] = COUNT_INTERRUPT, [VCPU_EXIT_WINDOW] = COUNT_WINDOW,
	[VCPU_EXIT_CPUID] = COUNT_CPUID, [VCPU_EXIT_HLT] = COUNT_HLT, [VCPU_EXIT_IO] = COUNT_IO,
	[VCPU_EXIT_RDMSR] = COUNT_MSR, [VCPU_EXIT_WRMSR] = COUNT_MSR,
};

int vcpu_exit_handle(struct vcpu *v)
{
	const struct vcpu_exit *e = &v->arch->exit;

	if (e->kind != VCPU_EXIT_NESTED_FAULT) /* it counts by what it turns out to be */
		counters_add(counter_of[e->kind]);

	switch (e->kind) {
	case VCPU_EXIT_INTERRUPT:
	case VCPU_EXIT_WINDOW:
	case VCPU_EXIT_RETRY:
		return 1;
	case VCPU_EXIT_CPUID:
		cpuid_emulate(v);
		return skip_opcode(v, "\x0f\xa2");
	case VCPU_EXIT_HLT:
		return hlt_exit(v);
	case VCPU_EXIT_IO:
		return io_exit(v);
	case VCPU_EXIT_RDMSR:
	case VCPU_EXIT_WRMSR:
		return msr_exit(v, e->kind == VCPU_EXIT_WRMSR);
	case VCPU_EXIT_CR4_WRITE:
	case VCPU_EXIT_CR8_WRITE:
		return cr_write(v, e->kind == VCPU_EXIT_CR8_WRITE);
	case VCPU_EXIT_NESTED_FAULT:
		return nested_fault_exit(v);
	case VCPU_EXIT_HYPERCALL:
		v->arch->gpr[GPR_RAX] = (u64)KVM_ENOSYS_RESULT;
		return skip_opcode(v, "\x0f\x01\xd9");
	case VCPU_EXIT_CACHE:
		return guest_skip(v, "\x0f\x08") ? 1 : skip_opcode(v, "\x0f\x09");
	case VCPU_EXIT_XSETBV:
		return inject(v, vcpu_exception_error(TRAP_GP, 0));
	case VCPU_EXIT_UNDEFINED:
		return inject(v, vcpu_exception(TRAP_UD));
	case VCPU_EXIT_SHUTDOWN:
		v->run->exit_reason = KVM_EXIT_SHUTDOWN;
		return 0;
	case VCPU_EXIT_INVALID:
		v->run->exit_reason = KVM_EXIT_FAIL_ENTRY;
		v->run->fail_entry.hardware_entry_failure_reason = e->code;
		v->run->fail_entry.cpu = arch_cpu_id();
		return 0;
	default:
		return vcpu_internal_error(v, KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON);
	}
}
