/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The end of a run, and the CPU's small services: idling. Ending: the emulator's
 * debug-exit port when the command line names one, else the machine halts (the ACPI way to power off
 * needs AML, which ring 0 does not read).
 */
#include "arch/x86/early.h"

static u16 debug_exit;

void arch_set_debug_exit(u16 port)
{
	debug_exit = port;
}

void arch_poweroff(int code)
{
	static const char text[] = "it is now safe to turn off\r\n";

	cpu_cli();
	if (debug_exit)
		arch_out8(debug_exit, code);
	else
		arch_serial_write(0, text, sizeof text - 1);
	cpu_halt_forever();
}

void arch_cpu_idle(void)
{
	__asm__ volatile("sti; hlt; cli" ::: "memory"); /* STI's shadow: nothing comes in between */
}
