// SPDX-License-Identifier: GPL-2.0-only
/*
 * Advanced error reporting (PCI Express 6.2, 7.8.4): devices send their errors to a root port or an
 * event collector, which keeps who was first and interrupts.  All functions below are looked at then,
 * because only the first sender is kept; one whose registers show nothing is believed to be the sender
 * that the port names.
 *
 * An uncorrectable error takes bus mastering from its device, a fatal one from every function on the
 * same link, a port's own from all below it: what such a device sends may be wrong.  Correctable ones
 * are counted only.  Whoever owns a device may clear, mask and provoke its errors: a port that reports
 * without end is told to stop.
 *
 * Runs in interrupt context and allocates nothing; the one interrupt of a port guards its counters.
 */
#include <stdio.h>

#include "kernel/file.h"
#include "kernel/frames.h"
#include "pci/internal.h"

#define WINDOW_NS NS_PER_S
#define LINES_PER_WINDOW 10
#define STORM_PER_WINDOW 1000
#define REPORTING (PCI_EXP_DEVCTL_CERE | PCI_EXP_DEVCTL_NFERE | PCI_EXP_DEVCTL_FERE | PCI_EXP_DEVCTL_URRE)
#define ROOT_REPORTING (PCI_ERR_ROOT_CMD_COR_EN | PCI_ERR_ROOT_CMD_NONFATAL_EN | PCI_ERR_ROOT_CMD_FATAL_EN)
#define SYSTEM_ERRORS (PCI_EXP_RTCTL_SECEE | PCI_EXP_RTCTL_SENFEE | PCI_EXP_RTCTL_SEFEE)

struct pci_aer {
	u16 cap;
	u32 count[3][32];  /* by enum pci_error and bit */
	u64 window_start;  /* ports: reports in this second */
	u32 window_count;
};

/* 7.8.4.5, 7.8.4.2, under the names that Linux's files give them. */
static const char *const correctable[32] = {
	[0] = "RxErr", [6] = "BadTLP", [7] = "BadDLLP", [8] = "Rollover", [12] = "Timeout", [13] = "NonFatalErr",
	[14] = "CorrIntErr", [15] = "HeaderOF",
};
static const char *const uncorrectable[32] = {
	[0] = "Undefined", [4] = "DLP", [5] = "SDES", [12] = "TLP", [13] = "FCP", [14] = "CmpltTO",
	[15] = "CmpltAbrt", [16] = "UnxCmplt", [17] = "RxOF", [18] = "MalfTLP", [19] = "ECRC", [20] = "UnsupReq",
	[21] = "ACSViol", [22] = "UncorrIntErr", [23] = "BlockedTLP", [24] = "AtomicOpBlocked",
	[25] = "TLPBlockedErr", [26] = "PoisonTLPBlocked",
};
static const char *const *const names[] = { correctable, uncorrectable, uncorrectable };
static const char *const severities[] = { "correctable", "nonfatal", "fatal" };

static u32 aer_read(const struct pci_dev *d, unsigned reg)
{
	return d->aer ? pci_read32(d, (u16)(d->aer->cap + reg)) : ~0u;
}

void pci_aer_init(struct pci_dev *d)
{
	u16 cap = pci_find_ext_cap(d, PCI_EXT_CAP_ID_ERR);

	if (!cap || !d->cap_pcie)
		return;
	d->aer = kzalloc(sizeof(*d->aer));
	if (!d->aer)
		return; /* its errors are still attributed by what the port keeps */
	d->aer->cap = cap;
	pci_update16(d, d->cap_pcie + PCI_EXP_DEVCTL, 0, REPORTING);
	if (pci_is_bridge(d))
		pci_update16(d, PCI_BRIDGE_CONTROL, 0, PCI_BRIDGE_CTL_SERR); /* 7.5.1.3.13: pass on what comes from below */
}

/* Does this function report to this port? */
static bool reports_to(const struct pci_dev *d, const struct pci_dev *port)
{
	if (port->type == PCI_RC_EVENT)
		return d == port || (d->type == PCI_RC_ENDPOINT && d->segment == port->segment && d->bus == port->bus);
	return pci_is_below(d, port);
}

bool pci_aer_root(const struct pci_dev *d)
{
	return d->aer && (d->type == PCI_ROOT_PORT || d->type == PCI_RC_EVENT);
}

void pci_aer_root_start(struct pci_dev *port)
{
	struct pci_dev *d;

	/* What firmware and the search for functions left is nobody's error. */
	pci_for_each(d) {
		if (!d->aer || !reports_to(d, port))
			continue;
		pci_write32(d, d->aer->cap + PCI_ERR_UNCOR_STATUS, ~0u);
		pci_write32(d, d->aer->cap + PCI_ERR_COR_STATUS, ~0u);
	}
	pci_update16(port, port->cap_pcie + PCI_EXP_RTCTL, SYSTEM_ERRORS, 0);
	pci_write32(port, port->aer->cap + PCI_ERR_ROOT_STATUS, ~0u);
	pci_write32(port, port->aer->cap + PCI_ERR_ROOT_COMMAND, ROOT_REPORTING);
}

/* Everybody whose requests may be wrong, or lost, because of d's error. */
static void stop_all(const struct pci_dev *d, enum pci_error e, bool show)
{
	struct pci_dev *v;

	pci_for_each(v) {
		if (pci_is_bridge(v) || !(v == d || (pci_is_bridge(d) ? reports_to(v, d) :
						     e == PCI_ERROR_FATAL && d->parent && v->parent == d->parent)))
			continue;
		pci_set_master(v, false);
		pci_above.error(v, show);
	}
}

