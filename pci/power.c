// SPDX-License-Identifier: GPL-2.0-only
/*
 * Power states (PCI Express 7.5.2.2, PCI Power Management 5.4), the waits that resets and power
 * changes need, and the end of a function that cannot be brought back.  A function that comes out of
 * D3hot may have lost its config space (No_Soft_Reset clear): it is put back.
 */
#include <stdio.h>

#include "pci/internal.h"

#define D3HOT_TO_D0_MS 10

void pci_wait_ms(u64 ms)
{
	u64 end = arch_now_ns() + ms * NS_PER_MS;

	if (!thread_current()) {
		arch_delay_us(ms * 1000);
		return;
	}
	thread_sleep_until(end);
	/* A dying thread does not sleep, and the hardware needs its time all the same. */
	while (arch_now_ns() < end) {
		arch_delay_us(100);
		resched_point();
	}
}

bool pci_wait_for(const struct pci_dev *d, bool (*done)(const struct pci_dev *d), u64 ms)
{
	u64 now = arch_now_ns(), end = now + ms * NS_PER_MS;

	for (u64 step = 1; !done(d); step = MIN(2 * step, 1000u), now = arch_now_ns()) {
		if (now >= end)
			return false;
		pci_wait_ms(MIN(step, (end - now) / NS_PER_MS + 1));
	}
	return true;
}

/* A virtual function's ids are its PF's, so the command register tells who is there; it is not asked while
 * the vendor says "not ready", since other registers may stall the bus then. */
bool pci_answers(const struct pci_dev *d)
{
	return pci_read16(d, PCI_VENDOR_ID) != PCI_CRS_VENDOR && pci_read16(d, PCI_COMMAND) != 0xffff;
}

int pci_power_on(struct pci_dev *d)
{
	u16 reg = d->cap_pm + PCI_PM_CTRL, v;
	struct pci_saved saved;

	if (!d->cap_pm)
		return 0;
	v = pci_read16(d, reg);
	if (!(v & PCI_PM_CTRL_STATE_MASK))
		return 0;
	pci_save(d, &saved);
	/* PME_Status is cleared by writing one: leave it alone. */
	pci_write16(d, reg, v & ~(PCI_PM_CTRL_STATE_MASK | PCI_PM_CTRL_PME_STATUS));
	pci_wait_ms(D3HOT_TO_D0_MS);
	v = pci_read16(d, reg);
	if (v == 0xffff || v & PCI_PM_CTRL_STATE_MASK) {
		log_err("pci %s: does not come to power state D0 (PMCSR 0x%04x)", d->name, v);
		return -EIO;
	}
	if (!(v & PCI_PM_CTRL_NO_SOFT_RESET))
		pci_restore(d, &saved);
	pci_above.reset(d, false);
	return 0;
}

void pci_dev_kill(struct pci_dev *d, const char *fmt, ...)
{
	va_list ap;

	pci_set_master(d, false);
	if (__atomic_exchange_n(&d->broken, true, __ATOMIC_SEQ_CST))
		return;
	va_start(ap, fmt);
	vsnprintf(d->why_broken, sizeof(d->why_broken), fmt, ap);
	va_end(ap);
	log_err("pci %s: is not handed out again: %s; power the machine off to use it", d->name, d->why_broken);
}
