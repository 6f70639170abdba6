// SPDX-License-Identifier: GPL-2.0-only
/*
 * Address space for BARs that firmware left without: what the windows of all bridges above forward
 * (PCI-to-PCI Bridge 3.2.5) and no other function, bridge, memory or board register has.  Windows are
 * firmware's and never moved.  On a root bus no register says what the host bridge forwards, and the
 * table that does is AML: there only holes between what decodes on that bus already are used, below
 * the addresses that chipsets keep for themselves, and only where the memory map names nothing.  QEMU's
 * Q35 forwards all above its memory, and is known by its ids; of others `pci=nocrs` says it, as on Linux.
 * What finds no place keeps size 0: it is not shown to anybody.
 */
#include <stdio.h>
#include <string.h>

#include "kernel/frames.h"
#include "kernel/initcall.h"
#include "kernel/options.h"
#include "pci/internal.h"

#define ull(x) ((unsigned long long)(x))
#define LOW_END (4 * SZ_1G)
#define HIGH_END BIT(39)     /* what CPUs with an IOMMU reach at least */
#define CHIPSET_BASE 0xfc000000ull /* below 4 GiB, from here on: flash, IOAPIC, sideband registers */
#define PCI_ALL_REGIONS (PCI_REGIONS + PCI_WINDOWS)
#define STEP_SHIFT 20              /* windows are whole megabytes */

/* Addresses to look for room in: [base, end). */
struct room { u64 base, end; };

static struct pci_bar window_read(const struct pci_dev *d, u16 reg, u16 upper)
{
	u64 base = pci_read16(d, reg), limit = pci_read16(d, reg + 2), end = ((limit >> 4) + 1) << STEP_SHIFT;
	bool is_64 = upper && (base & 15) == 1;

	base = base >> 4 << STEP_SHIFT;
	if (is_64) {
		base |= (u64)pci_read32(d, upper) << 32;
		end += (u64)pci_read32(d, upper + 4) << 32;
	}
	return (struct pci_bar){ .base = base, .size = base && base < end ? end - base : 0 };
}

void pci_windows_read(struct pci_dev *d)
{
	d->window[PCI_WINDOW_MEM] = window_read(d, PCI_MEMORY_BASE, 0);
	d->window[PCI_WINDOW_PREF] = window_read(d, PCI_PREF_MEMORY_BASE, PCI_PREF_BASE_UPPER32);
}

static bool nocrs(void)
{
	const char *s = option_get("pci");

	for (; s && (strncmp(s, "nocrs", 5) || (s[5] && s[5] != ',')); s = s ? s + 1 : NULL)
		s = strchr(s, ',');
	return s;
}

/* Does everything above the memory go to this root bus? QEMU's hw/pci-host/q35.c: to bus 0. */
static bool forwards_all(const struct pci_dev *d)
{
	const struct pci_dev *host = pci_find(0, 0, 0);

	return nocrs() || (!d->segment && !d->bus && host && host->vendor == 0x8086 && host->device == 0x29c0 &&
			   host->subsystem_vendor == 0x1af4 && host->subsystem_device == 0x1100);
}

/* From the lowest to the highest address that a root bus is known to decode, on one side of 4 GiB. */
static struct room root_room(const struct pci_dev *d, bool high)
{
	struct room w = { LOW_END, HIGH_END };
	struct pci_dev *e;

	if (high && forwards_all(d)) {
		while (w.base < w.end && frames_meet(w.base, w.end - w.base, FRAMES_MEMORY))
			w.base += SZ_1G;
		return w;
	}
	w = (struct room){ ~0ull, 0 };
	pci_for_each(e) {
		bool here = !e->parent && e->segment == d->segment && e->bus == d->bus;

		for (unsigned i = 0; here && i < PCI_ALL_REGIONS; i++) {
			const struct pci_bar *b = pci_bar_of(e, i);

			if (b->io || !b->size || (b->base >= LOW_END) != high)
				continue;
			w.base = MIN(w.base, b->base);
			w.end = MAX(w.end, high ? b->base + b->size : MIN(b->base + b->size, CHIPSET_BASE));
		}
	}
	return w;
}

static struct room room_of(const struct pci_dev *d, unsigned kind)
{
	struct room w = { 0, ~0ull };

	if (!d->parent)
		return root_room(d, kind == PCI_WINDOW_PREF);
	for (const struct pci_dev *up = d->parent; up; up = up->parent) {
		w.base = MAX(w.base, up->window[kind].base);
		w.end = MIN(w.end, up->window[kind].base + up->window[kind].size);
	}
	return w;
}

/* The end of something that is there already, 0 when the place is free. */
static u64 met(const struct pci_dev *d, const struct pci_bar *b)
{
	struct pci_dev *e;

	if (pci_bar_refused(b) || (!d->parent && frames_meet(b->base, b->size, FRAMES_ANY)))
		return ((b->base >> STEP_SHIFT) + 1) << STEP_SHIFT;
	pci_for_each(e)
		for (unsigned i = 0; i < (pci_is_below(d, e) ? PCI_REGIONS : PCI_ALL_REGIONS); i++)
			if (pci_bars_meet(b, pci_bar_of(e, i)))
				return pci_bar_of(e, i)->base + pci_bar_of(e, i)->size;
	return 0;
}

