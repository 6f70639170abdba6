/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host side of passed-through devices: container, groups, the DMA map of guest memory, device
 * files and their regions and interrupts, by the calls of <linux/vfio.h> in the order they want to
 * be made. Guest memory is mapped once, at IOVA = guest-physical address, before any device file is
 * open. Groups stay attached until the process ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "loader/loader.h"

#define CURE_GROUP "every device of the group must belong to a vfio driver, and nobody else use it"

struct group {
	char number[16];
	int fd;
};

static struct group groups[MAX_DEVICES];
static unsigned int group_count;

int vfio_container_open(void)
{
	int fd, version;

	note("opening /dev/vfio/vfio");
	fd = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		fail("an IOMMU that is switched on and a VFIO driver are needed",
		     "cannot open /dev/vfio/vfio");
	version = ioctl(fd, VFIO_GET_API_VERSION);
	errno = 0;
	if (version != VFIO_API_VERSION)
		fail(NULL, "/dev/vfio/vfio has API version %d, %d is needed", version,
		     VFIO_API_VERSION);
	if (ioctl(fd, VFIO_CHECK_EXTENSION, VFIO_TYPE1v2_IOMMU) <= 0)
		fail(NULL, "/dev/vfio/vfio has no type 1 (version 2) IOMMU");
	return fd;
}

/* The number of the device's IOMMU group: the last part of what its link points to. */
static void group_number(const char *bdf, char *number, size_t size)
{
	char path[64], target[256];
	const char *last;
	ssize_t len;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s", bdf);
	if (access(path, F_OK) < 0)
		fail("/sys/bus/pci/devices lists what there is", "no such device: %s", bdf);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", bdf);
	len = readlink(path, target, sizeof(target) - 1);
	if (len < 0)
		fail("an IOMMU must be there and switched on", "%s is in no IOMMU group", bdf);
	target[len] = '\0';
	last = strrchr(target, '/');
	snprintf(number, size, "%.15s", last ? last + 1 : target);
}

static struct group *group_find(const char *number)
{
	for (unsigned int i = 0; i < group_count; i++)
		if (strcmp(groups[i].number, number) == 0)
			return &groups[i];
	return NULL;
}

void vfio_group_attach(int container, const char *bdf, bool first)
{
	struct vfio_group_status status = { .argsz = sizeof(status) };
	struct group *group = &groups[group_count];
	char path[64];

	group_number(bdf, group->number, sizeof(group->number));
	if (group_find(group->number))
		return;
	snprintf(path, sizeof(path), "/dev/vfio/%s", group->number);
	note("opening %s, the group of %s", path, bdf);
	group->fd = open(path, O_RDWR | O_CLOEXEC);
	if (group->fd < 0)
		fail(CURE_GROUP, "%s: cannot open its group %s", bdf, path);
	if (ioctl(group->fd, VFIO_GROUP_GET_STATUS, &status) < 0)
		fail(NULL, "%s: cannot get the state of group %s", bdf, group->number);
	if (!(status.flags & VFIO_GROUP_FLAGS_VIABLE)) {
		errno = EPERM;
		fail(CURE_GROUP, "%s: group %s is not viable", bdf, group->number);
	}
	if (ioctl(group->fd, VFIO_GROUP_SET_CONTAINER, &container) < 0)
		fail(CURE_GROUP, "%s: cannot attach group %s", bdf, group->number);
	group_count++;
	if (first && ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) < 0)
		fail("an IOMMU with interrupt remapping is needed",
		     "%s: the IOMMU cannot be used for group %s", bdf, group->number);
}

void vfio_memory_map(int container, const struct guest_memory *mem)
{
	for (unsigned int i = 0; i < mem->banks; i++) {
		const struct memory_bank *bank = &mem->bank[i];
		struct vfio_iommu_type1_dma_map map = {
			.argsz = sizeof(map),
			.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
			.vaddr = (uintptr_t)bank->host,
			.iova = bank->gpa,
			.size = bank->size,
		};

		note("mapping %llu MiB of guest memory at 0x%llx for the devices",
		     (unsigned long long)(bank->size / MIB), (unsigned long long)bank->gpa);
		if (ioctl(container, VFIO_IOMMU_MAP_DMA, &map) < 0)
			fail(errno == EINVAL ? "the IOMMU's reserved ranges lie in the guest's memory:"
			     " give it less with -m" : "give the guest less with -m",
			     "cannot map 0x%llx-0x%llx for the devices",
			     (unsigned long long)bank->gpa,
			     (unsigned long long)(bank->gpa + bank->size - 1));
	}
}

