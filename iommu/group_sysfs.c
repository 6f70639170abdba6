// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/kernel/iommu_groups/N as on Linux, with one file more, `reason`: why these devices share the
 * group.  And each PCI device's link to its group, which only this folder knows.
 */
#include <stdio.h>

#include "iommu/iommu.h"
#include "kernel/file.h"
#include "kernel/initcall.h"

#define GROUPS "/sys/kernel/iommu_groups"
#define MAX_REGIONS 64

static s64 show_type(struct node *, char *buf, size_t cap)
{
	return snprintf(buf, cap, "DMA\n");
}

static s64 show_reason(struct node *n, char *buf, size_t cap)
{
	const struct iommu_group *g = node_priv(n);
	size_t len = g->reason[0] ? (size_t)snprintf(buf, cap, "%s\n", g->reason) : 0;

	for (unsigned i = 0; i < g->ndevs && i < IOMMU_MAX_GROUP_DEVS && len < cap; i++)
		if (!pci_dev_usable(g->dev[i]))
			len += (size_t)snprintf(buf + len, cap - len, "%s is not handed out until power-off: %s\n",
						g->dev[i]->name, g->dev[i]->why_broken);
	return (s64)MIN(len, cap);
}

static s64 show_reserved_regions(struct node *n, char *buf, size_t cap)
{
	static const char *const names[] = {
		[IOMMU_RESV_DIRECT] = "direct",
		[IOMMU_RESV_DIRECT_RELAXABLE] = "direct-relaxable",
		[IOMMU_RESV_RESERVED] = "reserved",
		[IOMMU_RESV_MSI] = "msi",
	};
	struct iommu_region region[MAX_REGIONS];
	unsigned count = iommu_group_regions(node_priv(n), region, MAX_REGIONS);
	size_t len = 0;

	for (unsigned i = 0; i < MIN(count, MAX_REGIONS) && len < cap; i++)
		len += (size_t)snprintf(buf + len, cap - len, "0x%016llx 0x%016llx %s\n",
					(unsigned long long)region[i].start, (unsigned long long)region[i].end,
					names[region[i].type]);
	return (s64)MIN(len, cap);
}

static const struct node_ops type_ops = { .show = show_type, .mode = 0444 };
static const struct node_ops reason_ops = { .show = show_reason, .mode = 0444 };
static const struct node_ops regions_ops = { .show = show_reserved_regions, .mode = 0444 };

static int group_nodes(struct iommu_group *g)
{
	static const char dir[] = GROUPS;

	if (!node_addf(&type_ops, g, "%s/%u/type", dir, g->id) ||
	    !node_addf(&reason_ops, g, "%s/%u/reason", dir, g->id) ||
	    !node_addf(&regions_ops, g, "%s/%u/reserved_regions", dir, g->id))
		return -ENOMEM;
	return 0;
}

static int device_links(const struct pci_dev *d)
{
	char target[64];

	if (!d->group)
		return 0;
	snprintf(target, sizeof(target), "../../../../bus/pci/devices/%s", d->name);
	if (!node_symlinkf(target, GROUPS "/%u/devices/%s", d->group->id, d->name))
		return -ENOMEM;
	snprintf(target, sizeof(target), "../../../../kernel/iommu_groups/%u", d->group->id);
	if (!node_symlinkf(target, "/sys/bus/pci/devices/%s/iommu_group", d->name))
		return -ENOMEM;
	return 0;
}

static int device_added(struct pci_dev *d)
{
	int ret = iommu_device_add(d);

	mutex_lock(&iommu_members_lock);
	if (!ret)
		ret = iommu_group_join(d);
	mutex_unlock(&iommu_members_lock);
	if (!ret && d->group->ndevs == 1)
		ret = group_nodes(d->group);
	return ret ? ret : device_links(d);
}

static int device_removed(struct pci_dev *d)
{
	char path[64];

	if (!d->group)
		return 0;
	if (d->group->ndevs == 1)
		snprintf(path, sizeof(path), GROUPS "/%u", d->group->id);
	else
		snprintf(path, sizeof(path), GROUPS "/%u/devices/%s", d->group->id, d->name);
	node_remove(path);
	iommu_group_quit(d);
	return 0;
}

static struct pci_watcher watcher = { .added = device_added, .removed = device_removed };

int iommu_group_sysfs_init(void)
{
	struct iommu_group *g;
	struct pci_dev *d;

	pci_watch(&watcher);
	if (!node_add_dir(GROUPS))
		return -ENOMEM;
	TAILQ_FOREACH(g, &iommu_groups, link)
		if (group_nodes(g))
			return -ENOMEM;
	pci_for_each(d)
		if (device_links(d))
			return -ENOMEM;
	return 0;
}
INITCALL(INITCALL_DEVICES, iommu_group_sysfs_init);
