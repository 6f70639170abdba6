/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The tree of names: programs from the initrd, /dev, /proc, /sys.  One mutex guards the shape.
 *
 * A node lives as long as somebody refers to it; it is `dead` once it has been removed.  Calls into
 * a node's ops stand between node_enter() and node_leave(): node_remove() waits until the last one
 * has left, so that the object behind `priv` may go away afterwards.  The one exception is a store
 * that removes its own node (unbind): it does not wait for itself.
 */
#include <stdarg.h>
#include <stdio.h>

#include "kernel/frames.h"
#include "kernel/sched.h"
#include "kernel/tree.h"

static struct node *root;
struct mutex tree_lock = MUTEX_INIT(tree_lock);
static struct waitq idle_wait = WAITQ_INIT(idle_wait); /* an `active` count has come to 0 */
static u64 next_ino = 1;

void node_get(struct node *n)
{
	__atomic_add_fetch(&n->refs, 1, __ATOMIC_RELAXED);
}

void node_put(struct node *n)
{
	while (n && !__atomic_sub_fetch(&n->refs, 1, __ATOMIC_ACQ_REL)) {
		struct node *parent = n->parent;

		kfree(n->target);
		kfree(n);
		n = parent;
	}
}

static struct node *node_create(struct node *parent, const char *name, size_t len, u8 kind)
{
	struct node *n = kzalloc(sizeof(*n) + len + 1);

	if (!n)
		return NULL;
	memcpy(n->name, name, len);
	TAILQ_INIT(&n->children);
	n->refs = 1;
	n->kind = kind;
	n->mode = kind == NODE_DIR ? 0755 : kind == NODE_SYMLINK ? 0777 : 0444;
	n->ino = __atomic_fetch_add(&next_ino, 1, __ATOMIC_RELAXED);
	n->parent = parent;
	if (parent)
		node_get(parent);
	return n;
}

void tree_init(void)
{
	if (root)
		return;
	root = node_create(NULL, "", 0, NODE_DIR);
	if (!root)
		panic("no memory for the tree of names");
}

struct node *tree_root(void)
{
	return root;
}

struct node *tree_child_find(const struct node *dir, const char *name, size_t len)
{
	struct node *n;

	TAILQ_FOREACH(n, &dir->children, sibling)
		if (!strncmp(n->name, name, len) && !n->name[len])
			return n;
	return NULL;
}

static struct node *child_add(struct node *dir, const char *name, size_t len, u8 kind)
{
	struct node *n = node_create(dir, name, len, kind);

	if (n)
		TAILQ_INSERT_TAIL(&dir->children, n, sibling);
	return n;
}

/* Add the last component of an absolute path, with the directories before it; tree_lock is held. */
static struct node *path_add(const char *path, u8 kind, bool *existed)
{
	struct node *dir = root, *n;

	*existed = false;
	for (;;) {
		size_t len;

		path += strspn(path, "/");
		len = strcspn(path, "/");
		if (!len || len > NODE_NAME_MAX)
			return NULL;
		n = tree_child_find(dir, path, len);
		if (!path[len + strspn(path + len, "/")])
			break;
		if (!n)
			n = child_add(dir, path, len, NODE_DIR);
		if (!n || n->kind != NODE_DIR)
			return NULL;
		dir = n;
		path += len;
	}
	*existed = n != NULL;
	if (n)
		return n->kind == NODE_DIR && kind == NODE_DIR ? n : NULL;
	return child_add(dir, path, strcspn(path, "/"), kind);
}

struct node *tree_add(const char *path, u8 kind, const struct node *like)
{
	struct node *n;
	bool existed;

	tree_init();
	guard_mutex(&tree_lock);
	n = path_add(path, kind, &existed);
	if (!n || existed)
		return n;
	n->ops = like->ops;
	n->priv = like->priv;
	n->data = like->data;
	n->size = like->size;
	n->target = like->target;
	n->dynamic = like->dynamic;
	if (like->mode)
		n->mode = like->mode;
	return n;
}

static u8 kind_of(const struct node_ops *ops)
{
	return ops->open || ops->rdev_major ? NODE_CHAR : ops->bin_read || ops->bin_write ? NODE_BIN : NODE_ATTR;
}

struct node *node_add(const char *path, const struct node_ops *ops, void *priv)
{
	struct node like = { .ops = ops, .priv = priv, .mode = ops->mode, .size = ops->bin_size };

	return tree_add(path, kind_of(ops), &like);
}

struct node *node_add_dir(const char *path)
{
	return tree_add(path, NODE_DIR, &(struct node){ 0 });
}

static char *copy_string(const char *s)
{
	size_t n = strlen(s) + 1;
	char *copy = kmalloc(n);

	return copy ? memcpy(copy, s, n) : NULL;
}

struct node *node_add_symlink(const char *path, const char *target)
{
	struct node like = { .target = copy_string(target) };
	struct node *n = like.target ? tree_add(path, NODE_SYMLINK, &like) : NULL;

	if (!n)
		kfree(like.target);
	return n;
}

struct node *tree_node_symlink(struct node *dir, const char *name, const char *target)
{
	struct node *n = node_create(dir, name, strlen(name), NODE_SYMLINK);

	if (!n)
		return NULL;
	n->target = copy_string(target);
	if (n->target)
		return n;
	node_put(n);
	return NULL;
}

struct node *node_addf(const struct node_ops *ops, void *priv, const char *fmt, ...)
{
	char path[NODE_NAME_MAX + 1];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	return n < (int)sizeof(path) ? node_add(path, ops, priv) : NULL;
}

struct node *node_symlinkf(const char *target, const char *fmt, ...)
{
	char path[NODE_NAME_MAX + 1];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	return n < (int)sizeof(path) ? node_add_symlink(path, target) : NULL;
}

void *node_priv(const struct node *n)
{
	return n->priv;
}

const char *node_name(const struct node *n)
{
	return n->name;
}

/* ---- calls into ops ---- */

int node_enter(struct node *n)
{
	guard_mutex(&tree_lock);
	if (n->dead)
		return -ENODEV;
	n->active++;
	thread_current()->node = n;
	return 0;
}

void node_leave(struct node *n)
{
	guard_mutex(&tree_lock);
	thread_current()->node = NULL;
	if (!--n->active)
		waitq_wake_all(&idle_wait);
}

/* Take the branch out; its nodes are chained by `sibling` on *out, each with its tree reference. */
static void branch_unlink(struct node *n, struct node_list *out)
{
	struct node *child;

	while ((child = TAILQ_FIRST(&n->children)))
		branch_unlink(child, out);
	n->dead = true;
	TAILQ_REMOVE(&n->parent->children, n, sibling);
	TAILQ_INSERT_TAIL(out, n, sibling);
}

void node_remove(const char *path)
{
	struct node_list gone = TAILQ_HEAD_INITIALIZER(gone);
	struct node *n;

	if (tree_walk(NULL, path, 0, &n))
		return;
	mutex_lock(&tree_lock);
	if (!n->dead && n->parent)
		branch_unlink(n, &gone);
	mutex_unlock(&tree_lock);
	node_put(n);
	while ((n = TAILQ_FIRST(&gone))) {
		unsigned own = thread_current()->node == n;

		TAILQ_REMOVE(&gone, n, sibling);
		wait_event_hard(&idle_wait, READ_ONCE(n->active) <= own, WAIT_FOREVER);
		node_put(n);
	}
}
