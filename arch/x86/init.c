/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The order in which the boot CPU is set up. arch_init_early() needs nothing but the handover; a fault
 * in it is reported as soon as the descriptor tables stand. arch_init() needs frames, options and ACPI.
 */
#include "arch/x86/early.h"

void arch_init_early(struct handover *ho)
{
	(void)ho; /* is boot_handover already, where paging_init() claims its tables */
	gdt_load(&percpu_boot);
	idt_load();
	serial_init();
	cpu_detect();
	cpu_patch_smap();
	clock_init_early();
	cpu_enable();
	paging_init();
	percpu_boot.root = paging_root;
	percpu_boot.next_root = paging_root;
	if (!cpu.nx)
		log_warn("this CPU has no NX: data is executable");
}

void arch_init(void)
{
	pic_disable();
	apic_init(true);
	clock_init();
	apic_enter_x2apic();
	apic_timer_init();
	ioapic_init();
}
