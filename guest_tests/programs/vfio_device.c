/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The device descriptor: info, regions, interrupts, config space, BAR access, mappings that go when
 * decode goes, reset (docs/abi.md 4), against QEMU's NVMe drive.  The numbers are Linux 6.1's.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/check.h"
#include "lib/vfio.h"

static struct vfio v;
static bool more_later; /* MSI-X: Linux from 6.5 */
static volatile uint8_t *bar;
static uint64_t bar_size;

static void infos(void)
{
	struct vfio_device_info d = { .argsz = sizeof(d) };
	struct vfio_region_info r = { .argsz = sizeof(r), .index = VFIO_PCI_CONFIG_REGION_INDEX };
	struct vfio_irq_info q = { .argsz = sizeof(q), .index = VFIO_PCI_MSIX_IRQ_INDEX };

	check_errno("GET_INFO", ioctl(v.device, VFIO_DEVICE_GET_INFO, &d), 0);
	check_equal("PCI with reset", d.flags & 3, 3);
	check_equal("regions", d.num_regions, 9);
	check_equal("interrupts", d.num_irqs, 5);
	d.argsz = 12;
	check_errno("GET_INFO argsz 12", ioctl(v.device, VFIO_DEVICE_GET_INFO, &d), -EINVAL);
	check_errno("REGION_INFO config", ioctl(v.device, VFIO_DEVICE_GET_REGION_INFO, &r), 0);
	check_equal("config size", (long long)r.size, 4096);
	check_equal("config flags", r.flags, 3);
	check_equal("config offset", (long long)r.offset, 7ll << 40);
	r.index = 0;
	check_errno("REGION_INFO BAR0", ioctl(v.device, VFIO_DEVICE_GET_REGION_INFO, &r), 0);
	check_equal("BAR0 flags", r.flags, 0xf);
	check_equal("BAR0 wants room for a capability", r.argsz, 40);
	r.argsz = sizeof(r);
	r.index = 1;
	check_errno("REGION_INFO BAR1", ioctl(v.device, VFIO_DEVICE_GET_REGION_INFO, &r), 0);
	check_equal("upper half has no size", (long long)r.size + r.flags, 0);
	r.index = 8;
	check_errno("REGION_INFO VGA", ioctl(v.device, VFIO_DEVICE_GET_REGION_INFO, &r), -EINVAL);
	r.index = 9;
	check_errno("REGION_INFO 9", ioctl(v.device, VFIO_DEVICE_GET_REGION_INFO, &r), -EINVAL);
	check_errno("IRQ_INFO MSI-X", ioctl(v.device, VFIO_DEVICE_GET_IRQ_INFO, &q), 0);
	more_later = !(q.flags & VFIO_IRQ_INFO_NORESIZE);
	check_equal("MSI-X flags", q.flags & ~VFIO_IRQ_INFO_NORESIZE, VFIO_IRQ_INFO_EVENTFD);
	check_equal("MSI-X vectors", q.count, 65);
	q.index = 5;
	check_errno("IRQ_INFO 5", ioctl(v.device, VFIO_DEVICE_GET_IRQ_INFO, &q), -EINVAL);
	check_errno("unknown ioctl", ioctl(v.device, 0x3bff), -ENOTTY);
}

static int set(uint32_t index, uint32_t start, uint32_t count, uint32_t flags, const void *data, unsigned len)
{
	char buf[64 + sizeof(struct vfio_irq_set)];
	struct vfio_irq_set *s = (void *)buf;

	*s = (struct vfio_irq_set){ .argsz = sizeof(*s) + len, .flags = flags, .index = index, .start = start,
				    .count = count };
	memcpy(s->data, data, len);
	return ioctl(v.device, VFIO_DEVICE_SET_IRQS, s) ? -errno : 0;
}

static void interrupts(void)
{
	const uint32_t fds = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
	const uint32_t none = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER;
	int ev[3] = { eventfd(0, EFD_NONBLOCK), eventfd(0, EFD_NONBLOCK), v.container };
	const uint8_t yes = 1;

	check_equal("index 5", set(5, 0, 0, none, "", 0), -EINVAL);
	check_equal("start beyond", set(2, 65, 0, none, "", 0), -EINVAL);
	check_equal("count wraps", set(2, 1, ~0u, none, "", 0), -EINVAL);
	check_equal("two data types", set(2, 0, 1, fds | 1, ev, 4), -EINVAL);
	check_equal("data too short", set(2, 0, 2, fds, ev, 4), -EINVAL);
	check_equal("no action", set(2, 0, 1, VFIO_IRQ_SET_DATA_EVENTFD, ev, 4), -ENOTTY);
	check_equal("MASK of MSI-X", set(2, 0, 1, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_MASK, "", 0), -ENOTTY);
	check_equal("teardown when off", set(2, 0, 0, none, "", 0), -EINVAL);
	check_equal("enable nothing", set(2, 0, 0, fds, "", 0), -ERANGE);
	check_equal("not an eventfd", set(2, 0, 3, fds, ev, 12), -EINVAL);
	check_equal("it left MSI-X off", set(2, 0, 0, none, "", 0), -EINVAL);
	check_equal("enable two", set(2, 0, 2, fds, ev, 8), 0);
	check_equal("MSI-X is on in config space",
		    vfio_config_read(&v, vfio_config_read(&v, 0x34, 1) + 2, 2) >> 15, 1);
	check_equal("loopback NONE", set(2, 0, 2, none, "", 0), 0);
	check_equal("vector 0 signalled", (long long)vfio_wait(ev[0], 0), 1);
	check_equal("loopback BOOL", set(2, 1, 1, VFIO_IRQ_SET_DATA_BOOL | VFIO_IRQ_SET_ACTION_TRIGGER, &yes, 1), 0);
	check_equal("vector 1 signalled twice", (long long)vfio_wait(ev[1], 0), 2);
	check_equal("a third later, unless NORESIZE", set(2, 2, 1, fds, ev, 4), more_later ? 0 : -EINVAL);
	check_equal("teardown", set(2, 0, 0, none, "", 0), 0);
	check_equal("ERR needs an eventfd first", set(3, 0, 1, none, "", 0), -EINVAL);
	check_equal("ERR eventfd", set(3, 0, 1, fds, ev, 4), 0);
	check_equal("ERR loopback", set(3, 0, 1, none, "", 0), 0);
	check_equal("ERR signalled", (long long)vfio_wait(ev[0], 0), 1);
	close(ev[0]);
	close(ev[1]);
}

