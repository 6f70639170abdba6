/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The model's memory as it sees it, its walks, and all that it remembers.
 */
#include <sanitizer/asan_interface.h>
#include <stdlib.h>
#include <string.h>

#include "tests/host/host.h"
#include "tests/model/vtd_model.h"

#define PAGES (HOST_RAM_SIZE >> 12)
#define GARBAGE 0x5a5a5a5a5a5a5a5bull /* reads as present, and points nowhere */
#define PENDING 65536

/* ---- memory as flushed ---- */

bool vm_shadow_buffered;
static u64 *shadow[PAGES];
static struct { u64 pa; u64 v; } pending[PENDING];
static unsigned npending;

static u64 *shadow_page(u64 pa)
{
	u64 **p = &shadow[pa >> 12];

	if (!*p) {
		*p = malloc(4096);
		for (unsigned i = 0; i < 512; i++)
			(*p)[i] = GARBAGE;
	}
	return *p;
}

void vm_write_buffer_drain(void)
{
	for (unsigned i = 0; i < npending; i++)
		shadow_page(pending[i].pa)[(pending[i].pa & 0xfff) / 8] = pending[i].v;
	npending = 0;
}

void vm_shadow_flush(const void *p, size_t n)
{
	u64 pa = virt_to_phys(p), end = (pa + n + 63) & ~63ull;

	for (pa &= ~63ull; pa < end; pa += 8) {
		u64 v = *(u64 *)phys_to_virt(pa);

		if (!vm_shadow_buffered) {
			shadow_page(pa)[(pa & 0xfff) / 8] = v;
			continue;
		}
		if (npending == PENDING)
			vm_write_buffer_drain(); /* a real one is smaller still */
		pending[npending].pa = pa;
		pending[npending++].v = v;
	}
}

void vm_shadow_evict(const void *p, size_t n)
{
	u64 pa = virt_to_phys(p);

	for (u64 i = 0; i < PAGES; i++) {
		if (!shadow[i] || (i << 12 < pa + n && (i + 1) << 12 > pa) ||
		    __asan_region_is_poisoned(phys_to_virt(i << 12), 4096)) /* free memory has no dirty lines */
			continue;
		for (unsigned w = 0; w < 512; w += 8)
			if (shadow[i][w] != GARBAGE)
				vm_shadow_flush((u64 *)phys_to_virt(i << 12) + w, 64);
	}
}

void vm_shadow_reset(void)
{
	for (u64 i = 0; i < PAGES; i++) {
		free(shadow[i]);
		shadow[i] = NULL;
	}
	npending = 0;
	vm_shadow_buffered = false;
}

static u64 mem_as(const struct vm_unit *u, u64 pa, bool snoops)
{
	u64 v;

	if (pa >= HOST_RAM_SIZE) {
		vm_violation("unit reads a table outside RAM");
		return 0;
	}
	v = snoops && !u->c.write_buffer ? *(volatile u64 *)phys_to_virt(pa) :
	    shadow_page(pa)[(pa & 0xfff) / 8];
	if (v == GARBAGE) {
		vm_violation("unit reads table memory that was never written back");
		return 0;
	}
	return v;
}

/* Root, context, PASID and interrupt entries. */
static u64 mem(const struct vm_unit *u, u64 pa)
{
	return mem_as(u, pa, u->c.coherent);
}

static bool scalable(const struct vm_unit *u)
{
	return (u->root >> 10 & 3) == 1;
}

/* ---- context cache, 6.2.2 ---- */

/* 9.2 and 9.4 */
static void scalable_context(struct vm_unit *u, u16 sid, struct vm_context *found)
{
	u64 r = mem(u, (u->root & ~0xfffull) + (sid >> 8) * 16 + (sid & 0x80 ? 8 : 0)), at;

	if (!(r & 1)) {
		found->reason = 0x39;
		return;
	}
	at = (r & ~0xfffull) + (sid & 0x7f) * 32;
	found->e = (struct vm_pair){ mem(u, at), mem(u, at + 8) };
	if (!(found->e.lo & 1))
		found->reason = 0x41;
	else if ((r & 0xffe) || (found->e.lo & 0xffe) || found->e.hi || mem(u, at + 16) || mem(u, at + 24))
		found->reason = 0x42; /* of what is allowed, the driver uses nothing else */
}

static struct vm_context *context(struct vm_unit *u, u16 sid)
{
	struct vm_context *c, found = { .sid = sid };
	u64 root = u->root & ~0xfffull, r;

