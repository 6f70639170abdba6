/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The NVMe driver: bring-up and reads (nvme.h). Completions are looked for only after an interrupt,
 * so that an interrupt that does not come shows: at the deadline the queue is looked at once more,
 * and what is found then is counted as late.
 *
 * The interrupt handler only counts; the queues belong to the one thread of the program.
 */
#include <stdio.h>
#include <string.h>

#include "guest_tests/unikernel/lib/nvme.h"
#include "guest_tests/unikernel/lib/nvme_regs.h"

#define PAGE_SHIFT		12
#define NAMESPACE		1u
#define COMMAND_NS		TIME_S(10)
#define READY_EXTRA_NS		TIME_S(2)
#define TRANSFER_LIMIT		(512u * 1024)	/* one page of PRP entries */

static void queue_interrupt(void *arg)
{
	struct nvme_queue *queue = arg;

	queue->interrupts++;
}

static int queue_init(struct nvme *nvme, struct nvme_queue *queue, unsigned int id,
		      unsigned int entries)
{
	unsigned int vector;

	memset(queue, 0, sizeof(*queue));
	queue->id = id;
	queue->entries = entries;
	queue->phase = STATUS_PHASE;
	queue->sq = dma_alloc(entries * sizeof(struct nvme_command));
	queue->cq = dma_alloc(entries * sizeof(struct nvme_completion));
	queue->sq_doorbell = nvme->regs + NVME_DOORBELLS + 2 * id * nvme->doorbell_stride;
	queue->cq_doorbell = nvme->regs + NVME_DOORBELLS + (2 * id + 1) * nvme->doorbell_stride;
	vector = irq_register(queue_interrupt, queue);
	if (!queue->sq || !queue->cq || !vector) {
		printf("nvme: no memory or interrupt vector for queue %u\n", id);
		return -1;
	}
	pci_msix_route(&nvme->msix, id, vector);
	return 0;
}

static void queue_submit(struct nvme_queue *queue, uint16_t cid, const struct nvme_command *command)
{
	struct nvme_command *slot = &queue->sq[queue->sq_tail];

	*slot = *command;
	slot->cid = cid;
	queue->done[cid] = false;
	queue->sq_tail = (queue->sq_tail + 1) % queue->entries;
	__asm__ volatile("" ::: "memory");	/* the entry before the doorbell */
	mmio_write32(queue->sq_doorbell, queue->sq_tail);
}

/* Takes over all completions that are there; true if there were any. */
static bool queue_reap(struct nvme_queue *queue)
{
	bool any = false;

	for (;;) {
		volatile struct nvme_completion *entry = &queue->cq[queue->cq_head];
		uint16_t status = entry->status;

		if ((status & STATUS_PHASE) != queue->phase)
			break;
		if (entry->cid < NVME_QUEUE_ENTRIES) {
			queue->status[entry->cid] = STATUS_FIELD(status);
			queue->done[entry->cid] = true;
		}
		if (++queue->cq_head == queue->entries) {
			queue->cq_head = 0;
			queue->phase ^= STATUS_PHASE;
		}
		any = true;
	}
	if (any)
		mmio_write32(queue->cq_doorbell, queue->cq_head);
	return any;
}

static bool queue_interrupted(void *arg)
{
	const struct nvme_queue *queue = arg;

	return queue->interrupts != queue->interrupts_seen;
}

static int queue_wait(struct nvme *nvme, struct nvme_queue *queue, uint16_t cid)
{
	uint64_t deadline = time_ns() + COMMAND_NS;

	while (!queue->done[cid]) {
		bool interrupted = wait_until(queue_interrupted, queue, deadline);

		queue->interrupts_seen = queue->interrupts;
		if (!queue_reap(queue) && !interrupted) {
			printf("nvme: queue %u: command %u not completed in %u s\n", queue->id, cid,
			       (unsigned int)(COMMAND_NS / TIME_S(1)));
			return NVME_TIMEOUT;
		}
		if (!interrupted) {
			printf("nvme: queue %u: command %u completed without an interrupt\n",
			       queue->id, cid);
			nvme->late_completions++;
			deadline = time_ns() + COMMAND_NS;
		}
	}
	return queue->status[cid];
}

