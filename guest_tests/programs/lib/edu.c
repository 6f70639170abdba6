/* SPDX-License-Identifier: BSD-2-Clause */
#include "edu.h"

#include <sys/eventfd.h>
#include <unistd.h>

#define BUFFER 0x40000u
#define START 1u
#define TO_MEMORY 2u
#define MSI_AT_END 4u

uint32_t edu_read(struct edu *e, unsigned off) { return *(volatile uint32_t *)(e->bar + off); }
void edu_write(struct edu *e, unsigned off, uint32_t x) { *(volatile uint32_t *)(e->bar + off) = x; }
static void wr64(struct edu *e, unsigned off, uint64_t x) { *(volatile uint64_t *)(e->bar + off) = x; }

void edu_open(struct edu *e, const char *name)
{
	vfio_open(&e->v, name);
	e->bar = vfio_bar(&e->v, 0, NULL);
	e->irq = -1;
}

int edu_enable_msi(struct edu *e)
{
	e->irq = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return vfio_set_irqs(&e->v, VFIO_PCI_MSI_IRQ_INDEX, 0, 1, &e->irq);
}

static void start(struct edu *e, uint64_t iova, unsigned len, bool to_memory, unsigned flags)
{
	wr64(e, 0x80, to_memory ? BUFFER : iova);
	wr64(e, 0x88, to_memory ? iova : BUFFER);
	wr64(e, 0x90, len);
	wr64(e, 0x98, START | (to_memory ? TO_MEMORY : 0) | flags);
}

bool edu_dma(struct edu *e, uint64_t iova, unsigned len, bool to_memory)
{
	bool done;

	start(e, iova, len, to_memory, MSI_AT_END);
	done = vfio_wait(e->irq, 2000) > 0;
	edu_write(e, 0x64, edu_read(e, 0x24));
	return done;
}

bool edu_dma_quiet(struct edu *e, uint64_t iova, unsigned len, bool to_memory)
{
	start(e, iova, len, to_memory, 0);
	for (unsigned ms = 0; ms < 2000; ms++) {
		if (!(edu_read(e, 0x98) & START))
			return true;
		usleep(1000);
	}
	return false;
}
