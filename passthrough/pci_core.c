/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vfio-pci: a device from first open to last close — what it looks like (info, regions), its BAR
 * objects, reset — and the state that a program finds: D0, bus master off, no interrupts, reset.
 *
 * A BAR's object may be touched only while v->mem_on.  Whoever takes decode or power away does it in
 * this order: mem_on = false, zap every mapping (waits), then write the hardware.  So no program and no guest has a
 * live mapping of a BAR that does not decode.
 */
#include <linux/mman.h>

#include "passthrough/private.h"

#define ull(x) ((unsigned long long)(x))

/* A reset is between in_reset and not; mem_on is back before it ends, so what it took is seen by the second look. */
static int bar_gate(void *arg)
{
	struct vfio_device *v = arg;

	if (READ_ONCE(v->mem_on))
		return 0;
	if (READ_ONCE(v->in_reset))
		return -EBUSY;
	return READ_ONCE(v->mem_on) ? 0 : -EIO;
}

void vfio_pci_mem_off(struct vfio_device *v)
{
	WRITE_ONCE(v->mem_on, false);
	for (unsigned i = 0; i < PCI_BARS; i++)
		if (v->bar[i])
			mobj_zap(v->bar[i], 0, mobj_size(v->bar[i]));
}

void vfio_pci_mem_update(struct vfio_device *v)
{
	u16 command = pci_read16(v->pci, PCI_COMMAND);
	u16 pm = v->pci->cap_pm ? pci_read16(v->pci, v->pci->cap_pm + PCI_PM_CTRL) : 0;

	if (v->pci->pf) /* 9.3.4.1.3: its decode is the PF's */
		command |= PCI_COMMAND_MEMORY;
	WRITE_ONCE(v->mem_on, !v->pci->broken && (command & PCI_COMMAND_MEMORY) && !(pm & PCI_PM_CTRL_STATE_MASK));
}

/* Memory BARs of at least a page become objects; smaller ones are reached by read and write only. */
static int bars_create(struct vfio_device *v)
{
	for (unsigned i = 0; i < PCI_BARS; i++) {
		const struct pci_bar *b = &v->pci->bar[i];

		if (!pci_bar_owns_pages(v->pci, i))
			continue;
		v->bar[i] = mobj_create_phys(b->base, ALIGN_UP(b->size, PAGE_SIZE), bar_gate, NULL, v);
		if (!v->bar[i])
			return -ENOMEM;
	}
	return 0;
}

static void bars_destroy(struct vfio_device *v)
{
	for (unsigned i = 0; i < PCI_BARS; i++) {
		if (v->bar[i])
			mobj_put(v->bar[i]);
		v->bar[i] = NULL;
	}
}

static void decode_enable(struct pci_dev *d)
{
	u16 command = (pci_read16(d, PCI_COMMAND) & ~PCI_COMMAND_MASTER) | PCI_COMMAND_INTX_DISABLE;

	for (unsigned i = 0; i < PCI_BARS; i++)
		if (d->bar[i].size && d->bar[i].base)
			command |= d->bar[i].io ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY;
	pci_write16(d, PCI_COMMAND, command);
}

static int not_reset(const struct pci_dev *d, int err)
{
	return refuse(err, "%s was not reset: %s", d->name,
		      pci_dev_usable(d) ? "no method of its reset_method does anything" : d->why_broken);
}

/* 4.11, first open. Device lock held. */
int vfio_pci_enable(struct vfio_device *v)
{
	struct pci_dev *d = v->pci;
	int ret;

	if (!pci_dev_usable(d))
		return refuse(-EIO, "%s is not handed out until power-off: %s", d->name, d->why_broken);
	pci_set_master(d, false);
	ret = pci_power_on(d);
	if (ret)
		return ret;
	decode_enable(d);
	ret = pci_reset_supported(d) ? pci_reset(d) : -ENOTTY;
	if (ret && ret != -ENOTTY)
		return not_reset(d, ret);
	v->reset_works = !ret;
	v->silenced = false;
	vfio_intx_open(v);
	memset(v->rate, 0, sizeof(v->rate));
	pci_set_master(d, false);
	pci_save_settled(d, &v->saved);
	ret = vfio_config_init(v);
	if (ret)
		return ret;
	ret = bars_create(v);
	if (ret) {
		bars_destroy(v);
		vfio_config_free(v);
		return ret;
	}
	guard_mutex(&v->mem_lock);
	vfio_pci_mem_update(v);
	return 0;
}

/* 4.11, last close: no mapping is left (each would hold the file). Device lock held. */
void vfio_pci_disable(struct vfio_device *v)
{
	struct pci_dev *d = v->pci;

	pci_set_master(d, false);
	vfio_irqs_teardown(v);
	mutex_lock(&v->mem_lock);
	vfio_pci_mem_off(v);
	mutex_unlock(&v->mem_lock);
	bars_destroy(v);
	vfio_config_free(v);
	if (pci_dev_usable(d) && pci_power_on(d))
		pci_dev_kill(d, "it does not come to power state D0");
	if (!pci_dev_usable(d))
		return;
	pci_restore(d, &v->saved);
	if (!v->reset_works)
		vfio_hot_reset_idle(v);
	else if (pci_reset(d))
		log_err("vfio-pci %s: reset at close failed", d->name);
	pci_set_master(d, false);
}

