/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Time by the time-stamp counter, and waiting with deadlines. The counter's frequency comes from
 * CPUID: the hypervisors' timing leaf, which the loader fills in, or the CPU's own. Where neither
 * tells it, 3 GHz are assumed: deadlines are then late or early, never missing.
 */
#include <cpuid.h>

#include "guest_tests/unikernel/lib/unikernel.h"

#define LEAF_TSC		0x15u		/* Intel SDM 2A, CPUID */
#define LEAF_HYPERVISOR		0x40000000u
#define LEAF_TIMING		0x40000010u	/* EAX: kHz */
#define ECX_HYPERVISOR		(1u << 31)
#define KHZ_ASSUMED		3000000u
#define KHZ_SANE		10000u

static uint64_t start_tsc;
static uint64_t khz;

static uint32_t khz_hypervisor(void)
{
	unsigned int eax = 0, ebx, ecx = 0, edx;

	__get_cpuid(1, &eax, &ebx, &ecx, &edx);
	if (!(ecx & ECX_HYPERVISOR))
		return 0;
	__cpuid(LEAF_HYPERVISOR, eax, ebx, ecx, edx);
	if (eax < LEAF_TIMING)
		return 0;
	__cpuid(LEAF_TIMING, eax, ebx, ecx, edx);
	return eax;
}

static uint32_t khz_cpu(void)
{
	unsigned int eax = 0, ebx = 0, ecx = 0, edx;

	if (!__get_cpuid_count(LEAF_TSC, 0, &eax, &ebx, &ecx, &edx) || !eax || !ebx)
		return 0;
	return (uint32_t)((uint64_t)ecx * ebx / eax / 1000);
}

void time_init(void)
{
	khz = khz_hypervisor();
	if (khz < KHZ_SANE)
		khz = khz_cpu();
	if (khz < KHZ_SANE)
		khz = KHZ_ASSUMED;
	start_tsc = __builtin_ia32_rdtsc();
}

uint64_t time_ns(void)
{
	uint64_t ticks = __builtin_ia32_rdtsc() - start_tsc;

	return ticks / khz * 1000000u + ticks % khz * 1000000u / khz;
}

bool wait_until(bool (*done)(void *), void *arg, uint64_t deadline)
{
	for (;;) {
		bool now;

		__asm__ volatile("cli" ::: "memory");
		now = done(arg);
		if (now || time_ns() >= deadline) {
			__asm__ volatile("sti" ::: "memory");
			return now;
		}
		/* sti takes effect after the next instruction: nothing comes before the halt. */
		__asm__ volatile("sti; hlt" ::: "memory");
	}
}

void wait_ms(unsigned int ms)
{
	uint64_t end = time_ns() + TIME_MS(ms);

	while (time_ns() < end)
		__asm__ volatile("pause");
}
