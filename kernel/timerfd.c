/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * timerfd: a kernel timer behind a descriptor.  The wait queue's lock guards the counts; the timer
 * itself is armed and cancelled under `setting`, so that two calls of settime do not mix.
 *
 * A periodic timer rests after it has fired until it is read or asked for, which counts what it has
 * missed: a period of a nanosecond costs nobody but its reader anything.
 */
#include <linux/fcntl.h>

#include "kernel/frames.h"
#include "kernel/objects.h"
#include "kernel/poll.h"
#include "kernel/sched.h"

struct timerfd {
	struct ktimer timer;
	struct mutex setting;
	struct waitq wq;
	u64 expirations;
	u64 when, interval; /* when: 0 = off */
	bool rests; /* a periodic one has fired, and is armed again when somebody asks */
	bool realtime;
};

static void timerfd_fire(struct ktimer *k)
{
	struct timerfd *t = container_of(k, struct timerfd, timer);

	guard_spin(&t->wq.lock);
	t->expirations++;
	if (t->interval)
		t->rests = true;
	else
		t->when = 0;
	waitq_wake_locked(&t->wq, ~0u);
}

/* The lock is held. */
static void go_on(struct timerfd *t)
{
	u64 now = arch_now_ns(), missed;

	if (!t->rests)
		return;
	missed = now > t->when ? (now - t->when) / t->interval : 0;
	t->expirations += missed;
	t->when += (missed + 1) * t->interval;
	t->rests = false;
	ktimer_arm(&t->timer, t->when);
}

void timerfd_get(struct file *f, struct timerfd_times *out)
{
	struct timerfd *t = f->priv;
	u64 now;

	guard_spin(&t->wq.lock);
	go_on(t);
	now = arch_now_ns();
	out->value_ns = !t->when ? 0 : t->when > now ? t->when - now : 1;
	out->interval_ns = t->interval;
}

/* After return the timer does not fire and is not armed by a reader. */
static void stop(struct timerfd *t)
{
	bool on = spin_lock(&t->wq.lock);

	t->interval = 0;
	t->rests = false;
	spin_unlock(&t->wq.lock, on);
	ktimer_cancel(&t->timer);
}

void timerfd_set(struct file *f, const struct timerfd_times *n, struct timerfd_times *old)
{
	struct timerfd *t = f->priv;
	bool on;

	guard_mutex(&t->setting);
	timerfd_get(f, old);
	stop(t);
	on = spin_lock(&t->wq.lock);
	t->expirations = 0;
	t->when = n->value_ns;
	t->interval = n->value_ns ? n->interval_ns : 0;
	spin_unlock(&t->wq.lock, on);
	if (n->value_ns)
		ktimer_arm(&t->timer, n->value_ns);
}

static bool take(void *priv, u64 *value)
{
	struct timerfd *t = priv;

	guard_spin(&t->wq.lock);
	go_on(t);
	*value = t->expirations;
	t->expirations = 0;
	return *value != 0;
}

static s64 timerfd_read(struct file *f, uaddr_t buf, size_t n, u64 *)
{
	struct timerfd *t = f->priv;

	return counter_read(f, buf, n, &t->wq, take);
}

static unsigned timerfd_poll(struct file *f, struct poll_table *pt)
{
	struct timerfd *t = f->priv;

	poll_wait(pt, &t->wq);
	return READ_ONCE(t->expirations) ? POLLIN : 0;
}

static void timerfd_release(struct file *f)
{
	stop(f->priv);
	kfree(f->priv);
}

static const struct file_ops timerfd_ops = {
	.name = "anon_inode:[timerfd]", .stream = true,
	.read = timerfd_read, .poll = timerfd_poll, .release = timerfd_release,
};

bool file_is_timerfd(const struct file *f)
{
	return f->ops == &timerfd_ops;
}

bool timerfd_is_realtime(const struct file *f)
{
	const struct timerfd *t = f->priv;

	return t->realtime;
}

struct file *timerfd_create_file(int flags, bool realtime)
{
	struct timerfd *t = kzalloc(sizeof(*t));
	struct file *f;

	if (!t)
		return NULL;
	t->timer.fn = timerfd_fire;
	t->realtime = realtime;
	mutex_init(&t->setting);
	waitq_init(&t->wq);
	f = file_create(&timerfd_ops, flags | O_RDWR, t);
	if (!f)
		kfree(t);
	return f;
}