	LIST_FOREACH(c, &u->contexts, link)
		if (c->sid == sid)
			return c;
	r = scalable(u) ? 0 : mem(u, root + (sid >> 8) * 16);
	if (scalable(u)) {
		scalable_context(u, sid, &found);
	} else if (!(r & 1)) {
		found.reason = 1;
	} else if ((r & 0xffe) || mem(u, root + (sid >> 8) * 16 + 8)) {
		found.reason = 0xa;
	} else {
		u64 at = (r & ~0xfffull) + (sid & 0xff) * 16;

		found.e = (struct vm_pair){ mem(u, at), mem(u, at + 8) };
		found.did = (u16)(found.e.hi >> 8);
		if (!(found.e.lo & 1))
			found.reason = 2;
		else if ((found.e.lo & 0xff2) || (found.e.hi & ~0xffff7full))
			found.reason = 0xb;
		else if ((found.e.lo & 0xc) || !(u->c.sagaw >> (found.e.hi & 7) & 1) ||
			 found.did >= 16u << 2 * u->c.nd || (u->c.caching_mode && !found.did))
			found.reason = 3;
	}
	if (found.reason > 2 && found.reason != 0x39 && found.reason != 0x41)
		vm_violation("malformed root or context entry");
	if (found.reason)
		found.did = 0;
	c = malloc(sizeof(*c));
	*c = found;
	/* An entry that is not present is remembered only under caching mode (6.1). */
	if (found.reason && !u->c.caching_mode) {
		static struct vm_context last;

		last = found;
		free(c);
		return &last;
	}
	LIST_INSERT_HEAD(&u->contexts, c, link);
	return c;
}

/* ---- PASID cache, 6.2.2 and 9.5, 9.6 ---- */

static struct vm_pasid *pasid(struct vm_unit *u, const struct vm_context *c)
{
	struct vm_pasid *p, found = { .sid = c->sid, .directory = c->e.lo & ~0xfffull };
	static struct vm_pasid last;
	unsigned type;
	u64 d;

	LIST_FOREACH(p, &u->pasids, link)
		if (p->sid == c->sid)
			return p;
	d = mem(u, found.directory);
	for (unsigned i = 0; i < 8 && (d & 1); i++)
		found.e[i] = mem(u, (d & ~0xfffull) + 8 * i);
	found.did = (u16)found.e[1];
	type = found.e[0] >> 6 & 7;
	if (!(d & 1))
		found.reason = 0x51;
	else if (!(found.e[0] & 1))
		found.reason = 0x59;
	else if ((found.e[0] & 0xe22) || (found.e[1] & ~0x180ffffull) || found.e[3] | found.e[4] | found.e[5] | found.e[6] |
		 found.e[7] || (!u->c.walk_snoop && (found.e[1] & 0x800000)) || (!u->c.snoop && (found.e[1] & 0x1000000)))
		found.reason = 0x5a;
	else if (type != (u->c.first_only ? 1 : 2) || !found.did || found.did >= 16u << 2 * u->c.nd ||
		 (type == 2 && !(u->c.sagaw >> (found.e[0] >> 2 & 7) & 1)) || (type == 1 && (found.e[2] & 0xfff)))
		found.reason = 0x5b;
	if (found.reason == 0x5a || found.reason == 0x5b)
		vm_violation("malformed PASID entry");
	if (found.reason)
		found.did = 0;
	if (found.reason && !u->c.caching_mode) {
		last = found;
		return &last;
	}
	p = malloc(sizeof(*p));
	*p = found;
	LIST_INSERT_HEAD(&u->pasids, p, link);
	return p;
}

void vm_drop_pasids(struct vm_unit *u, unsigned g, u16 did)
{
	struct vm_pasid *p, *next;

	for (p = LIST_FIRST(&u->pasids); p; p = next) {
		next = LIST_NEXT(p, link);
		if (g != 3 && p->did != did)
			continue;
		LIST_REMOVE(p, link);
		free(p);
	}
}

bool vm_first_stage(const struct vm_unit *u, u16 did)
{
	(void)did;
	return scalable(u) && u->c.first_only;
}

/* What a present context entry, and in scalable mode its PASID entry, leads to. */
struct stage {
	u16 did;
	unsigned levels;
	u64 table;
	bool first, snoops; /* first stage; page-table reads are coherent */
	u8 reason;
};

static struct stage stage_of(struct vm_unit *u, const struct vm_context *c)
{
	struct vm_pasid *p;

	if (!scalable(u))
		return (struct stage){ c->did, (c->e.hi & 7) + 2, c->e.lo & ~0xfffull, false, u->c.coherent, 0 };
	p = pasid(u, c);
	if (p->reason || u->c.first_only)
		return (struct stage){ p->did, 4, p->e[2] & ~0xfffull, true, p->e[1] >> 23 & 1, p->reason };
	return (struct stage){ p->did, (p->e[0] >> 2 & 7) + 2, p->e[0] & ~0xfffull, false, p->e[1] >> 23 & 1, 0 };
}

