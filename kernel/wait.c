/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Wait queues and mutexes.
 *
 * No wake-up is lost: wait_prepare() sets the thread's state to WAITING *before* it takes the
 * queue's lock (whose locked instruction is the barrier) and joins the queue; a waker changes the
 * condition before it takes the same lock.  So either the waker finds the waiter, or the waiter's
 * look at the condition, which comes after, sees the change.  A wake-up of a WAITING thread makes
 * it RUNNING again and its schedule() returns at once.
 *
 * A woken waiter leaves the queue, so that wake-one wakes different ones; it joins again if its
 * condition is still false.  wait_finish() always takes the lock: only then is it certain that no
 * waker still looks at the waiter or the queue.
 */
#include "kernel/sched.h"

void waitq_init(struct waitq *q)
{
	q->lock = (struct spinlock)SPINLOCK_INIT;
	TAILQ_INIT(&q->waiters);
}

void waitq_add(struct waitq *q, struct waiter *w)
{
	guard_spin(&q->lock);
	TAILQ_INSERT_TAIL(&q->waiters, w, link);
	w->queued = true;
}

void waitq_remove(struct waitq *q, struct waiter *w)
{
	guard_spin(&q->lock);
	if (w->queued)
		TAILQ_REMOVE(&q->waiters, w, link);
	w->queued = false;
}

void waitq_wake_locked(struct waitq *q, unsigned n)
{
	struct waiter *w, *next;

	for (w = TAILQ_FIRST(&q->waiters); w; w = next) {
		next = TAILQ_NEXT(w, link);
		if (w->fn) {
			w->fn(w);
			continue;
		}
		if (!n)
			continue;
		n--;
		TAILQ_REMOVE(&q->waiters, w, link);
		w->queued = false;
		thread_wake(w->thread);
	}
}

void waitq_wake(struct waitq *q, unsigned n)
{
	guard_spin(&q->lock);
	waitq_wake_locked(q, n);
}

void wait_prepare(struct waitq *q, struct waiter *w)
{
	struct thread *t = thread_self();

	WRITE_ONCE(t->state, THREAD_WAITING);
	guard_spin(&q->lock);
	w->thread = t;
	if (!w->queued)
		TAILQ_INSERT_TAIL(&q->waiters, w, link);
	w->queued = true;
}

struct sleeper {
	struct ktimer timer;
	struct thread *thread;
};

static void sleeper_wake(struct ktimer *k)
{
	thread_wake(container_of(k, struct sleeper, timer)->thread);
}

int wait_sleep(u64 deadline_ns, bool interruptible)
{
	struct thread *t = thread_self();
	struct sleeper s = { .timer = { .fn = sleeper_wake }, .thread = t };

	if (interruptible && thread_interrupted()) {
		WRITE_ONCE(t->state, THREAD_RUNNING);
		return -EINTR;
	}
	if (deadline_ns == WAIT_FOREVER) {
		schedule();
		return 0;
	}
	if (arch_now_ns() >= deadline_ns) {
		WRITE_ONCE(t->state, THREAD_RUNNING);
		return -ETIMEDOUT;
	}
	ktimer_arm(&s.timer, deadline_ns);
	schedule();
	ktimer_cancel(&s.timer);
	return 0;
}

void wait_finish(struct waitq *q, struct waiter *w)
{
	struct thread *t = thread_self();

	WRITE_ONCE(t->state, THREAD_RUNNING);
	waitq_remove(q, w);
}

void mutex_init(struct mutex *m)
{
	m->owner = NULL;
	waitq_init(&m->waiters);
}

bool mutex_trylock(struct mutex *m)
{
	struct thread *none = NULL;

	return __atomic_compare_exchange_n(&m->owner, &none, thread_self(), false, __ATOMIC_SEQ_CST,
					   __ATOMIC_RELAXED);
}

static void mutex_wait(struct mutex *m) __attribute__((noinline));
static void mutex_wait(struct mutex *m)
{
	BUG_ON(mutex_held(m));
	wait_event_hard(&m->waiters, mutex_trylock(m), WAIT_FOREVER);
}

void mutex_lock(struct mutex *m)
{
	if (__builtin_expect(!mutex_trylock(m), 0))
		mutex_wait(m);
}

static void mutex_wake(struct mutex *m) __attribute__((noinline));
static void mutex_wake(struct mutex *m)
{
	waitq_wake(&m->waiters, 1);
}

/* A waiter joins the queue before it tries the lock again, and both sides use a locked instruction
 * in between: an empty queue seen here means that whoever comes now finds the mutex free. */
void mutex_unlock(struct mutex *m)
{
	BUG_ON(READ_ONCE(m->owner) != thread_self());
	__atomic_store_n(&m->owner, NULL, __ATOMIC_SEQ_CST);
	if (__builtin_expect(READ_ONCE(m->waiters.waiters.tqh_first) != NULL, 0))
		mutex_wake(m);
}

bool mutex_held(const struct mutex *m)
{
	return READ_ONCE(m->owner) == thread_self();
}
