/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pci_report [groups] [chipset] [vfs=N]: what /sys and VFIO tell of a machine's PCI devices, as text that is
 * equal on Linux and on Postern: IOMMU groups as sets of functions (numbers are nobody's promise) with
 * their reserved regions and usable IOVA ranges, and of each function ids, BARs, reset methods,
 * capability lists, regions, interrupts and the config space that a VFIO user sees.  Every line
 * names its function first, a group's by its lowest.  Host, ISA and other bridges are not opened:
 * Postern hands none out.  "groups" leaves out everything but the groups, and only "chipset" tells the
 * functions that every q35 has, too; vfs=N first switches N virtual functions on wherever there are
 * some.  Exit status 1: something that must work did not.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/sysfs.h"

#define DEVICES "/sys/bus/pci/devices"
#define GROUPS "/sys/kernel/iommu_groups"
#define MAX_FUNCTIONS 1024
#define CONFIG_SIZE 4096

static char names[MAX_FUNCTIONS][SYSFS_NAME];
static unsigned nnames;
static bool groups_only, with_chipset;
static int status;

/* A line about a function, or about its group. */
static void line(const char *name, const char *format, ...)
{
	va_list ap;

	printf("%s ", name);
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	printf("\n");
}

/* Words to be said in one line. */
static struct {
	char text[4096];
	size_t len;
} words;

static void word(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	if (words.len < sizeof(words.text))
		words.len += (size_t)vsnprintf(words.text + words.len, sizeof(words.text) - words.len, format, ap);
	va_end(ap);
}

static void say_words(const char *name, const char *what)
{
	line(name, "%s%s", what, words.len ? words.text : " none");
	words.len = 0;
}

static void complain(const char *name, const char *what)
{
	line(name, "FAIL %s: %s", what, strerror(errno));
	status = 1;
}

static bool is_bridge(const char *name)
{
	char text[32];

	return sysfs_read(text, sizeof(text), DEVICES "/%s/class", name) > 0 && !strncmp(text, "0x06", 4);
}

static bool wanted(const char *name)
{
	return !groups_only && (with_chipset || (strcmp(name, "0000:00:00.0") && strncmp(name, "0000:00:1f.", 11)));
}

static unsigned get(const unsigned char *c, unsigned off, unsigned size)
{
	unsigned v = 0;

	memcpy(&v, c + off, size);
	return v;
}

/* Ids, offsets and versions, in list order. */
static void capabilities(const char *name, const unsigned char *c, unsigned size)
{
	unsigned at, steps;

	if (get(c, PCI_STATUS, 2) & PCI_STATUS_CAP_LIST)
		for (at = c[PCI_CAPABILITY_LIST] & ~3u, steps = 0; at >= 0x40 && steps < 48; at = c[at + 1] & ~3u, steps++)
			word(" %02x@%02x", c[at], at);
	say_words(name, "capabilities");
	if (size > 0x100 && get(c, 0x100, 4))
		for (at = 0x100, steps = 0; at >= 0x100 && steps < 480; at = get(c, at, 4) >> 20 & ~3u, steps++)
			word(" %04x.%x@%03x", get(c, at, 2), c[at + 2] & 0xfu, at);
	say_words(name, size > 0x100 ? "extended" : "conventional");
}

static void bars(const char *name)
{
	char text[2048], *p = text;
	unsigned long long start, end, flags;

	if (sysfs_read(text, sizeof(text), DEVICES "/%s/resource", name) <= 0) {
		complain(name, "resource");
		return;
	}
	/* The ROM is line 6; what follows is bridge windows and those of virtual functions. */
	for (unsigned i = 0; i <= 6 && p; i++) {
		if (sscanf(p, "%llx %llx %llx", &start, &end, &flags) == 3 && flags)
			line(name, "bar %u 0x%llx size 0x%llx flags 0x%llx", i, start, end - start + 1, flags);
		p = strchr(p, '\n');
		p = p ? p + 1 : NULL;
	}
}

static void function_sysfs(const char *name)
{
	static const char *const ids[] = { "vendor", "device", "subsystem_vendor", "subsystem_device", "class", "revision" };
	static unsigned char config[CONFIG_SIZE + 1];
	char text[256];
	ssize_t n;

	for (unsigned i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		n = sysfs_read(text, sizeof(text), DEVICES "/%s/%s", name, ids[i]);
		word(" %.*s", n < 0 ? 1 : (int)strcspn(text, "\n"), n < 0 ? "-" : text);
	}
	say_words(name, "ids");
	n = sysfs_read(text, sizeof(text), DEVICES "/%s/reset_method", name);
	line(name, "reset %.*s", n > 0 ? (int)strcspn(text, "\n") : 4, n > 0 ? text : "none");
	bars(name);
	n = sysfs_read((char *)config, sizeof(config), DEVICES "/%s/config", name);
	if (n < 64)
		complain(name, "config");
	else
		capabilities(name, config, (unsigned)n);
}

static void irqs(int fd, const char *name, unsigned count)
{
	struct vfio_irq_info q = { .argsz = sizeof(q) };

	for (q.index = 0; q.index < count; q.index++)
		if (!ioctl(fd, VFIO_DEVICE_GET_IRQ_INFO, &q))
			line(name, "irq %u count %u flags 0x%x", q.index, q.count, q.flags);
		else if (errno != EINVAL)
			complain(name, "GET_IRQ_INFO");
}

static void regions(int fd, const char *name, unsigned count)
{
	union {
		struct vfio_region_info info;
		char room[1024];
	} r;

	for (unsigned i = 0; i < count; i++) {
		memset(&r, 0, sizeof(r));
		r.info.argsz = sizeof(r);
		r.info.index = i;
		if (ioctl(fd, VFIO_DEVICE_GET_REGION_INFO, &r.info)) {
			if (errno != EINVAL)
				complain(name, "GET_REGION_INFO");
			continue;
		}
		if (!r.info.size)
			continue;
		word(" %u size 0x%llx flags 0x%x", i, (unsigned long long)r.info.size, r.info.flags);
		for (unsigned at = r.info.flags & VFIO_REGION_INFO_FLAG_CAPS ? r.info.cap_offset : 0; at;
		     at = ((struct vfio_info_cap_header *)(r.room + at))->next)
			word(" capability %u", ((struct vfio_info_cap_header *)(r.room + at))->id);
		say_words(name, "region");
	}
}

/* Config space as VFIO shows it, 32 bytes a line, lines of zeroes left out. */
static void config_dump(int fd, const char *name)
{
	static unsigned char c[CONFIG_SIZE];
	static const unsigned char zeroes[32];
	struct vfio_region_info r = { .argsz = sizeof(r), .index = VFIO_PCI_CONFIG_REGION_INDEX };

	if (ioctl(fd, VFIO_DEVICE_GET_REGION_INFO, &r) || r.size > CONFIG_SIZE ||
	    pread(fd, c, r.size, (off_t)r.offset) != (ssize_t)r.size) {
		complain(name, "config read through VFIO");
		return;
	}
	for (unsigned at = 0; at < r.size; at += sizeof(zeroes)) {
		if (!memcmp(c + at, zeroes, sizeof(zeroes)))
			continue;
		for (unsigned i = 0; i < sizeof(zeroes); i += 4)
			word(" %08x", get(c, at + i, 4));
		line(name, "config %03x:%s", at, words.text);
		words.len = 0;
	}
}

static void function_vfio(int group, const char *name)
{
	struct vfio_device_info d = { .argsz = sizeof(d) };
	int fd = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, name);

	if (fd < 0) {
		line(name, "GET_DEVICE_FD errno %d", errno);
		return;
	}
	if (ioctl(fd, VFIO_DEVICE_GET_INFO, &d))
		complain(name, "GET_INFO");
	line(name, "device flags 0x%x", d.flags);
	regions(fd, name, d.num_regions);
	irqs(fd, name, d.num_irqs);
	config_dump(fd, name);
	close(fd);
}

