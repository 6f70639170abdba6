/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Resets: every method that reset_method lists, for each device of the machine that is known below;
 * the files `reset` and `reset_method`; a reset under another thread's hands; hot resets.
 *
 * A register is written, the device is reset, the register is as at power-on, and config space, the
 * message interrupts and the mapping are as before.  Arguments: NAME=METHODS of devices, the list
 * that must be found in reset_method ("-": there is no such file); a method that does nothing has an
 * exclamation mark, as QEMU's pm, with which Linux says that all is well.  A bus below one of QEMU's ports is
 * reset by Linux, too, but its answer may be ENOTTY: it waits for a report of the link that does not come.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/check.h"
#include "lib/vfio.h"

#define HEADER_WORDS 16
#define RESET_FLAG VFIO_DEVICE_FLAGS_RESET

/* A register that holds what is written until a reset; after 0: QEMU's device has no such register. */
static const struct device {
	const char *what;
	uint16_t vendor, device;
	unsigned bar, at, value;
} devices[] = {
	{ "nvme", 0x1b36, 0x0010, 0, 0x14, 0x00460000 },    /* configuration, disabled */
	{ "e1000e", 0x8086, 0x10d3, 0, 0x3800, 0x12345600 }, /* transmit ring's address */
	{ "igb", 0x8086, 0x10c9, 0, 0xe000, 0x12345600 },
	{ "virtio", 0x1af4, 0x1044, 4, 0x14, 1 },            /* status */
	{ "edu", 0x1234, 0x11e8, 0, 0, 0 },
	{ "pair", 0x8086, 0x100e, 0, 0x3800, 0x12345600 },   /* two e1000, 1.0 and 2.0 of one bus */
};

static struct vfio v;
static volatile uint32_t *reg;
static uint64_t reg_bytes;
static char text[160];

/* Printed with each case. */
static const char *name(const char *device, const char *method, const char *what)
{
	snprintf(text, sizeof(text), "%s %s: %s", device, method, what);
	return text;
}

/* 0 or -errno; an attribute takes what one write() gives. */
static int put(const char *bdf, const char *file, const char *s, size_t n)
{
	char path[96];
	int fd, ret;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", bdf, file);
	fd = open(path, O_WRONLY);
	if (fd < 0)
		return -errno;
	ret = write(fd, s, n) == (ssize_t)n ? 0 : -errno;
	close(fd);
	return ret;
}

/* The text without its newline; false: no such file. */
static bool get(const char *bdf, char *out, size_t n)
{
	char path[96];
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/reset_method", bdf);
	fd = open(path, O_RDONLY);
	out[0] = '\0';
	if (fd < 0)
		return false;
	len = read(fd, out, n - 1);
	out[len < 0 ? 0 : len] = '\0';
	out[strcspn(out, "\n")] = '\0';
	close(fd);
	return true;
}

static bool can_reset(void)
{
	struct vfio_device_info d = { .argsz = sizeof(d) };

	return !ioctl(v.device, VFIO_DEVICE_GET_INFO, &d) && d.flags & RESET_FLAG;
}

static unsigned irq_index(void)
{
	struct vfio_irq_info q = { .argsz = sizeof(q), .index = VFIO_PCI_MSIX_IRQ_INDEX };

	return !ioctl(v.device, VFIO_DEVICE_GET_IRQ_INFO, &q) && q.count ? VFIO_PCI_MSIX_IRQ_INDEX :
									     VFIO_PCI_MSI_IRQ_INDEX;
}