void vm_drop_contexts(struct vm_unit *u, unsigned g, u16 did, u16 sid)
{
	struct vm_context *c, *next;

	for (c = LIST_FIRST(&u->contexts); c; c = next) {
		next = LIST_NEXT(c, link);
		if (g == 1 || (c->did == did && (g == 2 || c->sid == sid))) {
			LIST_REMOVE(c, link);
			free(c);
		}
	}
}

/* ---- translations, 3.7 and 6.2.3 to 6.2.5 ---- */

static struct vm_translation *remember(struct vm_unit *u, struct vm_translation t)
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
static struct vm_translation *translate(struct vm_unit *u, const struct stage *c, u64 iova)
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
		u64 e = mem_as(u, table + (iova >> (12 + 9 * (level - 1)) & 511) * 8, c->snoops);
		bool leaf = level == 1 || (e & 0x80);
		u64 to = e & 0xffffffffff000ull, present = c->first ? 1 : 3, allowed = c->first ? (leaf ? 0xe7 : 0x27) : 3 | 0x700 | (leaf && u->c.snoop ? 0x800 : 0) |
			(level == 1 ? 0x7c : leaf ? 0xfc : 0x3c);

		none = (struct vm_translation){ .did = c->did, .iova = iova & ~(span(level) - 1), .size = span(level),
						.level = 1, .reason = 1 };
		if (!(e & present)) {
			none.iova = iova & ~0xfffull;
			none.size = 4096;
			return u->c.caching_mode ? remember(u, none) : &none;
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
			return remember(u, (struct vm_translation){ .did = c->did, .iova = none.iova, .size = none.size,
						.to = to, .level = 1, .read = read, .write = write });
		remember(u, (struct vm_translation){ .did = c->did, .iova = none.iova, .size = none.size, .to = to,
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
		if ((g == 1 || u->flight[i].did == did) && (u->flight[i].write ? writes : reads))
			u->flight[i].busy = false;
}

bool vm_dma(struct vm_unit *u, u16 sid, u64 iova, bool write, paddr_t *pa)
{
	const struct vm_context *c;
	const struct vm_translation *t;
	struct stage s = { 0 };
	u8 reason;

	*pa = iova;
	if (!(u->gsts >> 31))
		return true;
	c = context(u, sid);
	reason = c->reason;
	if (!reason) {
		s = stage_of(u, c);
		reason = s.reason;
	}
	if (!reason && iova >> (MIN(u->c.width, 12 + 9 * s.levels) - s.first))
		reason = s.first ? 0x80 : scalable(u) ? 0x83 : 4;
	if (!reason) {
		t = translate(u, &s, iova);
		reason = t->reason == 0xc ? 0xc : (write ? t->write : t->read) && !t->reason ? 0 : write ? 5 : 6;
	}
	if (reason) {
		vm_fault(u, sid, iova & ~0xfffull, write, reason);
		return false;
	}
	*pa = t->to + (iova - t->iova);
	u->flight[u->flight_next++ % 16] = (struct vm_flight){ s.did, sid, write, true, iova };
	return true;
}

unsigned vm_in_flight(const struct vm_unit *u, u16 sid, u64 iova, u64 size)
{
	unsigned n = 0;

	for (unsigned i = 0; i < 16; i++)
		n += u->flight[i].busy && u->flight[i].sid == sid && u->flight[i].iova - iova < size;
	return n;
}

/* ---- interrupts, 5.1 ---- */

void vm_drop_interrupts(struct vm_unit *u, bool one, u16 index, unsigned mask)
{
	u32 n = 1u << mask, first = one ? index & ~(n - 1) : 0;

	for (u32 i = 0; i < (one ? n : 65536u) && first + i < 65536; i++)
		u->irte_cached[first + i] = false;
}

bool vm_msi(struct vm_unit *u, u16 sid, u64 addr, u32 data, u32 *dest, u8 *vector)
{
	u32 index = (u32)((addr >> 5 & 0x7fff) | (addr & 4) << 13);
	bool on = u->gsts >> 25 & 1;
	struct vm_pair e;
	u16 check;
	u8 reason = 0;

	if (addr >> 20 != 0xfee)
		return false;
	if (!on || (!(addr & 0x10) && (u->gsts >> 23 & 1))) {
		*vector = (u8)data;
		*dest = addr >> 12 & 0xff;
		return true;
	}
	if (addr & 8)
		index += data & 0xffff;
	if (!(addr & 0x10))
		reason = 0x25;
	else if (!(addr & 8) && data)
		reason = 0x20;
	else if (index >= 2u << (u->irt & 0xf))
		reason = 0x21;
	if (!reason && !u->irte_cached[index]) {
		u64 at = (u->irt & ~0xfffull) + index * 16ull;

		u->irte[index] = (struct vm_pair){ mem(u, at), mem(u, at + 8) };
		u->irte_cached[index] = (u->irte[index].lo & 1) || u->c.caching_mode;
	}
	e = reason ? (struct vm_pair){ 0, 0 } : u->irte[index];
	check = (u16)e.hi;
	if (!reason && !(e.lo & 1))
		reason = 0x22;
	if (!reason && ((e.lo & 0xff00f0ecull) || e.hi >> 20 || (e.hi >> 18 & 3) == 3 || (e.hi >> 16 & 3) ||
			(!(u->irt & 0x800) && (e.lo >> 32 & ~0xff00ull)))) {
		vm_violation("malformed interrupt entry");
		reason = 0x24;
	}
	if (!reason && !(e.hi >> 18 & 3))
		vm_violation("interrupt entry checks no source");
	if (!reason && (e.hi >> 18 & 3) == 1 && check != sid)
		reason = 0x26;
	if (!reason && (e.hi >> 18 & 3) == 2 && (sid >> 8 < check >> 8 || sid >> 8 > (check & 0xff)))
		reason = 0x26;
	if (reason) {
		vm_fault(u, sid, (u64)index << 48, false, reason);
		return false;
	}
	*vector = (u8)(e.lo >> 16);
	*dest = u->irt & 0x800 ? (u32)(e.lo >> 32) : (u32)(e.lo >> 40 & 0xff);
	return true;
}

/* ---- firmware ---- */

void vm_firmware(struct vm_unit *u, bool translation, bool remapping, bool queue, paddr_t page)
{
	u64 *root = phys_to_virt(page), *table = phys_to_virt(page + 4096), *top = phys_to_virt(page + 8192);
	u64 *gib = phys_to_virt(page + 12288);

	/* Bus 0, function 00.0: the first GiB as it is, read and write, and all of it remembered. */
	root[0] = (page + 4096) | 1;
	table[0] = (page + 8192) | 1;
	table[1] = 1u << 8 | ((u->c.sagaw & 4) ? 2 : 1);
	memset(top, 0, 4096);
	memset(gib, 0, 4096);
	top[0] = u->c.sagaw & 4 ? (page + 12288) | 3 : 0x83;
	gib[0] = 0x83;
	for (unsigned i = 0; i < 4 * 512; i++)
		vm_shadow_flush(&root[i], 8);
	vm_write_buffer_drain();
	if (translation) {
		u->rtaddr = u->root = page;
		u->gsts |= 1u << 31 | 1u << 30;
		(void)context(u, 0);
		remember(u, (struct vm_translation){ .did = 1, .iova = 0, .size = 1u << 30, .to = 0, .level = 1,
						     .read = true, .write = true });
	}
	if (remapping) {
		u->irta = u->irt = page + 7;
		u->gsts |= 1u << 25 | 1u << 24 | 1u << 23;
		u->irte[5] = (struct vm_pair){ 1 | 0x30 << 16, 1u << 18 };
		u->irte_cached[5] = true;
	}
	if (queue) {
		u->iqa = page;
		u->iqh = 0x20; /* still at work, until it is read for the third time */
		u->iqt = 0x40;
		u->lag = 3;
		u->gsts |= 1u << 26;
	}
	u->gsts |= 1u << 28; /* advanced fault logging */
	u->pmen = 1u << 31 | 1;
}

void vm_firmware_mode(struct vm_unit *u, unsigned ttm)
{
	u->rtaddr |= ttm << 10;
	u->root |= ttm << 10;
	u->iqa |= 1u << 11; /* wide descriptors */
	if (ttm == 1) { /* and what it remembers of 00:16.0: the same GiB */
		struct vm_pasid *p = calloc(1, sizeof(*p));

		p->sid = 0xb0;
		p->did = 1;
		p->e[0] = ((u->root & ~0xfffull) + 8192) | 2 << 6 | (u->c.sagaw & 4 ? 2 : 1) << 2 | 1;
		LIST_INSERT_HEAD(&u->pasids, p, link);
	}
}

void vm_forget_caches(struct vm_unit *u)
{
	vm_drop_contexts(u, 1, 0, 0);
	vm_drop_pasids(u, 3, 0);
	vm_drop_translations(u, 1, 0, 0, 0, false);
	vm_drop_interrupts(u, false, 0, 0);
}
