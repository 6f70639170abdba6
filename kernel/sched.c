/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The scheduler: switching, slices, idling.  Who is on which queue is runqueue.c's.
 *
 * The kernel is not preemptible: need_resched is looked at in resched_point(), before ring 3 and
 * before a guest is entered.  SCHED_OTHER threads get slices of 10 ms, and the timer is only set
 * for a slice while somebody of the same priority waits.
 */
#include <stdio.h>

#include "kernel/frames.h"
#include "kernel/sched.h"

/* The boot CPU's stack becomes its idle thread; until then it is just "the current thread". */
struct thread boot_thread = {
	.name = "idle/0", .prio = THREAD_PRIO_IDLE, .refs = 1, .affinity = 1, .state = THREAD_RUNNING,
};
struct cpu cpus[ARCH_MAX_CPUS] = { [0] = {
	.ready = TAILQ_HEAD_INITIALIZER(cpus[0].ready),
	.timers = TAILQ_HEAD_INITIALIZER(cpus[0].timers),
	.current = &boot_thread, .idle = &boot_thread, .online = true,
} };
static u64 online_mask = 1;

struct thread *thread_current(void)
{
	return thread_self();
}

u64 sched_online_mask(void)
{
	return READ_ONCE(online_mask);
}

void sched_timer_program(struct cpu *c)
{
	u64 when = ktimer_next(c), slice = READ_ONCE(c->slice_end);

	if (slice && slice < when)
		when = slice;
	arch_timer_set(when);
}

static void start_on_stack(void *)
{
	struct thread *t = thread_current();

	sched_finish_switch();
	arch_irq_restore(true);
	t->fn(t->arg);
	thread_exit();
}

void thread_start(struct thread *t, void (*fn)(void *))
{
	/* A thread of ring 3 keeps its user registers at the top of the stack. */
	char *top = (char *)t->kstack + ARCH_KSTACK_SIZE - ALIGN_UP(sizeof(struct user_regs), 16);
	bool on;
	struct cpu *c;

	if (fn)
		t->fn = fn;
	arch_context_init(&t->context, top, start_on_stack, NULL);
	t->slice_used_ns = THREAD_SLICE_NS; /* a new one goes last */
	c = run_lock_cpu_of(t, &on);
	run_place(c, t, on);
}

/* ---- switching ---- */

void schedule(void)
{
	bool on = arch_irq_save();
	struct cpu *c = this_cpu();
	struct thread *prev = thread_current(), *next;
	u64 now;

	(void)!spin_lock(&c->lock);
	c->need_resched = false;
	if (prev->state == THREAD_WAITING) {
		prev->state = THREAD_SLEEPING;
	} else if (prev->state == THREAD_RUNNING && prev != c->idle) {
		if (!(prev->affinity & BIT(c->id)) && (prev->affinity & online_mask)) {
			/* It has to leave this CPU: the idle thread sends it away once it is saved. */
			run_insert(c, prev, false);
			if (TAILQ_FIRST(&c->ready) == prev && c->nready == 1) {
				next = c->idle;
				goto picked;
			}
		} else {
			bool used_up = prev->yielding || (c->slice_end && arch_now_ns() >= c->slice_end);

			run_insert(c, prev, prev->prio != THREAD_OTHER ? !prev->yielding : !used_up);
		}
	}
	prev->yielding = false;
	TAILQ_FOREACH(next, &c->ready, run_link)
		if ((next->affinity & BIT(c->id)) || !(next->affinity & online_mask))
			break;
	if (next)
		run_remove(c, next);
	else
		next = c->idle;
picked:
	now = arch_now_ns();
	c->slice_end = 0;
	if (next != c->idle && next->prio == THREAD_OTHER && c->nready)
		c->slice_end = now + THREAD_SLICE_NS;
	next->state = THREAD_RUNNING;
	next->cpu = c->id;
	if (next == prev) {
		sched_timer_program(c);
		spin_unlock(&c->lock, on);
		return;
	}
	prev->runtime_ns += now - prev->started_ns;
	prev->slice_used_ns += now - prev->started_ns;
	next->started_ns = now;
	if (prev->state == THREAD_DEAD)
		c->dead = prev;
	c->current = next;
	arch_percpu_set(next);
	arch_user_switch(prev->is_user ? &prev->user : NULL, next->is_user ? &next->user : NULL,
			 next->kstack ? (char *)next->kstack + ARCH_KSTACK_SIZE : NULL, next->is_user ? next->root : 0);
	arch_context_switch(&prev->context, &next->context);
	sched_finish_switch();
	arch_irq_restore(on);
}

