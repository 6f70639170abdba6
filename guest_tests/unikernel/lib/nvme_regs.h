/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * NVM Express Base Specification 1.4: the registers, commands and structures that the driver uses,
 * with the specification's section.
 */
#ifndef UNIKERNEL_NVME_REGS_H
#define UNIKERNEL_NVME_REGS_H

#include <stddef.h>
#include <stdint.h>

/* Controller registers, 3.1 */
#define NVME_CAP		0x00
#define CAP_MQES(cap)		((uint32_t)((cap) & 0xffff) + 1)
#define CAP_TIMEOUT(cap)	((uint32_t)((cap) >> 24 & 0xff))	/* in 500 ms */
#define CAP_STRIDE(cap)		(4u << ((cap) >> 32 & 0xf))
#define CAP_MPSMIN(cap)		((uint32_t)((cap) >> 48 & 0xf))		/* 0: 4 KiB */
#define NVME_CC			0x14
#define CC_ENABLE		(1u << 0)
#define CC_IOSQES_64		(6u << 16)
#define CC_IOCQES_16		(4u << 20)
#define NVME_CSTS		0x1c
#define CSTS_READY		(1u << 0)
#define CSTS_FATAL		(1u << 1)
#define NVME_AQA		0x24
#define NVME_ASQ		0x28
#define NVME_ACQ		0x30
#define NVME_DOORBELLS		0x1000

/* Submission queue entry, 4.2 */
struct nvme_command {
	uint8_t opcode;
	uint8_t flags;
	uint16_t cid;
	uint32_t nsid;
	uint32_t cdw2;
	uint32_t cdw3;
	uint64_t metadata;
	uint64_t prp1;
	uint64_t prp2;
	uint32_t cdw10;
	uint32_t cdw11;
	uint32_t cdw12;
	uint32_t cdw13;
	uint32_t cdw14;
	uint32_t cdw15;
};

_Static_assert(sizeof(struct nvme_command) == 64, "submission queue entry");
_Static_assert(offsetof(struct nvme_command, prp1) == 24, "submission queue entry");

/* Completion queue entry, 4.6 */
struct nvme_completion {
	uint32_t result;
	uint32_t reserved;
	uint16_t sq_head;
	uint16_t sq_id;
	uint16_t cid;
	uint16_t status;		/* bit 0 is the phase */
};

_Static_assert(sizeof(struct nvme_completion) == 16, "completion queue entry");

#define STATUS_PHASE		1u
#define STATUS_FIELD(status)	((uint16_t)((status) >> 1 & 0x7ff))	/* type and code */

/* Admin commands, 5 */
#define ADMIN_CREATE_SQ		0x01
#define ADMIN_CREATE_CQ		0x05
#define ADMIN_IDENTIFY		0x06
#define ADMIN_SET_FEATURES	0x09
#define QUEUE_CONTIGUOUS	(1u << 0)
#define CQ_INTERRUPTS		(1u << 1)
#define FEATURE_QUEUES		0x07
#define IDENTIFY_NAMESPACE	0
#define IDENTIFY_CONTROLLER	1

/* Identify controller, 5.15.2.2, and namespace, 5.15.2.1 */
#define CONTROLLER_MODEL	24
#define CONTROLLER_MODEL_BYTES	40
#define CONTROLLER_MDTS		77	/* power of two of the minimum page size, 0: no limit */
#define NAMESPACE_SIZE		0
#define NAMESPACE_FLBAS		26
#define NAMESPACE_LBAF		128
#define LBAF_SHIFT(lbaf)	((lbaf) >> 16 & 0xff)

/* NVM commands, 6 */
#define NVM_READ		0x02

#endif
