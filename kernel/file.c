/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Open files.  A struct file is shared by descriptors, mappings and other files; the last reference
 * releases it: watchers go first (epoll does not keep a file alive), then the object behind it.
 */
#include "kernel/frames.h"
#include "kernel/poll.h"
#include "kernel/tree.h"

struct file *file_create(const struct file_ops *ops, int flags, void *priv)
{
	struct file *f = kzalloc(sizeof(*f));

	if (!f)
		return NULL;
	f->ops = ops;
	f->refs = 1;
	f->flags = flags;
	f->priv = priv;
	mutex_init(&f->pos_lock);
	return f;
}

void file_release(struct file *f)
{
	epoll_file_released(f);
	if (f->ops && f->ops->release)
		f->ops->release(f);
	node_put(f->node);
	kfree(f);
}
