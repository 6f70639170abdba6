/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The run loop: enters the guest and answers its port and memory accesses until it ends, counting
 * them (exits.c).
 *
 * Ports: COM1 at 0x3f8, PCI configuration at 0xcf8-0xcff, and two of the loader's own: 0xf4 ends the
 * guest with the written byte as exit status; 0xf8 measures: a guest writes 0 at the start of a
 * stretch of work and the number of operations at its end, and the loader prints the exits between.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "loader/loader.h"

#define PORT_END	0xf4
#define PORT_MEASURE	0xf8
#define PORT_COM1	0x3f8
#define PORT_PCI	0xcf8

struct machine {
	struct device *devs;
	unsigned int count;
	struct exits exits;
	bool ended;
	uint8_t status;
};

/* To the device that decodes the address; where there is none, all ones are read. */
static void devices_access(struct machine *machine, bool io, uint64_t addr, void *data,
			   unsigned int len, bool write)
{
	for (unsigned int i = 0; i < machine->count; i++)
		if (bar_access(&machine->devs[i], io, addr, data, len, write))
			return;
	if (!write)
		memset(data, 0xff, len);
}

static void port_access(struct machine *machine, unsigned int port, uint8_t *data,
			unsigned int len, bool write)
{
	uint32_t value = 0;

	if (port >= PORT_COM1 && port < PORT_COM1 + 8 && len == 1) {
		machine->exits.count[EXIT_SERIAL]++;
		serial_port(port - PORT_COM1, data, write);
		return;
	}
	if (port >= PORT_PCI && port < PORT_PCI + 8) {
		machine->exits.count[EXIT_PCI]++;
		pci_host_port(port, data, len, write);
		return;
	}
	machine->exits.count[EXIT_PORT]++;
	if (port == PORT_END && write) {
		machine->ended = true;
		machine->status = data[0];
	} else if (port == PORT_MEASURE && write && len == 4) {
		memcpy(&value, data, len);
		exits_measure(&machine->exits, value);
	} else {
		devices_access(machine, true, port, data, len, write);
	}
}

static void exit_io(struct machine *machine, struct kvm_run *run)
{
	uint8_t *data = (uint8_t *)run + run->io.data_offset;

	for (uint32_t i = 0; i < run->io.count && !machine->ended; i++)
		port_access(machine, run->io.port, data + i * run->io.size, run->io.size,
			    run->io.direction == KVM_EXIT_IO_OUT);
}

static void guest_died(const struct vcpu *vcpu, const char *how)
{
	struct kvm_regs regs = { 0 };

	(void)ioctl(vcpu->fd, KVM_GET_REGS, &regs);
	errno = 0;
	fail(NULL, "the guest %s at rip 0x%llx (rsp 0x%llx)", how, (unsigned long long)regs.rip,
	     (unsigned long long)regs.rsp);
}

static void exit_handle(const struct vcpu *vcpu, struct machine *machine)
{
	struct kvm_run *run = vcpu->run;
	char how[96];

	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		exit_io(machine, run);
		break;
	case KVM_EXIT_MMIO:
		machine->exits.count[EXIT_TABLE]++;
		devices_access(machine, false, run->mmio.phys_addr, run->mmio.data, run->mmio.len,
			       run->mmio.is_write);
		break;
	case KVM_EXIT_INTR:
		machine->exits.count[EXIT_INTERRUPTED]++;
		break;
	case KVM_EXIT_HLT:
		guest_died(vcpu, "halted for ever");
		break;
	case KVM_EXIT_SHUTDOWN:
		guest_died(vcpu, "was stopped by a triple fault");
		break;
	case KVM_EXIT_FAIL_ENTRY:
		snprintf(how, sizeof(how), "could not be entered (hardware reason 0x%llx)",
			 (unsigned long long)run->fail_entry.hardware_entry_failure_reason);
		guest_died(vcpu, how);
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		snprintf(how, sizeof(how), "did what the system cannot emulate (suberror %u)",
			 run->internal.suberror);
		guest_died(vcpu, how);
		break;
	default:
		snprintf(how, sizeof(how), "left with the unknown exit reason %u", run->exit_reason);
		guest_died(vcpu, how);
		break;
	}
}

int vcpu_run(struct vcpu *vcpu, struct device *devs, unsigned int count)
{
	struct machine machine = { .devs = devs, .count = count };

	while (!machine.ended) {
		if (ioctl(vcpu->fd, KVM_RUN, 0) < 0) {
			if (errno != EINTR && errno != EAGAIN)
				fail(NULL, "the guest cannot run");
			machine.exits.count[EXIT_INTERRUPTED]++;
			continue;
		}
		exit_handle(vcpu, &machine);
	}
	serial_flush();
	exits_print(&machine.exits);
	return machine.status;
}
