/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The group: /dev/vfio/N.  One opener at a time; each device file opened through it keeps the group's
 * *file* alive, so that a group stays attached and mapped until its last device is closed (2.1).
 *
 * All functions of the machine that are not bridges are ours and nobody else drives devices, so a
 * group is always viable; what makes it unusable (no unit, reserved memory, broken device) is said
 * when it is attached.
 */
#include "kernel/process.h"
#include "passthrough/private.h"

/*
 * Both locks in order. The container is looked at under the group's lock, held by a reference, and
 * checked again; NULL: the group is not attached (only the group's lock is held then).
 */
static struct vfio_container *lock_attached(struct vfio_group *g)
{
	struct vfio_container *c;

	mutex_lock(&g->lock);
	while ((c = g->container)) {
		vfio_container_get(c);
		mutex_unlock(&g->lock);
		mutex_lock(&c->lock);
		mutex_lock(&g->lock);
		if (g->container == c)
			break;
		mutex_unlock(&c->lock);
		vfio_container_put(c);
	}
	return c;
}

static void unlock_attached(struct vfio_group *g, struct vfio_container *c)
{
	mutex_unlock(&g->lock);
	if (!c)
		return;
	mutex_unlock(&c->lock);
	vfio_container_put(c);
}

static s64 get_status(struct vfio_group *g, uaddr_t arg)
{
	struct vfio_group_status s;

	if (copy_from_user(&s, arg, sizeof(s)))
		return -EFAULT;
	if (s.argsz < sizeof(s))
		return refuse(-EINVAL, "GROUP_GET_STATUS: argsz %u < %zu", s.argsz, sizeof(s));
	mutex_lock(&g->lock);
	s.flags = VFIO_GROUP_FLAGS_VIABLE | (g->container ? VFIO_GROUP_FLAGS_CONTAINER_SET : 0);
	mutex_unlock(&g->lock);
	return copy_to_user(arg, &s, sizeof(s));
}

static int attach(struct vfio_group *g, struct vfio_container *c)
{
	char label[32];
	int ret;

	guard_mutex(&c->lock);
	guard_mutex(&g->lock);
	if (g->container)
		return refuse(-EINVAL, "group %u already has a container", g->iommu->id);
	ret = iommu_group_usable(g->iommu);
	if (ret)
		return ret;
	iommu_group_set_owner(g->iommu, process_label(process_current(), label, sizeof(label)));
	ret = vfio_container_attach(c, g);
	if (ret)
		iommu_group_set_owner(g->iommu, "");
	return ret;
}

static s64 set_container(struct vfio_group *g, uaddr_t arg)
{
	struct file *f;
	s32 fd;
	int ret;

	if (copy_from_user(&fd, arg, sizeof(fd)))
		return -EFAULT;
	f = file_from_fd(fd);
	if (!f)
		return -EBADF;
	if (f->ops == &vfio_container_fops)
		ret = attach(g, f->priv);
	else
		ret = refuse(-EINVAL, "group %u: descriptor %d is not a VFIO container", g->iommu->id, fd);
	file_put(f);
	return ret;
}

static s64 unset_container(struct vfio_group *g)
{
	struct vfio_container *c = lock_attached(g);
	s64 ret = 0;

	if (!c)
		ret = refuse(-EINVAL, "group %u has no container", g->iommu->id);
	else if (g->open_devices)
		ret = refuse(-EBUSY, "group %u: %u device descriptors are still open", g->iommu->id, g->open_devices);
	else
		vfio_container_detach(c, g);
	unlock_attached(g, c);
	return ret;
}

/* 2.4: full name; spaces may follow, and vf_token=UUID. */
static struct vfio_device *device_by_name(struct vfio_group *g, char *name, int *err)
{
	size_t len = strcspn(name, " ");
	char *option = name[len] ? name + len + 1 : name + len;

