// SPDX-License-Identifier: GPL-2.0-only
/*
 * The .topo file: reading, with every field checked and the first damage named by its line, and
 * writing.  A file is text from anywhere: lines of any length, any bytes, addresses in any order.
 * What is accepted is sorted by address, and no address occurs twice.
 */
#include <stdlib.h>

#include "tools/host/lib/topo.h"

#define FIELDS 13
#define SEGMENT_MAX 0x1ffffu
#define FILE_MAX (64u << 20)

static const char acs_names[][3] = { "SV", "TB", "RR", "CR", "UF", "EC", "DT" };

static const struct { const char *name; enum pci_type type; } types[] = {
	{ "none", PCI_CONVENTIONAL },    { "endpoint", PCI_ENDPOINT },     { "legacy-endpoint", PCI_LEGACY_ENDPOINT },
	{ "rc-integrated", PCI_RC_ENDPOINT }, { "root-port", PCI_ROOT_PORT }, { "upstream", PCI_UPSTREAM },
	{ "downstream", PCI_DOWNSTREAM }, { "pcie-to-pci", PCI_PCIE_TO_PCI }, { "pci-to-pcie", PCI_PCI_TO_PCIE },
	{ "rc-event", PCI_RC_EVENT },
};

const char *topo_type_name(enum pci_type type)
{
	for (unsigned i = 0; i < ARRAY_SIZE(types); i++)
		if (types[i].type == type)
			return types[i].name;
	return "none";
}

static int damage(struct topo *t, unsigned line, const char *fmt, ...) printf_like(3, 4);
static int damage(struct topo *t, unsigned line, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(t->error, sizeof(t->error), fmt, ap);
	va_end(ap);
	for (char *c = t->error; *c; c++)
		if (*c < 0x20 || *c > 0x7e)
			*c = '?';
	t->error_line = line;
	return -1;
}

/* min to max digits at *s, then what `end` says ('\0': the end); *s moves behind it. */
static bool number(const char **s, unsigned base, unsigned min, unsigned max, char end, u32 *out)
{
	const char *at = *s;
	unsigned n = 0;
	u32 v = 0;

	for (; n < max; at++, n++) {
		u32 digit = *at >= '0' && *at <= '9' ? (u32)(*at - '0') :
			    *at >= 'a' && *at <= 'f' ? (u32)(*at - 'a') + 10 :
			    *at >= 'A' && *at <= 'F' ? (u32)(*at - 'A') + 10 : 99;

		if (digit >= base)
			break;
		v = v * base + digit;
	}
	if (n < min || *at != end)
		return false;
	*s = at + (end ? 1 : 0);
	*out = v;
	return true;
}

static bool address(const char *s, u32 *segment, u8 *bus, u8 *devfn)
{
	u32 b, d, f;

	if (!number(&s, 16, 4, 5, ':', segment) || !number(&s, 16, 2, 2, ':', &b) ||
	    !number(&s, 16, 2, 2, '.', &d) || !number(&s, 16, 1, 1, 0, &f) || *segment > SEGMENT_MAX || d > 31 || f > 7)
		return false;
	*bus = (u8)b;
	*devfn = (u8)(d << 3 | f);
	return true;
}

static bool hex16(const char **s, char end, u16 *out)
{
	u32 v;

	if (!number(s, 16, 4, 4, end, &v))
		return false;
	*out = (u16)v;
	return true;
}

static bool acs_list(const char *s, bool *there, u16 *bits)
{
	*there = strcmp(s, "none");
	*bits = 0;
	if (!*there || !strcmp(s, "-"))
		return true;
	for (;;) {
		unsigned i = 0;

		while (i < ARRAY_SIZE(acs_names) && strncmp(s, acs_names[i], 2))
			i++;
		if (i == ARRAY_SIZE(acs_names) || *bits & BIT(i))
			return false;
		*bits |= (u16)BIT(i);
		if (!s[2])
			return true;
		if (s[2] != ',')
			return false;
		s += 3;
	}
}

static bool yes_no(const char *s, bool *out)
{
	*out = !strcmp(s, "yes");
	return *out || !strcmp(s, "no");
}

static bool bus_numbers(const char *s, struct topo_fn *f)
{
	u32 p, first, last;

	if (!strcmp(s, "-"))
		return true;
	if (!f->bridge || !number(&s, 16, 2, 2, '/', &p) || !number(&s, 16, 2, 2, '/', &first) ||
	    !number(&s, 16, 2, 2, 0, &last))
		return false;
	f->numbered = true;
	f->primary = (u8)p;
	f->secondary = (u8)first;
	f->subordinate = (u8)last;
	return true;
}

