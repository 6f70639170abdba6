/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Descriptor tables.  Threads share one; posix_spawn's child copies its parent's.  A table grows by
 * doubling up to the process's limit (RLIMIT_NOFILE).  Files are put outside the table's lock, since
 * a release may sleep.
 */
#include "kernel/frames.h"
#include "kernel/program.h"

static struct fd_table *table_create(unsigned cap)
{
	struct fd_table *t = kzalloc(sizeof(*t));

	if (!t)
		return NULL;
	t->slot = kcalloc(cap, sizeof(*t->slot));
	if (!t->slot) {
		kfree(t);
		return NULL;
	}
	t->cap = cap;
	t->refs = 1;
	return t;
}

struct fd_table *fd_table_create(void)
{
	return table_create(64);
}

struct fd_table *fd_table_copy(struct fd_table *from)
{
	for (;;) {
		unsigned cap = READ_ONCE(from->cap);
		struct fd_table *t = table_create(cap);
		bool on;

		if (!t)
			return NULL;
		on = spin_lock(&from->lock);
		if (from->cap != cap) {
			spin_unlock(&from->lock, on);
			fd_table_put(t);
			continue;
		}
		memcpy(t->slot, from->slot, cap * sizeof(*t->slot));
		for (unsigned i = 0; i < cap; i++)
			file_get(t->slot[i].file);
		spin_unlock(&from->lock, on);
		return t;
	}
}

void fd_table_put(struct fd_table *t)
{
	if (__atomic_sub_fetch(&t->refs, 1, __ATOMIC_ACQ_REL))
		return;
	for (unsigned i = 0; i < t->cap; i++) {
		file_put(t->slot[i].file);
		resched_sometimes(i);
	}
	kfree(t->slot);
	kfree(t);
}

/* Empty a slot, or only one that closes on exec: what was in it, for the caller to put. */
static struct file *slot_take(struct fd_table *t, unsigned fd, bool cloexec_only)
{
	struct file *f = NULL;

	guard_spin(&t->lock);
	if (fd < t->cap && (!cloexec_only || t->slot[fd].cloexec)) {
		f = t->slot[fd].file;
		t->slot[fd] = (struct fd_slot){ NULL, false };
	}
	return f;
}

void fd_close_on_exec(struct fd_table *t)
{
	for (unsigned i = 0; i < READ_ONCE(t->cap); i++) {
		file_put(slot_take(t, i, true));
		resched_sometimes(i);
	}
}

struct file *file_from_fd(int fd)
{
	struct process *p = thread_self()->process;
	struct file *f = NULL;
	struct fd_table *t;

	if (!p)
		return NULL;
	t = p->fds;
	guard_spin(&t->lock);
	if ((unsigned)fd < t->cap)
		f = t->slot[fd].file;
	file_get(f);
	return f;
}

/* Make room for descriptor fd. 0, -EMFILE, -ENOMEM. */
static int table_grow(struct fd_table *t, unsigned fd)
{
	u64 limit = thread_self()->process->fd_limit;
	struct fd_slot *slot, *old;
	unsigned cap;
	bool on;

	if (fd >= limit)
		return -EMFILE;
	if (fd < READ_ONCE(t->cap))
		return 0;
	for (cap = t->cap; cap <= fd; cap *= 2)
		;
	slot = kcalloc(cap, sizeof(*slot));
	if (!slot)
		return -ENOMEM;
	on = spin_lock(&t->lock);
	old = slot;
	if (t->cap < cap) {
		memcpy(slot, t->slot, t->cap * sizeof(*slot));
		old = t->slot;
		t->slot = slot;
		t->cap = cap;
	}
	spin_unlock(&t->lock, on);
	kfree(old);
	return 0;
}

int fd_install_from(struct file *f, unsigned lowest, bool cloexec)
{
	struct process *p = thread_self()->process;
	struct fd_table *t = p->fds;
	unsigned fd = lowest;
	int r;

	if (!f)
		return -ENOMEM;
	for (;;) {
		bool on = spin_lock(&t->lock);

		while (fd < t->cap && t->slot[fd].file)
			fd++;
		if (fd < t->cap && fd < p->fd_limit) {
			t->slot[fd] = (struct fd_slot){ f, cloexec };
			spin_unlock(&t->lock, on);
			return (int)fd;
		}
		spin_unlock(&t->lock, on);
		r = table_grow(t, fd);
		if (r) {
			file_put(f);
			return r;
		}
	}
}

int fd_install(struct file *f, bool cloexec)
{
	return fd_install_from(f, 0, cloexec);
}

int fd_install_at(struct file *f, unsigned fd, bool cloexec)
{
	struct fd_table *t = thread_self()->process->fds;
	struct file *old;
	int r = fd >= thread_self()->process->fd_limit ? -EBADF : table_grow(t, fd);
	bool on;

	if (r) {
		file_put(f);
		return r;
	}
	on = spin_lock(&t->lock);
	old = t->slot[fd].file;
	t->slot[fd] = (struct fd_slot){ f, cloexec };
	spin_unlock(&t->lock, on);
	file_put(old);
	return (int)fd;
}

int fd_close(unsigned fd)
{
	struct file *f = slot_take(thread_self()->process->fds, fd, false);

	if (!f)
		return -EBADF;
	file_put(f);
	return 0;
}

int fd_cloexec_get(unsigned fd)
{
	struct fd_table *t = thread_self()->process->fds;

	guard_spin(&t->lock);
	return fd < t->cap && t->slot[fd].file ? t->slot[fd].cloexec : -EBADF;
}

int fd_cloexec_set(unsigned fd, bool cloexec)
{
	struct fd_table *t = thread_self()->process->fds;

	guard_spin(&t->lock);
	if (fd >= t->cap || !t->slot[fd].file)
		return -EBADF;
	t->slot[fd].cloexec = cloexec;
	return 0;
}

bool fd_next(struct fd_table *t, unsigned *fd, struct file **f)
{
	guard_spin(&t->lock);
	while (*fd < t->cap && !t->slot[*fd].file)
		++*fd;
	*f = *fd < t->cap ? t->slot[*fd].file : NULL;
	file_get(*f);
	return *f != NULL;
}