/* Writes the register, resets by `how`, which may do nothing, and looks. */
static void reset_and_look(const struct device *d, const char *method, int (*how)(const char *bdf), bool nothing)
{
	uint32_t before[HEADER_WORDS * 4], after[HEADER_WORDS * 4];
	int ev = eventfd(0, EFD_NONBLOCK), ret;
	unsigned index = irq_index();

	check_equal(name(d->what, method, "an interrupt"), vfio_set_irqs(&v, index, 0, 1, &ev), 0);
	vfio_bus_master(&v, true);
	for (unsigned i = 0; i < HEADER_WORDS * 4; i++)
		before[i] = vfio_config_read(&v, 4 * i, 4);
	reg[d->at / 4] = d->value;
	if (d->value)
		check_equal(name(d->what, method, "the register is written"), reg[d->at / 4], d->value);
	ret = how(v.name);
	if (check_on_linux() && ret == -ENOTTY && (!strcmp(method, "bus") || !strcmp(method, "PCI_HOT_RESET")))
		ret = 0;
	check_equal(name(d->what, method, "reset"), ret, 0);
	if (d->value && !nothing)
		check_equal(name(d->what, method, "the register is as at power-on"), reg[d->at / 4], 0);
	for (unsigned i = 0; i < HEADER_WORDS * 4; i++) {
		after[i] = vfio_config_read(&v, 4 * i, 4);
		if (after[i] != before[i] && i != 1)
			printf("config 0x%x: 0x%x, was 0x%x\n", 4 * i, after[i], before[i]);
	}
	before[1] &= 0xffff, after[1] &= 0xffff; /* status */
	check_true(name(d->what, method, "config space is as before"), !memcmp(before, after, sizeof(before)));
	vfio_disable_irqs(&v, index);
	close(ev);
}

static int by_ioctl(const char *bdf)
{
	(void)bdf;
	return ioctl(v.device, VFIO_DEVICE_RESET) ? -errno : 0;
}

static int by_file(const char *bdf)
{
	return put(bdf, "reset", "1", 1);
}

static int by_bus(const char *bdf)
{
	char buf[sizeof(struct vfio_pci_hot_reset) + 4];
	struct vfio_pci_hot_reset *r = (void *)buf;

	(void)bdf;
	*r = (struct vfio_pci_hot_reset){ .argsz = sizeof(buf), .count = 1 };
	memcpy(r->group_fds, &v.group, 4);
	return ioctl(v.device, VFIO_DEVICE_PCI_HOT_RESET, r) ? -errno : 0;
}

static int stop;
static unsigned reads, other_values;

static void *reader(void *arg)
{
	const struct device *d = arg;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		uint32_t x = reg[d->at / 4];

		reads++;
		other_values += x != 0 && x != d->value;
	}
	return NULL;
}

