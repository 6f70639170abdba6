// SPDX-License-Identifier: GPL-2.0-only
/*
 * The registers of a vCPU as its VMM reads and writes them: general, special, floating-point, local
 * interrupt controller, run state.
 */
#include "virt/vm.h"

/* Fields of the FXSAVE image, APM 2, figure 11-8, and the XSAVE header's component bits behind it. */
enum {
	FX_FCW = 0, FX_FSW = 2, FX_FTW = 4, FX_FOP = 6, FX_RIP = 8, FX_RDP = 16, FX_MXCSR = 24,
	FX_ST = 32, FX_XMM = 160, XSAVE_COMPONENTS = 512,
};
#define COMPONENT_X87 BIT(0)
#define COMPONENT_SSE BIT(1)
#define COMPONENTS_X87_SSE (COMPONENT_X87 | COMPONENT_SSE)
#define LEAF1_ECX_XSAVE BIT(26)
#define FCW_INITIAL 0x37f
#define MXCSR_VALID 0xffffu

static struct kvm_segment segment_out(const struct vcpu_segment *s)
{
	return (struct kvm_segment){
		.base = s->base, .limit = s->limit, .selector = s->selector,
		.type = FIELD_GET(VCPU_SEG_TYPE, s->attr), .s = FIELD_GET(VCPU_SEG_S, s->attr),
		.dpl = FIELD_GET(VCPU_SEG_DPL, s->attr), .present = FIELD_GET(VCPU_SEG_P, s->attr),
		.avl = FIELD_GET(VCPU_SEG_AVL, s->attr), .l = FIELD_GET(VCPU_SEG_L, s->attr),
		.db = FIELD_GET(VCPU_SEG_DB, s->attr), .g = s->limit > 0xfffff,
		.unusable = !(s->attr & VCPU_SEG_P),
	};
}

static struct vcpu_segment segment_in(const struct kvm_segment *s)
{
	struct vcpu_segment out = { .base = s->base, .limit = s->limit, .selector = s->selector };

	if (s->unusable)
		return out;
	out.attr = (u16)(FIELD_PREP(VCPU_SEG_TYPE, s->type) | FIELD_PREP(VCPU_SEG_S, s->s) |
			 FIELD_PREP(VCPU_SEG_DPL, s->dpl) | FIELD_PREP(VCPU_SEG_P, s->present) |
			 FIELD_PREP(VCPU_SEG_AVL, s->avl) | FIELD_PREP(VCPU_SEG_L, s->l) |
			 FIELD_PREP(VCPU_SEG_DB, s->db) | FIELD_PREP(VCPU_SEG_G, s->g));
	return out;
}

static s64 sregs_get(struct vcpu *v, u64 arg)
{
	struct vcpu_sregs s;
	struct kvm_sregs k = { 0 };

	virt_ops->get_sregs(v->arch, &s);
	k.es = segment_out(&s.seg[SEG_ES]);
	k.cs = segment_out(&s.seg[SEG_CS]);
	k.ss = segment_out(&s.seg[SEG_SS]);
	k.ds = segment_out(&s.seg[SEG_DS]);
	k.fs = segment_out(&s.seg[SEG_FS]);
	k.gs = segment_out(&s.seg[SEG_GS]);
	k.ldt = segment_out(&s.seg[SEG_LDTR]);
	k.tr = segment_out(&s.seg[SEG_TR]);
	k.gdt.base = s.gdt_base;
	k.gdt.limit = s.gdt_limit;
	k.idt.base = s.idt_base;
	k.idt.limit = s.idt_limit;
	k.cr0 = s.cr0;
	k.cr2 = s.cr2;
	k.cr3 = s.cr3;
	k.cr4 = s.cr4;
	k.cr8 = v->vm->irqchip ? lapic_cr8(&v->lapic) : v->arch->cr8;
	k.efer = s.efer;
	k.apic_base = v->lapic.base;
	return copy_to_user(arg, &k, sizeof(k)) ? -EFAULT : 0;
}

