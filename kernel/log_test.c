/* SPDX-License-Identifier: GPL-2.0-only */
/* What programs and guests make us say does not push the rest out of the log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arch/x86/arch.h"
#include "kernel/log.h"

static char text[1 << 17];

static void text_read(void)
{
	u64 pos = 0;

	text[log_read(&pos, text, sizeof(text) - 1)] = 0;
}

static void test_flood(void **state)
{
	(void)state;
	arch_delay_us(1000000 - arch_now_ns() / NS_PER_US % 1000000); /* a second begins */
	log_info("worth keeping");
	for (unsigned i = 0; i < 10000; i++)
		refuse(-1, "refusal %u of a program that asks again and again", i);
	text_read();
	assert_non_null(strstr(text, "worth keeping"));
	assert_non_null(strstr(text, "refusal 0 "));
	assert_non_null(strstr(text, "no more debug lines"));
	assert_null(strstr(text, "refusal 9999 "));
	log_info("not a debug line");
	arch_delay_us(1000000);
	refuse(-1, "the next second");
	text_read();
	assert_non_null(strstr(text, "not a debug line"));
	assert_non_null(strstr(text, "the next second"));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_flood) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
