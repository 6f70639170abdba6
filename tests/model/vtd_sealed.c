/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Barriers: stores between two of them may become visible in any order, and late.  So of the entries of
 * root, context and interrupt tables only one half may change between two barriers, and a request finds
 * none that was changed since the last one.  (On the processor that we have, only the compiler could
 * turn them round: this watches that it is told not to.)
 */
#include <sanitizer/asan_interface.h>
#include <stdlib.h>
#include <string.h>

#include "tests/host/host.h"
#include "tests/model/vtd_model.h"

static struct sealed {
	struct sealed *next;
	u64 pa;
	struct vm_pair was[256];
} *pages;

void vm_sealed_reset(void)
{
	while (pages) {
		struct sealed *p = pages;

		pages = p->next;
		free(p);
	}
}

static void page_look(u64 pa, bool barrier, bool halves)
{
	const struct vm_pair *is = phys_to_virt(pa);
	struct sealed *p = pages;

	if (pa >= HOST_RAM_SIZE || __asan_region_is_poisoned(phys_to_virt(pa), 4096))
		return;
	while (p && p->pa != pa)
		p = p->next;
	if (!p) {
		p = malloc(sizeof(*p));
		p->pa = pa;
		p->next = pages;
		pages = p;
	} else if (memcmp(p->was, is, sizeof(p->was))) {
		if (!barrier)
			vm_violation("an entry was changed and no barrier came after it");
		for (unsigned i = 0; i < 256 && !halves; i++)
			if (p->was[i].lo != is[i].lo && p->was[i].hi != is[i].hi)
				vm_violation("both halves of an entry were changed without a barrier in between");
	}
	memcpy(p->was, is, sizeof(p->was));
}

void vm_entries_look(const struct vm_unit *u, bool barrier)
{
	const struct vm_pair *root = phys_to_virt(u->root & ~0xfffull);

	for (unsigned bus = 0; (u->gsts >> 30 & 1) && bus < 256; bus++) {
		if (root[bus].lo & 1)
			page_look(root[bus].lo & ~0xfffull, barrier, false);
		if (root[bus].hi & 1)
			page_look(root[bus].hi & ~0xfffull, barrier, false);
	}
	if (u->gsts >> 30 & 1)
		page_look(u->root & ~0xfffull, barrier, true); /* halves of their own */
	for (u64 at = 0; (u->gsts >> 24 & 1) && at < 32ull << (u->irt & 0xf); at += 4096)
		page_look((u->irt & ~0xfffull) + at, barrier, false);
}
