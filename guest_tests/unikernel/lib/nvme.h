/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A small NVMe driver for a unikernel: one controller, its first namespace, one admin queue and one
 * I/O queue, each with an MSI-X vector, reads only. Every wait ends at a deadline.
 */
#ifndef UNIKERNEL_NVME_H
#define UNIKERNEL_NVME_H

#include "guest_tests/unikernel/lib/unikernel.h"

#define NVME_QUEUE_ENTRIES	64
#define NVME_CONTROLLER_CLASS	0x010802u	/* NVM Express I/O controller */

/* One submission and completion queue pair. */
struct nvme_queue {
	unsigned int id;
	unsigned int entries;
	struct nvme_command *sq;
	volatile struct nvme_completion *cq;
	volatile void *sq_doorbell;
	volatile void *cq_doorbell;
	unsigned int sq_tail;
	unsigned int cq_head;
	unsigned int phase;
	volatile uint32_t interrupts;		/* taken so far */
	uint32_t interrupts_seen;		/* by the one who waits */
	/* Per command identifier: completed, and how. */
	bool done[NVME_QUEUE_ENTRIES];
	uint16_t status[NVME_QUEUE_ENTRIES];
};

struct nvme {
	struct pci_function fn;
	struct pci_msix msix;
	volatile uint8_t *regs;
	uint32_t doorbell_stride;
	uint64_t ready_ns;			/* how long the controller may take to become ready */
	struct nvme_queue admin;
	struct nvme_queue io;
	char model[41];
	uint32_t block_bytes;
	uint64_t blocks;
	uint32_t transfer_max;			/* bytes of one command */
	uint32_t late_completions;		/* found at a deadline, without an interrupt */
};

/* Finds, resets and starts the controller; 0, or -1 after a line that says what failed. */
int nvme_start(struct nvme *nvme);

/* Starts a read of @count blocks; @prp1 and @prp2 as in a command. @cid < NVME_QUEUE_ENTRIES. */
void nvme_read_submit(struct nvme *nvme, uint16_t cid, uint64_t block, uint32_t count,
		      uint64_t prp1, uint64_t prp2);

#define NVME_TIMEOUT	(-1)
/* Waits for the command @cid: its status (0: good), or NVME_TIMEOUT. */
int nvme_read_wait(struct nvme *nvme, uint16_t cid);

#endif
