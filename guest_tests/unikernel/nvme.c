/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest that drives its own NVMe drive, and tries to reach what is not its own.
 *
 * Words of the command line, carried out in this order:
 *   sha256            read the whole first namespace by DMA and print its SHA-256
 *   canary=0xADDRESS  point a read, which makes the drive write memory, at this address, then read
 *                     a block into own memory again; may be repeated
 *   self-test         the same command aimed at own memory, which must change
 *
 * What happens to a command aimed at foreign memory is for the IOMMU and the owner of that memory to
 * say: the drive may report success for a write that went nowhere. The guest tells what the drive
 * says and must live on. Exit status: 0, or 1 after a line that says what failed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest_tests/unikernel/lib/nvme.h"
#include "guest_tests/unikernel/lib/sha256.h"

#define DEPTH		8u		/* reads in flight */
#define CHUNK_BYTES	(256u * 1024)
#define PROGRESS_NS	TIME_S(2)
#define PATTERN		0xa5
#define CANARIES_MAX	8
#define CANARY_GAP_MS	100		/* so that each attempt is a fault record of its own */
#define MIB		(1u << 20)

struct buffer {
	uint8_t *data;
	uint64_t *list;			/* PRP entries of the second and later pages */
	uint32_t bytes;			/* of the read that is under way */
};

struct words {
	bool sha256;
	bool self_test;
	unsigned int canaries;
	uint64_t canary[CANARIES_MAX];
};

static struct nvme nvme;
static struct buffer buffers[DEPTH];
static uint32_t chunk;

static int words_parse(struct words *words, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		char *end;

		if (strcmp(argv[i], "sha256") == 0) {
			words->sha256 = true;
		} else if (strcmp(argv[i], "self-test") == 0) {
			words->self_test = true;
		} else if (strncmp(argv[i], "canary=", 7) == 0 && words->canaries < CANARIES_MAX) {
			words->canary[words->canaries] = strtoull(argv[i] + 7, &end, 16);
			if (*end || end == argv[i] + 7 ||
			    words->canary[words->canaries] % PAGE_BYTES) {
				printf("nvme: not the address of a page: '%s'\n", argv[i]);
				return -1;
			}
			words->canaries++;
		} else {
			printf("nvme: unknown word '%s'\n"
			       "usage: [sha256] [canary=0xADDRESS]... [self-test]\n", argv[i]);
			return -1;
		}
	}
	return 0;
}

static int buffers_make(void)
{
	chunk = nvme.transfer_max < CHUNK_BYTES ? nvme.transfer_max : CHUNK_BYTES;
	for (unsigned int i = 0; i < DEPTH; i++) {
		buffers[i].data = dma_alloc(chunk);
		buffers[i].list = dma_alloc(PAGE_BYTES);
		if (!buffers[i].data || !buffers[i].list) {
			printf("nvme: no memory for buffers\n");
			return -1;
		}
		for (uint32_t at = PAGE_BYTES, n = 0; at < chunk; at += PAGE_BYTES, n++)
			buffers[i].list[n] = (uintptr_t)(buffers[i].data + at);
	}
	return 0;
}

/* Starts the read of what follows byte @at of the disk, a whole chunk or the rest. */
static void chunk_submit(unsigned int i, uint64_t at, uint64_t size)
{
	struct buffer *buffer = &buffers[i];
	uint64_t prp2 = 0;

	buffer->bytes = size - at < chunk ? (uint32_t)(size - at) : chunk;
	if (buffer->bytes > 2 * PAGE_BYTES)
		prp2 = (uintptr_t)buffer->list;
	else if (buffer->bytes > PAGE_BYTES)
		prp2 = (uintptr_t)(buffer->data + PAGE_BYTES);
	nvme_read_submit(&nvme, (uint16_t)i, at / nvme.block_bytes,
			 buffer->bytes / nvme.block_bytes, (uintptr_t)buffer->data, prp2);
}

static void progress_print(uint64_t at, uint64_t size, uint64_t start)
{
	uint64_t ms = (time_ns() - start) / TIME_MS(1) + 1;

	printf("nvme: %lu of %lu MiB read, %lu MiB/s\n", at / MIB, size / MIB,
	       at * 1000 / ms / MIB);
}

