// SPDX-License-Identifier: GPL-2.0-only
/*
 * The local interrupt controller: random requests, acceptances, ends and priorities against a model
 * of three bit sets; register access rules; mode changes; destinations; the timer on simulated time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kernel/sched.h"
#include "tests/host/host.h"
#include "virt/lapic.h"

#define SVR_ON 0x1ff

static unsigned kicks;
static u32 sent_icr, sent_dest;

static void kick(struct lapic *l)
{
	(void)l;
	kicks++;
}

static void send(struct lapic *l, u32 icr, u32 dest)
{
	(void)l;
	sent_icr = icr;
	sent_dest = dest;
}

static const struct lapic_ops ops = { .kick = kick, .send = send };

static void reset(struct lapic *l, u32 id)
{
	memset(l, 0, sizeof(*l));
	lapic_init(l, id, &ops);
	lapic_page_write(l, APIC_SVR, 4, SVR_ON);
	kicks = 0;
}

static int highest(const bool set[256])
{
	for (int i = 255; i >= 0; i--)
		if (set[i])
			return i;
	return -1;
}

static void test_model(void **state)
{
	static bool request[256], service[256];
	unsigned tpr = 0;
	struct lapic l;

	(void)state;
	reset(&l, 0);
	srand(2);
	for (unsigned step = 0; step < 100000; step++) {
		unsigned vector = 16 + (unsigned)rand() % 240;
		int due = highest(request), in_service = highest(service);
		unsigned priority = MAX(tpr & 0xf0, in_service < 0 ? 0 : (unsigned)in_service & 0xf0);

		if (due >= 0 && ((unsigned)due & 0xf0) <= priority)
			due = -1;
		assert_int_equal(lapic_pending(&l), due);
		assert_int_equal(lapic_page_read(&l, APIC_PPR, 4) & 0xf0, priority);
		switch (rand() % 5) {
		case 0:
		case 1:
			assert_true(lapic_raise(&l, (u8)vector));
			request[vector] = true;
			break;
		case 2:
			if (due < 0)
				break;
			lapic_accept(&l, (u8)due);
			request[due] = false;
			service[due] = true;
			break;
		case 3:
			lapic_page_write(&l, APIC_EOI, 4, 0);
			if (in_service >= 0)
				service[in_service] = false;
			break;
		default:
			tpr = rand() % 3 ? 0 : (unsigned)rand() % 256;
			if (rand() % 2) {
				lapic_page_write(&l, APIC_TPR, 4, tpr);
			} else {
				tpr &= 0xf0;
				lapic_set_cr8(&l, (u8)(tpr >> 4));
				tpr = lapic_reg(&l, APIC_TPR);
			}
			assert_int_equal(lapic_cr8(&l), tpr >> 4);
		}
		for (unsigned i = 0; i < 8; i++) {
			u32 irr = 0, isr = 0;

			for (unsigned b = 0; b < 32; b++) {
				irr |= (u32)request[i * 32 + b] << b;
				isr |= (u32)service[i * 32 + b] << b;
			}
			assert_int_equal(lapic_page_read(&l, APIC_IRR + i * 16, 4), irr);
			assert_int_equal(lapic_page_read(&l, APIC_ISR + i * 16, 4), isr);
		}
	}
	lapic_timer_stop(&l);
}

static void test_off(void **state)
{
	struct lapic l;

	(void)state;
	reset(&l, 0);
	assert_false(lapic_raise(&l, 15)); /* vectors below 16 are none */
	lapic_page_write(&l, APIC_LVT_LINT0, 4, 0x700);
	lapic_page_write(&l, APIC_SVR, 4, 0xff);
	assert_false(lapic_raise(&l, 0x30));
	assert_int_equal(lapic_page_read(&l, APIC_LVT_LINT0, 4), 0x10700); /* masked with it */
	lapic_page_write(&l, APIC_LVT_LINT0, 4, 0x700);
	assert_int_equal(lapic_page_read(&l, APIC_LVT_LINT0, 4), 0x10700);
	lapic_page_write(&l, APIC_SVR, 4, SVR_ON);
	assert_true(lapic_raise(&l, 0x30));
	assert_int_equal(kicks, 1);
	/* Switched off, it forgets. */
	assert_int_equal(lapic_base_write(&l, LAPIC_BASE_DEFAULT | APIC_BASE_BSP), 0);
	assert_int_equal(lapic_pending(&l), -1);
	assert_false(lapic_raise(&l, 0x30));
	assert_false(lapic_is_target(&l, 0, false));
}