	name[len] = '\0';
	for (unsigned i = 0; i < g->iommu->ndevs; i++) {
		struct vfio_device *v = vfio_device_of(g->iommu->dev[i]);

		if (!v || strcmp(v->pci->name, name))
			continue;
		*err = vfio_token_check(v, option);
		return *err ? NULL : v;
	}
	*err = refuse(-ENODEV, "%s is not a device of group %u", name, g->iommu->id);
	return NULL;
}

static s64 get_device_fd(struct vfio_group *g, struct file *f, uaddr_t arg)
{
	char name[64];
	struct vfio_device *v;
	struct file *device = NULL;
	int err;
	s64 ret;

	ret = copy_string_from_user(name, arg, sizeof(name));
	if (ret < 0)
		return ret == -ENAMETOOLONG ? refuse(-ENODEV, "device name is too long") : ret;
	v = device_by_name(g, name, &err);
	if (!v)
		return err;
	mutex_lock(&g->lock);
	if (!g->container || !READ_ONCE(g->container->driver)) {
		ret = refuse(-EINVAL, "%s: group %u needs a container with an IOMMU first (SET_CONTAINER, SET_IOMMU)",
			     name, g->iommu->id);
	} else {
		g->open_devices++;
		ret = vfio_device_open(v, f, &device);
		if (ret)
			g->open_devices--;
	}
	mutex_unlock(&g->lock);
	return ret ? ret : fd_install(device, true);
}

void vfio_group_device_closed(struct vfio_group *g)
{
	guard_mutex(&g->lock);
	g->open_devices--;
}

static s64 group_ioctl(struct file *f, u32 nr, u64 arg)
{
	struct vfio_group *g = f->priv;

	switch (nr) {
	case VFIO_GROUP_GET_STATUS:
		return get_status(g, arg);
	case VFIO_GROUP_SET_CONTAINER:
		return set_container(g, arg);
	case VFIO_GROUP_UNSET_CONTAINER:
		return unset_container(g);
	case VFIO_GROUP_GET_DEVICE_FD:
		return get_device_fd(g, f, arg);
	default:
		return -ENOTTY;
	}
}

static void group_release(struct file *f)
{
	struct vfio_group *g = f->priv;
	struct vfio_container *c = lock_attached(g);

	if (c)
		vfio_container_detach(c, g);
	g->file = NULL;
	g->iommu->held = false;
	unlock_attached(g, c);
}

static const struct file_ops group_fops = {
	.name = "/dev/vfio/group",
	.ioctl = group_ioctl,
	.release = group_release,
};

struct vfio_group *vfio_group_of(const struct file *f)
{
	return f->ops == &group_fops ? f->priv : NULL;
}

static int group_open(struct node *n, struct file *f)
{
	struct vfio_group *g = node_priv(n);

	pci_aml_io_close();
	guard_mutex(&g->lock);
	if (g->file)
		return refuse(-EBUSY, "group %u is open already (owner: %s)", g->iommu->id,
			      g->iommu->owner[0] ? g->iommu->owner : "a program that has not attached it");
	g->file = f;
	g->iommu->held = true;
	f->ops = &group_fops;
	f->priv = g;
	return 0;
}

static const struct node_ops group_node = { .open = group_open, .rdev_major = 240, .mode = 0600 };

int vfio_group_init(struct iommu_group *iommu)
{
	struct vfio_group *g = iommu->vfio;

	if (!g) {
		g = kzalloc(sizeof(*g));
		if (!g)
			return -ENOMEM;
		g->iommu = iommu;
		mutex_init(&g->lock);
		iommu->vfio = g;
	}
	if (!node_addf(&group_node, g, "/dev/vfio/%u", iommu->id))
		return -ENOMEM;
	return 0;
}

unsigned vfio_group_audit(struct vfio_group *g)
{
	bool attached = g->container && g->container->driver;

	if (!!g->iommu->domain == attached)
		return 0;
	log_err("audit: group %u: %s", g->iommu->id,
		attached ? "attached to a container but blocked in hardware" : "has a domain but no container");
	return 1;
}
