/* SPDX-License-Identifier: GPL-2.0-only */
/* What is known of a file: stat and its kin. */
#include <asm/stat.h>
#include <asm/statfs.h>
#include <linux/fcntl.h>
#include <linux/kdev_t.h>
#include <linux/stat.h>

#include "kernel/linux/linux.h"

#define TREE_DEVICE 1u
#define ANON_DEVICE 2u

/* Linux's encoding of a device number for user space (new_encode_dev). */
static u64 dev_encode(u32 major, u32 minor)
{
	return (minor & 0xff) | major << 8 | (u64)(minor & ~0xffu) << 12;
}

static u32 node_mode(const struct node *n)
{
	static const u32 type[] = {
		[NODE_DIR] = S_IFDIR, [NODE_FILE] = S_IFREG, [NODE_SYMLINK] = S_IFLNK,
		[NODE_ATTR] = S_IFREG, [NODE_BIN] = S_IFREG, [NODE_CHAR] = S_IFCHR,
	};

	return type[n->kind] | n->mode;
}

static void node_stat(const struct node *n, struct stat *s)
{
	s->st_dev = TREE_DEVICE;
	s->st_ino = n->ino;
	s->st_mode = node_mode(n);
	s->st_nlink = n->kind == NODE_DIR ? 2 : 1;
	s->st_size = n->kind == NODE_ATTR ? 4096 : (long)n->size;
	if (n->kind == NODE_SYMLINK)
		s->st_size = n->target ? (long)strlen(n->target) : 0;
	if (n->kind == NODE_CHAR)
		s->st_rdev = dev_encode(n->ops->rdev_major, n->ops->rdev_minor);
}

static void file_stat(struct file *f, struct stat *s)
{
	if (f->node) {
		node_stat(f->node, s);
		return;
	}
	s->st_dev = ANON_DEVICE;
	s->st_ino = 1;
	s->st_nlink = 1;
	/* A memfd is a regular file; what has no size is an anonymous inode. */
	s->st_mode = f->ops->size ? S_IFREG | 0777 : f->ops->stream && f->ops->name && f->ops->name[0] == 'p' ?
		     S_IFIFO | 0600 : 0600;
	s->st_size = f->ops->size ? f->ops->size(f) : 0;
}

static int stat_at(int dirfd, uaddr_t path, bool follow, bool empty, struct stat *s)
{
	struct node *n;
	struct file *f;
	int r = linux_node_at(dirfd, path, follow, empty, &n, &f);

	if (r)
		return r;
	memset(s, 0, sizeof(*s));
	s->st_blksize = 4096;
	if (f) {
		file_stat(f, s);
		file_put(f);
	} else {
		node_stat(n, s);
		node_put(n);
	}
	s->st_blocks = (s->st_size + 511) / 512;
	return 0;
}

static s64 stat_out(int r, uaddr_t out, const struct stat *s)
{
	return r ? r : copy_to_user(out, s, sizeof(*s)) ? -EFAULT : 0;
}

s64 sys_stat(struct user_regs *r)
{
	struct stat s;

	return stat_out(stat_at(AT_FDCWD, ARG0(r), true, false, &s), ARG1(r), &s);
}

s64 sys_lstat(struct user_regs *r)
{
	struct stat s;

	return stat_out(stat_at(AT_FDCWD, ARG0(r), false, false, &s), ARG1(r), &s);
}

s64 sys_fstat(struct user_regs *r)
{
	struct file *f = file_from_fd((int)ARG0(r));
	struct stat s = { .st_blksize = 4096 };

	if (!f)
		return -EBADF;
	file_stat(f, &s);
	s.st_blocks = (s.st_size + 511) / 512;
	file_put(f);
	return stat_out(0, ARG1(r), &s);
}

s64 sys_newfstatat(struct user_regs *r)
{
	unsigned flags = (unsigned)ARG3(r);
	struct stat s;

	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH))
		return -EINVAL;
	return stat_out(stat_at((int)ARG0(r), ARG1(r), !(flags & AT_SYMLINK_NOFOLLOW), flags & AT_EMPTY_PATH, &s),
			ARG2(r), &s);
}

s64 sys_statx(struct user_regs *r)
{
	unsigned flags = (unsigned)ARG2(r);
	struct statx x = { .stx_mask = STATX_BASIC_STATS };
	struct stat s;
	int e;

	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE))
		return -EINVAL;
	e = stat_at((int)ARG0(r), ARG1(r), !(flags & AT_SYMLINK_NOFOLLOW), flags & AT_EMPTY_PATH, &s);
	if (e)
		return e;
	x.stx_blksize = (u32)s.st_blksize;
	x.stx_nlink = (u32)s.st_nlink;
	x.stx_mode = (u16)s.st_mode;
	x.stx_ino = s.st_ino;
	x.stx_size = s.st_size;
	x.stx_blocks = s.st_blocks;
	x.stx_rdev_major = (s.st_rdev >> 8) & 0xfff;
	x.stx_rdev_minor = (s.st_rdev & 0xff) | ((s.st_rdev >> 12) & ~0xffu);
	x.stx_dev_minor = (u32)s.st_dev;
	return copy_to_user(ARG4(r), &x, sizeof(x)) ? -EFAULT : 0;
}

/* One file system for all: it looks like a small RAM disk that is full. */
static s64 statfs_out(uaddr_t out)
{
	struct statfs s = { .f_type = 0x858458f6 /* RAMFS_MAGIC */, .f_bsize = 4096, .f_namelen = NODE_NAME_MAX,
			    .f_frsize = 4096 };

	return copy_to_user(out, &s, sizeof(s)) ? -EFAULT : 0;
}

s64 sys_statfs(struct user_regs *r)
{
	struct node *n;
	int e = linux_node_at(AT_FDCWD, ARG0(r), true, false, &n, NULL);

	if (e)
		return e;
	node_put(n);
	return statfs_out(ARG1(r));
}

s64 sys_fstatfs(struct user_regs *r)
{
	return fd_cloexec_get((unsigned)ARG0(r)) < 0 ? -EBADF : statfs_out(ARG1(r));
}
