/* SPDX-License-Identifier: GPL-2.0-only */
/* Waiting for descriptors, and the descriptors one waits for: poll, epoll, eventfd, timerfd, pipes. */
#include <linux/fcntl.h>
#include <linux/eventpoll.h>
#include <linux/memfd.h>
#include <linux/time_types.h>
#include <linux/timerfd.h>

#include "kernel/linux/linux.h"
#include "kernel/objects.h"
#include "kernel/poll.h"

#define EFD_SEMAPHORE 1
#define CLOCK_REALTIME_ID 0
#define CLOCK_MONOTONIC_ID 1
#define CLOCK_BOOTTIME_ID 7

static u64 deadline_ms(int ms)
{
	return ms < 0 ? WAIT_FOREVER : arch_now_ns() + (u64)ms * NS_PER_MS;
}

/* ---- poll ---- */

static s64 poll_user(uaddr_t user, u32 n, u64 deadline_ns)
{
	AUTO_FREE struct poll_fd *fds = NULL;
	s64 r;

	if (n > process_current()->fd_limit)
		return -EINVAL;
	fds = kcalloc(n + 1, sizeof(*fds));
	if (!fds)
		return -ENOMEM;
	if (n && copy_from_user(fds, user, n * sizeof(*fds)))
		return -EFAULT;
	r = poll_wait_fds(fds, n, deadline_ns);
	return r >= 0 && n && copy_to_user(user, fds, n * sizeof(*fds)) ? -EFAULT : r;
}

s64 sys_poll(struct user_regs *r)
{
	return poll_user(ARG0(r), (u32)ARG1(r), deadline_ms((int)ARG2(r)));
}

s64 sys_ppoll(struct user_regs *r)
{
	u64 deadline;
	int e = linux_timeout(ARG2(r), &deadline);

	if (!e)
		e = linux_mask_enter(ARG3(r), ARG4(r));
	return e ? e : linux_mask_leave(poll_user(ARG0(r), (u32)ARG1(r), deadline));
}

/* ---- epoll ---- */

s64 sys_epoll_create(struct user_regs *r)
{
	return (int)ARG0(r) <= 0 ? -EINVAL : fd_install(epoll_create(), false);
}

s64 sys_epoll_create1(struct user_regs *r)
{
	return (ARG0(r) & ~(u64)O_CLOEXEC) ? -EINVAL : fd_install(epoll_create(), ARG0(r) & O_CLOEXEC);
}

s64 sys_epoll_ctl(struct user_regs *r)
{
	int op = (int)ARG1(r), fd = (int)ARG2(r);
	struct epoll_ready event = { 0, 0 };
	AUTO_FILE struct file *ep = NULL, *f = NULL;

	if (op != EPOLL_CTL_DEL && copy_from_user(&event, ARG3(r), sizeof(event)))
		return -EFAULT;
	ep = file_from_fd((int)ARG0(r));
	f = file_from_fd(fd);
	if (!ep || !f)
		return -EBADF;
	if (!f->ops->poll)
		return -EPERM;
	if (f == ep || !file_is_epoll(ep))
		return -EINVAL;
	return epoll_control(ep, op, fd, f, event.events, event.data);
}

s64 sys_epoll_wait(struct user_regs *r)
{
	AUTO_FILE struct file *ep = NULL;
	int max = (int)ARG2(r);

	if (max <= 0)
		return -EINVAL;
	ep = file_from_fd((int)ARG0(r));
	if (!ep)
		return -EBADF;
	return file_is_epoll(ep) ? epoll_wait_events(ep, ARG1(r), max, deadline_ms((int)ARG3(r))) : -EINVAL;
}

s64 sys_epoll_pwait(struct user_regs *r)
{
	int e = linux_mask_enter(ARG4(r), ARG5(r));

	return e ? e : linux_mask_leave(sys_epoll_wait(r));
}

/* ---- eventfd ---- */

s64 linux_eventfd(struct user_regs *r, unsigned args)
{
	int flags = (int)(ARG1(r) & args);

	if (flags & ~(EFD_SEMAPHORE | O_NONBLOCK | O_CLOEXEC))
		return -EINVAL;
	return fd_install(eventfd_create((u32)ARG0(r), flags & EFD_SEMAPHORE, flags & O_NONBLOCK), flags & O_CLOEXEC);
}