static s64 sregs_set(struct vcpu *v, u64 arg)
{
	struct vcpu_sregs s;
	struct kvm_sregs k;

	if (copy_from_user(&k, arg, sizeof(k)))
		return -EFAULT;
	s = (struct vcpu_sregs){
		.seg = {
			[SEG_ES] = segment_in(&k.es), [SEG_CS] = segment_in(&k.cs),
			[SEG_SS] = segment_in(&k.ss), [SEG_DS] = segment_in(&k.ds),
			[SEG_FS] = segment_in(&k.fs), [SEG_GS] = segment_in(&k.gs),
			[SEG_LDTR] = segment_in(&k.ldt), [SEG_TR] = segment_in(&k.tr),
		},
		.gdt_base = k.gdt.base, .gdt_limit = k.gdt.limit,
		.idt_base = k.idt.base, .idt_limit = k.idt.limit,
		.cr0 = k.cr0, .cr2 = k.cr2, .cr3 = k.cr3, .cr4 = k.cr4, .efer = k.efer,
	};
	for (size_t i = 0; i < ARRAY_SIZE(k.interrupt_bitmap); i++)
		if (k.interrupt_bitmap[i])
			return refuse(-EINVAL, "KVM_SET_SREGS cannot queue interrupts; use the LAPIC");
	if (k.cr8 > 15)
		return refuse(-EINVAL, "CR8 is 0 to 15");
	if (k.apic_base != v->lapic.base && lapic_base_write(&v->lapic, k.apic_base))
		return refuse(-EINVAL, "the APIC base cannot become 0x%llx",
			      (unsigned long long)k.apic_base);
	if (virt_ops->set_sregs(v->arch, &s))
		return refuse(-EINVAL, "no CPU can have CR0 0x%llx, CR4 0x%llx, EFER 0x%llx",
			      (unsigned long long)k.cr0, (unsigned long long)k.cr4,
			      (unsigned long long)k.efer);
	v->arch->cr8 = (u8)k.cr8;
	lapic_set_cr8(&v->lapic, (u8)k.cr8);
	return 0;
}

/* struct kvm_regs begins with the general registers in this order. */
static const u8 kvm_gpr[GPR_COUNT] = {
	GPR_RAX, GPR_RBX, GPR_RCX, GPR_RDX, GPR_RSI, GPR_RDI, GPR_RSP, GPR_RBP,
	GPR_R8, GPR_R9, GPR_R10, GPR_R11, GPR_R12, GPR_R13, GPR_R14, GPR_R15,
};
union kvm_regs_words {
	struct kvm_regs regs;
	u64 gpr[GPR_COUNT];
};
_Static_assert(offsetof(struct kvm_regs, rip) == 8 * GPR_COUNT, "struct kvm_regs, <asm/kvm.h>");

static s64 regs_get(struct vcpu *v, u64 arg)
{
	union kvm_regs_words k = { .regs = { .rip = v->arch->rip, .rflags = v->arch->rflags } };

	for (unsigned i = 0; i < GPR_COUNT; i++)
		k.gpr[i] = v->arch->gpr[kvm_gpr[i]];
	return copy_to_user(arg, &k.regs, sizeof(k.regs)) ? -EFAULT : 0;
}

static s64 regs_set(struct vcpu *v, u64 arg)
{
	union kvm_regs_words k;

	if (copy_from_user(&k.regs, arg, sizeof(k.regs)))
		return -EFAULT;
	for (unsigned i = 0; i < GPR_COUNT; i++)
		v->arch->gpr[kvm_gpr[i]] = k.gpr[i];
	v->arch->rip = k.regs.rip;
	v->arch->rflags = (k.regs.rflags & 0x3f7fd5) | 2; /* defined bits, APM 2, 3.1.6 */
	return 0;
}

/* XSAVE leaves out what is in its initial state: the memory is stale then (APM 4, XSAVEOPT). */
static u64 components_saved(const u8 *fx)
{
	u32 r[4];
	u64 components;

	virt_ops->cpuid(1, 0, r);
	if (!(r[2] & LEAF1_ECX_XSAVE))
		return COMPONENTS_X87_SSE;
	memcpy(&components, fx + XSAVE_COMPONENTS, 8);
	return components;
}