static void summary_print(struct sha256 *sha, uint64_t size, uint32_t reads, uint32_t interrupts,
			  uint64_t ns)
{
	uint8_t digest[SHA256_BYTES];

	sha256_end(sha, digest);
	printf("nvme: %lu MB read in %u.%03u s by %u I/Os of up to %u KiB; %u interrupts\n",
	       size / 1000000, (unsigned int)(ns / TIME_S(1)),
	       (unsigned int)(ns / TIME_MS(1) % 1000), (unsigned int)reads,
	       (unsigned int)(chunk / 1024), (unsigned int)interrupts);
	printf("sha256 ");
	for (unsigned int i = 0; i < SHA256_BYTES; i++)
		printf("%02x", digest[i]);
	printf("  %lu bytes\n", size);
}

/* Reads the whole disk; while one chunk is hashed, the next ones are on their way. */
static int disk_hash(void)
{
	const uint64_t size = nvme.blocks * nvme.block_bytes;
	const uint64_t start = time_ns();
	const uint32_t interrupts = nvme.io.interrupts;
	uint64_t submitted = 0, hashed = 0, next_line = start + PROGRESS_NS;
	struct sha256 sha;
	uint32_t reads = 0;

	sha256_init(&sha);
	guest_measure(0);
	for (unsigned int i = 0; i < DEPTH && submitted < size; i++) {
		chunk_submit(i, submitted, size);
		submitted += buffers[i].bytes;
	}
	for (unsigned int i = 0; hashed < size; i = (i + 1) % DEPTH) {
		int status = nvme_read_wait(&nvme, (uint16_t)i);

		if (status != 0) {
			printf("nvme: the read at byte %lu failed, status 0x%03x\n", hashed,
			       (unsigned int)status);
			return -1;
		}
		reads++;
		sha256_add(&sha, buffers[i].data, buffers[i].bytes);
		hashed += buffers[i].bytes;
		if (submitted < size) {
			chunk_submit(i, submitted, size);
			submitted += buffers[i].bytes;
		}
		if (time_ns() >= next_line) {
			progress_print(hashed, size, start);
			next_line = time_ns() + PROGRESS_NS;
		}
	}
	guest_measure(reads);
	summary_print(&sha, size, reads, nvme.io.interrupts - interrupts, time_ns() - start);
	return 0;
}

/* One page read from the start of the disk to @address; the drive's status, or NVME_TIMEOUT. */
static int page_read(uint64_t address)
{
	nvme_read_submit(&nvme, 0, 0, PAGE_BYTES / nvme.block_bytes, address, 0);
	return nvme_read_wait(&nvme, 0);
}

/* The page read to own memory over a pattern; 0 if the pattern gave way to the same data twice. */
static int own_memory_check(const char *when)
{
	uint8_t *first = buffers[0].data, *second = buffers[1].data;
	unsigned int left = 0;

	memset(first, PATTERN, PAGE_BYTES);
	memset(second, (uint8_t)~PATTERN, PAGE_BYTES);
	if (page_read((uintptr_t)first) != 0 || page_read((uintptr_t)second) != 0) {
		printf("nvme: %s: a read into own memory failed\n", when);
		return -1;
	}
	for (unsigned int i = 0; i < PAGE_BYTES; i++)
		left += first[i] == PATTERN;
	if (memcmp(first, second, PAGE_BYTES) != 0 || left == PAGE_BYTES) {
		printf("nvme: %s: own memory does not hold what the disk holds\n", when);
		return -1;
	}
	printf("nvme: %s: the same read into own memory at 0x%llx works\n", when,
	       (unsigned long long)(uintptr_t)first);
	return 0;
}

static int canary_try(uint64_t address)
{
	char when[64];
	int status = page_read(address);

	if (status == NVME_TIMEOUT)
		printf("nvme: canary 0x%lx: the drive gave no answer\n", address);
	else
		printf("nvme: canary 0x%lx: aimed a read of %u bytes at it, the drive says 0x%03x\n",
		       address, PAGE_BYTES, (unsigned int)status);
	wait_ms(CANARY_GAP_MS);
	snprintf(when, sizeof(when), "after canary 0x%lx", address);
	return own_memory_check(when);
}

int main(int argc, char **argv)
{
	struct words words = { 0 };

	if (words_parse(&words, argc, argv) || nvme_start(&nvme) || buffers_make())
		return 1;
	if (words.sha256 && disk_hash())
		return 1;
	for (unsigned int i = 0; i < words.canaries; i++)
		if (canary_try(words.canary[i]))
			return 1;
	if (words.self_test && own_memory_check("self-test"))
		return 1;
	if (nvme.late_completions) {
		printf("nvme: %u completions came without an interrupt\n",
		       (unsigned int)nvme.late_completions);
		return 1;
	}
	printf("nvme: done, %u interrupts\n",
	       (unsigned int)(nvme.io.interrupts + nvme.admin.interrupts));
	return 0;
}
