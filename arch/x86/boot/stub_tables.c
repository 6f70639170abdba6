/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the firmware knows and the kernel wants to know: the RSDP (ACPI 2.0's preferred), SMBIOS, the
 * framebuffer, and a random seed. All of it may be absent.
 */
#include "arch/x86/boot/stub.h"

static int guid_is(const EFI_GUID *a, const EFI_GUID *b)
{
	return !memcmp(a, b, sizeof *a);
}

static void find_configuration(void)
{
	static const EFI_GUID acpi2 = ACPI_20_TABLE_GUID, acpi1 = ACPI_TABLE_GUID;
	static const EFI_GUID smbios3 = SMBIOS3_TABLE_GUID, smbios = SMBIOS_TABLE_GUID;
	UINT64 old_rsdp = 0, old_smbios = 0;

	for (UINTN i = 0; i < stub.st->NumberOfTableEntries; i++) {
		const EFI_CONFIGURATION_TABLE *t = &stub.st->ConfigurationTable[i];
		UINT64 at = (UINT64)t->VendorTable;

		if (guid_is(&t->VendorGuid, &acpi2))
			stub.ho->rsdp = at;
		else if (guid_is(&t->VendorGuid, &acpi1))
			old_rsdp = at;
		else if (guid_is(&t->VendorGuid, &smbios3))
			stub.ho->smbios = at;
		else if (guid_is(&t->VendorGuid, &smbios))
			old_smbios = at;
	}
	stub.ho->rsdp = stub.ho->rsdp ? stub.ho->rsdp : old_rsdp;
	stub.ho->smbios = stub.ho->smbios ? stub.ho->smbios : old_smbios;
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

static int rdrand64(UINT64 *out)
{
	UINT32 a = 1, b, c = 0, d;
	UINT8 ok = 0;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	if (!(c & 1u << 30))
		return 0;
	for (int i = 0; i < 10 && !ok; i++)
		__asm__ volatile("rdrand %0; setc %1" : "=r"(*out), "=qm"(ok) :: "cc");
	return ok;
}

static void find_seed(void)
{
	static const EFI_GUID guid = EFI_RNG_PROTOCOL_GUID;
	EFI_RNG_PROTOCOL *rng = stub_locate(&guid);

	if (rng && !EFI_ERROR(rng->GetRNG(rng, NULL, sizeof stub.ho->seed, stub.ho->seed))) {
		stub.ho->seed_valid = 1;
		return;
	}
	for (UINTN i = 0; i < sizeof stub.ho->seed; i += 8) {
		UINT64 v;

		if (!rdrand64(&v))
			return;
		memcpy(stub.ho->seed + i, &v, 8);
	}
	stub.ho->seed_valid = 1;
}

void stub_find_tables(void)
{
	find_configuration();
	find_framebuffer();
	find_seed();
}
