/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * After guest_tests/efi/late_dma: the DMA that firmware started while Postern took over has not
 * arrived in the memory BAR of QEMU's ivshmem-plain, and one that it did before has.
 */
#include <time.h>
#include <unistd.h>

#include "lib/check.h"
#include "lib/vfio.h"

#define WORDS 512
#define PATTERN 0x2179727265747361ull

int main(void)
{
	const volatile uint64_t *page;
	unsigned arrived = 0, late = 0;
	struct vfio v;

	vfio_open(&v, vfio_find(0x1af4, 0x1110));
	page = vfio_bar(&v, 2, NULL);
	usleep(300000); /* the DMA takes 100 ms from the end of boot services on */
	for (unsigned i = 0; i < WORDS; i++) {
		arrived += page[i] == PATTERN + i;
		late += page[WORDS + i] != 0;
	}
	check_equal("words that arrived before", arrived, WORDS);
	check_equal("words that arrived late", late, 0);
	vfio_close(&v);
	return check_result();
}
