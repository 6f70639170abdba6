/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Errors of devices: two cards behind ports of their own, at 0000:01:00.0 and 0000:02:00.0, and an
 * edu device.  QEMU's monitor makes the first card, or its port, report (run-program --monitor): its
 * owner hears of it and it stops being bus master, nothing else changes.  Linux lets it go on, and does not
 * read, and count, what was fatal.
 */
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/check.h"
#include "lib/edu.h"

#define IOVA 0x1000000ull
#define RW (VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE)
#define BUS_MASTER 4u

static struct vfio card[2];
static int err[2];
static struct edu edu;
static uint8_t *memory;

static void monitor(const char *command)
{
	printf("qemu: %s\n", command);
	fflush(stdout);
}

/* TOTAL_ERR_... of one of the card's files. */
static long total(unsigned i, const char *kind)
{
	char path[128], line[64];
	long n = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/aer_dev_%s", card[i].name, kind);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, "TOTAL_ERR_", 10))
			n = atol(strchr(line, ' '));
	if (f)
		fclose(f);
	return n;
}

static bool master(unsigned i)
{
	return vfio_config_read(&card[i], 4, 2) & BUS_MASTER;
}

static bool edu_works(void)
{
	memset(memory, 0x5a, 64);
	if (!edu_dma(&edu, IOVA, 64, false))
		return false;
	memset(memory, 0, 64);
	return edu_dma(&edu, IOVA, 64, true) && memory[0] == 0x5a && memory[63] == 0x5a;
}

static void others_unaffected(void)
{
	check_equal("the other card's ERR is silent", vfio_wait(err[1], 0), 0);
	check_true("the other card is bus master still", master(1));
	check_true("the edu device's DMA goes on", edu_works());
}

static void uncorrectable(const char *command, const char *kind, long expected)
{
	vfio_bus_master(&card[0], true);
	check_true("the owner may switch bus mastering on", master(0));
	monitor(command);
	check_equal("the card's ERR is signalled", vfio_wait(err[0], 5000), 1);
	if (!check_on_linux())
		check_true("it is no bus master any more", !master(0));
	if (!check_on_linux() || !strcmp(kind, "nonfatal"))
		check_equal("counted", total(0, kind), expected);
	check_equal("not counted as the other card's", total(1, kind), 0);
	others_unaffected();
}

int main(void)
{
	static const char *const names[] = { "0000:01:00.0", "0000:02:00.0" };
	long n = 0;

	for (unsigned i = 0; i < 2; i++) {
		vfio_open(&card[i], names[i]);
		err[i] = eventfd(0, EFD_NONBLOCK);
		check_equal("ERR eventfd", vfio_set_irqs(&card[i], VFIO_PCI_ERR_IRQ_INDEX, 0, 1, &err[i]), 0);
		vfio_bus_master(&card[i], true);
	}
	edu_open(&edu, vfio_find(0x1234, 0x11e8));
	need("edu interrupts", !edu_enable_msi(&edu));
	memory = vfio_memory(2 << 20);
	need("a mapping", !vfio_map(&edu.v, memory, IOVA, 4096, RW));
	vfio_bus_master(&edu.v, true);

	monitor("pcie_aer_inject_error card1 BAD_TLP");
	for (unsigned i = 0; i < 5000 && n < 1; i++, usleep(1000))
		n = total(0, "correctable");
	check_equal("a correctable error is counted", n, 1);
	check_equal("and no reason for ERR", vfio_wait(err[0], 0), 0);
	check_true("or to stop the card", master(0));
	others_unaffected();

	uncorrectable("pcie_aer_inject_error card1 COMP_ABORT", "nonfatal", 1);
	uncorrectable("pcie_aer_inject_error card1 MALF_TLP", "fatal", 1);
	uncorrectable("pcie_aer_inject_error port1 DLP", "fatal", 1); /* the port's, not the card's */
	return check_result();
}
