/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Context and PASID entries: read as the unit reads them, checked, and remembered until dropped (6.2.2, 6.2.3).
 */
#include <stdlib.h>

#include "tests/model/vtd_model.h"

bool vm_scalable(const struct vm_unit *u)
{
	return (u->root >> 10 & 3) == 1;
}

/* 9.2 and 9.4 */
static void scalable_context(struct vm_unit *u, u16 sid, struct vm_context *found)
{
	u64 r = vm_mem(u, (u->root & ~0xfffull) + (sid >> 8) * 16 + (sid & 0x80 ? 8 : 0)), at;

	if (!(r & 1)) {
		found->reason = 0x39;
		return;
	}
	at = (r & ~0xfffull) + (sid & 0x7f) * 32;
	found->e = (struct vm_pair){ vm_mem(u, at), vm_mem(u, at + 8) };
	if (!(found->e.lo & 1))
		found->reason = 0x41;
	else if ((r & 0xffe) || (found->e.lo & (u->c.device_tlb ? 0xffa : 0xffe)) || found->e.hi || vm_mem(u, at + 16) || vm_mem(u, at + 24))
		found->reason = 0x42; /* of what is allowed, the driver uses nothing else */
}

const struct vm_context *vm_context(struct vm_unit *u, u16 sid)
{
	struct vm_context *c, found = { .sid = sid };
	u64 root = u->root & ~0xfffull, r;

	LIST_FOREACH(c, &u->contexts, link)
		if (c->sid == sid)
			return c;
	r = vm_scalable(u) ? 0 : vm_mem(u, root + (sid >> 8) * 16);
	if (vm_scalable(u)) {
		scalable_context(u, sid, &found);
	} else if (!(r & 1)) {
		found.reason = 1;
	} else if ((r & 0xffe) || vm_mem(u, root + (sid >> 8) * 16 + 8)) {
		found.reason = 0xa;
	} else {
		u64 at = (r & ~0xfffull) + (sid & 0xff) * 16;

		found.e = (struct vm_pair){ vm_mem(u, at), vm_mem(u, at + 8) };
		found.did = (u16)(found.e.hi >> 8);
		if (!(found.e.lo & 1))
			found.reason = 2;
		else if ((found.e.lo & 0xff2) || (found.e.hi & ~0xffff7full))
			found.reason = 0xb;
		else if ((found.e.lo & (u->c.device_tlb ? 8 : 0xc)) || !(u->c.sagaw >> (found.e.hi & 7) & 1) ||
			 found.did >= 16u << 2 * u->c.nd || (u->c.caching_mode && !found.did))
			found.reason = 3;
	}
	if (found.reason > 2 && found.reason != 0x39 && found.reason != 0x41)
		vm_violation("malformed root or context entry");
	if (!found.reason && (found.e.lo & 4) && !vm_device_find(u, sid))
		vm_violation("translated requests allowed to a function without ATS");
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

/* ---- PASID cache, 6.2.3 and 9.5, 9.6 ---- */

static struct vm_pasid *pasid(struct vm_unit *u, const struct vm_context *c)
{
	struct vm_pasid *p, found = { .sid = c->sid, .directory = c->e.lo & ~0xfffull };
	static struct vm_pasid last;
	unsigned type;
	u64 d;

	LIST_FOREACH(p, &u->pasids, link)
		if (p->sid == c->sid)
			return p;
	d = vm_mem(u, found.directory);
	for (unsigned i = 0; i < 8 && (d & 1); i++)
		found.e[i] = vm_mem(u, (d & ~0xfffull) + 8 * i);
	found.did = (u16)found.e[1];
	type = found.e[0] >> 6 & 7;
	if (!(d & 1))
		found.reason = 0x51;
	else if (!(found.e[0] & 1))
		found.reason = 0x59;
	else if ((found.e[0] & (u->c.first_only ? ~0x1c1ull : 0xe22)) || (!u->c.first_only && found.e[2]) || (found.e[1] & ~0x180ffffull) || found.e[3] | found.e[4] | found.e[5] | found.e[6] |
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
	return vm_scalable(u) && u->c.first_only;
}

struct vm_stage vm_stage_of(struct vm_unit *u, const struct vm_context *c)
{
	struct vm_pasid *p;

	if (!vm_scalable(u))
		return (struct vm_stage){ c->did, (c->e.hi & 7) + 2, c->e.lo & ~0xfffull, false, u->c.coherent, 0 };
	p = pasid(u, c);
	if (p->reason || u->c.first_only)
		return (struct vm_stage){ p->did, 4, p->e[2] & ~0xfffull, true, p->e[1] >> 23 & 1, p->reason };
	return (struct vm_stage){ p->did, (p->e[0] >> 2 & 7) + 2, p->e[0] & ~0xfffull, false, p->e[1] >> 23 & 1, 0 };
}

void vm_drop_contexts(struct vm_unit *u, unsigned g, u16 did, u16 sid)
{
	struct vm_context *c, *next;

	for (c = LIST_FIRST(&u->contexts); c; c = next) {
		next = LIST_NEXT(c, link);
		/* 6.5.2.1: in scalable mode they carry no domain id */
		if (g == 1 || ((vm_scalable(u) || c->did == did) && (g == 2 || c->sid == sid))) {
			LIST_REMOVE(c, link);
			free(c);
		}
	}
}
