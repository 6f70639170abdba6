// SPDX-License-Identifier: GPL-2.0-only
/*
 * Queued invalidation (VT-d 6.5.2): a ring of 256 descriptors (of 128 wide ones) in one page.
 *
 * A batch of descriptors and one wait descriptor are written, the tail register is written once, and
 * the status that the wait writes to memory is polled: one MMIO write and no read.  The queue lock
 * is held until the batch is done, so the ring is empty whenever the lock is free, never full, and
 * its head never has to be read.  The unit reads the ring and writes the status coherently whatever
 * ECAP.C says (11.4.3), so nothing here is flushed from the caches.
 *
 * When the unit reports a queue error (IQE: bad descriptor) or stays silent, what is left in the ring
 * is replaced by harmless waits, the error is cleared, and the batch is tried once more.  The second
 * failure is final: the unit is marked failed and the caller quarantines.  When a device did not
 * answer (ITE), the device is at fault and the caller's to quarantine.  Units without a queue take the
 * same descriptors by registers (inv_regs.c).
 */
#include "iommu/vtd/vtd.h"

#include "kernel/frames.h"

#define SPINS_PER_CHECK 1024 /* polls of the status between looks at clock and FSTS */
#define QUEUE_ERRORS (VTD_FSTS_IQE | VTD_FSTS_ICE | VTD_FSTS_ITE)

struct vtd_entry vtd_inv_context_global(void)
{
	return (struct vtd_entry){ VTD_DESC_CONTEXT | FIELD_PREP(VTD_DESC_G, VTD_G_GLOBAL), 0 };
}

struct vtd_entry vtd_inv_context_device(u16 did, u16 sid)
{
	return (struct vtd_entry){
		VTD_DESC_CONTEXT | FIELD_PREP(VTD_DESC_G, VTD_G_SELECTIVE) |
		FIELD_PREP(VTD_DESC_DID, did) | FIELD_PREP(VTD_DESC_SID, sid), 0 };
}

/* Pages of a first stage are named with their PASID, ours is always 0; the unit drains without being asked. */
static u64 iotlb(const struct vtd_unit *u, unsigned granularity, u16 did)
{
	if (u->caps.first_stage && granularity == VTD_G_SELECTIVE)
		return VTD_DESC_PIOTLB | FIELD_PREP(VTD_DESC_G, granularity) | FIELD_PREP(VTD_DESC_DID, did);
	return VTD_DESC_IOTLB | FIELD_PREP(VTD_DESC_G, granularity) | FIELD_PREP(VTD_DESC_DID, did) |
	       (u->caps.drain_read ? VTD_DESC_DR : 0) | (u->caps.drain_write ? VTD_DESC_DW : 0);
}

struct vtd_entry vtd_inv_iotlb_global(const struct vtd_unit *u)
{
	return (struct vtd_entry){ iotlb(u, VTD_G_GLOBAL, 0), 0 };
}

struct vtd_entry vtd_inv_iotlb_domain(const struct vtd_unit *u, u16 did)
{
	return (struct vtd_entry){ iotlb(u, VTD_G_DOMAIN, did), 0 };
}

/* 2^mask pages from iova, which is aligned to them. leaf_only: no table was taken out (IH). */
struct vtd_entry vtd_inv_iotlb_pages(const struct vtd_unit *u, u16 did, iova_t iova, unsigned mask, bool leaf_only)
{
	return (struct vtd_entry){
		iotlb(u, VTD_G_SELECTIVE, did),
		(iova & ~(SZ_4K - 1)) | FIELD_PREP(VTD_DESC_AM, mask) | (leaf_only ? VTD_DESC_IH : 0) };
}

struct vtd_entry vtd_inv_pasid_domain(u16 did)
{
	return (struct vtd_entry){ VTD_DESC_PASID | FIELD_PREP(VTD_DESC_DID, did), 0 };
}

struct vtd_entry vtd_inv_pasid_global(void)
{
	return (struct vtd_entry){ VTD_DESC_PASID | FIELD_PREP(VTD_DESC_G, VTD_PASID_GLOBAL), 0 };
}

/* A block of 2^mask pages is told by the lowest address bit that is 0 (6.5.2.5). */
struct vtd_entry vtd_inv_device_tlb(const struct vtd_dev *v, iova_t iova, unsigned mask)
{
	u16 sid = pci_rid(v->pci), pf = v->unit->caps.throttle ? sid : 0;

	return (struct vtd_entry){
		VTD_DESC_DEVICE_TLB | FIELD_PREP(VTD_DESC_SID, sid) | FIELD_PREP(VTD_DESC_MIP, v->ats_depth) |
		FIELD_PREP(VTD_DESC_PFSID_LOW, pf & 0xf) | FIELD_PREP(VTD_DESC_PFSID_HIGH, pf >> 4),
		iova | (mask ? (BIT(mask - 1) - 1) << PAGE_SHIFT | VTD_DESC_S : 0) };
}

struct vtd_entry vtd_inv_iec_global(void)
{
	return (struct vtd_entry){ VTD_DESC_IEC, 0 };
}

struct vtd_entry vtd_inv_iec_index(u16 index, unsigned mask)
{
	return (struct vtd_entry){
		VTD_DESC_IEC | VTD_DESC_IEC_INDEX | FIELD_PREP(VTD_DESC_IEC_IM, mask) |
		FIELD_PREP(VTD_DESC_IEC_IIDX, index), 0 };
}

static struct vtd_entry wait_desc(const u32 *status, u32 value)
{
	return (struct vtd_entry){
		VTD_DESC_WAIT | VTD_DESC_SW | FIELD_PREP(VTD_DESC_STATUS, value), virt_to_phys(status) };
}

