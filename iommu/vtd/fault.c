// SPDX-License-Identifier: GPL-2.0-only
/*
 * A unit's faults (VT-d chapter 7): the fault event interrupt, the recording registers, and reasons
 * as text.  Counting, limits and names are iommu/fault.c's.
 *
 * The event is raised when FSTS.PPF goes from 0 to 1, so records are read and cleared until PPF is
 * clear; a device may fault faster than that, so an interrupt handles a bounded number of records
 * and leaves the rest to a timer.  A requester that storms costs one look in 10 ms, its events are
 * masked in between.  Recording goes on for ever: an overflow is cleared too.  The
 * unit's own interrupt is not remapped (5.1.6), and its message is written by us alone.
 */
#include "iommu/vtd/vtd.h"

#define PASSES 4
#define POLL_AGAIN_NS (10 * NS_PER_MS)

/* 7.1.3, table of fault reasons: legacy tables, interrupts, root-table address and scalable mode. */
static const char *const reasons[] = {
	[0x01] = "root entry not present (no device of this bus is attached)",
	[0x02] = "context entry not present (device not attached)",
	[0x03] = "context entry malformed",
	[0x04] = "address beyond the domain's width",
	[0x05] = "no write permission",
	[0x06] = "no read permission",
	[0x07] = "page table not readable",
	[0x08] = "root table not readable",
	[0x09] = "context table not readable",
	[0x0a] = "reserved bits set in root entry",
	[0x0b] = "reserved bits set in context entry",
	[0x0c] = "reserved bits set in page-table entry",
	[0x0d] = "translation request or translated request blocked",
	[0x0e] = "address in the interrupt range",
	[0x20] = "reserved bits set in the message",
	[0x21] = "index beyond the table",
	[0x22] = "entry not present",
	[0x23] = "table not readable",
	[0x24] = "reserved bits set in the entry",
	[0x25] = "compatibility format",
	[0x26] = "source id is not the entry's",
	[0x27] = "posted descriptor not readable",
	[0x28] = "reserved bits set in the posted descriptor",
	[0x30] = "root-table address register malformed",
	[0x31] = "request with a PASID blocked: the tables are legacy ones",
	[0x32] = "page request blocked: the tables are legacy ones",
	[0x33] = "all requests blocked: abort mode",
	[0x34] = "request for execution blocked by the unit",
	[0x38] = "root table not readable",
	[0x39] = "root entry not present (no device of this half of the bus is attached)",
	[0x3a] = "reserved bits set in root entry",
	[0x40] = "context table not readable",
	[0x41] = "context entry not present (device not attached)",
	[0x42] = "reserved bits set in context entry",
	[0x43] = "context entry malformed",
	[0x44] = "translation request or translated request blocked",
	[0x45] = "request with a PASID blocked",
	[0x46] = "PASID beyond the context entry's limit",
	[0x47] = "page request blocked",
	[0x48] = "PASID is the one of requests without a PASID",
	[0x49] = "translated request with a PASID blocked",
	[0x50] = "PASID directory not readable",
	[0x51] = "PASID directory entry not present",
	[0x52] = "reserved bits set in PASID directory entry",
	[0x58] = "PASID table not readable",
	[0x59] = "PASID entry not present",
	[0x5a] = "reserved bits set in PASID entry",
	[0x5b] = "PASID entry malformed",
	[0x5c] = "request for execution blocked",
	[0x5d] = "request as supervisor blocked",
	[0x70] = "first-stage page table not readable",
	[0x71] = "first-stage entry not present",
	[0x72] = "reserved bits set in first-stage entry",
	[0x73] = "first-stage root not readable",
	[0x78] = "second-stage page table not readable",
	[0x79] = "no permission in second-stage entry",
	[0x7a] = "reserved bits set in second-stage entry",
	[0x7b] = "second-stage root not readable",
	[0x80] = "address not canonical",
	[0x81] = "first-stage entry is the supervisor's",
	[0x83] = "host address beyond the machine's width",
	[0x84] = "address beyond the domain's width",
	[0x85] = "no write permission",
	[0x86] = "no read permission",
	[0x87] = "address in the interrupt range",
	[0x89] = "PASID beyond the unit's limit",
	[0x91] = "first-stage entry could not be marked as used",
};
#define FIRST_INTERRUPT_REASON 0x20
#define LAST_INTERRUPT_REASON 0x28

