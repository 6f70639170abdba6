/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Time from the TSC. Its frequency comes from CPUID where the CPU tells it, else from a short comparison
 * with the ACPI PM timer or the PIT (which also gives the APIC timer's). The CPUs' TSCs are taken to
 * run together, as they do on every machine with VT-d.
 */
#include "arch/x86/early.h"
#include "kernel/acpi.h"

#define CALIBRATE_US 2000
#define PAIR_TRIES 8

static u64 ns_mult = 1ull << 32; /* ns per TSC tick, 32.32; 1 GHz until calibrated */
static u64 tsc_mult = 1ull << 32; /* TSC ticks per ns */
static u64 tsc_base, ns_base;

u64 arch_tsc(void)
{
	u32 lo, hi;

	__asm__ volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi) :: "memory");
	return (u64)hi << 32 | lo;
}

static u64 mul_32_32(u64 v, u64 mult)
{
	return (unsigned __int128)v * mult >> 32;
}

u64 arch_now_ns(void)
{
	return ns_base + mul_32_32(arch_tsc() - tsc_base, ns_mult);
}

u64 clock_ns_to_tsc(u64 ns)
{
	u64 ahead = ns <= ns_base ? 0 : MIN(ns - ns_base, BIT(60)); /* far enough, and no overflow */

	return tsc_base + mul_32_32(ahead, tsc_mult);
}

void arch_delay_us(u64 us)
{
	u64 until = arch_now_ns() + us * NS_PER_US;

	while (arch_now_ns() < until)
		arch_cpu_relax();
}

/* Time goes on from where it is, at the new rate. */
static void clock_set_hz(u64 hz)
{
	u64 now = arch_now_ns();

	tsc_base = arch_tsc();
	ns_base = now;
	ns_mult = (NS_PER_S << 32) / hz;
	tsc_mult = (hz / 1000 << 32) / 1000000;
}

/* SDM 19.7.3: crystal clock and ratio; some CPUs leave the crystal's frequency to be known. 0: not told. */
static u64 cpuid_tsc_hz(void)
{
	struct cpuid t = cpuid_safe(0x15, 0), hv = { 0 };

	if (cpu.hypervisor)
		hv = cpuid(0x40000000, 0);
	if (hv.a >= 0x40000010 && hv.a < 0x40010000) {
		hv = cpuid(0x40000010, 0);
		return hv.a * 1000ull;
	}
	if (!t.a || !t.b || !t.c)
		return 0;
	return (u64)t.c * t.b / t.a;
}

void clock_init_early(void)
{
	u64 hz = cpuid_tsc_hz();

	tsc_base = arch_tsc();
	if (hz)
		clock_set_hz(hz);
}

/* ---- a reference clock ------------------------------------------------------------------------*/
struct reference {
	const char *name;
	u32 (*read)(void); /* counts up, modulo mask + 1 */
	u32 mask;
	u64 hz;
};

#define FADT_PM_TMR_BLK 76 /* ACPI 6.5, 5.2.9 */
#define FADT_PM_TMR_LEN 91
#define FADT_FLAGS 112
#define FADT_HW_REDUCED BIT(20)

static u16 pm_port;

static u32 pm_read(void)
{
	return arch_in32(pm_port) & 0xffffff;
}

static bool pm_present(void)
{
	const struct acpi_header *fadt = acpi_find("FACP");
	u32 block = acpi_field(fadt, FADT_PM_TMR_BLK, 4), first;

	if (acpi_field(fadt, FADT_PM_TMR_LEN, 1) != 4 || !block || block > 0xfffc ||
	    (acpi_field(fadt, FADT_FLAGS, 4) & FADT_HW_REDUCED))
		return false;
	pm_port = block;
	first = pm_read();
	for (int i = 0; i < 1000; i++) /* a dead port reads the same for ever */
		if (pm_read() != first)
			return true;
	return false;
}

/* PIT channel 2, mode 0, gate by port 0x61; it counts down, so the complement counts up. */
#define PIT_CHANNEL2 0x42
#define PIT_COMMAND 0x43
#define PIT_GATE 0x61

static void pit_start(void)
{
	arch_out8(PIT_GATE, (arch_in8(PIT_GATE) & 0xfc) | 1);
	arch_out8(PIT_COMMAND, 0xb0);
	arch_out8(PIT_CHANNEL2, 0xff);
	arch_out8(PIT_CHANNEL2, 0xff);
}

static u32 pit_read(void)
{
	u32 v;

	arch_out8(PIT_COMMAND, 0x80); /* latch channel 2 */
	v = arch_in8(PIT_CHANNEL2);
	v |= (u32)arch_in8(PIT_CHANNEL2) << 8;
	return 0xffff - v;
}

/* One instant on three clocks, read in the tightest of a few tries. */
struct instant {
	u64 tsc;
	u32 ref, apic;
};

static struct instant instant_take(const struct reference *r)
{
	struct instant best = { 0 };
	u64 width = ~0ull;

	for (int i = 0; i < PAIR_TRIES; i++) {
		u64 before = arch_tsc(), after;
		u32 ref = r->read(), apic = apic_timer_read();

		after = arch_tsc();
		if (after - before >= width)
			continue;
		width = after - before;
		best = (struct instant){ before + width / 2, ref, apic };
	}
	return best;
}

static void clock_calibrate(const struct reference *r, u64 known_hz)
{
	u64 want = r->hz * CALIBRATE_US / 1000000, polls = 0, elapsed, hz, apic_hz;
	struct instant a, b;

	apic_timer_start_raw(0xffffffff);
	a = instant_take(r);
	while (((r->read() - a.ref) & r->mask) < want)
		if (++polls > 1000000)
			panic("clock: the %s does not count", r->name);
	b = instant_take(r);
	apic_timer_start_raw(0);
	elapsed = (b.ref - a.ref) & r->mask;
	hz = known_hz ? known_hz : (b.tsc - a.tsc) * r->hz / elapsed;
	apic_hz = (u64)(a.apic - b.apic) * r->hz / elapsed;
	if (hz < 1000000 || (!cpu.tsc_deadline && apic_hz < 10000))
		panic("clock: TSC %llu Hz, APIC timer %llu Hz by the %s cannot be right",
		      (unsigned long long)hz, (unsigned long long)apic_hz, r->name);
	if (!known_hz)
		clock_set_hz(hz);
	apic_set_timer_hz(apic_hz);
	log_info("clock: TSC %llu.%03llu MHz, %s, by %s", (unsigned long long)hz / 1000000,
		 (unsigned long long)hz / 1000 % 1000,
		 cpu.tsc_deadline ? "deadline timer" : "APIC timer", known_hz ? "CPUID" : r->name);
}

void clock_init(void)
{
	static const struct reference pm = { "PM timer", pm_read, 0xffffff, 3579545 };
	static const struct reference pit = { "PIT", pit_read, 0xffff, 1193182 };
	u64 known_hz = cpuid_tsc_hz();

	if (known_hz && cpu.tsc_deadline) {
		log_info("clock: TSC %llu.%03llu MHz, deadline timer, by CPUID",
			 (unsigned long long)known_hz / 1000000, (unsigned long long)known_hz / 1000 % 1000);
	} else if (pm_present()) {
		clock_calibrate(&pm, known_hz);
	} else {
		pit_start();
		clock_calibrate(&pit, known_hz);
	}
}
