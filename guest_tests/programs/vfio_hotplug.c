/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An NVMe drive that is put into and taken out of a slot, 0000:01:00.0, by QEMU's monitor (run-program
 * --monitor): while nobody has it, while this program has it and lets go, while it does not let go, and
 * while its owner is killed.  QEMU knows two drives by one name never: that device_add works again
 * shows that device_del was carried out.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/attack.h"
#include "lib/check.h"
#include "lib/child.h"
#include "lib/nvme.h"

#define SLOT "0000:01:00.0"
#define ROUNDS 20
#define BAR_SIZE 0x4000u
#define PATIENCE_MS 15000
#define OUTSIDE 0x5000000000ull /* not mapped */

static sigjmp_buf bus_error;

static void monitor(const char *command)
{
	printf("qemu: %s\n", command);
	fflush(stdout);
}

static bool wait_for(const char *path, bool there, unsigned patience)
{
	for (unsigned ms = 0; ms < patience; ms += 2, usleep(2000))
		if (!access(path, F_OK) == there)
			return true;
	return false;
}

/* Again when nothing comes: the slot is switched off a moment after the last one's files went, and QEMU
 * refuses another until then; and it refuses a second one by the same name. */
static bool put_in(void)
{
	for (unsigned tries = 0; tries < 5; tries++) {
		monitor("device_add nvme,id=d1,drive=drive,serial=test,bus=port1");
		if (wait_for("/sys/bus/pci/devices/" SLOT "/iommu_group", true, PATIENCE_MS / 5))
			return true;
	}
	return false;
}

static bool is_gone(void)
{
	return wait_for("/sys/bus/pci/devices/" SLOT, false, PATIENCE_MS);
}

static int notice(struct vfio *v, unsigned index)
{
	int fd = eventfd(0, EFD_NONBLOCK);

	check_equal("an eventfd for ERR or REQ", vfio_set_irqs(v, index, 0, 1, &fd), 0);
	return fd;
}

static void close_all(struct nvme *n)
{
	munmap((void *)n->bar, BAR_SIZE);
	vfio_close(&n->v);
}

/* What it reads lands in the mapping, and elsewhere nothing. */
static void dma_works(struct nvme *n)
{
	struct nvme_command c = nvme_read(0, 1, NVME_AT(data), 0);
	long long faults;

	check_true("the controller starts", nvme_start(n));
	memset(n->mem->data, 0xee, 512);
	check_equal("a read", nvme_submit(n, &n->io, &c), 0);
	check_true("its data is there", n->mem->data[0] != 0xee || n->mem->data[1] != 0xee);
	faults = attack_faults(SLOT);
	c = nvme_read(0, 1, OUTSIDE, 0);
	nvme_submit(n, &n->io, &c);
	for (unsigned i = 0; i < 1000 && attack_faults(SLOT) == faults; i++)
		usleep(1000);
	check_true("a read to what is not mapped is blocked", attack_faults(SLOT) > faults);
}

static void round_trip(void)
{
	int group = -1, same = 0, rounds;
	char path[64];

	for (rounds = 0; rounds < ROUNDS; rounds++) {
		if (!put_in())
			break;
		group = vfio_group_of(SLOT);
		snprintf(path, sizeof(path), "/dev/vfio/%d", group);
		same += group >= 0 && wait_for(path, true, PATIENCE_MS);
		monitor("device_del d1");
		if (!is_gone() || !wait_for(path, false, PATIENCE_MS))
			break;
	}
	check_equal("in and out again, with a group of its own each time", rounds, ROUNDS);
	check_equal("the group has its file each time", same, ROUNDS);
}

