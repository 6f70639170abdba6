/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The local APIC, in x2APIC mode where the CPU has it (registers are MSRs, cheaper under a
 * hypervisor), else at its page of memory. A slow periodic timer runs all the time: it changes
 * nothing, but no halt lasts longer than one period, so that every wait sees its deadline.
 */
#include <cpuid.h>
#include <stdio.h>

#include "guest_tests/unikernel/lib/trap_vectors.h"
#include "guest_tests/unikernel/lib/unikernel.h"

#define MSR_APIC_BASE		0x1b
#define APIC_BASE_ENABLE	(1u << 11)
#define APIC_BASE_X2APIC	(1u << 10)
#define APIC_BASE_ADDRESS	0xfffff000u
#define MSR_X2APIC		0x800		/* register r is MSR 0x800 + r / 16 */

#define CPUID_ECX_X2APIC	(1u << 21)

/* Registers, Intel SDM 3A, table 11-1 */
#define APIC_ID			0x020
#define APIC_TPR		0x080
#define APIC_EOI		0x0b0
#define APIC_SVR		0x0f0
#define APIC_LVT_TIMER		0x320
#define APIC_TIMER_INITIAL	0x380
#define APIC_TIMER_CURRENT	0x390
#define APIC_TIMER_DIVIDE	0x3e0

#define SVR_ENABLE		(1u << 8)
#define LVT_MASKED		(1u << 16)
#define LVT_PERIODIC		(1u << 17)
#define DIVIDE_BY_16		0x3

/* Data ports of the two 8259 interrupt controllers: where they exist, firmware may have used them. */
#define PIC_MASTER_MASK		0x21
#define PIC_SLAVE_MASK		0xa1

#define CALIBRATE_NS		TIME_MS(2)
#define PERIOD_NS		TIME_MS(100)

static bool x2apic;
static volatile uint8_t *page;

static uint64_t msr_read(uint32_t msr)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return low | (uint64_t)high << 32;
}

static void msr_write(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr" :: "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
			 : "memory");
}

static uint32_t apic_read(unsigned int reg)
{
	if (x2apic)
		return (uint32_t)msr_read(MSR_X2APIC + reg / 16);
	return mmio_read32(page + reg);
}

static void apic_write(unsigned int reg, uint32_t value)
{
	if (x2apic)
		msr_write(MSR_X2APIC + reg / 16, value);
	else
		mmio_write32(page + reg, value);
}

void lapic_eoi(void)
{
	apic_write(APIC_EOI, 0);
}

uint32_t lapic_id(void)
{
	return x2apic ? apic_read(APIC_ID) : apic_read(APIC_ID) >> 24;
}

static void apic_enable(void)
{
	uint64_t base = msr_read(MSR_APIC_BASE);
	unsigned int eax, ebx, ecx = 0, edx;

	__get_cpuid(1, &eax, &ebx, &ecx, &edx);
	msr_write(MSR_APIC_BASE, base | APIC_BASE_ENABLE);
	if (ecx & CPUID_ECX_X2APIC) {
		msr_write(MSR_APIC_BASE, base | APIC_BASE_ENABLE | APIC_BASE_X2APIC);
		x2apic = true;
	} else {
		page = mmio_map(base & APIC_BASE_ADDRESS, PAGE_BYTES);
	}
	apic_write(APIC_TPR, 0);
	apic_write(APIC_SVR, SVR_ENABLE | VECTOR_SPURIOUS);
}

/* The timer's frequency is not told by anybody: count for a moment by the time-stamp counter. */
static void timer_start(void)
{
	uint64_t start, ticks;

	apic_write(APIC_TIMER_DIVIDE, DIVIDE_BY_16);
	apic_write(APIC_LVT_TIMER, LVT_MASKED | VECTOR_TIMER);
	apic_write(APIC_TIMER_INITIAL, ~0u);
	start = time_ns();
	while (time_ns() - start < CALIBRATE_NS)
		__asm__ volatile("pause");
	ticks = ~0u - apic_read(APIC_TIMER_CURRENT);
	ticks = ticks * PERIOD_NS / (time_ns() - start);
	apic_write(APIC_TIMER_INITIAL, 0);
	if (ticks == 0 || ticks > ~0u) {
		printf("guest: the local APIC has no timer that counts\n");
		guest_exit(1);
	}
	apic_write(APIC_LVT_TIMER, LVT_PERIODIC | VECTOR_TIMER);
	apic_write(APIC_TIMER_INITIAL, (uint32_t)ticks);
}

void lapic_init(void)
{
	port_write8(PIC_MASTER_MASK, 0xff);
	port_write8(PIC_SLAVE_MASK, 0xff);
	apic_enable();
	timer_start();
	__asm__ volatile("sti");
}
