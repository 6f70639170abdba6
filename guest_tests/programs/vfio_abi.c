/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Containers, groups and type1 mappings: states, errno and order of checks (docs/abi.md 1-3), against
 * QEMU's edu device.  The numbers are what Linux 6.1 answers to this same program.
 */
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/check.h"
#include "lib/vfio.h"

#define RW (VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE)

static struct vfio v;
static char group_path[64];
static uint8_t *mem; /* 4 MiB */

static void container_states(void)
{
	struct vfio_iommu_type1_info info = { .argsz = sizeof(info) };
	int c = open("/dev/vfio/vfio", O_RDWR);

	need("open /dev/vfio/vfio", c >= 0);
	check_equal("API version", ioctl(c, VFIO_GET_API_VERSION), 0);
	check_equal("extension TYPE1", ioctl(c, VFIO_CHECK_EXTENSION, 1), 1);
	check_equal("extension TYPE1v2", ioctl(c, VFIO_CHECK_EXTENSION, 3), 1);
	check_equal("extension UNMAP_ALL", ioctl(c, VFIO_CHECK_EXTENSION, 9), 1);
	check_equal("extension 77", ioctl(c, VFIO_CHECK_EXTENSION, 77), 0);
	check_errno("SET_IOMMU on an empty container", ioctl(c, VFIO_SET_IOMMU, 3), -EINVAL);
	check_errno("GET_INFO on an empty container", ioctl(c, VFIO_IOMMU_GET_INFO, &info), -EINVAL);
	check_errno("unknown ioctl on an empty container", ioctl(c, 0x3bff), -EINVAL);
	check_errno("mmap of a container", mmap(NULL, 4096, PROT_READ, MAP_SHARED, c, 0) == MAP_FAILED ? -1 : 0, -ENODEV);
	check_errno("lseek of a container", lseek(c, 0, SEEK_SET), -ESPIPE);
	close(c);
}

static void group_states(void)
{
	struct vfio_group_status st = { .argsz = sizeof(st) };
	int c = open("/dev/vfio/vfio", O_RDWR), g = open(group_path, O_RDWR), bad = -1, ev = eventfd(0, 0);

	need("open the group", g >= 0);
	check_errno("second open of the group", open(group_path, O_RDWR), -EBUSY);
	check_errno("no such group", open("/dev/vfio/4000", O_RDWR), -ENOENT);
	check_errno("GET_STATUS", ioctl(g, VFIO_GROUP_GET_STATUS, &st), 0);
	check_equal("viable, no container", st.flags, VFIO_GROUP_FLAGS_VIABLE);
	st.argsz = 4;
	check_errno("GET_STATUS argsz 4", ioctl(g, VFIO_GROUP_GET_STATUS, &st), -EINVAL);
	check_errno("GET_STATUS bad pointer", ioctl(g, VFIO_GROUP_GET_STATUS, 8), -EFAULT);
	check_errno("UNSET_CONTAINER without one", ioctl(g, VFIO_GROUP_UNSET_CONTAINER), -EINVAL);
	check_errno("SET_CONTAINER to no descriptor", ioctl(g, VFIO_GROUP_SET_CONTAINER, &bad), -EBADF);
	check_errno("SET_CONTAINER to an eventfd", ioctl(g, VFIO_GROUP_SET_CONTAINER, &ev), -EINVAL);
	check_errno("GET_DEVICE_FD without a container", ioctl(g, VFIO_GROUP_GET_DEVICE_FD, v.name), -EINVAL);
	check_errno("GET_DEVICE_FD of a stranger", ioctl(g, VFIO_GROUP_GET_DEVICE_FD, "0000:00:1e.7"), -ENODEV);
	check_errno("SET_CONTAINER", ioctl(g, VFIO_GROUP_SET_CONTAINER, &c), 0);
	check_errno("SET_CONTAINER twice", ioctl(g, VFIO_GROUP_SET_CONTAINER, &c), -EINVAL);
	check_errno("GET_DEVICE_FD without an IOMMU", ioctl(g, VFIO_GROUP_GET_DEVICE_FD, v.name), -EINVAL);
	check_errno("SET_IOMMU 99", ioctl(c, VFIO_SET_IOMMU, 99), -ENODEV);
	check_errno("SET_IOMMU 9", ioctl(c, VFIO_SET_IOMMU, 9), -EINVAL);
	check_errno("SET_IOMMU type1", ioctl(c, VFIO_SET_IOMMU, 1), 0);
	check_errno("SET_IOMMU again", ioctl(c, VFIO_SET_IOMMU, 1), -EINVAL);
	check_errno("unknown ioctl with an IOMMU", ioctl(c, 0x3bff), -ENOTTY);
	check_errno("unknown ioctl on a group", ioctl(g, 0x3bff), -ENOTTY);
	v.device = ioctl(g, VFIO_GROUP_GET_DEVICE_FD, v.name);
	check_true("GET_DEVICE_FD", v.device >= 0);
	check_equal("device descriptor is close-on-exec", fcntl(v.device, F_GETFD), FD_CLOEXEC);
	check_errno("UNSET_CONTAINER with a device open", ioctl(g, VFIO_GROUP_UNSET_CONTAINER), -EBUSY);
	close(g);
	check_errno("group open while a device is", open(group_path, O_RDWR), -EBUSY);
	close(v.device);
	g = open(group_path, O_RDWR);
	check_true("group opens again after all is closed", g >= 0);
	check_errno("its container is gone", ioctl(g, VFIO_GROUP_UNSET_CONTAINER), -EINVAL);
	check_errno("the old container serves again", ioctl(g, VFIO_GROUP_SET_CONTAINER, &c), 0);
	check_errno("with another type", ioctl(c, VFIO_SET_IOMMU, 3), 0);
	check_errno("UNSET_CONTAINER", ioctl(g, VFIO_GROUP_UNSET_CONTAINER), 0);
	close(g);
	close(c);
	close(ev);
}

