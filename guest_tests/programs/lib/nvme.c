/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * NVM Express base specification 2.0: registers 3.1.3, queues 3.3, Identify 5.17, Create I/O queues
 * 5.4 and 5.5, Read 3.2.4 of the NVM command set.
 */
#include "nvme.h"

#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

enum { CAP = 0x00, CC = 0x14, CSTS = 0x1c, AQA = 0x24, ASQ = 0x28, ACQ = 0x30 };

static uint32_t rd(struct nvme *n, unsigned off) { return *(volatile uint32_t *)(n->bar + off); }
static void wr(struct nvme *n, unsigned off, uint32_t x) { *(volatile uint32_t *)(n->bar + off) = x; }
static void wr64(struct nvme *n, unsigned off, uint64_t x)
{
	wr(n, off, (uint32_t)x);
	wr(n, off + 4, (uint32_t)(x >> 32));
}

static bool wait_ready(struct nvme *n, unsigned want)
{
	for (unsigned i = 0; i < 5000; i++) {
		if ((rd(n, CSTS) & 1) == want)
			return true;
		usleep(1000);
	}
	return false;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void command_put(struct nvme_queue *q, const struct nvme_command *c)
{
	q->sq[q->tail] = *c;
	q->tail = (q->tail + 1) % NVME_QUEUE;
}

static bool completion_is_there(const struct nvme_queue *q)
{
	return (q->cq[q->head].status & 1) == q->phase;
}

static int completion_take(struct nvme_queue *q)
{
	int status = q->cq[q->head].status >> 1;

	q->head = (q->head + 1) % NVME_QUEUE;
	if (!q->head)
		q->phase ^= 1;
	*q->head_doorbell = q->head;
	return status;
}

int nvme_submit(struct nvme *n, struct nvme_queue *q, const struct nvme_command *c)
{
	command_put(q, c);
	__sync_synchronize();
	*q->doorbell = q->tail;
	/* Not before its interrupt: two that stand open at once may be delivered as one. */
	for (unsigned tries = 0; tries < 5; tries++) {
		n->interrupts += vfio_wait(q->irq, 1000);
		if (completion_is_there(q))
			return completion_take(q);
	}
	return -1;
}

unsigned nvme_burst(struct nvme *n, const struct nvme_command *c, unsigned count, unsigned ms)
{
	uint64_t end = now_ms() + ms;
	unsigned done = 0;

	for (unsigned i = 0; i < count; i++)
		command_put(&n->io, &c[i]);
	__sync_synchronize();
	*n->io.doorbell = n->io.tail;
	while (done < count) {
		if (completion_is_there(&n->io)) {
			completion_take(&n->io);
			done++;
		} else if (now_ms() > end) {
			break;
		}
	}
	return done;
}

static void queue_init(struct nvme *n, struct nvme_queue *q, unsigned id, struct nvme_command *sq,
		       struct nvme_completion *cq)
{
	unsigned stride = 4u << (rd(n, CAP + 4) & 0xf);

	memset(cq, 0, NVME_QUEUE * sizeof(*cq));
	q->sq = sq;
	q->cq = cq;
	q->doorbell = (volatile uint32_t *)(n->bar + 0x1000 + 2 * id * stride);
	q->head_doorbell = (volatile uint32_t *)(n->bar + 0x1000 + (2 * id + 1) * stride);
	q->tail = q->head = 0;
	q->phase = 1;
}

void nvme_open(struct nvme *n)
{
	int irq[2];

	memset(n, 0, sizeof(*n));
	vfio_open(&n->v, vfio_find(0x1b36, 0x0010));
	n->bar = vfio_bar(&n->v, 0, NULL);
	n->mem = vfio_memory(sizeof(*n->mem));
	check_equal("map", vfio_map(&n->v, n->mem, NVME_IOVA, (sizeof(*n->mem) + 4095) & ~4095ull,
				    VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE), 0);
	for (unsigned i = 0; i < 2; i++)
		irq[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	check_equal("enable MSI-X", vfio_set_irqs(&n->v, VFIO_PCI_MSIX_IRQ_INDEX, 0, 2, irq), 0);
	n->admin.irq = irq[0];
	n->io.irq = irq[1];
}

bool nvme_stop(struct nvme *n)
{
	wr(n, CC, 0);
	return wait_ready(n, 0);
}

bool nvme_start(struct nvme *n)
{
	struct nvme_command cq = { .cdw0 = 0x05, .prp1 = NVME_AT(iocq), .cdw10 = (NVME_QUEUE - 1) << 16 | 1,
				   .cdw11 = 1 << 16 | 3 };
	struct nvme_command sq = { .cdw0 = 0x01, .prp1 = NVME_AT(iosq), .cdw10 = (NVME_QUEUE - 1) << 16 | 1,
				   .cdw11 = 1 << 16 | 1 };

	vfio_bus_master(&n->v, true);
	if (!nvme_stop(n))
		return false;
	wr(n, AQA, (NVME_QUEUE - 1) << 16 | (NVME_QUEUE - 1));
	wr64(n, ASQ, NVME_AT(asq));
	wr64(n, ACQ, NVME_AT(acq));
	queue_init(n, &n->admin, 0, n->mem->asq, n->mem->acq);
	wr(n, CC, 4u << 20 | 6u << 16 | 1); /* 16-byte completions, 64-byte commands, enable */
	if (!wait_ready(n, 1) || nvme_submit(n, &n->admin, &cq) || nvme_submit(n, &n->admin, &sq))
		return false;
	queue_init(n, &n->io, 1, n->mem->iosq, n->mem->iocq);
	return true;
}

uint64_t nvme_bytes(struct nvme *n)
{
	struct nvme_command c = { .cdw0 = 0x06, .nsid = 1, .prp1 = NVME_AT(identify), .cdw10 = 0 };
	unsigned format, shift;
	uint64_t blocks;

	if (nvme_submit(n, &n->admin, &c))
		return 0;
	memcpy(&blocks, n->mem->identify, 8);
	format = n->mem->identify[26] & 0xf;
	shift = n->mem->identify[128 + 4 * format + 2];
	check_equal("512-byte blocks", shift, 9);
	return blocks << shift;
}

struct nvme_command nvme_read(uint64_t lba, unsigned blocks, uint64_t prp1, uint64_t prp2)
{
	return (struct nvme_command){ .cdw0 = 0x02, .nsid = 1, .prp1 = prp1, .prp2 = prp2, .cdw10 = (uint32_t)lba,
				      .cdw11 = (uint32_t)(lba >> 32), .cdw12 = blocks - 1 };
}
