// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which functions there are.  Bus numbers are taken as firmware assigned them and never changed: we
 * start at the first bus of each config window, follow bridges down, and then try the buses that no
 * bridge leads to (further root buses, as of a second socket or an expander).
 *
 * Invariants: every bus is scanned at most once; a bridge is followed only when its bus numbers lie
 * above its own bus, inside its parent's range and outside of every other bridge's.  So the walk
 * ends and the tree has no loop, whatever the registers hold.  What lies behind a bridge that is not
 * followed is not used at all: without its bridge it would look better isolated than it is.
 * pci_devices is in address order.
 */
#include "kernel/frames.h"
#include "pci/internal.h"

struct pci_list pci_devices = TAILQ_HEAD_INITIALIZER(pci_devices);

#define READY_MS 5000 /* for all functions of a segment together; 6.6.1 gives one second after a reset */

struct scan {
	u16 segment;
	u8 last;
	unsigned nfunctions;
	struct pci_dev *owner[256];  /* the innermost bridge that is followed and has this bus in its range */
	bool scanned[256];
	bool claimed[256];           /* by a bridge that is not followed: no root bus either */
	u64 patience;                /* until then a function may say that it is not ready */
};

static u32 address(const struct pci_dev *d)
{
	return (u32)d->segment << 16 | pci_rid(d);
}

void pci_list_insert(struct pci_dev *d)
{
	struct pci_dev *after = TAILQ_LAST(&pci_devices, pci_list);

	while (after && address(after) > address(d))
		after = TAILQ_PREV(after, pci_list, link);
	if (after)
		TAILQ_INSERT_AFTER(&pci_devices, after, d, link);
	else
		TAILQ_INSERT_HEAD(&pci_devices, d, link);
}

/* Why a bridge is not followed; NULL: it may be. */
static const char *bridge_refused(const struct scan *s, const struct pci_dev *d)
{
	if (d->secondary == 0)
		return "firmware gave it no bus";
	if (d->secondary <= d->bus || d->subordinate < d->secondary)
		return "its bus numbers run backwards";
	if (d->subordinate > s->last)
		return "its buses are outside of config space";
	if (d->parent && d->subordinate > d->parent->subordinate)
		return "its buses are not within those of the bridge above";
	return NULL;
}

static void bridge_follow(struct scan *s, struct pci_dev *d)
{
	const char *why = bridge_refused(s, d);

	for (unsigned b = d->secondary; !why && b <= d->subordinate; b++)
		if (s->owner[b] != d->parent || s->scanned[b])
			why = "another bridge has these buses";
	if (why) {
		log_warn("pci %s: buses %02x-%02x behind this bridge are not used: %s", d->name, d->secondary,
			 d->subordinate, why);
		for (unsigned b = d->secondary; b <= MAX(d->secondary, d->subordinate); b++)
			s->claimed[b] = true;
		d->secondary = d->subordinate = 0;
		return;
	}
	for (unsigned b = d->secondary; b <= d->subordinate; b++)
		s->owner[b] = d;
}

/* Who never gets ready is left alone: nobody gets it, and all it sends is blocked. */
static int function_scan(struct scan *s, u8 bus, u8 devfn, struct pci_dev *parent, struct pci_dev **out)
{
	u16 vendor;
	int err;

	while ((vendor = (u16)pci_cfg_read(s->segment, bus, devfn, PCI_VENDOR_ID, 4)) == PCI_CRS_VENDOR &&
	       arch_now_ns() < s->patience)
		pci_wait_ms(10);
	if (vendor == PCI_CRS_VENDOR)
		log_warn("pci %04x:%02x:%02x.%x: not ready after %u s: it is left alone", s->segment, bus, devfn >> 3,
			 devfn & 7, READY_MS / 1000);
	err = pci_dev_read(s->segment, bus, devfn, parent, out);
	if (!*out)
		return err;
	if (s->nfunctions++ < PCI_MAX_FUNCTIONS) {
		pci_list_insert(*out);
		return 0;
	}
	log_err("pci: more than %u functions: %s is left alone", PCI_MAX_FUNCTIONS, (*out)->name);
	pci_dev_free(*out);
	*out = NULL;
	return 0;
}

/*
 * The port above a device: it forwards functions above 7 only when the device has the capability,
 * and a root port tells us when a device is not ready (7.5.3.12) instead of trying on and on.
 */