static void config_space(void)
{
	uint32_t low = vfio_config_read(&v, 0x10, 4), id = vfio_config_read(&v, 0, 4);
	uint8_t all[4096];

	check_equal("ids", id, 0x00101b36);
	vfio_config_write(&v, 0, 4, 0);
	check_equal("ids are read-only", vfio_config_read(&v, 0, 4), id);
	vfio_config_write(&v, 0x10, 4, ~0u);
	check_equal("BAR sizing", vfio_config_read(&v, 0x10, 4), (uint32_t)~(bar_size - 1) | 4);
	vfio_config_write(&v, 0x10, 4, low);
	check_equal("the real BAR stayed", *(volatile uint32_t *)(bar + 8) >> 16, 1);
	check_equal("command: memory on, master off", vfio_config_read(&v, 4, 2) & 6, 2);
	vfio_config_write(&v, 4, 2, 0x402);
	check_equal("INTx disable is stored", vfio_config_read(&v, 4, 2) & 0x400, 0x400);
	vfio_config_write(&v, 4, 2, 2);
	check_equal("and cleared", vfio_config_read(&v, 4, 2) & 0x400, 0);
	check_equal("256 bytes at once", pread(v.device, all, 256, 7ll << 40), 256);
	check_equal("4096 bytes at once", pread(v.device, all, 4096, 7ll << 40), 4096);
	check_errno("beyond the end", pread(v.device, all, 8, (7ll << 40) + 4092), -EFAULT);
	check_errno("region 9", pread(v.device, all, 4, 9ll << 40), -EINVAL);
}

static sigjmp_buf bus;

static void on_sigbus(int sig)
{
	siglongjmp(bus, sig);
}

static bool touch(void)
{
	if (sigsetjmp(bus, 1))
		return false;
	return *(volatile uint32_t *)(bar + 8) != ~0u;
}

static void bars(void)
{
	uint32_t version, page[1024];

	check_equal("BAR read", pread(v.device, &version, 4, 8), 4);
	check_equal("same as the mapping", version, *(volatile uint32_t *)(bar + 8));
	check_errno("BAR read beyond", pread(v.device, &version, 4, (off_t)bar_size), -EINVAL);
	check_equal("short at the end", pread(v.device, page, 4096, (off_t)bar_size - 8), 8);
	check_equal("MSI-X table reads as ones", pread(v.device, &version, 4, 0x2000) == 4 ? version : 0, ~0u);
	signal(SIGBUS, on_sigbus);
	check_true("mapping works", touch());
	vfio_config_write(&v, 4, 2, 0);
	check_true("decode off: SIGBUS", !touch());
	check_errno("decode off: read", pread(v.device, &version, 4, 8), -EIO);
	vfio_config_write(&v, 4, 2, 2);
	check_true("decode on: works again", touch());
	check_errno("private mapping",
		    mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, v.device, 0) == MAP_FAILED ? -1 : 0, -EINVAL);
	check_errno("too long a mapping",
		    mmap(NULL, bar_size + 4096, PROT_READ, MAP_SHARED, v.device, 0) == MAP_FAILED ? -1 : 0, -EINVAL);
	check_errno("mapping of config space",
		    mmap(NULL, 4096, PROT_READ, MAP_SHARED, v.device, 7ll << 40) == MAP_FAILED ? -1 : 0, -EINVAL);
}

static void reset(void)
{
	uint32_t command;

	vfio_bus_master(&v, true);
	command = vfio_config_read(&v, 4, 2);
	*(volatile uint32_t *)(bar + 0x14) = 0x00460000;
	check_equal("a register is written", *(volatile uint32_t *)(bar + 0x14), 0x00460000);
	check_errno("RESET", ioctl(v.device, VFIO_DEVICE_RESET), 0);
	check_equal("the register is back", *(volatile uint32_t *)(bar + 0x14), 0);
	check_equal("the command register stayed", vfio_config_read(&v, 4, 2), command);
}

/* A mapping keeps the device open; the next opener finds it reset. */
static void close_order(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/dev/vfio/%u", v.group_id);
	*(volatile uint32_t *)(bar + 0x14) = 0x00460000;
	close(v.container);
	close(v.group);
	close(v.device);
	check_true("the mapping outlives the descriptors", touch());
	check_errno("the group is still held", open(path, O_RDWR), -EBUSY);
	munmap((void *)bar, bar_size);
	vfio_open(&v, name);
	bar = vfio_bar(&v, 0, NULL);
	check_equal("bus master is off", vfio_config_read(&v, 4, 2) & 4, 0);
	check_equal("the device is reset", *(volatile uint32_t *)(bar + 0x14), 0);
	vfio_close(&v);
}

int main(void)
{
	const char *name = vfio_find(0x1b36, 0x0010);

	need("an NVMe drive", name != NULL);
	vfio_open(&v, name);
	bar = vfio_bar(&v, 0, &bar_size);
	infos();
	interrupts();
	config_space();
	bars();
	reset();
	close_order(name);
	return check_result();
}
