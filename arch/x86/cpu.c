/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What this CPU can, and switching it on: the features are read once on the boot CPU (every CPU of a
 * machine is taken to be alike; one that lacks what the first one has dies of #GP when it starts and
 * is reported as not answering). FSGSBASE stays off, so that ring 3 changes its bases by a system
 * call only and they need no saving.
 */
#include "arch/x86/early.h"

#include <stdio.h>

struct cpu_features cpu;

void entry_syscall(void);

static void detect_names(void)
{
	struct cpuid v = cpuid(0, 0);
	char *trim = cpu.model;

	memcpy(cpu.vendor, &v.b, 4);
	memcpy(cpu.vendor + 4, &v.d, 4);
	memcpy(cpu.vendor + 8, &v.c, 4);
	for (u32 i = 0; i < 3; i++) {
		struct cpuid m = cpuid_safe(0x80000002 + i, 0);

		memcpy(cpu.model + 16 * i, &m, 16);
	}
	while (*trim == ' ')
		trim++;
	memmove(cpu.model, trim, strlen(trim) + 1);
}

/* x87 and SSE always, AVX where it is, AVX-512 when its state fits the save area (SDM vol. 1, 13.2). */
static void detect_xsave(void)
{
	static const u64 choices[] = { 0xe7, 0x7, 0x3 };
	struct cpuid d = cpuid_safe(0xd, 0);
	u64 offered = (u64)d.d << 32 | d.a;

	cpu.fpu_size = 512;
	if (!cpu.xsave)
		return;
	for (unsigned i = 0; i < ARRAY_SIZE(choices); i++) {
		u64 want = choices[i];
		u32 size = 576;

		if ((offered & want) != want)
			continue;
		for (u32 c = 2; c < 8; c++) {
			struct cpuid part = cpuid(0xd, c);

			if (want & BIT(c))
				size = MAX(size, part.a + part.b);
		}
		if (size > ARCH_FPU_SIZE)
			continue;
		cpu.xcr0 = want;
		cpu.fpu_size = size;
		break;
	}
	cpu.xsave = cpu.xcr0 != 0;
	cpu.xsaveopt = cpu.xsave && (cpuid(0xd, 1).a & BIT(0));
}

void cpu_detect(void)
{
	struct cpuid f = cpuid(1, 0), s = cpuid_safe(7, 0), e = cpuid_safe(0x80000001, 0);
	struct cpuid widths = cpuid_safe(0x80000008, 0);

	cpu.pge = f.d & BIT(13);
	cpu.clflush = f.d & BIT(19);
	cpu.clflush_line = cpu.clflush ? FIELD_GET(GENMASK(15, 8), f.b) * 8 : 64;
	cpu.vmx = f.c & BIT(5);
	cpu.x2apic = f.c & BIT(21);
	cpu.tsc_deadline = f.c & BIT(24);
	cpu.xsave = f.c & BIT(26);
	cpu.rdrand = f.c & BIT(30);
	cpu.hypervisor = f.c & BIT(31);
	cpu.smep = s.b & BIT(7);
	cpu.smap = s.b & BIT(20);
	cpu.clflushopt = s.b & BIT(23);
	cpu.umip = s.c & BIT(2);
	cpu.nx = e.d & BIT(20);
	cpu.gb_pages = e.d & BIT(26);
	cpu.svm = e.c & BIT(2);
	cpu.invariant_tsc = cpuid_safe(0x80000007, 0).d & BIT(8);
	cpu.phys_bits = widths.a ? FIELD_GET(GENMASK(7, 0), widths.a) : 36;
	detect_xsave();
	detect_names();
}

struct cpu_patch {
	u8 *at;
	u64 opcode;
};
extern const struct cpu_patch cpu_patch_start[], cpu_patch_end[];

void cpu_patch_smap(void)
{
	if (!cpu.smap)
		return;
	for (const struct cpu_patch *p = cpu_patch_start; p < cpu_patch_end; p++)
		memcpy(p->at, &p->opcode, 3);
}

void cpu_enable(void)
{
	u64 cr0 = read_cr0() & ~(CR0_EM | CR0_TS | CR0_CD | CR0_NW);
	u64 cr4 = CR4_PAE | CR4_MCE | CR4_OSFXSR | CR4_OSXMMEXCPT;

	write_cr0(cr0 | CR0_MP | CR0_NE | CR0_WP);
	cr4 |= cpu.pge ? CR4_PGE : 0;
	cr4 |= cpu.smep ? CR4_SMEP : 0;
	cr4 |= cpu.smap ? CR4_SMAP : 0;
	cr4 |= cpu.umip ? CR4_UMIP : 0;
	cr4 |= cpu.xsave ? CR4_OSXSAVE : 0;
	write_cr4(cr4);
	fpu_enable();
	wrmsr(MSR_PAT, PAT_POWER_ON); /* the uncached views count on entry 3 being UC */
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE | (cpu.nx ? EFER_NXE : 0));
	wrmsr(MSR_SYSENTER_CS, 0); /* SYSENTER faults, whatever firmware used it for */
	wrmsr(MSR_STAR, (u64)SEL_KCODE << 32 | (u64)(SEL_UCODE - 16) << 48);
	wrmsr(MSR_LSTAR, (u64)entry_syscall);
	wrmsr(MSR_SFMASK, RFLAGS_TF | RFLAGS_IF | RFLAGS_DF | RFLAGS_IOPL | RFLAGS_NT | RFLAGS_RF |
			  RFLAGS_AC);
}

void arch_describe(char *buf, size_t n)
{
	snprintf(buf, n, "%s, %s, %s%s%s%s%s%s%s, %u-bit physical", cpu.vendor,
		 cpu.model[0] ? cpu.model : "no model name",
		 cpu.vmx ? "VMX" : cpu.svm ? "SVM" : "no virtualization",
		 cpu.nx ? " NX" : "", cpu.smep ? " SMEP" : "", cpu.smap ? " SMAP" : "",
		 cpu.umip ? " UMIP" : "", cpu.x2apic ? " x2APIC" : "", cpu.xsave ? " XSAVE" : "",
		 cpu.phys_bits);
}

bool arch_random(u64 *out)
{
	if (!cpu.rdrand)
		return false;
	for (int i = 0; i < 10; i++) { /* SDM vol. 1, 7.3.17: ten tries */
		bool ok;

		__asm__ volatile("rdrand %0; setc %1" : "=r"(*out), "=qm"(ok) :: "cc");
		if (ok)
			return true;
	}
	return false;
}

void arch_cache_flush(const void *p, size_t n)
{
	u64 line = cpu.clflush_line, at = ALIGN_DOWN((u64)p, line), end = (u64)p + n;

	if (!cpu.clflush) {
		__asm__ volatile("wbinvd" ::: "memory");
		return;
	}
	if (cpu.clflushopt)
		for (; at < end; at += line)
			__asm__ volatile("clflushopt (%0)" :: "r"(at) : "memory");
	else
		for (; at < end; at += line)
			__asm__ volatile("clflush (%0)" :: "r"(at) : "memory");
	__asm__ volatile("mfence" ::: "memory");
}
