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

/* The operation, after the checks that do not depend on data. */
static int rw_find(struct file *f, bool write, file_rw *op)
{
	unsigned mode = f->flags & O_ACCMODE;

	if ((f->flags & O_PATH) || mode == (write ? O_RDONLY : O_WRONLY))
		return -EBADF;
	*op = write ? f->ops->write : f->ops->read;
	return *op ? 0 : -EINVAL;
}

static s64 rw_at_pos(struct file *f, file_rw op, bool write, uaddr_t buf, size_t n)
{
	u64 pos = 0;
	s64 r;

	if (f->ops->stream)
		return op(f, buf, n, &pos);
	mutex_lock(&f->pos_lock);
	if (write && (f->flags & O_APPEND) && f->ops->size)
		f->pos = f->ops->size(f);
	r = op(f, buf, n, &f->pos);
	mutex_unlock(&f->pos_lock);
	return r;
}

static s64 rw(struct user_regs *r, bool write)
{
	struct file *f = file_from_fd((int)ARG0(r));
	file_rw op;
	s64 n;

	if (!f)
		return -EBADF;
	n = rw_find(f, write, &op);
	if (!n)
		n = rw_at_pos(f, op, write, ARG1(r), MIN(ARG2(r), RW_MAX));
	file_put(f);
	return n;
}

s64 sys_read(struct user_regs *r)
{
	return rw(r, false);
}

s64 sys_write(struct user_regs *r)
{
	return rw(r, true);
}

static s64 prw(struct user_regs *r, bool write)
{
	struct file *f;
	u64 pos = ARG3(r);
	file_rw op;
	s64 n;

	if ((s64)pos < 0)
		return -EINVAL;
	f = file_from_fd((int)ARG0(r));
	if (!f)
		return -EBADF;
	n = f->ops->stream ? -ESPIPE : rw_find(f, write, &op);
	if (!n)
		n = op(f, ARG1(r), MIN(ARG2(r), RW_MAX), &pos);
	file_put(f);
	return n;
}

s64 sys_pread64(struct user_regs *r)
{
	return prw(r, false);
}

s64 sys_pwrite64(struct user_regs *r)
{
	return prw(r, true);
}

/* ---- vectors ---- */

/* Copy in and check all of it before a byte moves. */
static int vector_get(uaddr_t user, u64 count, struct iovec **out)
{
	struct iovec *v;
	u64 total = 0;

	if (count > IOV_MAX)
		return -EINVAL;
	v = kcalloc(count + 1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	if (count && copy_from_user(v, user, count * sizeof(*v))) {
		kfree(v);
		return -EFAULT;
	}
	for (u64 i = 0; i < count; i++) {
		if ((s64)v[i].iov_len < 0) {
			kfree(v);
			return -EINVAL;
		}
		v[i].iov_len = MIN(v[i].iov_len, RW_MAX - total);
		total += v[i].iov_len;
	}
	*out = v;
	return 0;
}

static s64 vector_move(struct file *f, file_rw op, const struct iovec *v, u64 count, u64 *pos)
{
	s64 done = 0;

	for (u64 i = 0; i < count; i++) {
		s64 n;

		if (!v[i].iov_len)
			continue;
		n = op(f, (uaddr_t)v[i].iov_base, v[i].iov_len, pos);
		if (n < 0)
			return done ? done : n;
		done += n;
		if ((u64)n < v[i].iov_len)
			break;
	}
	return done;
}

static s64 rwv(struct user_regs *r, bool write, bool positioned)
{
	struct file *f = file_from_fd((int)ARG0(r));
	struct iovec *v = NULL;
	u64 pos = positioned ? ARG3(r) : 0;
	file_rw op;
	s64 n;

	if (!f)
		return -EBADF;
	n = positioned && (s64)pos < 0 ? -EINVAL : positioned && f->ops->stream ? -ESPIPE : rw_find(f, write, &op);
	if (!n)
		n = vector_get(ARG1(r), ARG2(r), &v);
	if (!n && (positioned || f->ops->stream)) {
		n = vector_move(f, op, v, ARG2(r), &pos);
	} else if (!n) {
		mutex_lock(&f->pos_lock);
		n = vector_move(f, op, v, ARG2(r), &f->pos);
		mutex_unlock(&f->pos_lock);
	}
	kfree(v);
	file_put(f);
	return n;
}

s64 sys_readv(struct user_regs *r)
{
	return rwv(r, false, false);
}

s64 sys_writev(struct user_regs *r)
{
	return rwv(r, true, false);
}

s64 sys_preadv(struct user_regs *r)
{
	return rwv(r, false, true);
}

s64 sys_pwritev(struct user_regs *r)
{
	return rwv(r, true, true);
}

/* ---- the rest ---- */

s64 sys_lseek(struct user_regs *r)
{
	struct file *f = file_from_fd((int)ARG0(r));
	s64 base, off = (s64)ARG1(r);
	s64 n;

	if (!f)
		return -EBADF;
	mutex_lock(&f->pos_lock);
	if (f->ops->stream || !f->ops->size) {
		n = -ESPIPE;
		goto out;
	}
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
		n = -EINVAL;
		goto out;
	}
	if (__builtin_add_overflow(base, off, &n) || n < 0)
		n = -EINVAL;
	else
		f->pos = n;
out:
	mutex_unlock(&f->pos_lock);
	file_put(f);
	return n;
}

s64 sys_ioctl(struct user_regs *r)
{
	struct file *f = file_from_fd((int)ARG0(r));
	s64 n;

	if (!f)
		return -EBADF;
	if (f->flags & O_PATH)
		n = -EBADF;
	else
		n = f->ops->ioctl ? f->ops->ioctl(f, (u32)ARG1(r), ARG2(r)) : -ENOTTY;
	file_put(f);
	return n;
}

s64 sys_ftruncate(struct user_regs *r)
{
	struct file *f;
	s64 n = -EINVAL;

	if ((s64)ARG1(r) < 0)
		return -EINVAL;
	f = file_from_fd((int)ARG0(r));
	if (!f)
		return -EBADF;
	if ((f->flags & O_ACCMODE) != O_RDONLY && f->ops->truncate)
		n = f->ops->truncate(f, ARG1(r));
	file_put(f);
	return n;
}

/* Nothing is cached that would have to be written somewhere. */
s64 sys_fsync(struct user_regs *r)
{
	struct file *f = file_from_fd((int)ARG0(r));
	s64 n;

	if (!f)
		return -EBADF;
	n = f->ops->stream ? -EINVAL : 0;
	file_put(f);
	return n;
}

/* Callers fall back to read and write. */
s64 sys_sendfile(struct user_regs *)
{
	return -EINVAL;
}
