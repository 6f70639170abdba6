/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SR-IOV on an Intel 82576: virtual functions come by sriov_numvfs and go again, with Linux's errnos; one
 * of them is driven through VFIO beside its physical function: mailbox both ways, an interrupt of
 * its own, a frame sent from memory that is mapped for it, and DMA to what is mapped for the other
 * function, or for nobody, blocked under the VF's own requester id.
 *
 * 82576 datasheet: registers 8.1, virtual function's 8.26, transmit descriptors 7.2.2.3.
 */
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/attack.h"
#include "lib/check.h"
#include "lib/vfio.h"

#define TOKEN " vf_token=6d2c2c2e-9a2f-4c0b-8d67-3f1b3c1d5a01"
#define RW (VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE)
#define IOVA 0x40000000ull
#define PF_IOVA 0x50000000ull /* mapped for the physical function alone */
#define NOBODY 0x60000000ull

/* Physical function */
#define TCTL 0x400
#define TCTL_EN 2u
#define P2VMAILBOX0 0xc00
#define MBVFICR 0xc80
#define VMBMEM0 0x800
#define GPIE 0x1514
#define GPIE_MSIX 0x10u
/* Virtual function */
#define STATUS 0x8
#define VMBMEM 0x800
#define V2PMAILBOX 0xc40
#define MAILBOX_REQ 1u
#define MAILBOX_STS 1u
#define MAILBOX_PFSTS 0x10u
#define VTEICS 0x1520
#define VTEIMS 0x1524
#define VTEICR 0x1580
#define VTIVAR_MISC 0x1740
#define IVAR_VALID 0x80u
#define TDBAL 0x3800
#define TDBAH 0x3804
#define TDLEN 0x3808
#define TDH 0x3810
#define TDT 0x3818
#define TXDCTL 0x3828
#define TXDCTL_ENABLE (1u << 25)
#define TDWBAL 0x3838
#define TDWBAH 0x383c
#define ADV_DATA (3u << 20 | 1u << 29)                      /* DTYP, DEXT */
#define ADV_CMD (1u << 24 | 1u << 25 | 1u << 27)            /* EOP, IFCS, RS */
#define FRAME 64u
#define RING 8u

struct shared {
	struct { uint64_t addr; uint32_t cmd_len, status; } ring[RING];
	uint8_t frame[FRAME] __attribute__((aligned(256)));
	volatile uint32_t head __attribute__((aligned(4096))); /* where the device writes how far it is */
};

static const char *pf_name;
static char vf_name[16];
static struct vfio pf, vf;
static uint64_t pf_bar_size;
static volatile uint8_t *pf_bar, *vf_bar;
static struct shared *mem;
static unsigned tail;

static uint32_t get(volatile uint8_t *bar, unsigned off)
{
	return *(volatile uint32_t *)(bar + off);
}

static void put(volatile uint8_t *bar, unsigned off, uint32_t v)
{
	*(volatile uint32_t *)(bar + off) = v;
}

static char *path_of(const char *name, const char *file)
{
	static char path[128];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", name, file);
	return path;
}

static int numvfs(const char *n)
{
	int fd = open(path_of(pf_name, "sriov_numvfs"), O_WRONLY), err = 0;

	if (fd < 0 || write(fd, n, strlen(n)) != (ssize_t)strlen(n))
		err = -errno;
	if (fd >= 0)
		close(fd);
	return err;
}

static long number(const char *name, const char *file)
{
	char text[32] = "";
	int fd = open(path_of(name, file), O_RDONLY);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		strcpy(text, "-1");
	if (fd >= 0)
		close(fd);
	return strtol(text, NULL, strcmp(file, "sriov_vf_device") ? 0 : 16);
}

static bool exists(const char *path)
{
	struct stat st;

	return !stat(path, &st);
}

static void target_of(const char *link, char *out, size_t n)
{
	ssize_t len = readlink(link, out, n - 1);

	out[len > 0 ? len : 0] = '\0';
}

static void attributes(void)
{
	char text[32], want[32];
	int groups[7];
	long total;

	check_equal("none yet", number(pf_name, "sriov_numvfs"), 0);
	check_equal("device of a VF", number(pf_name, "sriov_vf_device"), 0x10ca);
	total = number(pf_name, "sriov_totalvfs");
	check_true("at least 7", total >= 7);
	snprintf(text, sizeof(text), "%ld", total + 1);
	check_equal("more than all", numvfs(text), -ERANGE);
	check_equal("no number", numvfs("some"), -EINVAL);
	check_equal("0 of 0", numvfs("0\n"), 0);
	check_equal("2", numvfs("2\n"), 0);
	check_equal("2 again", numvfs("2"), 0);
	check_equal("3 while there are 2", numvfs("3"), -EBUSY);
	check_equal("0", numvfs("0"), 0);
	check_true("they are gone", !exists(path_of(pf_name, "virtfn0")));
	check_equal("7", numvfs("7"), 0);
	check_equal("there are 7", number(pf_name, "sriov_numvfs"), 7);
	for (int i = 0; i < 7; i++) {
		char file[16];

		snprintf(file, sizeof(file), "virtfn%d", i);
		target_of(path_of(pf_name, file), text, sizeof(text));
		groups[i] = text[0] ? vfio_group_of(text + 3) : -1;
		for (int k = 0; k < i; k++)
			check_true("a group of its own", groups[i] >= 0 && groups[i] != groups[k]);
	}
	target_of(path_of(pf_name, "virtfn0"), text, sizeof(text));
	snprintf(vf_name, sizeof(vf_name), "%.12s", text + 3);
	target_of(path_of(vf_name, "physfn"), text, sizeof(text));
	snprintf(want, sizeof(want), "../%s", pf_name);
	check_true("physfn leads back", !strcmp(text, want));
	check_equal("vendor", number(vf_name, "vendor"), 0x8086);
	check_equal("device", number(vf_name, "device"), 0x10ca);
}

