/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Open files, the tree of names (/bin from the initrd, /dev, /proc, /sys), and eventfds.
 * A struct file is reference counted: descriptors, mappings and, for VFIO, other files hold one.
 */
#ifndef KERNEL_FILE_H
#define KERNEL_FILE_H

#include "kernel/base.h"
#include "kernel/thread.h"

struct file;
struct mobj;
struct node;
struct poll_table;

struct file_ops {
	const char *name; /* what readlink(/proc/self/fd/N) shows when there is no node, e.g. "anon_inode:[eventfd]" */
	/* pos: in/out offset; a stream ignores it. NULL op: -EINVAL. */
	s64 (*read)(struct file *f, uaddr_t buf, size_t n, u64 *pos);
	s64 (*write)(struct file *f, uaddr_t buf, size_t n, u64 *pos);
	s64 (*ioctl)(struct file *f, u32 nr, u64 arg); /* NULL: -ENOTTY */
	/* A referenced object and the offset in it. NULL op: -ENODEV. prot/flags are Linux's. */
	int (*mmap)(struct file *f, u64 off, u64 len, int prot, int flags, struct mobj **obj, u64 *obj_off);
	/* Ready events (POLLIN...); calls poll_wait() for each queue to wait on. NULL: always ready. */
	unsigned (*poll)(struct file *f, struct poll_table *pt);
	s64 (*size)(struct file *f);  /* for fstat and SEEK_END; NULL: 0 and -ESPIPE on lseek */
	int (*truncate)(struct file *f, u64 size);
	void (*release)(struct file *f); /* last reference; may sleep */
	bool stream; /* no positions: pread and pwrite are -ESPIPE */
};
struct epoll_item;
struct file {
	const struct file_ops *ops;
	u32 refs;
	int flags; /* O_ACCMODE, O_NONBLOCK, O_APPEND (Linux's numbers) */
	u64 pos;
	struct mutex pos_lock;
	struct node *node; /* the name it was opened by, or NULL */
	void *priv;
	struct epoll_item *watchers; /* who watches it by epoll (kernel/epoll.c) */
};
/* A file with one reference; NULL: no memory. */
struct file *file_create(const struct file_ops *ops, int flags, void *priv);
void file_release(struct file *f); /* nobody refers to it any more */
/* NULL: nothing to do. Every call with a descriptor gets and puts: inline. */
static inline void file_get(struct file *f)
{
	if (f)
		__atomic_add_fetch(&f->refs, 1, __ATOMIC_RELAXED);
}
static inline void file_put(struct file *f)
{
	if (f && !__atomic_sub_fetch(&f->refs, 1, __ATOMIC_ACQ_REL))
		file_release(f);
}
/* A reference that is put when its variable's block is left, whichever way. */
#define AUTO_FILE __attribute__((cleanup(auto_file_end)))
static inline void auto_file_end(struct file **f)
{
	file_put(*f);
}
/* Descriptors of the current process. file_from_fd takes a reference; NULL: -EBADF. */
struct file *file_from_fd(int fd);
/* Install (takes over the caller's reference, also on error). fd, or -EMFILE; -ENOMEM: f is NULL, or no memory. */
int must_check fd_install(struct file *f, bool cloexec);

void poll_wait(struct poll_table *pt, struct waitq *q);

/* ---- names ----------------------------------------------------------------------------------*/
struct node_ops {
	/* Character device: make f->ops, f->priv. One that has none, and numbers, is read and written as a binary attribute is. */
	int (*open)(struct node *n, struct file *f);
	/* Text attribute: write at most cap bytes into buf, return the length (sprintf style) or -errno. */
	s64 (*show)(struct node *n, char *buf, size_t cap);
	s64 (*store)(struct node *n, const char *buf, size_t n_bytes); /* NUL-terminated copy */
	/* Binary attribute (PCI config): kernel buffer, returns bytes. */
	s64 (*bin_read)(struct node *n, u64 off, void *buf, size_t len);
	s64 (*bin_write)(struct node *n, u64 off, const void *buf, size_t len);
	u64 bin_size;
	u32 rdev_major, rdev_minor; /* character devices */
	u16 mode;                   /* permission bits, e.g. 0444 */
};
/* Absolute paths; parents are made. NULL: no memory or exists as something else. */
struct node *node_add(const char *path, const struct node_ops *ops, void *priv);
struct node *node_add_dir(const char *path);
struct node *node_add_symlink(const char *path, const char *target);
/* The whole branch goes; open files of it keep working on what they have. */
void node_remove(const char *path);
void *node_priv(const struct node *n);
const char *node_name(const struct node *n);
/* Attribute from a printf-formatted path, for the /sys writers. */
struct node *node_addf(const struct node_ops *ops, void *priv, const char *fmt, ...) printf_like(3, 4);
struct node *node_symlinkf(const char *target, const char *fmt, ...) printf_like(2, 3);

/* ---- eventfd --------------------------------------------------------------------------------*/
struct eventfd;
/* From a descriptor of the current process, with a reference: -EBADF, -EINVAL (not an eventfd). */
int must_check eventfd_from_fd(int fd, struct eventfd **out);
void eventfd_get(struct eventfd *e);
void eventfd_put(struct eventfd *e);
bool eventfd_closed(const struct eventfd *e); /* no descriptor is left */
void eventfd_signal(struct eventfd *e); /* adds 1, saturating; any context, interrupts on or off */
/* Counter to 0; what it was. */
u64 eventfd_consume(struct eventfd *e);
/*
 * A hook runs at every signal (interrupts off, cannot sleep) instead of, or before, readers. It is
 * what irqfd stands on. eventfd_unhook waits until fn does not run anywhere.
 */
struct eventfd_hook {
	void (*fn)(struct eventfd_hook *h); /* called with the eventfd's lock held: no eventfd calls on the same one but eventfd_consume_locked */
	struct waiter w;
};
void eventfd_hook(struct eventfd *e, struct eventfd_hook *h);
void eventfd_unhook(struct eventfd *e, struct eventfd_hook *h);
/* From inside a hook: counter to 0; what it was. */
u64 eventfd_consume_locked(struct eventfd *e);

#endif
