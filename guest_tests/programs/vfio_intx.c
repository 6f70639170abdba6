/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vfio_intx EDU EDU [EDU...]: INTx through VFIO. Each edu device by itself, then the first two, which
 * share a line, against each other; then an NVMe drive, if there is one.
 *
 * edu drives its pin from a write to 0x60 until what was raised is acknowledged at 0x64.
 */
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/check.h"
#include "lib/edu.h"
#include "lib/nvme.h"

#define EDU_BAR 0x100000u
#define INTX VFIO_PCI_INTX_IRQ_INDEX
#define TRIGGER VFIO_IRQ_SET_ACTION_TRIGGER
#define MASK VFIO_IRQ_SET_ACTION_MASK
#define UNMASK VFIO_IRQ_SET_ACTION_UNMASK
#define SOON 2000u /* what must come: at the latest then */
#define NEVER 30u  /* what must not: looked for so long */

static struct edu a, b;
static const char *subject;

static const char *name(const char *what)
{
	static char text[128];

	snprintf(text, sizeof(text), "%s: %s", subject, what);
	return text;
}

static int set(struct vfio *v, uint32_t action, uint32_t count, const int *fd)
{
	struct { struct vfio_irq_set s; int fd; } a = {
		{ .argsz = sizeof(a), .index = INTX, .count = count,
		  .flags = action | (fd ? VFIO_IRQ_SET_DATA_EVENTFD : VFIO_IRQ_SET_DATA_NONE) }, fd ? *fd : 0 };

	return ioctl(v->device, VFIO_DEVICE_SET_IRQS, &a) ? -errno : 0;
}

static int enable(struct edu *e)
{
	if (e->irq < 0)
		e->irq = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return set(&e->v, TRIGGER, 1, &e->irq);
}

static void raise(struct edu *e) { edu_write(e, 0x60, 1); }
static void acknowledge(struct edu *e) { edu_write(e, 0x64, edu_read(e, 0x24)); }
static void fires(const char *what, struct edu *e) { check_equal(name(what), (long long)vfio_wait(e->irq, SOON), 1); }
static void silent(const char *what, struct edu *e) { check_equal(name(what), (long long)vfio_wait(e->irq, NEVER), 0); }

static void next(struct edu *e)
{
	acknowledge(e);
	check_equal(name("unmask"), set(&e->v, UNMASK, 1, NULL), 0);
}

static void test_info(struct edu *e)
{
	struct vfio_irq_info i = { .argsz = sizeof(i), .index = INTX };

	check_errno(name("IRQ_INFO"), ioctl(e->v.device, VFIO_DEVICE_GET_IRQ_INFO, &i), 0);
	check_equal(name("one interrupt"), i.count, 1);
	check_equal(name("EVENTFD, MASKABLE, AUTOMASKED"), i.flags, 7);
	check_equal(name("pin A in config space"), vfio_config_read(&e->v, 0x3d, 1), 1);
}

static void test_states(struct edu *e)
{
	int none = -1, bad = 99, no_eventfd = e->v.device;

	check_equal(name("nothing is on: trigger"), set(&e->v, TRIGGER, 1, NULL), -EINVAL);
	check_equal(name("nothing is on: tear down"), set(&e->v, TRIGGER, 0, NULL), -EINVAL);
	check_equal(name("nothing is on: mask"), set(&e->v, MASK, 1, NULL), -EINVAL);
	check_equal(name("nothing is on: unmask"), set(&e->v, UNMASK, 1, NULL), -EINVAL);
	check_equal(name("enable with a closed descriptor"), set(&e->v, TRIGGER, 1, &bad), -EBADF);
	check_equal(name("enable with no eventfd"), set(&e->v, TRIGGER, 1, &no_eventfd), -EINVAL);
	check_equal(name("enable"), enable(e), 0);
	check_equal(name("MSI while INTx is on"), vfio_set_irqs(&e->v, VFIO_PCI_MSI_IRQ_INDEX, 0, 1, &e->irq), -EINVAL);
	check_equal(name("mask by eventfd"), set(&e->v, MASK, 1, &e->irq), -ENOTTY);
	check_equal(name("two actions"), set(&e->v, MASK | UNMASK, 1, NULL), -ENOTTY);
	check_equal(name("count 0"), set(&e->v, UNMASK, 0, NULL), -EINVAL);
	check_equal(name("loopback"), set(&e->v, TRIGGER, 1, NULL), 0);
	fires("loopback arrives", e);
	check_equal(name("no eventfd"), set(&e->v, TRIGGER, 1, &none), 0);
	raise(e);
	silent("without eventfd nothing is told", e);
	check_equal(name("eventfd back"), enable(e), 0);
	check_equal(name("tear down"), set(&e->v, TRIGGER, 0, NULL), 0);
	raise(e);
	silent("torn down", e);
	check_equal(name("MSI instead"), edu_enable_msi(e), 0);
	check_equal(name("INTx while MSI is on"), enable(e), -EINVAL);
	check_equal(name("MSI off"), vfio_disable_irqs(&e->v, VFIO_PCI_MSI_IRQ_INDEX), 0);
	acknowledge(e);
	check_equal(name("enable again"), enable(e), 0);
}

