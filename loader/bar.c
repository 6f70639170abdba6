/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The BARs of passed-through functions. The guest finds them at addresses chosen here and may move
 * them; the host's own addresses never appear. Memory that VFIO lets us map becomes memory slots, so
 * that the guest reaches the device without leaving guest mode; the pages that hold the MSI-X table
 * are left out and trapped. Invariant: a slot exists only while the guest's memory decoding is on
 * and the BAR lies where devices may lie: never over RAM or the interrupt controllers.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "loader/loader.h"

#define IO_BASE		0xc000u		/* ports for I/O BARs */
#define IO_END		0x10000u
#define MAX_SEGMENTS	(sizeof(((struct bar *)0)->segment) / sizeof(((struct bar *)0)->segment[0]))

static uint64_t high_base;		/* start of the window above RAM */

static uint64_t page_down(uint64_t value)
{
	return value & ~(PAGE_BYTES - 1);
}

static uint64_t page_up(uint64_t value)
{
	return page_down(value + PAGE_BYTES - 1);
}

static void segment_map(struct device *dev, unsigned int index, uint64_t start, uint64_t end)
{
	struct bar *bar = &dev->bar[index];
	unsigned int n = bar->segments;
	void *host;

	start = page_up(start);
	end = page_down(end);
	if (start >= end || n == MAX_SEGMENTS)
		return;
	host = mmap(NULL, end - start, PROT_READ | PROT_WRITE, MAP_SHARED, dev->fd,
		    (off_t)(dev->region[index].offset + start));
	if (host == MAP_FAILED)
		fail(NULL, "%s: cannot map BAR %u", dev->bdf, index);
	bar->segment[n].offset = start;
	bar->segment[n].size = end - start;
	bar->segment[n].host = host;
	bar->segment[n].slot = -1;
	bar->segments++;
}

/* Maps [start, end) of a BAR without the pages of the MSI-X table. */
static void area_map(struct device *dev, unsigned int index, uint64_t start, uint64_t end)
{
	uint64_t table = page_down(dev->msix_offset);
	uint64_t table_end = page_up(dev->msix_offset + 16ULL * dev->msix_vectors);

	if (!dev->msix_cap || dev->msix_bar != index || table_end <= start || table >= end) {
		segment_map(dev, index, start, end);
		return;
	}
	if (start < table)
		segment_map(dev, index, start, table);
	if (table_end < end)
		segment_map(dev, index, table_end, end);
}

static void bar_map(struct device *dev, unsigned int index)
{
	const struct vfio_region *region = &dev->region[index];

	if (dev->bar[index].io || !region->mappable)
		return;
	if (region->areas == 0)
		area_map(dev, index, 0, region->size);
	for (unsigned int i = 0; i < region->areas; i++)
		area_map(dev, index, region->area[i].offset,
			 region->area[i].offset + region->area[i].size);
}

static void bar_register_set(struct device *dev, unsigned int index, uint64_t addr)
{
	for (unsigned int i = 0; i < (dev->bar[index].is64 ? 8u : 4u); i++) {
		unsigned int offset = PCI_BASE_ADDRESS_0 + 4 * index + i;

		dev->value[offset] |= (uint8_t)(addr >> (8 * i)) & dev->writable[offset];
	}
}

/* A naturally aligned range of the window [*next, end), 0 if it is full. */
static uint64_t window_take(uint64_t *next, uint64_t end, uint64_t size)
{
	uint64_t addr = (*next + size - 1) & ~(size - 1);

	if (addr >= end || size > end - addr)
		return 0;
	*next = addr + size;
	return addr;
}

