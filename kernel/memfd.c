/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * memfd_create(2): a file whose contents are a memory object.  A shared mapping shows the object
 * itself; a private one is a copy.  Reading and writing go through a small bounce buffer.
 */
#include <linux/fcntl.h>
#include <linux/mman.h>

#include "kernel/frames.h"
#include "kernel/mobj.h"
#include "kernel/objects.h"
#include "kernel/sched.h"

#define BOUNCE 512u
#define MEMFD_MAX (1ull << 46)

struct memfd {
	struct mobj *obj;
	struct mutex lock; /* size and resizing */
	u64 size;          /* bytes, not rounded */
};

/* Through a buffer of our own; what was moved before an error counts. */
static s64 move(struct memfd *m, uaddr_t buf, size_t n, u64 *pos, bool in)
{
	char bounce[BOUNCE];
	size_t done = 0;
	int r = 0;

	while (done < n) {
		size_t part = MIN(n - done, sizeof(bounce));

		r = in ? copy_from_user(bounce, buf + done, part) : mobj_read(m->obj, *pos, bounce, part);
		if (!r)
			r = in ? mobj_write(m->obj, *pos, bounce, part) : copy_to_user(buf + done, bounce, part);
		if (r)
			break;
		*pos += part;
		done += part;
		resched_point();
	}
	return done ? (s64)done : r;
}

static s64 memfd_read(struct file *f, uaddr_t buf, size_t n, u64 *pos)
{
	struct memfd *m = f->priv;
	u64 size = READ_ONCE(m->size);

	return move(m, buf, *pos < size ? MIN(n, size - *pos) : 0, pos, false);
}

static int memfd_truncate(struct file *f, u64 size)
{
	struct memfd *m = f->priv;
	u64 end = ALIGN_UP(size, PAGE_SIZE);
	struct mobj_page page;
	int r;

	if (size > MEMFD_MAX)
		return -EFBIG;
	guard_mutex(&m->lock);
	r = mobj_resize(m->obj, end);
	if (r)
		return r;
	/* What lay behind the new end reads as zero when the file grows again. */
	if (size < m->size && size < end && !mobj_page(m->obj, size, false, &page))
		memset((char *)phys_to_virt(page.pa) + (size - page.off), 0, end - size);
	WRITE_ONCE(m->size, size);
	return 0;
}

static s64 memfd_write(struct file *f, uaddr_t buf, size_t n, u64 *pos)
{
	struct memfd *m = f->priv;
	int r = 0;

	if (*pos > MEMFD_MAX || n > MEMFD_MAX - *pos)
		return -EFBIG;
	if (*pos + n > READ_ONCE(m->size))
		r = memfd_truncate(f, *pos + n);
	return r ? r : move(m, buf, n, pos, true);
}

/* The memfd's lock keeps the pages of `from` where they are. */
static int copy_range(struct mobj *from, u64 off, struct mobj *to, u64 len)
{
	struct mobj_page page;
	u64 next;
	int r;

	for (u64 at = 0; at < len; at = next) {
		r = mobj_page(from, off + at, false, &page);
		if (r == -ENOENT) {
			next = page.off - off; /* over the hole, which may be all but endless */
			resched_point();
			continue;
		}
		next = MIN(page.off + page.size - off, len);
		if (!r && READ_ONCE(thread_self()->killed))
			r = -EINTR;
		if (!r)
			r = mobj_write(to, at, (char *)phys_to_virt(page.pa) + (off + at - page.off), next - at);
		if (r)
			return r;
	}
	return 0;
}

static int memfd_mmap(struct file *f, u64 off, u64 len, int, int flags, struct mobj **obj, u64 *obj_off)
{
	struct memfd *m = f->priv;
	struct mobj *copy;
	u64 size;
	int r;

	if ((flags & MAP_TYPE) != MAP_PRIVATE) {
		mobj_get(m->obj);
		*obj = m->obj;
		*obj_off = off;
		return 0;
	}
	copy = mobj_create_anon(len, false);
	if (!copy)
		return -ENOMEM;
	guard_mutex(&m->lock);
	size = mobj_size(m->obj);
	r = off < size ? copy_range(m->obj, off, copy, MIN(len, size - off)) : 0;
	if (r) {
		mobj_put(copy);
		return r;
	}
	*obj = copy;
	*obj_off = 0;
	return 0;
}

static s64 memfd_size(struct file *f)
{
	struct memfd *m = f->priv;

	return (s64)READ_ONCE(m->size);
}

static void memfd_release(struct file *f)
{
	struct memfd *m = f->priv;

	mobj_put(m->obj);
	kfree(m);
}

static const struct file_ops memfd_ops = {
	.name = "/memfd: (deleted)",
	.read = memfd_read, .write = memfd_write, .mmap = memfd_mmap, .size = memfd_size,
	.truncate = memfd_truncate, .release = memfd_release,
};

struct file *memfd_create_file(void)
{
	struct memfd *m = kzalloc(sizeof(*m));
	struct file *f;

	if (!m)
		return NULL;
	m->obj = mobj_create_anon(0, false);
	mutex_init(&m->lock);
	f = m->obj ? file_create(&memfd_ops, O_RDWR, m) : NULL;
	if (f)
		return f;
	if (m->obj)
		mobj_put(m->obj);
	kfree(m);
	return NULL;
}
