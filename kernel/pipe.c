/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pipes: a ring of 64 KiB between two files.  Writes of at most PIPE_BUF (4096) bytes are not mixed
 * with others.  The mutex guards the ring; it may be held during user copies, since the fault path
 * never takes it.
 */
#include <linux/fcntl.h>

#include "kernel/frames.h"
#include "kernel/objects.h"
#include "kernel/poll.h"
#include "kernel/program.h"

#define PIPE_SIZE 65536u
#define PIPE_ATOMIC 4096u
#define SIGPIPE_NR 13

struct pipe {
	struct mutex lock;
	struct waitq wq;
	unsigned readers, writers; /* open ends: 0 or 1 files each */
	u32 ends;                  /* files that have not let go of it yet */
	u64 head, tail;            /* bytes ever written, read */
	char ring[PIPE_SIZE];
};

static size_t used(const struct pipe *p)
{
	return READ_ONCE(p->head) - READ_ONCE(p->tail);
}

/* Move up to n bytes between the ring at `at` and the user; the lock is held. Bytes moved or -EFAULT. */
static s64 ring_move(struct pipe *p, u64 at, uaddr_t buf, size_t n, bool out)
{
	size_t done = 0;

	while (done < n) {
		size_t off = (at + done) % PIPE_SIZE, part = MIN(n - done, PIPE_SIZE - off);
		int r = out ? copy_to_user(buf + done, p->ring + off, part) : copy_from_user(p->ring + off, buf + done, part);

		if (r)
			return done ? (s64)done : r;
		done += part;
	}
	return (s64)done;
}

/* What there is at once, up to n bytes; 0: the ring is empty. */
static s64 take(struct pipe *p, uaddr_t buf, size_t n)
{
	s64 r;

	guard_mutex(&p->lock);
	r = ring_move(p, p->tail, buf, MIN(n, used(p)), true);
	if (r > 0)
		WRITE_ONCE(p->tail, p->tail + r);
	return r;
}

static s64 pipe_read(struct file *f, uaddr_t buf, size_t n, u64 *)
{
	struct pipe *p = f->priv;
	s64 r = 0;

	while (n && !r) {
		bool ended = !READ_ONCE(p->writers); /* before the look: what they wrote last is read */

		r = take(p, buf, n);
		if (r)
			waitq_wake_all(&p->wq);
		else if (ended)
			break;
		else
			r = file_wait(f, &p->wq, used(p) || !READ_ONCE(p->writers));
	}
	return r;
}

static s64 broken(void)
{
	struct thread *t = thread_current();

	(void)!signal_send(t->process, t, SIGPIPE_NR, t->process->pid);
	return -EPIPE;
}

/* What there is room for, up to n bytes and at least `need`; 0: not now. */
static s64 give(struct pipe *p, uaddr_t buf, size_t n, size_t need)
{
	size_t room;
	s64 r;

	guard_mutex(&p->lock);
	room = PIPE_SIZE - used(p);
	if (!READ_ONCE(p->readers))
		return broken();
	if (room < need)
		return 0;
	r = ring_move(p, p->head, buf, MIN(n, room), false);
	if (r > 0)
		WRITE_ONCE(p->head, p->head + r);
	return r;
}

static s64 pipe_write(struct file *f, uaddr_t buf, size_t n, u64 *)
{
	struct pipe *p = f->priv;
	size_t done = 0, need = n <= PIPE_ATOMIC ? n : 1;
	s64 r = 0;

	while (done < n && r >= 0) {
		r = give(p, buf + done, n - done, need);
		if (r > 0) {
			waitq_wake_all(&p->wq);
			done += r;
		} else if (!r) {
			r = file_wait(f, &p->wq, PIPE_SIZE - used(p) >= need || !READ_ONCE(p->readers));
		}
	}
	return done ? (s64)done : r;
}

static unsigned reader_poll(struct file *f, struct poll_table *pt)
{
	struct pipe *p = f->priv;

	poll_wait(pt, &p->wq);
	return (used(p) ? POLLIN | POLLRDNORM : 0) | (READ_ONCE(p->writers) ? 0 : POLLHUP);
}

static unsigned writer_poll(struct file *f, struct poll_table *pt)
{
	struct pipe *p = f->priv;

	poll_wait(pt, &p->wq);
	return (PIPE_SIZE - used(p) >= PIPE_ATOMIC ? POLLOUT | POLLWRNORM : 0) | (READ_ONCE(p->readers) ? 0 : POLLERR);
}

/* The two ends may close at once: who comes last frees, after the other has touched it last. */
static void end_closed(struct pipe *p, unsigned *end)
{
	WRITE_ONCE(*end, 0);
	waitq_wake_all(&p->wq);
	if (!__atomic_sub_fetch(&p->ends, 1, __ATOMIC_ACQ_REL))
		kfree(p);
}

static void reader_release(struct file *f)
{
	struct pipe *p = f->priv;

	end_closed(p, &p->readers);
}

static void writer_release(struct file *f)
{
	struct pipe *p = f->priv;

	end_closed(p, &p->writers);
}

static const struct file_ops reader_ops = {
	.name = "pipe:[0]", .stream = true, .read = pipe_read, .poll = reader_poll, .release = reader_release,
};
static const struct file_ops writer_ops = {
	.name = "pipe:[0]", .stream = true, .write = pipe_write, .poll = writer_poll, .release = writer_release,
};

int pipe_create(int flags, struct file **reader, struct file **writer)
{
	struct pipe *p = kmalloc(sizeof(*p));

	if (!p)
		return -ENOMEM;
	mutex_init(&p->lock);
	waitq_init(&p->wq);
	p->head = p->tail = 0;
	p->readers = p->writers = 1;
	p->ends = 2;
	*reader = file_create(&reader_ops, flags | O_RDONLY, p);
	if (!*reader) {
		kfree(p);
		return -ENOMEM;
	}
	*writer = file_create(&writer_ops, flags | O_WRONLY, p);
	if (*writer)
		return 0;
	/* The reader takes its end along; the other one was never opened. */
	p->writers = 0;
	p->ends = 1;
	file_put(*reader);
	return -ENOMEM;
}