/* Scalable mode has 32-byte descriptors (6.5.2), whose upper half is always 0 here. */
static u32 next(const struct vtd_unit *u, u32 at)
{
	return (at + (u->caps.scalable ? 2 : 1)) % VTD_QUEUE_ENTRIES;
}

static void queue_put(struct vtd_unit *u, struct vtd_entry e)
{
	u->queue[u->tail] = e;
	u->tail = next(u, u->tail);
}

static void queue_tell(struct vtd_unit *u)
{
	arch_wmb();
	wr64(&u->mmio, VTD_IQT, FIELD_PREP(VTD_IQ_OFFSET, u->tail));
}

/* The status of the last wait: 0; -EAGAIN: the unit reported an error; -ENODEV: a device did not answer it; -ETIMEDOUT. */
static int queue_poll(struct vtd_unit *u, u64 timeout_ns)
{
	u64 deadline = 0;
	u32 fsts;

	for (unsigned spins = 1;; spins++) {
		if (READ_ONCE(u->status) == u->sequence)
			return 0;
		if (spins % SPINS_PER_CHECK == 0) {
			fsts = rd32(&u->mmio, VTD_FSTS);
			if (fsts & (VTD_FSTS_IQE | VTD_FSTS_ITE))
				return fsts & VTD_FSTS_IQE ? -EAGAIN : -ENODEV;
			if (!deadline)
				deadline = arch_now_ns() + timeout_ns;
			else if (arch_now_ns() > deadline)
				return -ETIMEDOUT;
		}
		arch_cpu_relax();
	}
}

/* Empty the ring after an error and make the unit fetch again (6.5.2.11). */
static int queue_recover(struct vtd_unit *u, int why)
{
	u32 fsts = rd32(&u->mmio, VTD_FSTS), head;

	head = (u32)FIELD_GET(VTD_IQ_OFFSET, rd64(&u->mmio, VTD_IQH)) % VTD_QUEUE_ENTRIES;
	vtd_log(3, u, "invalidation %s: FSTS (0x%x) is 0x%x, descriptor %u of tail %u is 0x%llx 0x%llx, "
		"status expected 0x%x, saw 0x%x", why == -ETIMEDOUT ? "timed out" : "error", VTD_FSTS, fsts, head,
		u->tail, (unsigned long long)u->queue[head].lo, (unsigned long long)u->queue[head].hi,
		u->sequence, READ_ONCE(u->status));
	for (u32 i = head; i != u->tail; i = next(u, i))
		u->queue[i] = wait_desc(&u->nothing, 1);
	arch_wmb();
	wr32(&u->mmio, VTD_FSTS, fsts & QUEUE_ERRORS);
	queue_tell(u); /* some units fetch again only at a tail write */
	return vtd_wait(u, VTD_IQH, "IQH", VTD_IQ_OFFSET, (u32)FIELD_PREP(VTD_IQ_OFFSET, u->tail));
}

static bool device_tlb(const struct vtd_entry *d)
{
	return FIELD_GET(VTD_DESC_TYPE, d->lo) == VTD_DESC_DEVICE_TLB;
}

static int queue_batch(struct vtd_unit *u, const struct vtd_entry *d, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		queue_put(u, d[i]);
	queue_put(u, wait_desc(&u->status, ++u->sequence));
	queue_tell(u);
	return queue_poll(u, device_tlb(d) ? VTD_DEVICE_TIMEOUT_NS : VTD_TIMEOUT_NS);
}

int vtd_queue_run(struct vtd_unit *u, const struct vtd_entry *d, unsigned n)
{
	bool device;
	int r;

	BUG_ON(n > VTD_BATCH_MAX);
	guard_spin(&u->queue_lock);
	if (u->failed)
		return -EIO;
	r = u->caps.queued ? queue_batch(u, d, n) : vtd_inv_registers(u, d, n);
	device = r == -ENODEV && device_tlb(d);
	if (r && u->caps.queued && queue_recover(u, r))
		device = false;
	else if (r && u->caps.queued && !device)
		r = queue_batch(u, d, n);
	if (!r || device)
		return r;
	u->failed = true;
	vtd_log(3, u, "invalidation failed: the unit hands out no device until power-off");
	return -EIO;
}

int vtd_queue_start(struct vtd_unit *u)
{
	paddr_t page;
	int r;

	if (!u->caps.queued)
		return 0;
	if (rd32(&u->mmio, VTD_GSTS) & VTD_G_QIE) { /* 6.5.2: firmware's queue, idle before it goes */
		r = vtd_wait(u, VTD_IQH, "IQH", VTD_IQ_OFFSET, rd32(&u->mmio, VTD_IQT) & VTD_IQ_OFFSET);
		if (r)
			vtd_log(4, u, "firmware left an invalidation queue that does not move");
		r = vtd_gcmd(u, 0, VTD_G_QIE, VTD_G_QIE, 0);
		if (r)
			return r;
	}
	page = frame_alloc(SZ_4K);
	if (page == FRAME_NONE)
		return -ENOMEM;
	u->queue = phys_to_virt(page);
	u->tail = 0;
	wr32(&u->mmio, VTD_FSTS, QUEUE_ERRORS);
	wr64(&u->mmio, VTD_IQT, 0);
	wr64(&u->mmio, VTD_IQA, page | (u->caps.scalable ? VTD_IQA_DW : 0));
	return vtd_gcmd(u, VTD_G_QIE, 0, VTD_G_QIE, VTD_G_QIE);
}
