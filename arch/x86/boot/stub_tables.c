/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the firmware knows and the kernel wants to know: the RSDP (ACPI 2.0's preferred), the
 * framebuffer, and a random seed. All of it may be absent.
 */
#include "arch/x86/boot/stub.h"

static int guid_is(const EFI_GUID *a, const EFI_GUID *b)
{
	return !memcmp(a, b, sizeof *a);
}

static void find_rsdp(void)
{
	static const EFI_GUID acpi2 = ACPI_20_TABLE_GUID, acpi1 = ACPI_TABLE_GUID;

	for (UINTN i = 0; i < stub.st->NumberOfTableEntries; i++) {
		const EFI_CONFIGURATION_TABLE *t = &stub.st->ConfigurationTable[i];

		if (guid_is(&t->VendorGuid, &acpi2) || (guid_is(&t->VendorGuid, &acpi1) && !stub.ho->rsdp))
			stub.ho->rsdp = (UINT64)t->VendorTable;
	}
}

static void find_framebuffer(void)
{
	static const EFI_GUID guid = EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID;
	EFI_GRAPHICS_OUTPUT_PROTOCOL *gop = stub_locate(&guid);

	if (!gop || !gop->Mode || !gop->Mode->Info || gop->Mode->Info->PixelFormat >= PixelBltOnly)
		return;
	stub.ho->framebuffer = gop->Mode->FrameBufferBase;
	stub.ho->fb_width = gop->Mode->Info->HorizontalResolution;
	stub.ho->fb_height = gop->Mode->Info->VerticalResolution;
	stub.ho->fb_pitch = gop->Mode->Info->PixelsPerScanLine * 4ull;
}

/* Of the CPU's own generator the kernel takes what it needs itself. */
static void find_seed(void)
{
	static const EFI_GUID guid = EFI_RNG_PROTOCOL_GUID;
	EFI_RNG_PROTOCOL *rng = stub_locate(&guid);

	if (rng && EFI_ERROR(rng->GetRNG(rng, NULL, sizeof stub.ho->seed, stub.ho->seed)))
		memset(stub.ho->seed, 0, sizeof stub.ho->seed);
}

void stub_find_tables(void)
{
	find_rsdp();
	find_framebuffer();
	find_seed();
}
