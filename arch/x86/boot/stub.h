/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The EFI stub: what its files share. It runs as an ordinary EFI application until leave_firmware();
 * every failure before that is one line on the console and a return to the firmware.
 */
#ifndef ARCH_X86_BOOT_STUB_H
#define ARCH_X86_BOOT_STUB_H

#include <efi.h>

#include "arch/x86/boot/handover.h"

struct stub {
	EFI_HANDLE image;
	EFI_SYSTEM_TABLE *st;
	EFI_BOOT_SERVICES *bs;
	EFI_LOADED_IMAGE *loaded;
	struct handover *ho; /* below 4 GiB */
	UINT64 entry;        /* virtual address, in the kernel's window */
	UINT64 window;       /* virtual address that kernel_base is mapped at */
};
extern struct stub stub;

#define PAGE 4096ull
#define PAGES(bytes) (((bytes) + PAGE - 1) / PAGE)
#define LARGE_PAGE 0x200000ull
#define BELOW_4G 0xffffffffull

/* One line: "postern: cannot start: what (reason)"; returns status, so that it can end a function. */
EFI_STATUS stub_fail(const char *what, EFI_STATUS status);
void stub_say(const char *text);

/* stub_lib.c; the compiler calls the first three on its own */
void *memcpy(void *dst, const void *src, UINTN n);
void *memset(void *dst, int c, UINTN n);
int memcmp(const void *a, const void *b, UINTN n);
/* Pages of that type at or below `max`; zeroed. NULL: none. */
void *stub_pages(UINT64 bytes, EFI_MEMORY_TYPE type, UINT64 max);
void *stub_protocol(EFI_HANDLE handle, const EFI_GUID *guid);
/* The first one of its kind; NULL when there is none. */
void *stub_locate(const EFI_GUID *guid);

/* The steps, in this order. */
EFI_STATUS stub_read_options(void);
EFI_STATUS stub_read_initrd(void);
EFI_STATUS stub_load_kernel(void);
void stub_find_tables(void);
void stub_quiet_devices(void);
EFI_STATUS stub_leave_firmware(void); /* returns only on failure */

/* stub_files.c: a file of the boot volume, in LoaderData pages, `spare` zero bytes behind it. */
EFI_STATUS stub_read_file(const CHAR16 *path, UINT64 spare, void **data, UINT64 *size);

/* stub_kernel.S: the kernel (struct image_head first), and the last instructions before it. */
extern const UINT8 stub_kernel[], stub_kernel_end[];
extern const UINT8 stub_jump[], stub_jump_end[];

#endif
