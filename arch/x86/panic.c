/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The end after a panic: the other CPUs stop (by NMI, so also with interrupts off), devices lose bus
 * mastering, and what is known is printed: the log's last lines, registers of the trap if there was
 * one, the backtrace by frame pointers with names. A panic within it cuts it short.
 */
#include "arch/x86/early.h"
#include "arch/x86/symbols.h"

#define MAX_FRAMES 32
#define MAX_FRAME_SIZE 16384
#define TAIL_LINES 24
#define EXIT_PANIC 125
#define STOP_TIME_US 1000

bool panic_stopping;
static u32 panic_owner; /* CPU number + 1 */
static void (*bus_masters_off)(void);

void arch_on_panic(void (*fn)(void))
{
	bus_masters_off = fn;
}

/* A return address belongs to the function of the call before it, which may be its last instruction. */
static void print_address(u64 address, bool is_return)
{
	u64 offset = 0;
	const char *name = symbol_find(address - is_return, &offset);

	log_err("  %016llx %s+0x%llx", (unsigned long long)address, name ? name : "?",
		(unsigned long long)offset + is_return);
}

/* A frame is [former rbp, return address]; each lies above the one before, not far away. */
static void backtrace(u64 rbp)
{
	for (unsigned i = 0; i < MAX_FRAMES; i++) {
		const u64 *frame = (const u64 *)rbp;

		if (rbp < ARCH_DIRECT_BASE || !IS_ALIGNED(rbp, 8) || !frame[1])
			return;
		print_address(frame[1], true);
		if (frame[0] <= rbp || frame[0] - rbp > MAX_FRAME_SIZE)
			return;
		rbp = frame[0];
	}
}

static void print_state(const struct user_regs *regs)
{
	log_err("CPU %u: CR0 %08llx CR2 %016llx CR3 %016llx CR4 %08llx RSP %p", arch_cpu_id(),
		(unsigned long long)read_cr0(), (unsigned long long)read_cr2(), (unsigned long long)read_cr3(),
		(unsigned long long)read_cr4(), __builtin_frame_address(0));
	if (regs)
		trap_print_regs(regs);
	log_err("backtrace:");
	if (regs)
		print_address(regs->rip, false);
	backtrace(regs && !(regs->cs & 3) ? regs->rbp : (u64)__builtin_frame_address(0));
}

void arch_panic(void)
{
	static const char last[] = "postern: exit status 125\r\n";
	u32 me = arch_cpu_id() + 1, owner = 0;

	cpu_cli();
	if (!__atomic_compare_exchange_n(&panic_owner, &owner, me, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
		if (owner != me)
			cpu_halt_forever(); /* another CPU was first and says what is to be said */
	} else {
		WRITE_ONCE(panic_stopping, true);
		ipi_stop_others();
		arch_delay_us(STOP_TIME_US);
		if (bus_masters_off)
			bus_masters_off();
		log_dump_tail(TAIL_LINES);
		print_state(percpu_this()->trap_regs);
	}
	arch_serial_write(0, last, sizeof last - 1);
	arch_poweroff(EXIT_PANIC);
}
