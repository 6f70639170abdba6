// SPDX-License-Identifier: GPL-2.0-only
/*
 * The vCPU and its file: created once per id and VM, kept until the VM goes; the file is a handle that
 * may be closed before. The area shared with the program (struct kvm_run and port data) is an
 * anonymous object whose frames the vCPU holds references on, so that whatever the program does to
 * its mapping, the kernel's view stays memory of its own.
 */
#include "virt/vm.h"

#include <asm/fcntl.h>

#include "kernel/frames.h"

static s64 vcpu_ioctl(struct file *f, u32 nr, u64 arg)
{
	struct vcpu *v = f->priv;
	s64 r = vm_check_owner(v->vm);

	if (r)
		return r;
	guard_mutex(&v->lock);
	return kvm_call(vcpu_calls, "vCPU", v->vm, v, nr, arg);
}

static int vcpu_mmap(struct file *f, u64 off, u64 len, int, int, struct mobj **obj,
		     u64 *obj_off)
{
	struct vcpu *v = f->priv;

	if (off > VCPU_MMAP_PAGES * PAGE_SIZE || len > VCPU_MMAP_PAGES * PAGE_SIZE - off)
		return refuse(-EINVAL, "a vCPU's shared area has %u pages", VCPU_MMAP_PAGES);
	mobj_get(v->shared);
	*obj = v->shared;
	*obj_off = off;
	return 0;
}

static void vcpu_release(struct file *f)
{
	struct vcpu *v = f->priv;

	vm_put(v->vm);
}

static const struct file_ops vcpu_file_ops = {
	.name = "anon_inode:kvm-vcpu",
	.ioctl = vcpu_ioctl,
	.mmap = vcpu_mmap,
	.release = vcpu_release,
};

static int shared_create(struct vcpu *v)
{
	v->shared = mobj_create_anon(VCPU_MMAP_PAGES * PAGE_SIZE, true);
	if (!v->shared)
		return -ENOMEM;
	for (unsigned i = 0; i < VCPU_MMAP_PAGES; i++) {
		struct mobj_page page;
		int r = mobj_page(v->shared, i * PAGE_SIZE, true, &page);

		if (r)
			return r;
		r = frame_get(page.pa + (i * PAGE_SIZE - page.off));
		if (r)
			return r;
		v->shared_pa[i] = page.pa + (i * PAGE_SIZE - page.off);
	}
	v->run = phys_to_virt(v->shared_pa[0]);
	v->port_data = phys_to_virt(v->shared_pa[1]);
	return 0;
}

static void *fpu_area(void)
{
	paddr_t pa = frame_alloc(SZ_4K);

	_Static_assert(ARCH_FPU_SIZE <= SZ_4K, "one frame holds it");
	if (pa == FRAME_NONE)
		return NULL;
	arch_fpu_init(phys_to_virt(pa));
	return phys_to_virt(pa);
}

void vcpu_destroy(struct vcpu *v)
{
	lapic_timer_stop(&v->lapic);
	if (v->arch)
		virt_ops->destroy(v->arch);
	for (unsigned i = 0; i < VCPU_MMAP_PAGES; i++)
		if (v->shared_pa[i])
			frame_put(v->shared_pa[i]);
	if (v->shared)
		mobj_put(v->shared);
	if (v->guest_fpu)
		frame_put(virt_to_phys(v->guest_fpu));
	if (v->user_fpu)
		frame_put(virt_to_phys(v->user_fpu));
	kfree(v->cpuid);
	kfree(v);
}

static struct vcpu *vcpu_alloc(struct vm *vm, u32 id)
{
	struct vcpu *v = kzalloc(sizeof(*v));

	if (!v)
		return NULL;
	v->vm = vm;
	v->id = id;
	mutex_init(&v->lock);
	waitq_init(&v->wait);
	lapic_init(&v->lapic, id, &vcpu_lapic_ops);
	v->arch = virt_ops->create(vm->slots.table.root);
	v->guest_fpu = fpu_area();
	v->user_fpu = fpu_area();
	if (!v->arch || !v->guest_fpu || !v->user_fpu || shared_create(v)) {
		vcpu_destroy(v);
		return NULL;
	}
	v->mp_state = vm->irqchip && id ? KVM_MP_STATE_UNINITIALIZED : KVM_MP_STATE_RUNNABLE;
	v->misc_enable = 1; /* fast strings: SDM 4, table 2-2 */
	v->arch->tsc_offset = v->lapic.tsc_offset = -vm->tsc_start;
	return v;
}

s64 vcpu_create(struct vm *vm, void *, u64 id)
{
	struct vcpu *v;
	struct file *f;

	guard_mutex(&vm->lock);
	if (id >= VM_MAX_VCPUS)
		return refuse(-EINVAL, "vCPU %llu: a VM has at most %u", (unsigned long long)id,
			      VM_MAX_VCPUS);
	if (vm->vcpu[id])
		return refuse(-EEXIST, "vCPU %llu exists", (unsigned long long)id);
	v = vcpu_alloc(vm, (u32)id);
	if (!v)
		return -ENOMEM;
	f = file_create(&vcpu_file_ops, O_RDWR, v);
	if (!f) {
		vcpu_destroy(v);
		return -ENOMEM;
	}
	__atomic_fetch_add(&vm->refs, 1, __ATOMIC_RELAXED);
	WRITE_ONCE(vm->vcpu[id], v);
	vm->vcpus++;
	return fd_install(f, true);
}
