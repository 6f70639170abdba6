// SPDX-License-Identifier: GPL-2.0-only
/*
 * The registers of a guest in its VMCB: the power-on state with what is intercepted, segments and
 * control registers in and out, and the MSRs that the CPU keeps for a guest.
 *
 * EFER.SVME is always set in the VMCB, as VMRUN demands, and never seen by the guest.
 *
 * Only what is swapped with the guest can be switched on in CR4: protection keys, for one, would show a
 * guest the PKRU of another.
 */
#include "arch/x86/svm/svm.h"

#define CR0_PE BIT(0)
#define CR0_PG BIT(31)
#define RFLAGS_VM BIT(17)
#define EFER_GUEST (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE)

#define CR0_RESET 0x60000010ull /* APM 2, table 14-1 */
#define DR6_RESET 0xffff0ff0ull
#define DR7_RESET 0x400ull
#define RDX_RESET 0x600ull

static struct vmcb_segment *segment_of(struct vmcb *c, enum vcpu_seg seg)
{
	struct vmcb_segment *const at[SEG_COUNT] = {
		[SEG_ES] = &c->es, [SEG_CS] = &c->cs, [SEG_SS] = &c->ss, [SEG_DS] = &c->ds,
		[SEG_FS] = &c->fs, [SEG_GS] = &c->gs, [SEG_LDTR] = &c->ldtr, [SEG_TR] = &c->tr,
	};

	return at[seg];
}

static void intercepts_set(struct vmcb *c)
{
	c->intercept_cr = BIT(16 + 4) | BIT(16 + 8); /* writes of CR4 and CR8 */
	c->intercept_dr = 0xffffffff;
	c->intercept_exceptions = BIT(1) | BIT(17) | BIT(18); /* #DB, #AC: see exit.c; #MC ends it */
	c->intercept_misc1 = SVM_MISC1(SVM_EXIT_INTR) | SVM_MISC1(SVM_EXIT_NMI) |
			     SVM_MISC1(SVM_EXIT_INIT) | SVM_MISC1(SVM_EXIT_VINTR) |
			     SVM_MISC1(SVM_EXIT_RDPMC) | SVM_MISC1(SVM_EXIT_CPUID) |
			     SVM_MISC1(SVM_EXIT_INVD) | SVM_MISC1(SVM_EXIT_HLT) |
			     SVM_MISC1(SVM_EXIT_INVLPGA) | SVM_MISC1(SVM_EXIT_IOIO) |
			     SVM_MISC1(SVM_EXIT_MSR) | SVM_MISC1(SVM_EXIT_TASK_SWITCH) |
			     SVM_MISC1(SVM_EXIT_SHUTDOWN);
	c->intercept_misc2 = SVM_MISC2(SVM_EXIT_VMRUN) | SVM_MISC2(SVM_EXIT_VMMCALL) |
			     SVM_MISC2(SVM_EXIT_VMLOAD) | SVM_MISC2(SVM_EXIT_VMSAVE) |
			     SVM_MISC2(SVM_EXIT_STGI) | SVM_MISC2(SVM_EXIT_CLGI) |
			     SVM_MISC2(SVM_EXIT_SKINIT) | SVM_MISC2(SVM_EXIT_RDTSCP) |
			     SVM_MISC2(SVM_EXIT_WBINVD) | SVM_MISC2(SVM_EXIT_MONITOR) |
			     SVM_MISC2(SVM_EXIT_MWAIT) | SVM_MISC2(SVM_EXIT_MWAIT_ARMED) |
			     SVM_MISC2(SVM_EXIT_XSETBV) | SVM_MISC2(SVM_EXIT_RDPRU);
}

