/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Starts a DMA of QEMU's edu device, which takes 100 ms, and crashes the system meanwhile.  What the
 * panic prints, and that the DMA found bus mastering off, is judged from outside by the log.
 */
#include <fcntl.h>
#include <unistd.h>

#include "lib/check.h"
#include "lib/vfio.h"

int main(void)
{
	volatile uint8_t *bar;
	struct vfio v;
	uint8_t *p;
	int fd;

	vfio_open(&v, vfio_find(0x1234, 0x11e8));
	bar = vfio_bar(&v, 0, NULL);
	p = vfio_memory(4096);
	need("map", !vfio_map(&v, p, 0x100000, 4096, VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE));
	vfio_bus_master(&v, true);
	fd = open("/proc/sysrq-trigger", O_WRONLY);
	need("/proc/sysrq-trigger", fd >= 0);
	*(volatile uint64_t *)(bar + 0x80) = 0x40000;
	*(volatile uint64_t *)(bar + 0x88) = 0x100000;
	*(volatile uint64_t *)(bar + 0x90) = 256;
	*(volatile uint64_t *)(bar + 0x98) = 3;
	need("a crash", write(fd, "c", 1) == 1);
	return 1;
}
