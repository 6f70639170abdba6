/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The device file: what GROUP_GET_DEVICE_FD returns.  Several files may share a device; the first
 * open brings it to a known state and the last close (mappings count as opens) takes everything back.
 */
#include <asm/fcntl.h>

#include "passthrough/private.h"

int vfio_device_open(struct vfio_device *v, struct file *group_file, struct file **out)
{
	struct file *f = file_create(&vfio_device_fops, O_RDWR, NULL);
	int ret;

	if (!f)
		return -ENOMEM;
	mutex_lock(&v->lock);
	/* Gone, or gone and come back in another group. */
	ret = v->gone || v->group->file != group_file ? -ENODEV : v->opens ? 0 : vfio_pci_enable(v);
	if (!ret && v->opens++ == 0)
		vfio_token_use(v, true);
	mutex_unlock(&v->lock);
	if (ret) {
		file_put(f);
		return ret;
	}
	f->priv = v;
	file_get(group_file);
	*out = f;
	return 0;
}

/* Also the end of a file that never became a device's: v is NULL then. */
static void device_release(struct file *f)
{
	struct vfio_device *v = f->priv;
	struct vfio_group *g;
	struct file *group_file;

	if (!v)
		return;
	mutex_lock(&v->lock);
	g = v->group; /* one that was taken out may come back, into another group, as soon as it is closed */
	if (--v->opens == 0) {
		vfio_pci_disable(v);
		vfio_token_use(v, false);
	}
	mutex_unlock(&v->lock);
	group_file = g->file; /* this device's reference keeps it open */
	vfio_group_device_closed(g);
	file_put(group_file);
}

static s64 device_ioctl(struct file *f, u32 nr, u64 arg)
{
	return vfio_pci_ioctl(f->priv, nr, arg);
}

static s64 device_rw(struct file *f, uaddr_t buf, size_t n, u64 *pos, bool write)
{
	struct vfio_device *v = f->priv;
	u64 index = *pos >> VFIO_REGION_SHIFT, off = *pos & GENMASK(VFIO_REGION_SHIFT - 1, 0);
	s64 ret;

	if (index >= VFIO_PCI_NUM_REGIONS)
		return -EINVAL;
	if (!n)
		return 0;
	if (index == VFIO_PCI_CONFIG_REGION_INDEX)
		ret = vfio_config_rw(v, buf, n, off, write);
	else if (index <= VFIO_PCI_BAR5_REGION_INDEX)
		ret = vfio_bar_rw(v, index, buf, n, off, write);
	else
		return -EINVAL;
	if (ret > 0)
		*pos += ret;
	return ret;
}

static s64 device_read(struct file *f, uaddr_t buf, size_t n, u64 *pos)
{
	return device_rw(f, buf, n, pos, false);
}

static s64 device_write(struct file *f, uaddr_t buf, size_t n, u64 *pos)
{
	return device_rw(f, buf, n, pos, true);
}

static int device_mmap(struct file *f, u64 off, u64 len, int, int flags, struct mobj **obj, u64 *obj_off)
{
	return vfio_pci_mmap(f->priv, off, len, flags, obj, obj_off);
}

const struct file_ops vfio_device_fops = {
	.name = "anon_inode:[vfio-device]",
	.read = device_read,
	.write = device_write,
	.ioctl = device_ioctl,
	.mmap = device_mmap,
	.release = device_release,
};