struct caps {
	unsigned ids, avail;
	uint64_t first_end, pgsizes;
};

static void read_caps(struct caps *out)
{
	char buf[512] = { 0 };
	struct vfio_iommu_type1_info *info = (void *)buf;

	memset(out, 0, sizeof(*out));
	info->argsz = sizeof(buf);
	need("IOMMU_GET_INFO", !ioctl(v.container, VFIO_IOMMU_GET_INFO, info));
	out->pgsizes = info->iova_pgsizes;
	for (uint32_t at = info->cap_offset; at;) {
		struct vfio_info_cap_header *h = (void *)(buf + at);

		out->ids = out->ids * 10 + h->id;
		if (h->id == VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL)
			out->avail = ((struct vfio_iommu_type1_info_dma_avail *)h)->avail;
		if (h->id == VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE)
			out->first_end = ((struct vfio_iommu_type1_info_cap_iova_range *)h)->iova_ranges[0].end;
		at = h->next;
	}
}

static void type1_info(void)
{
	struct vfio_iommu_type1_info info = { .argsz = 12 };
	struct caps c;

	check_errno("GET_INFO argsz 12", ioctl(v.container, VFIO_IOMMU_GET_INFO, &info), -EINVAL);
	info.argsz = 16;
	check_errno("GET_INFO argsz 16", ioctl(v.container, VFIO_IOMMU_GET_INFO, &info), 0);
	check_true("it says how much it needs", info.argsz > 100);
	read_caps(&c);
	check_equal("capabilities in order", c.ids, 231);
	check_equal("all mappings are free", c.avail, 65535);
	check_equal("the interrupt window is cut out", (long long)c.first_end, 0xfedfffff);
	check_equal("page sizes", (long long)c.pgsizes, 0x40201000);
}

static void type1_map(void)
{
	uint8_t *ro = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct vfio_iommu_type1_dma_map m = { .argsz = 31, .flags = RW };
	struct caps c;

	check_errno("MAP bad pointer", ioctl(v.container, VFIO_IOMMU_MAP_DMA, 8), -EFAULT);
	check_errno("MAP argsz 31", ioctl(v.container, VFIO_IOMMU_MAP_DMA, &m), -EINVAL);
	check_equal("MAP no permission", vfio_map(&v, mem, 0, 4096, 0), -EINVAL);
	check_equal("MAP unknown flag", vfio_map(&v, mem, 0, 4096, RW | 8), -EINVAL);
	check_equal("MAP size 0", vfio_map(&v, mem, 0, 0, RW), -EINVAL);
	check_equal("MAP size 100", vfio_map(&v, mem, 0, 100, RW), -EINVAL);
	check_equal("MAP odd iova", vfio_map(&v, mem, 0x10, 4096, RW), -EINVAL);
	check_equal("MAP odd vaddr", vfio_map(&v, mem + 16, 0, 4096, RW), -EINVAL);
	check_equal("MAP wraps", vfio_map(&v, mem, ~0xfffull, 8192, RW), -EINVAL);
	check_equal("MAP in the interrupt window", vfio_map(&v, mem, 0xfee00000, 4096, RW), -EINVAL);
	check_equal("MAP across its edge", vfio_map(&v, mem, 0xfedff000, 8192, RW), -EINVAL);
	check_equal("MAP beyond the aperture", vfio_map(&v, mem, 1ull << 60, 4096, RW), -EINVAL);
	check_equal("MAP of nothing", vfio_map(&v, (void *)0x7000, 0, 4096, RW), -EFAULT);
	check_equal("MAP write of read-only memory", vfio_map(&v, ro, 0, 4096, RW), -EFAULT);
	check_equal("MAP read of read-only memory", vfio_map(&v, ro, 0, 4096, VFIO_DMA_MAP_FLAG_READ), 0);
	check_equal("MAP again", vfio_map(&v, ro, 0, 4096, VFIO_DMA_MAP_FLAG_READ), -EEXIST);
	check_equal("MAP 2 MiB", vfio_map(&v, mem, 0x200000, 2 << 20, RW), 0);
	check_equal("MAP into its middle", vfio_map(&v, mem, 0x300000, 4096, RW), -EEXIST);
	check_equal("MAP just behind", vfio_map(&v, mem, 0x400000, 4096, RW), 0);
	read_caps(&c);
	check_equal("three mappings are counted", c.avail, 65535 - 3);
}

