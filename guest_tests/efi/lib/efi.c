/* SPDX-License-Identifier: BSD-2-Clause */
#include "guest_tests/efi/lib/efi.h"

#define EDU_SOURCE 0x80
#define EDU_DESTINATION 0x88
#define EDU_COUNT 0x90
#define EDU_COMMAND 0x98
#define EDU_BUFFER 0x40000
#define EDU_DMA_US 200000 /* 100 ms, and as much again */
#define COMMAND_MEMORY_AND_MASTER 6
#define FILE_MAX (16u << 20)

EFI_BOOT_SERVICES *efi_boot;
static EFI_SYSTEM_TABLE *system_table;
static EFI_HANDLE this_image;

void efi_start(EFI_HANDLE image, EFI_SYSTEM_TABLE *st)
{
	this_image = image;
	system_table = st;
	efi_boot = st->BootServices;
}

static void print(const CHAR16 *text)
{
	system_table->ConOut->OutputString(system_table->ConOut, (CHAR16 *)text);
}

void efi_check(BOOLEAN ok, const CHAR16 *what)
{
	print(ok ? u"ok firmware: " : u"FAIL firmware: ");
	print(what);
	print(u"\r\n");
	if (!ok)
		system_table->RuntimeServices->ResetSystem(EfiResetShutdown, EFI_ABORTED, 0, NULL);
}

static void *protocol(EFI_HANDLE handle, const EFI_GUID *guid)
{
	void *p = NULL;

	return EFI_ERROR(efi_boot->HandleProtocol(handle, (EFI_GUID *)guid, &p)) ? NULL : p;
}

pci_io *efi_find(UINT16 vendor, UINT16 device)
{
	static const EFI_GUID guid = EFI_PCI_IO_PROTOCOL_GUID;
	EFI_HANDLE *handles = NULL;
	pci_io *found = NULL;
	UINTN n = 0;

	efi_boot->LocateHandleBuffer(ByProtocol, (EFI_GUID *)&guid, NULL, &n, &handles);
	for (UINTN i = 0; i < n && !found; i++) {
		pci_io *io = protocol(handles[i], &guid);
		UINT32 ids = 0;

		if (io && !EFI_ERROR(io->Pci.Read(io, EfiPciIoWidthUint32, 0, 1, &ids)) &&
		    ids == (vendor | (UINT32)device << 16))
			found = io;
	}
	if (!found)
		efi_check(FALSE, u"a device is missing");
	return found;
}

UINT64 efi_bar(pci_io *io, unsigned index)
{
	UINT32 low = 0, high = 0;

	io->Pci.Read(io, EfiPciIoWidthUint32, 0x10 + 4 * index, 1, &low);
	if ((low & 6) == 4)
		io->Pci.Read(io, EfiPciIoWidthUint32, 0x14 + 4 * index, 1, &high);
	return (low & ~15u) | (UINT64)high << 32;
}

void efi_bus_master(pci_io *io)
{
	UINT16 command = 0;

	io->Pci.Read(io, EfiPciIoWidthUint16, 4, 1, &command);
	command |= COMMAND_MEMORY_AND_MASTER;
	io->Pci.Write(io, EfiPciIoWidthUint16, 4, 1, &command);
}

void *efi_pages(UINTN n)
{
	EFI_PHYSICAL_ADDRESS at = 0xffffffff;

	if (EFI_ERROR(efi_boot->AllocatePages(AllocateMaxAddress, EfiBootServicesData, n, &at)))
		efi_check(FALSE, u"no memory");
	efi_boot->SetMem((void *)at, n * 4096, 0);
	return (void *)at;
}

static void wr64(UINT64 at, UINT64 v)
{
	*(volatile UINT64 *)at = v;
}

void edu_start(UINT64 registers, UINT64 address, UINT64 bytes, BOOLEAN to_memory)
{
	wr64(registers + EDU_SOURCE, to_memory ? EDU_BUFFER : address);
	wr64(registers + EDU_DESTINATION, to_memory ? address : EDU_BUFFER);
	wr64(registers + EDU_COUNT, bytes);
	wr64(registers + EDU_COMMAND, 1 | (to_memory ? 2 : 0));
}

void edu_dma(UINT64 registers, UINT64 address, UINT64 bytes, BOOLEAN to_memory)
{
	edu_start(registers, address, bytes, to_memory);
	efi_boot->Stall(EDU_DMA_US);
}

static void *file_read(EFI_HANDLE volume, const CHAR16 *path, UINTN *size)
{
	static const EFI_GUID guid = EFI_SIMPLE_FILE_SYSTEM_PROTOCOL_GUID;
	EFI_FILE_IO_INTERFACE *fs = protocol(volume, &guid);
	EFI_FILE_HANDLE root, file;
	void *data = NULL;

	*size = FILE_MAX;
	if (!fs || EFI_ERROR(fs->OpenVolume(fs, &root)) || EFI_ERROR(root->Open(root, &file, (CHAR16 *)path, EFI_FILE_MODE_READ, 0)) ||
	    EFI_ERROR(efi_boot->AllocatePool(EfiBootServicesData, *size, &data)) || EFI_ERROR(file->Read(file, size, data)))
		efi_check(FALSE, u"cannot read \\EFI\\BOOT\\POSTERN.EFI");
	return data;
}

EFI_STATUS efi_chain(void)
{
	static const EFI_GUID guid = LOADED_IMAGE_PROTOCOL;
	EFI_LOADED_IMAGE *own = protocol(this_image, &guid), *next;
	EFI_HANDLE image = NULL;
	UINTN size;
	void *data = file_read(own->DeviceHandle, u"\\EFI\\BOOT\\POSTERN.EFI", &size);

	if (EFI_ERROR(efi_boot->LoadImage(FALSE, this_image, NULL, data, size, &image)))
		efi_check(FALSE, u"cannot load \\EFI\\BOOT\\POSTERN.EFI");
	next = protocol(image, &guid);
	next->DeviceHandle = own->DeviceHandle; /* where it finds its files */
	return efi_boot->StartImage(image, NULL, NULL);
}
