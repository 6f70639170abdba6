/* SPDX-License-Identifier: BSD-2-Clause */
#include "sysfs.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

ssize_t sysfs_read(char *buf, size_t size, const char *format, ...)
{
	char path[256];
	va_list ap;
	ssize_t n, done = 0;
	int fd;

	va_start(ap, format);
	vsnprintf(path, sizeof(path), format, ap);
	va_end(ap);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return -1;
	while ((n = read(fd, buf + done, size - 1 - (size_t)done)) > 0)
		done += n;
	close(fd);
	buf[done] = '\0';
	return done;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

unsigned sysfs_list(const char *dir, char (*out)[SYSFS_NAME], unsigned max)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	unsigned n = 0;

	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.' && strlen(e->d_name) < SYSFS_NAME && n < max)
			strcpy(out[n++], e->d_name);
	if (d)
		closedir(d);
	qsort(out, n, SYSFS_NAME, by_name);
	return n;
}
