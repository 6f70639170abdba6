/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Signals: which are pending, for whom, and what is to be done; how a handler is entered is the
 * system-call face's business (kernel/linux/sigframe.c).
 *
 * A signal for a process goes to one thread that does not block it, at once; only if all block it,
 * it waits at the process.  Ignored ones are dropped when sent, so that nothing is woken for them.
 * There is one pending bit per signal, no queue; stopping is not offered (SIGSTOP and its kin are
 * ignored).
 */
#include <asm/signal.h>

#include "kernel/program.h"

static const u64 ignored_by_default = SIG_BIT(SIGCHLD) | SIG_BIT(SIGURG) | SIG_BIT(SIGWINCH) | SIG_BIT(SIGCONT) |
				      SIG_BIT(SIGSTOP) | SIG_BIT(SIGTSTP) | SIG_BIT(SIGTTIN) | SIG_BIT(SIGTTOU);

bool signal_ignored(const struct process *p, int sig)
{
	uaddr_t handler = p->action[sig - 1].handler;

	if (sig == SIGSTOP || handler == HANDLER_IGNORE)
		return true;
	return handler == HANDLER_DEFAULT && (ignored_by_default & SIG_BIT(sig));
}

bool thread_interrupted(void)
{
	const struct thread *t = thread_self();
	const struct process *p = t->process;

	if (!p || !t->is_user)
		return false;
	return READ_ONCE(t->killed) || ((READ_ONCE(t->sig_pending) | READ_ONCE(p->sig_pending)) & ~t->sig_mask);
}

/* p->lock is held. */
static void post(struct process *p, struct thread *t, int sig, int sender)
{
	p->sig_sender[sig - 1] = sender;
	if (t) {
		WRITE_ONCE(t->sig_pending, t->sig_pending | SIG_BIT(sig));
		if (!(t->sig_mask & SIG_BIT(sig)))
			thread_poke(t);
	} else {
		WRITE_ONCE(p->sig_pending, p->sig_pending | SIG_BIT(sig));
	}
}

int signal_send(struct process *p, struct thread *to, int sig, int sender)
{
	struct thread *t = to;

	if (sig < 0 || sig > SIGNALS)
		return -EINVAL;
	if (!sig || !p)
		return 0;
	if (sig == SIGKILL) {
		process_kill(p);
		return 0;
	}
	guard_spin(&p->lock);
	if (!to)
		TAILQ_FOREACH(t, &p->threads, process_link)
			if (!(t->sig_mask & SIG_BIT(sig)))
				break;
	/* An ignored one is kept while it is blocked: it may be given a handler before it is unblocked. */
	if (!p->exiting && (!signal_ignored(p, sig) || !t || (t->sig_mask & SIG_BIT(sig))))
		post(p, t, sig, sender);
	return 0;
}

/* A thread on the list belongs to a live process for as long as registry_lock is held. */
int signal_send_tid(int tgid, int tid, int sig, int sender)
{
	struct thread *t;

	guard_spin(&registry_lock);
	TAILQ_FOREACH(t, &thread_list, all_link)
		if (t->tid == tid && (!tgid || t->process->pid == tgid))
			return signal_send(t->process, t, sig, sender);
	return -ESRCH;
}

int signal_take(u32 *sender)
{
	struct thread *t = thread_self();
	struct process *p = t->process;
	u64 set;
	int sig;

	guard_spin(&p->lock);
	set = (t->sig_pending | p->sig_pending) & ~t->sig_mask;
	if (!set)
		return 0;
	sig = __builtin_ctzll(set) + 1;
	*sender = p->sig_sender[sig - 1];
	*(t->sig_pending & SIG_BIT(sig) ? &t->sig_pending : &p->sig_pending) &= ~SIG_BIT(sig);
	return sig;
}

/* exec: handlers are gone, ignored signals stay ignored. */
void signal_exec_reset(struct process *p)
{
	for (unsigned i = 0; i < SIGNALS; i++) {
		uaddr_t handler = p->action[i].handler;

		p->action[i] = (struct signal_action){ .handler = handler == HANDLER_IGNORE ? handler : HANDLER_DEFAULT };
	}
}

const char *signal_name(int sig)
{
	static const char *const names[] = {
		[SIGHUP] = "SIGHUP", [SIGINT] = "SIGINT", [SIGQUIT] = "SIGQUIT", [SIGILL] = "SIGILL",
		[SIGTRAP] = "SIGTRAP", [SIGABRT] = "SIGABRT", [SIGBUS] = "SIGBUS", [SIGFPE] = "SIGFPE",
		[SIGKILL] = "SIGKILL", [SIGUSR1] = "SIGUSR1", [SIGSEGV] = "SIGSEGV", [SIGUSR2] = "SIGUSR2",
		[SIGPIPE] = "SIGPIPE", [SIGALRM] = "SIGALRM", [SIGTERM] = "SIGTERM", [SIGCHLD] = "SIGCHLD",
		[SIGSYS] = "SIGSYS",
	};

	return sig > 0 && sig < (int)ARRAY_SIZE(names) && names[sig] ? names[sig] : "signal";
}