/* Mappings go and come back under a thread that knows nothing of it: no SIGBUS, nothing half reset. */
static void under_the_hands(const struct device *d)
{
	pthread_t t;

	reads = other_values = stop = 0;
	pthread_create(&t, NULL, reader, (void *)d);
	for (unsigned i = 0; i < 3; i++) {
		reg[d->at / 4] = d->value;
		check_equal(name(d->what, "RESET", "while a thread reads"), by_ioctl(v.name), 0);
		usleep(2000);
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	pthread_join(t, NULL);
	check_true(name(d->what, "RESET", "the thread read on"), reads > 100);
	check_equal(name(d->what, "RESET", "and saw no other values"), other_values, 0);
}

static int info(unsigned argsz, struct vfio_pci_hot_reset_info *out)
{
	*out = (struct vfio_pci_hot_reset_info){ .argsz = argsz };
	return ioctl(v.device, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, out) ? -errno : 0;
}

static int hot(uint32_t argsz, uint32_t flags, uint32_t count, const int *fds, unsigned n)
{
	char buf[sizeof(struct vfio_pci_hot_reset) + 16] = { 0 };
	struct vfio_pci_hot_reset *r = (void *)buf;

	*r = (struct vfio_pci_hot_reset){ .argsz = argsz, .flags = flags, .count = count };
	memcpy(r->group_fds, fds, 4 * n);
	return ioctl(v.device, VFIO_DEVICE_PCI_HOT_RESET, r) ? -errno : 0;
}

static void hot_resets(const struct device *d)
{
	char buf[sizeof(struct vfio_pci_hot_reset_info) + 8 * sizeof(struct vfio_pci_dependent_device)];
	struct vfio_pci_hot_reset_info *i = (void *)buf;
	int ret = info(sizeof(buf), i), two[2] = { v.group, v.group }, bad = 1000;

	if (ret == -ENODEV) {
		check_equal(name(d->what, "PCI_HOT_RESET", "on a root bus"), hot(16, 0, 1, &v.group, 1), -ENODEV);
		return;
	}
	check_equal(name(d->what, "HOT_RESET_INFO", "all"), ret, 0);
	check_equal(name(d->what, "HOT_RESET_INFO", "functions"), i->count, 1);
	check_equal(name(d->what, "HOT_RESET_INFO", "group"), i->devices[0].group_id, v.group_id);
	check_equal(name(d->what, "HOT_RESET_INFO", "argsz 11"), info(11, i), -EINVAL);
	check_equal(name(d->what, "HOT_RESET_INFO", "no room"), info(12, i), -ENOSPC);
	check_equal(name(d->what, "HOT_RESET_INFO", "and it says for how many"), i->count, 1);
	check_equal(name(d->what, "PCI_HOT_RESET", "argsz 11"), hot(11, 0, 1, &v.group, 1), -EINVAL);
	check_equal(name(d->what, "PCI_HOT_RESET", "flags"), hot(16, 1, 1, &v.group, 1), -EINVAL);
	check_equal(name(d->what, "PCI_HOT_RESET", "no groups"), hot(16, 0, 0, &v.group, 1), -EINVAL);
	check_equal(name(d->what, "PCI_HOT_RESET", "too many"), hot(20, 0, 2, two, 2), -EINVAL);
	check_equal(name(d->what, "PCI_HOT_RESET", "no descriptor"), hot(16, 0, 1, &bad, 1), -EBADF);
	check_equal(name(d->what, "PCI_HOT_RESET", "not a group"), hot(16, 0, 1, &v.container, 1), -EINVAL);
	reset_and_look(d, "PCI_HOT_RESET", by_bus, false);
}

static void device_open(const struct device *d, const char *bdf)
{
	vfio_open(&v, bdf);
	reg = vfio_bar(&v, d->bar, &reg_bytes);
}

static void device_close(void)
{
	munmap((void *)reg, reg_bytes);
	vfio_close(&v);
}

static void methods(const struct device *d, const char *bdf, const char *arg)
{
	char list[64], now[64], bad[80], expected[64], *rest = bad, *m;
	size_t n = 0;

	for (const char *c = arg; *c && n + 1 < sizeof(expected); c++)
		if (*c != '!')
			expected[n++] = *c;
	expected[n] = '\0';

	if (!get(bdf, list, sizeof(list))) {
		check_true(name(d->what, "-", "no reset_method as expected"), !strcmp(expected, "-"));
		device_open(d, bdf);
		check_true(name(d->what, "-", "no RESET flag"), !can_reset());
		check_equal(name(d->what, "-", "RESET"), by_ioctl(bdf), -EINVAL);
		hot_resets(d);
		device_close();
		return;
	}
	printf("%s: %s\n", d->what, list);
	check_true(name(d->what, "reset_method", expected), !strcmp(list, expected));
	snprintf(bad, sizeof(bad), "%s nonsense", list);
	check_equal(name(d->what, "reset_method", "unknown"), put(bdf, "reset_method", bad, strlen(bad)), -EINVAL);
	check_equal(name(d->what, "reset_method", "not ours"), put(bdf, "reset_method", "acpi", 4), -EINVAL);
	check_true(name(d->what, "reset_method", "unchanged"), get(bdf, now, sizeof(now)) && !strcmp(now, expected));
	device_open(d, bdf);
	check_true(name(d->what, "-", "RESET flag"), can_reset());
	snprintf(bad, sizeof(bad), "%s", arg);
	while ((m = strsep(&rest, " "))) {
		bool nothing = m[strlen(m) - 1] == '!';

		m[strcspn(m, "!")] = '\0';
		n = (size_t)snprintf(now, sizeof(now), " %s\n", m);
		check_equal(name(d->what, m, "alone"), put(bdf, "reset_method", now, n), 0);
		check_true(name(d->what, m, "shown"), get(bdf, now, sizeof(now)) && !strcmp(now, m));
		if (nothing)
			check_equal(name(d->what, m, "reset that does nothing"), by_ioctl(bdf), check_on_linux() ? 0 : -ENOTTY);
		else
			reset_and_look(d, m, by_ioctl, false);
	}
	check_equal(name(d->what, "reset_method", "none"), put(bdf, "reset_method", "\n", 1), 0);
	check_true(name(d->what, "reset_method", "empty"), get(bdf, now, sizeof(now)) && !now[0]);
	check_equal(name(d->what, "reset", "without a method"), put(bdf, "reset", "1", 1), -ENOTTY);
	check_equal(name(d->what, "RESET", "without a method"), by_ioctl(bdf), -ENOTTY);
	check_equal(name(d->what, "reset_method", "default"), put(bdf, "reset_method", "default\n", 8), 0);
	check_true(name(d->what, "reset_method", "as at first"), get(bdf, now, sizeof(now)) && !strcmp(now, expected));
	check_equal(name(d->what, "reset", "2"), put(bdf, "reset", "2\n", 2), -EINVAL);
	reset_and_look(d, "reset", by_file, check_on_linux() && arg[strcspn(arg, " !")] == '!');
	if (!strcmp(d->what, "nvme"))
		under_the_hands(d);
	hot_resets(d);
	device_close();
}

static volatile uint32_t *second_reg(const char *bdf, int *fd)
{
	struct vfio_region_info r = { .argsz = sizeof(r), .index = 0 };
	void *p;

	*fd = ioctl(v.group, VFIO_GROUP_GET_DEVICE_FD, bdf);
	need("the second device", *fd >= 0 && !ioctl(*fd, VFIO_DEVICE_GET_REGION_INFO, &r) && r.size == reg_bytes);
	p = mmap(NULL, r.size, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
	need("its registers", p != MAP_FAILED);
	return p;
}

/* Two functions of one conventional bus: neither can be reset alone, both together can. */
static void pair(const struct device *d)
{
	char buf[sizeof(struct vfio_pci_hot_reset_info) + 2 * sizeof(struct vfio_pci_dependent_device)], list[64];
	struct vfio_pci_hot_reset_info *i = (void *)buf;
	volatile uint32_t *other;
	char first[16], second[16];
	int fd, fds[2];

	snprintf(first, sizeof(first), "%s", vfio_find(d->vendor, d->device));
	snprintf(second, sizeof(second), "%.9s2.0", first);
	check_true("pair: the first was alone when it was found", get(first, list, sizeof(list)) && !strcmp(list, "bus"));
	check_true("pair: the second has no method", !get(second, list, sizeof(list)));
	device_open(d, first);
	other = second_reg(second, &fd);
	check_true("pair: no RESET flag", !can_reset());
	check_equal("pair: RESET", by_ioctl(first), -EINVAL);
	check_equal("pair: HOT_RESET_INFO", info(sizeof(buf), i), 0);
	check_equal("pair: functions", i->count, 2);
	check_true("pair: in one group", i->devices[0].group_id == v.group_id && i->devices[1].group_id == v.group_id);
	fds[0] = v.group;
	fds[1] = v.container;
	check_equal("pair: a group and another file", hot(20, 0, 2, fds, 2), -EINVAL);
	reg[d->at / 4] = other[d->at / 4] = d->value;
	check_equal("pair: PCI_HOT_RESET", by_bus(first), 0);
	check_equal("pair: the first is reset", reg[d->at / 4], 0);
	check_equal("pair: the second is reset", other[d->at / 4], 0);

	/* The last close of all resets the bus, and no other does. */
	reg[d->at / 4] = other[d->at / 4] = d->value;
	munmap((void *)other, reg_bytes);
	close(fd);
	check_equal("pair: closed while the other is open", reg[d->at / 4], d->value);
	other = second_reg(second, &fd);
	check_equal("pair: opened again, not reset", other[d->at / 4], d->value);
	munmap((void *)other, reg_bytes);
	close(fd);
	device_close();
	device_open(d, first);
	other = second_reg(second, &fd);
	check_equal("pair: all closed, the first was reset", reg[d->at / 4], 0);
	check_equal("pair: and the second", other[d->at / 4], 0);
	munmap((void *)other, reg_bytes);
	close(fd);
	device_close();
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		size_t n = strcspn(argv[i], "=");

		for (unsigned k = 0; k < sizeof(devices) / sizeof(devices[0]); k++) {
			const struct device *d = &devices[k];
			const char *found;
			char bdf[16];

			if (strncmp(argv[i], d->what, n) || d->what[n] || !argv[i][n])
				continue;
			found = vfio_find(d->vendor, d->device);
			need(argv[i], found != NULL);
			snprintf(bdf, sizeof(bdf), "%s", found);
			if (!strcmp(d->what, "pair")) {
				pair(d);
				continue;
			}
			methods(d, bdf, argv[i] + n + 1);
		}
	}
	return check_result();
}
