/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hot reset (4.7): a reset of the bus that a device is on, for those who own everything on it.  The
 * set is what the reset reaches: all functions of that bus and below.  Who wants it shows group
 * descriptors that cover the set; a function in it that is not ours (a bridge) cannot be covered.
 *
 * All devices of the set are locked, in address order, their BARs are taken from everybody, and their
 * bus mastering is off, before the reset; config space, interrupts and BARs come back after it.
 */
#include "kernel/process.h"
#include "passthrough/private.h"

struct set {
	unsigned n;
	struct pci_dev **dev; /* address order */
};

static void set_end(struct set *s)
{
	kfree(s->dev);
}
#define SET struct set __attribute__((cleanup(set_end)))

/* -ENODEV: no bus reset is possible. */
static int set_get(const struct vfio_device *v, struct set *s)
{
	unsigned room = pci_bus_set(v->pci, NULL, 0);

	s->dev = room ? kcalloc(room, sizeof(struct pci_dev *)) : NULL;
	if (room && !s->dev)
		return -ENOMEM;
	s->n = MIN(room, pci_bus_set(v->pci, s->dev, room));
	return s->n ? 0 : refuse(-ENODEV, "%s: there is no bus below a bridge that could be reset", v->pci->name);
}

s64 vfio_hot_reset_info(struct vfio_device *v, uaddr_t arg)
{
	const size_t minsz = offsetof(struct vfio_pci_hot_reset_info, devices);
	struct vfio_pci_hot_reset_info info;
	SET s = { .n = 0 };
	bool room;
	int ret;

	if (copy_from_user(&info, arg, minsz))
		return -EFAULT;
	if (info.argsz < minsz)
		return refuse(-EINVAL, "%s: HOT_RESET_INFO: argsz %u < %zu", v->pci->name, info.argsz, minsz);
	ret = set_get(v, &s);
	if (ret)
		return ret;
	info.flags = 0;
	info.count = s.n;
	room = (info.argsz - minsz) / sizeof(info.devices[0]) >= s.n;
	for (unsigned i = 0; room && i < s.n; i++) {
		const struct pci_dev *d = s.dev[i];
		struct vfio_pci_dependent_device out = { .segment = d->segment, .bus = d->bus, .devfn = d->devfn };

		if (!d->group)
			return refuse(-EPERM, "%s: %s has no group", v->pci->name, d->name);
		out.group_id = d->group->id;
		if (copy_to_user(arg + minsz + i * sizeof(out), &out, sizeof(out)))
			return -EFAULT;
	}
	if (copy_to_user(arg, &info, minsz))
		return -EFAULT;
	return room ? 0 : refuse(-ENOSPC, "%s: HOT_RESET_INFO: there are %u functions", v->pci->name, s.n);
}

static int reset_set(const struct set *s)
{
	int ret;

	for (unsigned i = 0; i < s->n; i++) {
		mutex_lock(&vfio_device_of(s->dev[i])->lock);
		vfio_pci_reset_begin(vfio_device_of(s->dev[i]));
	}
	ret = pci_reset_bus(s->dev, s->n);
	for (unsigned i = s->n; i--;) {
		vfio_pci_reset_end(vfio_device_of(s->dev[i]));
		mutex_unlock(&vfio_device_of(s->dev[i])->lock);
	}
	for (unsigned i = 0; ret && i < s->n; i++)
		if (!pci_dev_usable(s->dev[i]))
			return refuse(ret, "%s did not come back from a hot reset: %s", s->dev[i]->name,
				      s->dev[i]->why_broken);
	return ret;
}

/* The descriptors of groups that a program gives, held: complete or not, they are put. */
struct files {
	unsigned n;
	struct file **file;
};

static void files_end(struct files *f)
{
	while (f->n--)
		file_put(f->file[f->n]);
	kfree(f->file);
}

static int files_get(uaddr_t fds, unsigned count, struct files *f)
{
	f->file = kcalloc(count, sizeof(*f->file));
	if (!f->file)
		return -ENOMEM;
	while (f->n < count) {
		s32 fd;

		if (copy_from_user(&fd, fds + f->n * sizeof(fd), sizeof(fd)))
			return -EFAULT;
		f->file[f->n] = file_from_fd(fd);
		if (!f->file[f->n])
			return -EBADF;
		if (!vfio_group_of(f->file[f->n++]))
			return refuse(-EINVAL, "PCI_HOT_RESET: descriptor %d is not a VFIO group", fd);
	}
	return 0;
}

/* Is every function of the set in a group that one of these files is? */
static int covered(const struct vfio_device *v, const struct set *s, const struct files *f)
{
	for (unsigned i = 0; i < s->n; i++) {
		struct vfio_device *o = vfio_device_of(s->dev[i]);
		unsigned k = 0;

		while (o && k < f->n && vfio_group_of(f->file[k]) != o->group)
			k++;
		if (!o || k == f->n)
			return refuse(-EINVAL, "%s: a hot reset reaches %s, which is %s", v->pci->name, s->dev[i]->name,
				      o ? "in no group that was given" : "not bound to vfio-pci");
	}
	return 0;
}

s64 vfio_hot_reset(struct vfio_device *v, uaddr_t arg)
{
	const size_t minsz = offsetof(struct vfio_pci_hot_reset, group_fds);
	struct files __attribute__((cleanup(files_end))) f = { .n = 0 };
	struct vfio_pci_hot_reset r;
	SET s = { .n = 0 };
	int ret;

	if (copy_from_user(&r, arg, minsz))
		return -EFAULT;
	if (r.argsz < minsz || r.flags)
		return refuse(-EINVAL, "%s: PCI_HOT_RESET: argsz %u < %zu, or flags 0x%x", v->pci->name, r.argsz, minsz,
			      r.flags);
	ret = set_get(v, &s);
	if (ret)
		return ret;
	if (!r.count || r.count > s.n)
		return refuse(-EINVAL, "%s: PCI_HOT_RESET: %u groups for %u functions", v->pci->name, r.count, s.n);
	ret = files_get(arg + minsz, r.count, &f);
	if (!ret)
		ret = covered(v, &s, &f);
	return ret ? ret : reset_set(&s);
}

void vfio_hot_reset_idle(struct vfio_device *v)
{
	unsigned locked = 0;
	bool idle = true;
	SET s = { .n = 0 };

	if (!pci_bus_set(v->pci, NULL, 0) || set_get(v, &s))
		return;
	for (; idle && locked < s.n; locked += idle) {
		struct vfio_device *o = vfio_device_of(s.dev[locked]);

		/* Against the order of locks: who is busy there will see to it himself. */
		idle = o && (o == v || mutex_trylock(&o->lock));
		if (idle && o->opens) {
			mutex_unlock(&o->lock);
			idle = false;
		}
	}
	if (idle && pci_reset_bus(s.dev, s.n))
		log_warn("vfio-pci %s: its bus could not be reset at close", v->pci->name);
	while (locked--)
		if (s.dev[locked] != v->pci)
			mutex_unlock(&vfio_device_of(s.dev[locked])->lock);
}
