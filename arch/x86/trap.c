/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What happened, and whose it is. Ring 3's traps go to the upcalls with interrupts on; a page fault of a
 * user copy is served like ring 3's own and, if it cannot be, ends the copy with -EFAULT through the
 * exception table; interrupts go to their handlers. Anything else in ring 0 is our own defect and
 * ends in a panic with the registers.
 */
#include "arch/x86/early.h"

struct arch_upcalls upcalls;

/* An instruction that touches user memory, and where to go on when that cannot be done. */
struct extable {
	u64 insn, fixup;
};
extern const struct extable extable_start[], extable_end[];

static const char *const trap_names[] = {
	"divide error", "debug", "NMI", "breakpoint", "overflow", "bound range", "invalid opcode",
	"no FPU", "double fault", "9", "invalid TSS", "segment not present", "stack fault",
	"general protection", "page fault", "15", "x87 error", "alignment check", "machine check",
	"SIMD error", "virtualization", "control protection",
};

static const char *trap_name(unsigned vector)
{
	return vector < ARRAY_SIZE(trap_names) ? trap_names[vector] : "reserved";
}

void arch_set_upcalls(const struct arch_upcalls *up)
{
	upcalls = *up;
}

__attribute__((noreturn)) static void trap_fatal(const struct user_regs *regs, unsigned vector, u64 addr)
{
	percpu_this()->trap_regs = regs;
	if (addr >= KERNEL_KSTACK_BASE && addr < KERNEL_KSTACK_BASE + BIT(39))
		panic("kernel stack overflow (%s, address 0x%llx, rip 0x%llx)", trap_name(vector),
		      (unsigned long long)addr, (unsigned long long)regs->rip);
	panic("%s in ring 0, error code 0x%llx, address 0x%llx, rip 0x%llx", trap_name(vector),
	      (unsigned long long)regs->orig_rax, (unsigned long long)addr, (unsigned long long)regs->rip);
}

static bool from_user(const struct user_regs *regs)
{
	return regs->cs & 3;
}

static unsigned fault_access(u64 error)
{
	if (error & PF_FETCH)
		return ARCH_FAULT_EXEC;
	return error & PF_WRITE ? ARCH_FAULT_WRITE : ARCH_FAULT_READ;
}

static u64 extable_fixup(u64 rip)
{
	for (const struct extable *e = extable_start; e < extable_end; e++)
		if (e->insn == rip)
			return e->fixup;
	return 0;
}

static void user_page_fault(struct user_regs *regs, u64 addr)
{
	int err = -EFAULT;

	if (regs->orig_rax & PF_RESERVED)
		trap_fatal(regs, TRAP_PF, addr);
	cpu_sti();
	if (addr < USER_TOP)
		err = upcalls.user_fault(addr, fault_access(regs->orig_rax));
	if (err && err != -EBUSY) /* busy: again, after the signal that waits */
		upcalls.user_trap(regs, TRAP_PF, addr, err);
	cpu_cli();
}

static void kernel_page_fault(struct user_regs *regs, u64 addr)
{
	u64 fixup = extable_fixup(regs->rip);
	int err = -EFAULT;

	/* usercopy.c lets no other address through, so beyond the user half it is our own buffer that is bad. */
	if (!fixup || addr >= USER_TOP || (regs->orig_rax & (PF_RESERVED | PF_FETCH)))
		trap_fatal(regs, TRAP_PF, addr);
	/* A copy made with interrupts off cannot sleep for its page. */
	if ((regs->rflags & RFLAGS_IF) && upcalls.user_fault) {
		cpu_sti();
		err = upcalls.user_fault(addr, fault_access(regs->orig_rax));
		cpu_cli();
	}
	if (err)
		regs->rip = fixup;
}

static void user_exception(struct user_regs *regs, unsigned vector)
{
	if (vector == TRAP_DB)
		write_dr6(DR6_CLEAR);
	cpu_sti();
	upcalls.user_trap(regs, vector, 0, 0);
	cpu_cli();
}

/* All but the four paranoid ones. Interrupts are off on entry and on return. */
void trap_dispatch(struct user_regs *regs, unsigned vector)
{
	u64 addr;

	if (vector > TRAP_LAST) {
		irq_dispatch(percpu_this(), vector);
		return;
	}
	if (vector == TRAP_PF) {
		addr = read_cr2();
		if (from_user(regs))
			user_page_fault(regs, addr);
		else
			kernel_page_fault(regs, addr);
		return;
	}
	if (from_user(regs)) {
		user_exception(regs, vector);
		return;
	}
	trap_fatal(regs, vector, 0);
}

/* NMI, #DF, #MC, and #DB in ring 0; on their own stacks. */
void trap_paranoid(struct user_regs *regs, unsigned vector)
{
	if (vector == TRAP_DB) { /* left over by a MOV SS of ring 3 before SYSCALL */
		write_dr6(DR6_CLEAR);
		return;
	}
	if (vector == TRAP_NMI) {
		if (panic_stopping)
			cpu_halt_forever();
		percpu_this()->spurious++; /* a platform's NMI: nothing here asked for it */
		return;
	}
	trap_fatal(regs, vector, vector == TRAP_DF ? read_cr2() : 0);
}

void trap_user_work(struct user_regs *regs)
{
	while (percpu_this()->user_work) {
		percpu_this()->user_work = 0;
		cpu_sti();
		upcalls.return_to_user(regs);
		cpu_cli();
	}
}

/* Ring 3 cannot be entered at this RIP: as if the instruction fetch had faulted there. */
void trap_bad_rip(struct user_regs *regs)
{
	cpu_sti();
	upcalls.user_trap(regs, TRAP_GP, 0, 0);
	cpu_cli();
}

void arch_need_resched(void)
{
	percpu_this()->user_work = 1;
}

void trap_print_regs(const struct user_regs *r)
{
#define U(x) ((unsigned long long)(x))
	log_err("rip %04llx:%016llx rsp %04llx:%016llx flags %llx", U(r->cs), U(r->rip), U(r->ss),
		U(r->rsp), U(r->rflags));
	log_err("rax %016llx rbx %016llx rcx %016llx rdx %016llx", U(r->rax), U(r->rbx), U(r->rcx), U(r->rdx));
	log_err("rsi %016llx rdi %016llx rbp %016llx r8  %016llx", U(r->rsi), U(r->rdi), U(r->rbp), U(r->r8));
	log_err("r9  %016llx r10 %016llx r11 %016llx r12 %016llx", U(r->r9), U(r->r10), U(r->r11), U(r->r12));
	log_err("r13 %016llx r14 %016llx r15 %016llx error %llx", U(r->r13), U(r->r14), U(r->r15),
		U(r->orig_rax));
#undef U
}
