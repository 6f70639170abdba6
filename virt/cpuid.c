// SPDX-License-Identifier: GPL-2.0-only
/*
 * CPUID for guests: what KVM_GET_SUPPORTED_CPUID offers — the machine's leaves with only those
 * features that a guest here can use — and what the guest reads, from the VMM's table.
 *
 * Left out of the offer because the guest does not get it: SVM, MONITOR, extended states (XSAVE,
 * AVX), RDTSCP, performance counters, MTRRs, machine-check banks, nested features. APM 3, appendix E.
 */
#include "virt/vm.h"

#include "kernel/frames.h"

#define KVM_SIGNATURE_LEAF 0x40000000u
#define KVM_FEATURES_LEAF 0x40000001u

struct leaf_mask {
	u32 leaf;
	u32 subleafs; /* 0: the leaf has none */
	u32 eax, ebx, ecx, edx;
};

/* Bits of the machine's answer that pass. */
static const struct leaf_mask leaves[] = {
	{ 0x0, 0, ~0u, ~0u, ~0u, ~0u },
	/* SSE3 PCLMULQDQ SSSE3 CX16 SSE4.1 SSE4.2 MOVBE POPCNT AES RDRAND; FPU VME DE PSE TSC MSR PAE
	 * MCE CX8 APIC SEP PGE CMOV PAT PSE36 CLFSH MMX FXSR SSE SSE2 */
	{ 0x1, 0, ~0u, 0x0000ff00, 0x42d82203, 0x078babff },
	{ 0x2, 0, 0, 0, 0, 0 },
	{ 0x4, 1, 0, 0, 0, 0 },
	/* FSGSBASE BMI1 SMEP BMI2 ERMS RDSEED ADX SMAP CLFLUSHOPT CLWB; UMIP */
	{ 0x7, 1, 0, 0x019c0389, 0x00000004, 0 },
	{ 0xb, 2, 0, 0, 0, 0 },
	{ 0x80000000, 0, ~0u, ~0u, ~0u, ~0u },
	/* LAHF AltMovCr8 ABM SSE4A MisAlignSse 3DNowPrefetch; SYSCALL NX MmxExt 1GB LM and, below, the
	 * same as leaf 1 */
	{ 0x80000001, 0, ~0u, ~0u, 0x000001f1, 0x25d3abff },
	{ 0x80000002, 0, ~0u, ~0u, ~0u, ~0u },
	{ 0x80000003, 0, ~0u, ~0u, ~0u, ~0u },
	{ 0x80000004, 0, ~0u, ~0u, ~0u, ~0u },
	{ 0x80000005, 0, ~0u, ~0u, ~0u, ~0u },
	{ 0x80000006, 0, ~0u, ~0u, ~0u, ~0u },
	{ 0x80000007, 0, 0, 0, 0, 0x00000100 }, /* invariant TSC */
	{ 0x80000008, 0, 0x0000ffff, 0, 0, 0 },
};

#define LEAF1_ECX_X2APIC BIT(21)
#define LEAF1_ECX_OSXSAVE BIT(27)
#define LEAF1_ECX_HYPERVISOR BIT(31)
#define LEAF1_EDX_APIC BIT(9)

static struct kvm_cpuid_entry2 entry_from(const struct leaf_mask *m, u32 subleaf)
{
	u32 r[4];

	virt_ops->cpuid(m->leaf, subleaf, r);
	return (struct kvm_cpuid_entry2){
		.function = m->leaf, .index = subleaf,
		.flags = m->subleafs ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0,
		.eax = r[0] & m->eax, .ebx = r[1] & m->ebx, .ecx = r[2] & m->ecx, .edx = r[3] & m->edx,
	};
}

static void entry_adjust(struct kvm_cpuid_entry2 *e)
{
	switch (e->function) {
	case 0x0:
		e->eax = MIN(e->eax, 0xbu);
		break;
	case 0x1:
		e->ecx |= LEAF1_ECX_X2APIC | LEAF1_ECX_HYPERVISOR;
		break;
	case 0xb: /* one thread, one core: SDM 2, CPUID */
		e->ebx = 1;
		e->ecx = e->index | (e->index + 1) << 8;
		break;
	case 0x80000000:
		e->eax = MIN(e->eax, 0x80000008u);
		break;
	default:
		break;
	}
}

