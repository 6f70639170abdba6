/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * QEMU's edu device through VFIO (docs/specs/edu in QEMU): 0x00 id, 0x04 liveness (reads back
 * inverted), 0x24 irq status, 0x60 raise, 0x64 acknowledge, 0x80 source, 0x88 destination, 0x90
 * count, 0x98 command (1 start, 2 to memory, 4 interrupt at the end); its buffer of 4096 bytes is at
 * device address 0x40000.  A DMA takes 100 ms.
 */
#ifndef PROGRAMS_EDU_H
#define PROGRAMS_EDU_H

#include "vfio.h"

struct edu {
	struct vfio v;
	volatile uint8_t *bar;
	int irq;
};

/* Opens the device and maps its registers; no interrupt, no bus mastering yet. */
void edu_open(struct edu *e, const char *name);
/* MSI onto e->irq. 0 or -errno. */
int edu_enable_msi(struct edu *e);
uint32_t edu_read(struct edu *e, unsigned off);
void edu_write(struct edu *e, unsigned off, uint32_t x);
/* One DMA with an interrupt at its end; false when it did not end within two seconds. */
bool edu_dma(struct edu *e, uint64_t iova, unsigned len, bool to_memory);
/* The same, judged by the command register instead of the interrupt. */
bool edu_dma_quiet(struct edu *e, uint64_t iova, unsigned len, bool to_memory);

#endif
