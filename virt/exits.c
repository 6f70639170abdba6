// SPDX-License-Identifier: GPL-2.0-only
/*
 * What to do when a guest has left: emulate and go on, or fill in kvm_run and go to the VMM.
 * Whatever is not understood ends at the VMM as KVM_EXIT_INTERNAL_ERROR, or as an exception in the
 * guest; never in ring 0.
 */
#include "virt/vm.h"

#define KVM_ENOSYS_RESULT (-1000ll) /* linux/kvm_para.h: KVM_ENOSYS */

int vcpu_inject_exception(struct vcpu *v, u8 vector, bool has_error, u32 error)
{
	const struct vcpu_event e = { .type = EVENT_EXCEPTION, .vector = vector,
				      .has_error = has_error, .error = error };

	virt_ops->inject(v->arch, &e);
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

/* Past an instruction that the CPU does not tell the length of. */
static int skip_opcode(struct vcpu *v, u8 first, u8 second)
{
	const u8 op[2] = { first, second };

	if (guest_skip(v, op, first == 0x0f ? 2 : 1))
		return 1;
	return vcpu_internal_error(v, KVM_INTERNAL_ERROR_EMULATION);
}

static int hlt_exit(struct vcpu *v)
{
	int r = skip_opcode(v, 0xf4, 0);

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
		return vcpu_inject_exception(v, TRAP_GP, true, 0);
	}
	if (!write) {
		gpr[GPR_RAX] = (u32)value;
		gpr[GPR_RDX] = value >> 32;
	}
	return skip_opcode(v, 0x0f, write ? 0x30 : 0x32);
}

/* MOV CRn, reg: 0f 22, the register in ModRM; for CR8 REX.R, or LOCK outside of 64-bit mode (APM 3). */
static bool cr_operand(struct vcpu *v, u64 *value, u64 *next_rip)
{
	struct insn_prefixes p;
	struct vcpu_mode m;
	u8 code[INSN_MAX];
	unsigned n = guest_fetch(v, code);

	virt_ops->get_mode(v->arch, &m);
	insn_prefixes(&p, code, n, m.bits);
	if (p.length + 3u > n || code[p.length] != 0x0f || code[p.length + 1] != 0x22)
		return false;
	*value = v->arch->gpr[(code[p.length + 2] & 7) | (p.rex & 1) << 3];
	if (m.bits != 64)
		*value = (u32)*value;
	*next_rip = v->arch->rip + p.length + 3;
	return true;
}

static int cr_write(struct vcpu *v, bool cr8)
{
	u64 value, next_rip;

	if (!cr_operand(v, &value, &next_rip))
		return vcpu_internal_error(v, KVM_INTERNAL_ERROR_EMULATION);
	if (cr8 ? value > 15 : virt_ops->set_cr4(v->arch, value) != 0)
		return vcpu_inject_exception(v, TRAP_GP, true, 0);
	if (cr8) {
		v->arch->cr8 = (u8)value;
		lapic_set_cr8(&v->lapic, (u8)value);
	}
	virt_ops->skip(v->arch, next_rip);
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
		return vcpu_internal_error(v, KVM_INTERNAL_ERROR_EMULATION);
	return mmio_exit(v);
}

static int hypercall_exit(struct vcpu *v)
{
	const u8 vmmcall[] = { 0x0f, 0x01, 0xd9 };

	v->arch->gpr[GPR_RAX] = (u64)KVM_ENOSYS_RESULT;
	if (guest_skip(v, vmmcall, sizeof(vmmcall)))
		return 1;
	return vcpu_internal_error(v, KVM_INTERNAL_ERROR_EMULATION);
}

static int cache_exit(struct vcpu *v)
{
	const u8 wbinvd[] = { 0x0f, 0x09 }, invd[] = { 0x0f, 0x08 };

	if (guest_skip(v, wbinvd, 2) || guest_skip(v, invd, 2))
		return 1;
	return vcpu_internal_error(v, KVM_INTERNAL_ERROR_EMULATION);
}

static enum exit_counter counter_of(enum vcpu_exit_kind kind)
{
	switch (kind) {
	case VCPU_EXIT_INTERRUPT:
		return COUNT_INTERRUPT;
	case VCPU_EXIT_WINDOW:
		return COUNT_WINDOW;
	case VCPU_EXIT_CPUID:
		return COUNT_CPUID;
	case VCPU_EXIT_HLT:
		return COUNT_HLT;
	case VCPU_EXIT_IO:
		return COUNT_IO;
	case VCPU_EXIT_RDMSR:
	case VCPU_EXIT_WRMSR:
		return COUNT_MSR;
	default:
		return COUNT_OTHER;
	}
}

int vcpu_exit_handle(struct vcpu *v)
{
	const struct vcpu_exit *e = &v->arch->exit;

	if (e->kind != VCPU_EXIT_NESTED_FAULT) /* it counts by what it turns out to be */
		counters_add(counter_of(e->kind));

	switch (e->kind) {
	case VCPU_EXIT_INTERRUPT:
	case VCPU_EXIT_WINDOW:
	case VCPU_EXIT_RETRY:
		return 1;
	case VCPU_EXIT_CPUID:
		cpuid_emulate(v);
		return skip_opcode(v, 0x0f, 0xa2);
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
		return hypercall_exit(v);
	case VCPU_EXIT_CACHE:
		return cache_exit(v);
	case VCPU_EXIT_XSETBV:
		return vcpu_inject_exception(v, TRAP_GP, true, 0);
	case VCPU_EXIT_UNDEFINED:
		return vcpu_inject_exception(v, TRAP_UD, false, 0);
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
