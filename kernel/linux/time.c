/* SPDX-License-Identifier: GPL-2.0-only */
/* Clocks, sleeping, and futexes with their time-outs. */
#include <linux/futex.h>
#include <linux/time_types.h>

#include "kernel/linux/linux.h"

#define TIMER_ABSTIME_FLAG 1u
enum { CLOCK_REAL, CLOCK_MONO, CLOCK_PROCESS_CPU, CLOCK_THREAD_CPU, CLOCK_MONO_RAW, CLOCK_REAL_COARSE,
       CLOCK_MONO_COARSE, CLOCK_BOOT };

int linux_timespec_get(uaddr_t ts, u64 *ns)
{
	struct __kernel_timespec t;

	if (copy_from_user(&t, ts, sizeof(t)))
		return -EFAULT;
	if (t.tv_sec < 0 || t.tv_nsec < 0 || t.tv_nsec >= (long long)NS_PER_S)
		return -EINVAL;
	if ((u64)t.tv_sec > (WAIT_FOREVER >> 1) / NS_PER_S)
		*ns = WAIT_FOREVER >> 1; /* some 292 years */
	else
		*ns = (u64)t.tv_sec * NS_PER_S + (u64)t.tv_nsec;
	return 0;
}

int linux_timespec_put(uaddr_t ts, u64 ns)
{
	struct __kernel_timespec t = { .tv_sec = (long long)(ns / NS_PER_S), .tv_nsec = (long long)(ns % NS_PER_S) };

	return copy_to_user(ts, &t, sizeof(t));
}

int linux_timeout(uaddr_t ts, u64 *deadline_ns)
{
	u64 ns;
	int e;

	*deadline_ns = WAIT_FOREVER;
	if (!ts)
		return 0;
	e = linux_timespec_get(ts, &ns);
	if (!e)
		*deadline_ns = arch_now_ns() + ns;
	return e;
}

static u64 thread_time(const struct thread *t, u64 now)
{
	return t->runtime_ns + (READ_ONCE(t->state) <= THREAD_WAITING ? now - t->started_ns : 0);
}

static u64 process_time(struct process *p)
{
	u64 now = arch_now_ns(), sum = 0;
	struct thread *t;

	guard_spin(&p->lock);
	TAILQ_FOREACH(t, &p->threads, process_link)
		sum += thread_time(t, now);
	return sum;
}

static int clock_read(int clock, u64 *ns)
{
	switch (clock) {
	case CLOCK_REAL:
	case CLOCK_REAL_COARSE:
		*ns = arch_wallclock_ns();
		return 0;
	case CLOCK_MONO:
	case CLOCK_MONO_RAW:
	case CLOCK_MONO_COARSE:
	case CLOCK_BOOT:
		*ns = arch_now_ns();
		return 0;
	case CLOCK_PROCESS_CPU:
		*ns = process_time(process_current());
		return 0;
	case CLOCK_THREAD_CPU:
		*ns = thread_time(thread_current(), arch_now_ns());
		return 0;
	default:
		return -EINVAL;
	}
}

s64 sys_clock_gettime(struct user_regs *r)
{
	u64 ns;
	int e = clock_read((int)ARG0(r), &ns);

	return e ? e : linux_timespec_put(ARG1(r), ns);
}

s64 sys_clock_getres(struct user_regs *r)
{
	u64 ns;
	int e = clock_read((int)ARG0(r), &ns);

	return e ? e : ARG1(r) ? linux_timespec_put(ARG1(r), 1) : 0;
}

/* Sleep; when interrupted, the time that is left goes to rem. */
static s64 sleep_until(u64 deadline, uaddr_t rem)
{
	u64 now;

	if (thread_sleep_until(deadline) == -ETIMEDOUT)
		return 0;
	now = arch_now_ns();
	if (rem && linux_timespec_put(rem, deadline > now ? deadline - now : 0))
		return -EFAULT;
	return -EINTR;
}

s64 sys_nanosleep(struct user_regs *r)
{
	u64 ns;
	int e = linux_timespec_get(ARG0(r), &ns);

	return e ? e : sleep_until(arch_now_ns() + ns, ARG1(r));
}

s64 sys_clock_nanosleep(struct user_regs *r)
{
	int clock = (int)ARG0(r), e;
	u64 ns, clock_now;

	if (clock == CLOCK_THREAD_CPU || clock == CLOCK_PROCESS_CPU)
		return -EINVAL;
	e = clock_read(clock, &clock_now);
	if (!e)
		e = linux_timespec_get(ARG2(r), &ns);
	if (e)
		return e;
	if (!(ARG1(r) & TIMER_ABSTIME_FLAG))
		return sleep_until(arch_now_ns() + ns, ARG3(r));
	return ns <= clock_now ? 0 : sleep_until(arch_now_ns() + (ns - clock_now), 0);
}

s64 sys_gettimeofday(struct user_regs *r)
{
	u64 ns = arch_wallclock_ns();
	s64 tv[2] = { (s64)(ns / NS_PER_S), (s64)(ns % NS_PER_S / NS_PER_US) };
	s32 tz[2] = { 0, 0 };

	if (ARG0(r) && copy_to_user(ARG0(r), tv, sizeof(tv)))
		return -EFAULT;
	return ARG1(r) && copy_to_user(ARG1(r), tz, sizeof(tz)) ? -EFAULT : 0;
}

s64 sys_time(struct user_regs *r)
{
	s64 now = (s64)(arch_wallclock_ns() / NS_PER_S);

	return ARG0(r) && copy_to_user(ARG0(r), &now, sizeof(now)) ? -EFAULT : now;
}

/* ---- futex ---- */

/* FUTEX_WAIT's time is relative, FUTEX_WAIT_BITSET's absolute on one of two clocks. */
static int futex_deadline(int op, uaddr_t ts, u64 *deadline)
{
	u64 ns, clock_now;
	int e;

	if (!ts || (op & FUTEX_CMD_MASK) == FUTEX_WAIT)
		return linux_timeout(ts, deadline);
	e = linux_timespec_get(ts, &ns);
	if (e)
		return e;
	clock_now = op & FUTEX_CLOCK_REALTIME ? arch_wallclock_ns() : arch_now_ns();
	*deadline = arch_now_ns() + (ns > clock_now ? ns - clock_now : 0);
	return 0;
}

s64 sys_futex(struct user_regs *r)
{
	int op = (int)ARG1(r), cmd = op & FUTEX_CMD_MASK;
	bool shared = !(op & FUTEX_PRIVATE_FLAG);
	u32 val = (u32)ARG2(r), cmp = (u32)ARG5(r);
	u64 deadline;
	int e;

	switch (cmd) {
	case FUTEX_WAIT:
	case FUTEX_WAIT_BITSET:
		e = futex_deadline(op, ARG3(r), &deadline);
		return e ? e : futex_wait(ARG0(r), val, cmd == FUTEX_WAIT ? FUTEX_BITSET_MATCH_ANY : cmp, shared, deadline);
	case FUTEX_WAKE:
	case FUTEX_WAKE_BITSET:
		return futex_wake(ARG0(r), val, cmd == FUTEX_WAKE ? FUTEX_BITSET_MATCH_ANY : cmp, shared);
	case FUTEX_REQUEUE:
	case FUTEX_CMP_REQUEUE:
		return futex_requeue(ARG0(r), val, (u32)ARG3(r), ARG4(r), cmd == FUTEX_REQUEUE ? NULL : &cmp, shared);
	default:
		return -ENOSYS;
	}
}
