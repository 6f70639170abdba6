// SPDX-License-Identifier: GPL-2.0-only
/*
 * Model-specific registers: the CPU's own (through the engine), the local interrupt controller's, the
 * time-stamp counter, and a few that guests touch although they mean nothing here: those read as
 * zero or as written. Any other is a #GP for the guest and ends KVM_GET_MSRS or KVM_SET_MSRS.
 */
#include "virt/vm.h"

enum {
	MSR_TSC = 0x10, MSR_BIOS_SIGN = 0x8b, MSR_MTRR_CAP = 0xfe, MSR_MCG_CAP = 0x179,
	MSR_MCG_STATUS = 0x17a, MSR_MISC_ENABLE = 0x1a0, MSR_X2APIC_END = 0x8ff,
};
enum { /* AMD */
	MSR_SYSCFG = 0xc0010010u, MSR_HWCR = 0xc0010015u, MSR_NB_CFG = 0xc001001fu,
	MSR_PATCH_LOADER = 0xc0010020u, MSR_OSVW_LENGTH = 0xc0010140u,
	MSR_OSVW_STATUS = 0xc0010141u, MSR_LS_CFG = 0xc0011020u, MSR_DE_CFG = 0xc0011029u,
};
#define DE_CFG_LFENCE BIT(1)     /* LFENCE waits: true on every CPU with it */

/* For KVM_GET_MSR_INDEX_LIST: what a VMM saves. */
static const u32 saved[] = {
	MSR_SYSENTER_CS, MSR_SYSENTER_ESP, MSR_SYSENTER_EIP, MSR_EFER, MSR_STAR, MSR_LSTAR, MSR_CSTAR, MSR_SFMASK,
	MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS_BASE, MSR_PAT, MSR_TSC, MSR_APIC_BASE, MSR_MISC_ENABLE,
	MSR_MCG_STATUS, MSR_TSC_DEADLINE,
};

int msr_read(struct vcpu *v, u32 msr, u64 *value)
{
	if (virt_ops->get_msr(v->arch, msr, value))
		return 0;
	if (msr >= MSR_X2APIC && msr <= MSR_X2APIC_END)
		return v->vm->irqchip ? lapic_msr_read(&v->lapic, msr, value) : -EINVAL;

	*value = 0;
	switch (msr) {
	case MSR_TSC:
		*value = arch_tsc() + v->arch->tsc_offset;
		return 0;
	case MSR_APIC_BASE:
		*value = v->lapic.base;
		return 0;
	case MSR_TSC_DEADLINE:
		*value = v->lapic.deadline;
		return 0;
	case MSR_MISC_ENABLE:
		*value = v->misc_enable;
		return 0;
	case MSR_MCG_STATUS:
		*value = v->mcg_status;
		return 0;
	case MSR_DE_CFG:
		*value = DE_CFG_LFENCE;
		return 0;
	case MSR_VM_CR:
		*value = VM_CR_SVMDIS;
		return 0;
	case MSR_BIOS_SIGN:
	case MSR_MTRR_CAP:
	case MSR_MCG_CAP:
	case MSR_SYSCFG:
	case MSR_HWCR:
	case MSR_NB_CFG:
	case MSR_OSVW_LENGTH:
	case MSR_OSVW_STATUS:
	case MSR_LS_CFG:
		return 0;
	default:
		return -EINVAL;
	}
}

int msr_write(struct vcpu *v, u32 msr, bool by_guest, u64 value)
{
	int r = virt_ops->set_msr(v->arch, msr, value);

	if (r != -ENOENT)
		return r;
	if (msr >= MSR_X2APIC && msr <= MSR_X2APIC_END)
		return v->vm->irqchip ? lapic_msr_write(&v->lapic, msr, value) : -EINVAL;

	switch (msr) {
	case MSR_TSC:
		v->arch->tsc_offset = v->lapic.tsc_offset = value - arch_tsc();
		return 0;
	case MSR_APIC_BASE:
		return lapic_base_write(&v->lapic, value);
	case MSR_TSC_DEADLINE:
		if (v->vm->irqchip && lapic_timer_is_deadline(&v->lapic))
			lapic_timer_set_deadline(&v->lapic, value);
		return 0;
	case MSR_MISC_ENABLE:
		v->misc_enable = value;
		return 0;
	case MSR_MCG_STATUS:
		if (by_guest && value)
			return -EINVAL; /* SDM 3, 16.3.1.2 */
		v->mcg_status = value;
		return 0;
	case MSR_BIOS_SIGN:
	case MSR_SYSCFG:
	case MSR_HWCR:
	case MSR_NB_CFG:
	case MSR_PATCH_LOADER:
	case MSR_LS_CFG:
	case MSR_DE_CFG:
		return 0; /* nothing to configure */
	default:
		return -EINVAL;
	}
}

/* The number of entries done; the first that fails ends it. */
static s64 each_entry(struct vcpu *v, const struct kvm_msrs *head, u64 arg, bool set)
{
	u32 i;

	if (head->nmsrs > CPUID_MAX_ENTRIES)
		return -E2BIG;
	for (i = 0; i < head->nmsrs; i++) {
		u64 at = arg + sizeof(*head) + i * sizeof(struct kvm_msr_entry);
		struct kvm_msr_entry e;
		u64 value = 0;

		if (copy_from_user(&e, at, sizeof(e)))
			return -EFAULT;
		if (set && msr_write(v, e.index, false, e.data)) {
			(void)refuse(-EINVAL, "MSR 0x%x does not take 0x%llx", e.index,
				     (unsigned long long)e.data);
			break;
		}
		if (set)
			continue;
		if (msr_read(v, e.index, &value))
			break;
		e.data = value;
		if (copy_to_user(at, &e, sizeof(e)))
			return -EFAULT;
	}
	return i;
}

s64 msrs_get(struct vcpu *v, void *data, u64 arg)
{
	return each_entry(v, data, arg, false);
}

s64 msrs_set(struct vcpu *v, void *data, u64 arg)
{
	return each_entry(v, data, arg, true);
}

/* The number of entries is told also when there is no room for them. */
s64 msr_list(struct vm *, void *data, u64 arg)
{
	struct kvm_msr_list *head = data;
	u32 room = head->nmsrs;

	head->nmsrs = ARRAY_SIZE(saved);
	if (copy_to_user(arg, head, sizeof(*head)))
		return -EFAULT;
	if (room < ARRAY_SIZE(saved))
		return -E2BIG;
	return copy_to_user(arg + sizeof(*head), saved, sizeof(saved));
}
