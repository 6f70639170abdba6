// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which line of an IOAPIC a function's INTx pin drives, and the bits by which a function is asked and
 * silenced (PCI Local Bus 3.0, 6.2.2 and 6.2.3).
 *
 * Pins turn by the device number at every bridge (PCI-to-PCI Bridge 1.2, 9.1). Where they end at a root bus
 * the board says: on ICH9 (Q35) its registers do; elsewhere only AML does, which never runs here. A program
 * that interprets it writes what it found to /sys/kernel/postern/intx_routes, and reads there what holds:
 * one write for a pin of a device, hexadecimal numbers "SEGMENT BUS DEVICE PIN GSI LOW", PIN from 0 on, LOW 1 for an
 * active-low line. It is believed when the device is there, the line is one of an IOAPIC that firmware does not
 * call an edge, and the chipset does not know better. The first word on a pin stays until power-off.
 */
#include <stdio.h>
#include <stdlib.h>

#include "kernel/file.h"
#include "kernel/initcall.h"
#include "pci/internal.h"

/* ICH9 datasheet (316972) 10.1: registers from RCBA on, a field of three bits for each pin. 0: none. */
#define ICH9_LPC_DEVFN (31 << 3)
#define ICH9_RCBA 0xf0
#define ICH9_RCBA_ENABLE BIT(0)
#define ICH9_RCBA_BASE GENMASK(31, 14)
#define ICH9_DIR_PAGE 0x3000
static const u16 ich9_dir[32] = { [25] = 0x150, [26] = 0x14c, [27] = 0x148, [28] = 0x146, [29] = 0x144, [31] = 0x140 };
#define ICH9_PIRQ_LINE(pirq) (u16)((16 + (pirq)) | PCI_INTX_LOW)

/* Line of a pin on the root bus by the chipset; 0: it does not tell. */
static u16 chipset_line(const struct pci_dev *d, unsigned pin)
{
	static struct mmio dir;
	const struct pci_dev *lpc = pci_find(0, 0, ICH9_LPC_DEVFN);
	u8 slot = d->devfn >> 3;
	u32 rcba;

	if (d->segment || d->bus || !lpc || lpc->vendor != 0x8086 || (lpc->device & ~0xfu) != 0x2910)
		return 0;
	if (!ich9_dir[slot]) {
		/* On a board these are wires. QEMU's are in its hw/isa/lpc_ich9.c; it is known by its ids. */
		if (lpc->subsystem_vendor != 0x1af4 || lpc->subsystem_device != 0x1100)
			return 0;
		return ICH9_PIRQ_LINE(4 + (slot == 30 ? pin : (slot + pin) % 4));
	}
	rcba = pci_read32(lpc, ICH9_RCBA);
	if (!(rcba & ICH9_RCBA_ENABLE) ||
	    (!dir.ops && arch_mmio_map(&dir, (rcba & ICH9_RCBA_BASE) + ICH9_DIR_PAGE, PAGE_SIZE)))
		return 0;
	return ICH9_PIRQ_LINE(rd32(&dir, ich9_dir[slot] & ~3u) >> (ich9_dir[slot] & 2) * 8 >> 4 * pin & 7);
}

u16 pci_intx_line(const struct pci_dev *d)
{
	unsigned pin = d->interrupt_pin - 1u;
	u16 line = 0;

	if (!d->interrupt_pin)
		return 0;
	for (; !line; d = d->parent) {
		/* Below a port there is one device; with ARI its number is part of the function's. */
		bool alone = pci_is_port(d->parent);

		line = READ_ONCE(d->intx_reported[pin]);
		if (!d->parent)
			return line ? line : chipset_line(d, pin);
		pin = (pin + (alone ? 0 : d->devfn >> 3)) % 4;
	}
	return line;
}

bool pci_intx_maskable(const struct pci_dev *d)
{
	u16 was = pci_read16(d, PCI_COMMAND), now;

	pci_write16(d, PCI_COMMAND, was ^ PCI_COMMAND_INTX_DISABLE);
	now = pci_read16(d, PCI_COMMAND);
	pci_write16(d, PCI_COMMAND, was);
	return (was ^ now) == PCI_COMMAND_INTX_DISABLE;
}

bool pci_intx_asserted(const struct pci_dev *d)
{
	u32 v = pci_read32(d, PCI_COMMAND);

	/* All ones, from a function that does not answer, are no claim either. */
	return v >> 16 & PCI_STATUS_INTERRUPT && !(v & PCI_COMMAND_INTX_DISABLE);
}

void pci_intx_mask(const struct pci_dev *d, bool masked)
{
	const u8 bit = PCI_COMMAND_INTX_DISABLE >> 8;
	u8 v = pci_read8(d, PCI_COMMAND + 1);

	pci_write8(d, PCI_COMMAND + 1, masked ? v | bit : v & ~bit);
}

static s64 routes_store(struct node *, const char *buf, size_t len)
{
	enum { SEGMENT, BUS, DEVICE, PIN, GSI, LOW, NUMBERS };
	static const u64 max[NUMBERS] = { 0xffff, 0xff, 31, 3, PCI_INTX_GSIS - 1, 1 };
	unsigned long v[NUMBERS];
	bool there = false;
	char *at = (char *)buf, *end;
	int io;

	for (unsigned i = 0; i < NUMBERS; i++, at = end) {
		v[i] = strtoul(at, &end, 16);
		if (end == at || v[i] > max[i])
			return refuse(-EINVAL, "INTx route: number %u of \"%.40s\"", i + 1, buf);
	}
	io = arch_ioapic_find((u32)v[GSI]);
	if (io < 0)
		return refuse(io, "INTx route: no IOAPIC has a level-triggered line %lu", v[GSI]);
	for (unsigned fn = 0; fn < 8; fn++) {
		struct pci_dev *d = pci_find((u16)v[SEGMENT], (u8)v[BUS], (u8)(v[DEVICE] << 3 | fn));
		u16 line = (u16)(v[GSI] | (v[LOW] ? PCI_INTX_LOW : 0)), known = d ? chipset_line(d, (unsigned)v[PIN]) : 0;

		if (!d)
			continue;
		there = true;
		if (!known)
			known = __sync_val_compare_and_swap(&d->intx_reported[v[PIN]], 0, line);
		if (known && (known ^ line) & ~PCI_INTX_LOW)
			return refuse(-EEXIST, "INTx route: pin %lu of %s drives line %u", v[PIN], d->name, known & ~PCI_INTX_LOW);
	}
	return there ? (s64)len : refuse(-ENODEV, "INTx route: no device is at \"%.40s\"", buf);
}

/* Every function that has a pin: its name, pin, line. */
static s64 routes_show(struct node *, char *buf, size_t cap)
{
	struct pci_dev *d;
	size_t len = 0;

	pci_for_each(d)
		if (d->interrupt_pin && len < cap)
			len += (size_t)snprintf(buf + len, cap - len, "%s %c %d\n", d->name, '@' + d->interrupt_pin,
						pci_intx_line(d) ? pci_intx_line(d) & ~PCI_INTX_LOW : -1);
	return (s64)MIN(len, cap);
}

static const struct node_ops routes_node = { .show = routes_show, .store = routes_store, .mode = 0644 };

int pci_intx_init(void)
{
	return node_add("/sys/kernel/postern/intx_routes", &routes_node, NULL) ? 0 : -ENOMEM;
}
INITCALL(INITCALL_DEVICES, pci_intx_init);