const char *vtd_fault_text(u8 reason)
{
	const char *text = reason < ARRAY_SIZE(reasons) ? reasons[reason] : NULL;

	return text ? text : "a reason this driver does not know";
}

/* One record, read and cleared; false when it holds nothing. */
static bool record_take(struct vtd_unit *u, u32 i)
{
	u32 at = u->caps.fault_offset + i * VTD_FRCD_SIZE;
	u64 high = rd64(&u->mmio, at + 8), low;
	u8 reason = (u8)FIELD_GET(VTD_FRCD_FR, high);
	struct iommu_fault f;

	if (!(high & VTD_FRCD_F))
		return false;
	low = rd64(&u->mmio, at);
	wr32(&u->mmio, at + 12, (u32)(VTD_FRCD_F >> 32));
	f = (struct iommu_fault){
		.segment = u->segment,
		.rid = (u16)FIELD_GET(VTD_FRCD_SID, high),
		.write = !(high & VTD_FRCD_T1),
		.interrupt = reason >= FIRST_INTERRUPT_REASON && reason <= LAST_INTERRUPT_REASON,
		.reason = reason,
		.text = vtd_fault_text(reason),
	};
	f.address = f.interrupt ? FIELD_GET(VTD_FRCD_INDEX, low) : low & VTD_FRCD_FI;
	u->storm |= iommu_report_fault(&f);
	return true;
}

void vtd_fault_poll(struct vtd_unit *u)
{
	u32 status = rd32(&u->mmio, VTD_FSTS);

	for (unsigned pass = 0; pass < PASSES && (status & (VTD_FSTS_PPF | VTD_FSTS_PFO)); pass++) {
		u32 first = (u32)FIELD_GET(VTD_FSTS_FRI, status);

		for (u32 i = 0; i < u->caps.fault_records; i++)
			(void)record_take(u, (first + i) % u->caps.fault_records);
		wr32(&u->mmio, VTD_FSTS, VTD_FSTS_PFO);
		status = rd32(&u->mmio, VTD_FSTS);
	}
	if (u->storm)
		wr32(&u->mmio, VTD_FECTL, VTD_FECTL_IM);
	/* No new event will come: look again soon. */
	if (u->storm || (status & (VTD_FSTS_PPF | VTD_FSTS_PFO)))
		ktimer_arm(&u->fault_timer, arch_now_ns() + POLL_AGAIN_NS);
	u->storm = false;
}

static void fault_interrupt(void *arg)
{
	vtd_fault_poll(arg);
}

static void fault_timer(struct ktimer *t)
{
	struct vtd_unit *u = container_of(t, struct vtd_unit, fault_timer);

	wr32(&u->mmio, VTD_FECTL, 0);
	vtd_fault_poll(u);
}

int vtd_fault_start(struct vtd_unit *u)
{
	u32 apic = arch_cpu_apic_id(0);
	int r;

	u->fault_irq = (struct irq){ .handler = fault_interrupt, .arg = u };
	u->fault_timer = (struct ktimer){ .fn = fault_timer };
	r = arch_irq_alloc(&u->fault_irq, 0);
	if (r)
		return r;
	/* 11.4.7.3 to 5: data, address, upper address (destination bits 31:8 in x2APIC mode), then unmask. */
	wr32(&u->mmio, VTD_FEDATA, u->fault_irq.vector);
	wr32(&u->mmio, VTD_FEADDR, VTD_MSI_BASE | (apic & 0xff) << 12);
	wr32(&u->mmio, VTD_FEUADDR, arch_x2apic() ? apic & ~0xffu : 0);
	wr32(&u->mmio, VTD_FECTL, 0);
	vtd_fault_poll(u); /* what happened before there was an event */
	return 0;
}
