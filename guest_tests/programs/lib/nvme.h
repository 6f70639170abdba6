/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An NVMe controller through VFIO: one admin queue, one queue for reads and writes, an interrupt for
 * each, and one mapping that holds all that the controller sees.
 */
#ifndef PROGRAMS_NVME_H
#define PROGRAMS_NVME_H

#include "vfio.h"

#define NVME_QUEUE 64u
#define NVME_DATA 131072u
#define NVME_PAGES (NVME_DATA / 4096)
#define NVME_AT(member) (NVME_IOVA + offsetof(struct nvme_shared, member))
#define NVME_IOVA 0x1000000000ull /* above the memory of the machines that tests run on */

struct nvme_command {
	uint32_t cdw0, nsid, cdw2, cdw3;
	uint64_t mptr, prp1, prp2;
	uint32_t cdw10, cdw11, cdw12, cdw13, cdw14, cdw15;
};
struct nvme_completion {
	uint32_t dw0, dw1;
	uint16_t sq_head, sq_id, cid, status; /* bit 0 of status: phase */
};
/* All that the device sees, in one mapping. */
struct nvme_shared {
	struct nvme_command asq[NVME_QUEUE], iosq[NVME_QUEUE];
	struct nvme_completion acq[NVME_QUEUE] __attribute__((aligned(4096)));
	struct nvme_completion iocq[NVME_QUEUE] __attribute__((aligned(4096)));
	uint64_t list[512] __attribute__((aligned(4096)));
	uint8_t identify[4096] __attribute__((aligned(4096)));
	uint8_t data[NVME_DATA] __attribute__((aligned(4096)));
};
struct nvme_queue {
	struct nvme_command *sq;
	volatile struct nvme_completion *cq;
	volatile uint32_t *doorbell, *head_doorbell;
	unsigned tail, head, phase;
	int irq;
};
struct nvme {
	struct vfio v;
	volatile uint8_t *bar;
	struct nvme_shared *mem;
	struct nvme_queue admin, io;
	uint64_t interrupts; /* what the eventfds counted */
};

/* Opens the first drive, maps struct nvme_shared and enables both interrupts. Ends the program on failure. */
void nvme_open(struct nvme *n);
/* Resets the controller, switches bus mastering on and makes the queues. False: it does not come up. */
bool nvme_start(struct nvme *n);
bool nvme_stop(struct nvme *n);
/* Size of namespace 1 in bytes, 0 when the drive does not tell; 512-byte blocks are asked for. */
uint64_t nvme_bytes(struct nvme *n);
/* A read of `blocks` 512-byte blocks. */
struct nvme_command nvme_read(uint64_t lba, unsigned blocks, uint64_t prp1, uint64_t prp2);
/* Send, sleep until the interrupt, take the completion: its status field, or -1 after five seconds. */
int nvme_submit(struct nvme *n, struct nvme_queue *q, const struct nvme_command *c);
/* At most NVME_QUEUE - 1 commands at once, without sleeping: how many completed within `ms` milliseconds. */
unsigned nvme_burst(struct nvme *n, const struct nvme_command *c, unsigned count, unsigned ms);

#endif