static u64 place_in(const struct pci_dev *d, struct room w, bool mem64, u64 size, u64 align)
{
	struct pci_bar b = { .base = ALIGN_UP(w.base, align), .size = size };
	u64 next;

	w.end = mem64 ? w.end : MIN(w.end, LOW_END);
	for (; b.base >= w.base && b.base < w.end && size <= w.end - b.base; b.base = ALIGN_UP(next, align)) {
		next = met(d, &b);
		if (!next)
			return b.base;
		resched_point();
	}
	return 0;
}

/* A free place for `size` bytes of this kind of memory BAR, or 0. Small BARs get pages of their own, so that no page
 * shows two functions. */
static u64 place(const struct pci_dev *d, const struct pci_bar *kind, u64 size, u64 align)
{
	bool high = d->parent ? kind->prefetch : kind->mem64;
	u64 at = 0;

	align = MAX(align, (u64)PAGE_SIZE);
	if (high)
		at = place_in(d, room_of(d, PCI_WINDOW_PREF), kind->mem64, size, align);
	return at ? at : place_in(d, room_of(d, PCI_WINDOW_MEM), kind->mem64, size, align);
}

/* Write a BAR, decode being off, and open the bridges above; did the register take it? */
static bool bar_write(const struct pci_dev *d, u16 off, const struct pci_bar *kind, u64 base)
{
	/* Every bridge above forwards what lies in its windows. */
	for (struct pci_dev *up = d->parent; up; up = up->parent)
		pci_update16(up, PCI_COMMAND, 0, PCI_COMMAND_MEMORY);
	pci_write32(d, off, (u32)base);
	if (kind->mem64)
		pci_write32(d, off + 4, (u32)(base >> 32));
	return (pci_read32(d, off) & (u32)PCI_BASE_ADDRESS_MEM_MASK) == (u32)base &&
	       (!kind->mem64 || pci_read32(d, off + 4) == base >> 32);
}

static u16 register_of(const struct pci_dev *d, unsigned i)
{
	if (i > PCI_BARS)
		return (u16)(d->sriov->cap + PCI_SRIOV_BAR + 4 * (i - PCI_BARS - 1));
	if (i < PCI_BARS)
		return (u16)(PCI_BASE_ADDRESS_0 + 4 * i);
	return pci_is_bridge(d) ? PCI_ROM_ADDRESS1 : PCI_ROM_ADDRESS;
}

static void assign(struct pci_dev *d, unsigned i)
{
	struct pci_bar *b = pci_bar_of(d, i);
	u16 off = register_of(d, i), command = pci_read16(d, PCI_COMMAND);
	u64 size = b->want * (i > PCI_BARS ? d->sriov->total : 1), at = b->io ? 0 : place(d, b, size, b->want);
	char what[16];

	snprintf(what, sizeof(what), "%s%u", pci_bar_kind(i), i % (PCI_BARS + 1));
	if (!at && i != PCI_BARS) /* ROMs without an address are the rule */
		log_warn("pci %s: %s (0x%llx bytes) has no address and is not used: %s%s", d->name, what, ull(size),
			 b->io ? "I/O space is not assigned" : "no room in the windows of ",
			 b->io ? "" : d->parent ? d->parent->name : "its root bus, as far as they are known");
	if (!at)
		return;
	pci_write16(d, PCI_COMMAND, command & ~(PCI_COMMAND_IO | PCI_COMMAND_MEMORY));
	if (bar_write(d, off, b, at)) {
		b->base = at;
		b->size = size;
		log_info("pci %s: %s had no address: 0x%llx+0x%llx", d->name, what, ull(at), ull(size));
	} else {
		(void)bar_write(d, off, b, 0);
		log_warn("pci %s: %s does not take the address 0x%llx and is not used", d->name, what, ull(at));
	}
	pci_write16(d, PCI_COMMAND, command);
}

static void assign_range(struct pci_dev *d, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++)
		if (pci_bar_of(d, i)->want && !pci_bar_of(d, i)->size)
			assign(d, i);
	pci_msix_check(d);
}

void pci_bars_assign(struct pci_dev *d)
{
	assign_range(d, 0, PCI_REGIONS);
}

/* Late: by now it is known where the IOMMUs' registers are. Those of virtual functions, which may never be, come last. */
static int pci_assign_init(void)
{
	struct pci_dev *d;

	if (nocrs())
		log_warn("pci=nocrs: what nobody is known to have above 4 GiB counts as every root bus'");
	pci_for_each(d)
		assign_range(d, 0, PCI_BARS + 1);
	pci_for_each(d)
		assign_range(d, PCI_BARS + 1, PCI_REGIONS);
	return 0;
}
INITCALL(INITCALL_DEVICES, pci_assign_init);
