/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The virtual machine: /dev/kvm, its memory slots, its table of message-signalled interrupt routes
 * and the irqfds. Invariant: a route is committed before the irqfd of its number is attached, so
 * that no interrupt arrives at a number that leads nowhere.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "loader/loader.h"

/* Three pages and one page below 4 GiB that no guest memory or BAR uses (MMIO_LOW_END is lower). */
#define TSS_GPA		0xfffbd000UL
#define IDENTITY_GPA	0xfffbc000ULL

#define CURE_KVM "VMX or SVM must be there and enabled in the firmware, and /dev/kvm accessible"

void vm_create(struct vm *vm)
{
	uint64_t identity = IDENTITY_GPA;
	int version;

	memset(vm, 0, sizeof(*vm));
	vm->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (vm->kvm < 0)
		fail(CURE_KVM, "cannot open /dev/kvm");
	version = ioctl(vm->kvm, KVM_GET_API_VERSION, 0);
	if (version != KVM_API_VERSION) {
		errno = 0;
		fail(NULL, "/dev/kvm has API version %d, %d is needed", version, KVM_API_VERSION);
	}
	if (ioctl(vm->kvm, KVM_CHECK_EXTENSION, KVM_CAP_IRQ_ROUTING) <= 0 ||
	    ioctl(vm->kvm, KVM_CHECK_EXTENSION, KVM_CAP_IRQFD) <= 0) {
		errno = 0;
		fail(NULL, "/dev/kvm lacks irqfds or interrupt routing");
	}
	vm->fd = ioctl(vm->kvm, KVM_CREATE_VM, 0);
	if (vm->fd < 0)
		fail(CURE_KVM, "cannot create a virtual machine");

	/* Old Intel CPUs run a guest without paging by these pages; elsewhere they are ignored. */
	if (ioctl(vm->kvm, KVM_CHECK_EXTENSION, KVM_CAP_SET_IDENTITY_MAP_ADDR) > 0 &&
	    ioctl(vm->fd, KVM_SET_IDENTITY_MAP_ADDR, &identity) < 0)
		fail(NULL, "cannot place the identity map page");
	if (ioctl(vm->kvm, KVM_CHECK_EXTENSION, KVM_CAP_SET_TSS_ADDR) > 0 &&
	    ioctl(vm->fd, KVM_SET_TSS_ADDR, TSS_GPA) < 0)
		fail(NULL, "cannot place the task state pages");
	if (ioctl(vm->fd, KVM_CREATE_IRQCHIP, 0) < 0)
		fail(NULL, "cannot create the guest's interrupt controllers");
}

int vm_slot_add(struct vm *vm, uint64_t gpa, uint64_t size, void *host)
{
	struct kvm_userspace_memory_region region = {
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)host,
	};

	for (unsigned int i = 0; i < MAX_SLOTS; i++) {
		if (vm->slot_used[i])
			continue;
		region.slot = i;
		if (ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region) < 0)
			return -errno;
		vm->slot_used[i] = true;
		return (int)i;
	}
	return -ENOSPC;
}

void vm_slot_remove(struct vm *vm, int slot)
{
	struct kvm_userspace_memory_region region = { .slot = (uint32_t)slot };

	if (ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region) < 0)
		fail(NULL, "cannot remove memory slot %d", slot);
	vm->slot_used[slot] = false;
}

unsigned int vm_gsi_reserve(struct vm *vm, unsigned int count)
{
	unsigned int first = FIRST_GSI + vm->gsis;

	if (count > MAX_ROUTES - vm->gsis) {
		errno = 0;
		fail("give the guest fewer devices", "the devices have more than %u interrupts",
		     MAX_ROUTES);
	}
	vm->gsis += count;
	return first;
}

/* True when the table changed. */
bool vm_route_set(struct vm *vm, unsigned int gsi, uint64_t addr, uint32_t data)
{
	unsigned int i = gsi - FIRST_GSI;
	struct kvm_irq_routing_entry entry;

	memset(&entry, 0, sizeof(entry));
	entry.gsi = gsi;
	entry.type = KVM_IRQ_ROUTING_MSI;
	entry.u.msi.address_lo = (uint32_t)addr;
	entry.u.msi.address_hi = (uint32_t)(addr >> 32);
	entry.u.msi.data = data;
	if (vm->route_used[i] && memcmp(&entry, &vm->route[i], sizeof(entry)) == 0)
		return false;
	vm->route_used[i] = true;
	vm->route[i] = entry;
	return true;
}

void vm_routes_commit(struct vm *vm)
{
	size_t size = sizeof(struct kvm_irq_routing) +
		      vm->gsis * sizeof(struct kvm_irq_routing_entry);
	struct kvm_irq_routing *table = calloc(1, size);

	if (!table)
		fail(NULL, "no memory for the interrupt routes");
	for (unsigned int i = 0; i < vm->gsis; i++)
		if (vm->route_used[i])
			table->entries[table->nr++] = vm->route[i];
	if (ioctl(vm->fd, KVM_SET_GSI_ROUTING, table) < 0)
		fail(NULL, "cannot set %u interrupt routes", table->nr);
	free(table);
}

void vm_irqfd(struct vm *vm, int eventfd, unsigned int gsi, bool attach)
{
	struct kvm_irqfd irqfd = {
		.fd = (uint32_t)eventfd,
		.gsi = gsi,
		.flags = attach ? 0 : KVM_IRQFD_FLAG_DEASSIGN,
	};

	if (ioctl(vm->fd, KVM_IRQFD, &irqfd) < 0)
		fail(NULL, "cannot %s the irqfd of interrupt %u", attach ? "attach" : "detach", gsi);
}
