// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts to vCPUs: messages (MSI, IPI), the table of routes from interrupt numbers (GSI) to
 * messages, and KVM_SET_GSI_ROUTING.
 *
 * The table is replaced as a whole. Readers are in interrupt context: they take the pointer and copy
 * one entry, and do nothing in between that could let an IPI in; so once every other CPU has
 * answered an IPI nobody reads the old table, and it is freed.
 */
#include "virt/vm.h"

#include "kernel/frames.h"

/* MSI address and data: SDM 3, 11.11 */
#define MSI_ADDRESS_DEST GENMASK(19, 12)
#define MSI_ADDRESS_LOGICAL BIT(2)
#define MSI_DATA_VECTOR GENMASK(7, 0)
#define MSI_DATA_MODE GENMASK(10, 8)

struct irq_route {
	u64 address;
	u32 data;
	bool valid;
};

int irq_deliver(struct vm *vm, const struct irq_message *m)
{
	int taken = 0;

	for (unsigned i = 0; i < VM_MAX_VCPUS; i++) {
		struct vcpu *v = READ_ONCE(vm->vcpu[i]);

		if (!v || !lapic_is_target(&v->lapic, m->dest, m->logical))
			continue;
		if (m->mode != DELIVER_FIXED && m->mode != DELIVER_LOWEST)
			continue; /* SMI, NMI, INIT, ExtINT by message: not offered */
		if (lapic_raise(&v->lapic, m->vector))
			taken++;
		if (taken && m->mode == DELIVER_LOWEST)
			break;
	}
	return taken;
}

int irq_signal_msi(struct vm *vm, u64 address, u32 data)
{
	const struct irq_message m = {
		.vector = FIELD_GET(MSI_DATA_VECTOR, data),
		.mode = FIELD_GET(MSI_DATA_MODE, data),
		.logical = address & MSI_ADDRESS_LOGICAL,
		.dest = FIELD_GET(MSI_ADDRESS_DEST, address),
	};

	return irq_deliver(vm, &m);
}

static void send_one(struct vcpu *to, u32 icr)
{
	switch (FIELD_GET(ICR_MODE, icr)) {
	case DELIVER_FIXED:
	case DELIVER_LOWEST:
		(void)lapic_raise(&to->lapic, FIELD_GET(ICR_VECTOR, icr));
		break;
	case DELIVER_INIT:
		/* De-assertion does nothing on any CPU of the last twenty years (SDM 3, 11.6.1). */
		if (!(icr & ICR_LEVEL) || (icr & ICR_ASSERT))
			vcpu_request(to, VCPU_REQUEST_INIT);
		break;
	case DELIVER_STARTUP:
		WRITE_ONCE(to->startup_vector, (u8)FIELD_GET(ICR_VECTOR, icr));
		vcpu_request(to, VCPU_REQUEST_STARTUP);
		break;
	default:
		break; /* SMI and NMI: not offered */
	}
}

void irq_send(struct vcpu *from, u32 icr, u32 dest)
{
	unsigned shorthand = FIELD_GET(ICR_SHORTHAND, icr);
	struct vm *vm = from->vm;

	for (unsigned i = 0; i < VM_MAX_VCPUS; i++) {
		struct vcpu *v = READ_ONCE(vm->vcpu[i]);
		bool meant;

		if (!v)
			continue;
		if (shorthand == SHORTHAND_NONE)
			meant = lapic_is_target(&v->lapic, dest, icr & ICR_LOGICAL);
		else
			meant = v == from ? shorthand != SHORTHAND_OTHERS : shorthand != SHORTHAND_SELF;
		if (!meant)
			continue;
		send_one(v, icr);
		if (shorthand == SHORTHAND_NONE && FIELD_GET(ICR_MODE, icr) == DELIVER_LOWEST)
			break;
	}
}

void irq_route_deliver(struct vm *vm, u32 gsi)
{
	bool on = arch_irq_save();
	const struct irq_route *routes = READ_ONCE(vm->routes);
	struct irq_route route = { 0 };

	if (routes && gsi < VM_MAX_GSIS)
		route = routes[gsi];
	if (route.valid)
		(void)irq_signal_msi(vm, route.address, route.data);
	arch_irq_restore(on);
}

static void nothing(void *)
{
}

static void routes_replace(struct vm *vm, struct irq_route *routes)
{
	struct irq_route *old = vm->routes;

	WRITE_ONCE(vm->routes, routes);
	if (!old)
		return;
	arch_ipi_all(nothing, NULL);
	kfree(old);
}

void irq_routes_free(struct vm *vm)
{
	routes_replace(vm, NULL);
}

static int entry_check(const struct irq_route *routes, const struct kvm_irq_routing_entry *e)
{
	if (e->gsi >= VM_MAX_GSIS)
		return refuse(-EINVAL, "interrupt route %u: numbers end at %u", e->gsi, VM_MAX_GSIS - 1);
	if (e->type == KVM_IRQ_ROUTING_IRQCHIP)
		return refuse(-EINVAL, "interrupt route %u: there is no IOAPIC or PIC, only MSI routes",
			      e->gsi);
	if (e->type != KVM_IRQ_ROUTING_MSI || e->flags & ~KVM_MSI_VALID_DEVID)
		return refuse(-EINVAL, "interrupt route %u: type %u with flags 0x%x is not offered", e->gsi,
			      e->type, e->flags);
	if (routes[e->gsi].valid)
		return refuse(-EINVAL, "interrupt %u has two routes", e->gsi);
	return 0;
}

static int routes_fill(struct irq_route *routes, u64 entries, u32 nr)
{
	for (u32 i = 0; i < nr; i++) {
		struct kvm_irq_routing_entry e;
		int r;

		if (i % 256 == 255)
			resched_point();
		if (copy_from_user(&e, entries + i * sizeof(e), sizeof(e)))
			return -EFAULT;
		r = entry_check(routes, &e);
		if (r)
			return r;
		routes[e.gsi] = (struct irq_route){
			.address = (u64)e.u.msi.address_hi << 32 | e.u.msi.address_lo,
			.data = e.u.msi.data,
			.valid = true,
		};
	}
	return 0;
}

s64 irq_routes_set(struct vm *vm, void *data, u64 arg)
{
	const struct kvm_irq_routing *head = data;
	struct irq_route *routes;
	int r;

	guard_mutex(&vm->lock);
	if (!vm->irqchip)
		return refuse(-EINVAL, "interrupt routes need KVM_CREATE_IRQCHIP first");
	if (head->nr > VM_MAX_GSIS || head->flags)
		return refuse(-EINVAL, "%u interrupt routes with flags 0x%x: at most %u, no flags", head->nr,
			      head->flags, VM_MAX_GSIS);
	routes = kcalloc(VM_MAX_GSIS, sizeof(*routes));
	if (!routes)
		return -ENOMEM;
	r = routes_fill(routes, arg + sizeof(*head), head->nr);
	if (r)
		kfree(routes);
	else
		routes_replace(vm, routes);
	return r;
}
