// SPDX-License-Identifier: GPL-2.0-only
/*
 * The registers of a guest in its VMCB: the power-on state, segments and
 * control registers in and out, and the MSRs that the CPU keeps for a guest.
 *
 * EFER.SVME is always set in the VMCB, as VMRUN demands, and never seen by the guest.
 *
 * Only what is swapped with the guest can be switched on in CR4: protection keys, for one, would show a
 * guest the PKRU of another.
 */
#include "arch/x86/svm/svm.h"

#define EFER_GUEST (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE)

/* APM 2, table 14-1 */
#define DATA_RESET { .attr = 0x93, .limit = 0xffff }
static const struct vcpu_sregs sregs_reset = {
	.seg = {
		[SEG_CS] = { .selector = 0xf000, .attr = 0x9b, .limit = 0xffff, .base = 0xffff0000 },
		[SEG_ES] = DATA_RESET, [SEG_SS] = DATA_RESET, [SEG_DS] = DATA_RESET, [SEG_FS] = DATA_RESET,
		[SEG_GS] = DATA_RESET, [SEG_GDTR] = { .limit = 0xffff }, [SEG_IDTR] = { .limit = 0xffff },
		[SEG_LDTR] = { .attr = 0x82, .limit = 0xffff }, [SEG_TR] = { .attr = 0x8b, .limit = 0xffff },
	},
	.cr0 = 0x60000010,
};
#define DR7_RESET 0x400ull
#define RDX_RESET 0x600ull

void svm_vcpu_reset(struct arch_vcpu *a)
{
	struct svm_vcpu *v = svm_vcpu(a);
	struct vmcb *c = v->vmcb;
	u64 root = c->nested_cr3;

	memset(c, 0, sizeof(*c));
	svm_intercepts_set(c);
	c->iopm_base = virt_to_phys(svm_iopm);
	c->msrpm_base = virt_to_phys(svm_msrpm);
	c->nested_control = VMCB_NESTED_PAGING;
	c->nested_cr3 = root;
	c->dr6 = DR6_CLEAR;
	c->dr7 = DR7_RESET;
	c->pat = PAT_POWER_ON;
	BUG_ON(svm_set_sregs(a, &sregs_reset));

	v->debug_live = false;
	memset(v->dr, 0, sizeof(v->dr));
	memset(a->gpr, 0, sizeof(a->gpr));
	a->gpr[GPR_RDX] = RDX_RESET;
	a->rip = 0xfff0;
	a->rflags = 2;
	a->cr2 = 0;
	a->cr8 = 0;
	a->event = 0;
	a->shadow = false;
}

void svm_get_mode(const struct arch_vcpu *v, struct vcpu_mode *m)
{
	const struct vmcb *c = svm_vcpu_const(v)->vmcb;

	m->cr0 = c->cr0;
	m->cr3 = c->cr3;
	m->cr4 = c->cr4;
	m->efer = c->efer & ~EFER_SVME;
	m->cpl = c->cpl;
	if ((c->efer & EFER_LMA) && (c->seg[SEG_CS].attr & VCPU_SEG_L))
		m->bits = 64;
	else
		m->bits = (c->cr0 & CR0_PE) && !(v->rflags & RFLAGS_VM) &&
			  (c->seg[SEG_CS].attr & VCPU_SEG_DB) ? 32 : 16;
}

void svm_get_segment(const struct arch_vcpu *v, enum vcpu_seg seg, struct vcpu_segment *out)
{
	*out = svm_vcpu_const(v)->vmcb->seg[seg];
}

void svm_get_sregs(const struct arch_vcpu *v, struct vcpu_sregs *s)
{
	const struct vmcb *c = svm_vcpu_const(v)->vmcb;

	memcpy(s->seg, c->seg, sizeof(s->seg));
	s->cr0 = c->cr0;
	s->cr3 = c->cr3;
	s->cr4 = c->cr4;
	s->efer = c->efer & ~EFER_SVME;
}

