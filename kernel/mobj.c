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
	if (m->phys)
		return phys_page(m, off, out);
	guard_mutex(&m->lock);
	return mobj_page_locked(m, off, alloc, out);
}

enum { COPY_STEP = 0x8000 };

/*
 * A step of n bytes at most, inside one page: to the object from src, else to dst, where what was never
 * written reads as zero. Bytes done, or -errno.
 */
static s64 copy_step(struct mobj *m, u64 off, void *dst, const void *src, size_t n)
{
	struct mobj_page page;
	char *p;
	int err;

	guard_mutex(&m->lock);
	err = mobj_page_locked(m, off, src != NULL, &page);
	if (err == -ENOENT) {
		n = MIN(n, (size_t)(PAGE_SIZE - (off & (PAGE_SIZE - 1))));
		memset(dst, 0, n);
		return (s64)n;
	}
	if (err)
		return err;
	p = (char *)phys_to_virt(page.pa) + (off - page.off);
	n = MIN(MIN(n, (size_t)(page.size - (off - page.off))), (size_t)COPY_STEP);
	memcpy(src ? p : dst, src ? src : p, n);
	return (s64)n;
}

static int copy(struct mobj *m, u64 off, char *dst, const char *src, size_t n)
{
	if (m->phys)
		return -ENXIO;
	for (size_t done = 0; done < n;) {
		s64 step = copy_step(m, off + done, dst ? dst + done : NULL, src ? src + done : NULL, n - done);

		if (step < 0)
			return (int)step;
		done += (size_t)step;
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

/* Nobody can reach what is behind the new end any more. */
static int size_reduce(struct mobj *m, u64 size)
{
	guard_mutex(&m->lock);
	if (mobj_pinned_locked(m, size, m->size - size))
		return -EBUSY;
	if (mobj_cut_locked(m, size))
		return -ENOMEM;
	m->size = size;
	return 0;
}

/* Out of reach, then out of sight, then gone: no view shows a page that is about to be freed. */
static int shrink(struct mobj *m, u64 size)
{
	u64 old = m->size;
	int err = size_reduce(m, size);

	if (err)
		return err;
	mobj_zap(m, size, old - size);
	guard_mutex(&m->lock);
	BUG_ON(mobj_discard_locked(m, size, m->pages.top - size)); /* cut before */
	return 0;
}

int mobj_resize(struct mobj *m, u64 size)
{
	if (m->phys || size > MOBJ_MAX)
		return m->phys ? -EINVAL : -ENOMEM;
	size = ALIGN_UP(size, PAGE_SIZE);
	if (size < mobj_size(m))
		return shrink(m, size);
	guard_mutex(&m->lock);
	if (pt_raise(&m->pages, size))
		return -ENOMEM;
	m->size = size;
	return 0;
}
