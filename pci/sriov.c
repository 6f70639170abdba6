// SPDX-License-Identifier: GPL-2.0-only
/*
 * Single Root I/O Virtualization (PCI Express 9): a physical function's virtual ones, switched on and off by
 * /sys/bus/pci/devices/BDF/sriov_numvfs with Linux's rules and errnos.
 *
 * A VF's config space has no ids, no BARs and no memory enable: ids are the PF's, BAR n of VF i is the
 * i-th piece of the PF's VF BAR n.  VFs may stand on buses behind the PF's own: only where the bridge
 * above leads there and nobody else is.  VFs come by pci_dev_publish(), so each is blocked until a
 * program has its group; they go only when none is open.  sriov_lock: one change at a time.
 */
#include <stdio.h>

#include "kernel/file.h"
#include "kernel/frames.h"
#include "kernel/options.h"
#include "pci/internal.h"

#define SETTLE_MS 100     /* 9.3.3.3.1: after VF Enable */
#define READY_MS 1000
#define PAGE_SIZE_4K 1    /* System Page Size */
#define CTRL_ON (PCI_SRIOV_CTRL_VFE | PCI_SRIOV_CTRL_MSE)

static struct mutex sriov_lock = MUTEX_INIT(sriov_lock);

void pci_sriov_addresses(struct pci_dev *d)
{
	struct pci_sriov *s = d->sriov;

	pci_update16(d, s->cap + PCI_SRIOV_CTRL, PCI_SRIOV_CTRL_ARI, d->parent && d->parent->ari ? PCI_SRIOV_CTRL_ARI : 0);
	pci_write16(d, s->cap + PCI_SRIOV_NUM_VF, s->total);
	s->offset = pci_read16(d, s->cap + PCI_SRIOV_VF_OFFSET);
	s->stride = pci_read16(d, s->cap + PCI_SRIOV_VF_STRIDE);
	pci_write16(d, s->cap + PCI_SRIOV_NUM_VF, 0);
}

void pci_sriov_read(struct pci_dev *d)
{
	u16 cap = d->header_type == PCI_HEADER_TYPE_NORMAL ? pci_find_ext_cap(d, PCI_EXT_CAP_ID_SRIOV) : 0;
	struct pci_sriov *s;
	u16 total;

	if (!cap || cap + PCI_EXT_CAP_SRIOV_SIZEOF > PCI_CFG_EXPRESS)
		return;
	total = pci_read16(d, cap + PCI_SRIOV_TOTAL_VF);
	s = total ? kzalloc(sizeof(*s) + total * sizeof(*s->vf)) : NULL;
	if (!s)
		return; /* without memory: without virtual functions */
	s->cap = cap;
	s->total = total;
	s->vf_device = pci_read16(d, cap + PCI_SRIOV_VF_DID);
	pci_write32(d, cap + PCI_SRIOV_SYS_PGSIZE, PAGE_SIZE_4K);
	d->sriov = s;
	pci_sriov_addresses(d);
	pci_vf_bars_read(d);
}

static u32 vf_rid(const struct pci_dev *d, unsigned i)
{
	return pci_rid(d) + d->sriov->offset + d->sriov->stride * i;
}

/* Has somebody this address, or does a bridge that is not above the PF lead to its bus? */
static bool rid_taken(const struct pci_dev *d, u32 rid)
{
	u32 bus = rid >> 8;
	struct pci_dev *e;

	pci_for_each(e)
		if (e->segment == d->segment && (pci_rid(e) == rid || (bus != d->bus && e->bus == bus) ||
						 (bus != d->bus && e->bus >= d->bus && bus >= e->secondary && bus <= e->subordinate)))
			return true;
	return false;
}

static int rids_check(const struct pci_dev *d, unsigned n)
{
	u32 last_bus = d->parent ? d->parent->subordinate : d->bus;

	if (!d->sriov->offset || (n > 1 && !d->sriov->stride))
		return refuse(-EIO, "%s: its VFs have no addresses (offset %u, stride %u)", d->name, d->sriov->offset,
			      d->sriov->stride);
	for (u32 i = 0, rid = vf_rid(d, 0); i < n; rid = vf_rid(d, ++i))
		if (rid >> 8 > last_bus || rid_taken(d, rid))
			return refuse(-ENOMEM, "%s: no address for VF %u: %02x:%02x.%x is taken, or no bridge leads there", d->name,
				      i, rid >> 8, rid >> 3 & 31, rid & 7);
	return 0;
}

static int bars_check(const struct pci_dev *d)
{
	for (unsigned i = 0; i < PCI_BARS; i++)
		if (d->vf_bar[i].want && !d->vf_bar[i].size)
			return refuse(-ENOMEM, "%s: VF BAR%u of %u VFs (0x%llx bytes each) found no room in the windows above",
				      d->name, i, d->sriov->total, (unsigned long long)d->vf_bar[i].want);
	return 0;
}

static struct pci_dev *vf_read(struct pci_dev *pf, unsigned i)
{
	struct pci_dev *d = pci_dev_new(pf->segment, (u16)vf_rid(pf, i), pf->parent);