static bool sregs_possible(const struct vcpu_sregs *s)
{
	if ((s->efer & ~EFER_GUEST) || (s->cr4 & ~svm_cr4_offered) || s->cr0 >> 32)
		return false;
	if ((s->cr0 & CR0_NW) && !(s->cr0 & CR0_CD))
		return false;
	if ((s->cr0 & CR0_PG) && !(s->cr0 & CR0_PE))
		return false;
	if ((s->efer & EFER_LME) && (s->cr0 & CR0_PG))
		return (s->cr4 & CR4_PAE) && (s->efer & EFER_LMA);
	return !(s->efer & EFER_LMA) && !(s->seg[SEG_CS].attr & VCPU_SEG_L);
}

int svm_set_sregs(struct arch_vcpu *v, const struct vcpu_sregs *s)
{
	struct vmcb *c = svm_vcpu(v)->vmcb;

	if (!sregs_possible(s))
		return -EINVAL;
	memcpy(c->seg, s->seg, sizeof(c->seg));
	c->cr0 = s->cr0;
	c->cr3 = s->cr3;
	c->cr4 = s->cr4;
	c->efer = s->efer | EFER_SVME;
	c->cpl = s->cr0 & CR0_PE ? FIELD_GET(VCPU_SEG_DPL, s->seg[SEG_SS].attr) : 0;
	v->flush = true;
	return 0;
}

int svm_set_cr4(struct arch_vcpu *v, u64 cr4)
{
	struct vmcb *c = svm_vcpu(v)->vmcb;

	if ((cr4 & ~svm_cr4_offered) || ((c->efer & EFER_LMA) && !(cr4 & CR4_PAE)))
		return -EINVAL;
	if (cr4 != c->cr4)
		v->flush = true; /* most of its bits flush: APM 2, 5.5.2 */
	c->cr4 = cr4;
	return 0;
}

/* The MSRs that are plain fields of the VMCB. */
static u64 *msr_field(struct vmcb *c, u32 msr)
{
	const struct {
		u32 msr;
		u64 *field;
	} at[] = {
		{ MSR_EFER, &c->efer }, { MSR_STAR, &c->star }, { MSR_LSTAR, &c->lstar }, { MSR_CSTAR, &c->cstar },
		{ MSR_SFMASK, &c->sfmask }, { MSR_FS_BASE, &c->seg[SEG_FS].base }, { MSR_GS_BASE, &c->seg[SEG_GS].base },
		{ MSR_KERNEL_GS_BASE, &c->kernel_gs_base }, { MSR_SYSENTER_CS, &c->sysenter_cs },
		{ MSR_SYSENTER_ESP, &c->sysenter_esp }, { MSR_SYSENTER_EIP, &c->sysenter_eip }, { MSR_PAT, &c->pat },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(at); i++)
		if (at[i].msr == msr)
			return at[i].field;
	return NULL;
}

bool svm_get_msr(const struct arch_vcpu *v, u32 msr, u64 *value)
{
	const u64 *field = msr_field(svm_vcpu_const(v)->vmcb, msr);

	if (!field)
		return false;
	*value = msr == MSR_EFER ? *field & ~EFER_SVME : *field;
	return true;
}

/* For four levels of tables: five are not offered. */
static bool canonical(u64 addr)
{
	return (u64)((s64)(addr << 16) >> 16) == addr;
}

static bool pat_valid(u64 pat)
{
	for (unsigned i = 0; i < 64; i += 8) {
		u8 type = (u8)(pat >> i);

		if (type > 7 || type == 2 || type == 3)
			return false;
	}
	return true;
}

int svm_set_msr(struct arch_vcpu *v, u32 msr, u64 value)
{
	struct vmcb *c = svm_vcpu(v)->vmcb;
	u64 *field = msr_field(c, msr);

	if (!field)
		return -ENOENT;
	switch (msr) {
	case MSR_EFER:
		/* LMA follows LME and CR0.PG; LME is fixed while paging is on (APM 2, 3.1.7). */
		if (value & ~EFER_GUEST)
			return -EINVAL;
		if ((c->cr0 & CR0_PG) && ((value ^ c->efer) & EFER_LME))
			return -EINVAL;
		value = (value & ~EFER_LMA) | (c->efer & EFER_LMA) | EFER_SVME;
		break;
	case MSR_PAT:
		if (!pat_valid(value))
			return -EINVAL;
		break;
	case MSR_SYSENTER_CS:
	case MSR_STAR:
	case MSR_SFMASK:
		break;
	default:
		if (!canonical(value))
			return -EINVAL;
		break;
	}
	*field = value;
	return 0;
}