static struct kvm_cpuid_entry2 entry_hypervisor(u32 leaf)
{
	struct kvm_cpuid_entry2 e = { .function = leaf };

	if (leaf == KVM_SIGNATURE_LEAF) {
		e.eax = KVM_FEATURES_LEAF;
		memcpy(&e.ebx, "KVMK", 4);
		memcpy(&e.ecx, "VMKV", 4);
		memcpy(&e.edx, "M\0\0\0", 4);
	}
	return e;
}

static unsigned supported(struct kvm_cpuid_entry2 *out, unsigned room)
{
	unsigned n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(leaves); i++) {
		const struct leaf_mask *m = &leaves[i];

		for (u32 sub = 0; sub < MAX(m->subleafs, 1u); sub++) {
			if (n < room) {
				out[n] = entry_from(m, sub);
				entry_adjust(&out[n]);
			}
			n++;
		}
	}
	for (u32 leaf = KVM_SIGNATURE_LEAF; leaf <= KVM_FEATURES_LEAF; leaf++, n++)
		if (n < room)
			out[n] = entry_hypervisor(leaf);
	return n;
}

s64 cpuid_supported(struct vm *, void *data, u64 arg)
{
	struct kvm_cpuid_entry2 entries[2 * ARRAY_SIZE(leaves)];
	unsigned n = supported(entries, ARRAY_SIZE(entries));
	struct kvm_cpuid2 *head = data;

	BUG_ON(n > ARRAY_SIZE(entries));
	if (head->nent < n)
		return refuse(-E2BIG, "room for %u CPUID leaves, there are %u", head->nent, n);
	head->nent = n;
	return copy_to_user(arg + sizeof(*head), entries, n * sizeof(entries[0]));
}

s64 cpuid_set(struct vcpu *v, void *data, u64 arg)
{
	const struct kvm_cpuid2 *head = data;
	struct kvm_cpuid_entry2 *entries;

	if (head->nent > CPUID_MAX_ENTRIES)
		return refuse(-E2BIG, "%u CPUID leaves, at most %u", head->nent, CPUID_MAX_ENTRIES);
	entries = kcalloc(head->nent, sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	if (copy_from_user(entries, arg + sizeof(*head), head->nent * sizeof(*entries))) {
		kfree(entries);
		return -EFAULT;
	}
	kfree(v->cpuid);
	v->cpuid = entries;
	v->cpuid_count = head->nent;
	return 0;
}

/* All zero when the VMM's table does not have it. */
static const struct kvm_cpuid_entry2 *find(const struct vcpu *v, u32 leaf, u32 subleaf)
{
	static const struct kvm_cpuid_entry2 none;

	for (unsigned i = 0; i < v->cpuid_count; i++) {
		const struct kvm_cpuid_entry2 *e = &v->cpuid[i];

		if (e->function == leaf &&
		    (!(e->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) || e->index == subleaf))
			return e;
	}
	return &none;
}

void cpuid_emulate(struct vcpu *v)
{
	u32 leaf = (u32)v->arch->gpr[GPR_RAX], subleaf = (u32)v->arch->gpr[GPR_RCX];
	const struct kvm_cpuid_entry2 *e = find(v, leaf, subleaf);
	u32 ecx = e->ecx, edx = e->edx;

	/* Two bits follow the state of the vCPU. */
	if (e->function == 1) {
		struct vcpu_mode m;

		virt_ops->get_mode(v->arch, &m);
		ecx &= ~(u32)LEAF1_ECX_OSXSAVE;
		if (m.cr4 & CR4_OSXSAVE)
			ecx |= LEAF1_ECX_OSXSAVE;
		if (v->vm->irqchip && !lapic_enabled(&v->lapic))
			edx &= ~(u32)LEAF1_EDX_APIC;
	}
	v->arch->gpr[GPR_RAX] = e->eax;
	v->arch->gpr[GPR_RBX] = e->ebx;
	v->arch->gpr[GPR_RCX] = ecx;
	v->arch->gpr[GPR_RDX] = edx;
}
