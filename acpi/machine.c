/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What AML gets of the machine: /dev/port, /dev/mem (to be read) and PCI configuration space (to be read). The kernel checks
 * each access against the operation regions that the tables name; what it refuses is said on stderr with its reason.
 *
 * Firmware's memory is not written (EROFS): what AML stores there is kept here, byte by byte, and AML reads it back.
 * Only SMIs would see it, and AML cannot raise any.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "acpi_routes.h"

#define KEPT_MAX 4096

static struct { uint64_t at; uint8_t value; } kept[KEPT_MAX];
static unsigned nkept;

/* One access; 0 or errno. */
static int file_access(const char *path, uint64_t at, unsigned bytes, uint64_t *value, bool write)
{
	int fd = open(path, (write ? O_WRONLY : O_RDONLY) | O_CLOEXEC), err = 0;
	ssize_t n = -1;

	if (fd >= 0)
		n = write ? pwrite(fd, value, bytes, (off_t)at) : pread(fd, value, bytes, (off_t)at);
	if (n != (ssize_t)bytes)
		err = n < 0 ? errno : EIO;
	if (fd >= 0)
		close(fd);
	return err;
}

static void refused(const char *what, uint64_t at, int err, bool write)
{
	char why[256] = "";
	int fd = open("/proc/self/why", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, why, sizeof(why) - 1) : 0;

	if (fd >= 0)
		close(fd);
	why[n > 0 ? n : 0] = '\0';
	why[strcspn(why, "\n")] = '\0';
	fprintf(stderr, "AML may not %s %s 0x%llx: %s%s%s\n", write ? "write" : "read", what, (unsigned long long)at, strerror(err),
		why[0] ? ": " : "", why);
}

bool pci_config_read(unsigned segment, unsigned bus, unsigned device, unsigned function, unsigned reg, unsigned bytes,
		     uint64_t *value)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%04x:%02x:%02x.%x/config", segment, bus, device, function);
	*value = 0;
	return bytes <= sizeof(*value) && !file_access(path, reg, bytes, value, false);
}

bool machine_port(uint64_t port, unsigned bytes, uint64_t *value, bool write)
{
	int err = file_access("/dev/port", port, bytes, value, write);

	if (err)
		refused("port", port, err, write);
	return !err;
}

/* Into what is kept; false: no room. */
static bool keep(uint64_t at, uint8_t value)
{
	unsigned i = 0;

	while (i < nkept && kept[i].at != at)
		i++;
	if (i == KEPT_MAX)
		return false;
	nkept += i == nkept;
	kept[i].at = at;
	kept[i].value = value;
	return true;
}

static bool memory_access(uint64_t at, unsigned bytes, uint8_t *value, bool write)
{
	uint64_t v = 0;
	int err;

	memcpy(&v, value, write ? bytes : 0);
	err = file_access("/dev/mem", at, bytes, &v, write);
	for (unsigned i = 0; write && err == EROFS && i < bytes; i++)
		if (!keep(at + i, value[i]))
			err = ENOSPC;
	if (err && !(write && err == EROFS)) {
		refused("memory", at, err, write);
		return false;
	}
	if (!write)
		memcpy(value, &v, bytes);
	for (unsigned i = 0; !write && i < nkept; i++)
		if (kept[i].at >= at && kept[i].at - at < bytes)
			value[kept[i].at - at] = kept[i].value;
	return true;
}

bool machine_memory(uint64_t at, unsigned bytes, uint64_t *value, bool write)
{
	uint8_t *v = (uint8_t *)value;

	*value = write ? *value : 0;
	if (bytes == 8)
		return memory_access(at, 4, v, write) && memory_access(at + 4, 4, v + 4, write);
	return memory_access(at, bytes, v, write);
}
