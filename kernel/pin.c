/* SPDX-License-Identifier: GPL-2.0-only */
/* Pins: physically contiguous runs, kept until released. */
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
	p->first.next = NULL;
	p->first.used = 0;
	p->first.cap = PIN_INLINE;
	return p;
}

int pin_append(struct pin *p, paddr_t pa, u64 len)
{
	struct pin_chunk *c = p->last;
	struct pin_record *r;

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
	r = &c->run[c->used++];
	*r = (struct pin_record){ pa, 0 };
	while (len) {
		u64 n = frame_get_run(pa, len);

		if (!n)
			return refuse(-ENOMEM, "a page of it is pinned %u times already", FRAME_REFS_MAX);
		r->len += n;
		p->len += n;
		pa += n;
		len -= n;
		if (len)
			resched_point();
	}
	return 0;
}

bool pin_next(const struct pin *p, u64 *pos, struct pin_run *run)
{
	if (*pos >= p->len)
		return false;
	if (!*pos) {
		run->chunk = &p->first;
		run->at = 0;
	} else if (++run->at == run->chunk->used) {
		run->chunk = run->chunk->next;
		run->at = 0;
	}
	run->pa = run->chunk->run[run->at].pa;
	run->len = run->chunk->run[run->at].len;
	*pos += run->len;
	return true;
}

void pin_release(struct pin *p)
{
	struct pin_chunk *c = &p->first, *next;

	for (; c; c = next) {
		for (u32 i = 0; i < c->used; i++) {
			paddr_t pa = c->run[i].pa;
			u64 len = c->run[i].len;

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
