/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * MADT (which CPUs and IOAPICs there are) and MCFG (where configuration space is).  Pure: they read
 * t->length bytes from t and nothing else.
 */
#include "kernel/acpi.h"

/* ACPI 6.5, 5.2.12 */
#define MADT_LAPIC 36
#define MADT_ENTRIES 44u
#define MADT_ENABLED 1u
enum { MADT_CPU = 0, MADT_IOAPIC = 1, MADT_OVERRIDE = 2, MADT_LAPIC_ADDRESS = 5, MADT_X2APIC = 9 };
static const u8 madt_length[] = {
	[MADT_CPU] = 8,		    [MADT_IOAPIC] = 12,	 [MADT_OVERRIDE] = 10,
	[MADT_LAPIC_ADDRESS] = 12, [MADT_X2APIC] = 16,
};

/* PCI firmware specification 3.3, 4.1.2 */
#define MCFG_ENTRIES 44u
#define MCFG_ENTRY_SIZE 16u
#define MCFG_BUS_SIZE 0x100000ull

static u64 field(const u8 *p, unsigned bytes)
{
	u64 v = 0;

	memcpy(&v, p, bytes);
	return v;
}

static void add_cpu(struct acpi_madt *m, u32 apic_id, u32 flags)
{
	if (!(flags & MADT_ENABLED))
		return;
	/* Firmware may list a CPU both as local APIC and as x2APIC. */
	for (unsigned i = 0; i < m->ncpus; i++)
		if (m->cpu[i].apic_id == apic_id)
			return;
	if (m->ncpus == ARRAY_SIZE(m->cpu))
		log_warn("MADT: no room for the CPU with APIC id %u; it stays off", apic_id);
	else
		m->cpu[m->ncpus++].apic_id = apic_id;
}

static void add_ioapic(struct acpi_madt *m, const u8 *e)
{
	if (m->nioapics == ARRAY_SIZE(m->ioapic)) {
		log_warn("MADT: no room for IOAPIC %u at 0x%llx; its pins stay unused", e[2],
			 (unsigned long long)field(e + 4, 4));
		return;
	}
	m->ioapic[m->nioapics++] = (struct acpi_ioapic){
		.id = e[2], .base = field(e + 4, 4), .gsi_base = field(e + 8, 4),
	};
}

static void add_override(struct acpi_madt *m, const u8 *e)
{
	if (m->noverrides == ARRAY_SIZE(m->override)) {
		log_warn("MADT: no room for the override of interrupt %u", e[3]);
		return;
	}
	m->override[m->noverrides].bus_irq = e[3];
	m->override[m->noverrides].gsi = field(e + 4, 4);
	m->override[m->noverrides++].flags = field(e + 8, 2);
}

static void madt_entry(struct acpi_madt *m, const u8 *e)
{
	switch (e[0]) {
	case MADT_CPU:
		if (e[3] != 0xff)
			add_cpu(m, e[3], field(e + 4, 4));
		break;
	case MADT_X2APIC:
		add_cpu(m, field(e + 4, 4), field(e + 8, 4));
		break;
	case MADT_IOAPIC:
		add_ioapic(m, e);
		break;
	case MADT_OVERRIDE:
		add_override(m, e);
		break;
	case MADT_LAPIC_ADDRESS:
		m->lapic = field(e + 4, 8);
		break;
	}
}

int acpi_parse_madt(const struct acpi_header *t, struct acpi_madt *out)
{
	const u8 *p = (const u8 *)t;
	u32 off, length;

	memset(out, 0, sizeof(*out));
	if (!t)
		return -ENOENT;
	length = t->length;
	if (length < MADT_ENTRIES) {
		log_err("MADT: length %u is less than %u", length, MADT_ENTRIES);
		return -EBADMSG;
	}
	out->lapic = field(p + MADT_LAPIC, 4);
	for (off = MADT_ENTRIES; off < length; off += p[off + 1]) {
		u8 type = p[off], len;

		if (length - off < 2) {
			log_err("MADT, offset %u: an entry of one byte", off);
			return -EBADMSG;
		}
		len = p[off + 1];
		if (len < 2 || len > length - off ||
		    (type < ARRAY_SIZE(madt_length) && len < madt_length[type])) {
			log_err("MADT, offset %u: entry of type %u cannot have length %u", off, type, len);
			return -EBADMSG;
		}
		madt_entry(out, p + off);
	}
	return 0;
}

int acpi_parse_mcfg(const struct acpi_header *t, struct acpi_mcfg_entry *out, unsigned cap)
{
	const u8 *p = (const u8 *)t;
	unsigned n = 0;
	u32 length;

	if (!t)
		return -ENOENT;
	length = t->length;
	if (length < MCFG_ENTRIES || (length - MCFG_ENTRIES) % MCFG_ENTRY_SIZE) {
		log_err("MCFG: length %u does not hold whole entries of %u bytes from offset %u", length,
			MCFG_ENTRY_SIZE, MCFG_ENTRIES);
		return -EBADMSG;
	}
	for (u32 off = MCFG_ENTRIES; off < length; off += MCFG_ENTRY_SIZE) {
		struct acpi_mcfg_entry e = {
			.base = field(p + off, 8),
			.segment = field(p + off + 8, 2),
			.bus_first = p[off + 10],
			.bus_last = p[off + 11],
		};

		if (e.bus_first > e.bus_last || e.base % MCFG_BUS_SIZE ||
		    e.base + 256 * MCFG_BUS_SIZE < e.base) {
			log_err("MCFG, offset %u: segment %u, buses %u-%u at 0x%llx is impossible", off,
				e.segment, e.bus_first, e.bus_last, (unsigned long long)e.base);
			return -EBADMSG;
		}
		if (n == cap)
			log_warn("MCFG, offset %u: no room for segment %u, buses %u-%u", off, e.segment,
				 e.bus_first, e.bus_last);
		else
			out[n++] = e;
	}
	return (int)n;
}
