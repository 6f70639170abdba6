// SPDX-License-Identifier: GPL-2.0-only
/*
 * The machine's config space: memory-mapped (ECAM, PCI Express 7.2.2) as the MCFG table says, every
 * window mapped once, uncached.  Without an MCFG, segment 0 is reached by ports 0xcf8/0xcfc (PCI
 * Local Bus 3.2.2.3.2): 256 bytes per function, hence no ACS and large groups.
 *
 * An entry that points at RAM, is not aligned or overflows is refused by name; its buses then answer
 * all ones like absent ones.
 */
#include "kernel/acpi.h"
#include "kernel/frames.h"
#include "pci/internal.h"

#define MAX_WINDOWS 32
#define ECAM_BUS_SIZE 0x100000ull /* 32 devices, 8 functions, 4 KiB each */
#define CF8_ADDRESS 0xcf8
#define CF8_DATA 0xcfc
#define CF8_ENABLE BIT(31)

static struct ecam_window {
	paddr_t base; /* of bus_first */
	u64 size;
	u16 segment;
	u8 bus_first, bus_last;
	volatile u8 *map;
} windows[MAX_WINDOWS];
static unsigned nwindows;

static struct spinlock port_lock = SPINLOCK_INIT;
static bool port_unlocked;

static volatile u8 *ecam_address(u16 segment, u8 bus, u8 devfn, u16 off)
{
	for (unsigned i = 0; i < nwindows; i++) {
		const struct ecam_window *w = &windows[i];

		if (w->segment == segment && bus >= w->bus_first && bus <= w->bus_last)
			return windows[i].map + (((u64)(bus - w->bus_first) << 20) | (u64)devfn << 12 |
						 (off & 0xfff));
	}
	return NULL;
}

static u32 ecam_read(u16 segment, u8 bus, u8 devfn, u16 off, unsigned size)
{
	volatile u8 *p = ecam_address(segment, bus, devfn, off);

	return p && off < PCI_CFG_EXPRESS ? arch_mmio_in(p, size) : ~0u;
}

static void ecam_write(u16 segment, u8 bus, u8 devfn, u16 off, unsigned size, u32 v)
{
	volatile u8 *p = ecam_address(segment, bus, devfn, off);

	if (p && off < PCI_CFG_EXPRESS)
		arch_mmio_out(p, size, v);
}

static const struct pci_cfg_ops ecam_ops = { ecam_read, ecam_write };

static u32 port_access(u8 bus, u8 devfn, u16 off, unsigned size, bool write, u32 v)
{
	bool locked = !READ_ONCE(port_unlocked), irq = locked && spin_lock(&port_lock);

	arch_out32(CF8_ADDRESS, (u32)(CF8_ENABLE | (u32)bus << 16 | (u32)devfn << 8 | (off & 0xfc)));
	if (write)
		arch_out((u16)(CF8_DATA + (off & 3)), size, v);
	else
		v = arch_in((u16)(CF8_DATA + (off & 3)), size);
	if (locked)
		spin_unlock(&port_lock, irq);
	return v;
}

static u32 port_read(u16 segment, u8 bus, u8 devfn, u16 off, unsigned size)
{
	return segment || off >= PCI_CFG_CONVENTIONAL ? ~0u : port_access(bus, devfn, off, size, false, 0);
}

static void port_write(u16 segment, u8 bus, u8 devfn, u16 off, unsigned size, u32 v)
{
	if (!segment && off < PCI_CFG_CONVENTIONAL)
		(void)port_access(bus, devfn, off, size, true, v);
}

static const struct pci_cfg_ops port_ops = { port_read, port_write };

void pci_ecam_panic(void)
{
	WRITE_ONCE(port_unlocked, true);
}

bool pci_ecam_overlaps(paddr_t pa, u64 size)
{
	for (unsigned i = 0; i < nwindows; i++)
		if (pa < windows[i].base + windows[i].size && windows[i].base < pa + size)
			return true;
	return false;
}

static const char *entry_refused(const struct acpi_mcfg_entry *e, paddr_t base, u64 size)
{
	if (e->bus_last < e->bus_first)
		return "its last bus is below its first";
	if (!IS_ALIGNED(e->base, ECAM_BUS_SIZE) || e->base == 0)
		return "its base is not that of a bus";
	if (base < e->base || base + size < base)
		return "it goes beyond the address space";
	if (frame_is_ram(base) || frame_is_ram(base + size - 1))
		return "it lies in RAM";
	for (unsigned i = 0; i < nwindows; i++)
		if (windows[i].segment == e->segment && e->bus_first <= windows[i].bus_last &&
		    windows[i].bus_first <= e->bus_last)
			return "an entry before it has these buses";
	return NULL;
}

static void window_add(const struct acpi_mcfg_entry *e)
{
	struct ecam_window w = { .base = e->base + e->bus_first * ECAM_BUS_SIZE, .segment = e->segment,
				 .size = ((u64)e->bus_last - e->bus_first + 1) * ECAM_BUS_SIZE,
				 .bus_first = e->bus_first, .bus_last = e->bus_last };
	const char *why = entry_refused(e, w.base, w.size);

	if (!why) {
		w.map = arch_map_uncached(w.base, w.size);
		why = w.map ? NULL : "it cannot be mapped";
	}
	if (why) {
		log_err("pci: MCFG entry 0x%llx segment %04x buses %02x-%02x is not used: %s",
			(unsigned long long)e->base, e->segment, e->bus_first, e->bus_last, why);
		return;
	}
	windows[nwindows++] = w;
	log_info("pci: ECAM 0x%llx, segment %04x, buses %02x-%02x", (unsigned long long)w.base, w.segment, w.bus_first,
		 w.bus_last);
}

/* One range for each segment, however many entries describe it: a bridge may lead from one to another. */
static int list_segments(struct pci_segment *out, unsigned cap)
{
	unsigned n = 0, k;

	for (unsigned i = 0; i < nwindows; i++) {
		const struct ecam_window *w = &windows[i];

		for (k = 0; k < n && out[k].segment != w->segment; k++)
			;
		if (k == cap)
			continue;
		if (k == n)
			out[n++] = (struct pci_segment){ w->segment, w->bus_first, w->bus_last };
		out[k].bus_first = MIN(out[k].bus_first, w->bus_first);
		out[k].bus_last = MAX(out[k].bus_last, w->bus_last);
	}
	return (int)n;
}

int pci_ecam_init(struct pci_segment *out, unsigned cap)
{
	struct acpi_mcfg_entry entry[MAX_WINDOWS];
	const struct acpi_header *mcfg = acpi_find("MCFG");
	int n = mcfg ? acpi_parse_mcfg(mcfg, entry, MAX_WINDOWS) : 0;

	for (int i = 0; i < n; i++)
		window_add(&entry[i]);
	if (nwindows) {
		pci_set_cfg_ops(&ecam_ops);
		return list_segments(out, cap);
	}
	if (port_read(0, 0, 0, PCI_VENDOR_ID, 4) == ~0u) {
		log_err("pci: no MCFG table and nobody answers at ports 0xcf8/0xcfc: no PCI devices");
		return -ENODEV;
	}
	log_warn("pci: no usable MCFG table: config space by ports, 256 bytes each, no ACS; groups will be large");
	pci_set_cfg_ops(&port_ops);
	out[0] = (struct pci_segment){ 0, 0, 255 };
	return 1;
}
