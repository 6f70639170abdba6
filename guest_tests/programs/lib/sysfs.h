/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading small files and directories, those of /sys above all. */
#ifndef PROGRAMS_SYSFS_H
#define PROGRAMS_SYSFS_H

#include <sys/types.h>

#define SYSFS_NAME 16

/* A whole file of fewer than `size` bytes, with a zero byte after it; its length, or -1. */
ssize_t sysfs_read(char *buf, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Entries of a directory with names shorter than SYSFS_NAME, sorted; how many, at most `max`. */
unsigned sysfs_list(const char *dir, char (*out)[SYSFS_NAME], unsigned max);

#endif
