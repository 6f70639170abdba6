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
	struct poll_fd *fds;
	s64 r;

	if (n > process_current()->fd_limit)
		return -EINVAL;
	fds = kcalloc(n + 1, sizeof(*fds));
	if (!fds)
		return -ENOMEM;
	r = n && copy_from_user(fds, user, n * sizeof(*fds)) ? -EFAULT : poll_wait_fds(fds, n, deadline_ns);
	if (r >= 0 && n && copy_to_user(user, fds, n * sizeof(*fds)))
		r = -EFAULT;
	kfree(fds);
	return r;
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

static s64 epoll_new(bool cloexec)
{
	struct file *f = epoll_create();

	return f ? fd_install(f, cloexec) : -ENOMEM;
}

s64 sys_epoll_create(struct user_regs *r)
{
	return (int)ARG0(r) <= 0 ? -EINVAL : epoll_new(false);
}

s64 sys_epoll_create1(struct user_regs *r)
{
	return (ARG0(r) & ~(u64)O_CLOEXEC) ? -EINVAL : epoll_new(ARG0(r) & O_CLOEXEC);
}

s64 sys_epoll_ctl(struct user_regs *r)
{
	int op = (int)ARG1(r), fd = (int)ARG2(r);
	struct epoll_ready event = { 0, 0 };
	struct file *ep, *f;
	s64 n = -EBADF;

	if (op != EPOLL_CTL_DEL && copy_from_user(&event, ARG3(r), sizeof(event)))
		return -EFAULT;
	ep = file_from_fd((int)ARG0(r));
	f = file_from_fd(fd);
	if (ep && f)
		n = !f->ops->poll ? -EPERM : f == ep || !file_is_epoll(ep) ? -EINVAL :
		    epoll_control(ep, op, fd, f, event.events, event.data);
	if (ep)
		file_put(ep);
	if (f)
		file_put(f);
	return n;
}

s64 sys_epoll_wait(struct user_regs *r)
{
	int max = (int)ARG2(r);
	struct file *ep;
	s64 n;

	if (max <= 0)
		return -EINVAL;
	ep = file_from_fd((int)ARG0(r));
	if (!ep)
		return -EBADF;
	n = file_is_epoll(ep) ? epoll_wait_events(ep, ARG1(r), max, deadline_ms((int)ARG3(r))) : -EINVAL;
	file_put(ep);
	return n;
}

s64 sys_epoll_pwait(struct user_regs *r)
{
	int e = linux_mask_enter(ARG4(r), ARG5(r));

	return e ? e : linux_mask_leave(sys_epoll_wait(r));
}

/* ---- eventfd ---- */

static s64 eventfd_new(u32 count, int flags)
{
	struct file *f;

	if (flags & ~(EFD_SEMAPHORE | O_NONBLOCK | O_CLOEXEC))
		return -EINVAL;
	f = eventfd_create(count, flags & EFD_SEMAPHORE, flags & O_NONBLOCK);
	return f ? fd_install(f, flags & O_CLOEXEC) : -ENOMEM;
}

s64 sys_eventfd(struct user_regs *r)
{
	return eventfd_new((u32)ARG0(r), 0);
}

s64 sys_eventfd2(struct user_regs *r)
{
	return eventfd_new((u32)ARG0(r), (int)ARG1(r));
}

/* ---- timerfd ---- */

s64 sys_timerfd_create(struct user_regs *r)
{
	int clock = (int)ARG0(r), flags = (int)ARG1(r);
	struct file *f;

	if (flags & ~(O_NONBLOCK | O_CLOEXEC))
		return -EINVAL;
	if (clock != CLOCK_REALTIME_ID && clock != CLOCK_MONOTONIC_ID && clock != CLOCK_BOOTTIME_ID)
		return -EINVAL;
	f = timerfd_create_file(flags & O_NONBLOCK, clock == CLOCK_REALTIME_ID);
	return f ? fd_install(f, flags & O_CLOEXEC) : -ENOMEM;
}

static struct file *timerfd_from_fd(int fd, int *err)
{
	struct file *f = file_from_fd(fd);

	*err = f ? 0 : -EBADF;
	if (f && !file_is_timerfd(f)) {
		file_put(f);
		*err = -EINVAL;
		return NULL;
	}
	return f;
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
	unsigned flags = (unsigned)ARG1(r);
	struct timerfd_times new, old;
	struct file *f;
	int e;

	if (flags & ~(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET))
		return -EINVAL;
	e = linux_timespec_get(ARG2(r), &new.interval_ns);
	if (!e)
		e = linux_timespec_get(ARG2(r) + sizeof(struct __kernel_timespec), &new.value_ns);
	if (e)
		return e;
	f = timerfd_from_fd((int)ARG0(r), &e);
	if (!f)
		return e;
	new.value_ns = expiry(new.value_ns, flags & TFD_TIMER_ABSTIME, timerfd_is_realtime(f));
	timerfd_set(f, &new, &old);
	file_put(f);
	return ARG3(r) ? times_put(ARG3(r), &old) : 0;
}

s64 sys_timerfd_gettime(struct user_regs *r)
{
	struct timerfd_times now;
	int e;
	struct file *f = timerfd_from_fd((int)ARG0(r), &e);

	if (!f)
		return e;
	timerfd_get(f, &now);
	file_put(f);
	return times_put(ARG1(r), &now);
}

/* ---- pipes and memfd ---- */

static s64 pipe_new(uaddr_t out, int flags)
{
	struct file *reader, *writer;
	int fd[2], e;

	if (flags & ~(O_NONBLOCK | O_CLOEXEC))
		return flags & O_DIRECT ? refuse(-EINVAL, "pipe2: packet mode (O_DIRECT) is not offered") : -EINVAL;
	e = pipe_create(flags & O_NONBLOCK, &reader, &writer);
	if (e)
		return e;
	fd[0] = fd_install(reader, flags & O_CLOEXEC);
	if (fd[0] < 0) {
		file_put(writer);
		return fd[0];
	}
	fd[1] = fd_install(writer, flags & O_CLOEXEC);
	e = fd[1] < 0 ? fd[1] : copy_to_user(out, fd, sizeof(fd));
	if (!e)
		return 0;
	(void)fd_close((unsigned)fd[0]);
	if (fd[1] >= 0)
		(void)fd_close((unsigned)fd[1]);
	return e;
}

s64 sys_pipe(struct user_regs *r)
{
	return pipe_new(ARG0(r), 0);
}

s64 sys_pipe2(struct user_regs *r)
{
	return pipe_new(ARG0(r), (int)ARG1(r));
}

s64 sys_memfd_create(struct user_regs *r)
{
	unsigned flags = (unsigned)ARG1(r);
	struct file *f;
	char name[250];
	s64 n;

	if (flags & ~(MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB | (MFD_HUGE_MASK << MFD_HUGE_SHIFT)))
		return -EINVAL;
	n = copy_string_from_user(name, ARG0(r), sizeof(name));
	if (n < 0)
		return n == -ENAMETOOLONG ? -EINVAL : n;
	f = memfd_create_file();
	return f ? fd_install(f, flags & MFD_CLOEXEC) : -ENOMEM;
}
