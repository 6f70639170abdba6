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
	AUTO_THREAD struct thread *t = NULL;
	u64 mask;

	if (ARG1(r) < sizeof(mask) || (ARG1(r) & 7))
		return -EINVAL;
	t = thread_arg(ARG0(r));
	if (!t)
		return -ESRCH;
	mask = t->affinity & sched_online_mask();
	return copy_to_user(ARG2(r), &mask, sizeof(mask)) ? -EFAULT : (s64)sizeof(mask);
}

s64 sys_sched_setaffinity(struct user_regs *r)
{
	AUTO_THREAD struct thread *t = NULL;
	u64 mask = 0;

	if (copy_from_user(&mask, ARG2(r), MIN(ARG1(r), sizeof(mask))))
		return -EFAULT;
	mask &= sched_online_mask();
	t = thread_arg(ARG0(r));
	if (!t)
		return -ESRCH;
	if (!mask)
		return -EINVAL;
	thread_set_affinity(t, mask);
	return 0;
}

/* The highest or lowest priority of a policy. */
static int prio_bound(int policy, bool highest)
{
	switch (policy) {
	case SCHED_FIFO:
	case SCHED_RR:
		return highest ? PRIO_MAX : PRIO_MIN;
	case SCHED_NORMAL:
	case SCHED_BATCH:
	case SCHED_IDLE:
		return 0;
	default:
		return -EINVAL;
	}
}

s64 linux_policy_bound(struct user_regs *r, unsigned highest)
{
	return prio_bound((int)ARG0(r), highest);
}

static int policy_of(const struct thread *t)
{
	return t->prio > 0 ? SCHED_FIFO : SCHED_NORMAL;
}

s64 linux_policy_set(struct user_regs *r, unsigned args)
{
	uaddr_t param = args == ARG_POLICY ? ARG2(r) : ARG1(r);
	AUTO_THREAD struct thread *t = NULL;
	int policy = (int)ARG1(r), prio;

	if (!param || (int)ARG0(r) < 0 || (args == ARG_POLICY && policy < 0))
		return -EINVAL;
	if (copy_from_user(&prio, param, sizeof(prio)))
		return -EFAULT;
	t = thread_arg(ARG0(r));
	if (!t)
		return -ESRCH;
	policy = args == ARG_POLICY ? policy & ~SCHED_RESET_ON_FORK : policy_of(t);
	if (prio_bound(policy, false) < 0 || prio < prio_bound(policy, false) || prio > prio_bound(policy, true))
		return -EINVAL;
	thread_set_priority(t, prio);
	return 0;
}

s64 linux_policy_get(struct user_regs *r, unsigned result)
{
	AUTO_THREAD struct thread *t = thread_arg(ARG0(r));

	if (!t)
		return -ESRCH;
	return result == ARG_POLICY ? policy_of(t) : copy_to_user(ARG1(r), &t->prio, sizeof(t->prio));
}

s64 linux_nice(struct user_regs *r, unsigned result)
{
	return ARG0(r) > 2 ? -EINVAL : (int)result;
}
