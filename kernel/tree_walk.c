/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Finding names: paths with "." and "..", symbolic links (at most 40), dynamic directories, and the
 * other way round, a node's path and a directory's entries.
 */
#include <stdio.h>

#include "kernel/frames.h"
#include "kernel/tree.h"

/* One step down; a referenced node. */
static int step(struct node *dir, const char *name, size_t len, struct node **out)
{
	char copy[NODE_NAME_MAX + 1];
	struct node *n = NULL;

	if (dir->kind != NODE_DIR)
		return -ENOTDIR;
	if (len > NODE_NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(copy, name, len);
	copy[len] = 0;
	if (!strcmp(copy, ".") || !strcmp(copy, "..")) {
		n = len == 2 && dir->parent ? dir->parent : dir;
		node_get(n);
	} else if (dir->dynamic) {
		n = dir->dynamic->lookup(dir, copy);
	} else {
		mutex_lock(&tree_lock);
		n = tree_child_find(dir, copy, len);
		if (n)
			node_get(n);
		mutex_unlock(&tree_lock);
	}
	*out = n;
	return n ? 0 : -ENOENT;
}

s64 tree_readlink(struct node *n, char *buf, size_t cap)
{
	s64 r;

	if (n->kind != NODE_SYMLINK)
		return -EINVAL;
	if (n->target)
		return snprintf(buf, cap, "%s", n->target);
	r = node_enter(n);
	if (r)
		return r;
	r = n->ops->show(n, buf, cap);
	node_leave(n);
	return r;
}

/* Replace the rest of the path by the link's target followed by the rest. */
static int expand_link(struct node *link, char *path, const char *rest)
{
	AUTO_FREE char *target = kmalloc(TREE_PATH_MAX);
	size_t left = strlen(rest);
	s64 len;

	if (!target)
		return -ENOMEM;
	len = tree_readlink(link, target, TREE_PATH_MAX);
	if (len <= 0)
		return len ? (int)len : -ENOENT;
	if ((u64)len + left + 1 > TREE_PATH_MAX)
		return -ENAMETOOLONG;
	memmove(path + len, rest, left + 1);
	memcpy(path, target, len);
	return 0;
}

static int walk(struct node *at, char *path, unsigned how, struct node **out)
{
	const char *rest = path;
	unsigned links = 0;
	int r = 0;

	if (*rest == '/')
		at = tree_root();
	node_get(at);
	for (;;) {
		struct node *next;
		const char *name;
		size_t len;

		name = rest + strspn(rest, "/");
		len = strcspn(name, "/");
		if (!len) {
			/* "name/" must be a directory. */
			if (name != rest && at->kind != NODE_DIR)
				r = -ENOTDIR;
			break;
		}
		r = step(at, name, len, &next);
		rest = name + len;
		if (r == -ENOENT && how & TREE_CREATE && !rest[strspn(rest, "/")])
			r = -EROFS;
		if (r)
			break;
		if (next->kind == NODE_SYMLINK && (how & TREE_FOLLOW || *rest)) {
			r = ++links > 40 ? -ELOOP : expand_link(next, path, rest);
			node_put(next);
			if (r)
				break;
			rest = path;
			if (*path == '/') {
				node_put(at);
				at = tree_root();
				node_get(at);
			}
			continue;
		}
		node_put(at);
		at = next;
	}
	if (r)
		node_put(at);
	else
		*out = at;
	return r;
}

int tree_walk(struct node *base, const char *path, unsigned how, struct node **out)
{
	size_t len = strlen(path) + 1;
	AUTO_FREE char *copy = NULL;

	if (len == 1)
		return -ENOENT;
	if (len > TREE_PATH_MAX)
		return -ENAMETOOLONG;
	copy = kmalloc(TREE_PATH_MAX);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, path, len);
	return walk(base ? base : tree_root(), copy, how, out);
}

s64 tree_path(const struct node *n, char *buf, size_t cap)
{
	size_t at = cap;
	size_t len;

	if (!n->parent)
		return snprintf(buf, cap, "/");
	for (; n->parent; n = n->parent) {
		len = strlen(n->name);
		if (len + 2 > at)
			return -ENAMETOOLONG;
		at -= len;
		memcpy(buf + at, n->name, len);
		buf[--at] = '/';
	}
	len = cap - at;
	if (len == cap)
		return -ENAMETOOLONG;
	memmove(buf, buf + at, len);
	buf[len] = 0;
	return (s64)len;
}

/* ---- listing ---- */

static const u8 entry_type[] = { /* DT_* of <dirent.h> */
	[NODE_DIR] = 4, [NODE_FILE] = 8, [NODE_SYMLINK] = 10, [NODE_ATTR] = 8, [NODE_BIN] = 8, [NODE_CHAR] = 2,
};

/* Positions 0 and 1 are "." and ".."; then 2 + inode number (or a dynamic directory's position). */
int tree_list(struct node *dir, u64 *pos, bool (*fn)(void *arg, const struct tree_entry *e), void *arg)
{
	const struct node *up = dir->parent ? dir->parent : dir;
	char name[NODE_NAME_MAX + 1];
	struct node *n;

	if (dir->kind != NODE_DIR)
		return -ENOTDIR;
	for (; *pos < 2; ++*pos)
		if (!fn(arg, &(struct tree_entry){ *pos ? ".." : ".", *pos ? up->ino : dir->ino, entry_type[NODE_DIR] }))
			return 0;
	if (dir->dynamic) {
		u64 at = *pos - 2;

		for (; dir->dynamic->next(dir, &at, name, sizeof(name)); *pos = ++at + 2) {
			*pos = at + 2;
			if (!fn(arg, &(struct tree_entry){ name, at + 1, entry_type[NODE_SYMLINK] }))
				return 0;
		}
		return 0;
	}
	guard_mutex(&tree_lock);
	TAILQ_FOREACH(n, &dir->children, sibling) {
		if (n->ino + 2 <= *pos)
			continue;
		if (!fn(arg, &(struct tree_entry){ n->name, n->ino, entry_type[n->kind] }))
			break;
		*pos = n->ino + 2;
	}
	return 0;
}
