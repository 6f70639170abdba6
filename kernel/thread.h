/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Threads, locks and waiting.  The kernel is not preemptible: a thread leaves the CPU only where it
 * waits, at resched_point(), or on the way back to ring 3 or into a guest.
 *
 * Lock order: container -> group -> device -> address space (mm) -> device memory lock -> object
 * viewers -> page tables -> unit queue -> run queue.  Mutexes sleep; spinlocks run with interrupts
 * off and are leaves below every mutex.
 */
#ifndef KERNEL_THREAD_H
#define KERNEL_THREAD_H

#include <sys/queue.h>

#include "arch/x86/arch.h"
#include "kernel/base.h"

struct process;
struct thread;

struct spinlock {
	u32 next, serving;
};
#define SPINLOCK_INIT { 0, 0 }
/* Until the ticket is served (kernel/spinlock.c). */
void spin_wait(struct spinlock *l, u32 ticket);

/* Returns whether interrupts were on; pass that to spin_unlock. While spinning it serves IPIs. */
static inline bool must_check spin_lock(struct spinlock *l)
{
	bool on = arch_irq_save();
	u32 ticket = __atomic_fetch_add(&l->next, 1, __ATOMIC_ACQ_REL);

	if (__builtin_expect(__atomic_load_n(&l->serving, __ATOMIC_ACQUIRE) != ticket, 0))
		spin_wait(l, ticket);
	return on;
}

static inline void spin_unlock(struct spinlock *l, bool irq_was_on)
{
	__atomic_store_n(&l->serving, l->serving + 1, __ATOMIC_RELEASE);
	arch_irq_restore(irq_was_on);
}

/* Held from here to the end of the enclosing block, whichever way that is left; released last taken first. */
#define guard_spin(l)                                                                    \
	struct spin_guard GUARD_NAME(__LINE__) __attribute__((cleanup(spin_guard_end), unused)) = { l, spin_lock(l) }
#define guard_mutex(m)                                                                   \
	struct mutex *GUARD_NAME(__LINE__) __attribute__((cleanup(mutex_guard_end), unused)) = mutex_guard(m)
#define GUARD_NAME(line) GUARD_NAME_(line)
#define GUARD_NAME_(line) guard_##line
struct spin_guard {
	struct spinlock *lock;
	bool irq_was_on;
};
static inline void spin_guard_end(struct spin_guard *g)
{
	spin_unlock(g->lock, g->irq_was_on);
}

struct waiter {
	TAILQ_ENTRY(waiter) link;
	/* Called with the queue's lock held and interrupts off; NULL: wake `thread`. */
	void (*fn)(struct waiter *w);
	struct thread *thread;
	bool queued;
};
struct waitq {
	struct spinlock lock;
	TAILQ_HEAD(waiter_list, waiter) waiters;
};
#define WAITQ_INIT(q) { SPINLOCK_INIT, TAILQ_HEAD_INITIALIZER((q).waiters) }
void waitq_init(struct waitq *q);
void waitq_add(struct waitq *q, struct waiter *w);
/* After return w->fn does not run and will not. */
void waitq_remove(struct waitq *q, struct waiter *w);
/* Wake up to n waiters (callbacks always all run). Any context. */
void waitq_wake(struct waitq *q, unsigned n);
#define waitq_wake_all(q) waitq_wake(q, ~0u)

#define WAIT_FOREVER (~0ull)
/* Internal to wait_event. wait_sleep: sleeps unless woken since wait_prepare. 0, -ETIMEDOUT, -EINTR. */
void wait_prepare(struct waitq *q, struct waiter *w);
int wait_sleep(u64 deadline_ns, bool interruptible);
void wait_finish(struct waitq *q, struct waiter *w);
/*
 * Sleep until cond; cond is evaluated without the queue's lock. deadline_ns: absolute arch_now_ns,
 * or WAIT_FOREVER. 0; -ETIMEDOUT; -EINTR when the thread must die or a signal is pending.
 */
#define wait_event_any(q, cond, deadline_ns, interruptible)                              \
	({                                                                               \
		struct waiter w_ = { .fn = NULL };                                       \
		int r_ = 0;                                                              \
		for (;;) {                                                               \
			wait_prepare(q, &w_);                                            \
			if (cond) {                                                      \
				r_ = 0;                                                  \
				break;                                                   \
			}                                                                \
			if (r_)                                                          \
				break;                                                   \
			r_ = wait_sleep(deadline_ns, interruptible);                     \
		}                                                                        \
		wait_finish(q, &w_);                                                     \
		r_;                                                                      \
	})
#define wait_event(q, cond, deadline_ns) wait_event_any(q, cond, deadline_ns, true)
/* For waits that a dying thread must finish too (hardware): not ended by signals. */
#define wait_event_hard(q, cond, deadline_ns) wait_event_any(q, cond, deadline_ns, false)

struct mutex {
	struct thread *owner;
	struct waitq waiters;
};
#define MUTEX_INIT(m) { NULL, WAITQ_INIT((m).waiters) }
void mutex_init(struct mutex *m);
void mutex_lock(struct mutex *m);
bool must_check mutex_trylock(struct mutex *m);
void mutex_unlock(struct mutex *m);
bool mutex_held(const struct mutex *m); /* by this thread */
/* For guard_mutex() above. */
static inline struct mutex *mutex_guard(struct mutex *m)
{
	mutex_lock(m);
	return m;
}
static inline void mutex_guard_end(struct mutex **m)
{
	mutex_unlock(*m);
}

/* ---- threads --------------------------------------------------------------------------------*/
struct thread *thread_current(void);
/* A kernel thread; runs fn(arg) and ends when that returns. NULL: no memory. */
struct thread *thread_spawn_kernel(const char *name, void (*fn)(void *arg), void *arg);
/* The process of this thread; NULL in a kernel thread. */
struct process *process_current(void);
/* Give the CPU away if something else should run; where a killed *user* thread notices that it must
 * leave is its next interruptible wait or return to ring 3. Call in loops of > 512 steps or 2 MiB. */
void resched_point(void);
/* In a loop of short steps: at every 64th. */
static inline void resched_sometimes(u64 step)
{
	if (step % 64 == 63)
		resched_point();
}
void thread_yield(void);
int thread_sleep_until(u64 ns); /* -ETIMEDOUT; -EINTR: as wait_event() */
/* True when the current thread must leave ring 0 soon (killed, or a signal waits). */
bool thread_interrupted(void);
/* Before entering a guest with interrupts off: true when the thread must not enter now (somebody
 * else should run, signal, death); the caller enables interrupts and calls resched_point(). */
bool thread_must_yield(void);

/* Start of the scheduler on the boot CPU; runs `first` as the first kernel thread. Never returns. */
void sched_start(void (*first)(void *), void *arg) __attribute__((noreturn));
void sched_cpu_online(void); /* upcall cpu_online */
void sched_timer(void);      /* upcall timer */

/* One-shot kernel timers (nanosleep, poll time-outs, timerfd): fn runs in interrupt context. */
struct ktimer {
	TAILQ_ENTRY(ktimer) link;
	u64 when;
	void (*fn)(struct ktimer *t);
	unsigned cpu;
	bool armed;
};
void ktimer_arm(struct ktimer *t, u64 when_ns);
/* After return fn does not run and will not. */
void ktimer_cancel(struct ktimer *t);

#endif
