/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The heap: objects of a few sizes cut from 4 KiB pages, larger ones as runs of pages.
 *
 * A slab page begins with its own record, so the page of an object is found by its address; an
 * address that is page aligned is a run of pages, whose length the frame allocator knows.  A bitmap
 * says which objects are out, so that a double free and a wild pointer stop the machine at once.
 * Pages with a free object are on their class's list; an empty page goes back unless it is the
 * list's only one.
 */
#include <sys/queue.h>

#include "kernel/frames.h"
#include "kernel/thread.h"

#define SLAB_MAGIC 0x51ab51abu
#define SLAB_OBJECTS (PAGE_SIZE - sizeof(struct slab)) /* bytes for objects */
#define SLAB_LARGEST 2016u
#define HEAP_LARGEST 0x100000u

struct slab {
	u32 magic;
	u16 class, used;
	TAILQ_ENTRY(slab) link;
	u64 out[4]; /* bit per object */
	u64 pad;
};
_Static_assert(sizeof(struct slab) == 64, "objects start on a cache line");
_Static_assert((PAGE_SIZE - sizeof(struct slab)) / 16 <= 256, "bitmap covers the smallest class");

struct slab_class {
	struct spinlock lock;
	u16 size, count; /* bytes; objects of a page */
	TAILQ_HEAD(slab_list, slab) partial;
};
#define CLASS(i, bytes)                                                                            \
	[i] = { SPINLOCK_INIT, bytes, (PAGE_SIZE - sizeof(struct slab)) / (bytes),                 \
		TAILQ_HEAD_INITIALIZER(classes[i].partial) }
static struct slab_class classes[] = {
	CLASS(0, 16),  CLASS(1, 32),  CLASS(2, 48),   CLASS(3, 64),	CLASS(4, 96),
	CLASS(5, 128), CLASS(6, 192), CLASS(7, 256),  CLASS(8, 336),	CLASS(9, 496),
	CLASS(10, 672), CLASS(11, 1008), CLASS(12, 1344), CLASS(13, SLAB_LARGEST),
};

/* Class by size in units of 16 bytes, rounded up: the sizes above in one byte each. */
#define TO(first, last, class) [(first) / 16 ... (last) / 16] = class
static const u8 class_by_size[SLAB_LARGEST / 16 + 1] = {
	TO(0, 16, 0),	   TO(32, 32, 1),     TO(48, 48, 2),	  TO(64, 64, 3),      TO(80, 96, 4),
	TO(112, 128, 5),   TO(144, 192, 6),   TO(208, 256, 7),	  TO(272, 336, 8),    TO(352, 496, 9),
	TO(512, 672, 10),  TO(688, 1008, 11), TO(1024, 1344, 12), TO(1360, 2016, 13),
};

static struct slab *slab_create(struct slab_class *c)
{
	paddr_t pa = frame_alloc_run(1);
	struct slab *s;

	if (pa == FRAME_NONE)
		return NULL;
	s = phys_to_virt(pa);
	memset(s, 0, sizeof(*s));
	s->magic = SLAB_MAGIC;
	s->class = (u16)(c - classes);
	if (frames_watch)
		frames_watch->freed(s + 1, SLAB_OBJECTS, false);
	return s;
}

/* The first object that is in. The caller knows there is one. */
static void *slab_take(struct slab *s, struct slab_class *c)
{
	unsigned w = 0, i;

	while (s->out[w] == ~0ull)
		w++;
	i = w * 64 + (unsigned)__builtin_ctzll(~s->out[w]);
	s->out[w] |= BIT(i % 64);
	if (++s->used == c->count)
		TAILQ_REMOVE(&c->partial, s, link);
	return (char *)(s + 1) + i * c->size;
}

static void *small_alloc(size_t n)
{
	struct slab_class *c = &classes[class_by_size[(n + 15) / 16]];
	bool on = spin_lock(&c->lock);
	struct slab *s = TAILQ_FIRST(&c->partial);
	void *p;

	if (!s) {
		spin_unlock(&c->lock, on);
		s = slab_create(c);
		if (!s)
			return NULL;
		on = spin_lock(&c->lock);
		TAILQ_INSERT_HEAD(&c->partial, s, link);
	}
	p = slab_take(s, c);
	spin_unlock(&c->lock, on);
	if (frames_watch)
		frames_watch->taken(p, n);
	return p;
}

static void small_free(void *p)
{
	struct slab *s = (struct slab *)ALIGN_DOWN((uintptr_t)p, PAGE_SIZE);
	struct slab_class *c;
	unsigned off, i;
	bool on, empty = false;

	BUG_ON(s->magic != SLAB_MAGIC);
	c = &classes[s->class];
	off = (unsigned)((char *)p - (char *)(s + 1));
	i = off / c->size;
	on = spin_lock(&c->lock);
	BUG_ON(off != i * c->size || i >= c->count || !(s->out[i / 64] & BIT(i % 64)));
	s->out[i / 64] &= ~BIT(i % 64);
	if (s->used-- == c->count)
		TAILQ_INSERT_TAIL(&c->partial, s, link);
	if (!s->used && (TAILQ_FIRST(&c->partial) != s || TAILQ_NEXT(s, link))) {
		TAILQ_REMOVE(&c->partial, s, link);
		s->magic = 0;
		empty = true;
	}
	if (frames_watch)
		frames_watch->freed(p, c->size, false);
	spin_unlock(&c->lock, on);
	if (empty)
		frame_put(virt_to_phys(s));
}

void *kmalloc(size_t n)
{
	paddr_t pa;

	if (n <= SLAB_LARGEST)
		return n && frames_watch && frames_watch->refuse(n) ? NULL : small_alloc(n);
	if (n > HEAP_LARGEST)
		return NULL;
	pa = frame_alloc_run((unsigned)(ALIGN_UP(n, PAGE_SIZE) >> PAGE_SHIFT));
	return pa == FRAME_NONE ? NULL : phys_to_virt(pa);
}

void *kzalloc(size_t n)
{
	void *p = kmalloc(n);

	if (p)
		memset(p, 0, n);
	return p;
}

void *kcalloc(size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		return NULL;
	return kzalloc(bytes);
}

void kfree(void *p)
{
	if (!p)
		return;
	if (IS_ALIGNED((uintptr_t)p, PAGE_SIZE))
		frame_put(virt_to_phys(p));
	else
		small_free(p);
}
