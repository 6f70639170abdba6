/* SPDX-License-Identifier: GPL-2.0-only */
/* The command line, and the log that its complaints go to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kernel/log.h"
#include "kernel/options.h"
#include "tests/host/host.h"

static char sunk[200000];
static size_t sunk_len;

static void sink(const char *s, size_t n)
{
	if (sunk_len + n < sizeof(sunk)) {
		memcpy(sunk + sunk_len, s, n);
		sunk_len += n;
		sunk[sunk_len] = 0;
	}
}

static bool said(const char *what)
{
	return strstr(sunk, what) != NULL;
}

static void parse(const char *line)
{
	static char buf[4096];

	strcpy(buf, line);
	sunk_len = 0;
	sunk[0] = 0;
	options_init(buf);
}

static void test_words(void **state)
{
	char *const *args;

	(void)state;
	parse(" quiet  vfio-pci.ids=8086:10d3\tname=\"two words\" back\\ slash=a\\\"b\\\\ empty= a=b=c x=1 x=2 "
	      "\"quoted=name\"=v -- prog \"an arg\" -- a=b \"\"");
	assert_string_equal(option_get("quiet"), "");
	assert_string_equal(option_get("vfio_pci.ids"), "8086:10d3");
	assert_string_equal(option_get("name"), "two words");
	assert_string_equal(option_get("back slash"), "a\"b\\");
	assert_string_equal(option_get("empty"), "");
	assert_string_equal(option_get("a"), "b=c");
	assert_string_equal(option_get("x"), "2");
	assert_string_equal(option_get("quoted=name"), "v");
	assert_null(option_get("prog"));
	args = options_program_args();
	assert_string_equal(args[0], "prog");
	assert_string_equal(args[1], "an arg");
	assert_string_equal(args[2], "--");
	assert_string_equal(args[3], "a=b");
	assert_string_equal(args[4], "");
	assert_null(args[5]);
	parse("a \"--\" b");
	assert_null(options_program_args()[0]);
	assert_string_equal(option_get("b"), "");
	parse("");
	assert_null(option_get("a"));
	assert_null(options_program_args()[0]);
	parse("open=\"no end");
	assert_string_equal(option_get("open"), "no end");
	parse("end\\");
	assert_string_equal(option_get("end\\"), "");
}

static void test_values(void **state)
{
	(void)state;
	parse("t f=n on=on bad=perhaps n=0x10 k=4K m=3M g=2g junk=12x neg=-1 big=99999999999G none");
	assert_true(option_bool("t", false));
	assert_false(option_bool("f", true));
	assert_true(option_bool("on", false));
	assert_true(option_bool("absent", true));
	assert_true(option_bool("bad", true));
	assert_true(said("bad=perhaps"));
	assert_int_equal(option_u64("n", 1), 16);
	assert_int_equal(option_u64("k", 1), 4096);
	assert_int_equal(option_u64("m", 1), 3 << 20);
	assert_int_equal(option_u64("g", 1), 2ull << 30);
	assert_int_equal(option_u64("absent", 7), 7);
	assert_int_equal(option_u64("junk", 7), 7);
	assert_int_equal(option_u64("neg", 7), 7);
	assert_int_equal(option_u64("big", 7), 7);
	assert_int_equal(option_u64("none", 7), 7);
	assert_true(said("junk=12x"));
	parse("known unknown=1");
	assert_non_null(option_get("known"));
	options_report_unused();
	assert_true(said("\"unknown\""));
	assert_false(said("\"known\""));
}

static void test_limits(void **state)
{
	char line[4096] = "";

	(void)state;
	for (unsigned i = 0; i < 300; i++)
		strcat(line, i == 200 ? " --" : " w");
	parse(line);
	assert_true(said("more than 128 options"));
	assert_true(said("more than 64 arguments"));
	assert_null(options_program_args()[64]);
}

static void test_log(void **state)
{
	char text[4096];
	char line[1000];
	u64 pos = 0;
	size_t n, total = 0;

	(void)state;
	parse("loglevel=5");
	log_info("not for the sinks");
	log_warn("a\nb\033[2J");
	assert_false(said("not for"));
	assert_true(said("a b [2J\n"));
	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = 0;
	sunk_len = 0;
	log_err("%s", line);
	assert_true(sunk_len <= 512 && sunk[sunk_len - 1] == '\n');
	for (unsigned i = 0; i < 5000; i++)
		log_info("line %u", i); /* over the end of the ring, several times */
	while ((n = log_read(&pos, text, sizeof(text) - 1))) {
		total += n;
		text[n] = 0;
	}
	assert_int_equal(total, 65536);
	assert_non_null(strstr(text, "line 4999\n"));
	sunk_len = 0;
	log_dump_tail(3);
	assert_true(said("line 4999\n") && said("line 4997\n") && !said("line 4996\n"));
	assert_int_equal(sunk[0], '[');
	parse("");
}

static int setup(void **state)
{
	(void)state;
	host_init();
	log_add_sink(sink);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_log),
	};

	return cmocka_run_group_tests_name("options and log", tests, setup, NULL);
}
