/* SPDX-License-Identifier: GPL-2.0-only */
/* See vfio_rig.h: the machine and the program. The fake IOMMU is in vfio_iommu.c. */
#include <linux/fcntl.h>
#include <linux/mman.h>
#include <stdio.h>
#include <stdlib.h>

#include "iommu/vtd/vtd.h"
#include "kernel/audit.h"
#include "kernel/mm.h"
#include "kernel/objects.h"
#include "kernel/program.h"
#include "kernel/tree.h"
#include "tests/host/vfio_iommu.h"
#include "tests/model/vtd_unit.h"

#define BAR_BASE 0xc0000000ull
#define BAR_STEP 0x200000ull
#define UNIT_BASE 0xfed90000ull
#define SCRATCH_SIZE 0x10000ull
#define FRAME_SLACK (256 * PAGE_SIZE) /* what pools may keep */

static struct model_fn *fns[VR_DEVS];
static u8 after_scan[VR_DEVS][4096], masks[VR_DEVS][4096];
static u8 bars[VR_DEVS][0x200000] __attribute__((aligned(4096)));
static struct process *program;
static uaddr_t scratch;
static unsigned vectors_before;
static u64 frames_before;
static s64 objects, objects_before;
static bool real;

static void die(const char *what)
{
	fprintf(stderr, "vfio rig: %s\n", what);
	abort();
}

/* ---- heap objects, counted on the way to ram.c's watch ---- */

static const struct frames_watch *ram_watch;

static bool watch_refuse(u64 size)
{
	return ram_watch->refuse(size);
}
static void watch_taken(void *p, u64 n)
{
	objects += !IS_ALIGNED((u64)p, PAGE_SIZE);
	ram_watch->taken(p, n);
}
static void watch_freed(void *p, u64 n, bool zeroed)
{
	objects -= !IS_ALIGNED((u64)p, PAGE_SIZE) && n <= 2016; /* larger: a new page of the heap */
	ram_watch->freed(p, n, zeroed);
}
static const struct frames_watch watch = { watch_refuse, watch_taken, watch_freed };

/* ---- functions ---- */

static struct model_fn *add(enum vr_dev d, u8 bus, u8 dev, u8 fn, u16 vendor, u32 class)
{
	fns[d] = model_fn_add(0, bus, dev, fn, vendor, (u16)(0x1000 + d), class);
	host_mmio_add(BAR_BASE + d * BAR_STEP, BAR_STEP, NULL, bars[d]);
	model_put(fns[d], PCI_INTERRUPT_PIN, 1, 1);
	return fns[d];
}

/* Hardware takes whatever is written behind a capability's header. */
static void soft(struct model_fn *f, u16 off, unsigned header, unsigned len)
{
	memset(f->mask + off + header, 0xff, len - header);
}
static void soft_cap(struct model_fn *f, u8 id, unsigned len)
{
	soft(f, model_cap(f, id, len), 2, len);
}
static void soft_ext(struct model_fn *f, u16 id, unsigned len)
{
	soft(f, model_ext_cap(f, id, len), 4, len);
}

