/* SPDX-License-Identifier: GPL-2.0-only */
/* Descriptors themselves: close, dup, fcntl. */
#include <linux/close_range.h>
#include <linux/fcntl.h>

#include "kernel/linux/linux.h"

/* F_SETFL changes these and leaves the others as they are. */
#define SETFL_FLAGS (O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME)

s64 sys_close(struct user_regs *r)
{
	return fd_close((unsigned)ARG0(r));
}

s64 sys_close_range(struct user_regs *r)
{
	unsigned first = (unsigned)ARG0(r), last = (unsigned)ARG1(r), flags = (unsigned)ARG2(r);
	struct fd_table *t = process_current()->fds;

	if (first > last || (flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC)))
		return -EINVAL;
	if (flags & CLOSE_RANGE_UNSHARE)
		return -EINVAL;
	for (u64 fd = first; fd <= last && fd < READ_ONCE(t->cap); fd++) {
		if (flags & CLOSE_RANGE_CLOEXEC)
			(void)fd_cloexec_set((unsigned)fd, true);
		else
			(void)fd_close((unsigned)fd);
		resched_sometimes(fd);
	}
	return 0;
}

s64 sys_dup(struct user_regs *r)
{
	struct file *f = file_from_fd((int)ARG0(r));

	return f ? fd_install(f, false) : -EBADF;
}

static s64 dup_to(unsigned from, unsigned to, bool cloexec)
{
	struct file *f = file_from_fd((int)from);

	return f ? fd_install_at(f, to, cloexec) : -EBADF;
}

s64 sys_dup2(struct user_regs *r)
{
	unsigned from = (unsigned)ARG0(r), to = (unsigned)ARG1(r);

	if (from == to)
		return fd_cloexec_get(from) < 0 ? -EBADF : (s64)to;
	return dup_to(from, to, false);
}

s64 sys_dup3(struct user_regs *r)
{
	unsigned from = (unsigned)ARG0(r), to = (unsigned)ARG1(r), flags = (unsigned)ARG2(r);

	if ((flags & ~O_CLOEXEC) || from == to)
		return -EINVAL;
	return dup_to(from, to, flags & O_CLOEXEC);
}

s64 sys_fcntl(struct user_regs *r)
{
	unsigned fd = (unsigned)ARG0(r), command = (unsigned)ARG1(r);
	AUTO_FILE struct file *f = file_from_fd((int)fd);
	u64 arg = ARG2(r);

	if (!f)
		return -EBADF;
	switch (command) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		if (arg >= process_current()->fd_limit)
			return -EINVAL;
		file_get(f);
		return fd_install_from(f, (unsigned)arg, command == F_DUPFD_CLOEXEC);
	case F_GETFD:
		return fd_cloexec_get(fd);
	case F_SETFD:
		return fd_cloexec_set(fd, arg & FD_CLOEXEC);
	case F_GETFL:
		return f->flags;
	case F_SETFL:
		WRITE_ONCE(f->flags, (f->flags & ~SETFL_FLAGS) | ((int)arg & SETFL_FLAGS));
		return 0;
	default:
		return -EINVAL;
	}
}

/* No two programs share a file that could be written: every lock is free. */
s64 sys_flock(struct user_regs *r)
{
	return fd_cloexec_get((unsigned)ARG0(r)) < 0 ? -EBADF : 0;
}
