// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading lspci's output.  A function begins at a line with its address in the first column; what
 * follows, indented, belongs to it.  Virtual functions are told by the registers of their physical
 * function, the multifunction bit by the neighbours, or by a hexadecimal dump (-x) where there is one.
 */
#include <stdlib.h>

#include "tools/host/lib/lspci.h"

#define FLAGS_SIZE 48

/* What is read of one function beside its topo_fn. */
struct facts {
	unsigned index;       /* of its topo_fn */
	bool no_ids, dead, vmd, sriov, vfs_on, denied, acs_seen;
	unsigned vfs, offset, stride;
	int header;           /* byte 0x0e of a dump, -1: no dump */
};

struct reader {
	struct topo *t;
	struct facts *facts;
	struct topo_fn *f;    /* now; NULL before the first */
	struct facts *now;
};

static const char *const acs_words[] = {
	"SrcValid", "TransBlk", "ReqRedir", "CmpltRedir", "UpstreamFwd", "EgressCtrl", "DirectTrans",
};

static const struct { const char *words; enum pci_type type; } express[] = {
	{ "Endpoint", PCI_ENDPOINT }, { "Legacy Endpoint", PCI_LEGACY_ENDPOINT }, { "Root Port", PCI_ROOT_PORT },
	{ "Upstream Port", PCI_UPSTREAM }, { "Downstream Port", PCI_DOWNSTREAM },
	{ "PCI-Express to PCI", PCI_PCIE_TO_PCI }, { "PCI/PCI-X to PCI-Express", PCI_PCI_TO_PCIE },
	{ "Root Complex Integrated Endpoint", PCI_RC_ENDPOINT }, { "Root Complex Event Collector", PCI_RC_EVENT },
};

static bool starts(const char *s, const char *with)
{
	return !strncmp(s, with, strlen(with));
}

static const char *skip_blanks(const char *s)
{
	while (*s == ' ' || *s == '\t')
		s++;
	return s;
}

/* Exactly n hexadecimal digits at s. */
static bool hex(const char *s, unsigned n, u32 *out)
{
	static const char digits[] = "0123456789abcdef";
	u32 v = 0;

	for (unsigned i = 0; i < n; i++) {
		const char *d = s[i] ? strchr(digits, s[i] >= 'A' && s[i] <= 'F' ? s[i] + 0x20 : s[i]) : NULL;

		if (!d)
			return false;
		v = v << 4 | (u32)(d - digits);
	}
	*out = v;
	return true;
}

/* Decimal number behind `name` in s; false: it is not there. */
static bool value(const char *s, const char *name, unsigned *out)
{
	s = strstr(s, name);
	if (!s)
		return false;
	s = skip_blanks(s + strlen(name));
	if (*s < '0' || *s > '9')
		return false;
	*out = (unsigned)MIN(strtoul(s, NULL, 10), 0xffffu);
	return true;
}

/* [SSSS:]BB:DD.F and a blank; returns what follows, NULL: this is none. */
static const char *address(const char *s, struct topo_fn *f)
{
	u32 bus, dev, fn;
	unsigned digits = 5;

	while (digits > 3 && !(hex(s, digits, &f->segment) && s[digits] == ':'))
		digits--;
	if (digits > 3)
		s += digits + 1;
	else
		f->segment = 0;
	if (!hex(s, 2, &bus) || s[2] != ':' || !hex(s + 3, 2, &dev) || s[5] != '.' || !hex(s + 6, 1, &fn) || s[7] != ' ' ||
	    dev > 31 || fn > 7 || f->segment > 0x1ffff)
		return NULL;
	f->bus = (u8)bus;
	f->devfn = (u8)(dev << 3 | fn);
	return s + 8;
}

/* "PCI bridge [0604]: Maker Thing [8086:9d10] (rev f1)", or with -n "0604: 8086:9d10 (rev f1)". */
static void head(struct reader *r, const char *s)
{
	u32 class, vendor, device;
	bool ids = false;

	if (hex(s, 4, &class) && s[4] == ':') {
		ids = hex(skip_blanks(s + 5), 4, &vendor) && skip_blanks(s + 5)[4] == ':' &&
		      hex(skip_blanks(s + 5) + 5, 4, &device);
	} else {
		const char *at = strstr(s, "]: ");

		if (!at || at - s < 5 || at[-5] != '[' || !hex(at - 4, 4, &class))
			class = 0;
		for (at = s; (at = strchr(at, '[')); at++)
			if (hex(at + 1, 4, &vendor) && at[5] == ':' && hex(at + 6, 4, &device) && at[10] == ']')
				ids = true, r->f->vendor = (u16)vendor, r->f->device = (u16)device;
	}
	r->f->class = (u16)class;
	r->now->no_ids = !ids;
	if (ids && !r->f->vendor)
		r->f->vendor = (u16)vendor, r->f->device = (u16)device;
	r->now->vmd = strstr(s, "Volume Management Device Controller");
	r->now->dead = strstr(s, "(rev ff)") && strstr(s, "(prog-if ff)");
}

