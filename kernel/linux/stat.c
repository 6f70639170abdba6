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

/* What stat says of a node, or (n is NULL) of a file without a name. */
static void stat_fill(struct stat *s, const struct node *n, struct file *f)
{
	*s = (struct stat){ .st_blksize = 4096, .st_nlink = 1 };
	if (n) {
		s->st_dev = TREE_DEVICE;
		s->st_ino = n->ino;
		s->st_mode = node_mode(n);
		s->st_size = n->kind == NODE_ATTR ? 4096 : (long)n->size;
		if (n->kind == NODE_DIR)
			s->st_nlink = 2;
		if (n->kind == NODE_SYMLINK)
			s->st_size = n->target ? (long)strlen(n->target) : 0;
		if (n->kind == NODE_CHAR)
			s->st_rdev = dev_encode(n->ops->rdev_major, n->ops->rdev_minor);
	} else {
		bool pipe = f->ops->stream && f->ops->name && f->ops->name[0] == 'p';

		s->st_dev = ANON_DEVICE;
		s->st_ino = 1;
		/* A memfd is a regular file; what has no size is an anonymous inode. */
		s->st_mode = f->ops->size ? S_IFREG | 0777 : pipe ? S_IFIFO | 0600 : 0600;
		s->st_size = f->ops->size ? f->ops->size(f) : 0;
	}
	s->st_blocks = (s->st_size + 511) / 512;
}

static int stat_at(int dirfd, uaddr_t path, unsigned flags, struct stat *s)
{
	AUTO_NODE struct node *n = NULL;
	AUTO_FILE struct file *f = NULL;
	int e;

	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH))
		return -EINVAL;
	e = linux_node_at(dirfd, path, flags & AT_SYMLINK_NOFOLLOW ? 0 : TREE_FOLLOW, &n, flags & AT_EMPTY_PATH ? &f : NULL);
	if (!e)
		stat_fill(s, f ? f->node : n, f);
	return e;
}

s64 linux_stat(struct user_regs *r, unsigned flags)
{
	struct stat s;
	int e = stat_at(AT_FDCWD, ARG0(r), flags, &s);

	return e ? e : copy_to_user(ARG1(r), &s, sizeof(s));
}

s64 sys_newfstatat(struct user_regs *r)
{
	struct stat s;
	int e = stat_at((int)ARG0(r), ARG1(r), (unsigned)ARG3(r), &s);

	return e ? e : copy_to_user(ARG2(r), &s, sizeof(s));
}

s64 sys_fstat(struct user_regs *r)
{
	AUTO_FILE struct file *f = file_from_fd((int)ARG0(r));
	struct stat s;

	if (!f)
		return -EBADF;
	stat_fill(&s, f->node, f);
	return copy_to_user(ARG1(r), &s, sizeof(s));
}

s64 sys_statx(struct user_regs *r)
{
	struct stat s;
	int e = stat_at((int)ARG0(r), ARG1(r), (unsigned)ARG2(r) & ~AT_STATX_SYNC_TYPE, &s);
	struct statx x = { .stx_mask = STATX_BASIC_STATS };

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
	return copy_to_user(ARG4(r), &x, sizeof(x));
}

/* One file system for all: it looks like a small RAM disk that is full. */
static s64 statfs_out(uaddr_t out)
{
	struct statfs s = { .f_type = 0x858458f6 /* RAMFS_MAGIC */, .f_bsize = 4096, .f_namelen = NODE_NAME_MAX,
			    .f_frsize = 4096 };

	return copy_to_user(out, &s, sizeof(s));
}

s64 sys_statfs(struct user_regs *r)
{
	AUTO_NODE struct node *n = NULL;
	int e = linux_node_at(AT_FDCWD, ARG0(r), TREE_FOLLOW, &n, NULL);

	return e ? e : statfs_out(ARG1(r));
}

s64 sys_fstatfs(struct user_regs *r)
{
	return fd_cloexec_get((unsigned)ARG0(r)) < 0 ? -EBADF : statfs_out(ARG1(r));
}
