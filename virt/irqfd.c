// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_IRQFD: an eventfd whose signal becomes an interrupt of the guest. The hook runs in whatever
 * context signals, a device's interrupt handler included; it empties the eventfd, so that readers
 * see nothing, as on Linux, and delivers along the routing table of that moment.
 */
#include "virt/vm.h"

#include "kernel/frames.h"

struct irqfd {
	struct eventfd_hook hook;
	struct eventfd *eventfd;
	struct vm *vm;
	u32 gsi;
	struct irqfd *next;
};

static void irqfd_signalled(struct eventfd_hook *h)
{
	struct irqfd *f = container_of(h, struct irqfd, hook);

	if (eventfd_consume_locked(f->eventfd))
		irq_route_deliver(f->vm, f->gsi);
}

static void irqfd_free(struct irqfd *f)
{
	eventfd_unhook(f->eventfd, &f->hook);
	eventfd_put(f->eventfd);
	kfree(f);
}

static int irqfd_assign(struct vm *vm, struct eventfd *e, u32 gsi)
{
	unsigned count = 0;
	struct irqfd *f;

	for (f = vm->irqfds; f; f = f->next, count++)
		if (f->eventfd == e)
			return refuse(-EBUSY, "the eventfd is already the irqfd of interrupt %u", f->gsi);
	/* They outlive their descriptors: without a limit a program could have any number. */
	if (count >= VM_MAX_GSIS)
		return refuse(-ENOSPC, "a VM has at most %u irqfds", VM_MAX_GSIS);
	f = kzalloc(sizeof(*f));
	if (!f)
		return -ENOMEM;
	eventfd_get(e);
	f->eventfd = e;
	f->vm = vm;
	f->gsi = gsi;
	f->hook.fn = irqfd_signalled;
	f->next = vm->irqfds;
	vm->irqfds = f;
	eventfd_hook(e, &f->hook);
	/* Signalled before: the interrupt is due now. */
	if (eventfd_consume(e))
		irq_route_deliver(vm, gsi);
	return 0;
}

static void irqfd_deassign(struct vm *vm, const struct eventfd *e, u32 gsi)
{
	struct irqfd **link = &vm->irqfds;

	while (*link) {
		struct irqfd *f = *link;

		if (f->eventfd == e && f->gsi == gsi) {
			*link = f->next;
			irqfd_free(f);
		} else {
			link = &f->next;
		}
	}
}

s64 irqfd_set(struct vm *vm, void *data, u64)
{
	const struct kvm_irqfd *a = data;
	struct eventfd *e;
	int r;

	guard_mutex(&vm->lock);
	if (a->flags & ~(KVM_IRQFD_FLAG_DEASSIGN | KVM_IRQFD_FLAG_RESAMPLE))
		return refuse(-EINVAL, "irqfd flags 0x%x are unknown", a->flags);
	if (a->flags & KVM_IRQFD_FLAG_RESAMPLE && !(a->flags & KVM_IRQFD_FLAG_DEASSIGN))
		return refuse(-EINVAL, "irqfd of interrupt %u: level-triggered interrupts (RESAMPLE) need an IOAPIC, which there is not",
			      a->gsi);
	if (!vm->irqchip)
		return refuse(-EINVAL, "irqfd of interrupt %u needs KVM_CREATE_IRQCHIP first", a->gsi);
	r = eventfd_from_fd((int)a->fd, &e);
	if (r)
		return refuse(r, "irqfd of interrupt %u: descriptor %d is no eventfd", a->gsi, (int)a->fd);
	if (a->flags & KVM_IRQFD_FLAG_DEASSIGN)
		irqfd_deassign(vm, e, a->gsi);
	else
		r = irqfd_assign(vm, e, a->gsi);
	eventfd_put(e);
	return r;
}

void irqfds_close(struct vm *vm)
{
	while (vm->irqfds) {
		struct irqfd *f = vm->irqfds;

		vm->irqfds = f->next;
		irqfd_free(f);
	}
}