static bool type_of(const char *s, enum pci_type *out)
{
	for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
		if (strcmp(s, types[i].name))
			continue;
		*out = types[i].type;
		return true;
	}
	return false;
}

static bool label_of(const char *s, long *out)
{
	u32 v;

	*out = TOPO_NO_GROUP;
	if (!strcmp(s, "-"))
		return true;
	if (!number(&s, 10, 1, 9, 0, &v))
		return false;
	*out = (long)v;
	return true;
}

/* The fields, in order: what each begins with, and what it is called in a message. */
static const struct { const char *prefix, *what; } fields[FIELDS] = {
	{ "", "address SSSS:BB:DD.F" }, { "", "ids VVVV:DDDD" }, { "", "class CCCC" },
	{ "hdr=", "header type 0 or 1" }, { "mf=", "yes or no" }, { "", "type: none, endpoint, root-port, ..." },
	{ "bus=", "bus numbers P/S/S of a bridge, or -" }, { "acscap=", "list of SV TB RR CR UF EC DT, -, or none" },
	{ "acsctl=", "list of SV TB RR CR UF EC DT, -, or none" }, { "ari=", "yes or no" },
	{ "vf=", "address of the physical function, or -" }, { "flags=", "list" }, { "group=", "decimal number, or -" },
};

static bool field(struct topo_fn *f, unsigned i, const char *s, bool *ctrl)
{
	u8 bus, devfn;

	switch (i) {
	case 0:
		return address(s, &f->segment, &f->bus, &f->devfn);
	case 1:
		return hex16(&s, ':', &f->vendor) && hex16(&s, 0, &f->device);
	case 2:
		return hex16(&s, 0, &f->class);
	case 3:
		f->bridge = !strcmp(s, "1");
		return f->bridge || !strcmp(s, "0");
	case 4:
		return yes_no(s, &f->multifunction);
	case 5:
		return type_of(s, &f->type);
	case 6:
		return bus_numbers(s, f);
	case 7:
		return acs_list(s, &f->acs, &f->acs_cap);
	case 8:
		return acs_list(s, ctrl, &f->acs_ctrl);
	case 9:
		return yes_no(s, &f->ari);
	case 10:
		f->virtual = strcmp(s, "-");
		if (!f->virtual)
			return true;
		if (!address(s, &f->pf_segment, &bus, &devfn))
			return false;
		f->pf_rid = (u16)(bus << 8 | devfn);
		return true;
	case 11:
		f->flags = s;
		return *s;
	default:
		return label_of(s, &f->label);
	}
}

/* line: writable, ends with NUL. */
static int line_parse(struct topo *t, char *line, unsigned number_of_line)
{
	struct topo_fn f = { .line = number_of_line, .parent = -1 };
	bool ctrl = false;

	for (unsigned i = 0; i < FIELDS; i++) {
		char *end = strchr(line, ' ');
		size_t n = strlen(fields[i].prefix);

		if (!*line)
			return damage(t, f.line, "the line ends where %s%s should be", fields[i].prefix, fields[i].what);
		if (end)
			*end = 0;
		if (strncmp(line, fields[i].prefix, n))
			return damage(t, f.line, "\"%.40s\" where %s should be", line, fields[i].prefix);
		if (!field(&f, i, line + n, &ctrl))
			return damage(t, f.line, "\"%.40s\" is not: %s", line, fields[i].what);
		line = end ? end + 1 : line + strlen(line);
	}
	if (*line)
		return damage(t, f.line, "\"%.40s\" after the last field", line);
	if (f.virtual && f.bridge)
		return damage(t, f.line, "a virtual function that is a bridge");
	if (f.acs != ctrl)
		return damage(t, f.line, "acscap and acsctl must both be none, or neither");
	t->fn[t->n++] = f;
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct topo_fn *x = a, *y = b;
	u64 p = (u64)x->segment << 16 | (u64)x->bus << 8 | x->devfn, q = (u64)y->segment << 16 | (u64)y->bus << 8 | y->devfn;

	if (p != q)
		return p < q ? -1 : 1;
	return x->line < y->line ? -1 : x->line > y->line;
}