static void let_go(void)
{
	struct nvme n;
	char path[64];
	int req, err;

	check_true("a drive comes", put_in());
	nvme_open(&n);
	snprintf(path, sizeof(path), "/dev/vfio/%u", n.v.group_id);
	req = notice(&n.v, VFIO_PCI_REQ_IRQ_INDEX);
	err = notice(&n.v, VFIO_PCI_ERR_IRQ_INDEX);
	dma_works(&n);
	monitor("device_del d1");
	check_equal("REQ is signalled", vfio_wait(req, 5000), 1);
	check_errno("it is not opened once more", ioctl(n.v.group, VFIO_GROUP_GET_DEVICE_FD, SLOT), -ENODEV);
	dma_works(&n); /* until we let go */
	while (vfio_wait(err, 200)) /* blocked DMA signals it, too, and a last one may come late */
		;
	close_all(&n);
	check_true("it goes when it is closed", is_gone());
	check_true("and so does its group", wait_for(path, false, PATIENCE_MS));
	check_equal("ERR has nothing to say", vfio_wait(err, 0), 0);
}

static void on_bus_error(int sig)
{
	(void)sig;
	siglongjmp(bus_error, 1);
}

static void hold_on(void)
{
	struct nvme n, next;
	uint32_t x = 0;
	int req, err;

	check_true("another drive comes", put_in());
	nvme_open(&n);
	req = notice(&n.v, VFIO_PCI_REQ_IRQ_INDEX);
	err = notice(&n.v, VFIO_PCI_ERR_IRQ_INDEX);
	check_true("the controller starts", nvme_start(&n));
	monitor("device_del d1");
	check_equal("REQ is signalled", vfio_wait(req, 5000), 1);
	check_equal("ERR is, when time is up", vfio_wait(err, 10000), 1);
	check_true("it is gone although it is open", is_gone());
	check_true("its config space reads as ones", vfio_config_read(&n.v, 0x8, 4) == ~0u);
	check_true("a BAR cannot be read", pread(n.v.device, &x, 4, 0) < 0 && errno == EIO);
	if (!sigsetjmp(bus_error, 1)) {
		x = *(volatile uint32_t *)n.bar;
		check_true("nor its mapping", false);
	} else {
		check_true("nor its mapping", true);
	}
	check_true("decode cannot be switched on", (vfio_config_write(&n.v, 4, 2, 6), true));
	check_errno("no reset", ioctl(n.v.device, VFIO_DEVICE_RESET), -EIO);
	check_equal("the container goes on", vfio_unmap(&n.v, NVME_IOVA, (sizeof(*n.mem) + 4095) & ~4095ull, NULL), 0);
	check_equal("with mappings, too", vfio_map(&n.v, n.mem, NVME_IOVA, 4096, VFIO_DMA_MAP_FLAG_READ), 0);

	monitor("device_add nvme,id=d1,drive=drive,serial=test,bus=port1");
	usleep(600000);
	check_true("a new one waits until the old one is closed", access("/sys/bus/pci/devices/" SLOT, F_OK) < 0);
	close_all(&n);
	check_true("and comes then", put_in());
	nvme_open(&next);
	dma_works(&next);
	close_all(&next);
	monitor("device_del d1");
	check_true("and goes", is_gone());
}

/* Starts its drive, says so, and does not listen. */
static int owner(void)
{
	struct nvme n;

	nvme_open(&n);
	return nvme_start(&n) ? pause() : 1;
}

static void killed(void)
{
	pid_t child;
	unsigned ms;
	FILE *f;
	char reason[64];

	check_true("a drive for a child", put_in());
	child = child_start("owner", NULL);
	for (ms = 0; ms < 5000; ms++, usleep(1000)) { /* bus master: the child has started it */
		f = fopen("/sys/bus/pci/devices/" SLOT "/config", "r");
		memset(reason, 0, sizeof(reason));
		if (f && fread(reason, 1, 6, f) == 6 && reason[4] & 4)
			ms = 5000;
		if (f)
			fclose(f);
	}
	monitor("device_del d1");
	kill(child, SIGKILL);
	check_equal("the child dies", child_wait(child), 128 + SIGKILL);
	check_true("the drive goes", is_gone());
}

int main(int argc, char **argv)
{
	struct sigaction on_bus = { .sa_handler = on_bus_error };

	if (argc > 1 && !strcmp(argv[1], "owner"))
		return owner();
	sigaction(SIGBUS, &on_bus, NULL);
	need("an empty slot", access("/sys/bus/pci/devices/" SLOT, F_OK) < 0);
	round_trip();
	let_go();
	hold_on();
	killed();
	return check_result();
}
