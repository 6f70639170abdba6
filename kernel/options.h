/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The command line, Linux style: `name` or `name=value` words, double quotes and backslash escapes,
 * and everything after ` -- ` for the first program.
 */
#ifndef KERNEL_OPTIONS_H
#define KERNEL_OPTIONS_H

#include "kernel/base.h"

/* Parses in place (the text is kept). Unknown names are reported by options_report_unused(). */
void options_init(char *cmdline);
/* Last value given for name; "" when the name stands alone; NULL when absent. */
const char *option_get(const char *name);
bool option_bool(const char *name, bool preset); /* y n 1 0 on off, or alone = true */
u64 option_u64(const char *name, u64 preset);    /* C number with optional K M G */
/* Words after ` -- `, NULL-terminated. */
char *const *options_program_args(void);
void options_report_unused(void);

#endif