static void machine(void)
{
	static const u16 ext[] = {
		PCI_EXT_CAP_ID_ERR, PCI_EXT_CAP_ID_ATS, PCI_EXT_CAP_ID_PRI, PCI_EXT_CAP_ID_PASID, PCI_EXT_CAP_ID_SRIOV,
		PCI_EXT_CAP_ID_REBAR, PCI_EXT_CAP_ID_ACS, PCI_EXT_CAP_ID_VC, PCI_EXT_CAP_ID_L1SS, PCI_EXT_CAP_ID_VNDR,
		PCI_EXT_CAP_ID_LTR, PCI_EXT_CAP_ID_DPA, PCI_EXT_CAP_ID_TPH, PCI_EXT_CAP_ID_DPC,
	};
	struct model_fn *f = model_fn_add(0, 0, 1, 0, 0x1b36, 0xc, 0x060400);

	model_express(f, PCI_ROOT_PORT, false);
	model_acs(f, 0x1d, 0, 0xffff);
	model_bridge(f, 1, 1);

	f = add(VR_NVME, 1, 0, 0, 0x1b36, 0x010802);
	model_pm(f, true);
	model_express(f, PCI_ENDPOINT, true);
	model_msix(f, 16, 0, 0x2000, 0, 0x3000);
	model_bar(f, 0, PCI_BASE_ADDRESS_MEM_TYPE_64, BAR_BASE + VR_NVME * BAR_STEP, 0x4000);
	for (unsigned i = 0; i < ARRAY_SIZE(ext); i++)
		soft_ext(f, ext[i], 0x50);

	f = add(VR_NIC, 0, 3, 0, 0x8086, 0x020000);
	soft_cap(f, PCI_CAP_ID_SSVID, 8);
	model_pm(f, false);
	f->mask[f->pm + PCI_PM_CTRL + 1] = 0xff;
	soft_cap(f, PCI_CAP_ID_DBG, 4);
	model_msi(f, 5, true, true);
	soft_cap(f, PCI_CAP_ID_VNDR, 16);
	model_express(f, PCI_RC_ENDPOINT, false);
	model_bar(f, 0, 0, BAR_BASE + VR_NIC * BAR_STEP, 0x20000);
	model_bar(f, 2, PCI_BASE_ADDRESS_SPACE_IO, 0xc040, 32);
	soft_ext(f, PCI_EXT_CAP_ID_PASID, 16);
	soft_ext(f, PCI_EXT_CAP_ID_DSN, 16);
	soft_ext(f, PCI_EXT_CAP_ID_PTM, 16);

	f = add(VR_EDU, 0, 4, 0, 0x1234, 0x00ff00);
	model_msi(f, 0, false, false);
	model_bar(f, 0, 0, BAR_BASE + VR_EDU * BAR_STEP, 0x100000);

	for (enum vr_dev d = VR_TWIN0; d <= VR_TWIN1; d++) {
		f = add(d, 0, 5, (u8)(d - VR_TWIN0), 0x1af4, 0x020000);
		model_multifunction(f);
		model_express(f, PCI_RC_ENDPOINT, d == VR_TWIN1);
		if (d == VR_TWIN0)
			model_af(f);
		model_msix(f, 4, 0, 0x800, 0, 0xc00);
		model_bar(f, 0, 0, BAR_BASE + d * BAR_STEP, 0x1000);
	}
}

static void unit_start(void)
{
	static const struct vm_config plain = {
		.sagaw = 6, .large = 3, .width = 48, .max_mask = 18, .nd = 2, .records = 4, .record_offset = 0x220,
		.remap = true, .eim = true, .drain = true,
	};
	u8 dmar[64] = { 'D', 'M', 'A', 'R', sizeof(dmar), [36] = 47, [37] = 1,
			[48] = 0, 0, 16, 0, 1, 0, 0, 0, 0, 0, UNIT_BASE >> 16 & 0xff, UNIT_BASE >> 24 };

	vm_unit_create(UNIT_BASE, &plain);
	if (vtd_init(dmar, sizeof(dmar)))
		die("the unit does not start");
}

void vr_start(bool vtd)
{
	host_init();
	ram_watch = frames_watch;
	frames_watch = &watch;
	host_mmio_reset();
	model_pci_clear();
	machine();
	if (model_pci_scan() != VR_DEVS + 1 || iommu_groups_build())
		die("the machine was not found");
	real = vtd;
	if (vtd)
		unit_start();
	else
		iommu_register(&vfio_fake_iommu);
	if (iommu_group_sysfs_init() || vfio_init())
		die("vfio_init failed");
	for (unsigned i = 0; i < VR_DEVS; i++) {
		memcpy(after_scan[i], fns[i]->cfg, sizeof(after_scan[i]));
		memcpy(masks[i], fns[i]->mask, sizeof(masks[i]));
	}
	vectors_before = host_irqs_in_use();
}

struct model_fn *vr_fn(enum vr_dev d)
{
	return fns[d];
}

struct pci_dev *vr_pci(enum vr_dev d)
{
	return pci_find(0, fns[d]->bus, fns[d]->devfn);
}

struct vfio_device *vr_vfio(enum vr_dev d)
{
	return vfio_device_of(vr_pci(d));
}

u8 *vr_bar(enum vr_dev d)
{
	return bars[d];
}

/* ---- the program ---- */

