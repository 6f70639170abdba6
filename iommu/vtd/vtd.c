// SPDX-License-Identifier: GPL-2.0-only
/*
 * VT-d as the driver below struct iommu_ops: finds the DMAR table, starts every unit with everything
 * blocked, knows which unit a function is under, and says why a function cannot be handed out.
 *
 * A function belongs to the unit that names it (or a bridge above it) in a scope, else to its
 * segment's INCLUDE_PCI_ALL unit; under no unit, or one that could not be started, it is never
 * handed out.
 *
 * Order at boot: units are decoded and get empty tables, functions get their units, RMRRs their boot
 * domains (rmrr.c), and only then do units start: nothing else ever comes through.
 */
#include "iommu/vtd/vtd.h"

#include "kernel/acpi.h"
#include "kernel/audit.h"
#include "kernel/frames.h"
#include "kernel/initcall.h"
#include "kernel/options.h"

#define UNSAFE "vfio_iommu_type1.allow_unsafe_interrupts"

struct vtd_unit_list vtd_units = TAILQ_HEAD_INITIALIZER(vtd_units);
struct dmar vtd_dmar;
static bool units_hidden; /* the table may name a unit's functions where it cannot be read */
static const char *absent = "the firmware gives no DMAR table (switch VT-d on in its set-up)";

static int bridge_secondary(u16 segment, u8 bus, u8 devfn)
{
	const struct pci_dev *d = pci_find(segment, bus, devfn);

	return d && d->header_type == 1 && d->secondary ? d->secondary : -1;
}

/* Does a scope name this function, or a bridge above it? An odd one may mean any below what it names. */
static bool scope_covers(const struct dmar_scope *s, u16 segment, const struct pci_dev *dev)
{
	u8 bus, devfn;

	if (dev->segment != segment || (s->type != DMAR_SCOPE_ENDPOINT && s->type != DMAR_SCOPE_BRIDGE && !s->odd) ||
	    dmar_resolve(s, segment, bridge_secondary, &bus, &devfn))
		return false;
	for (; dev; dev = s->type == DMAR_SCOPE_BRIDGE || s->odd ? dev->parent : NULL)
		if (dev->bus == bus && dev->devfn == devfn)
			return true;
	return false;
}

bool vtd_entry_covers(const struct dmar_entry *e, const struct pci_dev *dev)
{
	struct dmar_scope s;

	for (u16 pos = 0; dmar_next_scope(e, &pos, &s);)
		if (scope_covers(&s, e->segment, dev))
			return true;
	return false;
}

struct vtd_dev *vtd_dev_of(const struct pci_dev *dev)
{
	return dev->iommu_unit;
}

static struct vtd_unit *unit_by_offset(u32 dmar_offset)
{
	struct vtd_unit *u;

	TAILQ_FOREACH(u, &vtd_units, link)
		if (u->dmar_offset == dmar_offset)
			return u;
	return NULL;
}

static struct vtd_unit *unit_of(const struct pci_dev *dev)
{
	struct vtd_unit *u;
	struct dmar_entry e;

	for (u32 off = 0; dmar_next(&vtd_dmar, &off, &e) > 0;)
		if (e.type == DMAR_DRHD && vtd_entry_covers(&e, dev))
			return e.bad ? NULL : unit_by_offset(e.offset);
	if (units_hidden)
		return NULL;
	TAILQ_FOREACH(u, &vtd_units, link)
		if (u->include_all && u->segment == dev->segment)
			return u;
	return NULL;
}

