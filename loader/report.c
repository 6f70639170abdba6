/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the loader says. Progress goes to standard output, whole lines by one write, in order with
 * what the guest prints; errors go to standard error and always say what, which device, why, and
 * what to do. Where the system keeps the reason of a refused call in /proc/self/why (Postern does,
 * Linux does not), it is printed too.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loader/loader.h"

#define WHY_PATH	"/proc/self/why"

static void fd_write(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t done = write(fd, text, len);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return;		/* nobody listens: nothing sensible is left to do */
		text += done;
		len -= (size_t)done;
	}
}

void output_write(const char *text, size_t len)
{
	fd_write(STDOUT_FILENO, text, len);
}

void note(const char *fmt, ...)
{
	char line[512];
	va_list args;
	int len;

	len = snprintf(line, sizeof(line), "loader: ");
	va_start(args, fmt);
	vsnprintf(line + len, sizeof(line) - (size_t)len - 1, fmt, args);
	va_end(args);
	strcat(line, "\n");
	serial_flush();
	output_write(line, strlen(line));
}

/* The reason, with its cure, that the system gives for the last refused call; false if it has none. */
static bool why_print(void)
{
	char text[1024];
	char out[1100];
	ssize_t len;
	int fd = open(WHY_PATH, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	len = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (len <= 0)
		return false;
	text[len] = '\0';
	for (char *save, *line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		snprintf(out, sizeof(out), "  why: %s\n", line);
		fd_write(STDERR_FILENO, out, strlen(out));
	}
	return true;
}

void fail(const char *cure, const char *fmt, ...)
{
	int error = errno;
	char line[768];
	va_list args;
	size_t len;

	len = (size_t)snprintf(line, sizeof(line), "loader: ");
	va_start(args, fmt);
	vsnprintf(line + len, sizeof(line) - len, fmt, args);
	va_end(args);
	len = strlen(line);
	if (error)
		snprintf(line + len, sizeof(line) - len, ": %s", strerror(error));
	serial_flush();
	fd_write(STDERR_FILENO, line, strlen(line));
	fd_write(STDERR_FILENO, "\n", 1);
	/* The system's reason is exact where ours is general. */
	if (error && why_print())
		cure = NULL;
	if (cure) {
		snprintf(line, sizeof(line), "  do:  %s\n", cure);
		fd_write(STDERR_FILENO, line, strlen(line));
	}
	exit(1);
}
