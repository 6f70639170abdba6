/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Puts the machine together and runs it, in the order that VFIO wants: container, groups, IOMMU,
 * memory for the devices, devices; then the guest. Files are closed by the end of the process, in
 * any order, which the system has to cope with anyway.
 */
#include <stdlib.h>

#include "loader/loader.h"

static struct options opt;
static struct guest_memory memory;
static struct vm vm;
static struct vcpu vcpu;
static struct device devices[MAX_DEVICES];

static void devices_open(void)
{
	int container = vfio_container_open();

	for (unsigned int i = 0; i < opt.devices; i++)
		vfio_group_attach(container, opt.device[i], i == 0);
	vfio_memory_map(container, &memory);
	for (unsigned int i = 0; i < opt.devices; i++)
		device_create(&devices[i], &vm, opt.device[i], i + 1);
	bars_init(devices, opt.devices, &memory);
}

int main(int argc, char **argv)
{
	uint32_t entry, start_info;
	int status;

	options_parse(&opt, argc, argv);
	serial_init(opt.serial);
	memory_create(&memory, opt.memory);
	entry = elf_load(&memory, opt.kernel);
	start_info = boot_info_write(&memory, opt.append);

	vm_create(&vm);
	for (unsigned int i = 0; i < memory.banks; i++) {
		const struct memory_bank *bank = &memory.bank[i];

		if (vm_slot_add(&vm, bank->gpa, bank->size, bank->host) < 0)
			fail(NULL, "cannot give the guest its memory at 0x%llx",
			     (unsigned long long)bank->gpa);
	}
	if (opt.devices > 0)
		devices_open();
	pci_host_init(devices, opt.devices);
	vcpu_create(&vcpu, &vm, entry, start_info);

	note("starting the guest %s at 0x%x: %llu MiB, 1 CPU, %u device%s", opt.kernel, entry,
	     (unsigned long long)(opt.memory / MIB), opt.devices, opt.devices == 1 ? "" : "s");
	status = vcpu_run(&vcpu, devices, opt.devices);
	note("the guest ended with status %d", status);
	return status;
}
