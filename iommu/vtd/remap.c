// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupt remapping (VT-d chapter 5): the table, its entries and the messages that name them.
 *
 * Every entry verifies the source id: the function's own, or the range of buses its aliases lie on.
 * Compatibility-format messages are blocked (GCMD.CFI stays 0).  Entry 0 is never used, so that a
 * message from registers nobody wrote is a fault.
 *
 * Order.  A new entry: high half (source id) first, then the low half with the present bit.  The
 * high half never changes while the entry is present, so pointing an interrupt elsewhere is one
 * 64-bit store and the unit sees the old or the new target, never a mixture.  Teardown: low half to
 * zero, entry cache invalidated, and only then may the index be used again.  Entries of a unit that
 * does not snoop are written back before the invalidation.
 */
#include "iommu/vtd/vtd.h"

#include "kernel/frames.h"
#include "kernel/options.h"

#define IRT_ENTRIES_PRESET 4096
#define IRT_ENTRIES_MAX 32768 /* half a MiB: what one heap block holds with its alignment */
#define IRQ_COUNT_MAX 32      /* multiple-message MSI, PCIe 7.7.1 */

/* One mode for the machine: IRTA.EIME is set exactly when the CPUs run in x2APIC mode. */
static u64 irte_low(const struct irq *irq, bool level)
{
	u32 apic = arch_cpu_apic_id(irq->cpu);

	return VTD_IRTE_P | (level ? VTD_IRTE_TM : 0) | FIELD_PREP(VTD_IRTE_V, irq->vector) |
	       (arch_x2apic() ? FIELD_PREP(VTD_IRTE_DST_X2APIC, apic) : FIELD_PREP(VTD_IRTE_DST_XAPIC, apic));
}

struct vtd_entry vtd_irte_posted(paddr_t descriptor, u8 vector, bool urgent, u64 source)
{
	return (struct vtd_entry){
		.lo = VTD_IRTE_P | VTD_IRTE_IM | (urgent ? VTD_IRTE_URG : 0) | FIELD_PREP(VTD_IRTE_V, vector) |
		      FIELD_PREP(VTD_IRTE_PDA_LOW, (descriptor & 0xffffffff) >> 6),
		.hi = source | FIELD_PREP(VTD_IRTE_PDA_HIGH, descriptor >> 32),
	};
}

/* Source-id check: exact for a function that is its own only alias, else the buses of its aliases. */
static u64 irte_high(struct pci_dev *dev)
{
	struct pci_alias a[PCI_MAX_ALIASES];
	unsigned n = pci_dma_aliases(dev, a);
	u8 first = dev->bus, last = dev->bus;

	if (n <= 1)
		return FIELD_PREP(VTD_IRTE_SVT, VTD_SVT_SID) | FIELD_PREP(VTD_IRTE_SID, pci_rid(dev));
	for (unsigned i = 0; i < n; i++) {
		first = MIN(first, a[i].bus);
		last = MAX(last, a[i].bus);
	}
	return FIELD_PREP(VTD_IRTE_SVT, VTD_SVT_BUS_RANGE) | FIELD_PREP(VTD_IRTE_SID, first << 8 | last);
}

/* Room for `count` (a power of two) entries, aligned to it. */
static int irt_take(struct vtd_unit *u, unsigned count, u16 *index)
{
	u64 run = GENMASK(count - 1, 0);

	guard_spin(&u->lock);
	for (u32 i = 0; i < u->irt_entries; i += count) {
		if ((u->irt_bitmap[i / 64] & run << i % 64) == 0) {
			u->irt_bitmap[i / 64] |= run << i % 64;
			*index = (u16)i;
			return 0;
		}
		if (!~u->irt_bitmap[i / 64])
			i = ALIGN_UP(i + 1, 64u) - count;
	}
	return -ENOSPC;
}

static unsigned log2_of(unsigned v)
{
	return (unsigned)__builtin_ctz(v);
}

/* Entries of a handle went from not-present to present. */
static int irte_announce(struct iommu_irte *e)
{
	struct vtd_entry inv = vtd_inv_iec_index(e->index, log2_of(e->count));

	return e->unit->caps.caching_mode ? vtd_queue_run(e->unit, &inv, 1) : vtd_flush_write_buffer(e->unit);
}

