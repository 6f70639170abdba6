// SPDX-License-Identifier: GPL-2.0-only
/*
 * Function-level reset: PCI Express FLR (6.6.2), Advanced Features FLR (PCI Local Bus, AF ECN 6.x),
 * or D3hot and back when that resets (No_Soft_Reset clear).  One method per function, the first it
 * has.  Before: bus mastering and decode off, requests in flight awaited.  After: at least 100 ms,
 * then config space is polled until the function answers, for at most 60 s, its config is put back,
 * and ids and BARs are read back.  A function that does not pass this test is marked broken and is
 * never handed out again.
 */
#include "pci/internal.h"

#define QUIESCE_MS 1500
#define RESET_SETTLE_MS 100
#define READY_MS 60000
#define PM_SETTLE_MS 10
#define D3HOT 3 /* PowerState of PMCSR, 7.5.2.2 */
#define CRS_VENDOR 0x0001 /* 2.3.1: "not ready yet" with CRS software visibility */

enum method { NONE, FLR, AF_FLR, PM };

static void (*reset_hook)(struct pci_dev *d, bool before);

void pci_set_reset_hook(void (*fn)(struct pci_dev *d, bool before))
{
	reset_hook = fn;
}

void pci_reset_notify(struct pci_dev *d, bool before)
{
	if (reset_hook)
		reset_hook(d, before);
}

static const char *const names[] = { [NONE] = "", [FLR] = "flr", [AF_FLR] = "af_flr", [PM] = "pm" };

static enum method method_of(const struct pci_dev *d)
{
	u16 pmcsr;

	if (d->header_type != PCI_HEADER_TYPE_NORMAL)
		return NONE;
	if (d->flr)
		return d->cap_pcie && pci_read32(d, d->cap_pcie + PCI_EXP_DEVCAP) & PCI_EXP_DEVCAP_FLR ? FLR :
											   AF_FLR;
	if (!d->cap_pm)
		return NONE;
	pmcsr = pci_read16(d, d->cap_pm + PCI_PM_CTRL);
	return pmcsr & PCI_PM_CTRL_NO_SOFT_RESET ? NONE : PM;
}

bool pci_reset_supported(const struct pci_dev *d)
{
	return method_of(d) != NONE;
}

const char *pci_reset_method(const struct pci_dev *d)
{
	return names[method_of(d)];
}

static bool transactions_pending(const struct pci_dev *d, enum method m)
{
	if (m == AF_FLR)
		return pci_read8(d, d->cap_af + PCI_AF_STATUS) & PCI_AF_STATUS_TP;
	return d->cap_pcie && pci_read16(d, d->cap_pcie + PCI_EXP_DEVSTA) & PCI_EXP_DEVSTA_TRPND;
}

/* Nothing new is sent, and what is on its way has arrived; or the deadline says to go on anyway. */
static void quiesce(struct pci_dev *d, enum method m)
{
	u64 deadline = arch_now_ns() + QUIESCE_MS * NS_PER_MS;

	pci_write16(d, PCI_COMMAND, PCI_COMMAND_INTX_DISABLE);
	while (transactions_pending(d, m)) {
		if (arch_now_ns() >= deadline) {
			log_warn("pci %s: transactions still pending %u ms after bus mastering was cleared; resetting all the same",
				 d->name, QUIESCE_MS);
			return;
		}
		pci_wait_ms(10);
	}
}

static void reset_start(struct pci_dev *d, enum method m)
{
	u16 reg, v;

	switch (m) {
	case FLR:
		reg = d->cap_pcie + PCI_EXP_DEVCTL;
		pci_write16(d, reg, pci_read16(d, reg) | PCI_EXP_DEVCTL_BCR_FLR);
		break;
	case AF_FLR:
		pci_write8(d, d->cap_af + PCI_AF_CTRL, PCI_AF_CTRL_FLR);
		break;
	default:
		reg = d->cap_pm + PCI_PM_CTRL;
		v = pci_read16(d, reg) & ~(PCI_PM_CTRL_STATE_MASK | PCI_PM_CTRL_PME_STATUS);
		pci_write16(d, reg, v | D3HOT);
		pci_wait_ms(PM_SETTLE_MS);
		pci_write16(d, reg, v);
		break;
	}
	pci_wait_ms(m == PM ? PM_SETTLE_MS : RESET_SETTLE_MS);
}

/* The id register when the function answers again, all ones when it did not in time. */
static u32 wait_ready(struct pci_dev *d)
{
	u64 start = arch_now_ns(), deadline = start + READY_MS * NS_PER_MS, step = 1;

	for (;;) {
		u32 id = pci_read32(d, PCI_VENDOR_ID);

		if (id != ~0u && (id & 0xffff) != CRS_VENDOR)
			return id;
		if (arch_now_ns() >= deadline || !pci_dev_usable(d))
			return ~0u;
		pci_wait_ms(step);
		step = MIN(step * 2, 1000u);
	}
}

static int verify(struct pci_dev *d, const struct pci_saved *s, u32 id)
{
	if (id != s->header[0]) {
		log_err("pci %s: came back from reset as %04x:%04x, was %04x:%04x", d->name, id & 0xffff, id >> 16,
			d->vendor, d->device);
		return -EIO;
	}
	for (unsigned i = 0; i < PCI_BARS; i++) {
		u32 v = pci_read32(d, (u16)(PCI_BASE_ADDRESS_0 + 4 * i)), was = s->header[4 + i];

		if (v != was) {
			log_err("pci %s: BAR%u reads 0x%x after reset, was 0x%x", d->name, i, v, was);
			return -EIO;
		}
	}
	return 0;
}

static int reset_locked(struct pci_dev *d)
{
	enum method m = method_of(d);
	struct pci_saved saved;
	u32 id;
	int err;

	if (m == NONE)
		return -ENOTTY;
	err = pci_power_on(d);
	if (err)
		return err;
	pci_save(d, &saved);
	if (saved.header[0] == ~0u)
		return -EIO;
	quiesce(d, m);
	d->resetting = true;
	pci_reset_notify(d, true);
	reset_start(d, m);
	id = wait_ready(d);
	if (id == ~0u) {
		log_err("pci %s: %s: no answer from config space within %u s", d->name, names[m],
			READY_MS / 1000);
		return -ETIMEDOUT;
	}
	/* Another device's registers are not written with this one's values. */
	if (id == saved.header[0]) {
		pci_restore(d, &saved);
		pci_acs_enable(d);
	}
	err = verify(d, &saved, id);
	if (!err)
		pci_reset_notify(d, false);
	return err;
}

int pci_reset(struct pci_dev *d)
{
	int err = -EIO;

	mutex_lock(&d->lock);
	if (!d->broken) {
		err = reset_locked(d);
		d->resetting = false;
		if (err && err != -ENOTTY) {
			pci_dev_kill(d, "reset failed (%d)", err);
		}
	}
	mutex_unlock(&d->lock);
	return err;
}
