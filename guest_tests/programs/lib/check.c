/* SPDX-License-Identifier: BSD-2-Clause */
#include "check.h"

#include <unistd.h>

int check_failures;

static void print_why(void)
{
	char line[512];
	FILE *f = fopen("/proc/self/why", "r");

	if (!f)
		return;
	if (fgets(line, sizeof(line), f) && line[0] != '\n')
		printf("  why: %s%s", line, strchr(line, '\n') ? "" : "\n");
	fclose(f);
}

void check_equal(const char *name, long long got, long long expected)
{
	if (got == expected) {
		printf("ok %s\n", name);
		return;
	}
	check_failures++;
	printf("FAIL %s: got %lld, expected %lld\n", name, got, expected);
	print_why();
}

void need(const char *what, bool ok)
{
	if (ok)
		return;
	printf("FAIL %s: %s\n", what, strerror(errno));
	print_why();
	exit(1);
}

bool check_on_linux(void)
{
	return access("/proc/self/why", F_OK) != 0;
}

int check_result(void)
{
	printf(check_failures ? "%d failed\n" : "all passed\n", check_failures);
	return check_failures ? 1 : 0;
}
