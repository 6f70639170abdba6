/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hand-over to the guest: the PVH start info, as "The PVH boot protocol" of Xen describes it
 * (version 1, with a memory map), the same that `qemu -kernel` gives. It lies in the pages below
 * BOOT_INFO_END, which no guest may load anything into.
 */
#include <errno.h>
#include <string.h>

#include "loader/loader.h"

#define PVH_MAGIC	0x336ec578u
#define PVH_RAM		1u
#define PVH_RESERVED	2u

#define INFO_GPA	0x1000u
#define MEMMAP_GPA	0x2000u
#define CMDLINE_GPA	0x3000u
#define CMDLINE_MAX	0x1000u

#define VGA_HOLE	0xa0000ULL
#define VGA_HOLE_END	0x100000ULL

struct pvh_start_info {
	uint32_t magic;
	uint32_t version;
	uint32_t flags;
	uint32_t nr_modules;
	uint64_t modlist_paddr;
	uint64_t cmdline_paddr;
	uint64_t rsdp_paddr;
	uint64_t memmap_paddr;
	uint32_t memmap_entries;
	uint32_t reserved;
};

_Static_assert(sizeof(struct pvh_start_info) == 56, "start info, version 1");
_Static_assert(offsetof(struct pvh_start_info, memmap_paddr) == 40, "start info, version 1");

struct pvh_memmap_entry {
	uint64_t addr;
	uint64_t size;
	uint32_t type;
	uint32_t reserved;
};

_Static_assert(sizeof(struct pvh_memmap_entry) == 24, "memory map entry");

uint32_t boot_info_write(const struct guest_memory *mem, const char *cmdline)
{
	struct pvh_start_info *info = memory_at(mem, INFO_GPA, PAGE_BYTES);
	struct pvh_memmap_entry *map = memory_at(mem, MEMMAP_GPA, PAGE_BYTES);
	char *words = memory_at(mem, CMDLINE_GPA, CMDLINE_MAX);
	unsigned int n = 0;

	if (strlen(cmdline) >= CMDLINE_MAX) {
		errno = 0;
		fail(NULL, "-append is longer than %u characters", CMDLINE_MAX - 1);
	}
	strcpy(words, cmdline);

	map[n++] = (struct pvh_memmap_entry){ .addr = 0, .size = VGA_HOLE, .type = PVH_RAM };
	map[n++] = (struct pvh_memmap_entry){
		.addr = VGA_HOLE, .size = VGA_HOLE_END - VGA_HOLE, .type = PVH_RESERVED,
	};
	map[n++] = (struct pvh_memmap_entry){
		.addr = VGA_HOLE_END, .size = mem->bank[0].size - VGA_HOLE_END, .type = PVH_RAM,
	};
	if (mem->banks > 1)
		map[n++] = (struct pvh_memmap_entry){
			.addr = mem->bank[1].gpa, .size = mem->bank[1].size, .type = PVH_RAM,
		};

	*info = (struct pvh_start_info){
		.magic = PVH_MAGIC,
		.version = 1,
		.cmdline_paddr = CMDLINE_GPA,
		.memmap_paddr = MEMMAP_GPA,
		.memmap_entries = n,
	};
	return INFO_GPA;
}
