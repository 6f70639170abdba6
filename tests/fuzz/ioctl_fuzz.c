/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A program that makes any calls on VFIO descriptors: containers, groups, devices and eventfds opened and
 * closed in any order, ioctls with any numbers and arguments, reads, writes and mappings of device
 * regions, descriptors passed where others belong, memory that runs out.  Devices are the model's, the IOMMU
 * is the real driver on the software unit.  When the program has died nothing may be left over:
 * vectors, containers, domains, bus masters, heap objects, frames, findings of the audit.
 *
 * The input is a sequence of operations: one byte of code, one that picks a descriptor, then operands.
 */
#include <linux/mman.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernel/mm.h"
#include "kernel/program.h"
#include "tests/host/vfio_rig.h"

#define MAX_OPS 200
#define MEMORY_PAGES 64
#define ARG_SIZE 512u

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static struct {
	const u8 *p;
	size_t n;
} in;
static uaddr_t memory, argument;
static uaddr_t mapped[8];

static u8 take8(void)
{
	if (!in.n)
		return 0;
	in.n--;
	return *in.p++;
}

static u32 take32(void)
{
	u32 v = take8();

	v |= (u32)take8() << 8;
	v |= (u32)take8() << 16;
	return v | (u32)take8() << 24;
}

/* Numbers that mean something are more likely than others. */
static u64 number(void)
{
	u8 how = take8();

	switch (how & 7) {
	case 0: return how >> 3;
	case 1: return (u64)(how >> 3) << 12;
	case 2: return memory + (u64)(how >> 3) * PAGE_SIZE;
	case 3: return ~0ull << (how >> 3);
	case 4: return 0xfee00000ull + ((u64)(how >> 3) << 11);
	case 5: return take32();
	case 6: return (u64)take32() << 32 | take32();
	default: return how >> 3 ? ~0ull >> (how >> 3) : ~0ull;
	}
}

static int descriptor(void)
{
	u8 v = take8();

	return v < 250 ? v % 12 : (int)(v - 252);
}

/* Arguments: argsz, flags and what follows as bytes; now and then an address that is not the program's. */
static u64 fill(u32 size)
{
	u8 buf[ARG_SIZE] = { 0 }, how = take8();

	memcpy(buf, &size, 4);
	if (how & 1)
		memcpy(buf, (u32[]){ (u32)number() }, 4);
	for (u32 at = 4; at < size; at += 8) {
		u64 v = how & 2 ? number() : take8();

		memcpy(buf + at, &v, MIN(8, ARG_SIZE - at));
	}
	(void)!copy_to_user(argument, buf, sizeof(buf)); /* what was there is as good */
	if (how >= 250)
		return how & 1 ? ~0ull - how : 0;
	if (how >= 245)
		return memory - size / 2; /* its beginning may not be mapped */
	return argument;
}

static void op_open(void)
{
	u8 which = take8() % (VR_DEVS + 3);
	int r = which < VR_DEVS ? vr_open_group(which) : which == VR_DEVS ? vr_eventfd() : vr_open("/dev/vfio/vfio");

	(void)r;
}

static void op_group(void)
{
	int fd = descriptor();
	s32 c;

	switch (take8() % 4) {
	case 0:
		c = descriptor();
		(void)vr_call(fd, VFIO_GROUP_SET_CONTAINER, &c, sizeof(c));
		break;
	case 1:
		(void)vr_ioctl(fd, VFIO_GROUP_UNSET_CONTAINER, 0);
		break;
	default:
		(void)vr_call(fd, VFIO_GROUP_GET_DEVICE_FD, vr_pci(take8() % VR_DEVS)->name, 16);
	}
}

static void op_map(void)
{
	int fd = descriptor();
	u8 v = take8(), pages = take8() % MEMORY_PAGES;
	u64 iova = (u64)(v & 63) << 12, va = memory + (u64)(v >> 4) * PAGE_SIZE;

	if (v & 0x80) {
		struct vfio_iommu_type1_dma_unmap u = { .argsz = sizeof(u), .iova = iova, .size = (u64)pages << 12,
							.flags = v & 64 ? VFIO_DMA_UNMAP_FLAG_ALL : 0 };

		if (u.flags)
			u.iova = u.size = 0;
		(void)vr_call(fd, VFIO_IOMMU_UNMAP_DMA, &u, sizeof(u));
	} else {
		(void)vr_map(fd, iova, va, (u64)pages << 12);
	}
}

static void op_ioctl(void)
{
	int fd = descriptor();
	u8 nr = take8();
	u32 size = take8() % 128;

	if (nr == 0xff)
		(void)vr_ioctl(fd, (u32)number(), number());
	else if (nr % 18 < 3)
		(void)vr_ioctl(fd, VFIO_GET_API_VERSION + nr % 18, number());
	else
		(void)vr_ioctl(fd, VFIO_GET_API_VERSION + nr % 18, fill(size));
}

static void op_irqs(void)
{
	int fd = descriptor();
	u8 what = take8(), start = take8() % 40, count = take8() % 40;
	u32 data = what & 1 ? VFIO_IRQ_SET_DATA_EVENTFD : what & 2 ? VFIO_IRQ_SET_DATA_BOOL : VFIO_IRQ_SET_DATA_NONE;
	u8 bytes[40 * 4];

	for (unsigned i = 0; i < count; i++) {
		s32 e = descriptor();

		if (data == VFIO_IRQ_SET_DATA_BOOL)
			bytes[i] = (u8)e;
		else
			memcpy(bytes + 4 * i, &e, 4);
	}
	(void)vr_set_irqs(fd, (what >> 2) % 6, data | VFIO_IRQ_SET_ACTION_TRIGGER << (what >> 6 == 3), start, count, bytes);
}

