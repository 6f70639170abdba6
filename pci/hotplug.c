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
static struct pci_list withdrawn = TAILQ_HEAD_INITIALIZER(withdrawn);
static struct mutex hot_lock = MUTEX_INIT(hot_lock);

void pci_watch(struct pci_watcher *w)
{
	TAILQ_INSERT_TAIL(&watchers, w, link);
}

/* The structure that a function at this address had, with the new contents; else `d` itself. */
static struct pci_dev *take_over(struct pci_dev *d)
{
	struct pci_dev *old;

	TAILQ_FOREACH(old, &withdrawn, gone)
		if (old->segment == d->segment && pci_rid(old) == pci_rid(d))
			break;
	if (!old)
		return d;
	TAILQ_REMOVE(&withdrawn, old, gone);
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
	TAILQ_INSERT_TAIL(&withdrawn, d, gone);
}

static bool listed(const struct pci_dev *d)
{
	return pci_find(d->segment, d->bus, d->devfn) == d;
}

int pci_dev_publish(struct pci_dev **dev)
{
	struct pci_watcher *w;
	struct pci_dev *d;
	int ret;

	mutex_lock(&hot_lock);
	if ((*dev)->pf && !listed((*dev)->pf)) { /* it was taken out meanwhile */
		mutex_unlock(&hot_lock);
		return -ENODEV;
	}
	d = *dev = take_over(*dev);
	pci_list_insert(d);
	pci_bars_assign(d); /* in the list: its BARs are not to lie over each other */
	ret = pci_sysfs_add(d);
	TAILQ_FOREACH(w, &watchers, link) {
		if (!ret)
			ret = w->added(d);
		if (ret)
			break;
	}
	if (ret) {
		while (w && (w = TAILQ_PREV(w, pci_watcher_list, link)))
			(void)!w->removed(d); /* nobody had time to take it */
		retire(d);
		log_err("pci %s: cannot be used (error %d)", d->name, -ret);
	}
	mutex_unlock(&hot_lock);
	if (ret)
		pci_sysfs_remove(d);
	return ret;
}

int pci_dev_withdraw(struct pci_dev *d)
{
	struct pci_watcher *w, *last = TAILQ_LAST(&watchers, pci_watcher_list);
	int ret = 0;

	mutex_lock(&hot_lock);
	if (!listed(d)) { /* a virtual function whose slot went with all that was in it */
		mutex_unlock(&hot_lock);
		return 0;
	}
	for (w = last; w && !ret; w = TAILQ_PREV(w, pci_watcher_list, link)) {
		ret = w->removed(d);
		BUG_ON(ret && w != last);
	}
	if (!ret)
		retire(d);
	mutex_unlock(&hot_lock);
	if (!ret)
		pci_sysfs_remove(d); /* without the lock: it waits for a store that may want it */
	return ret;
}

bool pci_withdrawn_any(const struct pci_dev *port, pci_let_go_fn *let_go)
{
	struct pci_dev *d;
	bool found = false;

	mutex_lock(&hot_lock);
	TAILQ_FOREACH(d, &withdrawn, gone)
		found |= pci_is_below(d, port) && let_go(d, PCI_LOOK);
	mutex_unlock(&hot_lock);
	return found;
}

void pci_withdrawn_forget(void)
{
	struct pci_dev *d;

	while ((d = TAILQ_FIRST(&withdrawn))) {
		TAILQ_REMOVE(&withdrawn, d, gone);
		pci_dev_free(d);
	}
}