void vfio_pci_reset_begin(struct vfio_device *v)
{
	mutex_lock(&v->mem_lock);
	WRITE_ONCE(v->in_reset, true);
	vfio_pci_mem_off(v);
}

void vfio_pci_reset_end(struct vfio_device *v)
{
	if (v->opens)
		vfio_pci_mem_update(v);
	WRITE_ONCE(v->in_reset, false);
	vfio_irqs_hold(v);
	mutex_unlock(&v->mem_lock);
}

int vfio_pci_reset(struct vfio_device *v)
{
	int ret;

	if (!v->reset_works)
		return refuse(-EINVAL, "%s has no working function reset", v->pci->name);
	vfio_pci_reset_begin(v);
	ret = pci_reset(v->pci);
	vfio_pci_reset_end(v);
	return ret ? not_reset(v->pci, ret) : 0;
}

static s64 device_info(struct vfio_device *v, uaddr_t arg)
{
	const size_t minsz = offsetof(struct vfio_device_info, cap_offset);
	struct vfio_device_info info = { 0 };
	size_t room;

	if (copy_from_user(&info, arg, minsz))
		return -EFAULT;
	if (info.argsz < minsz)
		return refuse(-EINVAL, "%s: DEVICE_GET_INFO: argsz %u < %zu", v->pci->name, info.argsz, minsz);
	room = MIN(info.argsz, sizeof(info));
	info.flags = VFIO_DEVICE_FLAGS_PCI | (v->reset_works ? VFIO_DEVICE_FLAGS_RESET : 0);
	info.num_regions = VFIO_PCI_NUM_REGIONS;
	info.num_irqs = VFIO_PCI_NUM_IRQS;
	return copy_to_user(arg, &info, room);
}

static u32 bar_flags(const struct vfio_device *v, unsigned i)
{
	if (!v->pci->bar[i].size || !v->pci->bar[i].base)
		return 0;
	return VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE | (v->bar[i] ? VFIO_REGION_INFO_FLAG_MMAP : 0);
}

/*
 * The BAR with the MSI-X table is mappable whole when interrupt remapping confines forged messages. If not, the pages
 * [*first, *end) of the table are not.
 */
static bool table_closed(const struct vfio_device *v, unsigned bar, u64 *first, u64 *end)
{
	const struct pci_dev *d = v->pci;

	*first = ALIGN_DOWN(d->msix_table, PAGE_SIZE);
	*end = ALIGN_UP(d->msix_table + (u64)d->msix_vectors * PCI_MSIX_ENTRY_SIZE, PAGE_SIZE);
	return d->msix_vectors && d->msix_bar == bar && !iommu_irq_confined(d);
}

struct region_caps {
	struct vfio_info_cap_header header;
	u32 nr_areas, reserved;
	struct vfio_region_sparse_mmap_area area[2];
};
_Static_assert(offsetof(struct region_caps, area) == sizeof(struct vfio_region_info_cap_sparse_mmap), "linux/vfio.h");

/* What the table's BAR says of itself; its length. */
static u32 table_cap(const struct vfio_device *v, unsigned bar, struct region_caps *c)
{
	u64 first, end, size = v->pci->bar[bar].size;

	*c = (struct region_caps){ .header = { VFIO_REGION_INFO_CAP_MSIX_MAPPABLE, 1, 0 } };
	if (!table_closed(v, bar, &first, &end))
		return sizeof(c->header);
	c->header.id = VFIO_REGION_INFO_CAP_SPARSE_MMAP;
	if (first)
		c->area[c->nr_areas++] = (struct vfio_region_sparse_mmap_area){ 0, first };
	if (end < size)
		c->area[c->nr_areas++] = (struct vfio_region_sparse_mmap_area){ end, size - end };
	return offsetof(struct region_caps, area[c->nr_areas]);
}