int vtd_find_ioapic(u8 id, struct vtd_unit **u, u16 *sid)
{
	struct dmar_entry e;
	struct dmar_scope s;
	u8 bus, devfn;

	for (u32 off = 0; vtd_dmar.len && dmar_next(&vtd_dmar, &off, &e) > 0;) {
		for (u16 pos = 0; e.type == DMAR_DRHD && dmar_next_scope(&e, &pos, &s);) {
			if (s.type != DMAR_SCOPE_IOAPIC || s.odd || s.id != id ||
			    dmar_resolve(&s, e.segment, bridge_secondary, &bus, &devfn))
				continue;
			*u = unit_by_offset(e.offset);
			*sid = (u16)(bus << 8 | devfn);
			return *u ? 0 : -ENODEV;
		}
	}
	return -ENODEV;
}

int vtd_usable(struct pci_dev *dev)
{
	struct vtd_dev *v = vtd_dev_of(dev);
	struct vtd_unit *u = v ? v->unit : NULL;

	if (TAILQ_EMPTY(&vtd_units))
		return refuse(-EPERM, "%s: no VT-d unit: %s", dev->name, absent);
	if (!u)
		return refuse(-EPERM, "%s: no unit of the DMAR table covers it", dev->name);
	if (u->failed || !u->on)
		return refuse(-EPERM, "%s: vtd unit %u at 0x%llx %s (see the log)", dev->name, u->index,
			      (unsigned long long)u->base, u->on ? "failed an invalidation" : "could not be started");
	if (!u->remapping && !option_bool(UNSAFE, false))
		return refuse(-EPERM, "%s: vtd unit %u does not remap interrupts: the device could forge any; "
			      "switch interrupt remapping on (or trust it, with " UNSAFE "=1)", dev->name, u->index);
	return vtd_rmrr_usable(dev);
}

/* A virtual function belongs to the unit of its physical one (8.3). */
static int device_add(struct pci_dev *dev)
{
	struct vtd_dev *v = dev->iommu_unit ? dev->iommu_unit : kzalloc(sizeof(*v));

	if (!v)
		return -ENOMEM;
	v->pci = dev;
	v->unit = unit_of(dev->pf ? dev->pf : dev);
	if (!v->unit)
		log_warn("%s: no unit of the DMAR table covers it", dev->name);
	dev->iommu_unit = v;
	return 0;
}

static const struct iommu_ops vtd_ops = {
	.name = "vtd",
	.domain_create = vtd_domain_create, .domain_destroy = vtd_domain_destroy,
	.domain_geometry = vtd_domain_geometry,
	.attach_dev = vtd_attach_dev, .detach_dev = vtd_detach_dev,
	.map = vtd_map, .unmap = vtd_unmap, .iova_to_phys = vtd_iova_to_phys,
	.device_add = device_add, .usable = vtd_usable, .regions = vtd_regions,
	.irq_map = vtd_irq_map, .irq_confined = vtd_irq_confined, .irq_retarget = vtd_irq_retarget, .irq_unmap = vtd_irq_unmap,
	.irq_map_gsi = vtd_irq_map_gsi,
};

/* Scopes that lead nowhere are frequent (devices switched off in the set-up) and say so once. */
static void scopes_report(void)
{
	struct dmar_entry e;
	struct dmar_scope s;
	u8 bus, devfn;

	for (u32 off = 0; dmar_next(&vtd_dmar, &off, &e) > 0;)
		for (u16 pos = 0; dmar_next_scope(&e, &pos, &s);)
			if (s.type <= DMAR_SCOPE_BRIDGE && (dmar_resolve(&s, e.segment, bridge_secondary, &bus, &devfn) ||
							    !pci_find(e.segment, bus, devfn)))
				log_info("DMAR offset 0x%x: no function at %04x:%02x:%02x.%x%s, which it names", e.offset,
					 e.segment, s.bus, s.path[0], s.path[1], s.hops > 1 ? " and below" : "");
}

