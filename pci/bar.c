// SPDX-License-Identifier: GPL-2.0-only
/*
 * Base address registers (PCI Local Bus 6.2.5.1): where they are and how large.  A size is found by
 * writing all ones with decode off, and everything is put back.  A BAR counts as implemented and
 * assigned only when its size is a power of two, its base is not zero, it ends below 2^52, and it
 * lies over nothing else: whoever maps a BAR for a program would hand out RAM, config space or
 * another device's registers otherwise.  All others have base 0 and size 0.
 */
#include "kernel/frames.h"
#include "pci/internal.h"

#define ADDRESS_BITS 52
#define LOW_END (4 * SZ_1G)
/* IOAPICs, HPET, TPM and most IOMMUs, then interrupt messages (SDM 3A 11.11.1): no firmware puts a BAR
 * there, but a device may say so. */
#define BOARD_BASE 0xfec00000ull
#define BOARD_SIZE 0x300000ull
#define BOARD_PORTS 0x1000u /* DMA, PIC, CMOS, configuration and power management ports */

/* Write all ones, read, put back. */
static u32 probe(const struct pci_dev *d, u16 off, u32 ones, u32 *old)
{
	u32 mask;

	*old = pci_read32(d, off);
	pci_write32(d, off, ones);
	mask = pci_read32(d, off);
	pci_write32(d, off, *old);
	return mask;
}

/* A mask of size bits is ones down to its lowest one. */
static u64 size_of(u64 mask, u64 all)
{
	u64 size = mask & -mask;

	return mask && (mask | (size - 1)) == all ? size : 0;
}

static void bar_set(const struct pci_dev *d, const char *which, struct pci_bar *b, u64 base, u64 mask, u64 all)
{
	u64 size = size_of(mask, all);

	if (!mask)
		return;
	if (!size || !IS_ALIGNED(base, size) || base >= BIT(ADDRESS_BITS) || size > BIT(ADDRESS_BITS) - base) {
		log_warn("pci %s: %s holds nonsense (base 0x%llx, mask 0x%llx) and is not used", d->name,
			 which, (unsigned long long)base, (unsigned long long)mask);
		return;
	}
	if (!base) {
		log_info("pci %s: %s (0x%llx bytes) has no address", d->name, which, (unsigned long long)size);
		return;
	}
	b->base = base;
	b->size = size;
}

/* Returns how many registers the BAR takes. */
static unsigned bar_read(struct pci_dev *d, unsigned i, unsigned n)
{
	char which[] = { 'B', 'A', 'R', (char)('0' + i), 0 };
	u16 off = (u16)(PCI_BASE_ADDRESS_0 + 4 * i);
	struct pci_bar *b = &d->bar[i];
	u32 low, high, mask_high, mask = probe(d, off, ~0u, &low);
	bool is_64 = (low & PCI_BASE_ADDRESS_MEM_TYPE_MASK) == PCI_BASE_ADDRESS_MEM_TYPE_64;

	if (mask == 0 || mask == ~0u)
		return 1;
	if (low & PCI_BASE_ADDRESS_SPACE_IO) {
		u32 m = mask & (u32)PCI_BASE_ADDRESS_IO_MASK;

		b->io = true;
		m |= m & 0xffff ? 0xffff0000 : 0; /* the upper half may be hard-wired to zero */
		bar_set(d, which, b, low & (u32)PCI_BASE_ADDRESS_IO_MASK, m, 0xffffffff);
		return 1;
	}
	b->prefetch = low & PCI_BASE_ADDRESS_MEM_PREFETCH;
	low &= (u32)PCI_BASE_ADDRESS_MEM_MASK;
	mask &= (u32)PCI_BASE_ADDRESS_MEM_MASK;
	if (!is_64) {
		bar_set(d, which, b, low, mask, 0xffffffff);
		return 1;
	}
	if (i + 1 == n) {
		log_warn("pci %s: %s says 64 bits and is the last: not used", d->name, which);
		return 1;
	}
	b->mem64 = true;
	mask_high = probe(d, (u16)(off + 4), ~0u, &high);

	bar_set(d, which, b, (u64)high << 32 | low, (u64)mask_high << 32 | mask, ~0ull);
	return 2;
}

static void rom_read(struct pci_dev *d, u16 off)
{
	u32 old, mask = probe(d, off, (u32)PCI_ROM_ADDRESS_MASK, &old) & (u32)PCI_ROM_ADDRESS_MASK;

	/* A ROM without address is the rule, not worth a line. */
	if (old & (u32)PCI_ROM_ADDRESS_MASK)
		bar_set(d, "ROM", &d->rom, old & (u32)PCI_ROM_ADDRESS_MASK, mask, 0xffffffff);
}

void pci_bars_read(struct pci_dev *d)
{
	bool bridge = pci_is_bridge(d);
	unsigned n = bridge ? 2 : PCI_BARS;
	u16 command;

	/* A host bridge's decode may be what RAM or config space hangs on; nobody is given one. */
	if (d->header_type > PCI_HEADER_TYPE_BRIDGE || d->class >> 8 == PCI_CLASS_HOST_BRIDGE)
		return;
	command = pci_read16(d, PCI_COMMAND);
	pci_write16(d, PCI_COMMAND, command & ~(PCI_COMMAND_IO | PCI_COMMAND_MEMORY));
	for (unsigned i = 0; i < n;)
		i += bar_read(d, i, n);
	rom_read(d, bridge ? PCI_ROM_ADDRESS1 : PCI_ROM_ADDRESS);
	pci_write16(d, PCI_COMMAND, command);
}

