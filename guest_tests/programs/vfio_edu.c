/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Drives QEMU's edu device through VFIO: registers, DMA both ways, MSI by eventfd, DMA that must be
 * blocked, and unmap that takes effect at once.
 */
#include <string.h>

#include "lib/check.h"
#include "lib/edu.h"

static struct edu e;

static uint32_t rd(unsigned off) { return edu_read(&e, off); }
static void wr(unsigned off, uint32_t x) { edu_write(&e, off, x); }
static bool dma(uint64_t iova, unsigned len, bool to_memory) { return edu_dma(&e, iova, len, to_memory); }

static void test_registers(void)
{
	check_equal("edu id", rd(0) & 0xffff, 0x00ed);
	wr(4, 0x12345678);
	check_equal("liveness register", rd(4), (uint32_t)~0x12345678u);
}

static void test_interrupt(void)
{
	wr(0x60, 1);
	check_equal("MSI raises the eventfd once", vfio_wait(e.irq, 2000), 1);
	wr(0x64, 1);
	check_equal("no further interrupt", vfio_wait(e.irq, 50), 0);
}

static void test_dma(uint8_t *p)
{
	for (unsigned i = 0; i < 256; i++)
		p[i] = (uint8_t)(i * 7 + 3);
	check_true("DMA memory to device ends", dma(0x100000, 256, false));
	check_true("DMA device to memory ends", dma(0x101000, 256, true));
	check_true("data came back", !memcmp(p, p + 4096, 256));
}

/* Nothing outside the mapping is written; the mapping's own bytes stay too. */
static void test_blocked(uint8_t *p)
{
	dma(0x102000, 256, true); /* the IOMMU remembers the page */
	memset(p + 8192, 0x5a, 4096);
	check_equal("unmap one page", vfio_unmap(&e.v, 0x102000, 4096, NULL), 0);
	dma(0x102000, 256, true);
	check_true("unmapped at once: nothing was written", p[8192] == 0x5a && p[8192 + 255] == 0x5a);
	check_equal("map it again, read-only", vfio_map(&e.v, p + 8192, 0x102000, 4096, VFIO_DMA_MAP_FLAG_READ), 0);
	dma(0x102000, 256, true);
	check_true("read-only: nothing was written", p[8192] == 0x5a && p[8192 + 255] == 0x5a);
	check_true("the device lives on", dma(0x101000, 256, true));
}

static void test_bus_master(uint8_t *p)
{
	vfio_bus_master(&e.v, false);
	memset(p + 4096, 0, 256);
	dma(0x101000, 256, true);
	check_true("bus master off: nothing was written", p[4096] == 0 && p[4096 + 255] == 0);
	vfio_bus_master(&e.v, true);
}

int main(void)
{
	uint8_t *p;

	edu_open(&e, vfio_find(0x1234, 0x11e8));
	check_equal("bus master is off after open", vfio_config_read(&e.v, 4, 2) & 4, 0);
	test_registers();
	check_equal("enable MSI", edu_enable_msi(&e), 0);
	vfio_bus_master(&e.v, true);
	test_interrupt();
	p = vfio_memory(3 * 4096);
	for (unsigned i = 0; i < 3; i++)
		check_equal("map a page", vfio_map(&e.v, p + i * 4096, 0x100000 + i * 4096, 4096,
						   VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE), 0);
	test_dma(p);
	test_blocked(p);
	test_bus_master(p);
	check_equal("disable MSI", vfio_disable_irqs(&e.v, VFIO_PCI_MSI_IRQ_INDEX), 0);
	wr(0x60, 1);
	check_equal("MSI off: no interrupt", vfio_wait(e.irq, 50), 0);
	vfio_close(&e.v);
	return check_result();
}
