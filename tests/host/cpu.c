/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CPUs of the host side: numbers, an interrupt flag, a clock that moves only when somebody looks at
 * it, and vectors.  One host thread runs it all, so whoever spins for long waits for ever: that ends
 * the test with a message.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/host/host.h"

#define VECTOR_FIRST 0x30
#define VECTOR_END 0xf0
#define SPIN_LIMIT 10000000u

unsigned host_cpu, host_cpus = 1;
bool host_x2apic = true, host_irqs_on = true;
u64 host_now = NS_PER_S, host_time_step = 100;
u64 host_ipi_rounds, host_ipi_kicks, host_random_state = 88172645463325252ull;

static void *percpu[ARCH_MAX_CPUS];
static struct irq *vectors[ARCH_MAX_CPUS][256];
static u64 timers[ARCH_MAX_CPUS] = { [0 ... ARCH_MAX_CPUS - 1] = ~0ull };
static const struct arch_upcalls *upcalls;
static unsigned spins;

static void die(const char *what)
{
	fprintf(stderr, "host: %s\n", what);
	abort();
}

unsigned arch_cpu_id(void)
{
	return host_cpu;
}

unsigned arch_cpu_count(void)
{
	return host_cpus;
}

u32 arch_cpu_apic_id(unsigned cpu)
{
	return cpu * 2;
}

void arch_x2apic_forbid(const char *why)
{
	(void)why;
	host_x2apic = false;
}

bool arch_x2apic(void)
{
	return host_x2apic;
}

bool arch_irq_save(void)
{
	bool on = host_irqs_on;

	host_irqs_on = false;
	spins = 0;
	return on;
}

void arch_irq_restore(bool on)
{
	host_irqs_on = on;
}

void arch_cpu_relax(void)
{
	host_now += host_time_step;
	if (++spins > SPIN_LIMIT)
		die("a CPU spins for ever (lock taken twice, or a wait without deadline)");
}

static void timer_fire(void)
{
	bool on = host_irqs_on;

	timers[host_cpu] = ~0ull;
	host_irqs_on = false;
	if (upcalls && upcalls->timer)
		upcalls->timer();
	host_irqs_on = on;
}

void arch_cpu_idle(void)
{
	if (timers[host_cpu] == ~0ull)
		die("a CPU idles and nothing can wake it");
	host_now = MAX(host_now, timers[host_cpu]);
	timer_fire();
}

u64 arch_tsc(void)
{
	return arch_now_ns();
}

u64 arch_now_ns(void)
{
	return host_now += host_time_step;
}

u64 arch_wallclock_ns(void)
{
	return 1700000000ull * NS_PER_S + arch_now_ns();
}

void arch_delay_us(u64 us)
{
	host_now += us * NS_PER_US;
}

void arch_timer_set(u64 ns)
{
	timers[host_cpu] = ns;
}

bool arch_random(u64 *out)
{
	if (!host_random_state)
		return false;
	host_random_state ^= host_random_state << 13;
	host_random_state ^= host_random_state >> 7;
	host_random_state ^= host_random_state << 17;
	*out = host_random_state;
	return true;
}

void arch_ipi_all(void (*fn)(void *arg), void *arg)
{
	unsigned self = host_cpu;
	bool on = arch_irq_save();

	host_ipi_rounds++;
	for (host_cpu = 0; host_cpu < host_cpus; host_cpu++)
		if (host_cpu != self)
			fn(arg);
	host_cpu = self;
	arch_irq_restore(on);
}

void arch_ipi_kick(unsigned cpu)
{
	(void)cpu;
	host_ipi_kicks++;
}

void *arch_percpu_get(void)
{
	return percpu[host_cpu];
}

void arch_percpu_set(void *p)
{
	percpu[host_cpu] = p;
}

/* ---- device interrupts ---- */

int arch_irq_alloc(struct irq *irq, unsigned cpu)
{
	for (unsigned v = VECTOR_FIRST; v < VECTOR_END; v++) {
		if (vectors[cpu][v])
			continue;
		vectors[cpu][v] = irq;
		irq->cpu = cpu;
		irq->vector = (u8)v;
		return 0;
	}
	return -ENOSPC;
}

void arch_irq_free(struct irq *irq)
{
	if (vectors[irq->cpu][irq->vector] != irq)
		die("arch_irq_free of a vector that is not its own");
	vectors[irq->cpu][irq->vector] = NULL;
}

bool host_irq_raise(unsigned cpu, u8 vector)
{
	struct irq *irq = vectors[cpu][vector];
	unsigned self = host_cpu;
	bool on;

	if (!irq)
		return false;
	host_cpu = cpu;
	on = arch_irq_save();
	irq->count++;
	irq->handler(irq->arg);
	arch_irq_restore(on);
	host_cpu = self;
	return true;
}

unsigned host_irqs_in_use(void)
{
	unsigned n = 0;

	for (unsigned c = 0; c < ARCH_MAX_CPUS; c++)
		for (unsigned v = 0; v < 256; v++)
			n += vectors[c][v] != NULL;
	return n;
}

void arch_set_upcalls(const struct arch_upcalls *up)
{
	upcalls = up;
}

void arch_need_resched(void)
{
}