/* Map the registers, all of them: IOTLB and fault records may lie beyond the first page. */
static int unit_map(struct vtd_unit *u, u8 size)
{
	u64 bytes = SZ_4K << size, need;
	int r;

	if (!u->base || !IS_ALIGNED(u->base, SZ_4K))
		return -EINVAL;
	r = arch_mmio_map(&u->mmio, u->base, bytes);
	if (r)
		return r;
	r = vtd_unit_decode(u);
	need = MAX(u->caps.fault_offset + (u64)u->caps.fault_records * VTD_FRCD_SIZE, u->caps.iotlb_offset + 16ull);
	if (!r && need > bytes) /* older tables give no size */
		r = arch_mmio_map(&u->mmio, u->base, ALIGN_UP(need, SZ_4K));
	/* Also when we cannot drive it: firmware may have left it on. */
	pci_bars_exclude(u->base, MAX(bytes, u->mmio.size), "an IOMMU's registers");
	return r;
}

static int unit_add(const struct dmar_entry *e)
{
	struct vtd_unit *u, *other;
	unsigned count = 0;
	int r;

	TAILQ_FOREACH(other, &vtd_units, link)
		count++;
	if (count == VTD_MAX_UNITS) {
		log_err("DMAR offset 0x%x: more than %u units: devices of this one are never handed out", e->offset,
			VTD_MAX_UNITS);
		return 0;
	}
	u = kzalloc(sizeof(*u));
	if (!u)
		return -ENOMEM;
	u->index = count;
	u->segment = e->segment;
	u->include_all = e->flags & DMAR_INCLUDE_PCI_ALL;
	u->base = e->base;
	u->dmar_offset = e->offset;
	TAILQ_INIT(&u->irtes);
	r = unit_map(u, e->size);
	TAILQ_FOREACH(other, &vtd_units, link)
		if (other->base == u->base)
			r = -EBUSY;
	TAILQ_INSERT_TAIL(&vtd_units, u, link);
	if (u->caps.remap && !(vtd_dmar.flags & DMAR_INTR_REMAP)) { /* 8.1: the platform does not support it */
		vtd_log(4, u, "the DMAR table says that interrupt remapping does not work here");
		u->caps.remap = false;
	}
	if (!r)
		r = vtd_unit_tables(u);
	u->failed = r;
	if (r)
		vtd_log(3, u, "not usable (DMAR offset 0x%x, error %d): its devices stay without bus mastering and "
			"are never handed out", e->offset, -r);
	return 0;
}

/* What of a damaged structure is not believed, and whom that concerns. */
static void damage_report(const struct dmar_entry *e)
{
	static const char *const names[] = { "DRHD", "RMRR", "ATSR", "RHSA", "ANDD", "SATC", "SIDP" };
	struct pci_dev *dev;

	log_err("DMAR offset 0x%x: %s of %u bytes is damaged at 0x%x", e->offset, names[e->type], e->len, e->bad);
	pci_for_each(dev)
		if (e->type <= DMAR_RMRR && vtd_entry_covers(e, dev))
			log_err("%s is named by the damaged %s at DMAR offset 0x%x: not handed out", dev->name, names[e->type],
				e->offset);
	if (e->type == DMAR_DRHD && e->hides && !(e->flags & DMAR_INCLUDE_PCI_ALL))
		units_hidden = true;
}

static int table_copy(const void *dmar, size_t len)
{
	struct dmar_entry e;
	u32 off = 0;
	void *copy;
	int r = dmar_open(&vtd_dmar, dmar, len);

	units_hidden = r;
	if (r) {
		log_err("DMAR offset 0x0: no table: no unit is used, no device is handed out");
		absent = "the DMAR table is malformed, the log names the offset (update the firmware)";
		vtd_dmar.len = 0;
		return r;
	}
	while ((r = dmar_next(&vtd_dmar, &off, &e)) > 0)
		if (e.bad)
			damage_report(&e);
	if (r) {
		log_err("DMAR offset 0x%x: a structure's length makes this and all after it (%u bytes) unreadable", off,
			vtd_dmar.len - off);
		vtd_dmar.len = off;
		units_hidden = true;
	}
	if (units_hidden)
		log_err("DMAR: the damage may hide whose units are whose: only functions that a sound DRHD names are handed out");
	copy = kmalloc(vtd_dmar.len);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, vtd_dmar.table, vtd_dmar.len);
	vtd_dmar.table = copy;
	return 0;
}

