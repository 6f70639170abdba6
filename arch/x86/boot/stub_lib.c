/* SPDX-License-Identifier: GPL-2.0-only */
/* The stub's own small library: memory, pages and protocols. */
#include "arch/x86/boot/stub.h"

void *memcpy(void *dst, const void *src, UINTN n)
{
	void *to = dst;

	__asm__ volatile("rep movsb" : "+D"(to), "+S"(src), "+c"(n) :: "memory");
	return dst;
}

void *memset(void *dst, int c, UINTN n)
{
	void *to = dst;

	__asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(c) : "memory");
	return dst;
}

int memcmp(const void *a, const void *b, UINTN n)
{
	const volatile UINT8 *x = a, *y = b;

	for (; n; n--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

void *stub_pages(UINT64 bytes, EFI_MEMORY_TYPE type, UINT64 max)
{
	EFI_PHYSICAL_ADDRESS at = max;

	if (EFI_ERROR(stub.bs->AllocatePages(AllocateMaxAddress, type, PAGES(bytes), &at)))
		return NULL;
	return memset((void *)at, 0, PAGES(bytes) * PAGE);
}

void *stub_protocol(EFI_HANDLE handle, const EFI_GUID *guid)
{
	void *interface = NULL;

	if (EFI_ERROR(stub.bs->HandleProtocol(handle, (EFI_GUID *)guid, &interface)))
		return NULL;
	return interface;
}

void *stub_locate(const EFI_GUID *guid)
{
	void *interface = NULL;

	if (EFI_ERROR(stub.bs->LocateProtocol((EFI_GUID *)guid, NULL, &interface)))
		return NULL;
	return interface;
}
