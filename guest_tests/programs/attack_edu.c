/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program with an edu device and an NVMe drive.  The edu device, which sends exactly the bytes it is
 * told to: reads and writes of memory that is not mapped, and interrupt messages in remappable
 * format for entries that are not there.  The drive's MSI-X table, which lies open to its owner: its
 * entries name the interrupts of the edu device and of everybody else.
 *
 * QEMU lets the messages that a device writes by DMA pass without looking at their source; the ones
 * of an MSI-X table come with it. So the first kind tries only entries that nobody has.
 *
 * attack_edu [bridge]: the device is behind a PCIe-to-PCI bridge and sends with the bridge's id
 */
#include <string.h>
#include <unistd.h>

#include "lib/attack.h"
#include "lib/check.h"
#include "lib/edu.h"
#include "lib/nvme.h"

#define IOVA 0x1000000000ull
#define HANDLES 24u /* entries are given out from 1 upwards, and few are in use */

static struct edu e;
static struct nvme n;
static uint8_t *page;

static uint64_t message(unsigned handle)
{
	return 0xfee00010 | (uint64_t)(handle & 0x7fff) << 5 | (handle >> 15 & 1) << 2;
}

static void test_leak(uint64_t address, const char *what)
{
	char name[96];

	memset(page, 0xee, 4096);
	check_true("a known buffer in the device", edu_dma_quiet(&e, IOVA, 4096, false));
	edu_dma_quiet(&e, address, 4096, false); /* into the device, if it were let */
	edu_dma_quiet(&e, IOVA, 4096, true);
	snprintf(name, sizeof(name), "nothing is read from %s", what);
	check_true(name, !attack_is_pattern(page, 4096, 4096) && (page[0] == 0xee || page[0] == 0xff || page[0] == 0));
}

static void test_memory(void)
{
	const uint64_t where[] = { attack_canary_address(), attack_own_address(0), IOVA - 4096, IOVA + 4096, IOVA + 0xffc };

	memset(page, 0xa5, 4096);
	edu_dma_quiet(&e, IOVA, 4096, false);
	for (unsigned i = 0; i < sizeof(where) / sizeof(where[0]); i++)
		edu_dma_quiet(&e, where[i], 8, true);
	test_leak(attack_own_address(4096), "memory of ours that is not mapped");
	test_leak(attack_canary_address(), "the kernel's canary page");
	attack_check("reads and writes of memory");
}

static void test_messages_by_dma(void)
{
	static const unsigned free_ones[] = { 0, 64, 100, 0x0fff, 0x1000, 0x7fff, 0x8000, 0xffff };
	uint64_t came = 0;

	vfio_wait(n.admin.irq, 0);
	vfio_wait(n.io.irq, 0);
	vfio_wait(e.irq, 0);
	memset(page, 0, 4096);
	edu_dma_quiet(&e, IOVA, 4096, false);
	for (unsigned i = 0; i < sizeof(free_ones) / sizeof(free_ones[0]); i++) {
		edu_dma_quiet(&e, message(free_ones[i]), 4, true);
		came += vfio_wait(e.irq, 0) + vfio_wait(n.admin.irq, 0) + vfio_wait(n.io.irq, 0);
	}
	check_equal("messages for entries that nobody has: no interrupt", (long long)came, 0);
	attack_check("interrupt messages by DMA");
}

/* PCI 3.0, 6.8.2: the table of MSI-X, by the capability with id 0x11. */
static volatile uint32_t *msix_table(void)
{
	unsigned at = vfio_config_read(&n.v, 0x34, 1);
	uint32_t where;

	while (at && vfio_config_read(&n.v, at, 1) != 0x11)
		at = vfio_config_read(&n.v, at + 1, 1);
	need("the drive has MSI-X", at != 0);
	where = vfio_config_read(&n.v, at + 4, 4);
	need("its table is in BAR 0", (where & 7) == 0);
	return (volatile uint32_t *)(n.bar + (where & ~7u));
}

/* The drive's interrupt 1 with another handle: what it then sends is its own, a fault, or nothing. */
static void test_messages_by_table(void)
{
	struct nvme_command c = nvme_read(0, 1, NVME_AT(data), 0);
	volatile uint32_t *entry = msix_table() + 4;
	uint32_t low = entry[0], high = entry[1], data = entry[2];
	uint64_t own = 0, victim = 0, before = n.interrupts;

	check_equal("the drive's interrupt, before", nvme_submit(&n, &n.io, &c), 0);
	check_true("it comes", n.interrupts > before || vfio_wait(n.io.irq, 1000)); /* late, it would count below */
	vfio_wait(n.admin.irq, 0);
	vfio_wait(e.irq, 0);
	for (unsigned i = 0; i < HANDLES; i++) {
		entry[0] = (uint32_t)message(i);
		entry[1] = 0;
		entry[2] = 0;
		check_equal("a read completes", nvme_burst(&n, &c, 1, 1000), 1);
		own += vfio_wait(n.io.irq, 20) + vfio_wait(n.admin.irq, 0);
		victim += vfio_wait(e.irq, 0);
	}
	if (own < 2)
		own += vfio_wait(n.io.irq, 500) + vfio_wait(n.admin.irq, 500);
	entry[0] = low;
	entry[1] = high;
	entry[2] = data;
	check_equal("forged messages: the edu device's interrupt stays silent", (long long)victim, 0);
	check_equal("forged messages: the drive's own two entries answer", (long long)own, 2);
	check_true("forged messages are counted as faults of the drive", attack_faults(n.v.name) >= 1);
	check_equal("the drive's interrupt, afterwards", nvme_submit(&n, &n.io, &c), 0);
	attack_check("a forged MSI-X table");
}

int main(int argc, char **argv)
{
	bool bridge = argc == 2 && !strcmp(argv[1], "bridge");
	char source[16];

	attack_victim(argc, argv);
	attack_start();
	nvme_open(&n);
	need("the drive starts", nvme_start(&n));
	edu_open(&e, vfio_find(0x1234, 0x11e8));
	need("the device is behind a bridge, as this test wants it", !bridge || strcmp(e.v.name, "0000:01:00.0") > 0);
	check_equal("enable MSI", edu_enable_msi(&e), 0);
	vfio_bus_master(&e.v, true);
	page = vfio_memory(4096);
	check_equal("map a page", vfio_map(&e.v, page, IOVA, 4096, VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE), 0);
	check_true("allowed DMA works", edu_dma(&e, IOVA, 256, true));
	test_memory();
	test_messages_by_dma();
	test_messages_by_table();
	memcpy(source, e.v.name, sizeof(source));
	if (bridge) /* which takes what conventional devices send in its own name: device 0 of its bus */
		memcpy(source + 8, "00.0", 4);
	check_true("the faults of memory are counted", attack_faults(source) >= 6);
	memset(page, 0x77, 4096);
	check_true("allowed DMA works still", edu_dma(&e, IOVA, 256, false) && edu_dma(&e, IOVA + 1024, 256, true));
	attack_end();
	vfio_close(&e.v);
	vfio_close(&n.v);
	return check_result();
}
