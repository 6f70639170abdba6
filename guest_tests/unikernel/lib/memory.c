/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory of a unikernel guest. Virtual = physical = DMA address. DMA memory is handed out from the
 * end of the image to the end of its RAM and never comes back. Registers of devices are mapped
 * uncached in 2 MiB pages, above 4 GiB through tables made when needed.
 */
#include <string.h>

#include "guest_tests/unikernel/lib/unikernel.h"

/* Page table entries: Intel SDM 3A, 4.5; AMD APM 2, 5.3 */
#define PTE_PRESENT	(1ull << 0)
#define PTE_WRITABLE	(1ull << 1)
#define PTE_UNCACHED	(3ull << 3)	/* PCD, PWT */
#define PTE_LARGE	(1ull << 7)
#define PTE_ADDRESS	0x000ffffffffff000ull

#define LARGE_PAGE	(2ull << 20)

extern uint8_t guest_image_end[];
extern uint64_t page_root[512];

static uint64_t dma_next, dma_end;

void memory_init(uint64_t ram_end)
{
	dma_next = (uintptr_t)guest_image_end;
	dma_end = ram_end > dma_next ? ram_end : dma_next;
}

void *dma_alloc(size_t bytes)
{
	uint64_t size = ((uint64_t)bytes + PAGE_BYTES - 1) & ~(uint64_t)(PAGE_BYTES - 1);
	void *at = (void *)(uintptr_t)dma_next;

	if (size > dma_end - dma_next)
		return NULL;
	dma_next += size;
	return memset(at, 0, size);
}

/* The table that @entry points to, made if it is not there. */
static uint64_t *table_next(uint64_t *entry)
{
	if (!(*entry & PTE_PRESENT)) {
		void *table = dma_alloc(PAGE_BYTES);

		if (!table)
			return NULL;
		*entry = (uintptr_t)table | PTE_PRESENT | PTE_WRITABLE;
	}
	return (uint64_t *)(uintptr_t)(*entry & PTE_ADDRESS);
}

volatile void *mmio_map(uint64_t phys, size_t bytes)
{
	for (uint64_t at = phys & ~(LARGE_PAGE - 1); at < phys + bytes; at += LARGE_PAGE) {
		uint64_t *pointers = table_next(&page_root[(at >> 39) & 511]);
		uint64_t *directory = pointers ? table_next(&pointers[(at >> 30) & 511]) : NULL;

		if (!directory)
			return NULL;
		directory[(at >> 21) & 511] =
			at | PTE_PRESENT | PTE_WRITABLE | PTE_LARGE | PTE_UNCACHED;
		__asm__ volatile("invlpg (%0)" :: "r"(at) : "memory");
	}
	return (volatile void *)(uintptr_t)phys;
}
