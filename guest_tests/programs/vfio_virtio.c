/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Drives a virtio entropy device behind the IOMMU (QEMU: iommu_platform=on), which also offers ATS: the
 * one kind of QEMU's devices that could send translated requests.  Random bytes reach a page that
 * is mapped and no other, and ATS cannot be switched on from here; nor off, where the argument "ats" says
 * that the command line asks for it, and it is on again after a reset and after sleep.
 *
 * Virtual I/O Device 1.2: configuration by capabilities 4.1.4, initialisation 3.1, split queues 2.7.
 */
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/check.h"
#include "lib/vfio.h"

#define IOVA 0x40000000ull
#define CAP_VENDOR 0x09
#define CFG_COMMON 1
#define CFG_NOTIFY 2
#define EXT_CAP_ATS 0x000f
#define ATS_CONTROL 6
#define ATS_ENABLE 0x8000
#define CAP_PM 0x01
#define PM_CONTROL 4
#define F_VERSION_1 (1u << 0)       /* feature bit 32 */
#define F_ACCESS_PLATFORM (1u << 1) /* feature bit 33 */
#define DESC_WRITE 2

struct common { /* 4.1.4.3 */
	uint32_t device_feature_select, device_feature, driver_feature_select, driver_feature;
	uint16_t config_msix_vector, num_queues;
	uint8_t device_status, config_generation;
	uint16_t queue_select, queue_size, queue_msix_vector, queue_enable, queue_notify_off;
	uint64_t queue_desc, queue_driver, queue_device;
};
struct shared {
	struct { uint64_t addr; uint32_t len; uint16_t flags, next; } desc[4];
	struct { uint16_t flags, idx, ring[4]; } avail __attribute__((aligned(16)));
	struct { uint16_t flags, idx; struct { uint32_t id, len; } ring[4]; } used __attribute__((aligned(16)));
	uint8_t data[4096] __attribute__((aligned(4096)));
	uint8_t other[4096] __attribute__((aligned(4096))); /* gets unmapped */
};

static struct vfio v;
static volatile struct common *common;
static volatile uint16_t *doorbell;
static struct shared *mem;
static uint32_t notify_multiplier;

static volatile uint8_t *capability(unsigned type, unsigned *at)
{
	for (*at = vfio_config_read(&v, 0x34, 1); *at; *at = vfio_config_read(&v, *at + 1, 1))
		if (vfio_config_read(&v, *at, 1) == CAP_VENDOR && vfio_config_read(&v, *at + 3, 1) == type)
			return (volatile uint8_t *)vfio_bar(&v, vfio_config_read(&v, *at + 4, 1), NULL) +
			       vfio_config_read(&v, *at + 8, 4);
	need("the device has its virtio capabilities", false);
	return NULL;
}

static void device_start(void)
{
	unsigned at;
	volatile uint8_t *notify;

	common = (volatile struct common *)capability(CFG_COMMON, &at);
	notify = capability(CFG_NOTIFY, &at);
	notify_multiplier = vfio_config_read(&v, at + 16, 4);
	common->device_status = 0;
	for (unsigned i = 0; common->device_status && i < 1000; i++)
		usleep(1000);
	common->device_status = 1;
	common->device_status = 3;
	common->device_feature_select = 1;
	need("it offers version 1 and the platform's addresses",
	     (common->device_feature & (F_VERSION_1 | F_ACCESS_PLATFORM)) == (F_VERSION_1 | F_ACCESS_PLATFORM));
	common->driver_feature_select = 0;
	common->driver_feature = 0;
	common->driver_feature_select = 1;
	common->driver_feature = F_VERSION_1 | F_ACCESS_PLATFORM;
	common->device_status = 11;
	need("it accepts them", common->device_status & 8);
	common->queue_select = 0;
	common->queue_size = 4;
	common->queue_desc = IOVA + offsetof(struct shared, desc);
	common->queue_driver = IOVA + offsetof(struct shared, avail);
	common->queue_device = IOVA + offsetof(struct shared, used);
	common->queue_enable = 1;
	common->device_status = 15;
	doorbell = (volatile uint16_t *)(notify + common->queue_notify_off * notify_multiplier);
}

/* Asks for 64 random bytes at an address; true when the device says that they are there. */
static bool ask(uint64_t address)
{
	uint16_t before = *(volatile uint16_t *)&mem->used.idx;

	mem->desc[0].addr = address;
	mem->desc[0].len = 64;
	mem->desc[0].flags = DESC_WRITE;
	mem->avail.ring[mem->avail.idx % 4] = 0;
	__sync_synchronize();
	mem->avail.idx++;
	__sync_synchronize();
	*doorbell = 0;
	for (unsigned i = 0; i < 500; i++) {
		if (*(volatile uint16_t *)&mem->used.idx != before)
			return true;
		usleep(1000);
	}
	return false;
}

static bool all_zero(const uint8_t *p)
{
	for (unsigned i = 0; i < 4096; i++)
		if (p[i])
			return false;
	return true;
}

static unsigned ats_find(void)
{
	unsigned at = 0x100;

	while (at && (vfio_config_read(&v, at, 4) & 0xffff) != EXT_CAP_ATS)
		at = vfio_config_read(&v, at, 4) >> 20;
	return at;
}

static bool ats_is(unsigned at, bool on)
{
	return !(vfio_config_read(&v, at + ATS_CONTROL, 2) & ATS_ENABLE) == !on;
}

static void test_ats(bool on)
{
	unsigned at = ats_find(), pm = vfio_config_read(&v, 0x34, 1);

	while (pm && vfio_config_read(&v, pm, 1) != CAP_PM)
		pm = vfio_config_read(&v, pm + 1, 1);
	need("the device has ATS and sleeps", at && pm);
	check_true("as the command line says", ats_is(at, on));
	vfio_config_write(&v, at + ATS_CONTROL, 2, on ? 0 : ATS_ENABLE);
	check_true("and not otherwise", ats_is(at, on));
	check_equal("reset", ioctl(v.device, VFIO_DEVICE_RESET), 0);
	check_true("the same after a reset", ats_is(at, on));
	vfio_config_write(&v, pm + PM_CONTROL, 2, 3);
	check_true("off while it sleeps", ats_is(at, false));
	vfio_config_write(&v, pm + PM_CONTROL, 2, 0);
	check_true("the same when it is awake", ats_is(at, on));
}

int main(int argc, char **argv)
{
	bool ats = argc > 1 && !strcmp(argv[1], "ats");

	vfio_open(&v, vfio_find(0x1af4, 0x1044));
	mem = vfio_memory(sizeof(*mem));
	check_equal("map", vfio_map(&v, mem, IOVA, offsetof(struct shared, other), VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE), 0);
	check_equal("map one more page", vfio_map(&v, mem->other, IOVA + offsetof(struct shared, other), 4096,
						  VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE), 0);
	test_ats(ats);
	vfio_bus_master(&v, true);
	device_start();
	check_true("random bytes come", ask(IOVA + offsetof(struct shared, data)) && !all_zero(mem->data));
	check_true("to the other page, too", ask(IOVA + offsetof(struct shared, other)) && !all_zero(mem->other));
	check_equal("unmap it", vfio_unmap(&v, IOVA + offsetof(struct shared, other), 4096, NULL), 0);
	memset(mem->other, 0, 4096);
	ask(IOVA + offsetof(struct shared, other));
	check_true("unmapped at once: nothing was written", all_zero(mem->other));
	vfio_close(&v);
	return check_result();
}