/* ---- timerfd ---- */

s64 sys_timerfd_create(struct user_regs *r)
{
	int clock = (int)ARG0(r), flags = (int)ARG1(r);

	if (flags & ~(O_NONBLOCK | O_CLOEXEC))
		return -EINVAL;
	if (clock != CLOCK_REALTIME_ID && clock != CLOCK_MONOTONIC_ID && clock != CLOCK_BOOTTIME_ID)
		return -EINVAL;
	return fd_install(timerfd_create_file(flags & O_NONBLOCK, clock == CLOCK_REALTIME_ID), flags & O_CLOEXEC);
}

static int timerfd_check(const struct file *f)
{
	return !f ? -EBADF : file_is_timerfd(f) ? 0 : -EINVAL;
}

static int times_put(uaddr_t out, const struct timerfd_times *t)
{
	int e = linux_timespec_put(out, t->interval_ns);

	return e ? e : linux_timespec_put(out + sizeof(struct __kernel_timespec), t->value_ns);
}

/* The value as arch_now_ns time; 0 stays 0 (off). */
static u64 expiry(u64 value, bool absolute, bool wall_clock)
{
	u64 now = arch_now_ns(), offset;

	if (!value)
		return 0;
	if (!absolute)
		return value > WAIT_FOREVER - 1 - now ? WAIT_FOREVER - 1 : now + value;
	offset = wall_clock ? arch_wallclock_ns() - now : 0;
	return value > offset ? value - offset : 1;
}

s64 sys_timerfd_settime(struct user_regs *r)
{
	AUTO_FILE struct file *f = file_from_fd((int)ARG0(r));
	unsigned flags = (unsigned)ARG1(r);
	struct timerfd_times new, old;
	int e;

	if (flags & ~(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET))
		return -EINVAL;
	e = linux_timespec_get(ARG2(r), &new.interval_ns);
	if (!e)
		e = linux_timespec_get(ARG2(r) + sizeof(struct __kernel_timespec), &new.value_ns);
	if (!e)
		e = timerfd_check(f);
	if (e)
		return e;
	new.value_ns = expiry(new.value_ns, flags & TFD_TIMER_ABSTIME, timerfd_is_realtime(f));
	timerfd_set(f, &new, &old);
	return ARG3(r) ? times_put(ARG3(r), &old) : 0;
}

s64 sys_timerfd_gettime(struct user_regs *r)
{
	AUTO_FILE struct file *f = file_from_fd((int)ARG0(r));
	struct timerfd_times now;
	int e = timerfd_check(f);

	if (e)
		return e;
	timerfd_get(f, &now);
	return times_put(ARG1(r), &now);
}

/* ---- pipes and memfd ---- */

s64 linux_pipe(struct user_regs *r, unsigned args)
{
	int flags = (int)(ARG1(r) & args), fd[2], e;
	struct file *reader, *writer;

	if (flags & ~(O_NONBLOCK | O_CLOEXEC))
		return flags & O_DIRECT ? refuse(-EINVAL, "pipe2: packet mode (O_DIRECT) is not offered") : -EINVAL;
	e = pipe_create(flags & O_NONBLOCK, &reader, &writer);
	if (e)
		return e;
	fd[0] = fd_install(reader, flags & O_CLOEXEC);
	fd[1] = fd_install(writer, flags & O_CLOEXEC);
	e = fd[0] < 0 ? fd[0] : fd[1] < 0 ? fd[1] : copy_to_user(ARG0(r), fd, sizeof(fd));
	for (unsigned i = 0; i < 2 && e; i++)
		if (fd[i] >= 0)
			(void)fd_close((unsigned)fd[i]);
	return e;
}

s64 sys_memfd_create(struct user_regs *r)
{
	unsigned flags = (unsigned)ARG1(r);
	char name[250];
	s64 n;

	if (flags & ~(MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB | (MFD_HUGE_MASK << MFD_HUGE_SHIFT)))
		return -EINVAL;
	n = copy_string_from_user(name, ARG0(r), sizeof(name));
	if (n < 0)
		return n == -ENAMETOOLONG ? -EINVAL : n;
	return fd_install(memfd_create_file(), flags & MFD_CLOEXEC);
}