int topo_check(struct topo *t)
{
	if (!t->n)
		return damage(t, 1, "no function in the file");
	qsort(t->fn, t->n, sizeof(*t->fn), compare);
	for (unsigned i = 1; i < t->n; i++)
		if (t->fn[i].segment == t->fn[i - 1].segment && t->fn[i].bus == t->fn[i - 1].bus &&
		    t->fn[i].devfn == t->fn[i - 1].devfn)
			return damage(t, t->fn[i].line, "%s stands in line %u already", topo_name(&t->fn[i]),
				      t->fn[i - 1].line);
	for (unsigned i = 0; i < t->n; i++) {
		const struct topo_fn *f = &t->fn[i];
		struct topo_fn pf = { .segment = f->pf_segment, .bus = (u8)(f->pf_rid >> 8), .devfn = (u8)f->pf_rid };
		const struct topo_fn *found;

		if (!f->virtual)
			continue;
		for (found = t->fn; found < t->fn + t->n; found++)
			if (found->segment == pf.segment && found->bus == pf.bus && found->devfn == pf.devfn)
				break;
		if (found == t->fn + t->n || found->virtual)
			return damage(t, f->line, "vf=%s is %s", topo_name(&pf),
				      found == t->fn + t->n ? "not in the file" : "itself a virtual function");
	}
	return 0;
}

int topo_parse(struct topo *t, const char *text, size_t len)
{
	unsigned lines = 1, number_of_line = 0;
	char *at, *end;

	*t = (struct topo){ .text = malloc(len + 1) };
	memcpy(t->text, text, len);
	t->text[len] = 0;
	for (size_t i = 0; i < len; i++)
		lines += text[i] == '\n';
	t->fn = calloc(lines, sizeof(*t->fn));
	for (at = t->text; at < t->text + len; at = end + 1) {
		number_of_line++;
		end = memchr(at, '\n', (size_t)(t->text + len - at));
		end = end ? end : t->text + len;
		*end = 0;
		if (strlen(at) != (size_t)(end - at))
			return damage(t, number_of_line, "a NUL byte");
		if (end > at && end[-1] == '\r')
			end[-1] = 0;
		if (!strncmp(at, "# name: ", 8) && !t->name)
			t->name = at + 8;
		if (*at && *at != '#' && line_parse(t, at, number_of_line))
			return -1;
	}
	return topo_check(t);
}

void topo_free(struct topo *t)
{
	free(t->fn);
	free(t->text);
	*t = (struct topo){ .fn = NULL };
}

static void print_list(FILE *out, const char *name, bool there, u16 bits)
{
	const char *between = "";

	fprintf(out, " %s=", name);
	for (unsigned i = 0; i < ARRAY_SIZE(acs_names); i++) {
		if (!there || !(bits & BIT(i)))
			continue;
		fprintf(out, "%s%s", between, acs_names[i]);
		between = ",";
	}
	if (!*between)
		fputs(there ? "-" : "none", out);
}

void topo_print(FILE *out, const struct topo_fn *f)
{
	struct topo_fn pf = { .segment = f->pf_segment, .bus = (u8)(f->pf_rid >> 8), .devfn = (u8)f->pf_rid };

	fprintf(out, "%s %04x:%04x %04x hdr=%d mf=%s %s bus=", topo_name(f), f->vendor, f->device, f->class, f->bridge,
		f->multifunction ? "yes" : "no", topo_type_name(f->type));
	if (f->numbered)
		fprintf(out, "%02x/%02x/%02x", f->primary, f->secondary, f->subordinate);
	else
		fputs("-", out);
	print_list(out, "acscap", f->acs, f->acs_cap);
	print_list(out, "acsctl", f->acs, f->acs_ctrl);
	fprintf(out, " ari=%s vf=%s flags=%s group=", f->ari ? "yes" : "no", f->virtual ? topo_name(&pf) : "-", f->flags);
	if (f->label == TOPO_NO_GROUP)
		fputs("-", out);
	else
		fprintf(out, "%ld", f->label);
}

char *topo_read(FILE *in, size_t *len)
{
	size_t room = 1 << 16;
	char *text = malloc(room);

	*len = 0;
	while (text) {
		*len += fread(text + *len, 1, room - 1 - *len, in);
		if (*len < room - 1)
			break;
		room *= 2;
		text = room > FILE_MAX ? (free(text), NULL) : realloc(text, room);
	}
	if (text && ferror(in)) {
		free(text);
		return NULL;
	}
	if (text)
		text[*len] = 0;
	return text;
}

const char *topo_name(const struct topo_fn *f)
{
	static char buf[4][24];
	static unsigned turn;
	char *out = buf[turn++ % 4];

	snprintf(out, sizeof(buf[0]), "%04x:%02x:%02x.%x", f->segment, f->bus, f->devfn >> 3, f->devfn & 7);
	return out;
}
