/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ACPI tables as firmware left them: found by signature, checksummed, bounded.  The walkers below
 * check every length before a byte is read; a table that lies is refused with its name and offset.
 * Pure over phys_to_virt-like access, so the same code runs in host tests.
 */
#ifndef KERNEL_ACPI_H
#define KERNEL_ACPI_H

#include "kernel/base.h"

struct acpi_header { /* ACPI 6.5, 5.2.6 */
	char signature[4];
	u32 length;
	u8 revision, checksum;
	char oem_id[6], oem_table_id[8];
	u32 oem_revision, creator_id, creator_revision;
} __attribute__((packed));
_Static_assert(sizeof(struct acpi_header) == 36, "ACPI 5.2.6");

#define ACPI_TABLE_MAX (16u << 20)
/* rsdp 0: search the BIOS area. 0, -ENOENT (no RSDP), -EBADMSG (checksum, lengths; a line says where). */
int acpi_init(paddr_t rsdp);
/* The table, mapped, length and checksum verified; NULL when absent or bad (a line says so). */
const struct acpi_header *acpi_find(const char *signature);
/* All of them: how many the root names, and the i-th; NULL when it is bad. The one of AML that only the FADT names. */
unsigned acpi_tables(void);
const struct acpi_header *acpi_table(unsigned i);
const struct acpi_header *acpi_dsdt(void);
/* `bytes` bytes at off; 0: there is no table, or it ends before. */
u64 acpi_field(const struct acpi_header *t, unsigned off, unsigned bytes);

struct acpi_cpu { u32 apic_id; };
struct acpi_ioapic { u8 id; u32 gsi_base; paddr_t base; };
struct acpi_madt {
	struct acpi_cpu cpu[256];
	unsigned ncpus;
	struct acpi_ioapic ioapic[16];
	unsigned nioapics;
	paddr_t lapic;
	struct { u8 bus_irq; u32 gsi; u16 flags; } override[16];
	unsigned noverrides;
};
/* -ENOENT, -EBADMSG. Entries that do not fit are named and left out. */
int acpi_parse_madt(const struct acpi_header *t, struct acpi_madt *out);

struct acpi_mcfg_entry { paddr_t base; u16 segment; u8 bus_first, bus_last; };
/* Number of entries (at most cap), -ENOENT (no table) or -EBADMSG. */
int acpi_parse_mcfg(const struct acpi_header *t, struct acpi_mcfg_entry *out, unsigned cap);

/* Ports or memory that AML names; all of it lies below 64 KiB or 2^64. */
struct acpi_region { u64 base, size; bool io; volatile u8 *view; }; /* view: its user's, of memory */
/* The first one of t at or after off: where to look for the next; 0: there is none. */
u32 acpi_region_next(const struct acpi_header *t, u32 off, struct acpi_region *out);

#endif
