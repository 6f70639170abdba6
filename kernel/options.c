/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The command line.  Words are cut and unquoted in place; names are compared as Linux does, with
 * '-' and '_' equal.  Single-threaded until the first program runs, read-only afterwards (the `used`
 * marks aside).
 */
#include <stdlib.h>

#include "kernel/log.h"
#include "kernel/options.h"

#define OPTIONS_MAX 128u
#define PROGRAM_ARGS_MAX 64u

struct option {
	const char *name, *value; /* value: "" when the name stands alone */
	bool used;
};
static struct option options[OPTIONS_MAX];
static unsigned noptions;
static char *program_args[PROGRAM_ARGS_MAX + 1];

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/*
 * Cut the next word out of *at, without its quotes and backslashes; NULL at the end. *raw_dashes
 * tells a bare `--` from a quoted one. *equals: the first unquoted '=', NULL if none.
 */
static char *next_word(char **at, bool *raw_dashes, char **equals)
{
	char *in = *at, *start, *out;
	bool quoted = false;

	while (is_space(*in))
		in++;
	if (!*in)
		return NULL;
	*raw_dashes = in[0] == '-' && in[1] == '-' && (!in[2] || is_space(in[2]));
	*equals = NULL;
	for (start = out = in; *in && (quoted || !is_space(*in)); in++) {
		if (*in == '"') {
			quoted = !quoted;
			continue;
		}
		if (*in == '\\' && in[1])
			in++;
		else if (*in == '=' && !quoted && !*equals)
			*equals = out;
		*out++ = *in;
	}
	*at = *in ? in + 1 : in;
	*out = '\0';
	return start;
}

void options_init(char *cmdline)
{
	char *at = cmdline, *word, *equals;
	bool program = false, dashes;
	unsigned nargs = 0;

	memset(program_args, 0, sizeof(program_args));
	noptions = 0;
	while ((word = next_word(&at, &dashes, &equals))) {
		if (program) {
			if (nargs < PROGRAM_ARGS_MAX)
				program_args[nargs++] = word;
			else
				log_warn("command line: more than %u arguments for the program: "
					 "\"%s\" is left out", PROGRAM_ARGS_MAX, word);
			continue;
		}
		if (dashes) {
			program = true;
			continue;
		}
		if (noptions == OPTIONS_MAX) {
			log_warn("command line: more than %u options: \"%s\" is left out",
				 OPTIONS_MAX, word);
			continue;
		}
		if (equals)
			*equals++ = '\0';
		options[noptions++] = (struct option){ word, equals ? equals : "", false };
	}
	log_set_level((int)option_u64("loglevel", 7));
}

static bool same_name(const char *a, const char *b)
{
	for (;; a++, b++) {
		char x = *a == '-' ? '_' : *a, y = *b == '-' ? '_' : *b;

		if (x != y)
			return false;
		if (!x)
			return true;
	}
}

const char *option_get(const char *name)
{
	const char *value = NULL;

	for (unsigned i = 0; i < noptions; i++) {
		if (!same_name(options[i].name, name))
			continue;
		options[i].used = true;
		value = options[i].value;
	}
	return value;
}

bool option_bool(const char *name, bool preset)
{
	static const char *const yes[] = { "", "y", "Y", "1", "on", "yes" };
	static const char *const no[] = { "n", "N", "0", "off", "no" };
	const char *value = option_get(name);

	if (!value)
		return preset;
	for (unsigned i = 0; i < ARRAY_SIZE(yes); i++)
		if (!strcmp(value, yes[i]))
			return true;
	for (unsigned i = 0; i < ARRAY_SIZE(no); i++)
		if (!strcmp(value, no[i]))
			return false;
	log_warn("command line: %s=%s is neither yes nor no; taken as %s", name, value,
		 preset ? "yes" : "no");
	return preset;
}

u64 option_u64(const char *name, u64 preset)
{
	static const char units[] = "KkMmGg";
	const char *value = option_get(name), *unit;
	unsigned shift = 0;
	char *end;
	u64 n;

	if (!value)
		return preset;
	n = strtoull(value, &end, 0);
	unit = *end ? strchr(units, *end) : NULL;
	if (unit) {
		shift = 10 * (unsigned)((unit - units) / 2 + 1);
		end++;
	}
	if (*end || value[0] < '0' || value[0] > '9' || (n << shift) >> shift != n) {
		log_warn("command line: %s=%s is not a number; %llu is used", name, value,
			 (unsigned long long)preset);
		return preset;
	}
	return n << shift;
}

char *const *options_program_args(void)
{
	return program_args;
}

void options_report_unused(void)
{
	for (unsigned i = 0; i < noptions; i++)
		if (!options[i].used)
			log_warn("command line: nobody knows the option \"%s\"", options[i].name);
}
