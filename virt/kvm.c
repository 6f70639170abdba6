// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/kvm: what the system offers, and the way to a VM. Without a virtualization engine the node is
 * there and its open fails with the reason.
 */
#include "virt/virt.h"

#include "kernel/audit.h"
#include "kernel/initcall.h"
#include "virt/vm.h"

const struct vcpu_ops *virt_ops;
static const char *why_not;

/* What is not in the table is not offered. */
static const struct {
	u32 cap;
	s32 value;
} extensions[] = {
	{ KVM_CAP_IRQCHIP, 1 },
	{ KVM_CAP_HLT, 1 },
	{ KVM_CAP_USER_MEMORY, 1 },
	{ KVM_CAP_SET_TSS_ADDR, 1 },
	{ KVM_CAP_EXT_CPUID, 1 },
	{ KVM_CAP_NR_VCPUS, VM_MAX_VCPUS },
	{ KVM_CAP_MAX_VCPUS, VM_MAX_VCPUS },
	{ KVM_CAP_MAX_VCPU_ID, VM_MAX_VCPUS },
	{ KVM_CAP_NR_MEMSLOTS, SLOTS_MAX },
	{ KVM_CAP_MP_STATE, 1 },
	{ KVM_CAP_DESTROY_MEMORY_REGION_WORKS, 1 },
	{ KVM_CAP_JOIN_MEMORY_REGIONS_WORKS, 1 },
	{ KVM_CAP_IRQ_ROUTING, VM_MAX_GSIS },
	{ KVM_CAP_IRQFD, 1 },
	{ KVM_CAP_SET_IDENTITY_MAP_ADDR, 1 },
	{ KVM_CAP_TSC_DEADLINE_TIMER, 1 },
	{ KVM_CAP_SIGNAL_MSI, 1 },
	{ KVM_CAP_READONLY_MEM, 1 },
	{ KVM_CAP_CHECK_EXTENSION_VM, 1 },
	{ KVM_CAP_IMMEDIATE_EXIT, 1 },
};

static s64 call_with_data(const struct kvm_call *call, struct vm *vm, struct vcpu *v, u64 arg)
{
	u64 data[sizeof(struct kvm_lapic_state) / 8]; /* the largest */
	size_t size = _IOC_SIZE(call->nr);
	u32 nr = call->nr;
	s64 r;

	BUG_ON(size > sizeof(data));
	if ((_IOC_DIR(nr) & _IOC_WRITE) && copy_from_user(data, arg, size))
		return -EFAULT;
	if (_IOC_DIR(nr) == _IOC_READ)
		memset(data, 0, size);
	r = v ? call->vcpu(v, data, arg) : call->vm(vm, data, arg);
	if (r >= 0 && (_IOC_DIR(nr) & _IOC_READ) && copy_to_user(arg, data, size))
		return -EFAULT;
	return r;
}

s64 kvm_call(const struct kvm_call *call, const char *what, struct vm *vm, struct vcpu *v, u32 nr, u64 arg)
{
	while (call->nr && call->nr != nr)
		call++;
	if (!call->nr) /* the end of the table, also when 0 is asked for */
		return refuse(-ENOTTY, "%s ioctl 0x%x is not offered", what, nr);
	if (_IOC_DIR(nr))
		return call_with_data(call, vm, v, arg);
	return v ? call->vcpu(v, NULL, arg) : call->vm(vm, NULL, arg);
}

s64 kvm_check_extension(struct vm *, void *, u64 cap)
{
	for (size_t i = 0; i < ARRAY_SIZE(extensions); i++)
		if (extensions[i].cap == cap)
			return extensions[i].value;
	return 0;
}

static s64 api_version(struct vm *, void *, u64 arg)
{
	return arg ? -EINVAL : KVM_API_VERSION;
}

static s64 vcpu_mmap_size(struct vm *, void *, u64 arg)
{
	return arg ? -EINVAL : (s64)(VCPU_MMAP_PAGES * PAGE_SIZE);
}

static s64 kvm_ioctl(struct file *, u32 nr, u64 arg)
{
	static const struct kvm_call calls[] = {
		{ KVM_GET_API_VERSION, .vm = api_version },
		{ KVM_CREATE_VM, .vm = vm_create },
		{ KVM_CHECK_EXTENSION, .vm = kvm_check_extension },
		{ KVM_GET_VCPU_MMAP_SIZE, .vm = vcpu_mmap_size },
		{ KVM_GET_SUPPORTED_CPUID, .vm = cpuid_supported },
		{ KVM_GET_MSR_INDEX_LIST, .vm = msr_list },
		{ 0 },
	};
	s64 r = kvm_call(calls, "/dev/kvm", NULL, NULL, nr, arg);

	/* Linux answers so, and ENOTTY on the VM's and the vCPU's descriptors. */
	return r == -ENOTTY ? -EINVAL : r;
}

static const struct file_ops kvm_file_ops = { .name = "/dev/kvm", .ioctl = kvm_ioctl };

static int kvm_open(struct node *, struct file *f)
{
	if (!virt_ops)
		return refuse(-ENODEV, "no virtual machines: %s", why_not);
	f->ops = &kvm_file_ops;
	return 0;
}

int kvm_init(void)
{
	static const struct node_ops ops = {
		.open = kvm_open, .rdev_major = 10, .rdev_minor = 232, .mode = 0666,
	};
	static struct auditor auditor = { .name = "virtual machines", .check = vm_audit };

	virt_ops = arch_vcpu_ops(&why_not);
	if (virt_ops)
		log_info("kvm: %s with nested paging, up to %u vCPUs a VM", virt_ops->name, VM_MAX_VCPUS);
	else
		log_info("kvm: no virtual machines: %s", why_not);
	audit_register(&auditor);
	if (!node_add("/dev/kvm", &ops, NULL))
		return -ENOMEM;
	return counters_init();
}

INITCALL(INITCALL_DEVICES, kvm_init);
