/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * IOAPICs, found through the MADT. Every pin is masked at start. A pin that is routed gets a message in
 * remappable format: it names an entry of the interrupt remapping table, which says who is interrupted
 * and whether this IOAPIC may. A pin is changed masked, high half first. A level entry holds its vector
 * too: by that the IOAPIC knows whose end of interrupt it hears.
 */
#include "arch/x86/early.h"
#include "kernel/acpi.h"
#include "kernel/thread.h"

#define IOAPIC_SELECT 0x00 /* 82093AA 3.1 */
#define IOAPIC_WINDOW 0x10
#define IOAPIC_VERSION 1
#define VERSION_MAX_PIN GENMASK(23, 16)
#define IOAPIC_PIN(n) (0x10 + 2 * (n))
#define MAX_IOAPICS 16
#define OVERRIDE_TRIGGER GENMASK(3, 2) /* MPS INTI flags, ACPI 6.5 table 5.26; 0: as its ISA bus, edge */
#define OVERRIDE_LEVEL 3

/* VT-d 5.1.5.1, remappable format */
#define RTE_VECTOR GENMASK(7, 0)
#define RTE_INDEX_15 BIT(11)
#define RTE_LOW_ACTIVE BIT(13)
#define RTE_LEVEL BIT(15)
#define RTE_MASKED BIT(16)
#define RTE_REMAPPABLE BIT(48)
#define RTE_INDEX_14_0 GENMASK(63, 49)

struct ioapic {
	struct mmio regs;
	u32 gsi_base, pins;
	u8 id;
};
static struct ioapic ioapics[MAX_IOAPICS];
static unsigned nioapics;
static struct spinlock lock;

static u32 ioapic_read(struct ioapic *io, u32 reg)
{
	wr32(&io->regs, IOAPIC_SELECT, reg);
	return rd32(&io->regs, IOAPIC_WINDOW);
}

static void ioapic_write(struct ioapic *io, u32 reg, u32 v)
{
	wr32(&io->regs, IOAPIC_SELECT, reg);
	wr32(&io->regs, IOAPIC_WINDOW, v);
}

static void ioapic_add(const struct acpi_ioapic *entry)
{
	struct ioapic *io = &ioapics[nioapics];

	if (nioapics == MAX_IOAPICS || arch_mmio_map(&io->regs, ALIGN_DOWN(entry->base, PAGE_SIZE), PAGE_SIZE)) {
		log_warn("IOAPIC %u at 0x%llx left out: cannot be mapped; its lines stay as firmware left them",
			 entry->id, (unsigned long long)entry->base);
		return;
	}
	io->regs.base += entry->base & (PAGE_SIZE - 1);
	io->gsi_base = entry->gsi_base;
	io->id = entry->id;
	io->pins = FIELD_GET(VERSION_MAX_PIN, ioapic_read(io, IOAPIC_VERSION)) + 1;
	for (u32 pin = 0; pin < io->pins; pin++)
		ioapic_write(io, IOAPIC_PIN(pin), RTE_MASKED);
	nioapics++;
	log_info("IOAPIC %u at 0x%llx: lines %u..%u, all masked", entry->id, (unsigned long long)entry->base,
		 io->gsi_base, io->gsi_base + io->pins - 1);
}

static struct acpi_madt madt; /* kept for its overrides */

void ioapic_init(void)
{
	const struct acpi_header *table = acpi_find("APIC");

	if (!table || acpi_parse_madt(table, &madt)) {
		log_warn("no usable MADT: one CPU, no IOAPIC");
		return;
	}
	for (unsigned i = 0; i < madt.nioapics; i++)
		ioapic_add(&madt.ioapic[i]);
}

static struct ioapic *ioapic_of(u32 gsi)
{
	for (unsigned i = 0; i < nioapics; i++)
		if (gsi >= ioapics[i].gsi_base && gsi - ioapics[i].gsi_base < ioapics[i].pins)
			return &ioapics[i];
	return NULL;
}

int arch_ioapic_find(u32 gsi)
{
	struct ioapic *io = ioapic_of(gsi);

	for (unsigned i = 0; i < madt.noverrides; i++)
		if (madt.override[i].gsi == gsi && FIELD_GET(OVERRIDE_TRIGGER, madt.override[i].flags) != OVERRIDE_LEVEL)
			return -EINVAL;
	return io ? io->id : -ENXIO;
}

int arch_ioapic_route(u32 gsi, u16 irte_handle, u8 vector, bool level, bool low, bool masked)
{
	u64 rte = FIELD_PREP(RTE_VECTOR, vector) | (irte_handle & BIT(15) ? RTE_INDEX_15 : 0) |
		  (low ? RTE_LOW_ACTIVE : 0) | (level ? RTE_LEVEL : 0) | (masked ? RTE_MASKED : 0) |
		  RTE_REMAPPABLE | FIELD_PREP(RTE_INDEX_14_0, irte_handle & GENMASK(14, 0));
	struct ioapic *io = ioapic_of(gsi);

	if (!io)
		return -ENXIO;
	guard_spin(&lock);
	/* Edge for a moment: that clears Remote IRR, which an EOI that never came would leave set. */
	ioapic_write(io, IOAPIC_PIN(gsi - io->gsi_base), RTE_MASKED);
	ioapic_write(io, IOAPIC_PIN(gsi - io->gsi_base) + 1, rte >> 32);
	ioapic_write(io, IOAPIC_PIN(gsi - io->gsi_base), rte);
	return 0;
}

void arch_ioapic_mask(u32 gsi, bool masked)
{
	struct ioapic *io = ioapic_of(gsi);
	u32 low;

	if (!io)
		return;
	guard_spin(&lock);
	low = ioapic_read(io, IOAPIC_PIN(gsi - io->gsi_base)) & ~RTE_MASKED;
	ioapic_write(io, IOAPIC_PIN(gsi - io->gsi_base), low | (masked ? RTE_MASKED : 0));
}