int vtd_init(const void *dmar, size_t len)
{
	struct dmar_entry e;
	struct pci_dev *dev;
	struct vtd_unit *u;
	int r;

	iommu_register(&vtd_ops); /* without a unit it says why nothing is handed out */
	if (!dmar)
		return -ENODEV;
	r = table_copy(dmar, len);
	if (r)
		return r;
	if (vtd_dmar.flags & DMAR_DMA_CTRL_OPT_IN)
		log_info("the platform asks for DMA protection (DMA_CTRL_PLATFORM_OPT_IN): it is always on here");
	for (u32 off = 0; !r && dmar_next(&vtd_dmar, &off, &e) > 0;)
		if (e.type == DMAR_DRHD)
			r = unit_add(&e);
	pci_for_each(dev)
		if (r || device_add(dev))
			return -ENOMEM;
	scopes_report();
	vtd_ats_init();
	vtd_rmrr_boot();
	TAILQ_FOREACH(u, &vtd_units, link) {
		if (!u->failed)
			(void)!vtd_unit_start(u); /* says why not, and is out of use then */
		if (u->on && !u->remapping && option_bool(UNSAFE, false))
			vtd_log(3, u, "UNSAFE: it does not remap interrupts and hands out devices all the same (" UNSAFE "): "
				"each of them can raise any interrupt on any CPU, and so stop or take over this machine");
	}
	if (TAILQ_EMPTY(&vtd_units)) {
		absent = units_hidden ? "the DMAR table is damaged, the log names the offset (update the firmware)" :
			 "the DMAR table lists none";
		return -ENODEV;
	}
	return 0;
}

/* Can this unit send interrupts to x2APICs? One that does not answer is never used. */
static bool unit_reaches_x2apic(const struct dmar_entry *e)
{
	struct mmio m;
	u64 ecap;

	if (!e->base || !IS_ALIGNED(e->base, SZ_4K) || arch_mmio_map(&m, e->base, SZ_4K))
		return true;
	ecap = rd64(&m, VTD_ECAP);
	return !(ecap & VTD_ECAP_IR) || (ecap & VTD_ECAP_EIM);
}

/* Before the CPUs' mode is chosen: firmware (8.1) or a unit may ask for xAPIC mode. */
int vtd_probe(const void *table, size_t len)
{
	struct dmar_entry e;
	struct dmar d;

	if (!table || dmar_open(&d, table, len) || !(d.flags & DMAR_INTR_REMAP))
		return 0;
	if (d.flags & DMAR_X2APIC_OPT_OUT)
		arch_x2apic_forbid("firmware asks for it (X2APIC_OPT_OUT in its DMAR table)");
	for (u32 off = 0; dmar_next(&d, &off, &e) > 0;)
		if (e.type == DMAR_DRHD && !unit_reaches_x2apic(&e))
			arch_x2apic_forbid("a VT-d unit has no extended interrupt mode");
	return 0;
}

static int iommu_probe(void)
{
	const struct acpi_header *t = acpi_find("DMAR");

	return vtd_probe(t, t ? t->length : 0);
}
INITCALL(INITCALL_EARLY, iommu_probe);

static struct auditor vtd_auditor = { .name = "vtd", .check = vtd_audit };

static int iommu_init(void)
{
	const struct acpi_header *t = acpi_find("DMAR");
	int r = vtd_init(t, t ? t->length : 0);

	if (r)
		log_err("no VT-d unit: %s (error %d); devices are not handed out and cannot do DMA", absent, -r);
	else
		pci_bridges_master(true);
	audit_register(&vtd_auditor);
	return iommu_groups_build();
}
INITCALL(INITCALL_IOMMU, iommu_init);