static void iova(int container, const char *name)
{
	union {
		struct vfio_iommu_type1_info info;
		char room[4096];
	} u = { .info = { .argsz = sizeof(u) } };

	if (ioctl(container, VFIO_IOMMU_GET_INFO, &u.info)) {
		complain(name, "IOMMU_GET_INFO");
		return;
	}
	word(" 0x%llx", (unsigned long long)u.info.iova_pgsizes);
	for (unsigned at = u.info.flags & VFIO_IOMMU_INFO_CAPS ? u.info.cap_offset : 0; at;
	     at = ((struct vfio_info_cap_header *)(u.room + at))->next) {
		struct vfio_iommu_type1_info_cap_iova_range *r = (void *)(u.room + at);

		if (r->header.id != VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE)
			continue;
		for (unsigned i = 0; i < r->nr_iovas; i++)
			word(" 0x%llx-0x%llx", (unsigned long long)r->iova_ranges[i].start,
			     (unsigned long long)r->iova_ranges[i].end);
	}
	say_words(name, "group pages and iova");
}

static void group_vfio(int id, char (*member)[SYSFS_NAME], unsigned n)
{
	struct vfio_group_status s = { .argsz = sizeof(s) };
	int container, group;
	char path[64];

	snprintf(path, sizeof(path), "/dev/vfio/%d", id);
	group = open(path, O_RDWR);
	if (group < 0) {
		line(member[0], "group open errno %d", errno);
		return;
	}
	container = open("/dev/vfio/vfio", O_RDWR);
	if (ioctl(group, VFIO_GROUP_GET_STATUS, &s))
		complain(member[0], "GET_STATUS");
	line(member[0], "group status 0x%x", s.flags);
	if (ioctl(group, VFIO_GROUP_SET_CONTAINER, &container)) {
		line(member[0], "group SET_CONTAINER errno %d", errno);
	} else if (ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU)) {
		line(member[0], "group SET_IOMMU errno %d", errno);
	} else {
		iova(container, member[0]);
		for (unsigned i = 0; i < n; i++)
			if (wanted(member[i]) && !is_bridge(member[i]))
				function_vfio(group, member[i]);
	}
	close(group);
	close(container);
}

