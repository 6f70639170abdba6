/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the EFI programs share that run before Postern and leave the machine as bad firmware would:
 * devices by their ids, the edu device, and starting \EFI\BOOT\POSTERN.EFI. efi_main() of a program
 * calls efi_start() first and ends with efi_chain().
 */
#ifndef GUEST_TESTS_EFI_H
#define GUEST_TESTS_EFI_H

#include <efi.h>

#include <efipciio.h>

typedef struct _EFI_PCI_IO_PROTOCOL pci_io;

extern EFI_BOOT_SERVICES *efi_boot;

void efi_start(EFI_HANDLE image, EFI_SYSTEM_TABLE *st);
/* Prints; when it is false that is a FAIL line, and the machine is switched off. */
void efi_check(BOOLEAN ok, const CHAR16 *what);
/* The first function with these ids; the machine is switched off if there is none. */
pci_io *efi_find(UINT16 vendor, UINT16 device);
/* Address in a BAR as firmware set it. */
UINT64 efi_bar(pci_io *io, unsigned index);
void efi_bus_master(pci_io *io);
/* Zeroed pages that the next owner of the machine may use for anything. */
void *efi_pages(UINTN n);
/* The edu device at `registers`: starts a DMA between its buffer and memory, which takes 100 ms. */
void edu_start(UINT64 registers, UINT64 address, UINT64 bytes, BOOLEAN to_memory);
/* The same, and waits until it must be over. */
void edu_dma(UINT64 registers, UINT64 address, UINT64 bytes, BOOLEAN to_memory);
/* Starts Postern from the volume that this program came from. */
EFI_STATUS efi_chain(void);

#endif
