// SPDX-License-Identifier: GPL-2.0-only
/*
 * One entry into a guest: the ASID, the event to deliver, debug registers, and the world switch.
 *
 * ASIDs make the flush: a vCPU whose translations must go, or which comes to another CPU, takes the
 * CPU's next ASID, which no guest has used since that CPU last dropped all translations.
 */
#include "arch/x86/svm/svm.h"

static void asid_take(struct svm_vcpu *v, struct svm_cpu *cpu)
{
	struct vmcb *c = v->vmcb;

	c->tlb_control = 0;
	if (v->generation == cpu->generation && v->cpu == arch_cpu_id())
		return;
	if (cpu->next_asid >= svm_asid_limit) {
		cpu->generation++;
		cpu->next_asid = 1;
		c->tlb_control = VMCB_TLB_FLUSH_ALL;
	}
	c->asid = cpu->next_asid++;
	v->generation = cpu->generation;
	v->cpu = arch_cpu_id();
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
	c->vintr = (c->vintr & ~VMCB_V_TPR) | FIELD_PREP(VMCB_V_TPR, a->cr8);
	c->event_inject = v->event;
	v->event = 0;
	if (v->debug_live)
		debug_swap_in(v);

	svm_enter(a->gpr, v->vmcb_pa, cpu->host_extra);

	/* A VMRUN that is refused need not have flushed: nobody may have a used ASID before one has. */
	if ((s32)c->exit_code == SVM_EXIT_INVALID && c->tlb_control) {
		cpu->next_asid = svm_asid_limit;
		v->generation = 0;
	}
	if (v->debug_live)
		debug_swap_out(v);
	a->gpr[GPR_RAX] = c->rax;
	a->gpr[GPR_RSP] = c->rsp;
	a->rip = c->rip;
	a->rflags = c->rflags;
	a->cr8 = FIELD_GET(VMCB_V_TPR, c->vintr) & 15;
	svm_exit_decode(v);
}
