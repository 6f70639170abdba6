/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The smallest test frame: a line per case, exit status 1 when one failed.  The programs run on Linux
 * and on Postern unchanged, and must print the same there and here.
 */
#ifndef PROGRAMS_CHECK_H
#define PROGRAMS_CHECK_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern int check_failures;
/* "ok NAME" or "FAIL NAME: got X, expected Y (what /proc/self/why says)". */
void check_equal(const char *name, long long got, long long expected);
static inline void check_true(const char *name, bool ok) { check_equal(name, ok, 1); }
/* For calls that return -1 and set errno: compares 0 or more as 0, failures as -errno. */
#define check_errno(name, call, expected)                                                \
	do {                                                                             \
		long long r_ = (call);                                                   \
		check_equal(name, r_ < 0 ? -errno : 0, expected);                        \
	} while (0)
/* Ends the program with a line when something that the rest stands on failed. */
void need(const char *what, bool ok);
/* For what is known to be another on Linux; it says why there. */
bool check_on_linux(void);
/* Exit status of the whole program. */
int check_result(void);

#endif