static void config_space(void)
{
	struct vfio_irq_info irq = { .argsz = sizeof(irq), .index = VFIO_PCI_INTX_IRQ_INDEX };
	uint32_t bar;

	check_equal("ids", vfio_config_read(&vf, 0, 4), 0x10ca8086);
	check_equal("no interrupt pin", vfio_config_read(&vf, 0x3d, 1), 0);
	check_errno("IRQ_INFO INTx", ioctl(vf.device, VFIO_DEVICE_GET_IRQ_INFO, &irq), 0);
	check_equal("no INTx", irq.count, 0);
	check_equal("command: memory on, master off", vfio_config_read(&vf, 4, 2) & 6, 2);
	vfio_config_write(&vf, 4, 2, 0);
	check_equal("memory off is stored", vfio_config_read(&vf, 4, 2) & 2, 0);
	vfio_config_write(&vf, 4, 2, 2);
	check_equal("and on", vfio_config_read(&vf, 4, 2) & 2, 2);
	bar = vfio_config_read(&vf, 0x10, 4);
	vfio_config_write(&vf, 0x10, 4, ~0u);
	check_equal("BAR sizing", vfio_config_read(&vf, 0x10, 4) & ~0xfu, 0xffffc000);
	vfio_config_write(&vf, 0x10, 4, bar);
	check_errno("reset", ioctl(vf.device, VFIO_DEVICE_RESET), 0);
	check_equal("ids after it", vfio_config_read(&vf, 0, 4), 0x10ca8086);
}

/* A word each way, and the interrupt that goes with the answer. */
static void mailbox(int ev)
{
	put(pf_bar, MBVFICR, ~0u);
	put(vf_bar, VMBMEM, 0x12345678);
	put(vf_bar, V2PMAILBOX, MAILBOX_REQ);
	check_equal("the PF hears of it", get(pf_bar, MBVFICR) & 1, 1);
	check_equal("and reads the word", get(pf_bar, VMBMEM0), 0x12345678);
	put(vf_bar, VTIVAR_MISC, IVAR_VALID | 1);
	put(vf_bar, VTEICR, 7); /* the cause from before */
	put(vf_bar, VTEIMS, 7);
	put(pf_bar, VMBMEM0, 0x87654321);
	put(pf_bar, P2VMAILBOX0, MAILBOX_STS);
	check_equal("the VF is interrupted", (long long)vfio_wait(ev, 2000), 1);
	check_equal("the PF's word is there", get(vf_bar, V2PMAILBOX) & MAILBOX_PFSTS, MAILBOX_PFSTS);
	check_equal("and reads", get(vf_bar, VMBMEM), 0x87654321);
}

/* Sends a frame; the device then writes its position to `head`. True when the ring moved on. */
static bool send(uint64_t frame, uint64_t head)
{
	put(vf_bar, TDWBAL, (uint32_t)head | 1);
	put(vf_bar, TDWBAH, (uint32_t)(head >> 32));
	mem->ring[tail].addr = frame;
	mem->ring[tail].cmd_len = FRAME | ADV_DATA | ADV_CMD;
	mem->ring[tail].status = FRAME << 14;
	__sync_synchronize();
	tail = (tail + 1) % RING;
	put(vf_bar, TDT, tail);
	for (unsigned i = 0; i < 500 && get(vf_bar, TDH) != tail; i++)
		usleep(1000);
	return get(vf_bar, TDH) == tail;
}

/* Linux keeps no count for programs: there it is only looked at what the device wrote. */
static bool faulted(long long before)
{
	for (unsigned i = 0; i < 200; i++, usleep(10000))
		if (attack_faults(vf_name) > before || (check_on_linux() && i == 10))
			return true;
	return false;
}