/* bits 0: the port says that there was one, the function does not. */
static void report(const struct pci_dev *d, enum pci_error e, u32 bits, bool show)
{
	char text[128] = "";
	size_t at = 0;

	for (unsigned i = 0; i < 32; i++) {
		if (!(bits & BIT(i)))
			continue;
		d->aer->count[e][i]++;
		if (at < sizeof(text))
			at += (size_t)snprintf(text + at, sizeof(text) - at, " %s", names[e][i] ?: "reserved");
	}
	if (show && bits && e != PCI_ERROR_CORRECTABLE)
		log_warn("pci %s: %s error:%s, header %08x %08x %08x %08x", d->name, severities[e], text,
			 aer_read(d, PCI_ERR_HEADER_LOG), aer_read(d, PCI_ERR_HEADER_LOG + 4),
			 aer_read(d, PCI_ERR_HEADER_LOG + 8), aer_read(d, PCI_ERR_HEADER_LOG + 12));
	else if (show)
		log_warn("pci %s: %s error:%s", d->name, severities[e], bits ? text : " its registers name none");
	if (e != PCI_ERROR_CORRECTABLE)
		stop_all(d, e, show);
}

/* Read and clear one function's status; which severities it reported, as bits. */
static unsigned function_check(const struct pci_dev *d, bool show)
{
	u32 status = aer_read(d, PCI_ERR_UNCOR_STATUS), cor = aer_read(d, PCI_ERR_COR_STATUS), bits[3];
	unsigned found = 0;

	if (status == ~0u) /* gone, or without the capability */
		return 0;
	status &= ~aer_read(d, PCI_ERR_UNCOR_MASK);
	cor &= ~aer_read(d, PCI_ERR_COR_MASK);
	bits[PCI_ERROR_FATAL] = status & aer_read(d, PCI_ERR_UNCOR_SEVER);
	bits[PCI_ERROR_NONFATAL] = status & ~bits[PCI_ERROR_FATAL];
	bits[PCI_ERROR_CORRECTABLE] = cor;
	for (unsigned e = 0; e < ARRAY_SIZE(bits); e++) {
		if (bits[e])
			report(d, e, bits[e], show);
		found |= bits[e] ? 1u << e : 0;
	}
	pci_write32(d, d->aer->cap + PCI_ERR_UNCOR_STATUS, status);
	pci_write32(d, d->aer->cap + PCI_ERR_COR_STATUS, cor);
	return found;
}

/* Shall this report have a line? A port that does not stop reporting is told to. */
static bool rate_check(struct pci_dev *port)
{
	struct pci_aer *a = port->aer;
	u64 now = arch_now_ns();

	if (now - a->window_start >= WINDOW_NS) {
		a->window_start = now;
		a->window_count = 0;
	}
	if (++a->window_count == STORM_PER_WINDOW) {
		pci_write32(port, a->cap + PCI_ERR_ROOT_COMMAND, 0);
		log_err("pci %s: %u error reports in a second: errors below it are not reported any more", port->name,
			STORM_PER_WINDOW);
	}
	return a->window_count <= LINES_PER_WINDOW;
}

void pci_aer_interrupt(struct pci_dev *port)
{
	u32 root = aer_read(port, PCI_ERR_ROOT_STATUS), source = aer_read(port, PCI_ERR_ROOT_ERR_SRC);
	unsigned found = 0;
	struct pci_dev *d;
	bool show;

	if (root == ~0u || !(root & (PCI_ERR_ROOT_COR_RCV | PCI_ERR_ROOT_UNCOR_RCV)))
		return;
	/* Cleared first: an error that comes now interrupts again (6.2.4.1.2). */
	pci_write32(port, port->aer->cap + PCI_ERR_ROOT_STATUS, root);
	show = rate_check(port);
	pci_for_each(d)
		if (reports_to(d, port))
			found |= function_check(d, show);
	if (!(root & PCI_ERR_ROOT_UNCOR_RCV) || found & ~(1u << PCI_ERROR_CORRECTABLE))
		return;
	d = pci_find(port->segment, (u8)(source >> 24), (u8)(source >> 16));
	report(d && reports_to(d, port) ? d : port,
	       root & PCI_ERR_ROOT_FATAL_RCV ? PCI_ERROR_FATAL : PCI_ERROR_NONFATAL, 0, show);
}

/* ---- /sys: aer_dev_correctable, aer_dev_nonfatal, aer_dev_fatal ---- */

static s64 show_counts(struct node *n, char *buf, size_t cap)
{
	static const char *const totals[] = { "COR", "NONFATAL", "FATAL" };
	const struct pci_dev *d = node_priv(n);
	size_t len = 0;
	unsigned e = 0;
	u32 total = 0;

	while (strcmp(node_name(n) + strlen("aer_dev_"), severities[e]))
		e++;
	for (unsigned i = 0; i < 32 && len < cap; i++) {
		const char *name = names[e][i];

		total += d->aer->count[e][i];
		if (name)
			len += (size_t)snprintf(buf + len, cap - len, "%s %u\n", name, d->aer->count[e][i]);
	}
	if (len < cap)
		len += (size_t)snprintf(buf + len, cap - len, "TOTAL_ERR_%s %u\n", totals[e], total);
	return (s64)MIN(len, cap);
}

bool pci_aer_nodes(struct pci_dev *d)
{
	static const struct node_ops ops = { .show = show_counts, .mode = 0444 };
	bool ok = true;

	for (unsigned e = 0; ok && d->aer && e < ARRAY_SIZE(severities); e++)
		ok = node_addf(&ops, d, PCI_SYSFS "/%s/aer_dev_%s", d->name, severities[e]);
	return ok;
}
