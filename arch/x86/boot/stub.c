/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The EFI application: collects what the kernel needs from the firmware (options, initrd, tables), loads
 * the kernel that it carries, takes devices out of their drivers' hands and off the bus, and leaves boot
 * services. Nothing of it survives but the handover, the kernel, the initrd and the page tables.
 */
#include "arch/x86/boot/stub.h"

struct stub stub;

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *st);

void stub_say(const char *text)
{
	CHAR16 wide[160];
	UINTN n = 0;

	while (*text && n < sizeof wide / sizeof *wide - 1)
		wide[n++] = (UINT8)*text++;
	wide[n] = 0;
	if (stub.st->ConOut)
		stub.st->ConOut->OutputString(stub.st->ConOut, wide);
}

static const char *status_name(EFI_STATUS status)
{
	switch (status) {
	case EFI_NOT_FOUND:
		return "not found";
	case EFI_OUT_OF_RESOURCES:
		return "out of memory";
	case EFI_LOAD_ERROR:
		return "damaged";
	case EFI_UNSUPPORTED:
		return "not supported";
	case EFI_DEVICE_ERROR:
		return "device error";
	case EFI_BUFFER_TOO_SMALL:
	case EFI_BAD_BUFFER_SIZE:
		return "too large";
	default:
		return "refused by the firmware";
	}
}

EFI_STATUS stub_fail(const char *what, EFI_STATUS status)
{
	stub_say("postern: cannot start: ");
	stub_say(what);
	stub_say(": ");
	stub_say(status_name(status));
	stub_say("\r\n");
	return status;
}

/* The firmware's own version, for the log; it is UCS-2 and may be anything. */
static void firmware_name(void)
{
	const CHAR16 *vendor = stub.st->FirmwareVendor;
	char *out = stub.ho->firmware;
	UINTN i;

	memcpy(out, "UEFI ", 5);
	for (i = 0; vendor && vendor[i] && i < sizeof stub.ho->firmware - 6; i++)
		out[5 + i] = vendor[i] >= ' ' && vendor[i] < 0x7f ? vendor[i] : '?';
	out[5 + i] = 0;
}

static EFI_STATUS start(void)
{
	static const EFI_GUID loaded_image = LOADED_IMAGE_PROTOCOL;
	EFI_STATUS s;

	stub.loaded = stub_protocol(stub.image, &loaded_image);
	if (!stub.loaded)
		return stub_fail("this program's own image", EFI_NOT_FOUND);
	stub.ho = stub_pages(sizeof *stub.ho, EfiLoaderData, BELOW_4G);
	if (!stub.ho)
		return stub_fail("the handover block below 4 GiB", EFI_OUT_OF_RESOURCES);
	stub.ho->magic = HANDOVER_MAGIC;
	stub.ho->version = HANDOVER_VERSION;
	firmware_name();
	s = stub_read_options();
	if (!EFI_ERROR(s))
		s = stub_read_initrd();
	if (!EFI_ERROR(s))
		s = stub_load_kernel();
	if (EFI_ERROR(s))
		return s;
	stub_find_tables();
	stub_quiet_devices();
	return stub_leave_firmware();
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *st)
{
	stub.image = image;
	stub.st = st;
	stub.bs = st->BootServices;
	stub.bs->SetWatchdogTimer(0, 0, 0, NULL); /* reading a large initrd may take its time */
	return start();
}
