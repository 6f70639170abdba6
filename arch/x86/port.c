/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Port I/O, and the real struct mmio_ops: plain volatile accesses of the width that the name says.
 * A driver under test gets other ops, over a model.
 */
#include "arch/x86/early.h"
#include "arch/x86/mmio.h"

u8 arch_in8(u16 port)
{
	u8 v;

	__asm__ volatile("inb %1,%0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

u16 arch_in16(u16 port)
{
	u16 v;

	__asm__ volatile("inw %1,%0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

u32 arch_in32(u16 port)
{
	u32 v;

	__asm__ volatile("inl %1,%0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

void arch_out8(u16 port, u8 v)
{
	__asm__ volatile("outb %0,%1" :: "a"(v), "Nd"(port) : "memory");
}

void arch_out16(u16 port, u16 v)
{
	__asm__ volatile("outw %0,%1" :: "a"(v), "Nd"(port) : "memory");
}

void arch_out32(u16 port, u32 v)
{
	__asm__ volatile("outl %0,%1" :: "a"(v), "Nd"(port) : "memory");
}

static u32 mmio_rd32(struct mmio *m, u32 off)
{
	return *(volatile u32 *)(m->base + off);
}

static u64 mmio_rd64(struct mmio *m, u32 off)
{
	return *(volatile u64 *)(m->base + off);
}

static void mmio_wr32(struct mmio *m, u32 off, u32 v)
{
	*(volatile u32 *)(m->base + off) = v;
}

static void mmio_wr64(struct mmio *m, u32 off, u64 v)
{
	*(volatile u64 *)(m->base + off) = v;
}

const struct mmio_ops mmio_real_ops = {
	.rd32 = mmio_rd32, .rd64 = mmio_rd64, .wr32 = mmio_wr32, .wr64 = mmio_wr64,
};