	if (!d)
		return NULL;
	d->pf = pf;
	d->vendor = pf->vendor;
	d->device = pf->sriov->vf_device;
	for (unsigned k = 0; k < PCI_BARS; k++) {
		d->bar[k] = pf->vf_bar[k];
		d->bar[k].size = d->bar[k].want;
		d->bar[k].base += d->bar[k].base ? i * d->bar[k].want : 0;
	}
	if (!pci_wait_for(d, pci_answers, READY_MS)) {
		pci_dev_free(d);
		return NULL;
	}
	pci_dev_decode(d);
	return d;
}

/* Those that came, `n`, go, and with them all; when one is open, those that went come back. */
static int vfs_off(struct pci_dev *pf, unsigned n)
{
	struct pci_sriov *s = pf->sriov;
	unsigned i;
	int ret = 0;

	for (i = 0; !ret && i < n; i += !ret)
		ret = pci_dev_withdraw(s->vf[i]);
	while (ret && i--)
		(void)!pci_dev_publish(&s->vf[i]); /* says what went wrong */
	if (ret)
		return ret;
	pci_update16(pf, s->cap + PCI_SRIOV_CTRL, CTRL_ON, 0);
	s->quiet_until = arch_now_ns() + PCI_SRIOV_QUIET_MS * NS_PER_MS;
	s->num = 0;
	return 0;
}

static int vfs_on(struct pci_dev *pf, unsigned n)
{
	struct pci_sriov *s = pf->sriov;
	unsigned i;
	int ret;

	while (arch_now_ns() < s->quiet_until)
		pci_wait_ms(10);
	ret = rids_check(pf, n);
	if (!ret)
		ret = bars_check(pf);
	if (ret)
		return ret;
	pci_write16(pf, s->cap + PCI_SRIOV_NUM_VF, n);
	pci_update16(pf, s->cap + PCI_SRIOV_CTRL, 0, CTRL_ON);
	pci_wait_ms(SETTLE_MS);
	for (i = 0; !ret && i < n; i += !ret) {
		s->vf[i] = vf_read(pf, i);
		ret = s->vf[i] ? pci_dev_publish(&s->vf[i]) :
				 refuse(-EIO, "%s: VF %u does not answer within %u ms", pf->name, i, READY_MS);
	}
	s->num = i; /* should one of these be open already: those that came */
	if (!ret) {
		log_info("pci %s: %u virtual functions, %s to %s", pf->name, n, s->vf[0]->name, s->vf[n - 1]->name);
		return 0;
	}
	(void)!vfs_off(pf, i);
	return ret;
}

int pci_sriov_set(struct pci_dev *d, unsigned n)
{
	struct pci_sriov *s = d->sriov;

	if (n > s->total)
		return refuse(-ERANGE, "%s can have %u VFs, not %u", d->name, s->total, n);
	guard_mutex(&sriov_lock);
	if (n == s->num)
		return 0;
	if (n && s->num)
		return refuse(-EBUSY, "%s has %u VFs already: write 0 first", d->name, s->num);
	if (!option_bool("vfio_pci.enable_sriov", false))
		return refuse(-ENOENT, "%s: VFs are made when the operator says vfio_pci.enable_sriov=1", d->name);
	return n ? vfs_on(d, n) : vfs_off(d, s->num);
}

static s64 store_numvfs(struct node *n, const char *buf, size_t len)
{
	u64 v = pci_number(buf);
	int ret = v > 0xffff ? -EINVAL : pci_sriov_set(node_priv(n), (unsigned)v);

	return ret ? ret : (s64)len;
}

PCI_SHOW(num, "%u", sriov->num)
PCI_SHOW(total, "%u", sriov->total)
PCI_SHOW(offset, "%u", sriov->offset)
PCI_SHOW(stride, "%u", sriov->stride)
PCI_SHOW(vf_device, "%x", sriov->vf_device)

/* The link to a VF, from its PF's folder. */
static const char *virtfn_path(const struct pci_dev *vf, char path[64])
{
	unsigned i = pci_rid(vf) - vf_rid(vf->pf, 0), stride = vf->pf->sriov->stride;

	snprintf(path, 64, PCI_SYSFS "/%s/virtfn%u", vf->pf->name, i ? i / stride : 0);
	return path;
}

void pci_sriov_unlink(const struct pci_dev *vf)
{
	char path[64];

	node_remove(virtfn_path(vf, path));
}

bool pci_sriov_nodes(struct pci_dev *d)
{
	static const struct pci_attribute files[] = {
		{ "sriov_numvfs", { .show = show_num, .store = store_numvfs, .mode = 0644 } },
		{ "sriov_totalvfs", { .show = show_total, .mode = 0444 } },
		{ "sriov_offset", { .show = show_offset, .mode = 0444 } },
		{ "sriov_stride", { .show = show_stride, .mode = 0444 } },
		{ "sriov_vf_device", { .show = show_vf_device, .mode = 0444 } },
	};
	char path[64], vf[32], pf[32];
	bool ok = !d->sriov || pci_nodes_add(d, files, ARRAY_SIZE(files));

	if (!ok || !d->pf)
		return ok;
	snprintf(vf, sizeof(vf), "../%s", d->name);
	snprintf(pf, sizeof(pf), "../%s", d->pf->name);
	return node_symlinkf(pf, PCI_SYSFS "/%s/physfn", d->name) && node_add_symlink(virtfn_path(d, path), vf);
}
