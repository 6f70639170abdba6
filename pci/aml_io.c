// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/port and /dev/mem, for a program that interprets the firmware's AML: ports, and memory to be read, inside the
 * operation regions that DSDT and SSDTs name with constants (kernel/acpi_regions.c). One access of 1, 2 or 4 bytes a call.
 *
 * Never, whatever a table says: RAM that is not firmware's, config space, registers of IOMMUs and interrupt controllers,
 * BARs of functions, the ports below, the block of power management ports (sleep, and in chipsets the enables of SMIs)
 * and the port that raises SMIs: behind it is code with every right. Memory is not written: registers there move IOMMUs,
 * flash and devices. What AML keeps in firmware's memory its interpreter can keep for it (-EROFS).
 *
 * All of it ends for good when the first VFIO group is opened: no program's device is reached this way.
 */
#include "kernel/acpi.h"
#include "kernel/file.h"
#include "kernel/frames.h"
#include "kernel/initcall.h"
#include "pci/internal.h"

#define MAX_REGIONS 512
#define MAP_MAX (8 * SZ_2M) /* a region of registers that is larger is not mapped */

#define PORTS(first, last) { .base = first, .size = last - first + 1, .io = true }
#define APIC(at) { .base = at, .size = 0x100000 }
static const struct pci_bar board[] = {
	PORTS(0x00, 0x21),   PORTS(0x40, 0x43),   PORTS(0x60, 0x61),   PORTS(0x64, 0x64), /* DMA, PIC; PIT; speaker, NMI; resets */
	PORTS(0x70, 0x77),   PORTS(0x81, 0x92),   PORTS(0xa0, 0xa1),   PORTS(0xb2, 0xb3), /* CMOS; DMA, A20, reset; PIC; SMI */
	PORTS(0xc0, 0xdf),   PORTS(0x170, 0x1f7), PORTS(0x2e8, 0x2ff), PORTS(0x376, 0x3ff), /* DMA; disks; serial; disks, VGA, serial */
	PORTS(0x4d0, 0x4d1), PORTS(0xcf8, 0xcff), APIC(0xfec00000),    APIC(0xfee00000),  /* PIC; config space, reset */
};

/* ACPI 6.5 table 5.9: SMI_CMD, then PM1a and PM1b, event and control */
static const u8 fadt_ports[] = { 48, 56, 60, 64, 68 };
#define PM_BLOCK 0x100u

static struct acpi_region regions[MAX_REGIONS];
static unsigned nregions;
static struct mutex lock = MUTEX_INIT(lock);
static bool closed;

void pci_aml_io_close(void)
{
	guard_mutex(&lock);
	closed = true;
}

/* Whose it is, so that AML does not get it; NULL: nobody's here. */
static const char *owner(const struct pci_bar *b)
{
	struct pci_dev *d;

	for (unsigned i = 0; i < ARRAY_SIZE(board); i++)
		if (pci_bars_meet(b, &board[i]))
			return "the board's own";
	for (unsigned i = 0; i < ARRAY_SIZE(fadt_ports); i++) {
		u64 at = acpi_field(acpi_find("FACP"), fadt_ports[i], 4), size = i ? PM_BLOCK : 1;
		struct pci_bar block = { .io = true, .base = ALIGN_DOWN(at, size), .size = at ? size : 0 };

		if (pci_bars_meet(b, &block))
			return "power management's";
	}
	if (!b->io && frames_meet(b->base, b->size, FRAMES_OURS))
		return "RAM";
	pci_for_each(d)
		for (unsigned i = 0; i < PCI_REGIONS; i++)
			if (pci_bars_meet(b, pci_bar_of(d, i)))
				return d->name;
	return b->io ? NULL : pci_bar_claimed(b);
}

/* NULL: the region is too large, or partly memory. */
static volatile u8 *memory_at(struct acpi_region *r, u64 at, unsigned size)
{
	if (frames_is_memory(at, size))
		return phys_to_virt(at);
	if (!r->view && r->size <= MAP_MAX && !frames_meet(r->base, r->size, FRAMES_MEMORY))
		r->view = arch_map_uncached(r->base, r->size);
	return r->view ? r->view + (at - r->base) : NULL;
}

static s64 access(struct node *n, u64 at, void *buf, size_t len, bool write)
{
	const struct pci_bar b = { .io = node_priv(n), .base = at, .size = len };
	unsigned i = 0, size = (unsigned)len;
	volatile u8 *p = NULL;
	const char *why;
	u32 v = 0;

	if ((size != 1 && size != 2 && size != 4) || at + size < at)
		return refuse(-EINVAL, "AML asks for %u bytes: an access has 1, 2 or 4", size);
	guard_mutex(&lock);
	while (i < nregions && (regions[i].io != b.io || at < regions[i].base || at + size > regions[i].base + regions[i].size))
		i++;
	why = closed ? "a VFIO group was opened, no more until power-off" :
	      i == nregions ? "no operation region of constant place has it" : owner(&b);
	if (!why && !b.io && write)
		return refuse(frames_meet(at, size, BIT(HANDOVER_ACPI)) ? -EROFS : -EPERM, "AML writes memory: it can only read");
	if (!why && !b.io && !(p = memory_at(&regions[i], at, size)))
		why = "its region is too large, or partly memory";
	if (why)
		return refuse(-EPERM, "AML asks for %s 0x%llx: %s", b.io ? "port" : "memory", (unsigned long long)at, why);
	if (write) {
		memcpy(&v, buf, len);
		arch_out((u16)at, size, v);
	} else {
		v = b.io ? arch_in((u16)at, size) : arch_mmio_in(p, size);
		memcpy(buf, &v, len);
	}
	return (s64)len;
}

static s64 io_read(struct node *n, u64 at, void *buf, size_t len)
{
	return access(n, at, buf, len, false);
}

static s64 io_write(struct node *n, u64 at, const void *buf, size_t len)
{
	return access(n, at, (void *)buf, len, true);
}

#define NODE(minor) { .bin_read = io_read, .bin_write = io_write, .rdev_major = 1, .rdev_minor = minor, .mode = 0600 }
static const struct node_ops port_node = NODE(4), memory_node = NODE(1);

int pci_aml_io_init(void)
{
	for (unsigned i = 0, n = acpi_tables(); i <= n; i++) {
		const struct acpi_header *t = i < n ? acpi_table(i) : acpi_dsdt();
		u32 off = 0;

		while (t && (i == n || !memcmp(t->signature, "SSDT", 4)) && nregions < MAX_REGIONS &&
		       (off = acpi_region_next(t, off, &regions[nregions])))
			nregions++;
	}
	return node_add("/dev/port", &port_node, regions) && node_add("/dev/mem", &memory_node, NULL) ? 0 : -ENOMEM;
}
INITCALL(INITCALL_DEVICES, pci_aml_io_init);
