// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ways to reset a function, and which of them a function has, by Linux's rules and in its order:
 * device specific (FLR, also where it is not announced, and more time), PCI Express FLR (6.6.2),
 * Advanced Features FLR (PCI Local Bus, AF ECN), D3hot and back when that resets (No_Soft_Reset
 * clear, 7.5.2.2), and a reset of the bus (7.5.1.3.13) when the function is alone on it.  ACPI's _RST is AML and
 * is not offered.  A slot's reset is that of the bus below its port, whose hot-plug events are
 * cleared.
 *
 * Starting one is all that is done here, waits that the method itself needs included; what comes
 * before and after is the same for all and stands in reset.c.  Each function has a list of methods that are tried,
 * which /sys shows and changes.
 */
#include <stdio.h>

#include "pci/internal.h"

#define D3HOT 3 /* PowerState of PMCSR, 7.5.2.2 */
#define PM_SETTLE_MS 10
#define RESET_SETTLE_MS 100
#define SPECIFIC_SETTLE_MS 350 /* some answer only 250 ms later than they must */
#define BUS_ASSERT_MS 2
#define LINK_UP_MS 1000 /* 6.6.1 */

/* What config space does not tell, or tells wrongly. */
static const struct exception {
	u16 vendor, first, last; /* device ids, inclusive */
	u32 class;               /* 0: any */
	u8 has, lacks;           /* bits: methods */
} exceptions[] = {
	{ 0x8086, 0x10ed, 0x10ed, 0, BIT(PCI_RESET_SPECIFIC), 0 }, /* 82599 VF: does not announce its FLR */
	{ 0x8086, 0x0953, 0x0953, 0, BIT(PCI_RESET_SPECIFIC), 0 }, /* NVMe drives */
	{ 0x8086, 0x0a54, 0x0a54, 0, BIT(PCI_RESET_SPECIFIC), 0 },
	{ 0x025e, 0xf1ac, 0xf1ac, 0, BIT(PCI_RESET_SPECIFIC), 0 },
	{ 0x144d, 0xa804, 0xa804, 0, BIT(PCI_RESET_SPECIFIC), 0 },
	{ 0x1022, 0x1487, 0x1487, 0, 0, BIT(PCI_RESET_FLR) | BIT(PCI_RESET_AF_FLR) }, /* FLR hangs them */
	{ 0x1022, 0x148c, 0x148c, 0, 0, BIT(PCI_RESET_FLR) | BIT(PCI_RESET_AF_FLR) },
	{ 0x1022, 0x149c, 0x149c, 0, 0, BIT(PCI_RESET_FLR) | BIT(PCI_RESET_AF_FLR) },
	{ 0x1022, 0x7901, 0x7901, 0, 0, BIT(PCI_RESET_FLR) | BIT(PCI_RESET_AF_FLR) },
	{ 0x8086, 0x1502, 0x1503, 0, 0, BIT(PCI_RESET_FLR) | BIT(PCI_RESET_AF_FLR) },
	{ 0x14c3, 0x0616, 0x0616, 0, 0, BIT(PCI_RESET_FLR) | BIT(PCI_RESET_AF_FLR) },
	{ 0x1002, 0x0000, 0xffff, 0x030000, 0, BIT(PCI_RESET_PM) }, /* D3hot does not reset them */
	{ 0x168c, 0x0030, 0x0030, 0, 0, BIT(PCI_RESET_BUS) },       /* do not come back from it */
	{ 0x168c, 0x0032, 0x0034, 0, 0, BIT(PCI_RESET_BUS) },
	{ 0x168c, 0x003c, 0x003c, 0, 0, BIT(PCI_RESET_BUS) },
	{ 0x168c, 0x003e, 0x003e, 0, 0, BIT(PCI_RESET_BUS) },
	{ 0x177d, 0xa100, 0xa100, 0, 0, BIT(PCI_RESET_BUS) },
	{ 0x104c, 0xb005, 0xb005, 0, 0, BIT(PCI_RESET_BUS) },
	{ 0x10de, 0x2340, 0x237f, 0, 0, BIT(PCI_RESET_BUS) },
};

