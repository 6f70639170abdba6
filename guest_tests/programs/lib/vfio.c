/* SPDX-License-Identifier: BSD-2-Clause */
#include "vfio.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"

int vfio_group_of(const char *name)
{
	char path[128], target[256];
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", name);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return -1;
	target[n] = '\0';
	return atoi(strrchr(target, '/') + 1);
}

static unsigned attribute(const char *name, const char *which)
{
	char path[128];
	unsigned v = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", name, which);
	f = fopen(path, "r");
	if (!f || fscanf(f, "%x", &v) != 1)
		v = 0;
	if (f)
		fclose(f);
	return v;
}

const char *vfio_find(uint16_t vendor, uint16_t device)
{
	static char best[16];
	DIR *d = opendir("/sys/bus/pci/devices");
	struct dirent *e;

	best[0] = '\0';
	while (d && (e = readdir(d))) {
		if (e->d_name[0] == '.' || attribute(e->d_name, "vendor") != vendor ||
		    attribute(e->d_name, "device") != device)
			continue;
		if (strlen(e->d_name) < sizeof(best) && (!best[0] || strcmp(e->d_name, best) < 0))
			strcpy(best, e->d_name);
	}
	if (d)
		closedir(d);
	return best[0] ? best : NULL;
}

void vfio_open(struct vfio *v, const char *name)
{
	vfio_open_with(v, name, "");
}

void vfio_open_with(struct vfio *v, const char *name, const char *option)
{
	char path[64], full[128];
	int id = name ? vfio_group_of(name) : -1;

	need("the device is there and has an IOMMU group", id >= 0);
	snprintf(v->name, sizeof(v->name), "%s", name);
	v->group_id = (unsigned)id;
	v->container = open("/dev/vfio/vfio", O_RDWR);
	need("open /dev/vfio/vfio", v->container >= 0);
	snprintf(path, sizeof(path), "/dev/vfio/%d", id);
	v->group = open(path, O_RDWR);
	need("open the group", v->group >= 0);
	need("SET_CONTAINER", !ioctl(v->group, VFIO_GROUP_SET_CONTAINER, &v->container));
	need("SET_IOMMU type1v2", !ioctl(v->container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU));
	snprintf(full, sizeof(full), "%s%s", v->name, option);
	v->device = ioctl(v->group, VFIO_GROUP_GET_DEVICE_FD, full);
	need("GET_DEVICE_FD", v->device >= 0);
}

void vfio_close(struct vfio *v)
{
	close(v->device);
	close(v->group);
	close(v->container);
}

int vfio_map(struct vfio *v, void *p, uint64_t iova, uint64_t size, uint32_t flags)
{
	struct vfio_iommu_type1_dma_map m = { .argsz = sizeof(m), .flags = flags, .vaddr = (uintptr_t)p,
					      .iova = iova, .size = size };

	return ioctl(v->container, VFIO_IOMMU_MAP_DMA, &m) ? -errno : 0;
}

int vfio_unmap(struct vfio *v, uint64_t iova, uint64_t size, uint64_t *unmapped)
{
	struct vfio_iommu_type1_dma_unmap u = { .argsz = sizeof(u), .iova = iova, .size = size };

	if (ioctl(v->container, VFIO_IOMMU_UNMAP_DMA, &u))
		return -errno;
	if (unmapped)
		*unmapped = u.size;
	return 0;
}

volatile void *vfio_bar(struct vfio *v, unsigned index, uint64_t *size)
{
	struct vfio_region_info r = { .argsz = sizeof(r), .index = index };
	void *p;

	need("REGION_INFO", !ioctl(v->device, VFIO_DEVICE_GET_REGION_INFO, &r));
	p = mmap(NULL, r.size, PROT_READ | PROT_WRITE, MAP_SHARED, v->device, (off_t)r.offset);
	need("mmap of the BAR", p != MAP_FAILED);
	if (size)
		*size = r.size;
	return p;
}

#define CONFIG_AT(off) (((off_t)VFIO_PCI_CONFIG_REGION_INDEX << 40) + (off))

uint32_t vfio_config_read(struct vfio *v, unsigned off, unsigned size)
{
	uint32_t val = 0;

	need("config read", pread(v->device, &val, size, CONFIG_AT(off)) == (ssize_t)size);
	return val;
}

void vfio_config_write(struct vfio *v, unsigned off, unsigned size, uint32_t val)
{
	need("config write", pwrite(v->device, &val, size, CONFIG_AT(off)) == (ssize_t)size);
}

void vfio_bus_master(struct vfio *v, bool on)
{
	uint32_t command = vfio_config_read(v, 4, 2);

	vfio_config_write(v, 4, 2, on ? command | 4 : command & ~4u);
}

int vfio_set_irqs(struct vfio *v, unsigned index, unsigned start, unsigned count, const int *fds)
{
	char buf[sizeof(struct vfio_irq_set) + 256 * sizeof(int)];
	struct vfio_irq_set *s = (struct vfio_irq_set *)buf;

	s->argsz = sizeof(*s) + count * sizeof(int);
	s->flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
	s->index = index;
	s->start = start;
	s->count = count;
	memcpy(s->data, fds, count * sizeof(int));
	return ioctl(v->device, VFIO_DEVICE_SET_IRQS, s) ? -errno : 0;
}

int vfio_disable_irqs(struct vfio *v, unsigned index)
{
	struct vfio_irq_set s = { .argsz = sizeof(s), .index = index,
				  .flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER };

	return ioctl(v->device, VFIO_DEVICE_SET_IRQS, &s) ? -errno : 0;
}

void *vfio_memory(size_t size)
{
	const size_t align = 2u << 20;
	char *p = mmap(NULL, size + align, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	need("memory", p != MAP_FAILED);
	if (size >= align)
		p = (char *)(((uintptr_t)p + align - 1) & ~(uintptr_t)(align - 1));
	memset(p, 0, size);
	return p;
}

uint64_t vfio_wait(int fd, unsigned ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint64_t n = 0;

	if (poll(&p, 1, (int)ms) == 1 && read(fd, &n, sizeof(n)) != sizeof(n))
		n = 0;
	return n;
}
