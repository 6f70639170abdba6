/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The container: /dev/vfio/vfio (10:196).  It owns the IOMMU backend's object, and through it every
 * mapping; groups attach to it.  States: EMPTY (no group), ATTACHED (groups, no IOMMU), SET.
 *
 * Everything that depends on the state runs under container->lock, MAP and UNMAP too: so the last
 * group cannot leave, and take the mappings with it, while a MAP is under way.
 */
#include "passthrough/private.h"

static const struct vfio_iommu_driver_ops *const drivers[] = { &vfio_type1_ops };

static unsigned alive; /* atomic */

unsigned vfio_container_count(void)
{
	return READ_ONCE(alive);
}

void vfio_container_get(struct vfio_container *c)
{
	__atomic_add_fetch(&c->refs, 1, __ATOMIC_SEQ_CST);
}

void vfio_container_put(struct vfio_container *c)
{
	if (__atomic_sub_fetch(&c->refs, 1, __ATOMIC_SEQ_CST))
		return;
	__atomic_sub_fetch(&alive, 1, __ATOMIC_SEQ_CST);
	BUG_ON(!TAILQ_EMPTY(&c->groups) || c->driver);
	kfree(c);
}

/* 1.2: unknown numbers are 0, never an error. */
static int check_extension(struct vfio_container *c, u64 extension)
{
	int ret = 0;

	if (c->driver)
		return c->driver->check_extension(c->data, extension);
	for (unsigned i = 0; i < ARRAY_SIZE(drivers) && !ret; i++)
		ret = drivers[i]->check_extension(NULL, extension);
	return ret;
}

/* 1.3: on failure nothing sticks: the backend's release detaches what is attached. */
static int set_iommu(struct vfio_container *c, u64 type)
{
	if (TAILQ_EMPTY(&c->groups))
		return refuse(-EINVAL, "SET_IOMMU: the container has no group; VFIO_GROUP_SET_CONTAINER comes first");
	if (c->driver)
		return refuse(-EINVAL, "SET_IOMMU: the container already has an IOMMU (%s)", c->driver->name);
	if (!check_extension(c, type))
		return refuse(-ENODEV, "SET_IOMMU: type %llu is not offered; use 3 (VFIO_TYPE1v2_IOMMU) or 1",
			      (unsigned long long)type);
	for (unsigned i = 0; i < ARRAY_SIZE(drivers); i++) {
		void *data;
		struct vfio_group *g;
		int ret = drivers[i]->open(type, &data);

		if (ret == -ENODEV)
			continue;
		if (ret)
			return ret;
		TAILQ_FOREACH(g, &c->groups, link) {
			ret = drivers[i]->attach_group(data, g->iommu);
			if (ret) {
				drivers[i]->release(data);
				return ret;
			}
		}
		c->driver = drivers[i];
		c->data = data;
		return 0;
	}
	return refuse(-EINVAL, "SET_IOMMU: %llu is an extension, not an IOMMU type", (unsigned long long)type);
}

static s64 container_ioctl(struct file *f, u32 nr, u64 arg)
{
	struct vfio_container *c = f->priv;

	if (nr == VFIO_GET_API_VERSION)
		return VFIO_API_VERSION;
	guard_mutex(&c->lock);
	if (nr == VFIO_CHECK_EXTENSION)
		return check_extension(c, arg);
	if (nr == VFIO_SET_IOMMU)
		return set_iommu(c, arg);
	if (c->driver)
		return c->driver->ioctl(c->data, nr, arg);
	return refuse(-EINVAL, "container ioctl 0x%x: no IOMMU is set; VFIO_SET_IOMMU comes first", nr);
}

int vfio_container_attach(struct vfio_container *c, struct vfio_group *g)
{
	if (c->driver) {
		int ret = c->driver->attach_group(c->data, g->iommu);

		if (ret)
			return ret;
	}
	TAILQ_INSERT_TAIL(&c->groups, g, link);
	g->container = c;
	vfio_container_get(c);
	return 0;
}

/* 1.4: the last group takes the IOMMU and every mapping with it. The caller still holds a reference of its own. */
void vfio_container_detach(struct vfio_container *c, struct vfio_group *g)
{
	if (c->driver)
		c->driver->detach_group(c->data, g->iommu);
	iommu_group_set_owner(g->iommu, "");
	TAILQ_REMOVE(&c->groups, g, link);
	g->container = NULL;
	if (TAILQ_EMPTY(&c->groups) && c->driver) {
		c->driver->release(c->data);
		c->driver = NULL;
		c->data = NULL;
	}
	vfio_container_put(c);
}

static void container_release(struct file *f)
{
	vfio_container_put(f->priv);
}

const struct file_ops vfio_container_fops = {
	.name = "/dev/vfio/vfio",
	.ioctl = container_ioctl,
	.release = container_release,
};

static int container_open(struct node *, struct file *f)
{
	struct vfio_container *c = kzalloc(sizeof(*c));

	if (!c)
		return -ENOMEM;
	mutex_init(&c->lock);
	TAILQ_INIT(&c->groups);
	c->refs = 1;
	f->ops = &vfio_container_fops;
	f->priv = c;
	__atomic_add_fetch(&alive, 1, __ATOMIC_SEQ_CST);
	return 0;
}

const struct node_ops vfio_container_node = {
	.open = container_open,
	.rdev_major = 10,
	.rdev_minor = 196,
	.mode = 0666,
};