void bars_init(struct device *devs, unsigned int count, const struct guest_memory *mem)
{
	uint64_t low = MMIO_LOW_BASE, io = IO_BASE;

	high_base = (memory_end(mem) + MMIO_HIGH_ALIGN - 1) & ~(MMIO_HIGH_ALIGN - 1);
	for (uint64_t high = high_base, n = 0; n < count * NUM_BARS; n++) {
		struct device *dev = &devs[n / NUM_BARS];
		unsigned int index = n % NUM_BARS;
		struct bar *bar = &dev->bar[index];
		uint64_t size = bar->size > PAGE_BYTES || bar->io ? bar->size : PAGE_BYTES;
		uint64_t addr;

		if (bar->size == 0)
			continue;
		addr = bar->io ? window_take(&io, IO_END, size) :
		       window_take(&low, MMIO_LOW_END, size);
		if (!addr && bar->is64)
			addr = window_take(&high, GPA_END, size);
		if (!addr) {
			errno = 0;
			fail("give the guest fewer devices",
			     "%s: no room for BAR %u of 0x%llx bytes", dev->bdf, index,
			     (unsigned long long)bar->size);
		}
		bar_map(dev, index);
		bar_register_set(dev, index, addr);
		note("%s BAR %u: 0x%llx bytes at 0x%llx of the guest, %s", dev->bdf, index,
		     (unsigned long long)bar->size, (unsigned long long)addr,
		     bar->segments == 0 ? "trapped" : dev->msix_cap && dev->msix_bar == index ?
		     "mapped but for the MSI-X table" : "mapped");
	}
	for (unsigned int i = 0; i < count; i++)
		bars_update(&devs[i]);
}

/* Where the BAR register of the guest points. */
static uint64_t bar_address(const struct device *dev, unsigned int index)
{
	unsigned int offset = PCI_BASE_ADDRESS_0 + 4 * index;
	uint32_t low, high = 0;

	memcpy(&low, &dev->value[offset], 4);
	if (dev->bar[index].is64 && index + 1 < NUM_BARS)
		memcpy(&high, &dev->value[offset + 4], 4);
	if (dev->bar[index].io)
		return low & (uint32_t)PCI_BASE_ADDRESS_IO_MASK;
	return ((uint64_t)high << 32) | (low & (uint32_t)PCI_BASE_ADDRESS_MEM_MASK);
}

static bool bar_placed_well(const struct bar *bar)
{
	uint64_t start = bar->addr, size = bar->size;

	if (bar->io)
		return start && start < IO_END && size <= IO_END - start;
	if (start >= MMIO_LOW_BASE && start < MMIO_LOW_END)
		return size <= MMIO_LOW_END - start;
	return start >= high_base && start < GPA_END && size <= GPA_END - start;
}

static void bar_unplug(struct device *dev, struct bar *bar)
{
	for (unsigned int i = 0; i < bar->segments; i++) {
		if (bar->segment[i].slot >= 0)
			vm_slot_remove(dev->vm, bar->segment[i].slot);
		bar->segment[i].slot = -1;
	}
	bar->live = false;
}

static void bar_plug(struct device *dev, struct bar *bar)
{
	for (unsigned int i = 0; i < bar->segments; i++) {
		/* What does not fit, because the guest put two BARs over each other, is trapped. */
		bar->segment[i].slot = vm_slot_add(dev->vm, bar->addr + bar->segment[i].offset,
						   bar->segment[i].size, bar->segment[i].host);
		if (bar->segment[i].slot < 0)
			note("%s: no memory slot at 0x%llx: %s", dev->bdf,
			     (unsigned long long)(bar->addr + bar->segment[i].offset),
			     strerror(-bar->segment[i].slot));
	}
	bar->live = true;
	bar->live_addr = bar->addr;
}

void bars_update(struct device *dev)
{
	uint32_t command = config_read(dev, PCI_COMMAND, 2);

	for (unsigned int i = 0; i < NUM_BARS; i++) {
		struct bar *bar = &dev->bar[i];
		bool decode = command & (bar->io ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY);

		if (bar->size == 0)
			continue;
		bar->addr = bar_address(dev, i);
		decode = decode && bar_placed_well(bar);
		if (bar->live && (!decode || bar->addr != bar->live_addr))
			bar_unplug(dev, bar);
		if (decode && !bar->live)
			bar_plug(dev, bar);
	}
}

bool bar_access(struct device *dev, bool io, uint64_t addr, void *data, unsigned int len,
		bool write)
{
	for (unsigned int i = 0; i < NUM_BARS; i++) {
		const struct bar *bar = &dev->bar[i];
		uint64_t offset = addr - bar->live_addr;
		ssize_t done;

		if (!bar->live || bar->io != io || offset >= bar->size || len > bar->size - offset)
			continue;
		if (msix_table_hit(dev, i, offset)) {
			msix_table_access(dev, offset, data, len, write);
			return true;
		}
		offset += dev->region[i].offset;
		done = write ? pwrite(dev->fd, data, len, (off_t)offset) :
		       pread(dev->fd, data, len, (off_t)offset);
		if (!write && done != (ssize_t)len)
			memset(data, 0xff, len);
		return true;
	}
	return false;
}