static u16 acs_bits(const char *s)
{
	u16 bits = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(acs_words); i++) {
		const char *at = strstr(s, acs_words[i]);

		if (at && at[strlen(acs_words[i])] == '+')
			bits |= (u16)BIT(i);
	}
	return bits;
}

/* What follows "Capabilities: [40] " */
static void capability(struct reader *r, const char *s)
{
	if (starts(s, "Access Control Services"))
		r->f->acs = true;
	else if (starts(s, "Alternative Routing-ID"))
		r->f->ari = true;
	else if (starts(s, "Single Root I/O Virtualization"))
		r->now->sriov = true;
	if (!starts(s, "Express"))
		return;
	s = skip_blanks(s + strlen("Express"));
	if (starts(s, "(v") && strchr(s, ')'))
		s = skip_blanks(strchr(s, ')') + 1);
	for (unsigned i = 0; i < ARRAY_SIZE(express); i++)
		if (starts(s, express[i].words))
			r->f->type = express[i].type;
}

static void bus_numbers(struct topo_fn *f, const char *s)
{
	const char *p = strstr(s, "primary="), *first = strstr(s, "secondary="), *last = strstr(s, "subordinate=");
	u32 v[3];

	if (!p || !first || !last || !hex(p + 8, 2, &v[0]) || !hex(first + 10, 2, &v[1]) || !hex(last + 12, 2, &v[2]))
		return;
	f->bridge = f->numbered = true;
	f->primary = (u8)v[0];
	f->secondary = (u8)v[1];
	f->subordinate = (u8)v[2];
}

static void detail(struct reader *r, const char *s)
{
	struct topo_fn *f = r->f;
	unsigned v;

	if (starts(s, "Capabilities: <")) {
		r->now->denied = true;
	} else if (starts(s, "Capabilities: [") && strchr(s, ']')) {
		capability(r, skip_blanks(strchr(s, ']') + 1));
	} else if (starts(s, "Bus: ")) {
		bus_numbers(f, s);
	} else if (starts(s, "ACSCap:")) {
		f->acs_cap = acs_bits(s);
		r->now->acs_seen = true;
	} else if (starts(s, "ACSCtl:")) {
		f->acs_ctrl = acs_bits(s);
	} else if (starts(s, "IOVCtl:")) {
		r->now->vfs_on = strstr(s, "Enable+");
	} else if (value(s, "Number of VFs:", &v)) {
		r->now->vfs = v;
	} else if (value(s, "VF offset:", &v)) {
		r->now->offset = v;
		if (!value(s, "stride:", &r->now->stride))
			r->now->stride = 1;
	} else if (starts(s, "IOMMU group:") && value(s, "IOMMU group:", &v)) {
		f->label = (long)v;
	} else if (starts(s, "Kernel driver in use: vmd")) {
		r->now->vmd = true;
	} else if (starts(s, "!!! Unknown header type")) {
		r->now->dead = true;
	}
}

/* "00: 86 80 10 9d ...": the header as it is. */
static void dump(struct reader *r, const char *s)
{
	u32 byte[16];

	if (!starts(s, "00: "))
		return;
	for (unsigned i = 0; i < ARRAY_SIZE(byte); i++)
		if (!hex(s + 4 + 3 * i, 2, &byte[i]) || (i < 15 && s[6 + 3 * i] != ' '))
			return;
	r->now->header = (int)byte[PCI_HEADER_TYPE];
	if (!r->now->no_ids)
		return;
	r->now->no_ids = false;
	r->f->vendor = (u16)(byte[1] << 8 | byte[0]);
	r->f->device = (u16)(byte[3] << 8 | byte[2]);
	r->f->class = (u16)(byte[11] << 8 | byte[10]);
}

