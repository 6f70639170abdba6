// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VM and its file: memory slots, interrupt controllers, vCPUs. Closing the file ends the VM: its
 * vCPUs leave the guest, its memory and irqfds go; the rest waits for the vCPU files.
 *
 * All live VMs are in one list, for the audit and under its lock.
 */
#include "virt/vm.h"

#include <asm/fcntl.h>

#include "kernel/audit.h"
#include "kernel/frames.h"
#include "kernel/process.h"
#include "virt/nested.h"

static struct mutex list_lock = MUTEX_INIT(list_lock);
static struct vm *list;

static void nothing(void *)
{
}

/*
 * The nested tables have lost something. Every vCPU that is in the guest, or about to enter with the
 * old generation, is thrown out by the IPI; none enters again without flushing.
 */
static void vm_flush(struct slots *s)
{
	struct vm *vm = container_of(s, struct vm, slots);

	__atomic_fetch_add(&vm->flush_generation, 1, __ATOMIC_SEQ_CST);
	for (unsigned i = 0; i < VM_MAX_VCPUS; i++) {
		const struct vcpu *v = READ_ONCE(vm->vcpu[i]);

		if (v && READ_ONCE(v->in_guest)) {
			arch_ipi_all(nothing, NULL);
			return;
		}
	}
}

int vm_check_owner(struct vm *vm)
{
	struct process *p = process_current();

	if (READ_ONCE(vm->closed))
		return refuse(-EIO, "the VM's descriptor has been closed");
	if (!p || process_mm(p) != vm->slots.mm)
		return refuse(-EIO, "the VM belongs to another program");
	return 0;
}

static s64 irqchip_create(struct vm *vm, void *, u64)
{
	guard_mutex(&vm->lock);
	if (vm->irqchip)
		return refuse(-EEXIST, "the VM has its interrupt controllers");
	if (vm->vcpus)
		return refuse(-EINVAL, "KVM_CREATE_IRQCHIP comes before the first vCPU");
	guard_mutex(&vm->slots.lock);
	vm->slots.hole = LAPIC_BASE_DEFAULT;
	nested_remove(&vm->slots, LAPIC_BASE_DEFAULT, PAGE_SIZE);
	vm->irqchip = true;
	return 0;
}

static s64 region_set(struct vm *vm, void *data, u64)
{
	return slots_set(&vm->slots, data);
}

static s64 signal_msi(struct vm *vm, void *data, u64)
{
	const struct kvm_msi *m = data;

	if (!vm->irqchip || m->flags)
		return refuse(-EINVAL, "KVM_SIGNAL_MSI needs KVM_CREATE_IRQCHIP, and takes no flags");
	return irq_signal_msi(vm, (u64)m->address_hi << 32 | m->address_lo, m->data);
}

/* Old Intel CPUs need these two places for real mode; here no guest ever sees them. */
static s64 tss_addr_set(struct vm *, void *, u64)
{
	return 0;
}

static s64 identity_map_set(struct vm *vm, void *, u64)
{
	return vm->vcpus ? refuse(-EINVAL, "KVM_SET_IDENTITY_MAP_ADDR comes before the first vCPU") : 0;
}

static s64 vm_ioctl(struct file *f, u32 nr, u64 arg)
{
	static const struct kvm_call calls[] = {
		{ KVM_SIGNAL_MSI, .vm = signal_msi },
		{ KVM_CREATE_VCPU, .vm = vcpu_create },
		{ KVM_CREATE_IRQCHIP, .vm = irqchip_create },
		{ KVM_SET_GSI_ROUTING, .vm = irq_routes_set },
		{ KVM_IRQFD, .vm = irqfd_set },
		{ KVM_SET_USER_MEMORY_REGION, .vm = region_set },
		{ KVM_CHECK_EXTENSION, .vm = kvm_check_extension },
		{ KVM_SET_TSS_ADDR, .vm = tss_addr_set },
		{ KVM_SET_IDENTITY_MAP_ADDR, .vm = identity_map_set },
		{ 0 },
	};
	struct vm *vm = f->priv;
	s64 r = vm_check_owner(vm);

	return r ? r : kvm_call(calls, "VM", vm, NULL, nr, arg);
}

static void vm_destroy(struct vm *vm)
{
	struct vm **link;

	mutex_lock(&list_lock);
	for (link = &list; *link && *link != vm; link = &(*link)->next)
		;
	if (*link)
		*link = vm->next;
	mutex_unlock(&list_lock);
	for (unsigned i = 0; i < VM_MAX_VCPUS; i++)
		if (vm->vcpu[i])
			vcpu_destroy(vm->vcpu[i]);
	irq_routes_free(vm);
	slots_destroy(&vm->slots);
	kfree(vm);
}

void vm_put(struct vm *vm)
{
	if (__atomic_sub_fetch(&vm->refs, 1, __ATOMIC_ACQ_REL) == 0)
		vm_destroy(vm);
}

static void vm_release(struct file *f)
{
	struct vm *vm = f->priv;

	__atomic_store_n(&vm->closed, true, __ATOMIC_SEQ_CST);
	for (unsigned i = 0; i < VM_MAX_VCPUS; i++)
		if (vm->vcpu[i])
			vcpu_kick(vm->vcpu[i]);
	irqfds_close(vm);
	slots_close(&vm->slots);
	vm_put(vm);
}

static const struct file_ops vm_file_ops = {
	.name = "anon_inode:kvm-vm",
	.ioctl = vm_ioctl,
	.release = vm_release,
};

s64 vm_create(struct vm *, void *, u64 type)
{
	struct process *p = process_current();
	struct vm *vm;
	struct file *f;
	int r;

	if (type)
		return refuse(-EINVAL, "VM type %llu: there is only 0", (unsigned long long)type);
	vm = kzalloc(sizeof(*vm));
	if (!vm)
		return -ENOMEM;
	vm->refs = 1;
	mutex_init(&vm->lock);
	vm->tsc_start = arch_tsc();
	r = slots_init(&vm->slots, process_mm(p), virt_ops, vm_flush);
	if (r) {
		kfree(vm);
		return r;
	}
	mutex_lock(&list_lock);
	vm->next = list;
	list = vm;
	mutex_unlock(&list_lock);
	f = file_create(&vm_file_ops, O_RDWR, vm);
	if (!f) {
		vm_destroy(vm);
		return -ENOMEM;
	}
	return fd_install(f, true);
}

/* The VM after `from` in the list (NULL: the first), with a reference. */
static struct vm *vm_next(struct vm *from)
{
	struct vm *vm;

	guard_mutex(&list_lock);
	for (vm = from ? from->next : list; vm; vm = vm->next) {
		u32 refs = READ_ONCE(vm->refs);

		/* None left: it waits for the list's lock to go. */
		while (refs && !__atomic_compare_exchange_n(&vm->refs, &refs, refs + 1, false,
							     __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			;
		if (refs)
			break;
	}
	return vm;
}

unsigned vm_audit(void)
{
	unsigned findings = 0;
	struct vm *vm = vm_next(NULL);

	while (vm) {
		struct vm *next;

		findings += slots_audit(&vm->slots);
		next = vm_next(vm);
		vm_put(vm);
		vm = next;
	}
	return findings;
}
