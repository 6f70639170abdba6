/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Open files of the tree: directories, read-only program files, text attributes and binary ones.
 * A text attribute is produced when it is read at offset 0 and served from that copy until then
 * (as Linux's seq_file does); a store gets one NUL-terminated copy of each write.
 *
 * A private mapping of a program file is a copy in memory of its own: nobody writes files here.
 */
#include <linux/fcntl.h>

#include "kernel/frames.h"
#include "kernel/mobj.h"
#include "kernel/tree.h"

#define ATTR_TEXT_MAX 65536u
#define ATTR_STORE_MAX 4096u
#define BIN_CHUNK 256u

/* ---- program files ---- */

static s64 data_read(struct file *f, uaddr_t buf, size_t n, u64 *pos)
{
	const struct node *node = f->node;

	if (*pos >= node->size)
		return 0;
	n = MIN(n, node->size - *pos);
	if (copy_to_user(buf, node->data + *pos, n))
		return -EFAULT;
	*pos += n;
	return (s64)n;
}

static s64 data_size(struct file *f)
{
	return (s64)f->node->size;
}

static int data_mmap(struct file *f, u64 off, u64 len, int, int, struct mobj **obj, u64 *obj_off)
{
	const struct node *node = f->node;
	struct mobj *m = mobj_create_anon(len, true);
	int r = 0;

	if (!m)
		return -ENOMEM;
	if (off < node->size)
		r = mobj_write(m, 0, node->data + off, MIN(len, node->size - off));
	if (r) {
		mobj_put(m);
		return r;
	}
	*obj = m;
	*obj_off = 0;
	return 0;
}

static const struct file_ops data_ops = {
	.read = data_read, .size = data_size, .mmap = data_mmap,
};

const u8 *tree_file_data(const struct file *f, u64 *size)
{
	if (f->ops != &data_ops)
		return NULL;
	*size = f->node->size;
	return f->node->data;
}

/* ---- directories ---- */

static s64 dir_read(struct file *, uaddr_t, size_t, u64 *)
{
	return -EISDIR;
}

static s64 dir_size(struct file *)
{
	return 0;
}

static const struct file_ops dir_ops = { .read = dir_read, .size = dir_size };

/* ---- text attributes ---- */

static struct mutex attr_lock = MUTEX_INIT(attr_lock); /* f->priv of attributes: pread takes no pos_lock */

struct attr_text {
	s64 len;
	char text[];
};

static s64 attr_fill(struct file *f)
{
	AUTO_FREE char *text = NULL;
	struct node *node = f->node;
	struct attr_text *t;
	s64 r;

	if (!node->ops->show)
		return -EIO;
	text = kmalloc(ATTR_TEXT_MAX);
	if (!text)
		return -ENOMEM;
	r = node_enter(node);
	if (r)
		return r;
	r = node->ops->show(node, text, ATTR_TEXT_MAX);
	node_leave(node);
	if (r < 0)
		return r;
	r = MIN(r, (s64)ATTR_TEXT_MAX);
	t = kmalloc(sizeof(*t) + r);
	if (!t)
		return -ENOMEM;
	t->len = r;
	memcpy(t->text, text, r);
	guard_mutex(&attr_lock);
	kfree(f->priv);
	f->priv = t;
	return 0;
}

static s64 attr_read(struct file *f, uaddr_t buf, size_t n, u64 *pos)
{
	const struct attr_text *t;
	s64 r = 0;

	if (!*pos || !READ_ONCE(f->priv))
		r = attr_fill(f);
	if (r)
		return r;
	guard_mutex(&attr_lock);
	t = f->priv;
	n = *pos < (u64)t->len ? MIN(n, t->len - *pos) : 0;
	if (n && copy_to_user(buf, t->text + *pos, n))
		return -EFAULT;
	*pos += n;
	return (s64)n;
}

static s64 attr_write(struct file *f, uaddr_t buf, size_t n, u64 *pos)
{
	struct node *node = f->node;
	AUTO_FREE char *text = NULL;
	s64 r;

	if (!node->ops->store)
		return -EIO;
	if (n > ATTR_STORE_MAX)
		return -E2BIG;
	text = kmalloc(n + 1);
	if (!text)
		return -ENOMEM;
	if (copy_from_user(text, buf, n))
		return -EFAULT;
	text[n] = 0;
	r = node_enter(node);
	if (r)
		return r;
	r = node->ops->store(node, text, n);
	node_leave(node);
	if (r > 0)
		*pos += r;
	return r;
}

static s64 attr_size(struct file *)
{
	return 4096;
}

static void attr_release(struct file *f)
{
	kfree(f->priv);
}

static const struct file_ops attr_ops = {
	.read = attr_read, .write = attr_write, .size = attr_size, .release = attr_release,
};

/* ---- binary attributes ---- */

static s64 bin_move(struct file *f, uaddr_t buf, size_t n, u64 *pos, bool write)
{
	struct node *node = f->node;
	u8 chunk[BIN_CHUNK];
	size_t done = 0;
	s64 r = 0;

	if (node->ops->bin_size) {
		if (*pos >= node->ops->bin_size)
			return write ? -EFBIG : 0;
		n = MIN(n, node->ops->bin_size - *pos);
	}
	while (done < n) {
		size_t part = MIN(n - done, sizeof(chunk));

		if (write && copy_from_user(chunk, buf + done, part)) {
			r = -EFAULT;
			break;
		}
		r = node_enter(node);
		if (r)
			break;
		r = write ? node->ops->bin_write(node, *pos, chunk, part) : node->ops->bin_read(node, *pos, chunk, part);
		node_leave(node);
		if (r <= 0)
			break;
		if (!write && copy_to_user(buf + done, chunk, r)) {
			r = -EFAULT;
			break;
		}
		*pos += r;
		done += r;
		if ((size_t)r < part || thread_interrupted())
			break;
		resched_point();
	}
	return done ? (s64)done : r;
}

static s64 bin_read(struct file *f, uaddr_t buf, size_t n, u64 *pos)
{
	return f->node->ops->bin_read ? bin_move(f, buf, n, pos, false) : -EIO;
}

static s64 bin_write(struct file *f, uaddr_t buf, size_t n, u64 *pos)
{
	return f->node->ops->bin_write ? bin_move(f, buf, n, pos, true) : -EIO;
}

static s64 bin_size(struct file *f)
{
	return (s64)f->node->ops->bin_size;
}

static const struct file_ops bin_ops = { .read = bin_read, .write = bin_write, .size = bin_size };

/* ---- opening ---- */

/* O_PATH: a device that is not opened, a link that is not followed. */
static const struct file_ops place_ops = { .name = "path" };

static int may_open(const struct node *n, int flags)
{
	bool writes = (flags & O_ACCMODE) != O_RDONLY;

	if ((flags & O_DIRECTORY) && n->kind != NODE_DIR)
		return -ENOTDIR;
	if (n->kind == NODE_SYMLINK)
		return flags & O_PATH ? 0 : -ELOOP;
	if (n->kind == NODE_DIR && (writes || (flags & O_CREAT)))
		return -EISDIR;
	if (n->kind == NODE_FILE && (writes || (flags & O_TRUNC)))
		return -EROFS;
	if (n->kind == NODE_ATTR && writes && !n->ops->store)
		return -EACCES;
	if (n->kind == NODE_BIN && writes && !n->ops->bin_write)
		return -EACCES;
	return 0;
}

int tree_open(struct node *n, int flags, struct file **out)
{
	static const struct file_ops *const by_kind[] = {
		[NODE_DIR] = &dir_ops, [NODE_FILE] = &data_ops, [NODE_ATTR] = &attr_ops, [NODE_BIN] = &bin_ops,
		[NODE_CHAR] = &place_ops, [NODE_SYMLINK] = &place_ops,
	};
	int r = may_open(n, flags);
	struct file *f;

	if (r)
		return r;
	f = file_create(n->kind == NODE_CHAR && !n->ops->open ? &bin_ops : by_kind[n->kind],
			flags & (O_ACCMODE | O_NONBLOCK | O_APPEND | O_PATH | O_LARGEFILE), NULL);
	if (!f)
		return -ENOMEM;
	f->node = n;
	node_get(n);
	if (n->kind == NODE_CHAR && n->ops->open && !(flags & O_PATH)) {
		r = node_enter(n);
		if (!r) {
			r = n->ops->open(n, f);
			node_leave(n);
		}
		if (r) {
			f->ops = NULL;
			file_put(f);
			return r;
		}
	}
	*out = f;
	return 0;
}
