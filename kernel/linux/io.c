/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Moving bytes through descriptors.  A file with a position is read and written under its pos_lock;
 * a stream has none.  One call moves at most 0x7ffff000 bytes, as on Linux.
 */
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/uio.h>

#include "kernel/linux/linux.h"

#define RW_MAX 0x7ffff000ull
#define IOV_MAX 1024u

typedef s64 (*file_rw)(struct file *f, uaddr_t buf, size_t n, u64 *pos);

/* Copy in and check all of it before a byte moves; the caller frees *out, also on error. */
static int vector_get(uaddr_t user, u64 count, struct iovec **out)
{
	struct iovec *v;
	u64 total = 0;

	if (count > IOV_MAX)
		return -EINVAL;
	*out = v = kcalloc(count + 1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	if (count && copy_from_user(v, user, count * sizeof(*v)))
		return -EFAULT;
	for (u64 i = 0; i < count; i++) {
		if ((s64)v[i].iov_len < 0)
			return -EINVAL;
		v[i].iov_len = MIN(v[i].iov_len, RW_MAX - total);
		total += v[i].iov_len;
	}
	return 0;
}

static s64 vector_move(struct file *f, file_rw op, uaddr_t user, u64 count, u64 *pos)
{
	AUTO_FREE struct iovec *v = NULL;
	s64 done = 0, n = vector_get(user, count, &v);

	for (u64 i = 0; i < count && n >= 0; i++) {
		if (!v[i].iov_len)
			continue;
		n = op(f, (uaddr_t)v[i].iov_base, v[i].iov_len, pos);
		if (n > 0)
			done += n;
		if ((u64)n < v[i].iov_len)
			break;
	}
	return done ? done : n;
}

static s64 move(struct file *f, file_rw op, const struct user_regs *r, unsigned how, u64 *pos)
{
	return how & RW_VECTOR ? vector_move(f, op, ARG1(r), ARG2(r), pos) : op(f, ARG1(r), MIN(ARG2(r), RW_MAX), pos);
}

s64 linux_rw(struct user_regs *r, unsigned how)
{
	AUTO_FILE struct file *f = file_from_fd((int)ARG0(r));
	u64 pos = 0;
	file_rw op;

	if (how & RW_AT) {
		pos = ARG3(r);
		if ((s64)pos < 0)
			return -EINVAL;
		if (f && f->ops->stream)
			return -ESPIPE;
	}
	if (!f || (f->flags & O_PATH) || (f->flags & O_ACCMODE) == (how & RW_WRITE ? O_RDONLY : O_WRONLY))
		return -EBADF;
	op = how & RW_WRITE ? f->ops->write : f->ops->read;
	if (!op)
		return -EINVAL;
	if ((how & RW_AT) || f->ops->stream)
		return move(f, op, r, how, &pos);

	guard_mutex(&f->pos_lock);
	if ((how & RW_WRITE) && (f->flags & O_APPEND) && f->ops->size)
		f->pos = f->ops->size(f);
	return move(f, op, r, how, &f->pos);
}

/* ---- the rest ---- */

s64 sys_lseek(struct user_regs *r)
{
	AUTO_FILE struct file *f = file_from_fd((int)ARG0(r));
	s64 base, n;

	if (!f)
		return -EBADF;
	if (f->ops->stream || !f->ops->size)
		return -ESPIPE;
	guard_mutex(&f->pos_lock);
	switch ((unsigned)ARG2(r)) {
	case SEEK_SET:
		base = 0;
		break;
	case SEEK_CUR:
		base = (s64)f->pos;
		break;
	case SEEK_END:
		base = f->ops->size(f);
		break;
	default:
		return -EINVAL;
	}
	if (__builtin_add_overflow(base, (s64)ARG1(r), &n) || n < 0)
		return -EINVAL;
	f->pos = n;
	return n;
}

s64 sys_ioctl(struct user_regs *r)
{
	AUTO_FILE struct file *f = file_from_fd((int)ARG0(r));

	if (!f || (f->flags & O_PATH))
		return -EBADF;
	return f->ops->ioctl ? f->ops->ioctl(f, (u32)ARG1(r), ARG2(r)) : -ENOTTY;
}

s64 sys_ftruncate(struct user_regs *r)
{
	AUTO_FILE struct file *f = NULL;

	if ((s64)ARG1(r) < 0)
		return -EINVAL;
	f = file_from_fd((int)ARG0(r));
	if (!f)
		return -EBADF;
	return (f->flags & O_ACCMODE) != O_RDONLY && f->ops->truncate ? f->ops->truncate(f, ARG1(r)) : -EINVAL;
}

/* Nothing is cached that would have to be written somewhere. */
s64 sys_fsync(struct user_regs *r)
{
	AUTO_FILE struct file *f = file_from_fd((int)ARG0(r));

	return !f ? -EBADF : f->ops->stream ? -EINVAL : 0;
}