static void port_prepare(struct pci_dev *port, struct pci_dev *fn0)
{
	u16 reg = port->cap_pcie + PCI_EXP_DEVCTL2;

	if (port->type == PCI_ROOT_PORT && pci_express_v2(port, PCI_EXP_RTCTL) &&
	    pci_read16(port, port->cap_pcie + PCI_EXP_RTCAP) & PCI_EXP_RTCAP_CRSVIS)
		pci_update16(port, port->cap_pcie + PCI_EXP_RTCTL, 0, PCI_EXP_RTCTL_CRSSVE);
	if (!pci_is_port(port) || !pci_express_v2(port, PCI_EXP_DEVCAP2))
		return;
	port->ari = fn0 && !pci_is_bridge(fn0) && pci_find_ext_cap(fn0, PCI_EXT_CAP_ID_ARI) &&
		    pci_read32(port, port->cap_pcie + PCI_EXP_DEVCAP2) & PCI_EXP_DEVCAP2_ARI;
	pci_update16(port, reg, port->ari ? 0 : PCI_EXP_DEVCTL2_ARI, port->ari ? PCI_EXP_DEVCTL2_ARI : 0);
	if (port->ari && fn0->sriov)
		pci_sriov_addresses(fn0);
}

/* Each function names the next, which is always higher: so the list ends. */
static int ari_scan(struct scan *s, u8 bus, struct pci_dev *parent, struct pci_dev *d)
{
	int err = 0;

	while (d && !err) {
		u16 cap = pci_find_ext_cap(d, PCI_EXT_CAP_ID_ARI);
		u8 next = cap ? PCI_ARI_CAP_NFN(pci_read16(d, cap + PCI_ARI_CAP)) : 0;

		if (next <= d->devfn)
			break;
		err = function_scan(s, bus, next, parent, &d);
	}
	return err;
}

static int bus_scan(struct scan *s, u8 bus, struct pci_dev *parent)
{
	/* Below a port there is one device, and some answer for every device number (PCI Express 7.3.1). */
	unsigned ndevices = pci_is_port(parent) ? 1 : 32;
	struct pci_dev *d;
	int err;

	if (parent)
		port_prepare(parent, NULL);
	for (unsigned dev = 0; dev < ndevices; dev++) {
		unsigned nfns = 1;

		for (unsigned fn = 0; fn < nfns; fn++) {
			err = function_scan(s, bus, (u8)(dev << 3 | fn), parent, &d);
			if (err)
				return err;
			if (!d || fn)
				continue;
			if (parent)
				port_prepare(parent, d);
			if (parent && parent->ari)
				return ari_scan(s, bus, parent, d);
			nfns = d->multifunction ? 8 : 1;
		}
	}
	return 0;
}

/*
 * Bridges lead to higher buses only.  A bus' bridges are followed after the whole bus was read, so that a range
 * that two of them claim is given to the lower address, whatever lies below.
 */
static int tree_scan(struct scan *s, unsigned root)
{
	struct pci_dev *d;
	int err;

	for (unsigned b = root; b <= s->last; b++) {
		if (b != root && (!s->owner[b] || s->owner[b]->secondary != b || s->scanned[b]))
			continue;
		s->scanned[b] = true;
		err = bus_scan(s, (u8)b, s->owner[b]);
		if (err)
			return err;
		pci_for_each(d)
			if (d->segment == s->segment && d->bus == b && pci_is_bridge(d))
				bridge_follow(s, d);
	}
	return 0;
}

int pci_scan(u16 segment, u8 bus_first, u8 bus_last)
{
	struct scan *s = kzalloc(sizeof(*s));
	int err = 0;

	if (!s)
		return -ENOMEM;
	s->segment = segment;
	s->last = bus_last;
	s->patience = arch_now_ns() + READY_MS * NS_PER_MS;
	for (unsigned b = bus_first; !err && b <= bus_last; b++)
		if (!s->owner[b] && !s->claimed[b])
			err = tree_scan(s, b);
	kfree(s);
	return err;
}

struct pci_dev *pci_find(u16 segment, u8 bus, u8 devfn)
{
	u32 a = (u32)segment << 16 | (u32)bus << 8 | devfn;
	struct pci_dev *d;

	pci_for_each(d)
		if (address(d) == a)
			return d;
	return NULL;
}

struct pci_dev *pci_find_name(const char *name)
{
	struct pci_dev *d;

	pci_for_each(d)
		if (!strcmp(d->name, name))
			return d;
	return NULL;
}