void svm_vcpu_reset(struct arch_vcpu *a)
{
	const struct vmcb_segment data = { .attr = 0x93, .limit = 0xffff };
	struct svm_vcpu *v = svm_vcpu(a);
	struct vmcb *c = v->vmcb;
	u64 root = c->nested_cr3, tsc_offset = c->tsc_offset;

	memset(c, 0, sizeof(*c));
	intercepts_set(c);
	c->iopm_base = svm_iopm();
	c->msrpm_base = svm_msrpm();
	c->tsc_offset = tsc_offset;
	c->nested_control = VMCB_NESTED_PAGING;
	c->nested_cr3 = root;
	c->es = c->ss = c->ds = c->fs = c->gs = data;
	c->cs = (struct vmcb_segment){ .selector = 0xf000, .attr = 0x9b, .limit = 0xffff,
				       .base = 0xffff0000 };
	c->gdtr.limit = c->idtr.limit = 0xffff;
	c->ldtr = (struct vmcb_segment){ .attr = 0x82, .limit = 0xffff };
	c->tr = (struct vmcb_segment){ .attr = 0x8b, .limit = 0xffff };
	c->efer = EFER_SVME;
	c->cr0 = CR0_RESET;
	c->dr6 = DR6_RESET;
	c->dr7 = DR7_RESET;
	c->pat = PAT_POWER_ON;

	v->event = 0;
	v->generation = 0;
	v->debug_live = false;
	memset(v->dr, 0, sizeof(v->dr));
	memset(a->gpr, 0, sizeof(a->gpr));
	a->gpr[GPR_RDX] = RDX_RESET;
	a->rip = 0xfff0;
	a->rflags = 2;
	a->cr8 = 0;
}

void svm_get_mode(const struct arch_vcpu *v, struct vcpu_mode *m)
{
	const struct vmcb *c = svm_vcpu_const(v)->vmcb;

	m->cr0 = c->cr0;
	m->cr3 = c->cr3;
	m->cr4 = c->cr4;
	m->efer = c->efer & ~EFER_SVME;
	m->cpl = c->cpl;
	if ((c->efer & EFER_LMA) && (c->cs.attr & VCPU_SEG_L))
		m->bits = 64;
	else
		m->bits = (c->cr0 & CR0_PE) && !(v->rflags & RFLAGS_VM) &&
			  (c->cs.attr & VCPU_SEG_DB) ? 32 : 16;
}

void svm_get_segment(const struct arch_vcpu *v, enum vcpu_seg seg, struct vcpu_segment *out)
{
	const struct vmcb_segment *s = segment_of(svm_vcpu_const(v)->vmcb, seg);

	*out = (struct vcpu_segment){ .base = s->base, .limit = s->limit,
				      .selector = s->selector, .attr = s->attr };
}

void svm_get_sregs(const struct arch_vcpu *v, struct vcpu_sregs *s)
{
	const struct vmcb *c = svm_vcpu_const(v)->vmcb;

	for (unsigned i = 0; i < SEG_COUNT; i++)
		svm_get_segment(v, i, &s->seg[i]);
	s->gdt_base = c->gdtr.base;
	s->gdt_limit = (u16)c->gdtr.limit;
	s->idt_base = c->idtr.base;
	s->idt_limit = (u16)c->idtr.limit;
	s->cr0 = c->cr0;
	s->cr2 = c->cr2;
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
	for (unsigned i = 0; i < SEG_COUNT; i++) {
		const struct vcpu_segment *from = &s->seg[i];

		*segment_of(c, i) = (struct vmcb_segment){
			.selector = from->selector, .attr = from->attr & 0xfff,
			.limit = from->limit, .base = from->base,
		};
	}
	c->gdtr.base = s->gdt_base;
	c->gdtr.limit = s->gdt_limit;
	c->idtr.base = s->idt_base;
	c->idtr.limit = s->idt_limit;
	c->cr0 = s->cr0;
	c->cr2 = s->cr2;
	c->cr3 = s->cr3;
	c->cr4 = s->cr4;
	c->efer = s->efer | EFER_SVME;
	c->cpl = s->cr0 & CR0_PE ? FIELD_GET(VCPU_SEG_DPL, s->seg[SEG_SS].attr) : 0;
	svm_vcpu(v)->generation = 0;
	return 0;
}

int svm_set_cr4(struct arch_vcpu *v, u64 cr4)
{
	struct vmcb *c = svm_vcpu(v)->vmcb;

	if ((cr4 & ~svm_cr4_offered) || ((c->efer & EFER_LMA) && !(cr4 & CR4_PAE)))
		return -EINVAL;
	if (cr4 != c->cr4)
		svm_vcpu(v)->generation = 0; /* most of its bits flush: APM 2, 5.5.2 */
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
		{ MSR_SFMASK, &c->sfmask }, { MSR_FS_BASE, &c->fs.base }, { MSR_GS_BASE, &c->gs.base },
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
