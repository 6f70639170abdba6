/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Port I/O, and the real struct mmio_ops: plain volatile accesses of the width that the name says.
 * A driver under test gets other ops, over a model.
 */
#include "arch/x86/early.h"
#include "arch/x86/mmio.h"

#define PORT_IO(bits, suffix)                                                               \
	u##bits arch_in##bits(u16 port)                                                     \
	{                                                                                   \
		u##bits v;                                                                  \
		__asm__ volatile("in" suffix " %1,%0" : "=a"(v) : "Nd"(port) : "memory");   \
		return v;                                                                   \
	}                                                                                   \
	void arch_out##bits(u16 port, u##bits v)                                            \
	{                                                                                   \
		__asm__ volatile("out" suffix " %0,%1" :: "a"(v), "Nd"(port) : "memory");   \
	}
PORT_IO(8, "b")
PORT_IO(16, "w")
PORT_IO(32, "l")

#define MMIO(bits)                                                                          \
	static u##bits mmio_rd##bits(struct mmio *m, u32 off)                               \
	{                                                                                   \
		return *(volatile u##bits *)(m->base + off);                                \
	}                                                                                   \
	static void mmio_wr##bits(struct mmio *m, u32 off, u##bits v)                       \
	{                                                                                   \
		*(volatile u##bits *)(m->base + off) = v;                                   \
	}
MMIO(32)
MMIO(64)

const struct mmio_ops mmio_real_ops = {
	.rd32 = mmio_rd32, .rd64 = mmio_rd64, .wr32 = mmio_wr32, .wr64 = mmio_wr64,
};