static int admin_command(struct nvme *nvme, const char *what, const struct nvme_command *command)
{
	int status;

	queue_submit(&nvme->admin, 0, command);
	status = queue_wait(nvme, &nvme->admin, 0);
	if (status == 0)
		return 0;
	printf("nvme: %s failed, status 0x%03x\n", what, (unsigned int)status);
	return -1;
}

/* Waits until CSTS.RDY is @ready. The register has no interrupt, so this looks again and again. */
static int ready_wait(struct nvme *nvme, uint32_t ready)
{
	uint64_t deadline = time_ns() + nvme->ready_ns;
	uint32_t csts;

	do {
		csts = mmio_read32(nvme->regs + NVME_CSTS);
		if ((csts & CSTS_READY) == ready && !(csts & CSTS_FATAL))
			return 0;
		wait_ms(1);
	} while (time_ns() < deadline);
	printf("nvme: CSTS is 0x%08x after %u ms, ready should be %u\n", (unsigned int)csts,
	       (unsigned int)(nvme->ready_ns / TIME_MS(1)), (unsigned int)ready);
	return -1;
}

static int controller_enable(struct nvme *nvme)
{
	uint64_t cap = mmio_read64(nvme->regs + NVME_CAP);
	unsigned int entries = CAP_MQES(cap) < NVME_QUEUE_ENTRIES ? CAP_MQES(cap) :
			       NVME_QUEUE_ENTRIES;
	unsigned int last = entries - 1;

	if (cap == ~0ull || CAP_MPSMIN(cap) != 0 || entries < 2) {
		printf("nvme: unusable controller, CAP 0x%016llx\n", (unsigned long long)cap);
		return -1;
	}
	nvme->doorbell_stride = CAP_STRIDE(cap);
	nvme->ready_ns = CAP_TIMEOUT(cap) * TIME_MS(500) + READY_EXTRA_NS;
	mmio_write32(nvme->regs + NVME_CC, 0);
	if (ready_wait(nvme, 0) || queue_init(nvme, &nvme->admin, 0, entries) ||
	    queue_init(nvme, &nvme->io, 1, entries))
		return -1;
	mmio_write32(nvme->regs + NVME_AQA, last << 16 | last);
	mmio_write64(nvme->regs + NVME_ASQ, (uintptr_t)nvme->admin.sq);
	mmio_write64(nvme->regs + NVME_ACQ, (uintptr_t)nvme->admin.cq);
	mmio_write32(nvme->regs + NVME_CC, CC_IOSQES_64 | CC_IOCQES_16 | CC_ENABLE);
	return ready_wait(nvme, CSTS_READY);
}

static int controller_identify(struct nvme *nvme)
{
	uint8_t *page = dma_alloc(PAGE_BYTES);
	struct nvme_command command = {
		.opcode = ADMIN_IDENTIFY, .prp1 = (uintptr_t)page, .cdw10 = IDENTIFY_CONTROLLER,
	};
	uint32_t lbaf, shift, mdts;

	if (!page || admin_command(nvme, "identify controller", &command))
		return -1;
	memcpy(nvme->model, page + CONTROLLER_MODEL, CONTROLLER_MODEL_BYTES);
	for (int i = CONTROLLER_MODEL_BYTES - 1; i >= 0 && nvme->model[i] == ' '; i--)
		nvme->model[i] = '\0';
	mdts = page[CONTROLLER_MDTS];
	nvme->transfer_max = TRANSFER_LIMIT;
	if (mdts && mdts < 20 && 1u << (PAGE_SHIFT + mdts) < TRANSFER_LIMIT)
		nvme->transfer_max = 1u << (PAGE_SHIFT + mdts);

	command.nsid = NAMESPACE;
	command.cdw10 = IDENTIFY_NAMESPACE;
	if (admin_command(nvme, "identify namespace", &command))
		return -1;
	memcpy(&nvme->blocks, page + NAMESPACE_SIZE, sizeof(nvme->blocks));
	memcpy(&lbaf, page + NAMESPACE_LBAF + 4 * (page[NAMESPACE_FLBAS] & 0xf), sizeof(lbaf));
	shift = LBAF_SHIFT(lbaf);
	if (shift < 9 || shift > PAGE_SHIFT || nvme->blocks == 0) {
		printf("nvme: unusable namespace: %llu blocks of 2^%u bytes\n",
		       (unsigned long long)nvme->blocks, (unsigned int)shift);
		return -1;
	}
	nvme->block_bytes = 1u << shift;
	return 0;
}

