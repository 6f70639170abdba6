/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory as a unit sees it: only what was flushed from the caches, and behind a write buffer later still.
 */
#include <sanitizer/asan_interface.h>
#include <stdlib.h>

#include "tests/host/host.h"
#include "tests/model/vtd_model.h"

#define PAGES (HOST_RAM_SIZE >> 12)
#define GARBAGE 0x5a5a5a5a5a5a5a5bull /* reads as present, and points nowhere */
#define PENDING 65536

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

u64 vm_mem_as(const struct vm_unit *u, u64 pa, bool snoops)
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
u64 vm_mem(const struct vm_unit *u, u64 pa)
{
	return vm_mem_as(u, pa, u->c.coherent);
}
