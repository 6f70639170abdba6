/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Names: opening, reading links and directories.  The tree cannot be written (-EROFS), the working
 * directory of every program is "/".
 */
#include <linux/fcntl.h>

#include "kernel/linux/linux.h"

#define ALL_OPEN_FLAGS                                                                        \
	(O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_DSYNC | \
	 O_DIRECT | O_LARGEFILE | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC | O_PATH)

/* The directory a relative path starts from; referenced. */
static int base_node(int dirfd, const char *path, struct node **out)
{
	struct file *f;
	int r = 0;

	*out = tree_root();
	if (*path == '/' || dirfd == AT_FDCWD) {
		node_get(*out);
		return 0;
	}
	f = file_from_fd(dirfd);
	if (!f)
		return -EBADF;
	if (!f->node || f->node->kind != NODE_DIR)
		r = -ENOTDIR;
	else
		node_get(*out = f->node);
	file_put(f);
	return r;
}

static int path_get(uaddr_t user, char **out)
{
	char *path = kmalloc(TREE_PATH_MAX);
	s64 n;

	if (!path)
		return -ENOMEM;
	n = copy_string_from_user(path, user, TREE_PATH_MAX);
	if (n < 0) {
		kfree(path);
		return (int)n;
	}
	*out = path;
	return 0;
}

int linux_node_at(int dirfd, uaddr_t user, bool follow, bool may_be_empty, struct node **out, struct file **file)
{
	struct node *base;
	char *path = NULL;
	int r = path_get(user, &path);

	*out = NULL;
	if (file)
		*file = NULL;
	if (r)
		return r;
	if (!*path && !may_be_empty) {
		r = -ENOENT; /* before dirfd is looked at */
	} else if (!*path && file && dirfd != AT_FDCWD) {
		*file = file_from_fd(dirfd);
		r = *file ? 0 : -EBADF;
	} else {
		r = base_node(dirfd, path, &base);
		if (!r) {
			r = !*path ? (node_get(*out = base), 0) : tree_walk(base, path, follow, out);
			node_put(base);
		}
	}
	kfree(path);
	return r;
}

static s64 open_at(int dirfd, uaddr_t path, int flags)
{
	struct node *n;
	struct file *f;
	int r;

	flags &= ALL_OPEN_FLAGS;
	if ((flags & O_ACCMODE) == O_ACCMODE && !(flags & O_PATH))
		return -EINVAL;
	r = linux_node_at(dirfd, path, !(flags & O_NOFOLLOW), false, &n, NULL);
	if (r == -ENOENT && (flags & O_CREAT))
		return -EROFS;
	if (r)
		return r;
	if ((flags & O_CREAT) && (flags & O_EXCL))
		r = -EEXIST;
	else
		r = tree_open(n, (flags & O_PATH) ? (flags & ~(O_ACCMODE | O_CREAT | O_TRUNC)) : flags, &f);
	node_put(n);
	if (r)
		return r;
	if (!(flags & O_PATH))
		f->flags |= O_LARGEFILE;
	return fd_install(f, flags & O_CLOEXEC);
}

s64 sys_open(struct user_regs *r)
{
	return open_at(AT_FDCWD, ARG0(r), (int)ARG1(r));
}

s64 sys_openat(struct user_regs *r)
{
	return open_at((int)ARG0(r), ARG1(r), (int)ARG2(r));
}

s64 sys_creat(struct user_regs *r)
{
	return open_at(AT_FDCWD, ARG0(r), O_CREAT | O_WRONLY | O_TRUNC);
}

/* Everybody is root: only what nobody may do is refused. */
static s64 access_at(int dirfd, uaddr_t path, int mode)
{
	struct node *n;
	int r;

	if (mode & ~7)
		return -EINVAL;
	r = linux_node_at(dirfd, path, true, false, &n, NULL);
	if (r)
		return r;
	if ((mode & 1) && n->kind != NODE_DIR && !(n->mode & 0111))
		r = -EACCES;
	else if ((mode & 2) && n->kind == NODE_FILE)
		r = -EROFS;
	node_put(n);
	return r;
}

s64 sys_access(struct user_regs *r)
{
	return access_at(AT_FDCWD, ARG0(r), (int)ARG1(r));
}

s64 sys_faccessat(struct user_regs *r)
{
	return access_at((int)ARG0(r), ARG1(r), (int)ARG2(r));
}

static s64 readlink_at(int dirfd, uaddr_t path, uaddr_t buf, int size)
{
	struct file *f;
	struct node *n;
	char *target;
	s64 r;

	if (size <= 0)
		return -EINVAL;
	r = linux_node_at(dirfd, path, false, true, &n, &f);
	if (r)
		return r;
	target = kmalloc(TREE_PATH_MAX);
	r = !target ? -ENOMEM : f && !f->node ? -EINVAL : tree_readlink(f ? f->node : n, target, TREE_PATH_MAX);
	if (r >= 0) {
		r = MIN(r, (s64)size);
		if (copy_to_user(buf, target, r))
			r = -EFAULT;
	}
	kfree(target);
	if (f)
		file_put(f);
	if (n)
		node_put(n);
	return r;
}

