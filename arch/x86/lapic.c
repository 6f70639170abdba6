/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The local APIC of each CPU, as xAPIC (registers at 0xfee00000) or x2APIC (MSRs; taken when the CPU has
 * it, unless `nox2apic`). The boot CPU goes to x2APIC mode only after its clocks are calibrated: under
 * QEMU's -icount the timer's count can be read as MMIO but not by RDMSR. All local vectors but the
 * timer's are masked. Interrupt commands wait, with a bound, until the former one is accepted.
 */
#include "arch/x86/early.h"
#include "arch/x86/apic.h"
#include "kernel/options.h"

#define ICR_POLLS 1000000

static volatile u8 *regs; /* in xAPIC mode */
static bool x2apic, want_x2apic;
static const char *x2apic_forbidden; /* why */

u32 apic_read(u32 reg)
{
	return x2apic ? (u32)rdmsr(MSR_X2APIC + reg / 16) : *(volatile u32 *)(regs + reg);
}

void apic_write(u32 reg, u32 v)
{
	if (x2apic)
		wrmsr(MSR_X2APIC + reg / 16, v);
	else
		*(volatile u32 *)(regs + reg) = v;
}

bool arch_x2apic(void)
{
	return x2apic;
}

void arch_x2apic_forbid(const char *why)
{
	x2apic_forbidden = why;
}

u32 apic_read_id(void)
{
	u32 id = apic_read(APIC_ID);

	return x2apic ? id : id >> 24;
}

void apic_eoi(void)
{
	apic_write(APIC_EOI, 0);
}

static void apic_choose_mode(void)
{
	u64 base = rdmsr(MSR_APIC_BASE);

	want_x2apic = cpu.x2apic && !x2apic_forbidden && !option_bool("nox2apic", false);
	if (cpu.x2apic && x2apic_forbidden)
		log_info("CPUs stay in xAPIC mode: %s", x2apic_forbidden);
	x2apic = want_x2apic && (base & APIC_BASE_X2);
	if (x2apic)
		return;
	/* The SDM's only way back from x2APIC mode leads through "off" (11.12.1). */
	if (base & APIC_BASE_X2)
		wrmsr(MSR_APIC_BASE, base & ~(APIC_BASE_X2 | APIC_BASE_ENABLE));
	regs = arch_map_uncached(base & APIC_BASE_ADDR, PAGE_SIZE);
	if (!regs)
		panic("no memory to map the local APIC");
}

static void apic_enable(void)
{
	u64 base = rdmsr(MSR_APIC_BASE) | APIC_BASE_ENABLE;

	wrmsr(MSR_APIC_BASE, base);
	if (x2apic)
		wrmsr(MSR_APIC_BASE, base | APIC_BASE_X2);
}

void apic_enter_x2apic(void)
{
	if (!want_x2apic)
		return;
	x2apic = true;
	apic_enable(); /* registers keep their values (11.12.5.1) */
	percpu_this()->apic_id = apic_read_id();
}

void apic_init(bool boot_cpu)
{
	unsigned max_lvt;

	if (boot_cpu)
		apic_choose_mode();
	apic_enable();
	max_lvt = FIELD_GET(VERSION_MAX_LVT, apic_read(APIC_VERSION));
	apic_write(APIC_LVT_TIMER, LVT_MASKED | VECTOR_TIMER);
	apic_write(APIC_LVT_LINT0, LVT_MASKED | VECTOR_SPURIOUS);
	apic_write(APIC_LVT_LINT1, LVT_MASKED | VECTOR_SPURIOUS);
	if (max_lvt >= 4)
		apic_write(APIC_LVT_PERF, LVT_MASKED | VECTOR_SPURIOUS);
	if (max_lvt >= 5)
		apic_write(APIC_LVT_THERMAL, LVT_MASKED | VECTOR_SPURIOUS);
	if (max_lvt >= 6)
		apic_write(APIC_LVT_CMCI, LVT_MASKED | VECTOR_SPURIOUS);
	apic_write(APIC_LVT_ERROR, LVT_MASKED | VECTOR_APIC_ERROR);
	apic_write(APIC_TPR, 0);
	apic_write(APIC_ESR, 0);
	apic_write(APIC_SVR, SVR_ENABLE | VECTOR_SPURIOUS);
	percpu_this()->apic_id = apic_read_id();
}

void apic_send(u32 apic_id, u32 icr_low)
{
	bool on = arch_irq_save();

	if (x2apic) {
		cpu_mb(); /* WRMSR here is not serializing: earlier stores first (11.12.3) */
		__asm__ volatile("lfence" ::: "memory");
		wrmsr(MSR_X2APIC + APIC_ICR / 16, (u64)apic_id << 32 | icr_low);
	} else {
		for (unsigned i = 0; i < ICR_POLLS && (apic_read(APIC_ICR) & ICR_PENDING); i++)
			cpu_pause();
		apic_write(APIC_ICR2, apic_id << 24);
		apic_write(APIC_ICR, icr_low);
	}
	arch_irq_restore(on);
}