static void op_config(void)
{
	int fd = descriptor();
	u16 off = (u16)(take8() << (take8() & 1 ? 4 : 0));
	u32 v = take32();
	unsigned size = 1 + (take8() & 3);

	(void)vr_write(fd, (7ull << VFIO_REGION_SHIFT) + off, &v, size);
	(void)vr_read(fd, (7ull << VFIO_REGION_SHIFT) + off, &v, size);
}

/* A register that does something: command, power, MSI control, the reset bits. */
static void op_register(void)
{
	int fd = descriptor();
	const struct pci_dev *p = vr_pci(take8() % VR_DEVS);
	const u16 at[] = { PCI_COMMAND, p->cap_pm + PCI_PM_CTRL, p->cap_msi + PCI_MSI_FLAGS, p->cap_pcie + PCI_EXP_DEVCTL,
			   p->cap_af + PCI_AF_CTRL, p->cap_msix + PCI_MSIX_FLAGS };
	u8 which = take8() % ARRAY_SIZE(at);
	u16 v = take8();

	v |= (u16)(take8() << 8);
	(void)vr_write(fd, (7ull << VFIO_REGION_SHIFT) + at[which], &v, 2);
}

static void op_rw(void)
{
	int fd = descriptor();
	u8 region = take8() % 10, how = take8();
	u64 off = how & 1 ? number() : (u64)take8() << (how >> 5);
	u8 buf[256] = { 0 };

	if (how & 2)
		(void)vr_write(fd, ((u64)region << VFIO_REGION_SHIFT) + off, buf, how);
	else
		(void)vr_read(fd, ((u64)region << VFIO_REGION_SHIFT) + off, buf, how);
}

static void op_mmap(void)
{
	int fd = descriptor();
	u8 how = take8(), slot = take8() % 8;
	u64 len = (u64)(1 + how % 5) * PAGE_SIZE;
	s64 at;
	u32 v;

	if (mapped[slot] && (how & 0xc0)) {
		(void)!copy_from_user(&v, mapped[slot], sizeof(v)); /* touched, also when it does not decode */
		(void)!copy_to_user(mapped[slot], &v, sizeof(v));
		if (how & 0x80) {
			(void)!mm_unmap(host_mm(), mapped[slot], PAGE_SIZE);
			mapped[slot] = 0;
		}
		return;
	}
	at = vr_mmap(fd, ((u64)(how & 7) << VFIO_REGION_SHIFT) + (how & 8 ? number() & ~(PAGE_SIZE - 1) : 0), len,
		     PROT_READ | PROT_WRITE, how & 16 ? MAP_PRIVATE : MAP_SHARED);
	if (at > 0 && !mapped[slot])
		mapped[slot] = (uaddr_t)at;
}

static void op_trouble(void)
{
	u8 how = take8(), n = take8();
	struct model_fn *f = vr_fn(n % VR_DEVS);

	if (how < 100)
		host_alloc_fail_at(1 + n % 32);
	else if (how < 200)
		host_efault_at(1 + n % 8);
	else if (how < 220)
		f->reset = n % 5;
	else if (how < 240) /* the unit forgets as it likes; the program's memory goes */
		(void)!mm_unmap(host_mm(), memory + (n % MEMORY_PAGES) * PAGE_SIZE, PAGE_SIZE);
	else
		f->gone = true;
}

/* A device that works, to begin with, so that the way there need not be found again and again. */
static void op_ready(void)
{
	int c, g, d;

	(void)vr_open_device(take8() % VR_DEVS, &c, &g, &d);
}

static void step(void)
{
	switch (take8() % 16) {
	case 0: op_open(); break;
	case 1: op_ready(); break;
	case 2: case 3: op_group(); break;
	case 4: case 5: op_map(); break;
	case 6: case 7: op_ioctl(); break;
	case 8: case 9: op_irqs(); break;
	case 10: op_config(); break;
	case 11: op_register(); break;
	case 12: op_rw(); break;
	case 13: op_mmap(); break;
	case 14: op_trouble(); break;
	default: (void)fd_close((unsigned)descriptor());
	}
}

static void run(const u8 *data, size_t size)
{
	const char *left;

	in.p = data;
	in.n = size;
	memset(mapped, 0, sizeof(mapped));
	vr_begin();
	memory = host_user_alloc(MEMORY_PAGES * PAGE_SIZE);
	argument = host_user_alloc(2 * ARG_SIZE);
	for (unsigned i = 0; i < MAX_OPS && in.n; i++) {
		step();
		if (host_alloc_count() >= 32)
			host_alloc_fail_at(0);
	}
	host_alloc_fail_at(0);
	host_efault_at(0);
	left = vr_end();
	if (left) {
		fprintf(stderr, "left over: %s\n", left);
		abort();
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static bool started;
	u64 before, after;

	if (!started) {
		vr_start(true);
		run(NULL, 0);
	}
	started = true;
	before = frames_free();
	run(data, size);
	after = frames_free();
	/* Pools keep pages; who loses some at every round does not. */
	for (unsigned i = 0; after < before && i < 8; i++) {
		before = after;
		run(data, size);
		after = frames_free();
	}
	if (after < before) {
		fprintf(stderr, "frames are lost\n");
		abort();
	}
	return 0;
}
