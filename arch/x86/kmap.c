/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel addresses that are not the direct map: uncached views of device memory, which stay for ever,
 * and kernel stacks with an unmapped page below each. Addresses are handed out upward and never given
 * back; a freed stack goes to a list and is used again as it is, so nothing is ever unmapped here and
 * no CPU needs to be told.
 */
#include "arch/x86/early.h"
#include "arch/x86/mmio.h"
#include "kernel/frames.h"
#include "kernel/thread.h"

#define AREA_SIZE BIT(39)

static struct spinlock lock;
static u64 mmio_next = KERNEL_MMIO_BASE;
static u64 kstack_next = KERNEL_KSTACK_BASE;
static u64 kstack_filled; /* bytes of the next stack that are mapped already */

struct free_stack {
	struct free_stack *next;
};
static struct free_stack *free_stacks;

static bool overlaps_ram(paddr_t pa, u64 size)
{
	for (u64 at = ALIGN_DOWN(pa, PAGE_SIZE); at < pa + size; at += PAGE_SIZE)
		if (frame_is_ram(at))
			return true;
	return false;
}

static int map_uncached(paddr_t pa, u64 size, void **out)
{
	paddr_t base = ALIGN_DOWN(pa, PAGE_SIZE);
	u64 len = ALIGN_UP(pa + size, PAGE_SIZE) - base, va;
	int err;

	if (!size || pa + size < pa || (pa + size - 1) >> cpu.phys_bits)
		return -EINVAL;
	guard_spin(&lock);
	/* The same offset in 2 MiB keeps large pages possible for ECAM and large BARs. */
	va = ALIGN_UP(mmio_next, SZ_2M) + (base & (SZ_2M - 1));
	if (len < SZ_2M)
		va = mmio_next;
	if (va + len > KERNEL_MMIO_BASE + AREA_SIZE || va + len < va)
		return -ENOMEM;
	err = paging_map(va, base, len, PTE_W | PTE_NX | PTE_G | PTE_PCD | PTE_PWT);
	mmio_next = va + len; /* also after a failure: what is half mapped is not used again */
	*out = (void *)(va + (pa - base));
	return err;
}

int arch_mmio_map(struct mmio *m, paddr_t pa, u64 size)
{
	void *va;
	int err;

	if (!IS_ALIGNED(pa, PAGE_SIZE) || overlaps_ram(pa, MIN(size, SZ_1G)))
		return -EINVAL;
	err = map_uncached(pa, size, &va);
	if (err)
		return err;
	*m = (struct mmio){ .ops = &mmio_real_ops, .base = va, .size = size };
	return 0;
}

volatile void *arch_map_uncached(paddr_t pa, u64 size)
{
	void *va;

	return map_uncached(pa, size, &va) ? NULL : va;
}

/* 0 when memory ends; what was mapped by then is the beginning of the next try. */
static u64 stack_map(void)
{
	u64 va = kstack_next + PAGE_SIZE; /* the guard */

	if (va + ARCH_KSTACK_SIZE > KERNEL_KSTACK_BASE + AREA_SIZE)
		return 0;
	for (; kstack_filled < ARCH_KSTACK_SIZE; kstack_filled += PAGE_SIZE) {
		paddr_t pa = frame_alloc(SZ_4K);

		if (pa == FRAME_NONE)
			return 0;
		if (paging_map(va + kstack_filled, pa, PAGE_SIZE, PTE_W | PTE_NX | PTE_G)) {
			frame_put(pa);
			return 0;
		}
	}
	kstack_filled = 0;
	kstack_next = va + ARCH_KSTACK_SIZE;
	return va;
}

void *arch_kstack_alloc(void)
{
	struct free_stack *s;

	guard_spin(&lock);
	s = free_stacks;
	if (!s)
		return (void *)stack_map();
	free_stacks = s->next;
	return s;
}

void arch_kstack_free(void *stack)
{
	struct free_stack *s = stack;

	guard_spin(&lock);
	s->next = free_stacks;
	free_stacks = s;
}
