/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests of devices: page-table walks, the translations and table pointers that a unit remembers, and
 * what is still in flight (3.7, 6.2.4, 6.2.5).
 */
#include <stdlib.h>

#include "tests/model/vtd_model.h"

struct vm_translation *vm_remember(struct vm_unit *u, struct vm_translation t)
{
	struct vm_translation *n = malloc(sizeof(*n));

	*n = t;
	LIST_INSERT_HEAD(&u->translations, n, link);
	return n;
}

static struct vm_translation *find(struct vm_unit *u, u16 did, u64 iova, unsigned level)
{
	struct vm_translation *t;

	LIST_FOREACH(t, &u->translations, link)
		if (t->did == did && t->level == level && iova - t->iova < t->size)
			return t;
	return NULL;
}

static u64 span(unsigned level)
{
	return 1ull << (12 + 9 * (level - 1));
}

/* One page of address space: a remembered translation, or a walk from the lowest remembered table. */
static struct vm_translation *translate(struct vm_unit *u, const struct vm_stage *c, u64 iova)
{
	static struct vm_translation none;
	struct vm_translation *t = find(u, c->did, iova, 1);
	unsigned levels = c->levels, level, large = c->first ? 1 | u->c.first_1g << 1 : u->c.large;
	u64 table = c->table;
	bool read = true, write = true;

	if (t)
		return t;
	for (level = 2; level <= levels; level++) {
		t = find(u, c->did, iova, level);
		if (t)
			break;
	}
	if (t) {
		table = t->to;
		read = t->read;
		write = t->write;
		level--;
	} else {
		level = levels;
	}
	for (;; level--) {
		u64 e = vm_mem_as(u, table + (iova >> (12 + 9 * (level - 1)) & 511) * 8, c->snoops);
		bool leaf = level == 1 || (e & 0x80);
		u64 to = e & 0xffffffffff000ull, present = c->first ? 1 : 3, allowed = c->first ? (leaf ? 0xe7 : 0x27) : 3 | 0x700 | (leaf && u->c.snoop ? 0x800 : 0) |
			(level == 1 ? 0x7c : leaf ? 0xfc : 0x3c);

		none = (struct vm_translation){ .did = c->did, .iova = iova & ~(span(level) - 1), .size = span(level),
						.level = 1, .reason = 1 };
		if (!(e & present)) {
			none.iova = iova & ~0xfffull;
			none.size = 4096;
			return u->c.caching_mode ? vm_remember(u, none) : &none;
		}
		if ((e & 0xfff & ~allowed) || e >> 52 || (c->first && (!(e & 4) || !(e & 0x20) || (leaf && !(e & 0x40)))) ||
		    (leaf && level > 1 && (level > 3 || !(large >> (level - 2) & 1) || (to & (span(level) - 1))))) {
			vm_violation("malformed page-table entry");
			none.reason = 0xc;
			return &none;
		}
		read &= e & 1; /* first stage: bit 0 is presence, which lets read */
		write &= e >> 1 & 1;
		if (leaf)
			return vm_remember(u, (struct vm_translation){ .did = c->did, .iova = none.iova, .size = none.size,
						.to = to, .level = 1, .read = read, .write = write });
		vm_remember(u, (struct vm_translation){ .did = c->did, .iova = none.iova, .size = none.size, .to = to,
					.level = (u8)level, .read = read, .write = write });
		table = to;
	}
}

void vm_drop_translations(struct vm_unit *u, unsigned g, u16 did, u64 iova, unsigned mask, bool leaf_only)
{
	u64 size = 4096ull << mask;
	struct vm_translation *t, *next;

	iova &= ~(size - 1);
	for (t = LIST_FIRST(&u->translations); t; t = next) {
		next = LIST_NEXT(t, link);
		if (g != 1 && t->did != did)
			continue;
		if (g == 3 && (t->iova + t->size <= iova || iova + size <= t->iova || (leaf_only && t->level > 1)))
			continue;
		LIST_REMOVE(t, link);
		free(t);
	}
}

void vm_drain(struct vm_unit *u, unsigned g, u16 did, bool reads, bool writes)
{
	for (unsigned i = 0; i < 16; i++)
		if (!u->flight[i].translated && (g == 1 || u->flight[i].did == did) && (u->flight[i].write ? writes : reads))
			u->flight[i].busy = false;
}

u8 vm_lookup(struct vm_unit *u, u16 sid, u64 iova, bool by_device, struct vm_stage *s, const struct vm_translation **t)
{
	const struct vm_context *c = vm_context(u, sid);
	u8 reason = c->reason;

	if (!reason && by_device && !(c->e.lo & 4))
		reason = vm_scalable(u) ? 0x44 : 0xd;
	if (reason)
		return reason;
	*s = vm_stage_of(u, c);
	if (s->reason)
		return s->reason;
	if (iova >> (MIN(u->c.width, 12 + 9 * s->levels) - s->first))
		return s->first ? 0x80 : vm_scalable(u) ? 0x84 : 4;
	*t = translate(u, s, iova);
	return (*t)->reason == 0xc ? 0xc : 0;
}

bool vm_dma(struct vm_unit *u, u16 sid, u64 iova, bool write, paddr_t *pa)
{
	const struct vm_translation *t;
	struct vm_stage s;
	u8 reason;

	*pa = iova;
	if (!(u->gsts >> 31))
		return true;
	vm_entries_look(u, false);
	reason = vm_lookup(u, sid, iova, false, &s, &t);
	if (!reason)
		reason = (write ? t->write : t->read) && !t->reason ? 0 : write ? 5 : 6;
	if (reason) {
		vm_fault(u, sid, iova & ~0xfffull, write, reason);
		return false;
	}
	*pa = t->to + (iova - t->iova);
	u->flight[u->flight_next++ % 16] = (struct vm_flight){ s.did, sid, write, true, false, iova };
	return true;
}

unsigned vm_in_flight(const struct vm_unit *u, u16 sid, u64 iova, u64 size)
{
	unsigned n = 0;

	for (unsigned i = 0; i < 16; i++)
		n += u->flight[i].busy && u->flight[i].sid == sid && u->flight[i].iova - iova < size;
	return n;
}
