/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's RAM: ordinary anonymous memory of this process in one or two banks, below and above
 * the hole for devices. A bank starts at a multiple of 2 MiB on both sides, so that process tables,
 * nested tables and IOMMU tables can all use large pages. It is never freed: it lives as long as
 * the process, since a device may reach it as long as the group is open.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>

#include "loader/loader.h"

#define LARGE_PAGE	(2 * MIB)

/*
 * Devices need all of the guest's memory to be present, so a guest that is too large would fail late
 * and badly: on Linux by the killing of some process. Where the system does not tell what is
 * available, the mapping for the devices tells.
 */
static void size_check(uint64_t size)
{
	unsigned long long kib;
	char line[128];
	FILE *file = fopen("/proc/meminfo", "re");

	if (!file)
		return;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "MemAvailable: %llu kB", &kib) != 1 || size / 1024 <= kib)
			continue;
		errno = 0;
		fail("give the guest less with -m",
		     "the guest wants %llu MiB of memory, only %llu MiB are available",
		     (unsigned long long)(size / MIB), kib / 1024);
	}
	fclose(file);
}

static uint8_t *memory_map(uint64_t size)
{
	const int prot = PROT_READ | PROT_WRITE;
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS;
	uint8_t *base = mmap(NULL, size, prot, flags, -1, 0);

	if (base != MAP_FAILED && (uintptr_t)base % LARGE_PAGE) {
		munmap(base, size);
		base = mmap(NULL, size + LARGE_PAGE, prot, flags, -1, 0);
		if (base != MAP_FAILED)
			base += LARGE_PAGE - (uintptr_t)base % LARGE_PAGE;
	}
	if (base == MAP_FAILED)
		fail("give the guest less with -m", "cannot get %llu MiB of memory for the guest",
		     (unsigned long long)(size / MIB));
	/* Advice only: where large pages are the rule already, it may be refused. */
	(void)madvise(base, size, MADV_HUGEPAGE);
	return base;
}

void memory_create(struct guest_memory *mem, uint64_t size)
{
	uint64_t low = size < RAM_LOW_END ? size : RAM_LOW_END;

	size_check(size);
	mem->banks = 1;
	mem->bank[0] = (struct memory_bank){ .gpa = 0, .size = low, .host = memory_map(low) };
	if (size > low) {
		mem->banks = 2;
		mem->bank[1] = (struct memory_bank){
			.gpa = RAM_HIGH_BASE, .size = size - low, .host = memory_map(size - low),
		};
	}
}

void *memory_at(const struct guest_memory *mem, uint64_t gpa, uint64_t len)
{
	for (unsigned int i = 0; i < mem->banks; i++) {
		const struct memory_bank *bank = &mem->bank[i];

		if (gpa >= bank->gpa && gpa - bank->gpa <= bank->size &&
		    len <= bank->size - (gpa - bank->gpa))
			return bank->host + (gpa - bank->gpa);
	}
	return NULL;
}

uint64_t memory_end(const struct guest_memory *mem)
{
	const struct memory_bank *last = &mem->bank[mem->banks - 1];

	return last->gpa + last->size;
}
