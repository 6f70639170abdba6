/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The CPU's own names: control registers, MSRs, CPUID and the instructions that have no C form.
 * Private to arch/x86. Sections are those of the Intel SDM, volume 3 unless said otherwise.
 */
#ifndef ARCH_X86_X86_H
#define ARCH_X86_X86_H

#include "kernel/base.h"

/* 2.5 */
#define CR0_MP BIT(1)
#define CR0_EM BIT(2)
#define CR0_TS BIT(3)
#define CR0_NE BIT(5)
#define CR0_WP BIT(16)
#define CR0_CD BIT(30)
#define CR0_NW BIT(29)
#define CR4_PAE BIT(5)
#define CR4_MCE BIT(6)
#define CR4_PGE BIT(7)
#define CR4_OSFXSR BIT(9)
#define CR4_OSXMMEXCPT BIT(10)
#define CR4_UMIP BIT(11)
#define CR4_OSXSAVE BIT(18)
#define CR4_SMEP BIT(20)
#define CR4_SMAP BIT(21)

#define RFLAGS_TF BIT(8)
#define RFLAGS_IF BIT(9)
#define RFLAGS_DF BIT(10)
#define RFLAGS_IOPL GENMASK(13, 12)
#define RFLAGS_NT BIT(14)
#define RFLAGS_RF BIT(16)
#define RFLAGS_AC BIT(18)
/* What ring 3 may hold: status flags, TF, DF, NT, RF, AC, ID. */
#define RFLAGS_USER 0x254dd5ull

/* Volume 4, table 2-2 */
#define MSR_APIC_BASE 0x1b
#define APIC_BASE_EXTD BIT(10)
#define APIC_BASE_EN BIT(11)
#define APIC_BASE_ADDR GENMASK(51, 12)
#define MSR_X2APIC 0x800
#define MSR_TSC_DEADLINE 0x6e0
#define MSR_SYSENTER_CS 0x174
#define MSR_SYSENTER_ESP 0x175
#define MSR_SYSENTER_EIP 0x176
#define MSR_PAT 0x277
#define PAT_POWER_ON 0x0007040600070406ull /* 12.12.4 */
#define MSR_EFER 0xc0000080
#define EFER_SCE BIT(0)
#define EFER_LME BIT(8)
#define EFER_NXE BIT(11)
#define MSR_STAR 0xc0000081
#define MSR_LSTAR 0xc0000082
#define MSR_CSTAR 0xc0000083
#define MSR_SFMASK 0xc0000084
#define MSR_FS_BASE 0xc0000100
#define MSR_GS_BASE 0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102

/* Page-table entries, 4.5 */
#define PTE_P BIT(0)
#define PTE_W BIT(1)
#define PTE_U BIT(2)
#define PTE_PWT BIT(3)
#define PTE_PCD BIT(4)
#define PTE_A BIT(5)
#define PTE_D BIT(6)
#define PTE_LARGE BIT(7)
#define PTE_G BIT(8)
#define PTE_NX BIT(63)
#define PTE_ADDR GENMASK(51, 12)

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
