/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * 4 KiB pages of split frames.  Frames with a free page are on frames.partial; a full one is on no
 * list.  The page of the records counts as free as well: it comes back with the last other page, and
 * nothing seems lost meanwhile.  frames.lock is held throughout.
 */
#include "kernel/frames_records.h"

static void split_init(struct frame *f, unsigned records)
{
	struct frame_split *s;

	f->state = FRAME_STATE_SPLIT;
	f->records = (u16)records;
	s = frame_split_of(f);
	if (frames_watch)
		frames_watch->taken(s, PAGE_SIZE);
	memset(s, 0, sizeof(*s));
}

static void page_set_free(struct frame *f, struct frame_split *s, unsigned i, bool zeroed)
{
	s->free[i / 64] |= BIT(i % 64);
	if (zeroed)
		s->zero[i / 64] |= BIT(i % 64);
	if (s->nfree++ == 0)
		TAILQ_INSERT_HEAD(&frames.partial, f, link);
}

void frame_add_pages(paddr_t base, paddr_t end)
{
	struct frame *f = frame_record(base);
	struct frame_split *s;

	if (f->state == FRAME_STATE_NONE) {
		split_init(f, frame_page(base));
		base += PAGE_SIZE;
	}
	s = frame_split_of(f);
	for (; base < end; base += PAGE_SIZE) {
		unsigned i = frame_page(base);

		s->ram[i / 64] |= BIT(i % 64);
		page_set_free(f, s, i, false);
		frames.total_pages++;
		frames.free_pages++;
	}
}

/* Cut up the last free frame: the first ones stay together for runs of 2 MiB frames. */
static struct frame *split_whole(void)
{
	struct frame *f = TAILQ_LAST(&frames.free, frame_list);
	struct frame_split *s;

	if (!f)
		return NULL;
	TAILQ_REMOVE(&frames.free, f, link);
	split_init(f, 0);
	s = frame_split_of(f);
	for (unsigned w = 0; w < FRAME_PAGES / 64; w++)
		s->free[w] = s->ram[w] = w ? ~0ull : ~1ull;
	s->nfree = FRAME_PAGES - 1;
	TAILQ_INSERT_HEAD(&frames.partial, f, link);
	return f;
}

/* First page of n free ones in a row, or -1. */
static int find_run(const struct frame_split *s, unsigned n)
{
	unsigned len = 0;

	for (unsigned i = 0; i < FRAME_PAGES; i++) {
		if (!(s->free[i / 64] & BIT(i % 64)))
			len = 0;
		else if (++len == n)
			return (int)(i + 1 - n);
	}
	return -1;
}

static int find_page(const struct frame_split *s)
{
	int any = -1;

	for (unsigned w = 0; w < FRAME_PAGES / 64; w++) {
		u64 zero = s->free[w] & s->zero[w];

		if (zero)
			return (int)(w * 64) + __builtin_ctzll(zero);
		if (any < 0 && s->free[w])
			any = (int)(w * 64) + __builtin_ctzll(s->free[w]);
	}
	return any;
}

static paddr_t take(struct frame *f, unsigned first, unsigned n, bool *zeroed)
{
	struct frame_split *s = frame_split_of(f);

	*zeroed = n == 1 && (s->zero[first / 64] & BIT(first % 64));
	for (unsigned i = first; i < first + n; i++) {
		s->free[i / 64] &= ~BIT(i % 64);
		s->zero[i / 64] &= ~BIT(i % 64);
		s->refs[i] = i == first ? 1 : FRAME_RUN_TAIL;
		s->note[i] = 0;
	}
	s->nfree -= n;
	if (!s->nfree)
		TAILQ_REMOVE(&frames.partial, f, link);
	frames.free_pages -= n;
	return frame_address(f) + ((u64)first << PAGE_SHIFT);
}

paddr_t frame_take_pages(unsigned n, bool *zeroed)
{
	struct frame *f = TAILQ_FIRST(&frames.partial);
	int first;

	if (n == 1 && f)
		return take(f, (unsigned)find_page(frame_split_of(f)), 1, zeroed);
	/* A long run is looked for in a few frames only; then a fresh one is cut. */
	for (unsigned tries = 0; f && tries < 8; tries++, f = TAILQ_NEXT(f, link)) {
		first = frame_split_of(f)->nfree < n ? -1 : find_run(frame_split_of(f), n);
		if (first >= 0)
			return take(f, (unsigned)first, n, zeroed);
	}
	f = split_whole();
	return f ? take(f, 1, n, zeroed) : FRAME_NONE;
}

void frame_return_page(paddr_t pa, bool zeroed)
{
	struct frame *f = frame_record(pa);
	struct frame_split *s = frame_split_of(f);
	unsigned i = frame_page(pa);

	BUG_ON(s->free[i / 64] & BIT(i % 64));
	s->refs[i] = 0;
	page_set_free(f, s, i, zeroed);
	frames.free_pages++;
	if (s->nfree != FRAME_PAGES - 1 || f->records != 0)
		return;
	TAILQ_REMOVE(&frames.partial, f, link);
	f->state = FRAME_STATE_FREE;
	TAILQ_INSERT_TAIL(&frames.free, f, link);
	if (frames_watch)
		frames_watch->freed(s, PAGE_SIZE, false);
}