/* The handle goes, and its index unless it is kept. */
static void irte_forget(struct iommu_irte *e, bool keep_index)
{
	struct vtd_unit *u = e->unit;
	bool irq = spin_lock(&u->lock);

	if (!keep_index)
		u->irt_bitmap[e->index / 64] &= ~(GENMASK(e->count - 1, 0) << e->index % 64);
	TAILQ_REMOVE(&u->irtes, e, link);
	spin_unlock(&u->lock, irq);
	kfree(e);
}

/* To not-present, and gone from the entry cache; the index stays taken when the unit does not answer. */
static void irte_drop(struct iommu_irte *e)
{
	struct vtd_entry inv = vtd_inv_iec_index(e->index, log2_of(e->count));
	struct vtd_unit *u = e->unit;
	bool kept;

	for (unsigned i = 0; i < e->count; i++) {
		WRITE_ONCE(u->irt[e->index + i].lo, 0);
		vtd_sync(u, &u->irt[e->index + i], sizeof(*u->irt));
	}
	kept = vtd_queue_run(u, &inv, 1);
	if (kept && e->dev) {
		pci_set_master(e->dev, false);
		log_err("%s: its interrupt entry %u could not be invalidated; bus mastering is off", e->dev->name,
			e->index);
	}
	for (unsigned i = 0; i < e->count && !kept; i++)
		vtd_entry_set(u, &u->irt[e->index + i], (struct vtd_entry){ 0, 0 });
	irte_forget(e, kept);
}

/* Take entries on a unit and write them, all with the same source check. */
static int irte_make(struct vtd_unit *u, struct irq *irqs, unsigned count, u64 high, struct iommu_irte *proto,
		     struct iommu_irte **out)
{
	struct iommu_irte *e = kzalloc(sizeof(*e));
	bool irq;
	int r;

	if (!e)
		return -ENOMEM;
	*e = *proto;
	e->unit = u;
	e->count = (u16)count;
	r = irt_take(u, count, &e->index);
	if (r) {
		kfree(e);
		return refuse(r, "vtd unit %u: no room for %u more of its %u interrupt entries", u->index, count,
			      u->irt_entries);
	}
	irq = spin_lock(&u->lock);
	TAILQ_INSERT_TAIL(&u->irtes, e, link);
	spin_unlock(&u->lock, irq);
	for (unsigned i = 0; i < count; i++)
		vtd_entry_set(u, &u->irt[e->index + i], (struct vtd_entry){ irte_low(&irqs[i], e->level), high });
	r = irte_announce(e);
	if (r) {
		irte_drop(e);
		return r;
	}
	*out = e;
	return 0;
}

bool vtd_irq_confined(const struct pci_dev *dev)
{
	const struct vtd_dev *v = vtd_dev_of(dev);

	return v && v->unit && v->unit->remapping;
}

/* A unit without remapping that the operator lets hand out devices: the message names CPU and vector itself. */
static int message_plain(const struct pci_dev *dev, const struct irq *irq, unsigned count, struct iommu_irte **out,
			 struct msi_msg *msg)
{
	u32 apic = arch_cpu_apic_id(irq->cpu);

	if (count > 1 || apic > 0xff)
		return refuse(-ENOSPC, "%s: without interrupt remapping it has one MSI vector, on a CPU with an APIC id below 256",
			      dev->name);
	*out = kzalloc(sizeof(**out));
	if (!*out)
		return -ENOMEM;
	**out = (struct iommu_irte){ .gsi = -1 };
	*msg = (struct msi_msg){ VTD_MSI_BASE | apic << 12, irq->vector };
	return 0;
}

int vtd_irq_map(struct pci_dev *dev, struct irq *irqs, unsigned count, struct iommu_irte **out, struct msi_msg *msg)
{
	struct vtd_dev *v = vtd_dev_of(dev);
	struct iommu_irte proto = { .dev = dev, .gsi = -1 };
	int r;

	if (!count || count > IRQ_COUNT_MAX || (count & (count - 1)))
		return -EINVAL;
	if (v && v->unit && !v->unit->remapping && !vtd_usable(dev))
		return message_plain(dev, irqs, count, out, msg);
	if (!vtd_irq_confined(dev) || v->unit->failed || !pci_dev_usable(dev))
		return refuse(-EIO, "%s: no unit remaps its interrupts", dev->name);
	r = irte_make(v->unit, irqs, count, irte_high(dev), &proto, out);
	if (r)
		return r;
	/* 5.1.5.2: the subhandle is the message's data, which a device counts up from 0. */
	msg->addr = VTD_MSI_BASE | VTD_MSI_REMAPPABLE | (count > 1 ? VTD_MSI_SHV : 0) |
		    FIELD_PREP(VTD_MSI_HANDLE_LOW, (*out)->index & 0x7fff) |
		    ((*out)->index & 0x8000 ? VTD_MSI_HANDLE_15 : 0);
	msg->data = 0;
	return 0;
}