static u8 exception_bits(const struct pci_dev *d, bool lacks)
{
	u8 bits = 0;

	for (const struct exception *x = exceptions; x < exceptions + ARRAY_SIZE(exceptions); x++)
		if (x->vendor == d->vendor && d->device >= x->first && d->device <= x->last &&
		    (!x->class || x->class == d->class))
			bits |= lacks ? x->lacks : x->has;
	return bits;
}

static bool has_specific(const struct pci_dev *d)
{
	return d->cap_pcie && exception_bits(d, false) & BIT(PCI_RESET_SPECIFIC);
}

static bool has_flr(const struct pci_dev *d)
{
	return d->cap_pcie && pci_read32(d, d->cap_pcie + PCI_EXP_DEVCAP) & PCI_EXP_DEVCAP_FLR;
}

static void flr_start(struct pci_dev *d)
{
	pci_update16(d, d->cap_pcie + PCI_EXP_DEVCTL, 0, PCI_EXP_DEVCTL_BCR_FLR);
}

static bool has_af_flr(const struct pci_dev *d)
{
	const u8 both = PCI_AF_CAP_TP | PCI_AF_CAP_FLR;

	return d->cap_af && (pci_read8(d, d->cap_af + PCI_AF_CAP) & both) == both;
}

static void af_flr_start(struct pci_dev *d)
{
	pci_write8(d, d->cap_af + PCI_AF_CTRL, PCI_AF_CTRL_FLR);
}

static bool has_pm(const struct pci_dev *d)
{
	return d->cap_pm && !(pci_read16(d, d->cap_pm + PCI_PM_CTRL) & PCI_PM_CTRL_NO_SOFT_RESET);
}

static void pm_start(struct pci_dev *d)
{
	u16 reg = d->cap_pm + PCI_PM_CTRL;
	u16 v = pci_read16(d, reg) & ~(PCI_PM_CTRL_STATE_MASK | PCI_PM_CTRL_PME_STATUS);

	pci_write16(d, reg, v | D3HOT);
	pci_wait_ms(PM_SETTLE_MS);
	pci_write16(d, reg, v);
}

/* Is there a bridge whose secondary bus this function is on? */
static bool below_bridge(const struct pci_dev *d)
{
	return d->parent && pci_is_bridge(d->parent) && d->bus == d->parent->secondary;
}

static bool has_bus(const struct pci_dev *d)
{
	const struct pci_dev *o;

	if (!below_bridge(d))
		return false;
	pci_for_each(o)
		if (o != d && o->segment == d->segment && o->bus == d->bus)
			return false;
	return true;
}

unsigned pci_bus_set(const struct pci_dev *d, struct pci_dev **out, unsigned cap)
{
	struct pci_dev *o;
	unsigned n = 0;

	if (!below_bridge(d))
		return 0;
	pci_for_each(o) {
		if (o->segment != d->segment || o->bus < d->bus || o->bus > d->parent->subordinate)
			continue;
		if (exception_bits(o, true) & BIT(PCI_RESET_BUS))
			return 0;
		if (n < cap)
			out[n] = o;
		n++;
	}
	return n;
}

/* The link is up, or the function answers without (some ports do not tell). */
static bool link_back(const struct pci_dev *d)
{
	return !pci_is_port(d->parent) || pci_link_up(d->parent) || pci_read16(d, PCI_COMMAND) != 0xffff;
}

static void bus_start(struct pci_dev *d)
{
	const struct pci_dev *port = d->parent;

	pci_update16(port, PCI_BRIDGE_CONTROL, 0, PCI_BRIDGE_CTL_BUS_RESET);
	pci_wait_ms(BUS_ASSERT_MS);
	pci_update16(port, PCI_BRIDGE_CONTROL, PCI_BRIDGE_CTL_BUS_RESET, 0);
	(void)pci_wait_for(d, link_back, LINK_UP_MS);
	if (port->cap_pcie && pci_read16(port, port->cap_pcie + PCI_EXP_FLAGS) & PCI_EXP_FLAGS_SLOT)
		pci_write16(port, port->cap_pcie + PCI_EXP_SLTSTA, PCI_EXP_SLTSTA_PDC | PCI_EXP_SLTSTA_DLLSC);
}

