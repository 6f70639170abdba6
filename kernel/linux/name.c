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

int linux_node_at(int dirfd, uaddr_t user, unsigned how, struct node **out, struct file **file)
{
	AUTO_FREE char *path = kmalloc(TREE_PATH_MAX);
	AUTO_FILE struct file *dir = NULL;
	struct node *base = tree_root();
	s64 len;

	if (!path)
		return -ENOMEM;
	len = copy_string_from_user(path, user, TREE_PATH_MAX);
	if (len < 0)
		return (int)len;
	if (!len && !file)
		return -ENOENT; /* before dirfd is looked at */
	if (*path != '/' && dirfd != AT_FDCWD) {
		dir = file_from_fd(dirfd);
		if (!dir)
			return -EBADF;
		if (!len) {
			file_get(*file = dir);
			return 0;
		}
		if (!dir->node || dir->node->kind != NODE_DIR)
			return -ENOTDIR;
		base = dir->node;
	}
	if (len)
		return tree_walk(base, path, how, out);
	node_get(*out = base);
	return 0;
}

s64 sys_openat(struct user_regs *r)
{
	int flags = (int)ARG2(r) & ALL_OPEN_FLAGS, e;
	unsigned how = (flags & O_NOFOLLOW ? 0 : TREE_FOLLOW) | (flags & O_CREAT ? TREE_CREATE : 0);
	AUTO_NODE struct node *n = NULL;
	struct file *f;

	if ((flags & O_ACCMODE) == O_ACCMODE && !(flags & O_PATH))
		return -EINVAL;
	e = linux_node_at((int)ARG0(r), ARG1(r), how, &n, NULL);
	if (e)
		return e;
	if ((flags & O_CREAT) && (flags & O_EXCL))
		return -EEXIST;
	if (flags & O_PATH)
		flags &= ~(O_ACCMODE | O_CREAT | O_TRUNC | O_LARGEFILE);
	else
		flags |= O_LARGEFILE;
	e = tree_open(n, flags, &f);
	return e ? e : fd_install(f, flags & O_CLOEXEC);
}

s64 sys_creat(struct user_regs *r)
{
	struct user_regs open = { .rdi = AT_FDCWD, .rsi = ARG0(r), .rdx = O_CREAT | O_WRONLY | O_TRUNC };

	return sys_openat(&open);
}

/* Everybody is root: only what nobody may do is refused. */
s64 sys_faccessat(struct user_regs *r)
{
	AUTO_NODE struct node *n = NULL;
	int mode = (int)ARG2(r), e;

	if (mode & ~7)
		return -EINVAL;
	e = linux_node_at((int)ARG0(r), ARG1(r), TREE_FOLLOW, &n, NULL);
	if (e)
		return e;
	if ((mode & 1) && n->kind != NODE_DIR && !(n->mode & 0111))
		return -EACCES;
	return (mode & 2) && n->kind == NODE_FILE ? -EROFS : 0;
}

s64 sys_readlinkat(struct user_regs *r)
{
	AUTO_FREE char *target = NULL;
	AUTO_FILE struct file *f = NULL;
	AUTO_NODE struct node *n = NULL;
	int size = (int)ARG3(r);
	s64 e;

	if (size <= 0)
		return -EINVAL;
	e = linux_node_at((int)ARG0(r), ARG1(r), 0, &n, &f);
	if (e)
		return e;
	if (f && !f->node)
		return -EINVAL;
	target = kmalloc(TREE_PATH_MAX);
	if (!target)
		return -ENOMEM;
	e = tree_readlink(f ? f->node : n, target, TREE_PATH_MAX);
	if (e < 0)
		return e;
	return copy_to_user(ARG2(r), target, MIN(e, size)) ? -EFAULT : MIN(e, size);
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
	AUTO_FILE struct file *f = file_from_fd((int)ARG0(r));
	struct dir_fill fill = { .cap = MIN((size_t)(u32)ARG2(r), 32768) };
	AUTO_FREE char *buf = NULL;
	u64 pos;
	s64 n;

	if (!f || (f->flags & O_PATH))
		return -EBADF;
	if (!f->node || f->node->kind != NODE_DIR)
		return -ENOTDIR;
	fill.buf = buf = kmalloc(fill.cap + 1);
	if (!buf)
		return -ENOMEM;
	guard_mutex(&f->pos_lock);
	pos = f->pos;
	n = tree_list(f->node, &pos, dir_add, &fill);
	if (n)
		return n;
	if (!fill.used && fill.full)
		return -EINVAL;
	if (copy_to_user(ARG1(r), buf, fill.used))
		return -EFAULT;
	f->pos = pos;
	return (s64)fill.used;
}

s64 sys_getcwd(struct user_regs *r)
{
	if (ARG1(r) < 2)
		return -ERANGE;
	return copy_to_user(ARG0(r), "/", 2) ? -EFAULT : 2;
}

s64 sys_chdir(struct user_regs *r)
{
	AUTO_NODE struct node *n = NULL;
	int e = linux_node_at(AT_FDCWD, ARG0(r), TREE_FOLLOW, &n, NULL);

	if (e || n == tree_root())
		return e;
	return n->kind != NODE_DIR ? -ENOTDIR : refuse(-EACCES, "chdir: the working directory is always /");
}

s64 sys_fchdir(struct user_regs *r)
{
	AUTO_FILE struct file *f = file_from_fd((int)ARG0(r));

	return !f ? -EBADF : f->node == tree_root() ? 0 : -EACCES;
}

/* ---- what would change the tree ---- */

static s64 change(int dirfd, uaddr_t path, bool create)
{
	AUTO_NODE struct node *n = NULL;
	int e = linux_node_at(dirfd, path, create ? TREE_CREATE : 0, &n, NULL);

	return e ? e : create ? -EEXIST : -EROFS;
}

s64 sys_mkdirat(struct user_regs *r)
{
	return change((int)ARG0(r), ARG1(r), true);
}

s64 sys_unlinkat(struct user_regs *r)
{
	return change((int)ARG0(r), ARG1(r), false);
}

s64 sys_symlink(struct user_regs *r)
{
	return change(AT_FDCWD, ARG1(r), true);
}
