/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files: from the volume that the stub was started from, and the initrd, which a boot manager may offer
 * by the LoadFile2 protocol on a vendor media path, as for Linux.
 */
#include "arch/x86/boot/stub.h"

#define CHUNK 0x400000ull /* some firmware cannot read more at once */

static EFI_FILE_HANDLE volume_open(void)
{
	static const EFI_GUID file_system = SIMPLE_FILE_SYSTEM_PROTOCOL;
	EFI_FILE_IO_INTERFACE *fs = NULL;
	EFI_FILE_HANDLE root = NULL;

	if (stub.loaded->DeviceHandle)
		fs = stub_protocol(stub.loaded->DeviceHandle, &file_system);
	if (!fs || EFI_ERROR(fs->OpenVolume(fs, &root)))
		return NULL;
	return root;
}

/* A file's size is the position of its end. */
static EFI_STATUS file_size(EFI_FILE_HANDLE f, UINT64 *size)
{
	EFI_STATUS s = f->SetPosition(f, ~0ull);

	if (!EFI_ERROR(s))
		s = f->GetPosition(f, size);
	if (!EFI_ERROR(s))
		s = f->SetPosition(f, 0);
	return s;
}

static EFI_STATUS file_read(EFI_FILE_HANDLE f, UINT8 *to, UINT64 size)
{
	while (size) {
		UINTN part = size < CHUNK ? size : CHUNK;
		EFI_STATUS s = f->Read(f, &part, to);

		if (EFI_ERROR(s))
			return s;
		if (!part)
			return EFI_DEVICE_ERROR;
		to += part;
		size -= part;
	}
	return EFI_SUCCESS;
}

EFI_STATUS stub_read_file(const CHAR16 *path, UINT64 spare, void **data, UINT64 *size)
{
	EFI_FILE_HANDLE root = volume_open(), f = NULL;
	EFI_STATUS s = EFI_NOT_FOUND;

	if (!root)
		return EFI_NOT_FOUND;
	s = root->Open(root, &f, (CHAR16 *)path, EFI_FILE_MODE_READ, 0);
	if (EFI_ERROR(s))
		goto out;
	s = file_size(f, size);
	if (!EFI_ERROR(s)) {
		*data = *size > ~0ull - PAGE - spare ? NULL : stub_pages(*size + spare + 1, EfiLoaderData, ~0ull);
		s = *data ? file_read(f, *data, *size) : EFI_OUT_OF_RESOURCES;
	}
	f->Close(f);
out:
	root->Close(root);
	return s;
}

/* UEFI 2.10, 13.2; the vendor path is Linux's, Documentation/arch/x86 and efi-stub. */
typedef EFI_STATUS (EFIAPI *load_file2_fn)(void *this, EFI_DEVICE_PATH *path, BOOLEAN boot, UINTN *size,
					   void *buffer);
struct load_file2 {
	load_file2_fn load;
};
struct initrd_path {
	VENDOR_DEVICE_PATH vendor;
	EFI_DEVICE_PATH end;
} __attribute__((packed));
_Static_assert(sizeof(struct initrd_path) == 24, "UEFI 10.3.5.3");

static EFI_STATUS initrd_from_manager(void **data, UINT64 *out_size)
{
	static const EFI_GUID protocol = { 0x4006c0c1, 0xfcb3, 0x403e,
					   { 0x99, 0x6d, 0x4a, 0x6c, 0x87, 0x24, 0xe0, 0x6d } };
	static const struct initrd_path path = {
		.vendor = {
			.Header = { MEDIA_DEVICE_PATH, MEDIA_VENDOR_DP, { sizeof(VENDOR_DEVICE_PATH), 0 } },
			.Guid = { 0x5568e427, 0x68fc, 0x4f3d,
				  { 0xac, 0x74, 0xca, 0x55, 0x52, 0x31, 0xcc, 0x68 } },
		},
		.end = { END_DEVICE_PATH_TYPE, END_ENTIRE_DEVICE_PATH_SUBTYPE, { sizeof(EFI_DEVICE_PATH), 0 } },
	};
	EFI_DEVICE_PATH *rest = (EFI_DEVICE_PATH *)&path;
	struct load_file2 *lf;
	EFI_HANDLE handle;
	UINTN size = 0;
	EFI_STATUS s;

	if (EFI_ERROR(stub.bs->LocateDevicePath((EFI_GUID *)&protocol, &rest, &handle)))
		return EFI_NOT_FOUND;
	lf = stub_protocol(handle, &protocol);
	if (!lf)
		return EFI_NOT_FOUND;
	s = lf->load(lf, rest, FALSE, &size, NULL);
	if (s != EFI_BUFFER_TOO_SMALL)
		return EFI_ERROR(s) ? s : EFI_NOT_FOUND;
	*data = stub_pages(size, EfiLoaderData, ~0ull);
	if (!*data)
		return EFI_OUT_OF_RESOURCES;
	*out_size = size;
	return lf->load(lf, rest, FALSE, &size, *data);
}

EFI_STATUS stub_read_initrd(void)
{
	void *data = NULL;
	UINT64 size = 0;
	EFI_STATUS s = initrd_from_manager(&data, &size);

	if (s == EFI_NOT_FOUND) {
		s = stub_read_file(u"\\postern\\initrd.cpio", 0, &data, &size);
		if (EFI_ERROR(s))
			return stub_fail("no initrd: the boot manager offers none, \\postern\\initrd.cpio", s);
	}
	if (EFI_ERROR(s))
		return stub_fail("the initrd of the boot manager", s);
	stub.ho->initrd = (UINT64)data;
	stub.ho->initrd_size = size;
	return EFI_SUCCESS;
}
