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

/* 7.1.3, table of fault reasons. */
static const char *const dma_reasons[] = {
	[0x1] = "root entry not present (no device of this bus is attached)",
	[0x2] = "context entry not present (device not attached)",
	[0x3] = "context entry malformed",
	[0x4] = "address beyond the domain's width",
	[0x5] = "no write permission",
	[0x6] = "no read permission",
	[0x7] = "page table not readable",
	[0x8] = "root table not readable",
	[0x9] = "context table not readable",
	[0xa] = "reserved bits set in root entry",
	[0xb] = "reserved bits set in context entry",
	[0xc] = "reserved bits set in page-table entry",
	[0xd] = "translation request or translated request blocked",
	[0xe] = "address in the interrupt range",
};
static const char *const interrupt_reasons[] = {
	[0x0] = "reserved bits set in the message",
	[0x1] = "index beyond the table",
	[0x2] = "entry not present",
	[0x3] = "table not readable",
	[0x4] = "reserved bits set in the entry",
	[0x5] = "compatibility format",
	[0x6] = "source id is not the entry's",
	[0x7] = "posted descriptor not readable",
	[0x8] = "reserved bits set in the posted descriptor",
};
#define INTERRUPT_REASONS 0x20
/* Root-table address, and scalable mode. */
static const char *const scalable_reasons[] = {
	[0x30 - 0x30] = "root-table address register malformed",
	[0x31 - 0x30] = "request with a PASID blocked: the tables are legacy ones",
	[0x32 - 0x30] = "page request blocked: the tables are legacy ones",
	[0x33 - 0x30] = "all requests blocked: abort mode",
	[0x34 - 0x30] = "request for execution blocked by the unit",
	[0x38 - 0x30] = "root table not readable",
	[0x39 - 0x30] = "root entry not present (no device of this half of the bus is attached)",
	[0x3a - 0x30] = "reserved bits set in root entry",
	[0x40 - 0x30] = "context table not readable",
	[0x41 - 0x30] = "context entry not present (device not attached)",
	[0x42 - 0x30] = "reserved bits set in context entry",
	[0x43 - 0x30] = "context entry malformed",
	[0x44 - 0x30] = "translation request or translated request blocked",
	[0x45 - 0x30] = "request with a PASID blocked",
	[0x46 - 0x30] = "PASID beyond the context entry's limit",
	[0x47 - 0x30] = "page request blocked",
	[0x48 - 0x30] = "PASID is the one of requests without a PASID",
	[0x49 - 0x30] = "translated request with a PASID blocked",
	[0x50 - 0x30] = "PASID directory not readable",
	[0x51 - 0x30] = "PASID directory entry not present",
	[0x52 - 0x30] = "reserved bits set in PASID directory entry",
	[0x58 - 0x30] = "PASID table not readable",
	[0x59 - 0x30] = "PASID entry not present",
	[0x5a - 0x30] = "reserved bits set in PASID entry",
	[0x5b - 0x30] = "PASID entry malformed",
	[0x5c - 0x30] = "request for execution blocked",
	[0x5d - 0x30] = "request as supervisor blocked",
	[0x70 - 0x30] = "first-stage page table not readable",
	[0x71 - 0x30] = "first-stage entry not present",
	[0x72 - 0x30] = "reserved bits set in first-stage entry",
	[0x73 - 0x30] = "first-stage root not readable",
	[0x78 - 0x30] = "second-stage page table not readable",
	[0x79 - 0x30] = "no permission in second-stage entry",
	[0x7a - 0x30] = "reserved bits set in second-stage entry",
	[0x7b - 0x30] = "second-stage root not readable",
	[0x80 - 0x30] = "address not canonical",
	[0x81 - 0x30] = "first-stage entry is the supervisor's",
	[0x83 - 0x30] = "host address beyond the machine's width",
	[0x84 - 0x30] = "address beyond the domain's width",
	[0x85 - 0x30] = "no write permission",
	[0x86 - 0x30] = "no read permission",
	[0x87 - 0x30] = "address in the interrupt range",
	[0x89 - 0x30] = "PASID beyond the unit's limit",
	[0x91 - 0x30] = "first-stage entry could not be marked as used",
};
#define SCALABLE_REASONS 0x30

const char *vtd_fault_text(u8 reason)
{
	const char *text = NULL;

	if (reason < ARRAY_SIZE(dma_reasons))
		text = dma_reasons[reason];
	else if (reason >= INTERRUPT_REASONS && reason - INTERRUPT_REASONS < (int)ARRAY_SIZE(interrupt_reasons))
		text = interrupt_reasons[reason - INTERRUPT_REASONS];
	else if (reason >= SCALABLE_REASONS && reason - SCALABLE_REASONS < (int)ARRAY_SIZE(scalable_reasons))
		text = scalable_reasons[reason - SCALABLE_REASONS];
	return text ? text : "a reason this driver does not know";
}

static bool is_interrupt_reason(u8 reason)
{
	return reason >= INTERRUPT_REASONS && reason - INTERRUPT_REASONS < (int)ARRAY_SIZE(interrupt_reasons);
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
		.interrupt = is_interrupt_reason(reason),
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
