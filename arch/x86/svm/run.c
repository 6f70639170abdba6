// SPDX-License-Identifier: GPL-2.0-only
/*
 * One entry into a guest: the ASID, the event to deliver, debug registers, and the world switch.
 * After a shutdown, or when the CPU refuses the state, the VMCB is undefined (APM 2, 15.14.3; it may
 * hold registers of ours): the vCPU is in its power-on state then.
 *
 * ASIDs make the flush, since a fresh one has no translations: a vCPU whose translations must go, or which comes to another CPU, takes the
 * CPU's next ASID, which no guest has used since that CPU last dropped all translations.
 */
#include "arch/x86/svm/svm.h"

static void asid_take(struct svm_vcpu *v, struct svm_cpu *cpu)
{
	struct vmcb *c = v->vmcb;

	c->tlb_control = 0;
	if (!v->common.flush && v->generation == cpu->generation && v->cpu == arch_cpu_id())
		return;
	v->common.flush = false;
	if (cpu->next_asid >= svm_asid_limit) {
		cpu->generation++;
		cpu->next_asid = 1;
		c->tlb_control = VMCB_TLB_FLUSH_ALL;
	}
	c->asid = cpu->next_asid++;
	v->generation = cpu->generation;
	v->cpu = arch_cpu_id();
}

/*
 * Made anew for each entry: what stands in the VMCB after an exit is the CPU's. A CPU that refuses
 * a state may leave V_INTR_MASKING off, and without it the guest's RFLAGS.IF would decide whether
 * we get our interrupts. The window is a virtual interrupt of the highest priority, which is
 * intercepted before it is taken.
 */
static u64 vintr(const struct svm_vcpu *v)
{
	return VMCB_V_INTR_MASKING | FIELD_PREP(VMCB_V_TPR, v->common.cr8) |
	       (v->common.window ? VMCB_V_IRQ | VMCB_V_IGN_TPR | FIELD_PREP(VMCB_V_INTR_PRIO, 15) : 0);
}

static void debug_swap_in(const struct svm_vcpu *v)
{
	__asm__ volatile("mov %0, %%db0" : : "r"(v->dr[0]));
	__asm__ volatile("mov %0, %%db1" : : "r"(v->dr[1]));
	__asm__ volatile("mov %0, %%db2" : : "r"(v->dr[2]));
	__asm__ volatile("mov %0, %%db3" : : "r"(v->dr[3]));
}

static void debug_swap_out(struct svm_vcpu *v)
{
	__asm__ volatile("mov %%db0, %0" : "=r"(v->dr[0]));
	__asm__ volatile("mov %%db1, %0" : "=r"(v->dr[1]));
	__asm__ volatile("mov %%db2, %0" : "=r"(v->dr[2]));
	__asm__ volatile("mov %%db3, %0" : "=r"(v->dr[3]));
}

void svm_run(struct arch_vcpu *a)
{
	struct svm_vcpu *v = svm_vcpu(a);
	struct svm_cpu *cpu = svm_cpu_this();
	struct vmcb *c = v->vmcb;

	if (!cpu) {
		a->exit = (struct vcpu_exit){ .kind = VCPU_EXIT_INVALID };
		return;
	}
	asid_take(v, cpu);
	c->rax = a->gpr[GPR_RAX];
	c->rsp = a->gpr[GPR_RSP];
	c->rip = a->rip;
	c->rflags = a->rflags;
	c->cr2 = a->cr2;
	c->tsc_offset = a->tsc_offset;
	c->shadow = a->shadow;
	c->vintr = vintr(v);
	c->event_inject = a->event;
	if (v->debug_live)
		debug_swap_in(v);

	svm_enter(a->gpr, v->vmcb_pa, cpu->host_extra);

	if (v->debug_live)
		debug_swap_out(v);
	svm_exit_decode(v);
	if (a->exit.kind == VCPU_EXIT_INVALID || a->exit.kind == VCPU_EXIT_SHUTDOWN) {
		/* A refused VMRUN need not have flushed: nobody may have a used ASID before one has. */
		if (c->tlb_control)
			cpu->next_asid = svm_asid_limit;
		svm_vcpu_reset(a);
		return;
	}
	a->gpr[GPR_RAX] = c->rax;
	a->gpr[GPR_RSP] = c->rsp;
	a->rip = c->rip;
	a->rflags = c->rflags;
	a->cr2 = c->cr2;
	a->shadow = c->shadow & VMCB_SHADOW;
	a->cr8 = FIELD_GET(VMCB_V_TPR, c->vintr) & 15;
}