/* End of the RAM below 4 GiB. What lies under it and is not RAM (our image, firmware's tables, stolen
 * memory) is not for devices either. */
static paddr_t low_ram_end(void)
{
	for (paddr_t end = ALIGN_UP(MIN(frames_top(), LOW_END), SZ_2M); end; end -= SZ_2M) {
		if (!frame_is_ram(end - SZ_2M) && !frame_is_ram(end - PAGE_SIZE))
			continue;
		while (!frame_is_ram(end - PAGE_SIZE))
			end -= PAGE_SIZE;
		return end;
	}
	return 0;
}

static bool meets_memory(const struct pci_bar *b, paddr_t low_end)
{
	u64 end = MIN(b->base + b->size, frames_top());

	if (b->base < low_end)
		return true;
	for (u64 pa = MAX(b->base, LOW_END); pa < end; pa += PAGE_SIZE)
		if (frames_is_memory(pa, PAGE_SIZE))
			return true;
	return false;
}

static bool meets(const struct pci_bar *a, const struct pci_bar *b)
{
	return a->size && b->size && a->io == b->io && a->base < b->base + b->size && b->base < a->base + a->size;
}

/* BAR i of a function, the ROM last. */
static struct pci_bar *bar_of(struct pci_dev *d, unsigned i)
{
	return i < PCI_BARS ? &d->bar[i] : &d->rom;
}

bool pci_bar_owns_pages(const struct pci_dev *d, unsigned i)
{
	const struct pci_bar *b = &d->bar[i];
	struct pci_bar pages = { .base = b->base, .size = ALIGN_UP(b->size, PAGE_SIZE) };
	struct pci_dev *e;

	if (b->io || !b->base || !IS_ALIGNED(b->base, PAGE_SIZE))
		return false;
	pci_for_each(e)
		for (unsigned k = 0; k <= PCI_BARS; k++)
			if (bar_of(e, k) != b && meets(bar_of(e, k), &pages))
				return false;
	return true;
}

static const char *bar_refused(const struct pci_bar *b, paddr_t low_end)
{
	const struct pci_bar board = { .base = BOARD_BASE, .size = BOARD_SIZE };

	if (b->io && b->base < BOARD_PORTS)
		return "the board's own ports";
	if (b->io)
		return b->base + b->size > 0x10000 ? "the I/O space's end" : NULL;
	if (meets_memory(b, low_end))
		return "memory";
	if (pci_ecam_overlaps(b->base, b->size))
		return "config space";
	if (meets(b, &board))
		return "the board's own registers";
	return NULL;
}

static void bar_drop(struct pci_dev *d, unsigned i, const char *over)
{
	struct pci_bar *b = bar_of(d, i);

	log_warn("pci %s: %s %u at 0x%llx+0x%llx lies over %s and is not used", d->name,
		 i < PCI_BARS ? "BAR" : "ROM", i, (unsigned long long)b->base, (unsigned long long)b->size, over);
	b->base = b->size = 0;
}

/* Does another function's, or a later, BAR meet this one? Whose fault it is cannot be known: both
 * go. A ROM, which firmware may leave anywhere while it is disabled, goes alone. */
static void drop_overlaps(struct pci_dev *d, unsigned i)
{
	struct pci_bar was = *bar_of(d, i);
	struct pci_dev *e;

	if (!was.size)
		return;
	for (e = d; e; e = TAILQ_NEXT(e, link)) {
		for (unsigned k = e == d ? i + 1 : 0; k <= PCI_BARS; k++) {
			if (!meets(&was, bar_of(e, k)))
				continue;
			if (k == PCI_BARS || i < PCI_BARS)
				bar_drop(e, k, d->name);
			if ((i == PCI_BARS || k < PCI_BARS) && bar_of(d, i)->size)
				bar_drop(d, i, e->name);
		}
	}
}

void pci_bars_check(void)
{
	paddr_t low_end = low_ram_end();
	struct pci_dev *d;

	pci_for_each(d) {
		for (unsigned i = 0; i <= PCI_BARS; i++) {
			const char *over = bar_of(d, i)->size ? bar_refused(bar_of(d, i), low_end) : NULL;

			if (over)
				bar_drop(d, i, over);
		}
	}
	pci_for_each(d)
		for (unsigned i = 0; i <= PCI_BARS; i++)
			drop_overlaps(d, i);
	pci_for_each(d)
		pci_msix_check(d);
}

void pci_bars_exclude(paddr_t base, u64 size, const char *whose)
{
	const struct pci_bar taken = { .base = base, .size = size };
	struct pci_dev *d;

	pci_for_each(d) {
		for (unsigned i = 0; i <= PCI_BARS; i++)
			if (meets(bar_of(d, i), &taken))
				bar_drop(d, i, whose);
		pci_msix_check(d);
	}
}
