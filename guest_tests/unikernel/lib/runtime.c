/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the PVH start info to main() and to the end: the console for picolibc's stdio, the command
 * line cut into words, the order in which the parts of the runtime start, and the two ports by which
 * a guest talks to the loader: 0xf4 takes the exit status (QEMU's isa-debug-exit understands it
 * too), 0xf8 marks measured stretches.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest_tests/unikernel/lib/unikernel.h"

#define PVH_MAGIC	0x336ec578u
#define PVH_RAM		1u
#define LOW_MEMORY_END	(4ull << 30)	/* what entry.S maps */

#define PORT_EXIT	0xf4
#define PORT_MEASURE	0xf8

#define COM1		0x3f8
#define COM1_LSR	(COM1 + 5)
#define LSR_THR_EMPTY	0x20
#define SERIAL_SPINS	100000u		/* then the byte is sent anyway: output never hangs */
#define SERIAL_FIFO	16u

#define WORDS_MAX	32

/* The PVH boot protocol, version 1 */
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

struct pvh_memmap_entry {
	uint64_t addr;
	uint64_t size;
	uint32_t type;
	uint32_t reserved;
};

_Static_assert(sizeof(struct pvh_memmap_entry) == 24, "memory map entry");

extern uint8_t guest_image_end[];

int main(int argc, char **argv);
void runtime_start(const struct pvh_start_info *info);

void guest_exit(int status)
{
	fflush(stdout);
	port_write8(PORT_EXIT, (uint8_t)status);
	for (;;)
		__asm__ volatile("cli; hlt");
}

void guest_measure(uint32_t operations)
{
	port_write32(PORT_MEASURE, operations);
}

/* For picolibc's exit() and abort(). */
void _exit(int status)
{
	guest_exit(status);
}

/*
 * The line status is asked for once per FIFO's worth of bytes: under a hypervisor each access to a
 * port costs an exit.
 */
static int console_put(char c, FILE *file)
{
	static unsigned int room;

	(void)file;
	if (room == 0) {
		for (unsigned int i = 0; i < SERIAL_SPINS; i++)
			if (port_read8(COM1_LSR) & LSR_THR_EMPTY)
				break;
		room = SERIAL_FIFO;
	}
	room--;
	port_write8(COM1, (uint8_t)c);
	return (unsigned char)c;
}

static FILE console = FDEV_SETUP_STREAM(console_put, NULL, NULL, _FDEV_SETUP_WRITE);
FILE *const stdin = &console;
FILE *const stdout = &console;
FILE *const stderr = &console;

/* The end of the RAM that holds the image: from there on it is free for DMA memory. */
static uint64_t ram_end(const struct pvh_start_info *info)
{
	const struct pvh_memmap_entry *map = (const void *)(uintptr_t)info->memmap_paddr;
	uint64_t image = (uintptr_t)guest_image_end;

	if (info->version < 1)
		return 0;
	for (uint32_t i = 0; i < info->memmap_entries; i++) {
		uint64_t end = map[i].addr + map[i].size;

		if (map[i].type == PVH_RAM && map[i].addr < image && image < end)
			return end < LOW_MEMORY_END ? end : LOW_MEMORY_END;
	}
	return 0;
}

static int words_split(char *text, char **words)
{
	int count = 0;

	for (char *save, *word = strtok_r(text, " ", &save); word && count < WORDS_MAX - 1;
	     word = strtok_r(NULL, " ", &save))
		words[count++] = word;
	words[count] = NULL;
	return count;
}

void runtime_start(const struct pvh_start_info *info)
{
	static char name[] = "guest";
	static char *words[WORDS_MAX + 1] = { name };
	static char cmdline[4096];
	int count = 0;

	if (info->magic != PVH_MAGIC) {
		printf("guest: not started by the PVH protocol (magic 0x%08x)\n",
		       (unsigned int)info->magic);
		guest_exit(1);
	}
	if (info->cmdline_paddr) {
		strncpy(cmdline, (const char *)(uintptr_t)info->cmdline_paddr,
			sizeof(cmdline) - 1);
		count = words_split(cmdline, words + 1);
	}
	memory_init(ram_end(info));
	trap_init();
	time_init();
	lapic_init();
	guest_exit(main(count + 1, words));
}
