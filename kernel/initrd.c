/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The initrd's files become read-only nodes of the tree; their contents stay where the boot loader
 * put them.  What is not a file, directory or symbolic link is left out and named.
 */
#include <linux/stat.h>

#include "kernel/cpio.h"
#include "kernel/frames.h"
#include "kernel/tree.h"

static int add_link(const char *path, const struct cpio_entry *e)
{
	char target[NODE_NAME_MAX + 1];

	if (!e->size || e->size > NODE_NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(target, e->data, e->size);
	target[e->size] = 0;
	return node_add_symlink(path, target) ? 0 : -EEXIST;
}

static int add_entry(const struct cpio_entry *e)
{
	if (S_ISDIR(e->mode))
		return !*e->name || !strcmp(e->name, ".") || node_add_dir(e->name) ? 0 : -EEXIST;
	if (S_ISREG(e->mode))
		return tree_add(e->name, NODE_FILE, &(struct node){ .data = e->data, .size = e->size, .mode = e->mode & 0777 }) ?
		       0 : -EEXIST;
	if (S_ISLNK(e->mode))
		return add_link(e->name, e);
	return -EOPNOTSUPP;
}

int initrd_unpack(const void *data, u64 size)
{
	struct cpio_entry e;
	int files = 0, r;
	u64 pos = 0;

	while ((r = cpio_next(data, size, &pos, &e)) > 0) {
		r = add_entry(&e);
		if (r)
			log_warn("initrd: /%s is left out: %s", e.name,
				 r == -EOPNOTSUPP ? "not a file, directory or link" : "the name is taken or too long");
		else
			files++;
	}
	if (r < 0)
		log_err("initrd: not a cpio archive (newc) at offset 0x%llx of 0x%llx", (unsigned long long)pos,
			(unsigned long long)size);
	return r < 0 ? r : files;
}
