/* SPDX-License-Identifier: GPL-2.0-only */
/* The signal calls: masks, actions, waiting for signals, sending them. */
#include <linux/signal.h>

#include "kernel/linux/linux.h"

#define UNBLOCKABLE (SIG_BIT(SIGKILL) | SIG_BIT(SIGSTOP))

/* ---- masks and actions ---- */

void linux_mask_set(u64 mask)
{
	struct thread *t = thread_self();
	struct process *p = t->process;
	bool on = spin_lock(&p->lock);

	WRITE_ONCE(t->sig_mask, mask & ~UNBLOCKABLE);
	spin_unlock(&p->lock, on);
	if (thread_interrupted())
		arch_need_resched();
}

s64 sys_rt_sigaction(struct user_regs *r)
{
	struct process *p = thread_self()->process;
	int sig = (int)ARG0(r);
	struct signal_action new, old;
	bool on;

	if (ARG3(r) != sizeof(u64) || sig < 1 || sig > SIGNALS)
		return -EINVAL;
	if (ARG1(r) && copy_from_user(&new, ARG1(r), sizeof(new)))
		return -EFAULT;
	if (ARG1(r) && (UNBLOCKABLE & SIG_BIT(sig)))
		return -EINVAL;
	on = spin_lock(&p->lock);
	old = p->action[sig - 1];
	if (ARG1(r)) {
		new.mask &= ~UNBLOCKABLE;
		p->action[sig - 1] = new;
		if (signal_ignored(p, sig)) {
			struct thread *t;

			p->sig_pending &= ~SIG_BIT(sig);
			TAILQ_FOREACH(t, &p->threads, process_link)
				t->sig_pending &= ~SIG_BIT(sig);
		}
	}
	spin_unlock(&p->lock, on);
	return ARG2(r) && copy_to_user(ARG2(r), &old, sizeof(old)) ? -EFAULT : 0;
}

s64 sys_rt_sigprocmask(struct user_regs *r)
{
	struct thread *t = thread_self();
	u64 old = t->sig_mask, set;

	if (ARG3(r) != sizeof(set))
		return -EINVAL;
	if (ARG1(r)) {
		if (copy_from_user(&set, ARG1(r), sizeof(set)))
			return -EFAULT;
		if ((unsigned)ARG0(r) > SIG_SETMASK)
			return -EINVAL;
		linux_mask_set((int)ARG0(r) == SIG_BLOCK ? old | set : (int)ARG0(r) == SIG_UNBLOCK ? old & ~set : set);
	}
	return ARG2(r) && copy_to_user(ARG2(r), &old, sizeof(old)) ? -EFAULT : 0;
}

s64 sys_rt_sigpending(struct user_regs *r)
{
	struct thread *t = thread_self();
	u64 set = (t->sig_pending | t->process->sig_pending) & t->sig_mask;

	if (ARG1(r) > sizeof(set))
		return -EINVAL;
	return copy_to_user(ARG0(r), &set, ARG1(r));
}

/* The mask of a wait: the handler that ends it runs with this mask, and returns to the old one. */
int linux_mask_enter(uaddr_t set, u64 size)
{
	struct thread *t = thread_self();
	u64 mask;

	if (!set)
		return 0;
	if (size != sizeof(mask))
		return -EINVAL;
	if (copy_from_user(&mask, set, sizeof(mask)))
		return -EFAULT;
	t->sig_saved = t->sig_mask;
	t->sig_restore = true;
	linux_mask_set(mask);
	return 0;
}

s64 linux_mask_leave(s64 result)
{
	struct thread *t = thread_self();

	if (t->sig_restore && result != -EINTR) {
		t->sig_restore = false;
		linux_mask_set(t->sig_saved);
	}
	return result;
}

s64 sys_rt_sigsuspend(struct user_regs *r)
{
	int e = ARG0(r) ? linux_mask_enter(ARG0(r), ARG1(r)) : -EFAULT;

	return e ? e : thread_sleep_until(WAIT_FOREVER);
}

s64 sys_pause(struct user_regs *)
{
	return thread_sleep_until(WAIT_FOREVER);
}

s64 sys_sigaltstack(struct user_regs *r)
{
	struct thread *t = thread_self();
	struct { uaddr_t sp; int flags; u64 size; } new, old = { t->altstack.sp, (int)t->altstack.flags, t->altstack.size };
	bool inside = t->altstack.size && r->rsp - t->altstack.sp < t->altstack.size;

	if (!t->altstack.size)
		old.flags = SS_DISABLE;
	else if (inside)
		old.flags = SS_ONSTACK;
	if (ARG0(r)) {
		if (copy_from_user(&new, ARG0(r), sizeof(new)))
			return -EFAULT;
		if (inside)
			return -EPERM;
		if (new.flags & ~(SS_DISABLE | SS_ONSTACK))
			return -EINVAL;
		if (!(new.flags & SS_DISABLE) && new.size < MINSIGSTKSZ)
			return -ENOMEM;
		t->altstack = (struct thread_altstack){ new.sp, new.flags & SS_DISABLE ? 0 : new.size, 0 };
	}
	return ARG1(r) && copy_to_user(ARG1(r), &old, sizeof(old)) ? -EFAULT : 0;
}

s64 sys_rt_sigreturn(struct user_regs *r)
{
	if (sigframe_pop(r)) {
		char who[48];

		log_warn("%s: killed: its signal frame cannot be read",
			 process_label(thread_self()->process, who, sizeof(who)));
		process_exit_group(SIGSEGV);
	}
	linux_mask_set(thread_self()->sig_mask);
	return (s64)r->rax;
}

/* ---- sending ---- */

struct broadcast {
	int sig, sender, count;
};

static void send_to_all(struct process *p, void *arg)
{
	struct broadcast *b = arg;

	if (p->pid == 1 || p->pid == b->sender || p->zombie)
		return;
	b->count++;
	(void)signal_send(p, NULL, b->sig, b->sender);
}

s64 sys_kill(struct user_regs *r)
{
	int pid = (int)ARG0(r), sig = (int)ARG1(r), sender = thread_self()->process->pid;
	struct process *p;
	s64 e;

	if (pid == -1) {
		struct broadcast b = { sig, sender, 0 };

		process_each(send_to_all, &b);
		return !b.count ? -ESRCH : sig < 0 || sig > SIGNALS ? -EINVAL : 0;
	}
	p = process_find(pid < 0 ? -pid : pid ? pid : sender);
	if (!p)
		return -ESRCH;
	e = signal_send(p, NULL, sig, sender);
	process_put(p);
	return e;
}

s64 sys_tkill(struct user_regs *r)
{
	return (int)ARG0(r) <= 0 ? -EINVAL : signal_send_tid(0, (int)ARG0(r), (int)ARG1(r), thread_self()->process->pid);
}

s64 sys_tgkill(struct user_regs *r)
{
	if ((int)ARG0(r) <= 0 || (int)ARG1(r) <= 0)
		return -EINVAL;
	return signal_send_tid((int)ARG0(r), (int)ARG1(r), (int)ARG2(r), thread_self()->process->pid);
}