static void dma(uint32_t *pf_page)
{
	const uint64_t ring = IOVA + offsetof(struct shared, ring), frame = IOVA + offsetof(struct shared, frame);
	const uint64_t head = IOVA + offsetof(struct shared, head);
	long long before;

	memset(mem->frame, 0xff, 6);
	put(vf_bar, TDBAL, (uint32_t)ring);
	put(vf_bar, TDBAH, (uint32_t)(ring >> 32));
	put(vf_bar, TDLEN, sizeof(mem->ring));
	put(vf_bar, TXDCTL, TXDCTL_ENABLE);
	mem->head = 77;
	check_true("a frame goes out", send(frame, head));
	check_equal("the device wrote where it is", mem->head, 1);

	before = attack_faults(vf_name);
	send(frame, PF_IOVA);
	check_true("what the PF has mapped is not the VF's: blocked, and it is the VF that is named", faulted(before));
	check_equal("nothing was written", *pf_page, 77);
	check_equal("the PF is not blamed", attack_faults(pf_name), 0);
	before = attack_faults(vf_name);
	send(frame, NOBODY);
	check_true("nor what nobody has", faulted(before));
	check_equal("unmap", vfio_unmap(&vf, head, 4096, NULL), 0);
	mem->head = 77;
	before = attack_faults(vf_name);
	send(frame, head);
	check_true("unmapped at once", faulted(before));
	check_equal("nothing was written there", mem->head, 77);
}

static int pf_open(const char *option)
{
	char text[64];

	snprintf(text, sizeof(text), "%s%s", pf_name, option);
	return ioctl(pf.group, VFIO_GROUP_GET_DEVICE_FD, text);
}

/* The PF's last close resets it: its VFs are there again, and who opens it next must know the token. */
static void pf_closes(void)
{
	munmap((void *)pf_bar, pf_bar_size);
	close(pf.device);
	check_errno("reset of the VF", ioctl(vf.device, VFIO_DEVICE_RESET), 0);
	check_equal("it is what it was", vfio_config_read(&vf, 0, 4), 0x10ca8086);
	check_errno("the PF without a token", pf_open(""), -EACCES);
	check_errno("with another", pf_open(" vf_token=6d2c2c2e-9a2f-4c0b-8d67-3f1b3c1d5a02"), -EACCES);
	check_errno("with none that is one", pf_open(" vf_token=6d2c2c2e-9a2f"), -EINVAL);
	pf.device = pf_open(TOKEN);
	need("the PF with the token", pf.device >= 0);
}

int main(void)
{
	uint32_t *pf_page = vfio_memory(4096);
	int ev = eventfd(0, EFD_NONBLOCK), id;
	char group[32];
	uint64_t bar_size;

	pf_name = vfio_find(0x8086, 0x10c9);
	need("there is an 82576", pf_name);
	pf_name = strdup(pf_name);
	vfio_open_with(&pf, pf_name, TOKEN);
	pf_bar = vfio_bar(&pf, 0, &pf_bar_size);
	*pf_page = 77;
	check_equal("map a page for the PF", vfio_map(&pf, pf_page, PF_IOVA, 4096, RW), 0);
	vfio_bus_master(&pf, true);
	attributes();

	id = vfio_group_of(vf_name);
	vfio_open_with(&vf, vf_name, TOKEN);
	config_space();
	mem = vfio_memory(sizeof(*mem));
	check_equal("map for the VF", vfio_map(&vf, mem, IOVA, 4096, RW), 0);
	check_equal("map one page more", vfio_map(&vf, (uint8_t *)mem + 4096, IOVA + 4096, 4096, RW), 0);
	vf_bar = vfio_bar(&vf, 0, &bar_size);
	put(pf_bar, GPIE, GPIE_MSIX);
	put(pf_bar, TCTL, TCTL_EN);
	check_equal("a register that both have", get(vf_bar, STATUS), get(pf_bar, STATUS));
	check_equal("MSI-X", vfio_set_irqs(&vf, VFIO_PCI_MSIX_IRQ_INDEX, 0, 1, &ev), 0);
	vfio_bus_master(&vf, true);
	put(vf_bar, VTEIMS, 7);
	put(vf_bar, VTEICS, 1);
	check_equal("its own interrupt", (long long)vfio_wait(ev, 2000), 1);
	mailbox(ev);
	dma(pf_page);
	if (!check_on_linux()) /* which waits for us to close it */
		check_equal("0 while one is open", numvfs("0"), -EBUSY);
	check_equal("they stay", number(pf_name, "sriov_numvfs"), 7);
	munmap((void *)vf_bar, bar_size); /* a mapping keeps its device open */
	vfio_close(&vf);
	snprintf(group, sizeof(group), "/dev/vfio/%d", id);
	check_true("its group is there", exists(group));
	check_equal("0", numvfs("0"), 0);
	check_true("and gone", !exists(group) && !exists(path_of(vf_name, "")));
	check_equal("7 once more", numvfs("7"), 0);
	check_equal("in the group it had", vfio_group_of(vf_name), id);
	vfio_open_with(&vf, vf_name, TOKEN);
	pf_closes();
	vfio_close(&vf);
	check_equal("0", numvfs("0"), 0);
	vfio_close(&pf);
	return check_result();
}