int vfio_device_open(const char *bdf)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };
	char number[16];
	int fd;

	group_number(bdf, number, sizeof(number));
	note("opening device %s", bdf);
	fd = ioctl(group_find(number)->fd, VFIO_GROUP_GET_DEVICE_FD, bdf);
	if (fd < 0)
		fail("bind it to vfio-pci", "%s: cannot get the device from group %s", bdf, number);
	if (ioctl(fd, VFIO_DEVICE_GET_INFO, &info) < 0)
		fail(NULL, "%s: cannot get information about the device", bdf);
	if (!(info.flags & VFIO_DEVICE_FLAGS_PCI) ||
	    info.num_regions <= VFIO_PCI_CONFIG_REGION_INDEX) {
		errno = 0;
		fail(NULL, "%s: not a PCI device", bdf);
	}
	if (!(info.flags & VFIO_DEVICE_FLAGS_RESET))
		note("%s cannot be reset: the guest finds it as it was left", bdf);
	else if (ioctl(fd, VFIO_DEVICE_RESET) < 0)
		fail(NULL, "%s: cannot reset the device", bdf);
	return fd;
}

/* The areas of a region that may be mapped, where not all of it may. */
static void region_areas(const struct vfio_region_info *info, struct vfio_region *region,
			 const char *bdf)
{
	uint32_t at = info->cap_offset;

	/* The system writes the chain; its links only go forward. */
	while (at >= sizeof(*info) && at + sizeof(struct vfio_info_cap_header) <= info->argsz) {
		const struct vfio_info_cap_header *cap =
			(const void *)((const uint8_t *)info + at);
		const struct vfio_region_info_cap_sparse_mmap *sparse = (const void *)cap;

		if (cap->id == VFIO_REGION_INFO_CAP_SPARSE_MMAP) {
			if (sparse->nr_areas > sizeof(region->area) / sizeof(region->area[0])) {
				errno = 0;
				fail(NULL, "%s: BAR %u is in too many pieces", bdf, info->index);
			}
			for (uint32_t i = 0; i < sparse->nr_areas; i++) {
				region->area[i].offset = sparse->areas[i].offset;
				region->area[i].size = sparse->areas[i].size;
			}
			region->areas = sparse->nr_areas;
			region->mappable = sparse->nr_areas > 0;
		}
		if (cap->next <= at)
			return;
		at = cap->next;
	}
}

void vfio_region_info(int device, const char *bdf, unsigned int index, struct vfio_region *region)
{
	struct vfio_region_info first = { .argsz = sizeof(first), .index = index };
	struct vfio_region_info *info;

	if (ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &first) < 0)
		fail(NULL, "%s: cannot get information about region %u", bdf, index);
	memset(region, 0, sizeof(*region));
	region->offset = first.offset;
	region->size = first.size;
	region->mappable = first.flags & VFIO_REGION_INFO_FLAG_MMAP;
	if (!(first.flags & VFIO_REGION_INFO_FLAG_CAPS) || first.argsz <= sizeof(first))
		return;
	info = calloc(1, first.argsz);
	if (!info)
		fail(NULL, "%s: no memory for region %u", bdf, index);
	info->argsz = first.argsz;
	info->index = index;
	if (ioctl(device, VFIO_DEVICE_GET_REGION_INFO, info) < 0)
		fail(NULL, "%s: cannot get the capabilities of region %u", bdf, index);
	region_areas(info, region, bdf);
	free(info);
}

unsigned int vfio_irq_count(int device, unsigned int index)
{
	struct vfio_irq_info info = { .argsz = sizeof(info), .index = index };

	if (ioctl(device, VFIO_DEVICE_GET_IRQ_INFO, &info) < 0 ||
	    !(info.flags & VFIO_IRQ_INFO_EVENTFD))
		return 0;
	return info.count;
}

void vfio_irqs_set(int device, const char *bdf, unsigned int index, const int *fds,
		   unsigned int count)
{
	size_t size = sizeof(struct vfio_irq_set) + count * sizeof(int32_t);
	struct vfio_irq_set *set = calloc(1, size);
	int result;

	if (!set)
		fail(NULL, "%s: no memory for %u interrupts", bdf, count);
	set->argsz = (uint32_t)size;
	set->flags = VFIO_IRQ_SET_ACTION_TRIGGER |
		     (count ? VFIO_IRQ_SET_DATA_EVENTFD : VFIO_IRQ_SET_DATA_NONE);
	set->index = index;
	set->count = count;
	if (count)
		memcpy(set->data, fds, count * sizeof(int32_t));
	result = ioctl(device, VFIO_DEVICE_SET_IRQS, set);
	free(set);
	if (result > 0)
		errno = ENOSPC;
	if (result != 0)
		fail(NULL, "%s: cannot %s %s", bdf, count ? "enable" : "disable",
		     index == VFIO_PCI_MSIX_IRQ_INDEX ? "MSI-X" : "MSI");
}