static void test_level(struct edu *e)
{
	silent("quiet device", e);
	raise(e);
	fires("an interrupt", e);
	silent("masked by itself", e);
	check_equal(name("unmask while asserted"), set(&e->v, UNMASK, 1, NULL), 0);
	fires("fires again", e);
	next(e);
	silent("not asserted any more", e);
	for (unsigned i = 0; i < 20; i++) {
		uint64_t n;

		raise(e);
		n = vfio_wait(e->irq, SOON);
		acknowledge(e);
		if (n != 1 || set(&e->v, UNMASK, 1, NULL))
			check_equal(name("twenty in a row"), i, 20);
	}
	check_equal(name("mask"), set(&e->v, MASK, 1, NULL), 0);
	raise(e);
	silent("masked", e);
	check_equal(name("unmask"), set(&e->v, UNMASK, 1, NULL), 0);
	fires("what came meanwhile", e);
	next(e);
}

static void test_command(struct edu *e)
{
	uint32_t command = vfio_config_read(&e->v, 4, 2);

	check_equal(name("bit 10 is clear"), command >> 10 & 1, 0);
	vfio_config_write(&e->v, 4, 2, command | 1 << 10);
	check_equal(name("bit 10 is set"), vfio_config_read(&e->v, 4, 2) >> 10 & 1, 1);
	raise(e);
	silent("bit 10 set", e);
	check_equal(name("unmask does not end that"), set(&e->v, UNMASK, 1, NULL), 0);
	silent("bit 10 still set", e);
	check_equal(name("loopback"), set(&e->v, TRIGGER, 1, NULL), 0);
	silent("nor is a loopback told", e);
	vfio_config_write(&e->v, 4, 2, command);
	fires("bit 10 cleared", e);
	next(e);
}

static void test_unmask_eventfd(struct edu *e)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), other = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK), none = -1;
	uint64_t one = 1;

	check_equal(name("unmask eventfd"), set(&e->v, UNMASK, 1, &fd), 0);
	check_equal(name("a second one"), set(&e->v, UNMASK, 1, &other), -EBUSY);
	for (unsigned i = 0; i < 3; i++) {
		raise(e);
		fires("before the unmask eventfd", e);
		check_true(name("unmask by eventfd while asserted"), write(fd, &one, 8) == 8);
		fires("it fires again", e);
		acknowledge(e);
		check_true(name("unmask by eventfd"), write(fd, &one, 8) == 8);
		silent("and is quiet", e);
	}
	check_equal(name("its counter is consumed"), read(fd, &one, 8), -1);
	check_equal(name("detach"), set(&e->v, UNMASK, 1, &none), 0);
	raise(e);
	fires("masked again", e);
	check_equal(name("one that is readable already"), set(&e->v, UNMASK, 1, &other), 0);
	fires("unmasks at once", e);
	close(other); /* which detaches it */
	check_equal(name("after the other was closed"), set(&e->v, UNMASK, 1, &fd), 0);
	check_equal(name("detach"), set(&e->v, UNMASK, 1, &none), 0);
	close(fd);
	next(e);
}

static void open_one(struct edu *e, const char *device)
{
	subject = device;
	edu_open(e, device);
}

/* Its mapping would keep it open. */
static void close_one(struct edu *e)
{
	munmap((void *)e->bar, EDU_BAR);
	vfio_close(&e->v);
}

