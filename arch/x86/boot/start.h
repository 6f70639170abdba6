/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Between the entries and the kernel: the handover's place in the image, and what early code takes
 * out of the memory map. Private to arch/x86.
 */
#ifndef ARCH_X86_BOOT_START_H
#define ARCH_X86_BOOT_START_H

#include "arch/x86/arch.h"

/* The image, as linked (linker.ld). */
extern char image_start[], text_start[], text_end[], rodata_start[], rodata_end[], data_start[], image_end[];

extern struct handover boot_handover;
/* From the entries; low 4 GiB mapped one to one. */
void boot_start_pvh(u32 start_info) __attribute__((noreturn));
void boot_start_efi(const struct handover *ho) __attribute__((noreturn));
/*
 * Take `size` bytes (page aligned) of free RAM below `below`, highest first, and mark them
 * HANDOVER_KERNEL. 0 when there is none: early code has no other way to say it.
 */
paddr_t boot_claim(u64 size, paddr_t below);

#endif