static void line(struct reader *r, const char *s, unsigned number)
{
	struct topo_fn f = { .line = number, .type = PCI_CONVENTIONAL, .parent = -1, .label = TOPO_NO_GROUP };
	const char *rest = address(s, &f);

	if (rest) {
		r->f = &r->t->fn[r->t->n];
		r->now = &r->facts[r->t->n];
		*r->f = f;
		*r->now = (struct facts){ .index = r->t->n++, .header = -1 };
		head(r, rest);
	} else if (r->f && (*s == ' ' || *s == '\t')) {
		detail(r, skip_blanks(s));
	} else if (r->f) {
		dump(r, s);
	}
}

static bool same_slot(const struct topo_fn *a, const struct topo_fn *b)
{
	return a->segment == b->segment && a->bus == b->bus && a->devfn >> 3 == b->devfn >> 3;
}

/* The requester ids of a physical function's virtual ones; those that the output holds are marked. */
static void mark_virtual(struct reader *r, const struct facts *pf)
{
	const struct topo_fn *p = &r->t->fn[pf->index];
	u16 rid = (u16)(p->bus << 8 | p->devfn);

	for (unsigned i = 0; i < r->t->n; i++) {
		struct topo_fn *f = &r->t->fn[i];
		u32 away = (u16)((f->bus << 8 | f->devfn) - rid - pf->offset);

		if (f == p || f->segment != p->segment || f->bridge || r->facts[i].sriov)
			continue;
		if (pf->stride ? away % pf->stride || away / pf->stride >= pf->vfs : away)
			continue;
		f->virtual = true;
		f->pf_segment = p->segment;
		f->pf_rid = rid;
	}
}

static void multifunction(struct reader *r, unsigned i)
{
	struct topo_fn *f = &r->t->fn[i];

	if (r->facts[i].header >= 0)
		f->multifunction = r->facts[i].header & 0x80;
	if (f->devfn & 7)
		f->multifunction = true;
	for (unsigned k = 0; k < r->t->n && r->facts[i].header < 0; k++)
		if (k != i && same_slot(f, &r->t->fn[k]))
			f->multifunction = true;
}

static void note(struct lspci_notes *notes, enum lspci_note kind, unsigned number)
{
	if (!notes->of[kind].n++)
		notes->of[kind].line = number;
}

static void conclude(struct reader *r, struct lspci_notes *notes)
{
	for (unsigned i = 0; i < r->t->n; i++)
		if (r->facts[i].vfs_on && r->facts[i].vfs)
			mark_virtual(r, &r->facts[i]);
	for (unsigned i = 0; i < r->t->n; i++) {
		struct topo_fn *f = &r->t->fn[i];
		struct facts *now = &r->facts[i];
		char *flags = r->t->text + i * FLAGS_SIZE;

		if (now->header >= 0 && !f->virtual)
			f->bridge = (now->header & 0x7f) == 1;
		f->numbered = f->numbered && f->bridge;
		multifunction(r, i);
		if (f->acs && !now->acs_seen)
			f->acs = false, note(notes, LSPCI_NO_REGISTERS, f->line);
		if (now->denied)
			note(notes, LSPCI_NO_CAPABILITIES, f->line);
		if (now->no_ids)
			note(notes, LSPCI_NO_IDS, f->line);
		snprintf(flags, FLAGS_SIZE, "%s%s%s%s", now->no_ids ? ",noid" : "", now->sriov ? ",sriov-pf" : "",
			 now->vmd ? ",drv:vmd" : "", now->dead ? ",dead(ff)" : "");
		f->flags = *flags ? flags + 1 : "-";
	}
}

int lspci_parse(struct topo *t, struct lspci_notes *notes, const char *text, size_t len)
{
	struct reader r = { .t = t };
	unsigned lines = 1, number = 0;
	char *copy = malloc(len + 1), *at, *end;
	size_t out = 0;

	*t = (struct topo){ .n = 0 };
	*notes = (struct lspci_notes){ .of[0].n = 0 };
	for (size_t i = 0; i < len; i++) {
		lines += text[i] == '\n';
		if (text[i] && text[i] != '\r')
			copy[out++] = text[i];
	}
	copy[out] = 0;
	t->fn = calloc(lines, sizeof(*t->fn));
	t->text = calloc(lines, FLAGS_SIZE);
	r.facts = calloc(lines, sizeof(*r.facts));
	for (at = copy; *at; at = end) {
		end = strchr(at, '\n');
		if (end)
			*end++ = 0;
		else
			end = at + strlen(at);
		line(&r, at, ++number);
	}
	conclude(&r, notes);
	free(r.facts);
	free(copy);
	return topo_check(t);
}
