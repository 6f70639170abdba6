/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one-shot timer of each CPU, in its local APIC (SDM 11.5.4): by TSC deadline where there is one, else
 * counting down. Counting reaches only as far as its 32 bits and rounds; an interrupt that comes before
 * the moment that was asked for arms the timer again and goes no further.
 */
#include "arch/x86/early.h"
#include "arch/x86/apic.h"

static u64 timer_hz; /* after the divider */

void apic_timer_init(void)
{
	percpu_this()->timer_due = ~0ull;
	apic_write(APIC_TDCR, DIVIDE_BY_16);
	apic_write(APIC_LVT_TIMER, VECTOR_TIMER | (cpu.tsc_deadline ? FIELD_PREP(LVT_TIMER_MODE, TIMER_DEADLINE) : 0));
	cpu_mb(); /* the mode before the first deadline (11.5.4.1) */
}

void apic_timer_start_raw(u32 count)
{
	apic_write(APIC_TDCR, DIVIDE_BY_16);
	apic_write(APIC_TMICT, count);
}

u32 apic_timer_read(void)
{
	return apic_read(APIC_TMCCT);
}

void apic_set_timer_hz(u64 hz)
{
	timer_hz = hz;
}

static void timer_arm(u64 ns)
{
	u64 now, ticks;

	if (cpu.tsc_deadline) {
		wrmsr(MSR_TSC_DEADLINE, ns == ~0ull ? 0 : MAX(clock_ns_to_tsc(ns), 1));
		return;
	}
	if (ns == ~0ull) {
		apic_write(APIC_TMICT, 0);
		return;
	}
	now = arch_now_ns();
	ns = ns > now ? MIN(ns - now, NS_PER_S) : 0;
	ticks = ns * timer_hz / NS_PER_S + 1; /* no overflow below 18 GHz */
	apic_write(APIC_TMICT, MIN(ticks, 0xffffffffull));
}

void arch_timer_set(u64 ns)
{
	bool on = arch_irq_save();

	percpu_this()->timer_due = ns;
	timer_arm(ns);
	arch_irq_restore(on);
}

bool apic_timer_expired(struct percpu *p)
{
	if (p->timer_due == ~0ull) /* cancelled when it was already on its way */
		return false;
	if (arch_now_ns() < p->timer_due) {
		timer_arm(p->timer_due);
		return false;
	}
	p->timer_due = ~0ull;
	return true;
}