int vtd_irq_retarget(struct iommu_irte *e, unsigned i, const struct irq *irq)
{
	struct vtd_entry inv = vtd_inv_iec_index((u16)(e->index + i), 0);
	struct vtd_entry *entry;

	if (i >= e->count)
		return -EINVAL;
	entry = &e->unit->irt[e->index + i];
	WRITE_ONCE(entry->lo, irte_low(irq, e->level));
	vtd_sync(e->unit, entry, sizeof(*entry));
	return vtd_queue_run(e->unit, &inv, 1);
}

void vtd_irq_unmap(struct iommu_irte *e)
{
	if (e->gsi >= 0 && arch_ioapic_route((u32)e->gsi, 0, 0, e->level, e->low, true))
		log_err("interrupt %lld: its IOAPIC pin could not be masked", (long long)e->gsi);
	if (e->count)
		irte_drop(e);
	else
		kfree(e);
}

int vtd_irq_map_gsi(u32 gsi, struct irq *irq, bool level, bool low, struct iommu_irte **out)
{
	struct iommu_irte proto = { .gsi = gsi, .level = level, .low = low };
	struct vtd_unit *u = NULL;
	u16 sid = 0;
	int id = arch_ioapic_find(gsi), r = id;

	if (r >= 0)
		r = vtd_find_ioapic((u8)id, &u, &sid);
	if (r || !u->remapping || u->failed)
		return refuse(-ENODEV, "interrupt %u: no unit remaps its IOAPIC (id %d)", gsi, id);
	r = irte_make(u, irq, 1, FIELD_PREP(VTD_IRTE_SVT, VTD_SVT_SID) | FIELD_PREP(VTD_IRTE_SID, sid), &proto, out);
	if (r)
		return r;
	r = arch_ioapic_route(gsi, (*out)->index, irq->vector, level, low, false);
	if (r)
		vtd_irq_unmap(*out);
	return r;
}

int vtd_remap_start(struct vtd_unit *u)
{
	struct vtd_entry inv = vtd_inv_iec_global();
	u64 entries = option_u64("intremap.entries", IRT_ENTRIES_PRESET);
	u8 *table;
	int r;

	if (arch_x2apic() && !u->caps.eim) {
		vtd_log(3, u, "CPUs are in x2APIC mode and the unit remaps to xAPIC only: boot with nox2apic");
		return 0;
	}
	if (entries < 256 || entries > IRT_ENTRIES_MAX || (entries & (entries - 1))) {
		vtd_log(4, u, "intremap.entries=%llu is no power of two from 256 to %u: using %u",
			(unsigned long long)entries, IRT_ENTRIES_MAX, IRT_ENTRIES_PRESET);
		entries = IRT_ENTRIES_PRESET;
	}
	u->irt_entries = (u32)entries;
	table = kzalloc(entries * sizeof(*u->irt) + SZ_4K);
	u->irt_bitmap = kcalloc(entries / 64, sizeof(u64));
	if (!table || !u->irt_bitmap)
		return -ENOMEM;
	u->irt = (struct vtd_entry *)ALIGN_UP((uintptr_t)table, SZ_4K);
	u->irt_bitmap[0] = 1;
	vtd_sync(u, u->irt, entries * sizeof(*u->irt));
	wr64(&u->mmio, VTD_IRTA, virt_to_phys(u->irt) | FIELD_PREP(VTD_IRTA_S, log2_of(u->irt_entries) - 1) |
				 (arch_x2apic() ? VTD_IRTA_EIME : 0));
	r = vtd_gcmd(u, VTD_G_SIRTP, 0, VTD_G_SIRTP, VTD_G_SIRTP);
	if (!r)
		r = vtd_queue_run(u, &inv, 1);
	if (!r && (rd32(&u->mmio, VTD_GSTS) & VTD_G_CFI))
		r = vtd_gcmd(u, 0, VTD_G_CFI, VTD_G_CFI, 0);
	if (!r && !(rd32(&u->mmio, VTD_GSTS) & VTD_G_IRE))
		r = vtd_gcmd(u, VTD_G_IRE, 0, VTD_G_IRE, VTD_G_IRE);
	u->remapping = !r;
	return r;
}