/* Runs on the stack of the thread that came, with interrupts as a switch leaves them. */
void sched_finish_switch(void)
{
	bool on = arch_irq_save();
	struct cpu *c = this_cpu();
	struct thread *t = c->current, *dead = c->dead;

	c->dead = NULL;
	sched_timer_program(c);
	spin_unlock(&c->lock, false);
	if (dead)
		thread_bury(dead);
	if (t->is_user && thread_interrupted())
		arch_need_resched();
	arch_irq_restore(on);
}

/* Start a slice if somebody of our priority has come since we were chosen. Interrupts off. */
static bool must_switch(struct cpu *c)
{
	if (READ_ONCE(c->need_resched))
		return true;
	if (READ_ONCE(c->nready) && !c->slice_end && c->current->prio == THREAD_OTHER) {
		c->slice_end = arch_now_ns() + THREAD_SLICE_NS;
		sched_timer_program(c);
	}
	return false;
}

static void switch_now_if_needed(void) __attribute__((noinline));
static void switch_now_if_needed(void)
{
	bool on = arch_irq_save();
	bool need = must_switch(this_cpu());

	arch_irq_restore(on);
	if (need)
		schedule();
}

/* Mostly nobody else wants this CPU. Who comes right after the look is seen by the next one. */
static inline void switch_if_needed(void)
{
	const struct cpu *c = this_cpu();

	if (__builtin_expect(READ_ONCE(c->need_resched) || READ_ONCE(c->nready), 0))
		switch_now_if_needed();
}

void resched_point(void)
{
	struct thread *t = thread_self();

	if (t->state == THREAD_RUNNING && t->prio != THREAD_PRIO_IDLE)
		switch_if_needed();
}

void sched_return_to_user(void)
{
	switch_if_needed();
}

void thread_yield(void)
{
	thread_current()->yielding = true;
	schedule();
}

bool thread_must_yield(void)
{
	return must_switch(this_cpu()) || thread_interrupted();
}

void sched_timer(void)
{
	struct cpu *c = this_cpu();

	ktimer_run_expired(c);
	if (c->slice_end && arch_now_ns() >= c->slice_end) {
		c->need_resched = true;
		c->slice_end = 0;
		if (c->current)
			c->current->yielding = true;
	}
	sched_timer_program(c);
}

/* ---- idle ---- */

void sched_idle(void)
{
	for (;;) {
		struct cpu *c;

		thread_reap();
		arch_irq_save();
		c = this_cpu();
		if (c->nready)
			run_send_away(c);
		if (c->nready || run_steal(c))
			schedule();
		else
			arch_cpu_idle();
		arch_irq_restore(true);
	}
}

static void cpu_set_up(struct cpu *c, unsigned id, struct thread *idle)
{
	c->id = id;
	TAILQ_INIT(&c->ready);
	TAILQ_INIT(&c->timers);
	idle->cpu = id;
	idle->affinity = BIT(id);
	c->idle = c->current = idle;
	arch_percpu_set(idle);
	c->online = true;
	__atomic_or_fetch(&online_mask, BIT(id), __ATOMIC_SEQ_CST);
}

void sched_start(void (*first)(void *), void *arg)
{
	arch_irq_save();
	arch_percpu_set(&boot_thread);
	if (!thread_spawn_kernel("main", first, arg))
		panic("no memory for the first thread");
	sched_idle();
}

void sched_cpu_online(void)
{
	unsigned id = arch_cpu_id();
	struct thread *idle = kzalloc(sizeof(*idle));

	arch_irq_save();
	if (!idle)
		panic("no memory for the idle thread of CPU %u", id);
	snprintf(idle->name, sizeof(idle->name), "idle/%u", id);
	idle->prio = THREAD_PRIO_IDLE;
	idle->refs = 1;
	cpu_set_up(&cpus[id], id, idle);
	sched_idle();
}
