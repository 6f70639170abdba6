// SPDX-License-Identifier: GPL-2.0-only
/*
 * The timer of a local interrupt controller: one-shot, periodic and TSC deadline (SDM 3, 11.5.4).
 * It counts a bus of 1 GHz, as KVM's does, so that a count is nanoseconds times the divider.
 *
 * The callback runs in interrupt context. The vCPU's thread stops the timer, which waits for the
 * callback, before it changes anything that the callback reads.
 */
#include "virt/lapic.h"

/* No guest gets the host to serve its periodic timer more often. */
#define MIN_PERIOD_NS (200 * NS_PER_US)

static unsigned timer_mode(const struct lapic *l)
{
	return FIELD_GET(LVT_TIMER_MODE, lapic_reg(l, APIC_LVT_TIMER));
}

bool lapic_timer_is_deadline(const struct lapic *l)
{
	return timer_mode(l) == TIMER_DEADLINE;
}

static u64 divider(const struct lapic *l)
{
	u32 tdcr = lapic_reg(l, APIC_TDCR);
	u32 code = (tdcr & 3) | (tdcr >> 1 & 4);

	return 1ull << ((code + 1) & 7);
}

/* A deadline further away is waited for in several parts. */
#define LONGEST_NS (3600 * NS_PER_S)

/*
 * The frequency of the TSC follows from two readings of both clocks: the first ever made and now.
 * Until they are a millisecond apart a tick counts as a nanosecond; an early timer arms itself again.
 */
static u64 tsc_to_ns(u64 ticks)
{
	static u64 tsc_first, ns_first;
	u64 tsc = arch_tsc(), ns = arch_now_ns();

	if (!tsc_first) {
		ns_first = ns;
		tsc_first = tsc;
	}
	tsc -= tsc_first;
	ns -= ns_first;
	if (ns < NS_PER_MS || !tsc)
		return MIN(ticks, LONGEST_NS);
	/* Only their ratio counts: small enough that no product below overflows, however long we run. */
	while ((ns | tsc) >> 32) {
		ns >>= 1;
		tsc >>= 1;
	}
	if (!ns || !tsc || ticks / tsc >= LONGEST_NS / ns)
		return LONGEST_NS;
	return ticks / tsc * ns + ticks % tsc * ns / tsc;
}

static u64 guest_tsc(const struct lapic *l)
{
	return arch_tsc() + l->tsc_offset;
}

static void timer_raise(struct lapic *l)
{
	u32 lvt = lapic_reg(l, APIC_LVT_TIMER);

	if (!(lvt & LVT_MASKED))
		(void)lapic_raise(l, (u8)lvt);
}

static void timer_expired(struct ktimer *t)
{
	struct lapic *l = container_of(t, struct lapic, timer);
	u64 now = arch_now_ns();

	if (l->deadline) {
		u64 tsc = guest_tsc(l);

		if (tsc < l->deadline) {
			ktimer_arm(t, now + MAX(tsc_to_ns(l->deadline - tsc), NS_PER_US));
			return;
		}
		l->deadline = 0;
	}
	timer_raise(l);
	if (!l->period) {
		l->due = 0;
		return;
	}
	l->due += l->period;
	if (l->due <= now)
		l->due = now + l->period;
	ktimer_arm(t, l->due);
}

void lapic_timer_init(struct lapic *l)
{
	memset(&l->timer, 0, sizeof(l->timer));
	l->timer.fn = timer_expired;
	(void)tsc_to_ns(0);
}

void lapic_timer_stop(struct lapic *l)
{
	ktimer_cancel(&l->timer);
	l->due = l->period = l->deadline = 0;
}

void lapic_timer_start(struct lapic *l)
{
	u64 span = (u64)lapic_reg(l, APIC_TMICT) * divider(l);

	if (timer_mode(l) == TIMER_DEADLINE) {
		if (!l->deadline)
			lapic_timer_stop(l);
		return;
	}
	lapic_timer_stop(l);
	if (!span)
		return;
	if (timer_mode(l) == TIMER_PERIODIC)
		l->period = span = MAX(span, MIN_PERIOD_NS);
	l->due = arch_now_ns() + span;
	ktimer_arm(&l->timer, l->due);
}

u32 lapic_timer_count(const struct lapic *l)
{
	u64 now = arch_now_ns(), due = READ_ONCE(l->due);

	if (timer_mode(l) == TIMER_DEADLINE || due <= now)
		return 0;
	return (u32)((due - now) / divider(l));
}

void lapic_timer_set_deadline(struct lapic *l, u64 deadline)
{
	u64 tsc = guest_tsc(l);

	lapic_timer_stop(l);
	if (!deadline)
		return;
	if (deadline <= tsc) {
		timer_raise(l);
		return;
	}
	l->deadline = deadline;
	ktimer_arm(&l->timer, arch_now_ns() + tsc_to_ns(deadline - tsc));
}
