/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Firmware with a device at work: while Postern leaves boot services, this program's notification
 * starts a DMA of the edu device, which takes 100 ms and so would write when Postern runs already.
 * It goes to the second page of a memory BAR (QEMU's ivshmem-plain), where guest_tests/programs/late_dma
 * looks; the first page gets the same before, so that one knows that such a write can arrive.
 */
#include "guest_tests/efi/lib/efi.h"

#define WORDS 512
#define PATTERN 0x2179727265747361ull

static UINT64 registers, target;

static EFIAPI VOID leaving(EFI_EVENT event, VOID *context)
{
	(void)event;
	(void)context;
	edu_start(registers, target + 4096, 4096, TRUE);
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *st);

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *st)
{
	UINT64 *page, word = 0;
	EFI_EVENT event;
	pci_io *edu, *memory;

	efi_start(image, st);
	edu = efi_find(0x1234, 0x11e8);
	memory = efi_find(0x1af4, 0x1110);
	efi_bus_master(edu);
	efi_bus_master(memory);
	registers = efi_bar(edu, 0);
	target = efi_bar(memory, 2);
	page = efi_pages(1);
	for (UINTN i = 0; i < WORDS; i++)
		page[i] = PATTERN + i;
	edu_dma(registers, (UINT64)page, 4096, FALSE);
	edu_dma(registers, target, 4096, TRUE);
	memory->Mem.Read(memory, EfiPciIoWidthUint64, 2, 8 * (WORDS - 1), 1, &word);
	efi_check(word == PATTERN + WORDS - 1, u"DMA to the memory BAR arrives");
	efi_boot->CreateEvent(EVT_SIGNAL_EXIT_BOOT_SERVICES, TPL_CALLBACK, leaving, NULL, &event);
	return efi_chain();
}
