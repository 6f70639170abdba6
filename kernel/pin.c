/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pins: physically contiguous runs, kept until released.  Iterating in order costs a few instructions
 * a run: the pin remembers where the last look was.
 */
#include "kernel/frames.h"
#include "kernel/pin.h"
#include "kernel/thread.h"

_Static_assert(sizeof(struct pin_chunk) + PIN_CHUNK * sizeof(struct pin_record) <= PAGE_SIZE,
	       "a chunk is one page");

struct pin *pin_create(void)
{
	struct pin *p = kmalloc(sizeof(*p) + PIN_INLINE * sizeof(struct pin_record));

	if (!p)
		return NULL;
	p->len = 0;
	p->last = &p->first;
	p->at = 0;
	p->first.next = NULL;
	p->first.used = 0;
	p->first.cap = PIN_INLINE;
	return p;
}

int pin_append(struct pin *p, paddr_t pa, u64 len)
{
	struct pin_chunk *c = p->last;

	if (c->used == c->cap) {
		c = kmalloc(sizeof(*c) + PIN_CHUNK * sizeof(struct pin_record));
		if (!c)
			return -ENOMEM;
		c->next = NULL;
		c->used = 0;
		c->cap = PIN_CHUNK;
		p->last->next = c;
		p->last = c;
	}
	/* Where a frame has no reference left to give, the pin ends with what it has got. */
	c->run[c->used++] = (struct pin_record){ p->len, pa };
	while (len) {
		u64 n = frame_get_run(pa, len);

		if (!n)
			return refuse(-ENOMEM, "a page of it is pinned %u times already", FRAME_REFS_MAX);
		p->len += n;
		pa += n;
		len -= n;
		if (len)
			resched_point();
	}
	return 0;
}

/* Where the run behind record i of c begins. */
static u64 record_end(const struct pin *p, const struct pin_chunk *c, u32 i)
{
	if (i + 1 < c->used)
		return c->run[i + 1].off;
	return c->next ? c->next->run[0].off : p->len;
}

bool pin_next(const struct pin *p, u64 *pos, struct pin_run *run)
{
	struct pin *hint = (struct pin *)p; /* pins are heap objects; the hint is no part of the value */
	const struct pin_chunk *c = p->last;
	u32 i = p->at;

	if (*pos >= p->len)
		return false;
	if (i >= c->used || c->run[i].off > *pos) {
		c = &p->first;
		i = 0;
	}
	while (record_end(p, c, i) <= *pos) {
		if (++i < c->used)
			continue;
		c = c->next;
		i = 0;
	}
	hint->last = (struct pin_chunk *)c;
	hint->at = i;
	run->pa = c->run[i].pa + (*pos - c->run[i].off);
	run->len = record_end(p, c, i) - *pos;
	*pos += run->len;
	return true;
}

void pin_release(struct pin *p)
{
	struct pin_chunk *c = &p->first, *next;

	for (; c; c = next) {
		for (u32 i = 0; i < c->used; i++) {
			paddr_t pa = c->run[i].pa;
			u64 len = record_end(p, c, i) - c->run[i].off;

			while (len) {
				u64 n = frame_put_run(pa, len);

				pa += n;
				len -= n;
				resched_point();
			}
		}
		next = c->next;
		if (c != &p->first)
			kfree(c);
	}
	kfree(p);
}
