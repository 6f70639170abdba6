// SPDX-License-Identifier: GPL-2.0-only
/*
 * Functions that come and go after boot: virtual ones, and what is plugged.  One that comes enters the
 * list, then everybody who keeps something about each function is told; one that goes leaves in the
 * reverse order.  Others walk the list forwards and without a lock, from interrupts too: a function is
 * complete before it enters, and its structure is never freed nor its forward link cut.  When the same
 * address is filled again, so is the structure, with what the folders above keep in it.
 *
 * hot_lock: one function at a time.
 */
#include "kernel/frames.h"
#include "pci/internal.h"

TAILQ_HEAD(pci_watcher_list, pci_watcher);
static struct pci_watcher_list watchers = TAILQ_HEAD_INITIALIZER(watchers);
struct pci_list pci_withdrawn = TAILQ_HEAD_INITIALIZER(pci_withdrawn);
static struct mutex hot_lock = MUTEX_INIT(hot_lock);

void pci_watch(struct pci_watcher *w)
{
	TAILQ_INSERT_TAIL(&watchers, w, link);
}

/* The structure that a function at this address had, with the new contents; else `d` itself. */
static struct pci_dev *take_over(struct pci_dev *d)
{
	struct pci_dev *old;

	TAILQ_FOREACH(old, &pci_withdrawn, gone)
		if (old->segment == d->segment && pci_rid(old) == pci_rid(d))
			break;
	if (!old)
		return d;
	TAILQ_REMOVE(&pci_withdrawn, old, gone);
	if (old == d)
		return d;
	d->iommu_unit = old->iommu_unit;
	d->driver = old->driver;
	kfree(old->msix_msgs);
	kfree(old->aer);
	kfree(old->sriov);
	*old = *d;
	kfree(d);
	return old;
}

/* Off the list, what the watchers keep being undone already. */
static void retire(struct pci_dev *d)
{
	TAILQ_REMOVE(&pci_devices, d, link);
	TAILQ_INSERT_TAIL(&pci_withdrawn, d, gone);
}

static bool listed(const struct pci_dev *d)
{
	return pci_find(d->segment, d->bus, d->devfn) == d;
}

#define NOT_THERE 1 /* nothing is done */

static int publish(struct pci_dev **dev)
{
	struct pci_watcher *w;
	struct pci_dev *d;
	int ret;

	guard_mutex(&hot_lock);
	if ((*dev)->pf && !listed((*dev)->pf)) /* it was taken out meanwhile */
		return NOT_THERE;
	d = *dev = take_over(*dev);
	pci_list_insert(d);
	pci_bars_assign(d); /* in the list: its BARs are not to lie over each other */
	ret = pci_sysfs_add(d);
	for (w = TAILQ_FIRST(&watchers); w && !ret; w = ret ? w : TAILQ_NEXT(w, link))
		ret = w->added(d);
	if (!ret)
		return 0;
	while (w && (w = TAILQ_PREV(w, pci_watcher_list, link)))
		(void)!w->removed(d); /* nobody had time to take it */
	retire(d);
	log_err("pci %s: cannot be used (error %d)", d->name, -ret);
	return ret;
}

/* Names go without the lock: that waits for a store that may want it. */
int pci_dev_publish(struct pci_dev **d)
{
	int ret = publish(d);

	if (ret < 0)
		pci_sysfs_remove(*d);
	return ret == NOT_THERE ? -ENODEV : ret;
}

static int withdraw(struct pci_dev *d)
{
	struct pci_watcher *w, *last = TAILQ_LAST(&watchers, pci_watcher_list);

	guard_mutex(&hot_lock);
	if (!listed(d)) /* a virtual function whose slot went with all that was in it */
		return NOT_THERE;
	for (w = last; w; w = TAILQ_PREV(w, pci_watcher_list, link)) {
		int ret = w->removed(d);

		BUG_ON(ret && w != last);
		if (ret)
			return ret;
	}
	retire(d);
	return 0;
}

int pci_dev_withdraw(struct pci_dev *d)
{
	int ret = withdraw(d);

	if (!ret)
		pci_sysfs_remove(d);
	return ret == NOT_THERE ? 0 : ret;
}

bool pci_withdrawn_any(const struct pci_dev *port, pci_let_go_fn *let_go)
{
	struct pci_dev *d;
	bool found = false;

	guard_mutex(&hot_lock);
	TAILQ_FOREACH(d, &pci_withdrawn, gone)
		found |= pci_is_below(d, port) && let_go(d, PCI_LOOK);
	return found;
}
