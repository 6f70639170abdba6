/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest that does with its NVMe drive what operating systems do and demonstrations do not: sizes
 * and moves its BAR, also above 4 GiB, and masks interrupts while they are due. A masked interrupt
 * must not come, and must come once it is unmasked. Exit status: 0, or 1 after a line that says what
 * failed.
 */
#include <stdio.h>

#include "guest_tests/unikernel/lib/nvme.h"

#define MOVE_BYTES	0x1000000u	/* how far the BAR moves */
#define HIGH_ADDRESS	(96ull << 30)
#define IO_VECTOR	1
#define MASKED_MS	200

static struct nvme nvme;
static uint8_t *page;

/* Starts the controller with its registers at @addr; false if it does not answer there. */
static bool drive_at(struct pci_function fn, uint64_t addr)
{
	uint64_t size = pci_bar_move(fn, 0, addr);

	printf("pci: BAR 0 of 0x%llx bytes moved to 0x%llx\n", (unsigned long long)size,
	       (unsigned long long)addr);
	return size >= PAGE_BYTES && !(size & (size - 1)) && nvme_start(&nvme) == 0;
}

static bool page_read(void)
{
	nvme_read_submit(&nvme, 0, 0, PAGE_BYTES / nvme.block_bytes, (uintptr_t)page, 0);
	return nvme_read_wait(&nvme, 0) == 0 && nvme.late_completions == 0;
}

/* A read whose interrupt is due while it is masked, by its own bit or by the function's. */
static bool masked_read(bool function)
{
	uint32_t before = nvme.io.interrupts;

	if (function)
		pci_msix_mask_all(&nvme.msix, true);
	else
		pci_msix_mask(&nvme.msix, IO_VECTOR, true);
	nvme_read_submit(&nvme, 0, 0, PAGE_BYTES / nvme.block_bytes, (uintptr_t)page, 0);
	wait_ms(MASKED_MS);
	if (nvme.io.interrupts != before) {
		printf("pci: a masked interrupt came\n");
		return false;
	}
	if (function)
		pci_msix_mask_all(&nvme.msix, false);
	else
		pci_msix_mask(&nvme.msix, IO_VECTOR, false);
	return nvme_read_wait(&nvme, 0) == 0 && nvme.late_completions == 0;
}

static const char *moves_test(void)
{
	struct pci_function fn;
	uint64_t start;

	page = dma_alloc(PAGE_BYTES);
	if (!page || !pci_find_class(NVME_CONTROLLER_CLASS, &fn))
		return "no NVMe controller on the PCI bus";
	start = pci_bar_address(fn, 0);
	if (!drive_at(fn, start + MOVE_BYTES) || !page_read())
		return "the drive does not work after its BAR was moved";
	if (!drive_at(fn, HIGH_ADDRESS) || !page_read())
		return "the drive does not work with its BAR above 4 GiB";
	if (!drive_at(fn, start) || !page_read())
		return "the drive does not work with its BAR back in place";
	if (!masked_read(false))
		return "masking one vector does not work";
	if (!masked_read(true))
		return "masking the function does not work";
	return NULL;
}

int main(void)
{
	const char *failed = moves_test();

	if (failed) {
		printf("pci: %s\n", failed);
		return 1;
	}
	printf("pci: BARs move and masked interrupts wait\n");
	return 0;
}