/* 4.2 */
static s64 region_info(struct vfio_device *v, uaddr_t arg)
{
	struct vfio_region_info info;
	struct region_caps caps;
	u32 len = 0;

	if (copy_from_user(&info, arg, sizeof(info)))
		return -EFAULT;
	if (info.argsz < sizeof(info) || info.index >= VFIO_PCI_NUM_REGIONS || info.index == VFIO_PCI_VGA_REGION_INDEX)
		return refuse(-EINVAL, "%s: no region %u (or argsz %u < %zu)", v->pci->name, info.index, info.argsz,
			      sizeof(info));
	info.offset = (u64)info.index << VFIO_REGION_SHIFT;
	info.size = 0;
	info.flags = 0;
	if (info.index == VFIO_PCI_CONFIG_REGION_INDEX) {
		info.size = v->pci->cfg_size;
		info.flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
	} else if (info.index <= VFIO_PCI_BAR5_REGION_INDEX) {
		info.flags = bar_flags(v, info.index);
		info.size = info.flags ? v->pci->bar[info.index].size : 0;
		if (v->bar[info.index] && v->pci->msix_vectors && v->pci->msix_bar == info.index)
			len = table_cap(v, info.index, &caps);
	}
	if (len) {
		info.flags |= VFIO_REGION_INFO_FLAG_CAPS;
		if (info.argsz < sizeof(info) + len) {
			info.argsz = sizeof(info) + len;
			info.cap_offset = 0;
		} else {
			info.cap_offset = sizeof(info);
			if (copy_to_user(arg + sizeof(info), &caps, len))
				return -EFAULT;
		}
	}
	return copy_to_user(arg, &info, sizeof(info));
}

/* 4.3 */
static s64 irq_info(struct vfio_device *v, uaddr_t arg)
{
	struct vfio_irq_info info;

	if (copy_from_user(&info, arg, sizeof(info)))
		return -EFAULT;
	if (info.argsz < sizeof(info) || info.index >= VFIO_PCI_NUM_IRQS)
		return refuse(-EINVAL, "%s: no interrupt index %u (or argsz %u)", v->pci->name, info.index, info.argsz);
	if (info.index == VFIO_PCI_ERR_IRQ_INDEX && v->pci->type == PCI_CONVENTIONAL)
		return refuse(-EINVAL, "%s is not PCI Express: it has no ERR interrupt", v->pci->name);
	info.flags = VFIO_IRQ_INFO_EVENTFD;
	if (info.index == VFIO_PCI_INTX_IRQ_INDEX)
		info.flags |= VFIO_IRQ_INFO_MASKABLE | VFIO_IRQ_INFO_AUTOMASKED;
	else if (info.index != VFIO_PCI_MSIX_IRQ_INDEX || !v->pci->msix_vectors)
		info.flags |= VFIO_IRQ_INFO_NORESIZE;
	info.count = vfio_irq_count(v, info.index);
	if (info.index == VFIO_PCI_INTX_IRQ_INDEX && !info.count)
		(void)vfio_intx_absent(v, -EINVAL);
	return copy_to_user(arg, &info, sizeof(info));
}

s64 vfio_pci_ioctl(struct vfio_device *v, u32 nr, uaddr_t arg)
{
	switch (nr) {
	case VFIO_DEVICE_GET_INFO:
		return device_info(v, arg);
	case VFIO_DEVICE_GET_REGION_INFO:
		return region_info(v, arg);
	case VFIO_DEVICE_GET_IRQ_INFO:
		return irq_info(v, arg);
	case VFIO_DEVICE_SET_IRQS:
		return vfio_irqs_ioctl(v, arg);
	case VFIO_DEVICE_RESET: {
		guard_mutex(&v->lock);
		return vfio_pci_reset(v);
	}
	case VFIO_DEVICE_GET_PCI_HOT_RESET_INFO:
		return vfio_hot_reset_info(v, arg);
	case VFIO_DEVICE_PCI_HOT_RESET:
		return vfio_hot_reset(v, arg);
	default:
		return -ENOTTY;
	}
}

/* 4.9 */
int vfio_pci_mmap(struct vfio_device *v, u64 off, u64 len, int flags, struct mobj **obj, u64 *obj_off)
{
	u64 index = off >> VFIO_REGION_SHIFT, start = off & GENMASK(VFIO_REGION_SHIFT - 1, 0), first, end;

	if (index > VFIO_PCI_BAR5_REGION_INDEX || !v->bar[index])
		return refuse(-EINVAL, "%s: region %llu cannot be mapped", v->pci->name, ull(index));
	if ((flags & MAP_TYPE) == MAP_PRIVATE)
		return refuse(-EINVAL, "%s: a BAR can be mapped only MAP_SHARED", v->pci->name);
	len = ALIGN_UP(len, PAGE_SIZE);
	if (!IS_ALIGNED(start, PAGE_SIZE) || len > mobj_size(v->bar[index]) || start > mobj_size(v->bar[index]) - len)
		return refuse(-EINVAL, "%s: BAR%llu has 0x%llx bytes; 0x%llx+0x%llx is outside", v->pci->name, ull(index),
			      ull(mobj_size(v->bar[index])), ull(start), ull(len));
	if (table_closed(v, (unsigned)index, &first, &end) && start < end && start + len > first)
		return refuse(-EINVAL, "%s: BAR%llu 0x%llx-0x%llx holds the MSI-X table, and no unit remaps interrupts",
			      v->pci->name, ull(index), ull(first), ull(end - 1));
	mobj_get(v->bar[index]);
	*obj = v->bar[index];
	*obj_off = start;
	return 0;
}
