/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Private to kernel/: the tree of names as its own files and the system calls see it.
 */
#ifndef KERNEL_TREE_H
#define KERNEL_TREE_H

#include "kernel/file.h"

enum node_kind { NODE_DIR, NODE_FILE, NODE_SYMLINK, NODE_ATTR, NODE_BIN, NODE_CHAR };

/* A directory whose entries are made on demand (/proc/self/fd). */
struct node_dynamic {
	/* A node made by tree_node_symlink, not in the tree; NULL: no such name. */
	struct node *(*lookup)(struct node *dir, const char *name);
	/* The entry at or after *pos (which becomes its position): its name; false at the end. */
	bool (*next)(struct node *dir, u64 *pos, char *name, size_t cap);
};

struct node {
	const struct node_ops *ops;
	void *priv;
	struct node *parent; /* referenced */
	TAILQ_HEAD(node_list, node) children;
	TAILQ_ENTRY(node) sibling;
	u64 ino;
	u32 refs;
	u32 active;          /* calls into ops going on; under tree_lock */
	bool dead;           /* removed: ops are not called any more */
	u8 kind;
	u16 mode;
	const u8 *data;      /* NODE_FILE: contents, in the initrd */
	u64 size;
	char *target;        /* NODE_SYMLINK; NULL: ops->show gives it */
	const struct node_dynamic *dynamic;
	char name[];
};
#define NODE_NAME_MAX 255
#define TREE_PATH_MAX 4096

/* Guards the shape of the tree; held briefly, never while a node's ops run. */
extern struct mutex tree_lock;
struct node *tree_child_find(const struct node *dir, const char *name, size_t len);

void tree_init(void);
struct node *tree_root(void);
void node_get(struct node *n);
void node_put(struct node *n);
#define AUTO_NODE __attribute__((cleanup(auto_node_end))) /* as AUTO_FILE */
static inline void auto_node_end(struct node **n)
{
	node_put(*n);
}
/* Between these two n's ops may be called; -ENODEV when it was removed. */
int must_check node_enter(struct node *n);
void node_leave(struct node *n);

/*
 * Find path from base (NULL: the root). TREE_FOLLOW: a symbolic link at the end is followed; TREE_CREATE: if only
 * the last name is not there, -EROFS says so. Referenced node, or -ENOENT, -ENOTDIR, -ELOOP, -ENAMETOOLONG, -ENOMEM.
 */
enum { TREE_FOLLOW = 1, TREE_CREATE = 2 };
int must_check tree_walk(struct node *base, const char *path, unsigned how, struct node **out);
/* Full path of a node; length, or -ENAMETOOLONG. */
s64 tree_path(const struct node *n, char *buf, size_t cap);
/* Where a symbolic link points: length, or -errno. */
s64 tree_readlink(struct node *n, char *buf, size_t cap);
/* As node_add, for every kind: what `like` says of ops, priv, data, size, target (kmalloc'ed), dynamic and mode. */
struct node *tree_add(const char *path, u8 kind, const struct node *like);
/* A symbolic link outside the tree, for node_dynamic.lookup. */
struct node *tree_node_symlink(struct node *dir, const char *name, const char *target);

struct tree_entry {
	const char *name;
	u64 ino;
	u8 type; /* DT_* */
};
/* Entries of a directory from *pos on: fn returns false to stop before this one. */
int tree_list(struct node *dir, u64 *pos, bool (*fn)(void *arg, const struct tree_entry *e), void *arg);

/* kernel/tree_file.c: open n with Linux's open flags. */
int must_check tree_open(struct node *n, int flags, struct file **out);
/* The contents of a program file; NULL for other kinds. */
const u8 *tree_file_data(const struct file *f, u64 *size);

/* kernel/initrd.c: files of the initrd into the tree. Number of files or -errno. */
int initrd_unpack(const void *data, u64 size);
/* kernel/proc.c, kernel/console.c, kernel/canary.c, kernel/audit.c */
void proc_init(void);
void console_init(void);
/* Standard input, output and error of the first program; referenced. NULL: no memory. */
struct file *console_open(unsigned fd);
void canary_init(void);
void sysrq_init(void);
void audit_init(void);

#endif
