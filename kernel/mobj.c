/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory objects: their life, their size, reading and writing them without a process.
 * Frames are in mobj_pages.c, views in mm_view.c.
 */
#include "kernel/frames.h"
#include "kernel/mobj_pages.h"

#define MOBJ_MAX BIT(46)

static struct mobj *create(u64 size)
{
	struct mobj *m = kzalloc(sizeof(*m));

	if (!m)
		return NULL;
	m->refs = 1;
	m->size = size;
	mutex_init(&m->lock);
	TAILQ_INIT(&m->viewers);
	return m;
}

struct mobj *mobj_create_anon(u64 size, bool small)
{
	struct mobj *m;

	if (size > MOBJ_MAX)
		return NULL;
	m = create(ALIGN_UP(size, PAGE_SIZE));
	if (!m)
		return NULL;
	m->small = small;
	if (mobj_pages_init(m)) {
		kfree(m);
		return NULL;
	}
	return m;
}

struct mobj *mobj_create_phys(paddr_t base, u64 size, int (*gate)(void *arg),
			      void (*release)(void *arg), void *arg)
{
	struct mobj *m = create(ALIGN_UP(size, PAGE_SIZE));

	if (!m)
		return NULL;
	m->phys = true;
	m->base = base;
	m->gate = gate;
	m->release = release;
	m->arg = arg;
	return m;
}

void mobj_get(struct mobj *m)
{
	BUG_ON(__atomic_fetch_add(&m->refs, 1, __ATOMIC_RELAXED) == 0);
}

void mobj_put(struct mobj *m)
{
	u32 left = __atomic_sub_fetch(&m->refs, 1, __ATOMIC_ACQ_REL);

	BUG_ON(left == ~0u);
	if (left)
		return;
	BUG_ON(!TAILQ_EMPTY(&m->viewers));
	if (!m->phys)
		mobj_pages_free(m);
	if (m->release)
		m->release(m->arg);
	kfree(m);
}

u64 mobj_size(const struct mobj *m)
{
	return READ_ONCE(m->size);
}

static int phys_page(struct mobj *m, u64 off, struct mobj_page *out)
{
	paddr_t large = ALIGN_DOWN(m->base + off, SZ_2M);
	int err = m->gate ? m->gate(m->arg) : 0;

	if (err)
		return err;
	if (off >= m->size)
		return -ENXIO;
	if (large >= m->base && large + SZ_2M <= m->base + m->size)
		*out = (struct mobj_page){ large, large - m->base, SZ_2M };
	else
		*out = (struct mobj_page){ m->base + ALIGN_DOWN(off, PAGE_SIZE),
					   ALIGN_DOWN(off, PAGE_SIZE), SZ_4K };
	return 0;
}

int mobj_page(struct mobj *m, u64 off, bool alloc, struct mobj_page *out)
{
	int err;

	if (m->phys)
		return phys_page(m, off, out);
	mutex_lock(&m->lock);
	err = mobj_page_locked(m, off, alloc, out);
	mutex_unlock(&m->lock);
	return err;
}

enum { COPY_STEP = 0x8000 };

/* in: to the object, from src. Otherwise to dst; what was never written reads as zero. */
static int copy(struct mobj *m, u64 off, void *dst, const void *src, size_t n)
{
	bool in = src != NULL;

	if (m->phys)
		return -ENXIO;
	while (n) {
		struct mobj_page page;
		size_t part = MIN(n, (size_t)(PAGE_SIZE - (off & (PAGE_SIZE - 1))));
		int err;

		mutex_lock(&m->lock);
		err = mobj_page_locked(m, off, in, &page);
		if (!err) {
			char *p = (char *)phys_to_virt(page.pa) + (off - page.off);

			part = MIN(MIN(n, (size_t)(page.size - (off - page.off))), (size_t)COPY_STEP);
			memcpy(in ? p : dst, in ? src : p, part);
		} else if (err == -ENOENT) {
			memset(dst, 0, part);
			err = 0;
		}
		mutex_unlock(&m->lock);
		if (err)
			return err;
		off += part;
		n -= part;
		dst = in ? NULL : (char *)dst + part;
		src = in ? (const char *)src + part : NULL;
		resched_point();
	}
	return 0;
}

int mobj_write(struct mobj *m, u64 off, const void *src, size_t n)
{
	return copy(m, off, NULL, src, n);
}

int mobj_read(struct mobj *m, u64 off, void *dst, size_t n)
{
	return copy(m, off, dst, NULL, n);
}

/* What is behind the new end is out of everybody's reach first, then out of sight, then gone. */
static int shrink(struct mobj *m, u64 size)
{
	u64 gone = m->size - size;
	int err = 0;

	mutex_lock(&m->lock);
	if (mobj_pinned_locked(m, size, gone))
		err = -EBUSY;
	else
		err = mobj_cut_locked(m, size);
	if (!err)
		m->size = size;
	mutex_unlock(&m->lock);
	if (err)
		return err;
	mobj_zap(m, size, gone);
	mutex_lock(&m->lock);
	BUG_ON(mobj_discard_locked(m, size, m->pages.top - size)); /* cut before */
	mutex_unlock(&m->lock);
	return 0;
}

int mobj_resize(struct mobj *m, u64 size)
{
	int err;

	if (m->phys || size > MOBJ_MAX)
		return m->phys ? -EINVAL : -ENOMEM;
	size = ALIGN_UP(size, PAGE_SIZE);
	if (size < mobj_size(m))
		return shrink(m, size);
	mutex_lock(&m->lock);
	err = pt_raise(&m->pages, size);
	if (!err)
		m->size = size;
	mutex_unlock(&m->lock);
	return err;
}
