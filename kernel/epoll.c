/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * epoll: an item per watched file sits in that file's wait queues for as long as it is watched; a
 * wake-up puts it on the instance's ready list.  epoll_wait looks at what is on that list: level
 * triggered items go back to its end as long as they are ready.
 *
 * An item does not keep its file alive: the file's last reference takes its items out first
 * (epoll_file_released).  epoll_mutex guards all lists of items; it is never held while sleeping for
 * an event.  The instance's spinlock guards the ready list alone, which interrupts append to.
 * Watching an epoll instance by another one is refused.
 */
#include "kernel/frames.h"
#include "kernel/poll.h"
#include "kernel/sched.h"

struct epoll_item {
	TAILQ_ENTRY(epoll_item) link;       /* epoll->items */
	TAILQ_ENTRY(epoll_item) ready_link; /* epoll->ready */
	struct epoll_item *next_watcher;    /* file->watchers */
	struct epoll *ep;
	struct file *file;
	int fd;
	u32 events;
	u64 data;
	bool is_ready;
	struct poll_table table;
	struct poll_entry entry[POLL_QUEUES_PER_FILE];
};
TAILQ_HEAD(item_list, epoll_item);

struct epoll {
	struct item_list items;
	struct spinlock lock;
	struct item_list ready;
	struct waitq wq;
};

static struct mutex epoll_mutex = MUTEX_INIT(epoll_mutex);

/* Onto the ready list, without a word to those who wait. */
static void item_enlist(struct epoll_item *i)
{
	guard_spin(&i->ep->lock);
	if (!i->is_ready)
		TAILQ_INSERT_TAIL(&i->ep->ready, i, ready_link);
	i->is_ready = true;
}

static void item_mark(struct epoll_item *i)
{
	item_enlist(i);
	waitq_wake_all(&i->ep->wq);
}

static void item_fire(struct poll_table *pt)
{
	item_mark(container_of(pt, struct epoll_item, table));
}

static void item_remove(struct epoll_item *i)
{
	struct epoll_item **at = &i->file->watchers;
	bool on;

	poll_table_clear(&i->table);
	while (*at != i)
		at = &(*at)->next_watcher;
	*at = i->next_watcher;
	TAILQ_REMOVE(&i->ep->items, i, link);
	on = spin_lock(&i->ep->lock);
	if (i->is_ready)
		TAILQ_REMOVE(&i->ep->ready, i, ready_link);
	spin_unlock(&i->ep->lock, on);
	kfree(i);
}

void epoll_file_released(struct file *f)
{
	if (!READ_ONCE(f->watchers))
		return;
	guard_mutex(&epoll_mutex);
	while (f->watchers)
		item_remove(f->watchers);
}

/* ---- the file ---- */

static unsigned epoll_poll(struct file *f, struct poll_table *pt)
{
	struct epoll *ep = f->priv;

	poll_wait(pt, &ep->wq);
	return READ_ONCE(ep->ready.tqh_first) ? POLLIN | POLLRDNORM : 0;
}

static void epoll_release(struct file *f)
{
	struct epoll *ep = f->priv;

	mutex_lock(&epoll_mutex);
	while (!TAILQ_EMPTY(&ep->items))
		item_remove(TAILQ_FIRST(&ep->items));
	mutex_unlock(&epoll_mutex);
	kfree(ep);
}

static const struct file_ops epoll_ops = {
	.name = "anon_inode:[eventpoll]", .stream = true, .poll = epoll_poll, .release = epoll_release,
};

bool file_is_epoll(const struct file *f)
{
	return f->ops == &epoll_ops;
}

struct file *epoll_create(void)
{
	struct epoll *ep = kzalloc(sizeof(*ep));
	struct file *f;

	if (!ep)
		return NULL;
	TAILQ_INIT(&ep->items);
	TAILQ_INIT(&ep->ready);
	waitq_init(&ep->wq);
	f = file_create(&epoll_ops, 2 /* O_RDWR */, ep);
	if (!f)
		kfree(ep);
	return f;
}

/* ---- control ---- */

static struct epoll_item *item_find(struct epoll *ep, int fd, const struct file *target)
{
	struct epoll_item *i;