const struct pci_reset_method pci_reset_method[PCI_RESET_METHODS] = {
	[PCI_RESET_SPECIFIC] = { "device_specific", has_specific, flr_start, SPECIFIC_SETTLE_MS },
	[PCI_RESET_FLR] = { "flr", has_flr, flr_start, RESET_SETTLE_MS },
	[PCI_RESET_AF_FLR] = { "af_flr", has_af_flr, af_flr_start, RESET_SETTLE_MS },
	[PCI_RESET_PM] = { "pm", has_pm, pm_start, PM_SETTLE_MS },
	[PCI_RESET_BUS] = { "bus", has_bus, bus_start, RESET_SETTLE_MS },
};

bool pci_reset_has(const struct pci_dev *d, unsigned method)
{
	return !(exception_bits(d, true) & BIT(method)) && pci_reset_method[method].has(d);
}

/* ---- the list of a function, in Linux's syntax ---- */

void pci_reset_methods_init(struct pci_dev *d)
{
	unsigned n = 0;

	memset(d->reset_methods, 0, sizeof(d->reset_methods));
	for (unsigned m = 1; m < PCI_RESET_METHODS; m++)
		if (pci_reset_has(d, m))
			d->reset_methods[n++] = (u8)m;
}

static unsigned method_by_name(const char *name, size_t len)
{
	for (unsigned m = 1; m < PCI_RESET_METHODS; m++)
		if (strlen(pci_reset_method[m].name) == len && !memcmp(pci_reset_method[m].name, name, len))
			return m;
	return 0;
}

int pci_reset_methods_set(struct pci_dev *d, const char *text)
{
	static const char blanks[] = " \t\n\v\f\r";
	u8 list[PCI_RESET_METHODS] = { 0 };
	unsigned n = 0;
	size_t len;

	if (!strcmp(text, "default") || !strcmp(text, "default\n")) {
		pci_reset_methods_init(d);
		return 0;
	}
	for (text += strspn(text, blanks); *text; text += len + strspn(text + len, blanks)) {
		unsigned m;

		len = strcspn(text, blanks);
		m = method_by_name(text, len);
		if (!m || !pci_reset_has(d, m))
			return refuse(-EINVAL, "%s: reset method '%.*s' is not %s", d->name, (int)MIN(len, 20u), text,
				      m ? "supported by this function" : "known");
		if (n == PCI_RESET_METHODS - 1)
			return refuse(-EINVAL, "%s: too many reset methods", d->name);
		list[n++] = (u8)m;
	}
	if (!n)
		log_warn("pci %s: all reset methods were disabled by a program", d->name);
	memcpy(d->reset_methods, list, sizeof(list));
	return 0;
}

size_t pci_reset_methods_get(const struct pci_dev *d, char *buf, size_t cap)
{
	size_t len = 0;

	for (unsigned i = 0; i < PCI_RESET_METHODS && d->reset_methods[i] && len < cap; i++)
		len += (size_t)snprintf(buf + len, cap - len, "%s%s", i ? " " : "",
					pci_reset_method[d->reset_methods[i]].name);
	if (len && len < cap)
		len += (size_t)snprintf(buf + len, cap - len, "\n");
	return MIN(len, cap);
}

/* ---- /sys: reset_method, reset; of functions that have a method when they are found ---- */

static s64 show_methods(struct node *n, char *buf, size_t cap)
{
	return (s64)pci_reset_methods_get(node_priv(n), buf, cap);
}

static s64 store_methods(struct node *n, const char *buf, size_t len)
{
	struct pci_dev *d = node_priv(n);
	int err;

	guard_mutex(&d->lock);
	err = pci_reset_methods_set(d, buf);
	return err ? err : (s64)len;
}

static s64 store_reset(struct node *n, const char *buf, size_t len)
{
	struct pci_dev *d = node_priv(n);
	int err;

	if (pci_number(buf) != 1)
		return refuse(-EINVAL, "%s: only 1 can be written to reset", d->name);
	err = pci_above.reset_file(d);
	if (err)
		return refuse(err, "%s: %s", d->name, pci_dev_usable(d) ? "no reset method that does anything" :
									 d->why_broken);
	return (s64)len;
}

bool pci_reset_nodes(struct pci_dev *d)
{
	static const struct pci_attribute files[] = {
		{ "reset_method", { .show = show_methods, .store = store_methods, .mode = 0644 } },
		{ "reset", { .store = store_reset, .mode = 0200 } },
	};

	return !d->reset_methods[0] || pci_nodes_add(d, files, ARRAY_SIZE(files));
}
