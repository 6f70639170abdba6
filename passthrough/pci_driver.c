/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which functions are ours to hand out: every endpoint that is not a bridge.  Nobody else drives
 * devices here, so all are bound to vfio-pci from the start.  This is also where the folder starts:
 * the device nodes, the fault handler, the audit.
 */
#include <stdio.h>

#include "kernel/audit.h"
#include "kernel/initcall.h"
#include "passthrough/private.h"
#include "passthrough/type1.h"

struct vfio_device *vfio_device_of(struct pci_dev *d)
{
	return d->driver;
}

static bool ours(const struct pci_dev *d)
{
	return d->header_type == PCI_HEADER_TYPE_NORMAL && (d->class >> 16) != 0x06 /* bridges */;
}

static unsigned group_devices(const struct iommu_group *g)
{
	unsigned n = 0;

	for (unsigned i = 0; i < g->ndevs; i++)
		n += ours(g->dev[i]);
	return n;
}

/* At boot, and when a function came; the state of one that was at this address before is used again. */
static int device_added(struct pci_dev *d)
{
	struct vfio_device *v = d->driver;
	int ret = 0;

	if (!ours(d) || !d->group)
		return 0;
	if (!v) {
		v = kzalloc(sizeof(*v));
		if (!v)
			return -ENOMEM;
		mutex_init(&v->lock);
		mutex_init(&v->mem_lock);
		v->pci = d;
	}
	memset(v->bar_map, 0, sizeof(v->bar_map));
	d->driver = v;
	if (!d->group->vfio || group_devices(d->group) == 1)
		ret = vfio_group_init(d->group);
	v->group = d->group->vfio;
	WRITE_ONCE(v->gone, false);
	return ret;
}

static int device_removed(struct pci_dev *d)
{
	struct vfio_device *v = d->driver;
	char path[32];
	int ret = 0;

	if (!v)
		return 0;
	mutex_lock(&v->lock);
	if (v->opens && pci_dev_usable(d))
		ret = refuse(-EBUSY, "%s is open (owner: %s)", d->name, d->group->owner);
	else
		v->gone = true;
	mutex_unlock(&v->lock);
	if (ret || group_devices(d->group) > 1)
		return ret;
	snprintf(path, sizeof(path), "/dev/vfio/%u", d->group->id);
	node_remove(path);
	return 0;
}

static struct pci_watcher watcher = { .added = device_added, .removed = device_removed };

u32 vfio_faults_busy;

/* Interrupt context: the owner's ERR eventfd. */
void vfio_error(struct pci_dev *d)
{
	struct vfio_device *v = d->driver;
	struct eventfd *ev;

	__atomic_add_fetch(&vfio_faults_busy, 1, __ATOMIC_SEQ_CST);
	ev = v ? READ_ONCE(v->err) : NULL;
	if (ev)
		eventfd_signal(ev);
	__atomic_sub_fetch(&vfio_faults_busy, 1, __ATOMIC_SEQ_CST);
}

/* A blocked request is an error of the device. */
static void on_fault(const struct iommu_fault *f)
{
	if (f->dev)
		vfio_error(f->dev);
}

/* A write to the function's `reset`: as on Linux it works under an owner's hands. */
static int reset_user(struct pci_dev *d)
{
	struct vfio_device *v = vfio_device_of(d);
	int ret;

	if (!v)
		return pci_reset(d);
	guard_mutex(&v->lock);
	vfio_pci_reset_begin(v);
	ret = pci_reset(d);
	vfio_pci_reset_end(v);
	return ret;
}

static unsigned vfio_audit(void)
{
	struct iommu_group *g;
	struct pci_dev *d;
	unsigned bad = vfio_type1_audit();

	TAILQ_FOREACH(g, &iommu_groups, link)
		if (g->vfio)
			bad += vfio_group_audit(g->vfio);
	pci_for_each(d) {
		struct vfio_device *v = d->driver;
		u16 command = pci_read16(d, PCI_COMMAND);

		/* All ones: nobody answers any more. */
		if (!v || v->opens || command == 0xffff || !(command & PCI_COMMAND_MASTER))
			continue;
		log_err("audit: %s is bus master, but nobody has it open", d->name);
		bad++;
	}
	return bad;
}

static struct auditor auditor = { "vfio", vfio_audit, NULL };

int vfio_init(void)
{
	struct pci_dev *d;
	unsigned n = 0;
	int ret;

	if (!node_add("/dev/vfio/vfio", &vfio_container_node, NULL))
		return -ENOMEM;
	node_add_dir("/sys/module/vfio");
	node_add_dir("/sys/module/vfio_pci");
	iommu_set_fault_handler(on_fault);
	pci_above.reset_file = reset_user;
	audit_register(&auditor);
	pci_for_each(d) {
		ret = device_added(d);
		if (ret)
			return ret;
		n += !!d->driver;
	}
	pci_watch(&watcher);
	log_info("vfio-pci: %u devices can be handed out", n);
	return 0;
}

INITCALL(INITCALL_DEVICES, vfio_init);
