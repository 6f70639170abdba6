/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Run queues: one per CPU, ordered by priority, then by arrival, and who goes where.
 *
 * The run-queue lock is held across a context switch and released by the thread that comes next
 * (sched_finish_switch), so whoever holds the lock of a SLEEPING or READY thread's CPU knows that
 * its registers are saved and may move it elsewhere.  A wake-up prefers the CPU the thread ran on,
 * then any idle one; an idle CPU takes waiting threads from others before it halts.
 *
 * Among SCHED_OTHER a woken thread goes first and the running one goes last, so that who sleeps much
 * does not wait for who computes; but once in every slice that it has used up it goes last itself,
 * so that two threads which keep waking each other do not starve the others.
 */
#include "kernel/sched.h"

void run_insert(struct cpu *c, struct thread *t, bool first)
{
	struct thread *i;

	TAILQ_FOREACH(i, &c->ready, run_link)
		if (i->prio < t->prio || (first && i->prio == t->prio))
			break;
	if (i)
		TAILQ_INSERT_BEFORE(i, t, run_link);
	else
		TAILQ_INSERT_TAIL(&c->ready, t, run_link);
	t->state = THREAD_READY;
	t->cpu = c->id;
	c->nready++;
}

void run_remove(struct cpu *c, struct thread *t)
{
	TAILQ_REMOVE(&c->ready, t, run_link);
	c->nready--;
}

/* Somebody joined c's queue: tell that CPU if it should act on it. */
static void run_notify(struct cpu *c, const struct thread *t, bool first)
{
	struct thread *current = c->current;

	if (!current || t->prio < current->prio)
		return;
	if (t->prio > current->prio || first)
		WRITE_ONCE(c->need_resched, true);
	else if (c->slice_end)
		return;
	if (first && t->prio == current->prio)
		current->yielding = true;
	if (c == this_cpu())
		arch_need_resched();
	else
		arch_ipi_kick(c->id);
}

static bool cpu_is_free(const struct cpu *c)
{
	return READ_ONCE(c->online) && READ_ONCE(c->current) == c->idle && !READ_ONCE(c->nready);
}

static struct cpu *cpu_choose(const struct thread *t)
{
	u64 allowed = t->affinity & sched_online_mask();
	u64 left;

	if (!allowed)
		allowed = sched_online_mask();
	if ((allowed & BIT(t->cpu)) && cpu_is_free(&cpus[t->cpu]))
		return &cpus[t->cpu];
	for (left = allowed; left; left &= left - 1)
		if (cpu_is_free(&cpus[__builtin_ctzll(left)]))
			return &cpus[__builtin_ctzll(left)];
	return (allowed & BIT(t->cpu)) ? &cpus[t->cpu] : &cpus[__builtin_ctzll(allowed)];
}

struct cpu *run_lock_cpu_of(struct thread *t, bool *on)
{
	for (;;) {
		struct cpu *c = &cpus[READ_ONCE(t->cpu)];

		*on = spin_lock(&c->lock);
		if (READ_ONCE(t->cpu) == c->id)
			return c;
		spin_unlock(&c->lock, *on);
	}
}

/* t may become READY, is on no queue and its CPU's lock is held; the lock is released. */
void run_place(struct cpu *c, struct thread *t, bool on)
{
	struct cpu *target = cpu_choose(t);
	bool first = t->prio == THREAD_OTHER && t->slice_used_ns < THREAD_SLICE_NS;

	if (!first)
		t->slice_used_ns = 0;
	t->state = THREAD_READY;
	if (target != c) {
		t->cpu = target->id;
		spin_unlock(&c->lock, false);
		(void)!spin_lock(&target->lock);
	}
	run_insert(target, t, first);
	run_notify(target, t, first);
	spin_unlock(&target->lock, on);
}

void thread_wake(struct thread *t)
{
	bool on;
	struct cpu *c = run_lock_cpu_of(t, &on);

	if (t->state == THREAD_SLEEPING) {
		run_place(c, t, on);
		return;
	}
	if (t->state == THREAD_WAITING)
		t->state = THREAD_RUNNING;
	spin_unlock(&c->lock, on);
}

void thread_poke(struct thread *t)
{
	thread_wake(t);
	if (READ_ONCE(t->cpu) == arch_cpu_id())
		arch_need_resched();
	else
		arch_ipi_kick(READ_ONCE(t->cpu));
}

/* A thread changed its rights to CPUs or priority while it may be anywhere. */
static void reconsider(struct thread *t)
{
	bool on;
	struct cpu *c = run_lock_cpu_of(t, &on);

	if (t->state == THREAD_READY) {
		/* Between two queues it is READY and on none: whoever moves it is about to insert it. */
		struct thread *i;

		TAILQ_FOREACH(i, &c->ready, run_link)
			if (i == t)
				break;
		if (i) {
			run_remove(c, t);
			run_place(c, t, on);
			return;
		}
	} else if (t->state != THREAD_SLEEPING && t->state != THREAD_NEW) {
		WRITE_ONCE(c->need_resched, true);
		spin_unlock(&c->lock, on);
		if (t == thread_current())
			resched_point();
		else
			arch_ipi_kick(c->id);
		return;
	}
	spin_unlock(&c->lock, on);
}

void thread_set_affinity(struct thread *t, u64 mask)
{
	WRITE_ONCE(t->affinity, mask);
	reconsider(t);
}

void thread_set_priority(struct thread *t, int prio)
{
	WRITE_ONCE(t->prio, prio);
	reconsider(t);
}

/* Take one thread that may run here from somebody else's queue. */
bool run_steal(struct cpu *me)
{
	for (unsigned i = 0; i < ARCH_MAX_CPUS; i++) {
		struct cpu *c = &cpus[i];
		struct thread *t;
		bool on;

		if (c == me || !READ_ONCE(c->online) || !READ_ONCE(c->nready))
			continue;
		on = spin_lock(&c->lock);
		TAILQ_FOREACH(t, &c->ready, run_link)
			if (t->affinity & BIT(me->id))
				break;
		if (t) {
			run_remove(c, t);
			t->cpu = me->id;
		}
		spin_unlock(&c->lock, on);
		if (!t)
			continue;
		on = spin_lock(&me->lock);
		run_insert(me, t, false);
		spin_unlock(&me->lock, on);
		return true;
	}
	return false;
}

/* Send away what must not run here (its affinity changed while it was here). */
void run_send_away(struct cpu *me)
{
	bool on = spin_lock(&me->lock);
	struct thread *t;

	TAILQ_FOREACH(t, &me->ready, run_link)
		if (!(t->affinity & BIT(me->id)) && (t->affinity & sched_online_mask()))
			break;
	if (!t) {
		spin_unlock(&me->lock, on);
		return;
	}
	run_remove(me, t);
	run_place(me, t, on);
}