s64 sys_readlink(struct user_regs *r)
{
	return readlink_at(AT_FDCWD, ARG0(r), ARG1(r), (int)ARG2(r));
}

s64 sys_readlinkat(struct user_regs *r)
{
	return readlink_at((int)ARG0(r), ARG1(r), ARG2(r), (int)ARG3(r));
}

/* ---- directories ---- */

struct dirent64 { /* struct linux_dirent64 */
	u64 ino, off;
	u16 reclen;
	u8 type;
	char name[];
} __attribute__((packed));
_Static_assert(offsetof(struct dirent64, name) == 19, "linux_dirent64");

struct dir_fill {
	char *buf;
	size_t cap, used;
	bool full;
};

static bool dir_add(void *arg, const struct tree_entry *e)
{
	struct dir_fill *fill = arg;
	size_t name = strlen(e->name) + 1;
	size_t len = ALIGN_UP(offsetof(struct dirent64, name) + name, 8);
	struct dirent64 *d = (struct dirent64 *)(fill->buf + fill->used);

	if (len > fill->cap - fill->used) {
		fill->full = true;
		return false;
	}
	memset(d, 0, len);
	d->ino = e->ino;
	d->off = e->ino + 2;
	d->reclen = (u16)len;
	d->type = e->type;
	memcpy(d->name, e->name, name);
	fill->used += len;
	return true;
}

s64 sys_getdents64(struct user_regs *r)
{
	struct file *f = file_from_fd((int)ARG0(r));
	struct dir_fill fill = { .cap = MIN((size_t)(u32)ARG2(r), 32768) };
	u64 pos;
	s64 n;

	if (!f)
		return -EBADF;
	n = f->flags & O_PATH ? -EBADF : !f->node || f->node->kind != NODE_DIR ? -ENOTDIR : 0;
	if (n) {
		file_put(f);
		return n;
	}
	fill.buf = kmalloc(fill.cap + 1);
	if (!fill.buf) {
		file_put(f);
		return -ENOMEM;
	}
	mutex_lock(&f->pos_lock);
	pos = f->pos;
	n = tree_list(f->node, &pos, dir_add, &fill);
	if (!n && !fill.used && fill.full)
		n = -EINVAL;
	if (!n && copy_to_user(ARG1(r), fill.buf, fill.used))
		n = -EFAULT;
	if (!n)
		f->pos = pos;
	mutex_unlock(&f->pos_lock);
	kfree(fill.buf);
	file_put(f);
	return n ? n : (s64)fill.used;
}

s64 sys_getcwd(struct user_regs *r)
{
	if (ARG1(r) < 2)
		return -ERANGE;
	return copy_to_user(ARG0(r), "/", 2) ? -EFAULT : 2;
}

s64 sys_chdir(struct user_regs *r)
{
	struct node *n;
	int e = linux_node_at(AT_FDCWD, ARG0(r), true, false, &n, NULL);

	if (e)
		return e;
	e = n == tree_root() ? 0 : n->kind != NODE_DIR ? -ENOTDIR :
	    refuse(-EACCES, "chdir: the working directory is always /");
	node_put(n);
	return e;
}

s64 sys_fchdir(struct user_regs *r)
{
	struct file *f = file_from_fd((int)ARG0(r));
	int e;

	if (!f)
		return -EBADF;
	e = f->node == tree_root() ? 0 : -EACCES;
	file_put(f);
	return e;
}

/* ---- what would change the tree ---- */

static s64 read_only(int dirfd, uaddr_t path, bool create)
{
	struct node *n;
	int r = linux_node_at(dirfd, path, false, false, &n, NULL);

	if (!r)
		node_put(n);
	if (create)
		return !r ? -EEXIST : r == -ENOENT ? -EROFS : r;
	return r ? r : -EROFS;
}

s64 sys_mkdir(struct user_regs *r)
{
	return read_only(AT_FDCWD, ARG0(r), true);
}

s64 sys_mkdirat(struct user_regs *r)
{
	return read_only((int)ARG0(r), ARG1(r), true);
}

s64 sys_unlink(struct user_regs *r)
{
	return read_only(AT_FDCWD, ARG0(r), false);
}

s64 sys_unlinkat(struct user_regs *r)
{
	return read_only((int)ARG0(r), ARG1(r), false);
}

s64 sys_symlink(struct user_regs *r)
{
	return read_only(AT_FDCWD, ARG1(r), true);
}
