/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One-shot kernel timers: one sorted list per CPU, whose head (or the end of the running thread's
 * slice, if that is earlier) is what the CPU's hardware timer is set to.  A timer fires on the CPU
 * that armed it.  Its owner keeps it alive until ktimer_cancel() has returned or it has fired.
 */
#include "kernel/sched.h"

void ktimer_arm(struct ktimer *t, u64 when_ns)
{
	bool on = arch_irq_save(), inner;
	struct cpu *c = this_cpu();
	struct ktimer *i;

	inner = spin_lock(&c->timer_lock);
	t->when = when_ns;
	t->cpu = c->id;
	t->armed = true;
	TAILQ_FOREACH(i, &c->timers, link)
		if (i->when > when_ns)
			break;
	if (i)
		TAILQ_INSERT_BEFORE(i, t, link);
	else
		TAILQ_INSERT_TAIL(&c->timers, t, link);
	i = TAILQ_FIRST(&c->timers);
	spin_unlock(&c->timer_lock, inner);
	if (i == t)
		sched_timer_program(c);
	arch_irq_restore(on);
}

void ktimer_cancel(struct ktimer *t)
{
	for (;;) {
		struct cpu *c = &cpus[READ_ONCE(t->cpu)];
		bool on = spin_lock(&c->timer_lock);
		bool running = c->running_timer == t && c != this_cpu();

		if (t->armed && t->cpu == c->id) {
			TAILQ_REMOVE(&c->timers, t, link);
			t->armed = false;
		}
		spin_unlock(&c->timer_lock, on);
		if (!running && !READ_ONCE(t->armed))
			return;
		/* It may arm itself again: look once more when it is done. */
		arch_cpu_relax();
	}
}

u64 ktimer_next(struct cpu *c)
{
	struct ktimer *t;

	guard_spin(&c->timer_lock);
	t = TAILQ_FIRST(&c->timers);
	return t ? t->when : ~0ull;
}

void ktimer_run_expired(struct cpu *c)
{
	bool on = spin_lock(&c->timer_lock);
	u64 now = arch_now_ns();
	struct ktimer *t;

	while ((t = TAILQ_FIRST(&c->timers)) && t->when <= now) {
		TAILQ_REMOVE(&c->timers, t, link);
		t->armed = false;
		c->running_timer = t;
		spin_unlock(&c->timer_lock, false);
		t->fn(t);
		(void)!spin_lock(&c->timer_lock);
		c->running_timer = NULL;
	}
	spin_unlock(&c->timer_lock, on);
}
