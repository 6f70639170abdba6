/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * MAP and UNMAP on one thread while the last group leaves the container on another.  Linux 6.1 uses
 * freed memory here; so this program runs on Postern alone.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/check.h"
#include "lib/vfio.h"

#define RW (VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE)
#define ROUNDS 200

static struct vfio v;
static uint8_t *mem;
static unsigned mapped;
static volatile bool race_stop;

static void *race_map(void *arg)
{
	(void)arg;
	while (!race_stop) {
		mapped += !vfio_map(&v, mem, 0x200000, 2 << 20, RW);
		vfio_unmap(&v, 0x200000, 2 << 20, NULL);
	}
	return NULL;
}

int main(void)
{
	const char *name = vfio_find(0x1234, 0x11e8);
	char path[64];
	pthread_t t;
	int ok = 0;

	need("an edu device", name != NULL);
	snprintf(path, sizeof(path), "/dev/vfio/%d", vfio_group_of(name));
	mem = vfio_memory(2 << 20);
	v.container = open("/dev/vfio/vfio", O_RDWR);
	v.group = open(path, O_RDWR);
	need("a thread", !pthread_create(&t, NULL, race_map, NULL));
	for (unsigned i = 0; i < ROUNDS || !mapped; i++) {
		ok += !ioctl(v.group, VFIO_GROUP_SET_CONTAINER, &v.container);
		ok += !ioctl(v.container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU);
		if (i >= ROUNDS || i % 8 == 0)
			usleep(1000);
		ok += !ioctl(v.group, VFIO_GROUP_UNSET_CONTAINER);
	}
	race_stop = true;
	pthread_join(t, NULL);
	check_true("the group left and came back each time", ok >= 3 * ROUNDS);
	check_true("mappings were made meanwhile", mapped > 0);
	close(v.group);
	close(v.container);
	return check_result();
}
