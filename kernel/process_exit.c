/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The end of threads and programs, and waiting for it.
 *
 * A thread that ends leaves ring 3 behind first (user words of its mutexes and its tid, then the
 * page table, while the address space is certainly alive), then leaves the process.  The last one
 * closes the files in order of descriptor, gives back the address space, hands the children to
 * pid 1 and becomes a zombie for its parent.  So when a parent's wait returns, everything the
 * child held has been released.
 */
#include <asm/signal.h>

#include "kernel/frames.h"
#include "kernel/mm.h"
#include "kernel/program.h"

static struct waitq any_ended = WAITQ_INIT(any_ended);
static void (*init_exit)(int status);

void process_on_init_exit(void (*fn)(int status))
{
	init_exit = fn;
}

/* All threads but `but` must go; p->lock is held. */
static void kill_threads(struct process *p, const struct thread *but)
{
	struct thread *t;

	TAILQ_FOREACH(t, &p->threads, process_link) {
		if (t == but)
			continue;
		WRITE_ONCE(t->killed, true);
		thread_poke(t);
	}
}

static void begin_exit(struct process *p, int wait_status, const struct thread *but)
{
	guard_spin(&p->lock);
	if (p->exiting)
		return;
	p->exiting = true;
	p->exit_code = wait_status;
	kill_threads(p, but);
}

void process_kill(struct process *p)
{
	begin_exit(p, SIGKILL, NULL);
}

void process_exit_group(int wait_status)
{
	begin_exit(process_current(), wait_status, thread_self());
	process_thread_exit(wait_status >> 8);
}

void process_exit(int status)
{
	process_exit_group((status & 0xff) << 8);
}

int process_make_single(void)
{
	struct thread *t = thread_self();
	struct process *p = t->process;
	bool on = spin_lock(&p->lock);
	bool doomed = t->killed || p->exiting;
	int r;

	if (!doomed)
		kill_threads(p, t);
	spin_unlock(&p->lock, on);
	if (doomed)
		return -EINTR;
	/* Without a deadline: they were told to die, and every wait in the kernel is bounded or ends by that. */
	do {
		r = wait_event_hard(&p->threads_changed, READ_ONCE(p->nthreads) == 1 || READ_ONCE(t->killed), WAIT_FOREVER);
	} while (r);
	if (READ_ONCE(t->killed))
		return -EINTR;
	t->tid = p->pid;
	return 0;
}

void process_vfork_release(struct process *p)
{
	if (!READ_ONCE(p->borrows_mm))
		return;
	WRITE_ONCE(p->borrows_mm, false);
	waitq_wake_all(&p->vfork_done);
}

/* The current thread has no ring 3 any more: no address space, no registers. */
static void leave_ring3(struct thread *t)
{
	bool on = arch_irq_save();

	t->is_user = false;
	t->root = 0;
	arch_user_switch(NULL, NULL, (char *)t->kstack + ARCH_KSTACK_SIZE, 0);
	arch_irq_restore(on);
}

/* Children of a dead process belong to pid 1, or to nobody; registry_lock is held. */
static void reparent(struct process *p)
{
	struct process *to = process_init && process_init != p && !process_init->zombie ? process_init : NULL, *child;

	while ((child = TAILQ_FIRST(&p->children))) {
		TAILQ_REMOVE(&p->children, child, sibling);
		child->parent = to;
		child->ppid = to ? to->pid : 0;
		if (to) {
			TAILQ_INSERT_TAIL(&to->children, child, sibling);
			waitq_wake_all(&to->child_changed);
		} else if (child->zombie) {
			process_unregister(child);
			process_put(child);
		}
	}
}

/* The end of a process; its last thread runs here. */
static void process_finish(struct process *p)
{
	struct process *parent;
	bool is_init = p == process_init, collect, on;

	process_vfork_release(p);
	fd_table_put(p->fds);
	mm_put(p->mm);
	p->fds = NULL;
	p->mm = NULL;

	on = spin_lock(&registry_lock);
	reparent(p);
	parent = p->parent;
	collect = !parent || parent->action[SIGCHLD - 1].handler == HANDLER_IGNORE ||
		  (parent->action[SIGCHLD - 1].flags & SA_NOCLDWAIT);
	thread_self()->process = NULL;
	p->zombie = true;
	if (parent) {
		(void)signal_send(parent, NULL, SIGCHLD, p->pid);
		waitq_wake_all(&parent->child_changed);
	}
	if (collect && !is_init)
		process_unregister(p);
	spin_unlock(&registry_lock, on);

	if (is_init && init_exit)
		init_exit((p->exit_code & 0x7f) ? 128 + (p->exit_code & 0x7f) : p->exit_code >> 8 & 0xff);
	if (collect && !is_init)
		process_put(p);
	waitq_wake_all(&any_ended);
}

void process_thread_exit(int code)
{
	struct thread *t = thread_self();
	struct process *p = t->process;
	bool on, last;

	futex_thread_exit(t);
	leave_ring3(t);
	on = spin_lock(&registry_lock);
	(void)!spin_lock(&p->lock);
	TAILQ_REMOVE(&p->threads, t, process_link);
	TAILQ_REMOVE(&thread_list, t, all_link);
	last = !--p->nthreads;
	if (!p->exiting && (last || t->tid == p->pid))
		p->exit_code = (code & 0xff) << 8;
	if (last)
		p->exiting = true;
	else
		t->process = NULL;
	waitq_wake_all(&p->threads_changed);
	spin_unlock(&p->lock, false);
	spin_unlock(&registry_lock, on);
	if (last)
		process_finish(p);
	thread_exit();
}

/* ---- waiting for children ---- */

/* 1: collected, *dead set; 0: none dead yet; -ECHILD. */
static int collect_dead(struct process *p, int which, bool keep, struct process **dead)
{
	struct process *child;
	int r = -ECHILD;

	guard_spin(&registry_lock);
	TAILQ_FOREACH(child, &p->children, sibling) {
		if (which > 0 && child->pid != which)
			continue;
		r = 0;
		if (!child->zombie)
			continue;
		if (keep)
			process_get(child);
		else
			process_unregister(child);
		*dead = child;
		return 1;
	}
	return r;
}

s64 process_wait(int which, bool now, int *status, bool keep)
{
	struct process *p = process_current(), *dead = NULL;
	int found = collect_dead(p, which, keep, &dead), r = 0, pid;

	if (!found && !now)
		r = wait_event(&p->child_changed, (found = collect_dead(p, which, keep, &dead)), WAIT_FOREVER);
	if (r || found <= 0)
		return r ? r : found;
	*status = dead->exit_code;
	pid = dead->pid;
	process_put(dead);
	return pid;
}

/* ---- the end of all ---- */

static void kill_other(struct process *p, void *count)
{
	if (p == process_init || p->zombie)
		return;
	process_kill(p);
	++*(unsigned *)count;
}

static unsigned others_alive(void)
{
	unsigned alive = 0;

	process_each(kill_other, &alive);
	return alive;
}

unsigned process_end_all(u64 deadline_ns)
{
	(void)wait_event_hard(&any_ended, !others_alive(), deadline_ns);
	return others_alive();
}
