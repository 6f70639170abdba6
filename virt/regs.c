// SPDX-License-Identifier: GPL-2.0-only
/*
 * The registers of a vCPU as its VMM reads and writes them: general, special, floating-point, local
 * interrupt controller, run state; and the table of a vCPU's ioctls.
 */
#include "virt/vm.h"

/* The XSAVE area, APM 2, figure 11-8 and 11.5.2. */
struct fpu_area {
	u8 x87[24]; /* control, status and tag words, last instruction: struct kvm_fpu has the same from fcw on */
	u32 mxcsr, mxcsr_mask;
	u8 st[128], xmm[256], unused[96];
	u64 components;
};
_Static_assert(offsetof(struct fpu_area, st) == 32 && offsetof(struct fpu_area, components) == 512, "APM 2");
#define KVM_FPU_X87 offsetof(struct kvm_fpu, fcw)
_Static_assert(offsetof(struct kvm_fpu, xmm) == KVM_FPU_X87 + 24, "struct kvm_fpu, <asm/kvm.h>");
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

/* struct kvm_sregs begins with the segments in this order. */
static const u8 kvm_seg[] = { SEG_CS, SEG_DS, SEG_ES, SEG_FS, SEG_GS, SEG_SS, SEG_TR, SEG_LDTR };
_Static_assert(offsetof(struct kvm_sregs, gdt) == ARRAY_SIZE(kvm_seg) * sizeof(struct kvm_segment), "<asm/kvm.h>");

static s64 sregs_get(struct vcpu *v, void *data, u64)
{
	struct kvm_segment *seg = data;
	struct kvm_sregs *k = data;
	struct vcpu_sregs s;

	virt_ops->get_sregs(v->arch, &s);
	for (unsigned i = 0; i < ARRAY_SIZE(kvm_seg); i++)
		seg[i] = segment_out(&s.seg[kvm_seg[i]]);
	k->gdt.base = s.seg[SEG_GDTR].base;
	k->gdt.limit = (u16)s.seg[SEG_GDTR].limit;
	k->idt.base = s.seg[SEG_IDTR].base;
	k->idt.limit = (u16)s.seg[SEG_IDTR].limit;
	k->cr0 = s.cr0;
	k->cr2 = v->arch->cr2;
	k->cr3 = s.cr3;
	k->cr4 = s.cr4;
	k->cr8 = v->vm->irqchip ? lapic_cr8(&v->lapic) : v->arch->cr8;
	k->efer = s.efer;
	k->apic_base = v->lapic.base;
	return 0;
}

static s64 sregs_set(struct vcpu *v, void *data, u64)
{
	const struct kvm_segment *seg = data;
	const struct kvm_sregs *k = data;
	struct vcpu_sregs s = {
		.seg = {
			[SEG_GDTR] = { .base = k->gdt.base, .limit = k->gdt.limit },
			[SEG_IDTR] = { .base = k->idt.base, .limit = k->idt.limit },
		},
		.cr0 = k->cr0, .cr3 = k->cr3, .cr4 = k->cr4, .efer = k->efer,
	};

	for (unsigned i = 0; i < ARRAY_SIZE(kvm_seg); i++)
		s.seg[kvm_seg[i]] = segment_in(&seg[i]);
	for (size_t i = 0; i < ARRAY_SIZE(k->interrupt_bitmap); i++)
		if (k->interrupt_bitmap[i])
			return refuse(-EINVAL, "KVM_SET_SREGS cannot queue interrupts; use the LAPIC");
	if (k->cr8 > 15)
		return refuse(-EINVAL, "CR8 is 0 to 15");
	if (k->apic_base != v->lapic.base && lapic_base_write(&v->lapic, k->apic_base))
		return refuse(-EINVAL, "the APIC base cannot become 0x%llx",
			      (unsigned long long)k->apic_base);
	if (virt_ops->set_sregs(v->arch, &s))
		return refuse(-EINVAL, "no CPU can have CR0 0x%llx, CR4 0x%llx, EFER 0x%llx",
			      (unsigned long long)k->cr0, (unsigned long long)k->cr4,
			      (unsigned long long)k->efer);
	v->arch->cr2 = k->cr2;
	v->arch->cr8 = (u8)k->cr8;
	lapic_set_cr8(&v->lapic, (u8)k->cr8);
	return 0;
}

/* struct kvm_regs begins with the general registers in this order. */
static const u8 kvm_gpr[GPR_COUNT] = {
	GPR_RAX, GPR_RBX, GPR_RCX, GPR_RDX, GPR_RSI, GPR_RDI, GPR_RSP, GPR_RBP,
	GPR_R8, GPR_R9, GPR_R10, GPR_R11, GPR_R12, GPR_R13, GPR_R14, GPR_R15,
};
_Static_assert(offsetof(struct kvm_regs, rip) == 8 * GPR_COUNT, "struct kvm_regs, <asm/kvm.h>");

