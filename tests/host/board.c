/* SPDX-License-Identifier: GPL-2.0-only */
/* The board of the host side: serial lines that remember, and the ways in which a machine ends. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/log.h"
#include "tests/host/host.h"

#define EXIT_PANIC 113
#define SERIAL_CAP 65536

const char *host_serial_input[4];

static char serial[4][SERIAL_CAP];
static size_t serial_len[4];
static bool in_child;
static int child_pipe = -1;

static void die(const char *what)
{
	fprintf(stderr, "host: %s\n", what);
	abort();
}

static int run_child(void (*fn)(void *arg), void *arg, int *code)
{
	int fds[2], status = 0;
	pid_t pid;

	*code = -1;
	if (pipe(fds))
		die("no pipe");
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		in_child = true;
		child_pipe = fds[1];
		fn(arg);
		_exit(0);
	}
	close(fds[1]);
	if (read(fds[0], code, sizeof(*code)) != sizeof(*code))
		*code = -1;
	close(fds[0]);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		die("no child process");
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool host_panics(void (*fn)(void *arg), void *arg)
{
	int code;

	return run_child(fn, arg, &code) == EXIT_PANIC;
}

int host_poweroff_code(void (*fn)(void *arg), void *arg)
{
	int code;

	run_child(fn, arg, &code);
	return code;
}

static void print_log(void)
{
	char text[4096];
	u64 pos = 0;
	size_t n;

	while ((n = log_read(&pos, text, sizeof(text))))
		fwrite(text, 1, n, stderr);
}

void arch_panic(void)
{
	if (in_child)
		_exit(EXIT_PANIC);
	fflush(NULL);
	print_log();
	abort();
}

void arch_on_panic(void (*fn)(void))
{
	(void)fn;
}

void arch_poweroff(int code)
{
	if (in_child && write(child_pipe, &code, sizeof(code)) == sizeof(code))
		_exit(0);
	die("arch_poweroff outside host_poweroff_code()");
	abort();
}

void arch_set_debug_exit(u16 port)
{
	(void)port;
}

void arch_init_early(struct handover *ho)
{
	(void)ho;
}

void arch_init(void)
{
}

void arch_start_cpus(void)
{
}

void arch_serial_write(unsigned n, const char *s, size_t len)
{
	size_t room = SERIAL_CAP - 1 - serial_len[n];

	len = MIN(len, room);
	memcpy(serial[n] + serial_len[n], s, len);
	serial_len[n] += len;
}

size_t arch_serial_read(unsigned n, char *buf, size_t cap)
{
	size_t len = host_serial_input[n] ? MIN(strlen(host_serial_input[n]), cap) : 0;

	if (len)
		memcpy(buf, host_serial_input[n], len);
	host_serial_input[n] += len;
	return len;
}

const char *host_serial_output(unsigned n)
{
	return serial[n];
}

void arch_describe(char *buf, size_t n)
{
	snprintf(buf, n, "host");
}
