// SPDX-License-Identifier: GPL-2.0-only
/*
 * Device TLBs (VT-d chapter 4; PCI Express 10): a function that may use ATS asks its unit for
 * translations, keeps them, and sends requests with translated addresses, which nothing checks but
 * that its context entry allows such requests.  So it is off for every function but those that ats=
 * names, and integrated ones that firmware says need it (SATC, 8.8).  Page requests and PASIDs stay
 * off.
 *
 * Order.  On: context entry, then ATS at the function (4.5.1).  Off: at the function, then its TLB, and
 * with it all that was on its way, then the context entry (4.5.2).  A change of mappings: the unit's
 * IOTLB, wait, and only then the device's TLB (6.5.2.5), which would be filled from the former.
 *
 * Each device-TLB invalidation is a batch of its own, so the unit's time-out (ITE) says which device did
 * not answer: that one is quarantined, and nobody else notices.  While a function is reset or asleep its ATS
 * is off, its TLB empty, and it is not asked.
 */
#include <stdio.h>

#include "iommu/vtd/vtd.h"

#include "kernel/options.h"

#define ALL_PAGES 52 /* mask that covers every address */

bool vtd_ats_wanted(const struct vtd_dev *v)
{
	return v->pci->ats && !v->domain->boot;
}

void vtd_ats_enable(struct vtd_dev *v)
{
	if (!vtd_ats_wanted(v) || !pci_dev_usable(v->pci))
		return;
	v->ats_on = true;
	pci_write16(v->pci, v->ats_cap + PCI_ATS_CTRL, PCI_ATS_CTRL_ENABLE); /* STU 0: pages of 4 KiB */
}

static int device_flush(struct vtd_dev *v, iova_t iova, unsigned mask)
{
	struct vtd_entry inv = vtd_inv_device_tlb(v, iova, mask);
	int r;

	if (pci_read16(v->pci, v->ats_cap + PCI_ATS_CTRL) == 0xffff) /* it was pulled out: not worth a time-out */
		return vtd_dev_quarantine(v);
	r = vtd_queue_run(v->unit, &inv, 1);
	return r == -ENODEV ? vtd_dev_quarantine(v) : r;
}

void vtd_ats_cut(struct vtd_dev *v)
{
	if (v->ats_on)
		pci_write16(v->pci, v->ats_cap + PCI_ATS_CTRL, 0);
	v->ats_on = false;
}

int vtd_ats_disable(struct vtd_dev *v)
{
	bool on = v->ats_on;

	vtd_ats_cut(v);
	return on ? device_flush(v, 0, ALL_PAGES) : 0;
}

/* One aligned block covers the range: what else it drops is asked for again. */
int vtd_ats_flush(struct vtd_dev *v, iova_t iova, u64 size)
{
	u64 differ = (iova ^ (iova + size - 1)) >> PAGE_SHIFT;
	unsigned mask = differ ? 64 - (unsigned)__builtin_clzll(differ) : 0;

	return v->ats_on ? device_flush(v, iova & ~((SZ_4K << mask) - 1), mask) : 0;
}

/* A function that is reset or put to sleep answers nothing, and has lost its TLB when it is back. */
static void ats_pause(struct pci_dev *dev, bool before)
{
	struct vtd_dev *v = vtd_dev_of(dev);
	struct vtd_domain *d = v ? v->domain : NULL;

	if (!d || !vtd_ats_wanted(v))
		return;
	mutex_lock(&d->lock);
	if (!before)
		vtd_ats_enable(v);
	else if (vtd_ats_disable(v))
		vtd_domain_quarantine(d);
	mutex_unlock(&d->lock);
}

/* A structure of this type and flag that names the function or, for ATSR, a root port above it. */
static bool table_says(const struct pci_dev *dev, u16 type, u8 flag, bool everywhere)
{
	struct dmar_entry e;

	for (u32 off = 0; dmar_next(&vtd_dmar, &off, &e) > 0;)
		if (e.type == type && !e.bad && e.segment == dev->segment && (!flag || (e.flags & flag)) &&
		    (everywhere || vtd_entry_covers(&e, dev)))
			return true;
	return false;
}

/* Why the function cannot use ATS; NULL: it can, and the ports above it know. */
static const char *ats_obstacle(struct vtd_dev *v, char *why, size_t n)
{
	struct pci_dev *dev = v->pci;
	struct pci_alias alias[PCI_MAX_ALIASES];

	v->ats_cap = pci_find_ext_cap(dev, PCI_EXT_CAP_ID_ATS);
	if (!v->ats_cap)
		return "it has no ATS capability";
	if (!v->unit || !v->unit->caps.device_tlb)
		return "its unit knows no device TLBs";
	if (dev->parent && !table_says(dev, DMAR_ATSR, DMAR_ALL_PORTS, true) && !table_says(dev, DMAR_ATSR, 0, false))
		return "firmware names no root port above it as able (ATSR)"; /* 8.5; integrated functions need none */
	if (pci_dma_aliases(dev, alias) > 1)
		return "it sends under several requester ids";
	return pci_acs_pass_translated(dev, why, n) ? NULL : why;
}

static void ats_decide(struct pci_dev *dev, const char *who)
{
	struct vtd_dev *v = vtd_dev_of(dev);
	char buf[96];
	const char *why = dev->ats ? NULL : ats_obstacle(v, buf, sizeof(buf));

	if (why)
		log_warn("%s: ATS stays off, though %s: %s", dev->name, who, why);
	if (why || dev->ats)
		return;
	v->ats_depth = (u8)PCI_ATS_CAP_QDEP(pci_read16(dev, v->ats_cap + PCI_ATS_CAP));
	dev->ats = true; /* another one that comes to its place later does not have it */
	log_warn("%s: ATS is on for who has it, as %s: the device is trusted with translated addresses", dev->name, who);
}

void vtd_ats_init(void)
{
	const char *word = option_get("ats"); /* [SSSS:]BB:DD.F,... */
	struct pci_dev *dev;
	char name[16];

	pci_above.reset = ats_pause;
	while (word && *word) {
		int n = (int)strcspn(word, ",");

		snprintf(name, sizeof(name), "%s%.*s", n < 12 ? "0000:" : "", n, word);
		dev = pci_find_name(name);
		if (dev)
			ats_decide(dev, "ats= asks");
		else
			log_warn("ats=%.*s: there is no such function", n, word);
		word += n + (word[n] == ',');
	}
	pci_for_each(dev)
		if (table_says(dev, DMAR_SATC, DMAR_ATC_REQUIRED, false))
			ats_decide(dev, "firmware needs it (SATC)");
}
