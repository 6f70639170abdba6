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
static unsigned nfunctions;

#define CRS_VENDOR 0x0001
#define READY_MS 5000 /* for all functions of a segment together; 6.6.1 gives one second after a reset */

struct scan {
	u16 segment;
	u8 first, last;
	bool taken[256];             /* scanned, or in the range of a bridge that is followed */
	bool claimed[256];           /* by a bridge that is not followed: no root bus either */
	u64 patience;                /* until then a function may say that it is not ready */
	struct pci_dev *queue[256];  /* bridges whose secondary bus is still to be scanned */
	unsigned head, tail;         /* each entry took a bus of its own: it never overflows */
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

static void bridge_queue(struct scan *s, struct pci_dev *d)
{
	const char *why = bridge_refused(s, d);

	/* The parent's own range is taken by the parent; only buses of sisters may not be in it. */
	for (unsigned b = d->secondary; !why && b <= d->subordinate; b++)
		if (s->taken[b])
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
		s->taken[b] = true;
	s->queue[s->tail++] = d;
}

/* 2.3.1: vendor 1 stands for "not ready yet". Who never is, is left alone: nobody gets it, and all it sends is blocked. */
static bool answers(struct scan *s, u8 bus, u8 devfn)
{
	u16 vendor;

	while ((vendor = (u16)pci_cfg_read(s->segment, bus, devfn, PCI_VENDOR_ID, 4)) == CRS_VENDOR &&
	       arch_now_ns() < s->patience)
		pci_wait_ms(10);
	if (vendor == CRS_VENDOR)
		log_warn("pci %04x:%02x:%02x.%x: not ready after %u s: it is left alone", s->segment, bus, devfn >> 3,
			 devfn & 7, READY_MS / 1000);
	return vendor != 0xffff && vendor != CRS_VENDOR;
}

static int function_scan(struct scan *s, u8 bus, u8 devfn, struct pci_dev *parent, struct pci_dev **out)
{
	int err;
	struct pci_dev *d = NULL;

	*out = NULL;
	if (!answers(s, bus, devfn))
		return 0;
	if (nfunctions == PCI_MAX_FUNCTIONS) {
		log_err("pci: more than %u functions: %04x:%02x:%02x.%x is left alone", PCI_MAX_FUNCTIONS,
			s->segment, bus, devfn >> 3, devfn & 7);
		return 0;
	}
	d = pci_dev_read(s->segment, bus, devfn, parent, &err);
	if (!d)
		return err;
	pci_list_insert(d);
	nfunctions++;
	*out = d;
	return 0;
}

/* Below a port there is one device, and some answer for every device number (PCI Express 7.3.1). */
static unsigned devices_on(const struct pci_dev *parent)
{
	return pci_is_port(parent) ? 1 : 32;
}

static bool has_v2(const struct pci_dev *d, u16 reg)
{
	return d->cap_pcie && d->cap_pcie + reg + 4 <= PCI_CFG_CONVENTIONAL &&
	       FIELD_GET(PCI_EXP_FLAGS_VERS, pci_read16(d, d->cap_pcie + PCI_EXP_FLAGS)) >= 2;
}

/*
 * The port above a device: it forwards functions above 7 only when the device has the capability,
 * and a root port tells us when a device is not ready (7.5.3.12) instead of trying on and on.
 */
static void port_prepare(struct pci_dev *port, struct pci_dev *fn0)
{
	u16 reg = port->cap_pcie + PCI_EXP_DEVCTL2;

	if (port->type == PCI_ROOT_PORT && has_v2(port, PCI_EXP_RTCTL) &&
	    pci_read16(port, port->cap_pcie + PCI_EXP_RTCAP) & PCI_EXP_RTCAP_CRSVIS)
		pci_update16(port, port->cap_pcie + PCI_EXP_RTCTL, 0, PCI_EXP_RTCTL_CRSSVE);
	if (devices_on(port) != 1 || !has_v2(port, PCI_EXP_DEVCAP2))
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
	unsigned ndevices = devices_on(parent);
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
			if (d && fn == 0 && parent)
				port_prepare(parent, d);
			if (d && fn == 0 && parent && parent->ari)
				return ari_scan(s, bus, parent, d);
			if (d && fn == 0 && d->multifunction)
				nfns = 8;
		}
	}
	return 0;
}

/*
 * A bus' bridges go to the queue after the whole bus was read, so that a range that two of them
 * claim is given to the lower address, whatever lies below.
 */
static void bridges_queue(struct scan *s, u8 bus)
{
	struct pci_dev *d;

	pci_for_each(d)
		if (d->segment == s->segment && d->bus == bus && pci_is_bridge(d))
			bridge_queue(s, d);
}

static int tree_scan(struct scan *s, u8 root)
{
	int err;

	s->taken[root] = true;
	s->head = s->tail = 0;
	err = bus_scan(s, root, NULL);
	if (err)
		return err;
	bridges_queue(s, root);
	while (s->head < s->tail) {
		struct pci_dev *d = s->queue[s->head++];

		/* Its buses become free for the bridges below it; its own secondary stays taken. */
		for (unsigned b = d->secondary + 1u; b <= d->subordinate; b++)
			s->taken[b] = false;
		err = bus_scan(s, d->secondary, d);
		if (err)
			return err;
		bridges_queue(s, d->secondary);
		for (unsigned b = d->secondary + 1u; b <= d->subordinate; b++)
			s->taken[b] = true;
	}
	return 0;
}

int pci_scan(u16 segment, u8 bus_first, u8 bus_last)
{
	struct scan *s = kzalloc(sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->segment = segment;
	s->first = bus_first;
	s->last = bus_last;
	s->patience = arch_now_ns() + READY_MS * NS_PER_MS;
	err = tree_scan(s, bus_first);
	for (unsigned b = bus_first; !err && b <= bus_last; b++)
		if (!s->taken[b] && !s->claimed[b])
			err = tree_scan(s, (u8)b);
	kfree(s);
	return err;
}

void pci_forget_all(void)
{
	struct pci_dev *d;

	while ((d = TAILQ_FIRST(&pci_devices))) {
		TAILQ_REMOVE(&pci_devices, d, link);
		pci_dev_free(d);
	}
	pci_withdrawn_forget();
	nfunctions = 0;
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