/* The group of a function, told at its first member. */
static void group_report(const char *name)
{
	static char member[MAX_FUNCTIONS][SYSFS_NAME];
	char path[128], text[4096], *p;
	bool bridges = true;
	unsigned n;
	int id;

	snprintf(path, sizeof(path), DEVICES "/%s/iommu_group", name);
	memset(text, 0, sizeof(text));
	if (readlink(path, text, sizeof(text) - 1) <= 0 || !strrchr(text, '/')) {
		line(name, "group none");
		return;
	}
	id = atoi(strrchr(text, '/') + 1);
	snprintf(path, sizeof(path), GROUPS "/%d/devices", id);
	n = sysfs_list(path, member, MAX_FUNCTIONS);
	if (!n || strcmp(member[0], name))
		return;
	for (unsigned i = 0; i < n; i++) {
		word(" %s", member[i]);
		bridges = bridges && is_bridge(member[i]);
	}
	say_words(name, "group");
	if (sysfs_read(text, sizeof(text), GROUPS "/%d/reserved_regions", id) < 0)
		complain(name, "reserved_regions");
	for (p = strtok(text, "\n"); p; p = strtok(NULL, "\n"))
		line(name, "group reserved %s", p);
	if (!bridges)
		group_vfio(id, member, n);
}

static void virtual_functions(const char *count)
{
	char path[128], text[32];

	for (unsigned i = 0; i < nnames; i++) {
		int fd;

		if (sysfs_read(text, sizeof(text), DEVICES "/%s/sriov_totalvfs", names[i]) <= 0 || !atoi(text))
			continue;
		snprintf(path, sizeof(path), DEVICES "/%s/sriov_numvfs", names[i]);
		fd = open(path, O_WRONLY);
		if (fd < 0 || write(fd, count, strlen(count)) < 0)
			complain(names[i], "sriov_numvfs");
		else
			line(names[i], "virtual functions %s of %d", count, atoi(text));
		close(fd);
	}
	nnames = sysfs_list(DEVICES, names, MAX_FUNCTIONS);
}

int main(int argc, char **argv)
{
	nnames = sysfs_list(DEVICES, names, MAX_FUNCTIONS);
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "groups"))
			groups_only = true;
		else if (!strcmp(argv[i], "chipset"))
			with_chipset = true;
		else if (!strncmp(argv[i], "vfs=", 4))
			virtual_functions(argv[i] + 4);
	}
	for (unsigned i = 0; i < nnames; i++)
		if (wanted(names[i]))
			function_sysfs(names[i]);
	for (unsigned i = 0; i < nnames; i++)
		group_report(names[i]);
	if (!nnames)
		complain("-", DEVICES);
	return status;
}
