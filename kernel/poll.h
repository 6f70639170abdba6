/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Private to kernel/: waiting on several files at once.  A poll table joins the queues that a
 * file's poll operation names; any of them being woken calls the table's `fire`.
 */
#ifndef KERNEL_POLL_H
#define KERNEL_POLL_H

#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/poll.h>

#include "kernel/file.h"

/* What a read or write stands on: 0 when cond is or becomes true (it may be what takes), -EAGAIN, -EINTR. */
#define file_wait(f, q, cond)                                                            \
	((cond) ? 0 : (f)->flags & O_NONBLOCK ? -EAGAIN : wait_event(q, cond, WAIT_FOREVER))
/* The read of a file that counts: `take` takes what there is of priv's counter, false when it is 0. */
static inline s64 counter_read(struct file *f, uaddr_t buf, size_t n, struct waitq *q,
			       bool (*take)(void *priv, u64 *value))
{
	u64 value = 0;
	int r;

	if (n < sizeof(value))
		return -EINVAL;
	r = file_wait(f, q, take(f->priv, &value));
	if (r)
		return r;
	return copy_to_user(buf, &value, sizeof(value)) ? -EFAULT : (s64)sizeof(value);
}

struct poll_entry {
	struct waiter w;
	struct waitq *q;
	struct poll_table *table;
};
/* Two queues per file are enough for every file we have; a table for n files has 2n entries. */
#define POLL_QUEUES_PER_FILE 2
struct poll_table {
	struct poll_entry *entry;
	unsigned used, cap;
	bool overflow; /* a file named more queues than there was room for */
	void (*fire)(struct poll_table *pt); /* a queue's lock is held, interrupts off */
};
/* Leave all queues. After return fire does not run. */
void poll_table_clear(struct poll_table *pt);
/* Ready events now; pt may be NULL (only look). */
unsigned file_poll(struct file *f, struct poll_table *pt);

struct poll_fd { /* struct pollfd */
	int fd;
	short events, revents;
};
/* Number of ready ones, 0 at the deadline, -EINTR, -ENOMEM. Descriptors are the current process's. */
s64 poll_wait_fds(struct poll_fd *fds, unsigned n, u64 deadline_ns);

/* ---- epoll ---- */
struct file *epoll_create(void);
int epoll_control(struct file *ep, int op, int fd, struct file *target, u32 events, u64 data);
struct epoll_ready {
	u32 events;
	u64 data;
} __attribute__((packed));
_Static_assert(sizeof(struct epoll_ready) == 12, "struct epoll_event is packed on x86-64");
/* Number of events written to the user's array, 0 at the deadline, -EINTR, -EFAULT. */
s64 epoll_wait_events(struct file *ep, uaddr_t out, int max, u64 deadline_ns);
bool file_is_epoll(const struct file *f);
void epoll_file_released(struct file *f);

#endif
