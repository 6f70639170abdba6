/* SPDX-License-Identifier: GPL-2.0-only */
/* Where and when threads run: affinity, policy, priority. SCHED_RR is served as SCHED_FIFO. */
#include <linux/sched.h>

#include "kernel/linux/linux.h"

#define PRIO_MIN 1
#define PRIO_MAX 99

/* The thread a call speaks of (0: the caller); referenced. */
static struct thread *thread_arg(u64 tid)
{
	struct thread *t = thread_current();

	if (tid)
		return thread_find((int)tid);
	thread_get(t);
	return t;
}

s64 sys_sched_yield(struct user_regs *)
{
	thread_yield();
	return 0;
}

s64 sys_sched_getaffinity(struct user_regs *r)
{
	struct thread *t;
	u64 mask;

	if (ARG1(r) < sizeof(mask) || (ARG1(r) & 7))
		return -EINVAL;
	t = thread_arg(ARG0(r));
	if (!t)
		return -ESRCH;
	mask = t->affinity & sched_online_mask();
	thread_put(t);
	return copy_to_user(ARG2(r), &mask, sizeof(mask)) ? -EFAULT : (s64)sizeof(mask);
}

s64 sys_sched_setaffinity(struct user_regs *r)
{
	struct thread *t;
	u64 mask = 0;

	if (copy_from_user(&mask, ARG2(r), MIN(ARG1(r), sizeof(mask))))
		return -EFAULT;
	mask &= sched_online_mask();
	t = thread_arg(ARG0(r));
	if (!t)
		return -ESRCH;
	if (mask)
		thread_set_affinity(t, mask);
	thread_put(t);
	return mask ? 0 : -EINVAL;
}

static int prio_from(int policy, int prio, int *out)
{
	switch (policy) {
	case SCHED_NORMAL:
	case SCHED_BATCH:
	case SCHED_IDLE:
		*out = 0;
		return prio ? -EINVAL : 0;
	case SCHED_FIFO:
	case SCHED_RR:
		*out = prio;
		return prio < PRIO_MIN || prio > PRIO_MAX ? -EINVAL : 0;
	default:
		return -EINVAL;
	}
}

static s64 set_policy(u64 tid, int policy, uaddr_t param)
{
	struct thread *t;
	int prio, e;

	if (!param || (int)tid < 0)
		return -EINVAL;
	if (copy_from_user(&prio, param, sizeof(prio)))
		return -EFAULT;
	t = thread_arg(tid);
	if (!t)
		return -ESRCH;
	if (policy < 0)
		policy = t->prio > 0 ? SCHED_FIFO : SCHED_NORMAL;
	e = prio_from(policy & ~SCHED_RESET_ON_FORK, prio, &prio);
	if (!e)
		thread_set_priority(t, prio);
	thread_put(t);
	return e;
}

s64 sys_sched_setscheduler(struct user_regs *r)
{
	return (int)ARG1(r) < 0 ? -EINVAL : set_policy(ARG0(r), (int)ARG1(r), ARG2(r));
}

s64 sys_sched_setparam(struct user_regs *r)
{
	return set_policy(ARG0(r), -1, ARG1(r));
}

s64 sys_sched_getscheduler(struct user_regs *r)
{
	struct thread *t = thread_arg(ARG0(r));
	s64 policy;

	if (!t)
		return -ESRCH;
	policy = t->prio > 0 ? SCHED_FIFO : SCHED_NORMAL;
	thread_put(t);
	return policy;
}

s64 sys_sched_getparam(struct user_regs *r)
{
	struct thread *t = thread_arg(ARG0(r));
	int prio;

	if (!t)
		return -ESRCH;
	prio = t->prio;
	thread_put(t);
	return copy_to_user(ARG1(r), &prio, sizeof(prio)) ? -EFAULT : 0;
}

static s64 prio_bound(u64 policy, int fifo)
{
	switch (policy) {
	case SCHED_FIFO:
	case SCHED_RR:
		return fifo;
	case SCHED_NORMAL:
	case SCHED_BATCH:
	case SCHED_IDLE:
		return 0;
	default:
		return -EINVAL;
	}
}

s64 sys_sched_get_priority_max(struct user_regs *r)
{
	return prio_bound(ARG0(r), PRIO_MAX);
}

s64 sys_sched_get_priority_min(struct user_regs *r)
{
	return prio_bound(ARG0(r), PRIO_MIN);
}

/* Nice values are not kept: all are 0 (the call returns 20 - nice). */
s64 sys_getpriority(struct user_regs *r)
{
	return ARG0(r) > 2 ? -EINVAL : 20;
}

s64 sys_setpriority(struct user_regs *r)
{
	return ARG0(r) > 2 ? -EINVAL : 0;
}