static int io_queue_create(struct nvme *nvme)
{
	const uint32_t size_id = (nvme->io.entries - 1) << 16 | nvme->io.id;
	const struct nvme_command queues = {
		.opcode = ADMIN_SET_FEATURES, .cdw10 = FEATURE_QUEUES,
	};
	const struct nvme_command cq = {
		.opcode = ADMIN_CREATE_CQ, .prp1 = (uintptr_t)nvme->io.cq, .cdw10 = size_id,
		.cdw11 = nvme->io.id << 16 | CQ_INTERRUPTS | QUEUE_CONTIGUOUS,
	};
	const struct nvme_command sq = {
		.opcode = ADMIN_CREATE_SQ, .prp1 = (uintptr_t)nvme->io.sq, .cdw10 = size_id,
		.cdw11 = nvme->io.id << 16 | QUEUE_CONTIGUOUS,
	};

	if (admin_command(nvme, "set number of queues", &queues) ||
	    admin_command(nvme, "create completion queue", &cq))
		return -1;
	return admin_command(nvme, "create submission queue", &sq);
}

int nvme_start(struct nvme *nvme)
{
	uint64_t bar;

	memset(nvme, 0, sizeof(*nvme));
	if (!pci_find_class(NVME_CONTROLLER_CLASS, &nvme->fn)) {
		printf("nvme: no NVMe controller on the PCI bus\n");
		return -1;
	}
	bar = pci_bar_address(nvme->fn, 0);
	printf("nvme: controller at %02x:%02x.%x, registers at 0x%llx\n", nvme->fn.bus,
	       nvme->fn.devfn >> 3, nvme->fn.devfn & 7, (unsigned long long)bar);
	nvme->regs = bar ? mmio_map(bar, 2 * PAGE_BYTES) : NULL;
	if (!nvme->regs) {
		printf("nvme: its registers are not accessible\n");
		return -1;
	}
	pci_enable(nvme->fn);
	if (pci_msix_init(&nvme->msix, nvme->fn) || nvme->msix.vectors < 2) {
		printf("nvme: it lacks MSI-X, or has fewer than 2 vectors\n");
		return -1;
	}
	if (controller_enable(nvme) || controller_identify(nvme) || io_queue_create(nvme))
		return -1;
	printf("nvme: %s: %llu blocks of %u bytes, %u KiB per command, %u MSI-X vectors\n",
	       nvme->model, (unsigned long long)nvme->blocks, (unsigned int)nvme->block_bytes,
	       (unsigned int)(nvme->transfer_max / 1024), nvme->msix.vectors);
	return 0;
}

void nvme_read_submit(struct nvme *nvme, uint16_t cid, uint64_t block, uint32_t count,
		      uint64_t prp1, uint64_t prp2)
{
	const struct nvme_command command = {
		.opcode = NVM_READ, .nsid = NAMESPACE, .prp1 = prp1, .prp2 = prp2,
		.cdw10 = (uint32_t)block, .cdw11 = (uint32_t)(block >> 32), .cdw12 = count - 1,
	};

	queue_submit(&nvme->io, cid, &command);
}

int nvme_read_wait(struct nvme *nvme, uint16_t cid)
{
	return queue_wait(nvme, &nvme->io, cid);
}