/* From the state that type1_map left: [0,4K) [2M,4M) [4M,4M+4K). */
static void type1_unmap(void)
{
	struct vfio_iommu_type1_dma_unmap all = { .argsz = sizeof(all), .flags = VFIO_DMA_UNMAP_FLAG_ALL };
	struct vfio_iommu_type1_dma_unmap ixy = { .argsz = sizeof(ixy), .flags = 3, .size = 4096 };
	uint64_t n = 1;

	check_errno("UNMAP flags 3", ioctl(v.container, VFIO_IOMMU_UNMAP_DMA, &ixy), -EINVAL);
	check_equal("UNMAP of a hole", vfio_unmap(&v, 0x10000, 4096, &n), 0);
	check_equal("it unmapped nothing", (long long)n, 0);
	check_equal("UNMAP the middle", vfio_unmap(&v, 0x300000, 4096, &n), -EINVAL);
	check_equal("UNMAP the first half", vfio_unmap(&v, 0x200000, 1 << 20, &n), -EINVAL);
	check_equal("UNMAP the second half", vfio_unmap(&v, 0x300000, 1 << 20, &n), -EINVAL);
	check_equal("UNMAP size 0", vfio_unmap(&v, 0, 0, &n), -EINVAL);
	check_equal("UNMAP wraps", vfio_unmap(&v, ~0xfffull, 8192, &n), -EINVAL);
	check_equal("UNMAP the first two, with the hole", vfio_unmap(&v, 0, 4 << 20, &n), 0);
	check_equal("it says 2 MiB and 4 KiB", (long long)n, (2 << 20) + 4096);
	all.size = 4096;
	check_errno("UNMAP ALL with a size", ioctl(v.container, VFIO_IOMMU_UNMAP_DMA, &all), -EINVAL);
	all.size = 0;
	check_errno("UNMAP ALL", ioctl(v.container, VFIO_IOMMU_UNMAP_DMA, &all), 0);
	check_equal("it says 4 KiB", (long long)all.size, 4096);
}

/* v1 removes whole mappings only, and never fails for a part. */
static void type1_v1(void)
{
	int c = open("/dev/vfio/vfio", O_RDWR), g = open(group_path, O_RDWR), old = v.container;
	uint64_t n = 1;

	need("SET_CONTAINER", !ioctl(g, VFIO_GROUP_SET_CONTAINER, &c));
	need("SET_IOMMU type1", !ioctl(c, VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU));
	v.container = c;
	check_equal("v1: MAP 2 MiB", vfio_map(&v, mem, 0, 2 << 20, RW), 0);
	check_equal("v1: UNMAP the last page", vfio_unmap(&v, (2 << 20) - 4096, 4096, &n), 0);
	check_equal("v1: nothing went", (long long)n, 0);
	check_equal("v1: UNMAP the first page", vfio_unmap(&v, 0, 4096, &n), 0);
	check_equal("v1: the whole mapping went", (long long)n, 2 << 20);
	v.container = old;
	close(g);
	close(c);
}

/* What a program does to its memory after MAP changes nothing that the device holds. */
static void type1_pin(void)
{
	uint8_t *p = vfio_memory(4096);

	check_equal("MAP", vfio_map(&v, p, 0x800000, 4096, RW), 0);
	munmap(p, 4096);
	check_equal("UNMAP after munmap", vfio_unmap(&v, 0x800000, 4096, NULL), 0);
	for (unsigned i = 0; i < 2000; i++)
		if (vfio_map(&v, mem + 4096 * (i % 1024), 0x1000000 + 8192ull * i, 4096, RW))
			check_equal("MAP of many", i, 2000);
	check_equal("UNMAP of many", vfio_unmap(&v, 0x1000000, 8192ull * 2000, NULL), 0);
}

int main(void)
{
	const char *name = vfio_find(0x1234, 0x11e8);

	need("an edu device", name != NULL);
	snprintf(v.name, sizeof(v.name), "%s", name);
	snprintf(group_path, sizeof(group_path), "/dev/vfio/%d", vfio_group_of(name));
	mem = vfio_memory(4 << 20);
	container_states();
	group_states();
	vfio_open(&v, name);
	type1_info();
	type1_map();
	type1_unmap();
	type1_pin();
	vfio_close(&v);
	type1_v1();
	return check_result();
}
