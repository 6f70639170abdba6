// SPDX-License-Identifier: GPL-2.0-only
/*
 * The SVM engine: finding it, switching it on per CPU, creating and freeing vCPUs, and the table of
 * operations. A CPU is switched on when it first enters a guest (svm_cpu_this), from pages that were
 * set aside when the first vCPU was made, so that entry allocates nothing.
 */
#include "arch/x86/svm/svm.h"
#include "kernel/frames.h"
#include "kernel/pt.h"
#include "kernel/thread.h"

#define CPUID_FEATURES7 7u
#define CPUID_FEATURES7_EBX_FSGSBASE BIT(0)
#define CPUID_FEATURES7_EBX_SMEP BIT(7)
#define CPUID_FEATURES7_EBX_SMAP BIT(20)
#define CPUID_FEATURES7_ECX_UMIP BIT(2)
#define CPUID_EXT_FEATURES 0x80000001u
#define CPUID_EXT_FEATURES_ECX_SVM BIT(2)
#define CPUID_SVM 0x8000000au
#define CPUID_SVM_EDX_NESTED_PAGING BIT(0)

#define MSR_VM_HSAVE_PA 0xc0010117u /* APM 2, 15.30.4 */

#define CR4_VME_TO_OSXMMEXCPT GENMASK(10, 0) /* APM 2, 3.1.3; every CPU with SVM has them */

u32 svm_asid_limit;
u64 svm_cr4_offered;
static struct svm_cpu cpus[ARCH_MAX_CPUS];

static void svm_cpuid(u32 leaf, u32 subleaf, u32 out[4])
{
	struct cpuid r = cpuid(leaf, subleaf);

	memcpy(out, &r, sizeof(r));
}

static u64 cr4_offered(void)
{
	u64 cr4 = CR4_VME_TO_OSXMMEXCPT;
	struct cpuid r = cpuid_safe(CPUID_FEATURES7, 0);

	cr4 |= r.b & CPUID_FEATURES7_EBX_FSGSBASE ? CR4_FSGSBASE : 0;
	cr4 |= r.b & CPUID_FEATURES7_EBX_SMEP ? CR4_SMEP : 0;
	cr4 |= r.b & CPUID_FEATURES7_EBX_SMAP ? CR4_SMAP : 0;
	cr4 |= r.c & CPUID_FEATURES7_ECX_UMIP ? CR4_UMIP : 0;
	return cr4;
}

static int cpu_prepare(struct svm_cpu *cpu)
{
	paddr_t save, extra;

	if (cpu->host_extra)
		return 0;
	save = frame_alloc(SZ_4K);
	if (save == FRAME_NONE)
		return -ENOMEM;
	extra = frame_alloc(SZ_4K);
	if (extra == FRAME_NONE) {
		frame_put(save);
		return -ENOMEM;
	}
	cpu->host_save = save;
	cpu->next_asid = 1;
	cpu->generation = 1;
	WRITE_ONCE(cpu->host_extra, extra);
	return 0;
}

/* Makes sure that every CPU has its pages. Two first vCPUs at once would start a CPU's ASIDs over, and two
 * VMs share one. */
static int cpus_prepare(void)
{
	static struct mutex lock = MUTEX_INIT(lock);
	int r = 0;

	guard_mutex(&lock);
	for (unsigned i = 0; !r && i < arch_cpu_count(); i++)
		r = cpu_prepare(&cpus[i]);
	return r;
}

struct svm_cpu *svm_cpu_this(void)
{
	struct svm_cpu *cpu = &cpus[arch_cpu_id()];

	if (cpu->on)
		return cpu;
	if (!cpu->host_extra || (rdmsr(MSR_VM_CR) & VM_CR_SVMDIS))
		return NULL;
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SVME);
	wrmsr(MSR_VM_HSAVE_PA, cpu->host_save);
	cpu->on = true;
	return cpu;
}

static struct arch_vcpu *svm_create(paddr_t nested_root)
{
	struct svm_vcpu *v;
	paddr_t pa;

	if (cpus_prepare())
		return NULL;
	v = kzalloc(sizeof(*v));
	pa = frame_alloc(SZ_4K);
	if (!v || pa == FRAME_NONE) {
		kfree(v);
		if (pa != FRAME_NONE)
			frame_put(pa);
		return NULL;
	}
	v->vmcb_pa = pa;
	v->vmcb = phys_to_virt(pa);
	v->vmcb->nested_cr3 = nested_root;
	svm_vcpu_reset(&v->common);
	return &v->common;
}

static void svm_destroy(struct arch_vcpu *a)
{
	struct svm_vcpu *v = svm_vcpu(a);

	frame_put(v->vmcb_pa);
	kfree(v);
}

static const struct vcpu_ops svm_ops = {
	.name = "SVM",
	.table_format = &pt_x86,
	.table_levels = 4,
	.table_max_leaf = 2,
	.table_prot = PT_USER, /* nested walks are user accesses: APM 2, 15.25.5 */
	.create = svm_create,
	.destroy = svm_destroy,
	.reset = svm_vcpu_reset,
	.run = svm_run,
	.get_mode = svm_get_mode,
	.get_segment = svm_get_segment,
	.get_sregs = svm_get_sregs,
	.set_sregs = svm_set_sregs,
	.set_cr4 = svm_set_cr4,
	.get_msr = svm_get_msr,
	.set_msr = svm_set_msr,
	.cpuid = svm_cpuid,
};

const struct vcpu_ops *arch_vcpu_ops(const char **why)
{
	struct cpuid svm = cpuid_safe(CPUID_SVM, 0);

	if (svm_asid_limit)
		return &svm_ops;
	if (cpuid(0x80000000u, 0).a < CPUID_SVM || !(cpuid(CPUID_EXT_FEATURES, 0).c & CPUID_EXT_FEATURES_ECX_SVM)) {
		*why = "the CPU has no SVM (and VMX is not supported)";
		return NULL;
	}
	if (rdmsr(MSR_VM_CR) & VM_CR_SVMDIS) {
		*why = "the firmware has disabled SVM (VM_CR.SVMDIS)";
		return NULL;
	}
	if (!(svm.d & CPUID_SVM_EDX_NESTED_PAGING)) {
		*why = "the CPU's SVM has no nested paging";
		return NULL;
	}
	if (svm.b < 2) {
		*why = "the CPU's SVM has no address space identifiers";
		return NULL;
	}
	svm_bitmaps_init();
	svm_cr4_offered = cr4_offered();
	svm_asid_limit = svm.b;
	return &svm_ops;
}
