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
#define MAX_EXCLUDED 64
#define BOARD_PORTS 0x1000u /* DMA, PIC, CMOS, configuration and power management ports */

static struct excluded {
	struct pci_bar range;
	const char *whose;
} excluded[MAX_EXCLUDED];
static unsigned nexcluded;

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
	b->want = size;
	b->base = base;
	b->size = base ? size : 0;
}

/* Register i of n at `regs`; returns how many of them the BAR takes. */
static unsigned bar_read(struct pci_dev *d, u16 regs, struct pci_bar *b, unsigned i, unsigned n)
{
	char which[] = { 'B', 'A', 'R', (char)('0' + i), 0 };
	u16 off = (u16)(regs + 4 * i);
	u32 low, high = 0, mask_high = 0, mask = probe(d, off, ~0u, &low);
	bool io = low & PCI_BASE_ADDRESS_SPACE_IO;
	u32 address = (u32)(io ? PCI_BASE_ADDRESS_IO_MASK : PCI_BASE_ADDRESS_MEM_MASK);

	if (mask == 0 || mask == ~0u)
		return 1;
	b->io = io;
	b->prefetch = !io && low & PCI_BASE_ADDRESS_MEM_PREFETCH;
	b->mem64 = !io && (low & PCI_BASE_ADDRESS_MEM_TYPE_MASK) == PCI_BASE_ADDRESS_MEM_TYPE_64;
	if (b->mem64 && i + 1 == n) {
		log_warn("pci %s: %s says 64 bits and is the last: not used", d->name, which);
		return 1;
	}
	mask &= address;
	if (io && mask & 0xffff)
		mask |= 0xffff0000; /* the upper half may be hard-wired to zero */
	if (b->mem64)
		mask_high = probe(d, (u16)(off + 4), ~0u, &high);
	bar_set(d, which, b, (u64)high << 32 | (low & address), (u64)mask_high << 32 | mask,
		b->mem64 ? ~0ull : 0xffffffff);
	return b->mem64 ? 2 : 1;
}

void pci_bars_read(struct pci_dev *d)
{
	bool bridge = pci_is_bridge(d);
	unsigned n = bridge ? 2 : PCI_BARS;
	const u32 address = (u32)PCI_ROM_ADDRESS_MASK;
	u32 rom, mask;
	u16 command;

	/* A host bridge's decode may be what RAM or config space hangs on; nobody is given one. */
	if (d->header_type > PCI_HEADER_TYPE_BRIDGE || d->class >> 8 == PCI_CLASS_HOST_BRIDGE)
		return;
	command = pci_read16(d, PCI_COMMAND);
	pci_write16(d, PCI_COMMAND, command & ~(PCI_COMMAND_IO | PCI_COMMAND_MEMORY));
	for (unsigned i = 0; i < n;)
		i += bar_read(d, PCI_BASE_ADDRESS_0, &d->bar[i], i, n);
	mask = probe(d, bridge ? PCI_ROM_ADDRESS1 : PCI_ROM_ADDRESS, address, &rom);
	bar_set(d, "ROM", &d->rom, rom & address, mask & address, 0xffffffff);
	pci_write16(d, PCI_COMMAND, command);
}

/* 9.3.3.14: the registers say where VF 0's are; the others' follow. */
void pci_vf_bars_read(struct pci_dev *d)
{
	for (unsigned i = 0; i < PCI_BARS;)
		i += bar_read(d, d->sriov->cap + PCI_SRIOV_BAR, &d->vf_bar[i], i, PCI_BARS);
	for (unsigned i = 0; i < PCI_BARS; i++) {
		struct pci_bar *b = &d->vf_bar[i];

		if (b->io || b->want > BIT(ADDRESS_BITS) / d->sriov->total)
			*b = (struct pci_bar){ .base = 0 };
		b->size *= d->sriov->total;
	}
}

/* Below the end of the low RAM nothing is for devices, RAM or not: our image, firmware's tables, stolen memory. */
static bool meets_memory(const struct pci_bar *b)
{
	u64 high = MAX(b->base, LOW_END), end = b->base + b->size;

	return b->base < frames_low_end() || (high < end && frames_meet(high, end - high, FRAMES_MEMORY));
}

