/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's address space, and the instructions that have no C form. Private to arch/x86.
 */
#ifndef ARCH_X86_X86_H
#define ARCH_X86_X86_H

#include "arch/x86/registers.h"

/* The kernel half of the address space. */
#define KERNEL_VMA 0xffffffff80000000ull
#define KERNEL_MMIO_BASE 0xffffc00000000000ull   /* uncached views: one PML4 slot */
#define KERNEL_KSTACK_BASE 0xffffc80000000000ull /* kernel stacks: one PML4 slot */
#define USER_TOP 0x800000000000ull

struct cpuid {
	u32 a, b, c, d;
};
static inline struct cpuid cpuid(u32 leaf, u32 sub)
{
	struct cpuid r;

	__asm__ volatile("cpuid" : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d) : "a"(leaf), "c"(sub));
	return r;
}
/* All zero when the leaf is beyond the last one of its range. */
static inline struct cpuid cpuid_safe(u32 leaf, u32 sub)
{
	if (cpuid(leaf & 0xffff0000, 0).a < leaf)
		return (struct cpuid){ 0 };
	return cpuid(leaf, sub);
}

static inline u64 rdmsr(u32 msr)
{
	u32 lo, hi;

	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr) : "memory");
	return (u64)hi << 32 | lo;
}
static inline void wrmsr(u32 msr, u64 v)
{
	__asm__ volatile("wrmsr" :: "c"(msr), "a"((u32)v), "d"((u32)(v >> 32)) : "memory");
}

#define X86_CR(n)                                                               \
	static inline u64 read_cr##n(void)                                      \
	{                                                                       \
		u64 v;                                                          \
		__asm__ volatile("mov %%cr" #n ",%0" : "=r"(v) :: "memory");    \
		return v;                                                       \
	}                                                                       \
	static inline void write_cr##n(u64 v)                                   \
	{                                                                       \
		__asm__ volatile("mov %0,%%cr" #n :: "r"(v) : "memory");        \
	}
X86_CR(0)
X86_CR(2)
X86_CR(3)
X86_CR(4)
#undef X86_CR
#define DR6_CLEAR 0xffff0ff0ull /* 18.2.3; also at power-on */
static inline void write_dr6(u64 v) { __asm__ volatile("mov %0,%%dr6" :: "r"(v)); }

static inline void cpu_cli(void) { __asm__ volatile("cli" ::: "memory"); }
static inline void cpu_sti(void) { __asm__ volatile("sti" ::: "memory"); }
static inline void cpu_pause(void) { __asm__ volatile("pause" ::: "memory"); }
static inline void cpu_mb(void) { __asm__ volatile("mfence" ::: "memory"); }
__attribute__((noreturn)) static inline void cpu_halt_forever(void)
{
	for (;;)
		__asm__ volatile("cli; hlt" ::: "memory");
}
/* The compiler's own would need its run-time library. */
static inline unsigned bits_count(u64 v)
{
	unsigned n = 0;

	for (; v; v &= v - 1)
		n++;
	return n;
}
static inline void cpu_invlpg(u64 va)
{
	__asm__ volatile("invlpg (%0)" :: "r"(va) : "memory");
}

#endif