static void test_modes(void **state)
{
	const u64 on = LAPIC_BASE_DEFAULT | APIC_BASE_ENABLE;
	struct lapic l;
	u64 v;

	(void)state;
	reset(&l, 0x21);
	assert_int_equal(lapic_page_read(&l, APIC_ID, 4), 0x21000000);
	assert_int_equal(lapic_page_read(&l, APIC_ID + 3, 1), 0x21);
	assert_int_equal(lapic_page_read(&l, APIC_ID + 4, 4), 0);
	assert_int_equal(lapic_page_read(&l, APIC_ID, 8), 0);
	assert_int_equal(lapic_msr_read(&l, 0x802, &v), -EINVAL);
	assert_int_equal(lapic_base_write(&l, 0xfee10000ull | APIC_BASE_ENABLE), -EINVAL);
	assert_int_equal(lapic_base_write(&l, LAPIC_BASE_DEFAULT | APIC_BASE_X2), -EINVAL);
	assert_int_equal(lapic_base_write(&l, on | APIC_BASE_X2), 0);
	assert_int_equal(lapic_msr_read(&l, 0x802, &v), 0);
	assert_int_equal(v, 0x21);
	assert_int_equal(lapic_msr_read(&l, 0x80d, &v), 0);
	assert_int_equal(v, 0x20002);
	assert_int_equal(lapic_msr_read(&l, 0x80e, &v), -EINVAL); /* no DFR, */
	assert_int_equal(lapic_msr_read(&l, 0x831, &v), -EINVAL); /* no upper half of ICR, */
	assert_int_equal(lapic_msr_write(&l, 0x802, 0), -EINVAL); /* ID is read-only, */
	assert_int_equal(lapic_msr_write(&l, 0x80b, 1), -EINVAL); /* EOI takes 0 */
	assert_int_equal(lapic_msr_write(&l, 0x8ff, 0), -EINVAL);
	assert_int_equal(lapic_msr_read(&l, 0x8ff, &v), -EINVAL);
	assert_int_equal(lapic_msr_write(&l, 0x830, 0x1234567800000030), 0);
	assert_int_equal(sent_dest, 0x12345678);
	assert_int_equal(sent_icr, 0x30);
	assert_int_equal(lapic_msr_write(&l, 0x83f, 0x55), 0);
	assert_int_equal(lapic_pending(&l), 0x55);
	assert_int_equal(lapic_base_write(&l, on), -EINVAL); /* the way back goes through off */
	assert_int_equal(lapic_base_write(&l, LAPIC_BASE_DEFAULT), 0);
	assert_int_equal(lapic_base_write(&l, on | APIC_BASE_X2), -EINVAL);
	assert_int_equal(lapic_base_write(&l, on), 0);
	assert_int_equal(lapic_page_read(&l, APIC_ID, 4), 0x21000000);
}

static void test_targets(void **state)
{
	struct lapic l;

	(void)state;
	reset(&l, 5);
	assert_true(lapic_is_target(&l, 5, false));
	assert_false(lapic_is_target(&l, 4, false));
	assert_true(lapic_is_target(&l, 0xff, false));
	lapic_page_write(&l, APIC_LDR, 4, 0x24000000);
	assert_true(lapic_is_target(&l, 0x04, true)); /* flat: any bit */
	assert_false(lapic_is_target(&l, 0x08, true));
	lapic_page_write(&l, APIC_DFR, 4, 0);
	assert_true(lapic_is_target(&l, 0x2c, true)); /* cluster 2, member 4 */
	assert_false(lapic_is_target(&l, 0x14, true));
	assert_false(lapic_is_target(&l, 0x28, true));
	assert_int_equal(lapic_base_write(&l, LAPIC_BASE_DEFAULT | APIC_BASE_ENABLE | APIC_BASE_X2), 0);
	assert_true(lapic_is_target(&l, 0x20, true)); /* cluster 0, bit 5 */
	assert_false(lapic_is_target(&l, 0x10020, true));
}

static void pass(u64 ns)
{
	host_now += ns;
	ktimer_run_expired(&cpus[host_cpu]);
}

static void test_timer(void **state)
{
	struct lapic l;
	u32 before;

	(void)state;
	reset(&l, 0);
	lapic_page_write(&l, APIC_TDCR, 4, 3); /* by 16 */
	lapic_page_write(&l, APIC_LVT_TIMER, 4, 0x40);
	lapic_page_write(&l, APIC_TMICT, 4, 1000000); /* 16 ms */
	pass(8 * NS_PER_MS);
	assert_int_equal(lapic_pending(&l), -1);
	before = (u32)lapic_page_read(&l, APIC_TMCCT, 4);
	assert_true(before > 490000 && before <= 500000);
	pass(8 * NS_PER_MS);
	assert_int_equal(lapic_pending(&l), 0x40);
	assert_int_equal(lapic_page_read(&l, APIC_TMCCT, 4), 0);
	lapic_accept(&l, 0x40);
	lapic_page_write(&l, APIC_EOI, 4, 0);
	pass(NS_PER_S);
	assert_int_equal(lapic_pending(&l), -1); /* once */

	lapic_page_write(&l, APIC_LVT_TIMER, 4, 0x20041); /* periodic starts over from TMICT */
	for (unsigned i = 0; i < 5; i++) {
		pass(16 * NS_PER_MS);
		assert_int_equal(lapic_pending(&l), 0x41);
		lapic_accept(&l, 0x41);
		lapic_page_write(&l, APIC_EOI, 4, 0);
	}
	lapic_page_write(&l, APIC_LVT_TIMER, 4, 0x30041); /* masked */
	pass(16 * NS_PER_MS);
	assert_int_equal(lapic_pending(&l), -1);
	lapic_page_write(&l, APIC_LVT_TIMER, 4, 0x20041);
	lapic_page_write(&l, APIC_TMICT, 4, 0); /* stopped */
	pass(NS_PER_S);
	assert_int_equal(lapic_pending(&l), -1);

	lapic_page_write(&l, APIC_LVT_TIMER, 4, 0x40042); /* deadline */
	lapic_page_write(&l, APIC_TMICT, 4, 1000);
	pass(NS_PER_S);
	assert_int_equal(lapic_pending(&l), -1); /* TMICT means nothing */
	lapic_timer_set_deadline(&l, arch_tsc() - 1); /* past */
	assert_int_equal(lapic_pending(&l), 0x42);
	lapic_timer_stop(&l);
}

static int setup(void **state)
{
	(void)state;
	host_init();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_off),
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_timer),
	};

	return cmocka_run_group_tests_name("lapic", tests, setup, NULL);
}
