/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Birth and death of threads.  A thread has one reference for being alive and more for whoever
 * keeps a pointer to it.  The dead cannot free the stack they stand on: the next thread on that CPU
 * buries them, and the grave is emptied by thread_reap() where interrupts are on.
 */
#include <stdio.h>

#include "kernel/frames.h"
#include "kernel/sched.h"

static struct spinlock grave_lock = SPINLOCK_INIT;
static TAILQ_HEAD(, thread) grave = TAILQ_HEAD_INITIALIZER(grave);

struct thread *thread_create(const char *name)
{
	struct thread *t;

	thread_reap();
	t = kzalloc(sizeof(*t));
	if (!t)
		return NULL;
	t->kstack = arch_kstack_alloc();
	if (!t->kstack) {
		kfree(t);
		return NULL;
	}
	snprintf(t->name, sizeof(t->name), "%s", name);
	t->refs = 1;
	t->affinity = ~0ull;
	t->cpu = arch_cpu_id();
	t->state = THREAD_NEW;
	return t;
}

void thread_get(struct thread *t)
{
	__atomic_add_fetch(&t->refs, 1, __ATOMIC_RELAXED);
}

void thread_put(struct thread *t)
{
	if (!t || __atomic_sub_fetch(&t->refs, 1, __ATOMIC_ACQ_REL))
		return;
	if (t->kstack)
		arch_kstack_free(t->kstack);
	if (t->user.fpu)
		frame_put(virt_to_phys(t->user.fpu));
	kfree(t);
}

struct thread *thread_spawn_kernel(const char *name, void (*fn)(void *arg), void *arg)
{
	struct thread *t = thread_create(name);

	if (!t)
		return NULL;
	t->arg = arg;
	thread_start(t, fn);
	return t;
}

void thread_exit(void)
{
	struct thread *t = thread_current();

	arch_irq_save();
	WRITE_ONCE(t->state, THREAD_DEAD);
	schedule();
	panic("a dead thread runs");
}

void thread_bury(struct thread *t)
{
	guard_spin(&grave_lock);
	TAILQ_INSERT_TAIL(&grave, t, run_link);
}

static struct thread *grave_take(void)
{
	struct thread *t;

	guard_spin(&grave_lock);
	t = TAILQ_FIRST(&grave);
	if (t)
		TAILQ_REMOVE(&grave, t, run_link);
	return t;
}

void thread_reap(void)
{
	while (READ_ONCE(grave.tqh_first))
		thread_put(grave_take());
}

int thread_sleep_until(u64 ns)
{
	struct waitq q = WAITQ_INIT(q);

	return wait_event(&q, false, ns);
}
