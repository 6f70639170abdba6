/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one structure that an entry (EFI stub, PVH) gives to the kernel.  Version 2.  All addresses
 * are physical.  Shared with the EFI stub, so it stands on <stdint.h> alone.
 */
#ifndef ARCH_X86_BOOT_HANDOVER_H
#define ARCH_X86_BOOT_HANDOVER_H

#include <stdint.h>

#define HANDOVER_MAGIC 0x4e524554534f50ull /* "POSTERN" */
#define HANDOVER_VERSION 2
#define HANDOVER_MAX_REGIONS 256
#define HANDOVER_CMDLINE 4096

enum handover_mem {
	HANDOVER_RAM = 1,      /* free for us */
	HANDOVER_RESERVED = 2, /* not ours, never touched */
	HANDOVER_ACPI = 3,     /* ACPI tables: read, kept */
	HANDOVER_KERNEL = 4,   /* kernel image, initrd, this structure */
	HANDOVER_MMIO = 5,
	HANDOVER_RUNTIME = 6,  /* EFI runtime services */
};

struct handover_region {
	uint64_t base, size; /* bytes, page aligned */
	uint32_t kind;       /* enum handover_mem */
	uint32_t pad;
};

/* The first bytes of the kernel's image (entry64.S): where it is linked to lie, and its entry from the stub. */
struct image_head {
	uint64_t start, end, entry;
};

struct handover {
	uint64_t magic;
	uint64_t version;
	uint64_t rsdp;  /* 0: none found by firmware; the kernel then looks in the BIOS area */
	uint64_t initrd, initrd_size;
	uint64_t kernel_base, kernel_size;
	uint64_t framebuffer, fb_width, fb_height, fb_pitch;
	uint8_t seed[32]; /* the firmware's random bytes; zeros: it has none */
	uint64_t nregions;
	struct handover_region region[HANDOVER_MAX_REGIONS]; /* sorted, disjoint */
	char firmware[64];
	char cmdline[HANDOVER_CMDLINE]; /* UTF-8, NUL terminated */
};

#endif
