/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * aml_io: what an interpreter of AML gets of the machine by /dev/port and /dev/mem, with the regions of
 * tests/aml/intx.asl in QEMU's Q35: those, what ring 0 keeps although they name it, and nothing once a group was opened.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/check.h"

#define FWCF 0x510 /* selector, data in the byte behind it */
#define HPET 0xfed00000
#define DEVICE "/sys/bus/pci/devices/0000:00:1f.2/iommu_group"

static int port, mem;

static long long got(int fd, uint64_t at, unsigned bytes, uint32_t *v)
{
	*v = 0;
	return pread(fd, v, bytes, (off_t)at) == (ssize_t)bytes ? 0 : -errno;
}

static long long put(int fd, uint64_t at, unsigned bytes, uint32_t v)
{
	return pwrite(fd, &v, bytes, (off_t)at) == (ssize_t)bytes ? 0 : -errno;
}

static bool why_says(const char *what)
{
	char why[256] = "";
	int fd = open("/proc/self/why", O_RDONLY);

	if (fd >= 0 && read(fd, why, sizeof(why) - 1) < 0)
		why[0] = '\0';
	close(fd);
	return strstr(why, what) != NULL;
}

static bool is_device(const char *path, unsigned long number)
{
	struct stat s;

	return !stat(path, &s) && S_ISCHR(s.st_mode) && s.st_rdev == number;
}

int main(void)
{
	char link[256], path[64];
	uint32_t v;
	ssize_t n;

	check_true("/dev/mem is 1:1", is_device("/dev/mem", 0x101));
	check_true("/dev/port is 1:4", is_device("/dev/port", 0x104));
	port = open("/dev/port", O_RDWR);
	mem = open("/dev/mem", O_RDWR);
	need("/dev/port and /dev/mem", port >= 0 && mem >= 0);

	check_equal("a word to a port", put(port, FWCF, 2, 0), 0);
	for (const char *c = "QEMU"; *c; c++) {
		check_equal("a byte from a port", got(port, FWCF + 1, 1, &v), 0);
		check_equal("it is the device's", v, *c);
	}
	check_equal("half outside of a region", got(port, FWCF + 1, 2, &v), -EPERM);
	check_equal("config space by its ports", put(port, 0xcf8, 4, 0x80000000), -EPERM);
	check_true("and why", why_says("port 0xcf8: the board's own"));
	check_equal("a port that no table names", put(port, 0x1234, 1, '!'), -EPERM);

	check_equal("a register in memory", got(mem, HPET, 4, &v), 0);
	check_equal("it is the HPET's", v >> 16, 0x8086);
	check_equal("it is not written", put(mem, HPET + 0x10, 4, 0), -EPERM);
	check_equal("an IOMMU", got(mem, 0xfed90000, 4, &v), -EPERM);
	check_true("and why", why_says("an IOMMU's registers"));
	check_equal("an IOAPIC", got(mem, 0xfec00000, 4, &v), -EPERM);
	check_equal("RAM", got(mem, 0x2000000, 4, &v), -EPERM);
	check_true("and why", why_says(": RAM"));
	check_equal("memory that no table names", got(mem, 0xfed1c000, 4, &v), -EPERM);

	n = readlink(DEVICE, link, sizeof(link) - 1);
	need(DEVICE, n > 0);
	link[n] = '\0';
	snprintf(path, sizeof(path), "/dev/vfio/%.8s", strrchr(link, '/') + 1);
	n = open(path, O_RDWR);
	need(path, n >= 0);
	close((int)n);
	check_equal("a port after a group was opened", got(port, FWCF + 1, 1, &v), -EPERM);
	check_true("and why", why_says("a VFIO group was opened"));
	check_equal("memory after that", got(mem, HPET, 4, &v), -EPERM);
	return check_result();
}
