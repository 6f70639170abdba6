/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads a whole NVMe drive through VFIO, with interrupts, and checks that every word is where it
 * belongs.  `vfio_nvme --image FILE MIB` (on any Linux) writes such a drive's image.
 *
 * NVM Express base specification 2.0: registers 3.1.3, queues 3.3, Identify 5.17, Create I/O queues
 * 5.4 and 5.5, Read 3.2.4 of the NVM command set.
 */
#include <fcntl.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "lib/check.h"
#include "lib/vfio.h"

#define QUEUE 64
#define IO_BYTES 131072u
#define PAGES_PER_IO (IO_BYTES / 4096)
#define IOVA 0x10000000ull

enum { CAP = 0x00, CC = 0x14, CSTS = 0x1c, AQA = 0x24, ASQ = 0x28, ACQ = 0x30 };

struct command {
	uint32_t cdw0, nsid, cdw2, cdw3;
	uint64_t mptr, prp1, prp2;
	uint32_t cdw10, cdw11, cdw12, cdw13, cdw14, cdw15;
};
struct completion {
	uint32_t dw0, dw1;
	uint16_t sq_head, sq_id, cid, status; /* bit 0 of status: phase */
};

/* All that the device sees, in one mapping. */
struct shared {
	struct command asq[QUEUE], iosq[QUEUE];
	struct completion acq[QUEUE] __attribute__((aligned(4096))), iocq[QUEUE] __attribute__((aligned(4096)));
	uint64_t list[512] __attribute__((aligned(4096)));
	uint8_t identify[4096] __attribute__((aligned(4096)));
	uint8_t data[IO_BYTES] __attribute__((aligned(4096)));
};
#define AT(member) (IOVA + offsetof(struct shared, member))

struct queue {
	struct command *sq;
	volatile struct completion *cq;
	volatile uint32_t *doorbell, *head_doorbell;
	unsigned tail, head, phase;
	int irq;
};

static struct vfio v;
static volatile uint8_t *bar;
static struct shared *mem;
static uint64_t interrupts; /* what the eventfds counted */

static uint64_t word_at(uint64_t index)
{
	return index * 0x9e3779b97f4a7c15ull;
}

static int write_image(const char *path, unsigned long mib)
{
	static uint64_t block[131072];
	FILE *f = fopen(path, "w");

	need(path, f != NULL);
	for (unsigned long i = 0; i < mib; i++) {
		for (unsigned k = 0; k < 131072; k++)
			block[k] = word_at(i * 131072 + k);
		need("write", fwrite(block, sizeof(block), 1, f) == 1);
	}
	return fclose(f) ? 1 : 0;
}

static uint32_t rd(unsigned off) { return *(volatile uint32_t *)(bar + off); }
static void wr(unsigned off, uint32_t x) { *(volatile uint32_t *)(bar + off) = x; }
static void wr64(unsigned off, uint64_t x)
{
	wr(off, (uint32_t)x);
	wr(off + 4, (uint32_t)(x >> 32));
}

static bool wait_ready(unsigned want)
{
	for (unsigned i = 0; i < 5000; i++) {
		if ((rd(CSTS) & 1) == want)
			return true;
		usleep(1000);
	}
	return false;
}

/* Send, sleep until the interrupt, take the completion: its status field, or -1 after five seconds. */
static int submit(struct queue *q, struct command *c)
{
	volatile struct completion *done = &q->cq[q->head];

	q->sq[q->tail] = *c;
	q->tail = (q->tail + 1) % QUEUE;
	__sync_synchronize();
	*q->doorbell = q->tail;
	for (unsigned tries = 0; (done->status & 1) != q->phase; tries++) {
		if (tries == 5)
			return -1;
		interrupts += vfio_wait(q->irq, 1000);
	}
	q->head = (q->head + 1) % QUEUE;
	if (!q->head)
		q->phase ^= 1;
	*q->head_doorbell = q->head;
	return done->status >> 1;
}

static void queue_init(struct queue *q, unsigned id, struct command *sq, struct completion *cq)
{
	unsigned stride = 4u << (rd(CAP + 4) & 0xf);

	q->sq = sq;
	q->cq = cq;
	q->doorbell = (volatile uint32_t *)(bar + 0x1000 + 2 * id * stride);
	q->head_doorbell = (volatile uint32_t *)(bar + 0x1000 + (2 * id + 1) * stride);
	q->phase = 1;
}

