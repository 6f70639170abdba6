/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The way back to ring 3: the killed leave, handlers are entered, interrupted calls start again.  A
 * trap of ring 3 becomes a signal to the thread itself; without a handler it is the program's end,
 * with a line in the log.
 */
#include <linux/signal.h>

#include "kernel/linux/linux.h"
#include "kernel/mm.h"

#define NO_TRAP (~0u)

static void die_of(const struct signal_event *e, const struct user_regs *r)
{
	char who[48];

	process_label(thread_self()->process, who, sizeof(who));
	if (e->trap != NO_TRAP)
		log_warn("%s: killed by %s (%d): trap %u, address 0x%llx, rip 0x%llx", who, signal_name(e->sig), e->sig,
			 e->trap, (unsigned long long)e->addr, (unsigned long long)r->rip);
	else
		log_info("%s: killed by %s (%d) from process %u", who, signal_name(e->sig), e->sig, e->sender);
	process_exit_group(e->sig);
}

/* Enter the handler, or die. The thread's mask becomes the handler's. */
static void deliver(struct user_regs *r, const struct signal_event *e)
{
	struct thread *t = thread_self();
	struct process *p = t->process;
	bool on = spin_lock(&p->lock);
	struct signal_action a = p->action[e->sig - 1];

	if (a.handler > HANDLER_IGNORE && (a.flags & SA_RESETHAND))
		p->action[e->sig - 1].handler = HANDLER_DEFAULT;
	spin_unlock(&p->lock, on);
	if (a.handler <= HANDLER_IGNORE)
		die_of(e, r);
	if (t->call_interrupted && (a.flags & SA_RESTART))
		linux_restart(r);
	t->call_interrupted = false;
	if (!sigframe_push(r, &a, e)) {
		struct signal_event fatal = *e;

		fatal.sig = SIGSEGV;
		die_of(&fatal, r);
	}
	t->sig_restore = false;
	linux_mask_set(t->sig_mask | a.mask | (a.flags & SA_NODEFER ? 0 : SIG_BIT(e->sig)));
}

void linux_return_to_user(struct user_regs *r)
{
	struct thread *t = thread_self();
	u32 sender = 0;
	int sig;

	sched_return_to_user();
	while (thread_interrupted()) {
		if (READ_ONCE(t->killed))
			process_thread_exit(0);
		sig = signal_take(&sender);
		if (!sig)
			break;
		if (signal_ignored(t->process, sig))
			continue;
		deliver(r, &(struct signal_event){ .sig = sig, .code = SI_USER, .sender = sender, .trap = NO_TRAP });
	}
	/* Woken for a signal that is gone or ignored: nobody need know. */
	if (t->call_interrupted) {
		t->call_interrupted = false;
		linux_restart(r);
	}
	if (t->sig_restore) {
		t->sig_restore = false;
		linux_mask_set(t->sig_saved);
	}
}

/* ---- traps ---- */

static bool address_mapped(uaddr_t addr)
{
	struct mm_vma_info v;
	uaddr_t at = addr;

	if (!mm_next_vma(thread_self()->process->mm, &at, &v))
		return false;
	file_put(v.file);
	return v.start <= addr;
}

static struct signal_event event_of(unsigned trap, u64 addr, int err, const struct user_regs *r)
{
	/* SDM vol. 3, table 6-1; what is not here is a general protection fault to the program. */
	static const struct {
		u8 sig, code;
		bool at_rip;
	} traps[] = {
		[0] = { SIGFPE, FPE_INTDIV, true }, [1] = { SIGTRAP, TRAP_TRACE, false },
		[3] = { SIGTRAP, (u8)SI_KERNEL, false }, [6] = { SIGILL, ILL_ILLOPN, true },
		[16] = { SIGFPE, FPE_FLTINV, true }, [17] = { SIGBUS, BUS_ADRALN, false },
		[19] = { SIGFPE, FPE_FLTINV, true },
	};
	struct signal_event e = { .sig = SIGSEGV, .code = SI_KERNEL, .addr = addr, .trap = trap, .error = r->orig_rax };

	if (trap == 14 && (err == -EIO || err == -ENOMEM)) {
		e.sig = err == -EIO ? SIGBUS : SIGKILL;
		e.code = BUS_ADRERR;
	} else if (trap == 14) {
		e.code = address_mapped(addr) ? SEGV_ACCERR : SEGV_MAPERR;
	} else if (trap < ARRAY_SIZE(traps) && traps[trap].sig) {
		e.sig = traps[trap].sig;
		e.code = traps[trap].code;
		if (traps[trap].at_rip)
			e.addr = r->rip;
	}
	return e;
}

void linux_user_trap(struct user_regs *r, unsigned trap, u64 addr, int err)
{
	struct thread *t = thread_self();
	struct signal_event e = event_of(trap, addr, err, r);
	char who[48];

	if (e.sig == SIGKILL) {
		log_err("%s: killed: out of memory at address 0x%llx, rip 0x%llx",
			process_label(t->process, who, sizeof(who)), (unsigned long long)addr, (unsigned long long)r->rip);
		process_exit_group(SIGKILL);
	}
	/* A fault that is served by a killed thread is just a place to leave. */
	if (READ_ONCE(t->killed))
		process_thread_exit(0);
	if (t->sig_mask & SIG_BIT(e.sig))
		die_of(&e, r);
	deliver(r, &e);
}