	TAILQ_FOREACH(i, &ep->items, link)
		if (i->fd == fd && i->file == target)
			return i;
	return NULL;
}

static void item_look(struct epoll_item *i, struct poll_table *pt)
{
	if (file_poll(i->file, pt) & (i->events | POLLERR | POLLHUP))
		item_mark(i);
}

static int item_add(struct epoll *ep, int fd, struct file *target, u32 events, u64 data)
{
	struct epoll_item *i = kzalloc(sizeof(*i));

	if (!i)
		return -ENOMEM;
	i->ep = ep;
	i->file = target;
	i->fd = fd;
	i->events = events;
	i->data = data;
	i->table = (struct poll_table){ .entry = i->entry, .cap = POLL_QUEUES_PER_FILE, .fire = item_fire };
	TAILQ_INSERT_TAIL(&ep->items, i, link);
	i->next_watcher = target->watchers;
	target->watchers = i;
	item_look(i, &i->table);
	return 0;
}

int epoll_control(struct file *epf, int op, int fd, struct file *target, u32 events, u64 data)
{
	struct epoll *ep = epf->priv;
	struct epoll_item *i;

	if (!target->ops->poll)
		return -EPERM;
	if (file_is_epoll(target))
		return refuse(-EINVAL, "epoll: descriptor %d is an epoll instance itself; nesting is not offered", fd);
	if (op != EPOLL_CTL_ADD && op != EPOLL_CTL_DEL && op != EPOLL_CTL_MOD)
		return -EINVAL;
	guard_mutex(&epoll_mutex);
	i = item_find(ep, fd, target);
	if (op == EPOLL_CTL_ADD)
		return i ? -EEXIST : item_add(ep, fd, target, events, data);
	if (!i)
		return -ENOENT;
	if (op == EPOLL_CTL_DEL) {
		item_remove(i);
		return 0;
	}
	i->events = events;
	i->data = data;
	item_look(i, NULL);
	return 0;
}

/* ---- waiting ---- */

static struct epoll_item *ready_take(struct epoll *ep)
{
	struct epoll_item *i;

	guard_spin(&ep->lock);
	i = TAILQ_FIRST(&ep->ready);
	if (i) {
		TAILQ_REMOVE(&ep->ready, i, ready_link);
		i->is_ready = false;
	}
	return i;
}

/* Fill `out`; at most one look at each item that is ready now. */
static int collect(struct epoll *ep, struct epoll_ready *out, int max)
{
	struct epoll_item *again[64], *i;
	unsigned nagain = 0;
	int n = 0;

	guard_mutex(&epoll_mutex);
	while (n < max && nagain < ARRAY_SIZE(again) && (i = ready_take(ep))) {
		u32 events = file_poll(i->file, NULL) & (i->events | POLLERR | POLLHUP);

		if (!events || !(i->events & ~(EPOLLONESHOT | EPOLLET | EPOLLWAKEUP | EPOLLEXCLUSIVE)))
			continue;
		out[n++] = (struct epoll_ready){ events, i->data };
		if (i->events & EPOLLONESHOT)
			i->events &= EPOLLONESHOT | EPOLLET | EPOLLWAKEUP | EPOLLEXCLUSIVE;
		else if (!(i->events & EPOLLET))
			again[nagain++] = i;
	}
	for (unsigned k = 0; k < nagain; k++)
		item_enlist(again[k]);
	return n;
}

s64 epoll_wait_events(struct file *epf, uaddr_t out, int max, u64 deadline_ns)
{
	struct epoll *ep = epf->priv;
	struct epoll_ready ready[32];

	for (;;) {
		int n = READ_ONCE(ep->ready.tqh_first) ? collect(ep, ready, MIN(max, (int)ARRAY_SIZE(ready))) : 0;
		int r;

		if (n)
			return copy_to_user(out, ready, n * sizeof(*ready)) ? -EFAULT : n;
		r = wait_event(&ep->wq, READ_ONCE(ep->ready.tqh_first), deadline_ns);
		if (r)
			return r == -ETIMEDOUT ? 0 : r;
	}
}
