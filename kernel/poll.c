/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * poll(2) and what all waiting on files stands on.  One pass over the files joins their queues and
 * looks; later passes only look.  Whatever wakes a queue sets `fired` and wakes the poller, so an
 * event between the look and the sleep is not lost.
 */
#include "kernel/frames.h"
#include "kernel/poll.h"
#include "kernel/sched.h"

static void entry_fire(struct waiter *w)
{
	struct poll_entry *e = container_of(w, struct poll_entry, w);

	e->table->fire(e->table);
}

void poll_wait(struct poll_table *pt, struct waitq *q)
{
	struct poll_entry *e;

	if (!pt)
		return;
	if (pt->used == pt->cap) {
		pt->overflow = true;
		return;
	}
	e = &pt->entry[pt->used++];
	e->w = (struct waiter){ .fn = entry_fire };
	e->q = q;
	e->table = pt;
	waitq_add(q, &e->w);
}

void poll_table_clear(struct poll_table *pt)
{
	while (pt->used) {
		struct poll_entry *e = &pt->entry[--pt->used];

		waitq_remove(e->q, &e->w);
	}
}

unsigned file_poll(struct file *f, struct poll_table *pt)
{
	if (!f->ops->poll)
		return POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
	return f->ops->poll(f, pt);
}

struct poller {
	struct poll_table table;
	struct waitq wq;
	bool fired;
};

static void poller_fire(struct poll_table *pt)
{
	struct poller *p = container_of(pt, struct poller, table);

	WRITE_ONCE(p->fired, true);
	waitq_wake_all(&p->wq);
}

static unsigned look(struct poll_fd *fds, unsigned n, struct file **files, struct poll_table *pt)
{
	unsigned ready = 0;

	for (unsigned i = 0; i < n; i++) {
		unsigned wanted = (u16)fds[i].events | POLLERR | POLLHUP;

		fds[i].revents = 0;
		if (fds[i].fd < 0)
			continue;
		fds[i].revents = (short)(files[i] ? file_poll(files[i], pt) & wanted : POLLNVAL);
		if (fds[i].revents) {
			ready++;
			pt = NULL; /* we will not sleep: no more queues to join */
		}
		resched_sometimes(i);
	}
	return ready;
}

static s64 poll_files(struct poll_fd *fds, unsigned n, struct file **files, struct poller *p, u64 deadline_ns)
{
	unsigned ready = look(fds, n, files, &p->table);

	if (p->table.overflow)
		return -ENOMEM;
	while (!ready) {
		int r = wait_event(&p->wq, READ_ONCE(p->fired), deadline_ns);

		if (r)
			return r == -ETIMEDOUT ? 0 : r;
		WRITE_ONCE(p->fired, false);
		ready = look(fds, n, files, NULL);
	}
	return ready;
}

s64 poll_wait_fds(struct poll_fd *fds, unsigned n, u64 deadline_ns)
{
	struct poller p = { .table = { .cap = POLL_QUEUES_PER_FILE * n, .fire = poller_fire } };
	struct file **files;
	s64 r = -ENOMEM;

	waitq_init(&p.wq);
	files = kcalloc(n + 1, sizeof(*files) + POLL_QUEUES_PER_FILE * sizeof(struct poll_entry));
	if (!files)
		return -ENOMEM;
	p.table.entry = (struct poll_entry *)(files + n + 1);
	for (unsigned i = 0; i < n; i++) {
		files[i] = fds[i].fd >= 0 ? file_from_fd(fds[i].fd) : NULL;
		resched_sometimes(i);
	}
	r = poll_files(fds, n, files, &p, deadline_ns);
	poll_table_clear(&p.table);
	for (unsigned i = 0; i < n; i++) {
		file_put(files[i]);
		resched_sometimes(i);
	}
	kfree(files);
	return r;
}