void vr_begin(void)
{
	for (unsigned i = 0; i < VR_DEVS; i++) {
		memcpy(fns[i]->cfg, after_scan[i], sizeof(fns[i]->cfg));
		memcpy(fns[i]->mask, masks[i], sizeof(fns[i]->mask));
		fns[i]->gone = false;
		fns[i]->reset = MODEL_RESET_WORKS;
		fns[i]->resets = 0;
		vr_pci(i)->broken = false;
		kfree(vr_pci(i)->msix_msgs);
		vr_pci(i)->msix_msgs = NULL;
		vr_pci(i)->msix_map = NULL;
	}
	host_time_step = NS_PER_MS; /* waits for resets are short */
	objects_before = objects;
	if (!frames_before)
		frames_before = frames_free();
	program = process_create(NULL);
	program->fds = fd_table_create();
	snprintf(program->name, sizeof(program->name), "test");
	thread_current()->process = program;
	scratch = host_user_alloc(SCRATCH_SIZE);
	program->mm = host_mm();
}

/* As process_exit.c: descriptors in order, then the address space. */
void vr_die(void)
{
	bool on;

	if (!program)
		return;
	fd_table_put(program->fds);
	program->fds = NULL;
	host_user_reset();
	program->mm = NULL;
	thread_current()->process = NULL;
	on = spin_lock(&registry_lock);
	process_unregister(program);
	spin_unlock(&registry_lock, on);
	process_put(program);
	program = NULL;
}

static const char *left_over(void)
{
	if (host_irqs_in_use() != vectors_before)
		return "an interrupt vector";
	if (vfio_container_count())
		return "a container";
	if (audit_run() || (real && vtd_audit()))
		return "findings of the audit";
	for (unsigned i = 0; i < VR_DEVS; i++) {
		kfree(vr_pci(i)->msix_msgs);
		vr_pci(i)->msix_msgs = NULL;
		vr_pci(i)->msix_map = NULL;
		if (vr_vfio(i)->opens || vr_vfio(i)->group->open_devices || vr_vfio(i)->group->file)
			return "an open device or group";
		if (vr_pci(i)->group->domain || vr_pci(i)->group->owner[0])
			return "an attached group";
		if (fns[i]->cfg[PCI_COMMAND] & PCI_COMMAND_MASTER && !fns[i]->gone)
			return "a bus master";
	}
	if (vr_iommu.domains || vr_iommu.attached || vr_iommu.irtes || vr_iommu.pages)
		return "a domain, a page or an entry in the IOMMU";
	if (real && vm_counts.violations)
		return vm_counts.what;
	if (objects != objects_before)
		return "a heap object";
	if (frames_free() + FRAME_SLACK < frames_before)
		return "frames";
	return NULL;
}

const char *vr_end(void)
{
	vr_die();
	return left_over();
}

/* ---- system calls ---- */

/* Again when it fails, because failures that a test asked for are not meant for this. */
#define TRIES 4
static void to_scratch(const void *arg, size_t n)
{
	for (unsigned i = 0; n <= SCRATCH_SIZE && i < TRIES; i++)
		if (!copy_to_user(scratch, arg, n))
			return;
	die("no scratch memory");
}
static void from_scratch(void *arg, size_t n)
{
	for (unsigned i = 0; n <= SCRATCH_SIZE && i < TRIES; i++)
		if (!copy_from_user(arg, scratch, n))
			return;
	die("no scratch memory");
}

int vr_open(const char *path)
{
	struct node *n;
	struct file *f;
	int r = tree_walk(NULL, path, true, &n);

	if (r)
		return r;
	r = tree_open(n, O_RDWR, &f);
	node_put(n);
	return r ? r : fd_install(f, false);
}

int vr_open_group(enum vr_dev d)
{
	char path[32];

	snprintf(path, sizeof(path), "/dev/vfio/%u", vr_pci(d)->group->id);
	return vr_open(path);
}

s64 vr_ioctl(int fd, u32 nr, u64 arg)
{
	struct file *f = file_from_fd(fd);
	s64 r = f && f->ops->ioctl ? f->ops->ioctl(f, nr, arg) : f ? -ENOTTY : -EBADF;

	if (f)
		file_put(f);
	return r;
}

s64 vr_call(int fd, u32 nr, void *arg, size_t n)
{
	s64 r;

	to_scratch(arg, n);
	r = vr_ioctl(fd, nr, scratch);
	from_scratch(arg, n);
	return r;
}