bool pci_bars_meet(const struct pci_bar *a, const struct pci_bar *b)
{
	return a->size && b->size && a->io == b->io && a->base < b->base + b->size && b->base < a->base + a->size;
}

struct pci_bar *pci_bar_of(struct pci_dev *d, unsigned i)
{
	return i < PCI_BARS ? &d->bar[i] : i == PCI_BARS ? &d->rom : i < PCI_REGIONS ? &d->vf_bar[i - PCI_BARS - 1] :
	       &d->window[i - PCI_REGIONS];
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
			if (pci_bar_of(e, k) != b && pci_bars_meet(pci_bar_of(e, k), &pages))
				return false;
	return true;
}

const char *pci_bar_kind(unsigned i)
{
	return i < PCI_BARS ? "BAR" : i == PCI_BARS ? "ROM" : "VF BAR";
}

const char *pci_bar_claimed(const struct pci_bar *b)
{
	if (pci_ecam_overlaps(b->base, b->size))
		return "config space";
	for (unsigned i = 0; i < nexcluded; i++)
		if (pci_bars_meet(b, &excluded[i].range))
			return excluded[i].whose;
	return NULL;
}

const char *pci_bar_refused(const struct pci_bar *b)
{
	if (b->io && b->base < BOARD_PORTS)
		return "the board's own ports";
	if (b->io)
		return b->base + b->size > 0x10000 ? "the I/O space's end" : NULL;
	if (meets_memory(b))
		return "memory";
	if (pci_bars_meet(b, &(const struct pci_bar){ .base = BOARD_BASE, .size = BOARD_SIZE }))
		return "the board's own registers";
	return pci_bar_claimed(b);
}

static void bar_drop(struct pci_dev *d, unsigned i, const char *over)
{
	struct pci_bar *b = pci_bar_of(d, i);

	log_warn("pci %s: %s %u at 0x%llx+0x%llx lies over %s and is not used", d->name, pci_bar_kind(i),
		 i % (PCI_BARS + 1), (unsigned long long)b->base, (unsigned long long)b->size, over);
	b->base = b->size = b->want = 0;
}

/* Does another function's, or a later, BAR meet this one? Whose fault it is cannot be known: both
 * go. A ROM, which firmware may leave anywhere while it is disabled, goes alone. */
static void drop_overlaps(struct pci_dev *d, unsigned i)
{
	struct pci_bar was = *pci_bar_of(d, i);
	bool rom = i == PCI_BARS;

	for (struct pci_dev *e = was.size ? d : NULL; e; e = TAILQ_NEXT(e, link)) {
		for (unsigned k = e == d ? i + 1 : 0; k < PCI_REGIONS; k++) {
			if (!pci_bars_meet(&was, pci_bar_of(e, k)))
				continue;
			if (k == PCI_BARS || !rom)
				bar_drop(e, k, d->name);
			if ((rom || k != PCI_BARS) && pci_bar_of(d, i)->size)
				bar_drop(d, i, e->name);
		}
	}
}

static void drop_refused(struct pci_dev *d)
{
	for (unsigned i = 0; i < PCI_REGIONS; i++) {
		const char *over = pci_bar_of(d, i)->size ? pci_bar_refused(pci_bar_of(d, i)) : NULL;

		if (over)
			bar_drop(d, i, over);
	}
}

void pci_bars_check(void)
{
	struct pci_dev *d;

	pci_for_each(d)
		drop_refused(d);
	pci_for_each(d)
		for (unsigned i = 0; i < PCI_REGIONS; i++)
			drop_overlaps(d, i);
	pci_for_each(d)
		pci_msix_check(d);
}

void pci_bars_exclude(paddr_t base, u64 size, const char *whose)
{
	struct pci_dev *d;

	BUG_ON(nexcluded == MAX_EXCLUDED); /* one for each IOMMU, of which there are fewer */
	excluded[nexcluded++] = (struct excluded){ { .base = base, .size = size }, whose };
	pci_for_each(d) {
		drop_refused(d);
		pci_msix_check(d);
	}
}
