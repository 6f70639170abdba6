/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * No DMA from here on: firmware's drivers let go of every PCI function, then bus mastering is cleared in
 * every command register, before the final memory map is taken. Displays keep both, as they may be
 * showing the console, and so does a bridge that forwards VGA to one.
 */
#include "arch/x86/boot/stub.h"

#include <efipciio.h>

#define PCI_COMMAND 0x04
#define COMMAND_MASTER 0x0004
#define PCI_REVISION_CLASS 0x08
#define CLASS_DISPLAY 0x03
#define CLASS_OLD_VGA 0x0001 /* class and subclass */
#define CLASS_BRIDGE 0x06
#define PCI_HEADER_TYPE 0x0e
#define PCI_BRIDGE_CONTROL 0x3e
#define BRIDGE_VGA 0x0008

typedef struct _EFI_PCI_IO_PROTOCOL pci_io;

static UINT32 config_read(pci_io *io, UINT32 reg, EFI_PCI_IO_PROTOCOL_WIDTH width)
{
	UINT32 v = 0;

	return EFI_ERROR(io->Pci.Read(io, width, reg, 1, &v)) ? 0 : v;
}

static UINT32 class_of(pci_io *io)
{
	return config_read(io, PCI_REVISION_CLASS, EfiPciIoWidthUint32) >> 16;
}

static int is_display(pci_io *io)
{
	UINT32 class = class_of(io);

	if (class >> 8 == CLASS_BRIDGE && (config_read(io, PCI_HEADER_TYPE, EfiPciIoWidthUint8) & 0x7f) == 1)
		return (config_read(io, PCI_BRIDGE_CONTROL, EfiPciIoWidthUint16) & BRIDGE_VGA) != 0;
	return class >> 8 == CLASS_DISPLAY || class == CLASS_OLD_VGA;
}

/* Calls fn for every PCI function that is no display; handles are looked up anew, as drivers come and go. */
static void each_function(void (*fn)(EFI_HANDLE handle, pci_io *io))
{
	static const EFI_GUID guid = EFI_PCI_IO_PROTOCOL_GUID;
	EFI_HANDLE *handles = NULL;
	UINTN n = 0;

	if (EFI_ERROR(stub.bs->LocateHandleBuffer(ByProtocol, (EFI_GUID *)&guid, NULL, &n, &handles)))
		return;
	for (UINTN i = 0; i < n; i++) {
		pci_io *io = stub_protocol(handles[i], &guid);

		if (io && !is_display(io))
			fn(handles[i], io);
	}
	stub.bs->FreePool(handles);
}

static void let_go(EFI_HANDLE handle, pci_io *io)
{
	/* A bridge's driver is the bus itself: without it the functions below would be out of reach. */
	if (class_of(io) >> 8 != CLASS_BRIDGE)
		stub.bs->DisconnectController(handle, NULL, NULL);
}

static void silence(EFI_HANDLE, pci_io *io)
{
	UINT16 command = config_read(io, PCI_COMMAND, EfiPciIoWidthUint16) & ~COMMAND_MASTER;

	io->Pci.Write(io, EfiPciIoWidthUint16, PCI_COMMAND, 1, &command);
}

void stub_quiet_devices(void)
{
	each_function(let_go);
	each_function(silence);
}
