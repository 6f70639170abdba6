/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * RAM of the host side: one arena, of which physical address n is byte n.  The frame allocator's
 * watch keeps free memory poisoned, checks that what is given back as zero is zero, and makes the
 * n-th request fail.
 */
#include <sanitizer/asan_interface.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "kernel/frames.h"
#include "tests/host/host.h"

#define KERNEL_ROOT 0x3000ull /* arena page, below 1 MiB, that stands for the kernel's page table */

void (*host_on_cache_flush)(const void *p, size_t n);
void (*host_on_wmb)(void);

static char *arena;
static u64 arena_size;
static u64 fail_at, requests;
static bool fail_on;
static struct handover map;

static void die(const char *what, u64 value)
{
	fprintf(stderr, "host: %s 0x%llx\n", what, (unsigned long long)value);
	abort();
}

void *phys_to_virt(paddr_t pa)
{
	if (pa >= arena_size)
		die("phys_to_virt of what is not RAM:", pa);
	return arena + pa;
}

paddr_t virt_to_phys(const void *va)
{
	u64 off = (u64)((const char *)va - arena);

	if (off >= arena_size)
		die("virt_to_phys of what is not RAM:", (u64)va);
	return off;
}

static bool watch_refuse(u64 size)
{
	(void)size;
	requests++;
	return fail_at && (fail_on ? requests >= fail_at : requests == fail_at);
}

static void watch_taken(void *p, u64 n)
{
	ASAN_UNPOISON_MEMORY_REGION(p, n);
}

static void watch_freed(void *p, u64 n, bool zeroed)
{
	const char *c = p;

	if (!zeroed) {
		ASAN_UNPOISON_MEMORY_REGION(p, n);
		memset(p, HOST_POISON, n);
	} else if (c[0] || memcmp(c, c + 1, n - 1)) {
		die("given back as zeroed, and it is not:", virt_to_phys(p));
	}
	ASAN_POISON_MEMORY_REGION(p, n);
}

static const struct frames_watch watch = { watch_refuse, watch_taken, watch_freed };

void host_ram_reset(u64 size)
{
	if (arena) {
		ASAN_UNPOISON_MEMORY_REGION(arena, arena_size);
		munmap(arena, arena_size);
	}
	arena = mmap(NULL, size, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (arena == MAP_FAILED)
		die("no memory for an arena of", size);
	arena_size = size;
	frames_watch = &watch;
	host_alloc_fail_at(0);
}

static void region(u64 base, u64 end, u32 kind)
{
	map.region[map.nregions++] = (struct handover_region){ base, end - base, kind, 0 };
}

struct handover *host_handover(void)
{
	return &map;
}

void host_init(void)
{
	if (arena)
		return;
	host_ram_reset(HOST_RAM_SIZE);
	map.magic = HANDOVER_MAGIC;
	map.version = HANDOVER_VERSION;
	region(0, 0x9f000, HANDOVER_RAM);
	region(0x9f000, 0x100000, HANDOVER_RESERVED);
	region(0x100000, 0x300000, HANDOVER_RAM);
	region(0x300000, 0x377000, HANDOVER_KERNEL);
	region(0x377000, HOST_RAM_SIZE - 0x83000, HANDOVER_RAM);
	region(HOST_RAM_SIZE - 0x83000, HOST_RAM_SIZE, HANDOVER_ACPI);
	frames_init(&map);
}

void host_alloc_fail_at(u64 n)
{
	fail_at = n;
	fail_on = false;
	requests = 0;
}

void host_alloc_fail_from(u64 n)
{
	fail_at = n;
	fail_on = true;
	requests = 0;
}

u64 host_alloc_count(void)
{
	return requests;
}

void arch_cache_flush(const void *p, size_t n)
{
	if (host_on_cache_flush)
		host_on_cache_flush(p, n);
}

void arch_wmb(void)
{
	if (host_on_wmb)
		host_on_wmb();
}

/* The kernel half points at pages that no allocator owns: whoever frees them is found out. */
void arch_root_init(void *root_page)
{
	u64 *entry = root_page;

	for (unsigned i = 256; i < 512; i++)
		entry[i] = KERNEL_ROOT | 3;
}
