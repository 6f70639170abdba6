/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A page of ring 0 with a known pattern, for demonstrations and tests of isolation: its physical
 * address is told, and whether it is still what it was.
 */
#include <stdio.h>

#include "kernel/frames.h"
#include "kernel/tree.h"

/* Guests' memory starts at device address 0: a page below is an address that their devices may use. */
#define CANARY_LOWEST (SZ_1G / 2)

static paddr_t page = FRAME_NONE;

/* Lower frames are taken and given back, untouched: once, at boot. */
static paddr_t high_page(void)
{
	static paddr_t low[CANARY_LOWEST / SZ_2M];
	unsigned n = 0;
	paddr_t pa;

	while ((pa = frame_alloc_dirty(SZ_2M)) != FRAME_NONE && pa < CANARY_LOWEST)
		low[n++] = pa;
	while (n > 0)
		frame_put(low[--n]);
	return pa != FRAME_NONE ? pa : frame_alloc(SZ_4K);
}

static u8 pattern(unsigned i)
{
	return (u8)(0xc5 ^ (i * 7) ^ (i >> 8));
}

static s64 canary_show(struct node *, char *buf, size_t cap)
{
	const volatile u8 *p = phys_to_virt(page);

	for (unsigned i = 0; i < PAGE_SIZE; i++)
		if (p[i] != pattern(i))
			return snprintf(buf, cap, "0x%llx CHANGED at byte %u\n", (unsigned long long)page, i);
	return snprintf(buf, cap, "0x%llx intact\n", (unsigned long long)page);
}

static const struct node_ops canary_node = { .show = canary_show, .mode = 0444 };

void canary_init(void)
{
	u8 *p;

	page = high_page();
	if (page == FRAME_NONE)
		return;
	p = phys_to_virt(page);
	for (unsigned i = 0; i < PAGE_SIZE; i++)
		p[i] = pattern(i);
	node_add("/sys/kernel/postern/canary", &canary_node, NULL);
}