static s64 fpu_get(struct vcpu *v, u64 arg)
{
	const u8 *fx = v->guest_fpu;
	struct kvm_fpu k = { .fcw = FCW_INITIAL };
	u64 components = components_saved(fx);

	memcpy(&k.mxcsr, fx + FX_MXCSR, 4);
	if (components & COMPONENT_X87) {
		memcpy(&k.fcw, fx + FX_FCW, 2);
		memcpy(&k.fsw, fx + FX_FSW, 2);
		k.ftwx = fx[FX_FTW];
		memcpy(&k.last_opcode, fx + FX_FOP, 2);
		memcpy(&k.last_ip, fx + FX_RIP, 8);
		memcpy(&k.last_dp, fx + FX_RDP, 8);
		memcpy(k.fpr, fx + FX_ST, sizeof(k.fpr));
	}
	if (components & COMPONENT_SSE)
		memcpy(k.xmm, fx + FX_XMM, sizeof(k.xmm));
	return copy_to_user(arg, &k, sizeof(k)) ? -EFAULT : 0;
}

static s64 fpu_set(struct vcpu *v, u64 arg)
{
	u8 *fx = v->guest_fpu;
	struct kvm_fpu k;
	u64 components;

	if (copy_from_user(&k, arg, sizeof(k)))
		return -EFAULT;
	k.mxcsr &= MXCSR_VALID; /* the CPU faults on other bits when it loads them */
	memcpy(fx + FX_FCW, &k.fcw, 2);
	memcpy(fx + FX_FSW, &k.fsw, 2);
	fx[FX_FTW] = k.ftwx;
	memcpy(fx + FX_FOP, &k.last_opcode, 2);
	memcpy(fx + FX_RIP, &k.last_ip, 8);
	memcpy(fx + FX_RDP, &k.last_dp, 8);
	memcpy(fx + FX_MXCSR, &k.mxcsr, 4);
	memcpy(fx + FX_ST, k.fpr, sizeof(k.fpr));
	memcpy(fx + FX_XMM, k.xmm, sizeof(k.xmm));
	memcpy(&components, fx + XSAVE_COMPONENTS, 8);
	components |= COMPONENTS_X87_SSE;
	memcpy(fx + XSAVE_COMPONENTS, &components, 8);
	return 0;
}

static s64 lapic_state(struct vcpu *v, bool set, u64 arg)
{
	struct kvm_lapic_state k;

	if (!v->vm->irqchip)
		return refuse(-EINVAL, "the vCPU has no LAPIC: KVM_CREATE_IRQCHIP comes first");
	if (set) {
		if (copy_from_user(&k, arg, sizeof(k)))
			return -EFAULT;
		lapic_set_state(&v->lapic, k.regs);
		v->arch->cr8 = lapic_cr8(&v->lapic);
		return 0;
	}
	lapic_get_state(&v->lapic, k.regs);
	return copy_to_user(arg, &k, sizeof(k)) ? -EFAULT : 0;
}

static s64 mp_state(struct vcpu *v, bool set, u64 arg)
{
	struct kvm_mp_state k = { .mp_state = v->mp_state };

	if (!set)
		return copy_to_user(arg, &k, sizeof(k)) ? -EFAULT : 0;
	if (copy_from_user(&k, arg, sizeof(k)))
		return -EFAULT;
	switch (k.mp_state) {
	case KVM_MP_STATE_RUNNABLE:
		break;
	case KVM_MP_STATE_UNINITIALIZED:
	case KVM_MP_STATE_INIT_RECEIVED:
	case KVM_MP_STATE_HALTED:
		if (v->vm->irqchip)
			break;
		return refuse(-EINVAL, "run state %u needs KVM_CREATE_IRQCHIP", k.mp_state);
	default:
		return refuse(-EINVAL, "run state %u is not offered", k.mp_state);
	}
	v->mp_state = k.mp_state;
	return 0;
}

s64 regs_ioctl(struct vcpu *v, u32 nr, u64 arg)
{
	switch (nr) {
	case KVM_GET_REGS:
		return regs_get(v, arg);
	case KVM_SET_REGS:
		return regs_set(v, arg);
	case KVM_GET_SREGS:
		return sregs_get(v, arg);
	case KVM_SET_SREGS:
		return sregs_set(v, arg);
	case KVM_GET_FPU:
		return fpu_get(v, arg);
	case KVM_SET_FPU:
		return fpu_set(v, arg);
	case KVM_GET_LAPIC:
		return lapic_state(v, false, arg);
	case KVM_SET_LAPIC:
		return lapic_state(v, true, arg);
	case KVM_GET_MP_STATE:
		return mp_state(v, false, arg);
	case KVM_SET_MP_STATE:
		return mp_state(v, true, arg);
	default:
		return -ENOTTY;
	}
}
