/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest that drives QEMU's edu device (docs/specs/edu): registers, one MSI, and DMA both ways
 * between its own memory and the device's buffer. Exit status: 0, or 1 after a line that says what
 * failed.
 */
#include <stdio.h>
#include <string.h>

#include "guest_tests/unikernel/lib/unikernel.h"

#define EDU_CLASS	0x00ff00u
#define EDU_ID		0x00
#define ID_EDU		0x000000edu	/* 0xRRrr00ed: revision */
#define ID_EDU_MASK	0x0000ffffu
#define EDU_LIVENESS	0x04		/* reads back inverted */
#define EDU_IRQ_STATUS	0x24
#define EDU_IRQ_RAISE	0x60
#define EDU_IRQ_ACK	0x64
#define EDU_DMA_SOURCE	0x80
#define EDU_DMA_TARGET	0x88
#define EDU_DMA_COUNT	0x90
#define EDU_DMA_COMMAND	0x98
#define DMA_START	(1u << 0)
#define DMA_TO_MEMORY	(1u << 1)
#define DMA_IRQ		(1u << 2)
#define EDU_BUFFER	0x40000u	/* the device's own address of its buffer */

#define WAIT_NS		TIME_S(5)
#define LIVE_WORD	0x1234abcdu
#define IRQ_WORD	0x42u

static volatile uint8_t *regs;
static volatile uint32_t interrupts, irq_status;

static void edu_interrupt(void *arg)
{
	(void)arg;
	irq_status = mmio_read32(regs + EDU_IRQ_STATUS);
	mmio_write32(regs + EDU_IRQ_ACK, irq_status);
	interrupts++;
}

static bool interrupts_reached(void *arg)
{
	return interrupts >= *(const uint32_t *)arg;
}

static bool interrupt_wait(uint32_t count)
{
	return wait_until(interrupts_reached, &count, time_ns() + WAIT_NS);
}

/* One transfer; true when its interrupt came. */
static bool dma_run(uint64_t from, uint64_t to, uint32_t bytes, uint32_t direction)
{
	uint32_t before = interrupts;

	mmio_write64(regs + EDU_DMA_SOURCE, from);
	mmio_write64(regs + EDU_DMA_TARGET, to);
	mmio_write32(regs + EDU_DMA_COUNT, bytes);
	mmio_write32(regs + EDU_DMA_COMMAND, DMA_START | DMA_IRQ | direction);
	return interrupt_wait(before + 1);
}

static const char *edu_test(void)
{
	uint8_t *page = dma_alloc(2 * PAGE_BYTES);
	struct pci_function fn;
	uint64_t bar;
	unsigned int vector;

	if (!pci_find_class(EDU_CLASS, &fn))
		return "no edu device on the PCI bus";
	bar = pci_bar_address(fn, 0);
	regs = bar ? mmio_map(bar, PAGE_BYTES) : NULL;
	vector = irq_register(edu_interrupt, NULL);
	if (!page || !regs || !vector)
		return "no memory, registers or vector";
	pci_enable(fn);
	if ((mmio_read32(regs + EDU_ID) & ID_EDU_MASK) != ID_EDU)
		return "the identification register is wrong";
	mmio_write32(regs + EDU_LIVENESS, LIVE_WORD);
	if (mmio_read32(regs + EDU_LIVENESS) != ~LIVE_WORD)
		return "the liveness register is wrong";
	if (pci_msi_route(fn, vector))
		return "no MSI capability";
	mmio_write32(regs + EDU_IRQ_RAISE, IRQ_WORD);
	if (!interrupt_wait(1) || irq_status != IRQ_WORD)
		return "no interrupt came, or a wrong one";
	for (unsigned int i = 0; i < PAGE_BYTES; i++)
		page[i] = (uint8_t)(i * 7 + 1);
	if (!dma_run((uintptr_t)page, EDU_BUFFER, PAGE_BYTES, 0) ||
	    !dma_run(EDU_BUFFER, (uintptr_t)page + PAGE_BYTES, PAGE_BYTES, DMA_TO_MEMORY))
		return "a DMA transfer did not end";
	if (memcmp(page, page + PAGE_BYTES, PAGE_BYTES) != 0)
		return "the data did not come back";
	return NULL;
}

int main(void)
{
	const char *failed = edu_test();

	if (failed) {
		printf("edu: %s\n", failed);
		return 1;
	}
	printf("edu: registers, MSI and DMA both ways work, %u interrupts\n",
	       (unsigned int)interrupts);
	return 0;
}