static void controller_start(struct queue *admin)
{
	wr(CC, 0);
	need("controller stops", wait_ready(0));
	wr(AQA, (QUEUE - 1) << 16 | (QUEUE - 1));
	wr64(ASQ, AT(asq));
	wr64(ACQ, AT(acq));
	wr(CC, 4u << 20 | 6u << 16 | 1); /* 16-byte completions, 64-byte commands, enable */
	need("controller starts", wait_ready(1));
	queue_init(admin, 0, mem->asq, mem->acq);
}

static uint64_t drive_bytes(struct queue *admin)
{
	struct command c = { .cdw0 = 0x06, .nsid = 1, .prp1 = AT(identify), .cdw10 = 0 };
	unsigned format, shift;
	uint64_t blocks;

	check_equal("identify namespace", submit(admin, &c), 0);
	memcpy(&blocks, mem->identify, 8);
	format = mem->identify[26] & 0xf;
	shift = mem->identify[128 + 4 * format + 2];
	check_equal("512-byte blocks", shift, 9);
	return blocks << shift;
}

static void io_queue(struct queue *admin, struct queue *io)
{
	struct command cq = { .cdw0 = 0x05, .prp1 = AT(iocq), .cdw10 = (QUEUE - 1) << 16 | 1, .cdw11 = 1 << 16 | 3 };
	struct command sq = { .cdw0 = 0x01, .prp1 = AT(iosq), .cdw10 = (QUEUE - 1) << 16 | 1, .cdw11 = 1 << 16 | 1 };

	check_equal("create completion queue", submit(admin, &cq), 0);
	check_equal("create submission queue", submit(admin, &sq), 0);
	queue_init(io, 1, mem->iosq, mem->iocq);
}

static bool read_drive(struct queue *io, uint64_t bytes)
{
	for (unsigned i = 1; i < PAGES_PER_IO; i++)
		mem->list[i - 1] = AT(data) + i * 4096;
	for (uint64_t at = 0; at < bytes; at += IO_BYTES) {
		struct command c = { .cdw0 = 0x02, .nsid = 1, .prp1 = AT(data), .prp2 = AT(list),
				     .cdw10 = (uint32_t)(at >> 9), .cdw11 = (uint32_t)(at >> 41),
				     .cdw12 = IO_BYTES / 512 - 1 };
		uint64_t *w = (uint64_t *)mem->data;

		memset(mem->data, 0, IO_BYTES);
		if (submit(io, &c))
			return false;
		for (unsigned k = 0; k < IO_BYTES / 8; k++)
			if (w[k] != word_at(at / 8 + k))
				return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	struct queue admin = { 0 }, io = { 0 };
	int irq[2];
	uint64_t bytes;

	if (argc == 4 && !strcmp(argv[1], "--image"))
		return write_image(argv[2], strtoul(argv[3], NULL, 10));
	vfio_open(&v, vfio_find(0x1b36, 0x0010));
	bar = vfio_bar(&v, 0, NULL);
	mem = vfio_memory(sizeof(*mem));
	check_equal("map", vfio_map(&v, mem, IOVA, (sizeof(*mem) + 4095) & ~4095ull,
				    VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE), 0);
	for (unsigned i = 0; i < 2; i++)
		irq[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	check_equal("enable MSI-X", vfio_set_irqs(&v, VFIO_PCI_MSIX_IRQ_INDEX, 0, 2, irq), 0);
	vfio_bus_master(&v, true);
	controller_start(&admin);
	admin.irq = irq[0];
	bytes = drive_bytes(&admin);
	io_queue(&admin, &io);
	io.irq = irq[1];
	check_true("every word of the drive is right", read_drive(&io, bytes));
	interrupts += vfio_wait(io.irq, 100);
	check_true("an interrupt for every read", interrupts >= bytes / IO_BYTES);
	printf("%llu MiB read, %llu interrupts\n", (unsigned long long)bytes >> 20, (unsigned long long)interrupts);
	wr(CC, 0);
	check_true("controller stops", wait_ready(0));
	vfio_close(&v);
	return check_result();
}
