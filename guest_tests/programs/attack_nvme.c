/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program with an NVMe drive writes to every page of the machine that is not mapped for it: all RAM
 * page by page (the kernel, the tables, other programs, what firmware left), the registers of every
 * device and unit, addresses beyond the aperture, the edges of its own mapping.  That is a burst of
 * more than 100,000 blocked requests with a deep queue.  The drive answers "success" to them in QEMU:
 * judged is by memory.  When the kernel silences the drive, this program starts it again and goes on.
 *
 * attack_nvme [MIB]: size of the machine's memory (512)
 */
#include <time.h>
#include <unistd.h>

#include "lib/attack.h"
#include "lib/check.h"
#include "lib/nvme.h"

#define BURST (NVME_QUEUE - 1)
#define EXTRA 64u /* single pages at once */
#define RESTARTS_MAX 20000u
#define SECONDS_MAX 150

static struct nvme n;
static unsigned restarts;

static void restart(void)
{
	restarts++;
	need("the controller starts again", restarts < RESTARTS_MAX && nvme_start(&n));
}

/* Reads one block to each of `count` addresses, some bytes into the page: all in flight together. */
static void attack(const uint64_t *addresses, unsigned count)
{
	struct nvme_command c[BURST];

	while (count) {
		unsigned some = count < BURST ? count : BURST;

		for (unsigned i = 0; i < some; i++)
			c[i] = nvme_read(8 * i, 1, addresses[i] + 64 * (i % 8), 0);
		/* Silenced in the middle: the rest was not tried, so once more. */
		while (nvme_burst(&n, c, some, 300) < some)
			restart();
		addresses += some;
		count -= some;
	}
}

static void attack_memory(uint64_t bytes)
{
	uint64_t page[BURST * 16];
	unsigned count = 0;

	for (uint64_t at = 0; at < bytes; at += 4096) {
		page[count++] = at;
		if (count == BURST * 16 || at + 4096 == bytes) {
			attack(page, count);
			count = 0;
		}
	}
}

static void attack_registers(void)
{
	/* I/O APIC, HPET, remapping units, TPM, flash, ECAM and PCI memory of QEMU's q35 */
	static const uint64_t where[] = { 0xfec00000, 0xfed00000, 0xfed90000, 0xfed91000, 0xfed40000, 0xff000000,
					  0xfffff000, 0xb0000000, 0xb0028000, 0xe0000000, 0xc0000000, 0xc0001000,
					  0xfe000000, 0xfebf0000, 0x380000000000, 0x800000000 };

	attack(where, sizeof(where) / sizeof(where[0]));
}

static void attack_edges(void)
{
	uint64_t end = (NVME_IOVA + sizeof(struct nvme_shared) + 4095) & ~4095ull;
	const uint64_t where[] = { NVME_IOVA - 4096, end, end + 4096, end + (2u << 20), 1ull << 39, 1ull << 46, (1ull << 47) - 4096,
				   1ull << 47, (1ull << 48) - 4096, 1ull << 48, (1ull << 52) + 4096, 1ull << 57, 1ull << 63,
				   0xfffffffffffff000 };

	attack(where, sizeof(where) / sizeof(where[0]));
}

/* Two pages, of which the second one is not ours. */
static void attack_across(void)
{
	struct nvme_command c[2] = { nvme_read(0, 16, NVME_AT(data), attack_canary_address()),
				     nvme_read(0, 16, attack_own_address(4096), NVME_AT(data)) };

	if (nvme_burst(&n, c, 2, 300) < 2)
		restart();
	/* A list of pages that lies in memory of others. */
	c[0] = nvme_read(0, 64, NVME_AT(data), attack_own_address(8192));
	if (nvme_burst(&n, c, 1, 300) < 1)
		restart();
}

static void attack_pages(void)
{
	uint64_t page[EXTRA];

	need("the kernel tells addresses", attack_canary_address() && attack_own_address(0));
	for (unsigned i = 0; i < EXTRA; i++)
		page[i] = i % 2 ? attack_canary_address() : attack_own_address(i * 4096);
	attack(page, EXTRA);
}

static bool drive_works(void)
{
	struct nvme_command c = nvme_read(0, NVME_DATA / 512, NVME_AT(data), NVME_AT(list));
	uint64_t *w = (uint64_t *)n.mem->data;

	restart();
	for (unsigned i = 1; i < NVME_PAGES; i++)
		n.mem->list[i - 1] = NVME_AT(data) + i * 4096;
	memset(n.mem->data, 0, NVME_DATA);
	if (nvme_submit(&n, &n.io, &c))
		return false;
	for (unsigned k = 0; k < NVME_DATA / 8; k++)
		if (w[k] != k * 0x9e3779b97f4a7c15ull)
			return false;
	return true;
}

int main(int argc, char **argv)
{
	uint64_t mib = argc == 2 ? strtoull(argv[1], NULL, 0) : 512;
	struct timespec start, end;
	long long faults;

	attack_victim(argc, argv);
	attack_start();
	nvme_open(&n);
	need("controller starts", nvme_start(&n));
	attack_pages();
	attack_check("single pages of the kernel and of this program");
	attack_across();
	attack_edges();
	attack_registers();
	attack_check("the edges of the mapping, and registers");
	check_true("faults are counted", attack_faults(n.v.name) > 0);
	faults = attack_faults(n.v.name);
	clock_gettime(CLOCK_MONOTONIC, &start);
	attack_memory(mib << 20);
	clock_gettime(CLOCK_MONOTONIC, &end);
	attack_check("a write to every page of memory");
	printf("%llu pages attacked in %lld s, %lld faults recorded, %u starts of the drive\n",
	       (unsigned long long)(mib << 8), (long long)(end.tv_sec - start.tv_sec), attack_faults(n.v.name) - faults,
	       restarts);
	check_true("faults are still counted", attack_faults(n.v.name) > faults);
	check_true("the burst's cost is bounded", end.tv_sec - start.tv_sec < SECONDS_MAX);
	check_true("the drive works", drive_works());
	attack_end();
	vfio_close(&n.v);
	return check_result();
}