s64 vr_read(int fd, u64 pos, void *buf, size_t n)
{
	struct file *f = file_from_fd(fd);
	s64 r = f && f->ops->read ? f->ops->read(f, scratch, n, &pos) : -EINVAL;

	if (r > 0)
		from_scratch(buf, (size_t)r);
	if (f)
		file_put(f);
	return r;
}

s64 vr_write(int fd, u64 pos, const void *buf, size_t n)
{
	struct file *f = file_from_fd(fd);
	s64 r = -EINVAL;

	to_scratch(buf, n);
	if (f && f->ops->write)
		r = f->ops->write(f, scratch, n, &pos);
	if (f)
		file_put(f);
	return r;
}

s64 vr_mmap(int fd, u64 off, u64 len, int prot, int flags)
{
	struct file *f = file_from_fd(fd);
	struct mm_map_args a = { .len = ALIGN_UP(len, PAGE_SIZE), .prot = prot, .flags = flags, .file = f };
	s64 r = f && f->ops->mmap ? f->ops->mmap(f, off, a.len, prot, flags, &a.obj, &a.off) : -ENODEV;

	if (!r) {
		r = mm_map(host_mm(), &a);
		mobj_put(a.obj);
	}
	if (f)
		file_put(f);
	return r;
}

void vr_close(int fd)
{
	if (fd_close((unsigned)fd))
		die("close of what is not open");
}

int vr_eventfd(void)
{
	struct file *f = eventfd_create(0, false, O_NONBLOCK);

	return f ? fd_install(f, false) : -ENOMEM;
}

s64 vr_eventfd_take(int fd)
{
	u64 v = 0;
	s64 r = vr_read(fd, 0, &v, sizeof(v));

	return r == sizeof(v) ? (s64)v : r == -EAGAIN ? 0 : r;
}

int vr_open_device(enum vr_dev which, int *c, int *g, int *d)
{
	s32 fd;
	s64 r;

	*c = vr_open("/dev/vfio/vfio");
	*g = vr_open_group(which);
	if (*c < 0 || *g < 0)
		return *c < 0 ? *c : *g;
	fd = *c;
	r = vr_call(*g, VFIO_GROUP_SET_CONTAINER, &fd, sizeof(fd));
	if (!r)
		r = vr_ioctl(*c, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU);
	if (!r)
		r = vr_call(*g, VFIO_GROUP_GET_DEVICE_FD, vr_pci(which)->name, sizeof(vr_pci(which)->name));
	*d = r < 0 ? -1 : (int)r;
	return r < 0 ? (int)r : 0;
}

u32 vr_config(int fd, u16 off, unsigned size)
{
	u32 v = 0;

	if (vr_read(fd, (7ull << VFIO_REGION_SHIFT) + off, &v, size) != size)
		die("config space cannot be read");
	return v;
}

void vr_config_set(int fd, u16 off, unsigned size, u32 v)
{
	if (vr_write(fd, (7ull << VFIO_REGION_SHIFT) + off, &v, size) != size)
		die("config space cannot be written");
}

s64 vr_set_irqs(int fd, u32 index, u32 flags, u32 start, u32 count, const void *data)
{
	u8 buf[sizeof(struct vfio_irq_set) + 1024] = { 0 };
	u32 each = flags & VFIO_IRQ_SET_DATA_EVENTFD ? 4 : flags & VFIO_IRQ_SET_DATA_BOOL ? 1 : 0;
	struct vfio_irq_set s = { .argsz = (u32)sizeof(s) + each * count, .flags = flags, .index = index, .start = start,
				  .count = count };

	memcpy(buf, &s, sizeof(s));
	if (data && each * count <= 1024)
		memcpy(buf + sizeof(s), data, each * count);
	return vr_call(fd, VFIO_DEVICE_SET_IRQS, buf, sizeof(buf));
}

s64 vr_map(int fd, u64 iova, uaddr_t va, u64 size)
{
	struct vfio_iommu_type1_dma_map m = { .argsz = sizeof(m), .iova = iova, .vaddr = va, .size = size,
					      .flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE };

	return vr_call(fd, VFIO_IOMMU_MAP_DMA, &m, sizeof(m));
}
