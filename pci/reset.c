// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a reset is apart from its method: config space saved, an NVMe controller shut down, bus
 * mastering and decode off and requests in flight awaited, the method, the function's answer awaited
 * for at most 60 s (Linux's limit; it is asked at growing intervals, at most a second), config space
 * put back, and everything read back: identity, header type, class, BARs, and every register that
 * pci/saved.c names.  A function that does not pass this is killed, with what failed.
 *
 * The bit that disables INTx is set before and must be clear afterwards: a function that keeps it
 * was not reset, whatever it says.  The next method is tried then; a function whose methods all did
 * nothing is killed, too: what its last owner left in it would be the next one's.  That rule is not
 * applied to D3hot, which leaves more to the function: there it counts as no reset.
 *
 * A bus is reset with all its functions, which are one job each here; a function's own reset is a
 * job of one.  Locks of several functions are taken in address order, in which a virtual function comes after
 * its physical one.
 */
#include <stdio.h>

#include "kernel/frames.h"
#include "pci/internal.h"

#define QUIESCE_MS 1500
#define READY_MS 60000

struct job {
	struct pci_dev *d;
	struct pci_saved saved;
	bool marked; /* INTx was disabled before the reset */
};

static void nobody_told(struct pci_dev *, bool)
{
}

struct pci_above pci_above = { .reset = nobody_told, .reset_file = pci_reset, .error = nobody_told };

static void hook(struct pci_dev *d, bool before)
{
	d->resetting = before;
	pci_above.reset(d, before);
}

static bool nothing_pending(const struct pci_dev *d)
{
	return !(d->cap_pcie && pci_read16(d, d->cap_pcie + PCI_EXP_DEVSTA) & PCI_EXP_DEVSTA_TRPND) &&
	       !(d->cap_af && pci_read8(d, d->cap_af + PCI_AF_STATUS) & PCI_AF_STATUS_TP);
}

static bool answers_or_dead(const struct pci_dev *d)
{
	return !pci_dev_usable(d) || pci_answers(d);
}

/* Nothing new is sent, and what is on its way has arrived; or the deadline says to go on anyway. */
static int prepare(struct job *j)
{
	struct pci_dev *d = j->d;

	if (!pci_dev_usable(d))
		return -EIO;
	if (pci_power_on(d) || !pci_answers(d)) {
		pci_dev_kill(d, "it does not answer before a reset, or stays asleep");
		return -EIO;
	}
	pci_save(d, &j->saved);
	pci_nvme_shutdown(d);
	pci_write16(d, PCI_COMMAND, PCI_COMMAND_INTX_DISABLE);
	if (!pci_wait_for(d, nothing_pending, QUIESCE_MS))
		log_warn("pci %s: transactions still pending %u ms after bus mastering was cleared; resetting all the same",
			 d->name, QUIESCE_MS);
	j->marked = pci_read16(d, PCI_COMMAND) & PCI_COMMAND_INTX_DISABLE;
	hook(d, true);
	return 0;
}

/* 0; -ENOTTY: it is as it was, but was not reset; else it is killed. */
static int recover(struct job *j, const char *method)
{
	struct pci_dev *d = j->d;
	char what[80];
	bool kept;

	if (!pci_wait_for(d, answers_or_dead, READY_MS) || !pci_dev_usable(d)) {
		pci_dev_kill(d, "%s: no answer from config space within %u s", method, READY_MS / 1000);
		return -ETIMEDOUT;
	}
	/* Another device's registers are not written with this one's values. */
	if (!pci_saved_same(d, &j->saved, true, what, sizeof(what))) {
		pci_dev_kill(d, "%s: came back as another device: %s", method, what);
		return -EIO;
	}
	kept = j->marked && pci_read16(d, PCI_COMMAND) & PCI_COMMAND_INTX_DISABLE;
	pci_restore_registers(d, &j->saved);
	hook(d, false);
	pci_write16(d, PCI_COMMAND, pci_saved_command(&j->saved));
	snprintf(what, sizeof(what), "its MSI-X table");
	if (!pci_saved_same(d, &j->saved, false, what, sizeof(what)) || !pci_msix_same(d)) {
		pci_dev_kill(d, "%s: not as it was: %s", method, what);
		return -EIO;
	}
	if (kept)
		log_warn("pci %s: %s: it says it was reset, but kept its state", d->name, method);
	return kept ? -ENOTTY : 0;
}

/* The first error of all; -ENOTTY only if nothing was reset and nothing is lost. Locks held. */
static int perform(unsigned method, struct pci_dev *const *set, unsigned n)
{
	const struct pci_reset_method *m = &pci_reset_method[method];
	struct pci_dev *port = method == PCI_RESET_BUS ? set[0]->parent : NULL;
	struct job one, *job = n == 1 ? &one : kcalloc(n, sizeof(*job));
	unsigned ready = 0;
	int ret = job ? 0 : -ENOMEM, err;

	for (; !ret && ready < n; ready += !ret) {
		job[ready].d = set[ready];
		ret = prepare(&job[ready]);
	}
	if (ret) {
		while (ready--) {
			hook(set[ready], false);
			pci_restore(set[ready], &job[ready].saved);
		}
		goto out;
	}
	if (port)
		port->resetting = true;
	m->start(set[0]);
	pci_wait_ms(m->settle_ms);
	for (unsigned i = 0; i < n; i++) {
		err = recover(&job[i], m->name);
		set[i]->resetting = false;
		if (err && (!ret || ret == -ENOTTY))
			ret = err;
	}
	if (port)
		port->resetting = false;
out:
	if (job != &one)
		kfree(job);
	return ret;
}

static int reset_locked(struct pci_dev *d)
{
	const char *in_vain = NULL;
	int err = -ENOTTY;

	for (unsigned i = 0; err == -ENOTTY && i < PCI_RESET_METHODS && d->reset_methods[i]; i++) {
		unsigned m = d->reset_methods[i];

		if (!pci_reset_has(d, m))
			continue;
		err = perform(m, &d, 1);
		if (err == -ENOTTY && m != PCI_RESET_PM)
			in_vain = pci_reset_method[m].name;
	}
	if (err != -ENOTTY || !in_vain)
		return err;
	pci_dev_kill(d, "%s: it says it was reset, but kept its state", in_vain);
	return -EIO;
}

int pci_reset(struct pci_dev *d)
{
	/* What is behind a bridge would lose its way. */
	if (d->header_type != PCI_HEADER_TYPE_NORMAL)
		return -ENOTTY;
	if (d->pf) { /* whose own reset would take it away meanwhile */
		guard_mutex(&d->pf->lock);
		guard_mutex(&d->lock);
		return reset_locked(d);
	}
	guard_mutex(&d->lock);
	return reset_locked(d);
}

void pci_save_settled(struct pci_dev *d, struct pci_saved *s)
{
	guard_mutex(d->pf ? &d->pf->lock : &d->lock);
	pci_save(d, s);
}

bool pci_reset_supported(const struct pci_dev *d)
{
	return d->reset_methods[0] && d->header_type == PCI_HEADER_TYPE_NORMAL;
}

int pci_reset_bus(struct pci_dev *const *set, unsigned n)
{
	int err;

	for (unsigned i = 0; i < n; i++)
		if (set[i]->header_type != PCI_HEADER_TYPE_NORMAL)
			return -ENOTTY;
	for (unsigned i = 0; i < n; i++)
		mutex_lock(&set[i]->lock);
	err = perform(PCI_RESET_BUS, set, n);
	for (unsigned i = n; i--;)
		mutex_unlock(&set[i]->lock);
	return err;
}
