/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * eventfd(2): a 64-bit counter that is written, read and waited for.  The kernel's own signals come
 * from any context, interrupts included; they saturate at 2^64-1, which poll shows as POLLERR.
 *
 * The lock of the wait queue guards the counter and the hooks.  Hooks run at every signal or write,
 * under that lock and before readers are woken; a read does not run them.
 */
#include <linux/fcntl.h>

#include "kernel/frames.h"
#include "kernel/objects.h"
#include "kernel/poll.h"
#include "kernel/sched.h"

#define COUNT_MAX (~0ull)

struct eventfd {
	u32 refs;
	bool semaphore, closed;
	u64 count;
	struct waitq wq;
	TAILQ_HEAD(, waiter) hooks;
};

void eventfd_get(struct eventfd *e)
{
	__atomic_add_fetch(&e->refs, 1, __ATOMIC_RELAXED);
}

void eventfd_put(struct eventfd *e)
{
	if (__atomic_sub_fetch(&e->refs, 1, __ATOMIC_ACQ_REL))
		return;
	BUG_ON(!TAILQ_EMPTY(&e->hooks));
	kfree(e);
}

bool eventfd_closed(const struct eventfd *e)
{
	return READ_ONCE(e->closed);
}

/* The counter has grown; the lock is held. */
static void announce(struct eventfd *e)
{
	struct waiter *w, *next;

	for (w = TAILQ_FIRST(&e->hooks); w; w = next) {
		struct eventfd_hook *h = container_of(w, struct eventfd_hook, w);

		next = TAILQ_NEXT(w, link);
		h->fn(h);
	}
	if (!TAILQ_EMPTY(&e->wq.waiters))
		waitq_wake_locked(&e->wq, ~0u);
}

void eventfd_signal(struct eventfd *e)
{
	guard_spin(&e->wq.lock);
	if (e->count < COUNT_MAX)
		e->count++;
	announce(e);
}

u64 eventfd_consume_locked(struct eventfd *e)
{
	u64 was = e->count;

	e->count = 0;
	return was;
}

u64 eventfd_consume(struct eventfd *e)
{
	u64 was;

	guard_spin(&e->wq.lock);
	was = eventfd_consume_locked(e);
	if (was && !TAILQ_EMPTY(&e->wq.waiters))
		waitq_wake_locked(&e->wq, ~0u);
	return was;
}

void eventfd_hook(struct eventfd *e, struct eventfd_hook *h)
{
	guard_spin(&e->wq.lock);
	TAILQ_INSERT_TAIL(&e->hooks, &h->w, link);
	h->w.queued = true;
}

void eventfd_unhook(struct eventfd *e, struct eventfd_hook *h)
{
	guard_spin(&e->wq.lock);
	if (h->w.queued)
		TAILQ_REMOVE(&e->hooks, &h->w, link);
	h->w.queued = false;
}

/* ---- the file ---- */

static bool take(void *priv, u64 *value)
{
	struct eventfd *e = priv;

	guard_spin(&e->wq.lock);
	if (!e->count)
		return false;
	*value = e->semaphore ? 1 : e->count;
	e->count -= *value;
	if (!TAILQ_EMPTY(&e->wq.waiters))
		waitq_wake_locked(&e->wq, ~0u);
	return true;
}

static s64 eventfd_read(struct file *f, uaddr_t buf, size_t n, u64 *)
{
	struct eventfd *e = f->priv;

	return counter_read(f, buf, n, &e->wq, take);
}

static bool give(struct eventfd *e, u64 value)
{
	guard_spin(&e->wq.lock);
	if (COUNT_MAX - e->count <= value)
		return false;
	e->count += value;
	announce(e);
	return true;
}

static s64 eventfd_write(struct file *f, uaddr_t buf, size_t n, u64 *)
{
	struct eventfd *e = f->priv;
	u64 value;
	int r;

	if (n < sizeof(value))
		return -EINVAL;
	if (copy_from_user(&value, buf, sizeof(value)))
		return -EFAULT;
	if (value == COUNT_MAX)
		return -EINVAL;
	r = file_wait(f, &e->wq, give(e, value));
	return r ? r : (s64)sizeof(value);
}

static unsigned eventfd_poll(struct file *f, struct poll_table *pt)
{
	struct eventfd *e = f->priv;
	unsigned ready = 0;
	u64 count;

	poll_wait(pt, &e->wq);
	count = READ_ONCE(e->count);
	if (count)
		ready |= POLLIN;
	if (count == COUNT_MAX)
		ready |= POLLERR;
	if (count < COUNT_MAX - 1)
		ready |= POLLOUT;
	return ready;
}

static void eventfd_release(struct file *f)
{
	struct eventfd *e = f->priv;

	WRITE_ONCE(e->closed, true);
	eventfd_put(e);
}

static const struct file_ops eventfd_ops = {
	.name = "anon_inode:[eventfd]", .stream = true,
	.read = eventfd_read, .write = eventfd_write, .poll = eventfd_poll, .release = eventfd_release,
};

struct file *eventfd_create(u64 count, bool semaphore, int flags)
{
	struct eventfd *e = kzalloc(sizeof(*e));
	struct file *f;

	if (!e)
		return NULL;
	e->refs = 1;
	e->count = count;
	e->semaphore = semaphore;
	waitq_init(&e->wq);
	TAILQ_INIT(&e->hooks);
	f = file_create(&eventfd_ops, flags | O_RDWR, e);
	if (!f)
		eventfd_put(e);
	return f;
}

int eventfd_from_fd(int fd, struct eventfd **out)
{
	AUTO_FILE struct file *f = file_from_fd(fd);

	if (!f)
		return -EBADF;
	if (f->ops != &eventfd_ops)
		return -EINVAL;
	*out = f->priv;
	eventfd_get(*out);
	return 0;
}
