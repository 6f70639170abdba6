/* SPDX-License-Identifier: GPL-2.0-only */
/* Device memory, ports and IOAPIC pins of the host side: whatever the test has put there. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/host/host.h"

#define RANGES 32

static struct {
	paddr_t pa;
	u64 size;
	const struct mmio_ops *ops;
	void *backing;
} range[RANGES];
static unsigned nranges;

u32 (*host_port_in)(u16 port, unsigned size);
void (*host_port_out)(u16 port, u32 v, unsigned size);
struct host_ioapic_pin host_ioapic[HOST_GSIS];

void host_mmio_add(paddr_t pa, u64 size, const struct mmio_ops *ops, void *backing)
{
	if (nranges == RANGES) {
		fprintf(stderr, "host: too many device ranges\n");
		abort();
	}
	range[nranges].pa = pa;
	range[nranges].size = size;
	range[nranges].ops = ops;
	range[nranges++].backing = backing;
}

void host_mmio_reset(void)
{
	nranges = 0;
}

static int find(paddr_t pa, u64 size)
{
	for (unsigned i = 0; i < nranges; i++)
		if (pa >= range[i].pa && pa - range[i].pa < range[i].size &&
		    size <= range[i].size - (pa - range[i].pa))
			return (int)i;
	return -1;
}

int arch_mmio_map(struct mmio *m, paddr_t pa, u64 size)
{
	int i = find(pa, size);

	if (!IS_ALIGNED(pa, PAGE_SIZE) || !size || i < 0 || !range[i].ops)
		return -EINVAL;
	*m = (struct mmio){
		.ops = range[i].ops,
		.base = (volatile u8 *)range[i].backing + (range[i].backing ? pa - range[i].pa : 0),
		.size = size,
	};
	return 0;
}

volatile void *arch_map_uncached(paddr_t pa, u64 size)
{
	int i = find(pa, size);

	return !size || i < 0 || !range[i].backing ? NULL : (volatile u8 *)range[i].backing + (pa - range[i].pa);
}

static u32 in(u16 port, unsigned size)
{
	return host_port_in ? host_port_in(port, size) : ~0u;
}

static void out(u16 port, u32 v, unsigned size)
{
	if (host_port_out)
		host_port_out(port, v, size);
}

u8 arch_in8(u16 port)
{
	return (u8)in(port, 1);
}

u16 arch_in16(u16 port)
{
	return (u16)in(port, 2);
}

u32 arch_in32(u16 port)
{
	return in(port, 4);
}

void arch_out8(u16 port, u8 v)
{
	out(port, v, 1);
}

void arch_out16(u16 port, u16 v)
{
	out(port, v, 2);
}

void arch_out32(u16 port, u32 v)
{
	out(port, v, 4);
}

int arch_ioapic_route(u32 gsi, u16 irte_handle, u8 vector, bool level, bool low, bool masked)
{
	if (gsi >= HOST_GSIS)
		return -ENXIO;
	host_ioapic[gsi] = (struct host_ioapic_pin){ true, level, low, masked, irte_handle, vector };
	return 0;
}

void arch_ioapic_mask(u32 gsi, bool masked)
{
	host_ioapic[gsi].masked = masked;
}

/* IOAPIC 0 has 24 lines, IOAPIC 9 the others; line 2 is the timer's. */
int arch_ioapic_find(u32 gsi)
{
	return gsi >= HOST_GSIS ? -ENXIO : gsi == 2 ? -EINVAL : gsi < 24 ? 0 : 9;
}