static void test_one(const char *device)
{
	open_one(&a, device);
	test_info(&a);
	test_states(&a);
	test_level(&a);
	test_command(&a);
	test_unmask_eventfd(&a);
	raise(&a);
	close_one(&a); /* asserted: its line must not be blocked for others */
	open_one(&a, device);
	check_equal(name("opened again: bit 10"), vfio_config_read(&a.v, 4, 2) >> 10 & 1, 0);
	acknowledge(&a);
	close_one(&a);
}

static void test_shared(const char *first, const char *second)
{
	subject = "shared line";
	edu_open(&a, first);
	edu_open(&b, second);
	check_equal(name("enable the first"), enable(&a), 0);
	check_equal(name("enable the second"), enable(&b), 0);
	raise(&a);
	fires("the first", &a);
	silent("not the second", &b);
	raise(&b);
	fires("the second while the first is masked", &b);
	next(&a);
	silent("the second is masked: not the first", &a);
	raise(&a);
	fires("the first again", &a);
	next(&b);
	silent("the second is quiet", &b);
	next(&a);
	for (unsigned i = 0; i < 20; i++) {
		raise(&a);
		raise(&b);
		if (vfio_wait(a.irq, SOON) != 1 || vfio_wait(b.irq, SOON) != 1)
			check_equal(name("both, twenty times"), i, 20);
		acknowledge(&a);
		acknowledge(&b);
		set(&a.v, UNMASK, 1, NULL);
		set(&b.v, UNMASK, 1, NULL);
	}
	raise(&a);
	fires("the first", &a);
	close_one(&a);
	raise(&b);
	fires("the second, when the first was closed with its line asserted", &b);
	next(&b);
	close_one(&b);
	edu_open(&a, first);
	acknowledge(&a);
	close_one(&a);
}

static void identify(struct nvme *n, const char *what)
{
	struct nvme_command c = { .cdw0 = 0x06, .prp1 = NVME_AT(identify), .cdw10 = 1 };

	n->interrupts = 0;
	check_equal(name(what), nvme_submit(n, &n->admin, &c), 0);
	if (!n->interrupts) /* the completion was there first */
		n->interrupts = vfio_wait(n->admin.irq, SOON);
	check_equal(name("by one interrupt"), (long long)n->interrupts, 1);
	check_equal(name("unmask"), set(&n->v, UNMASK, 1, NULL), 0);
}

static void test_nvme(void)
{
	struct nvme n;

	subject = "nvme";
	nvme_open(&n);
	check_true(name("starts"), nvme_start(&n));
	check_equal(name("MSI-X off"), vfio_disable_irqs(&n.v, VFIO_PCI_MSIX_IRQ_INDEX), 0);
	vfio_wait(n.admin.irq, 0);
	check_equal(name("INTx on"), set(&n.v, TRIGGER, 1, &n.admin.irq), 0);
	for (unsigned i = 0; i < 3; i++)
		identify(&n, "identify");
	check_errno(name("reset"), ioctl(n.v.device, VFIO_DEVICE_RESET), 0);
	check_equal(name("bit 10 after the reset"), vfio_config_read(&n.v, 4, 2) >> 10 & 1, 0);
	check_equal(name("INTx off"), set(&n.v, TRIGGER, 0, NULL), 0);
	vfio_close(&n.v);
}

/* What a program that interprets AML starts from. */
static void test_tables(void)
{
	FILE *f = fopen("/sys/firmware/acpi/tables/DSDT", "r");
	uint8_t *bytes = calloc(1, 1u << 20), sum = 0;
	size_t n = f && bytes ? fread(bytes, 1, 1u << 20, f) : 0;
	uint32_t length = 0;

	subject = "DSDT";
	if (n >= 8)
		memcpy(&length, bytes + 4, 4);
	for (size_t i = 0; i < n; i++)
		sum = (uint8_t)(sum + bytes[i]);
	check_true(name("has its signature"), n > 36 && !memcmp(bytes, "DSDT", 4));
	check_equal(name("is as long as it says"), (long long)n, length);
	check_equal(name("checksum"), sum, 0);
	if (f)
		fclose(f);
	free(bytes);
}

int main(int argc, char **argv)
{
	need("two edu devices named", argc >= 3);
	a.irq = b.irq = -1;
	for (int i = 1; i < argc; i++)
		test_one(argv[i]);
	test_shared(argv[1], argv[2]);
	if (vfio_find(0x1b36, 0x0010))
		test_nvme();
	test_tables();
	return check_result();
}