static s64 regs_get(struct vcpu *v, void *data, u64)
{
	struct kvm_regs *k = data;
	u64 *gpr = data;

	for (unsigned i = 0; i < GPR_COUNT; i++)
		gpr[i] = v->arch->gpr[kvm_gpr[i]];
	k->rip = v->arch->rip;
	k->rflags = v->arch->rflags;
	return 0;
}

static s64 regs_set(struct vcpu *v, void *data, u64)
{
	const struct kvm_regs *k = data;
	const u64 *gpr = data;

	for (unsigned i = 0; i < GPR_COUNT; i++)
		v->arch->gpr[kvm_gpr[i]] = gpr[i];
	v->arch->rip = k->rip;
	v->arch->rflags = (k->rflags & 0x3f7fd5) | 2; /* defined bits, APM 2, 3.1.6 */
	return 0;
}

/* XSAVE leaves out what is in its initial state: the memory is stale then (APM 4, XSAVEOPT). */
static u64 components_saved(const struct fpu_area *fpu)
{
	u32 r[4];

	virt_ops->cpuid(1, 0, r);
	return r[2] & LEAF1_ECX_XSAVE ? fpu->components : COMPONENTS_X87_SSE;
}

static s64 fpu_get(struct vcpu *v, void *data, u64)
{
	const struct fpu_area *fpu = v->guest_fpu;
	u64 components = components_saved(fpu);
	struct kvm_fpu *k = data;

	k->fcw = FCW_INITIAL;
	k->mxcsr = fpu->mxcsr;
	if (components & COMPONENT_X87) {
		memcpy((u8 *)data + KVM_FPU_X87, fpu->x87, sizeof(fpu->x87));
		memcpy(k->fpr, fpu->st, sizeof(k->fpr));
	}
	if (components & COMPONENT_SSE)
		memcpy(k->xmm, fpu->xmm, sizeof(k->xmm));
	return 0;
}

static s64 fpu_set(struct vcpu *v, void *data, u64)
{
	struct fpu_area *fpu = v->guest_fpu;
	struct kvm_fpu *k = data;

	k->pad1 = 0; /* reserved in the area */
	memcpy(fpu->x87, (u8 *)data + KVM_FPU_X87, sizeof(fpu->x87));
	fpu->mxcsr = k->mxcsr & MXCSR_VALID; /* the CPU faults on other bits when it loads them */
	memcpy(fpu->st, k->fpr, sizeof(k->fpr));
	memcpy(fpu->xmm, k->xmm, sizeof(k->xmm));
	fpu->components |= COMPONENTS_X87_SSE;
	return 0;
}

static s64 no_lapic(void)
{
	return refuse(-EINVAL, "the vCPU has no LAPIC: KVM_CREATE_IRQCHIP comes first");
}

static s64 lapic_get(struct vcpu *v, void *data, u64)
{
	if (!v->vm->irqchip)
		return no_lapic();
	lapic_get_state(&v->lapic, data);
	return 0;
}

static s64 lapic_set(struct vcpu *v, void *data, u64)
{
	if (!v->vm->irqchip)
		return no_lapic();
	lapic_set_state(&v->lapic, data);
	v->arch->cr8 = lapic_cr8(&v->lapic);
	return 0;
}

static s64 mp_state_get(struct vcpu *v, void *data, u64)
{
	((struct kvm_mp_state *)data)->mp_state = v->mp_state;
	return 0;
}

static s64 mp_state_set(struct vcpu *v, void *data, u64)
{
	u32 state = ((const struct kvm_mp_state *)data)->mp_state;

	switch (state) {
	case KVM_MP_STATE_RUNNABLE:
		break;
	case KVM_MP_STATE_UNINITIALIZED:
	case KVM_MP_STATE_INIT_RECEIVED:
	case KVM_MP_STATE_HALTED:
		if (v->vm->irqchip)
			break;
		return refuse(-EINVAL, "run state %u needs KVM_CREATE_IRQCHIP", state);
	default:
		return refuse(-EINVAL, "run state %u is not offered", state);
	}
	v->mp_state = state;
	return 0;
}

const struct kvm_call vcpu_calls[] = {
	{ KVM_RUN, .vcpu = vcpu_run },
	{ KVM_GET_REGS, .vcpu = regs_get },
	{ KVM_SET_REGS, .vcpu = regs_set },
	{ KVM_GET_SREGS, .vcpu = sregs_get },
	{ KVM_SET_SREGS, .vcpu = sregs_set },
	{ KVM_GET_FPU, .vcpu = fpu_get },
	{ KVM_SET_FPU, .vcpu = fpu_set },
	{ KVM_GET_LAPIC, .vcpu = lapic_get },
	{ KVM_SET_LAPIC, .vcpu = lapic_set },
	{ KVM_GET_MP_STATE, .vcpu = mp_state_get },
	{ KVM_SET_MP_STATE, .vcpu = mp_state_set },
	{ KVM_GET_MSRS, .vcpu = msrs_get },
	{ KVM_SET_MSRS, .vcpu = msrs_set },
	{ KVM_SET_CPUID2, .vcpu = cpuid_set },
	{ 0 },
};
