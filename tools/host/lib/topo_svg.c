// SPDX-License-Identifier: GPL-2.0-only
/*
 * A grouped machine as a drawing: one row per function, indented below its bridge, in as many
 * columns as make a page.  A group of several functions has a colour, one that is alone is white; the
 * legend gives each colour its reason.  Widths of text are estimated: an SVG renderer has its own
 * fonts, so everything has room.
 */
#include <stdlib.h>

#include "iommu/iommu.h"
#include "tools/host/lib/topo_out.h"

#define MARGIN 28
#define HEAD 92            /* title and subtitle */
#define COLUMN 430
#define GAP 30
#define ROW 23
#define INDENT 17
#define DEPTH_MAX 12       /* deeper rows are drawn at this indent */
#define NAME_WIDTH 6.6     /* of a letter */
#define LINE 16            /* of the legend */
#define LINE_CHARS 56
#define LEGEND_PAD 14

struct row {
	const struct topo_fn *fn;
	unsigned depth;
	u64 more;          /* bit n: at depth n another function follows in the same list */
	bool heading;      /* a root bus begins here */
};

struct page {
	FILE *out;
	const struct topo *t;
	struct row *row;
	unsigned rows, columns;
	unsigned *colour;  /* by group id: its place among the shared groups, from 1; 0: alone */
};

static void rows_below(struct page *p, int parent, unsigned depth, u64 more)
{
	const struct topo *t = p->t;
	int next;

	for (int i = 0; i < (int)t->n; i = next) {
		bool root = parent < 0;

		for (next = i + 1; next < (int)t->n && t->fn[next].parent != parent; next++)
			;
		if (t->fn[i].parent != parent)
			continue;
		if (root && (!p->rows || t->fn[i].segment != t->fn[i - 1].segment || t->fn[i].bus != t->fn[i - 1].bus))
			p->row[p->rows++] = (struct row){ .fn = &t->fn[i], .heading = true };
		p->row[p->rows++] = (struct row){
			.fn = &t->fn[i], .depth = depth,
			.more = more | (next < (int)t->n && depth < 63 ? BIT(depth) : 0),
		};
		if (t->fn[i].bridge || strstr(t->fn[i].flags, "drv:vmd"))
			rows_below(p, i, depth + 1, p->row[p->rows - 1].more);
	}
}

/* hsl (degrees, per cent) to #rrggbb: not every renderer knows hsl(). */
static const char *colour(int hue, int saturation, int light)
{
	static const int shift[] = { 0, 240, 120 };
	static char buf[4][8];
	static unsigned turn;
	char *out = buf[turn++ % 4];
	int rgb[3], reach = saturation * MIN(light, 100 - light);

	for (unsigned i = 0; i < 3; i++) {
		int k = (hue + shift[i]) % 360, slope = MAX(-30, MIN(MIN(k - 90, 270 - k), 30));

		rgb[i] = 255 * (light * 3000 - reach * slope) / 300000;
	}
	snprintf(out, sizeof(buf[0]), "#%02x%02x%02x", rgb[0] & 255, rgb[1] & 255, rgb[2] & 255);
	return out;
}

static int hue_of(const struct page *p, u32 group)
{
	return (int)(205 + p->colour[group] * 137.508) % 360; /* the golden angle: neighbours differ */
}

static const char *fill_of(const struct page *p, u32 group)
{
	return p->colour[group] ? colour(hue_of(p, group), 72, 87) : "#ffffff";
}

static const char *edge_of(const struct page *p, u32 group)
{
	return p->colour[group] ? colour(hue_of(p, group), 55, 42) : "#b9c0ca";
}

static void text(FILE *out, double x, double y, const char *class, const char *s)
{
	fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" class=\"%s\">", x, y, class);
	for (; *s; s++) {
		if (strchr("<>&\"", *s))
			fprintf(out, "&#%u;", (u8)*s);
		else
			fputc(*s < 0x20 || *s > 0x7e ? '?' : *s, out);
	}
	fputs("</text>\n", out);
}

static void printf_like(5, 6) textf(FILE *out, double x, double y, const char *class, const char *fmt, ...)
{
	char buf[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	text(out, x, y, class, buf);
}

/* What can be seen of a function's ACS; NULL where it does not matter. */
static const char *acs_note(const struct topo_fn *f, const char **class)
{
	char why[128];
	bool port = f->type == PCI_ROOT_PORT || f->type == PCI_DOWNSTREAM;

	if (!f->dev || (!port && !(f->acs && f->multifunction)))
		return NULL;
	*class = pci_acs_isolated(f->dev, why, sizeof(why)) ? "good" : "bad";
	return **class == 'g' ? "ACS" : f->acs ? "ACS off" : "no ACS";
}

/* What a function is; of a bridge that has them, with its buses when these are asked for. */
static void name_of(const struct topo_fn *f, char *name, size_t n, bool buses)
{
	static const char *const bridges[] = { [PCI_ROOT_PORT] = "root port", [PCI_UPSTREAM] = "upstream",
					       [PCI_DOWNSTREAM] = "downstream", [PCI_PCIE_TO_PCI] = "PCIe-to-PCI",
					       [PCI_PCI_TO_PCIE] = "PCI-to-PCIe" };
	const char *what = f->bridge && f->type < ARRAY_SIZE(bridges) ? bridges[f->type] : NULL;

	snprintf(name, n, "%s%s", what ? what : topo_class_name(f->class), f->virtual ? " (virtual)" : "");
	if (f->bridge && f->numbered && buses)
		snprintf(name + strlen(name), n - strlen(name), ", bus %02x-%02x", f->secondary, f->subordinate);
}

static void draw_function(struct page *p, const struct row *r, double x, double y)
{
	const struct topo_fn *f = r->fn;
	unsigned depth = MIN(r->depth, DEPTH_MAX);
	double left = x + 6 + depth * INDENT, mid = y + ROW / 2.0, base = mid + 4;
	bool full = f->segment >= TOPO_VMD_SEGMENT;
	const char *class = "", *note = acs_note(f, &class);
	u32 g = f->group->id;
	char name[64];
	double room;

	for (unsigned d = 0; d <= depth; d++) {
		double line = x + 6 + (d - 0.5) * INDENT;

		if (d && (d == depth || r->more & BIT(d)))
			fprintf(p->out, "<path d=\"M%.1f %.1fV%.1f\" class=\"tree\"/>\n", line, y - 1,
				d == depth && !(r->more & BIT(d)) ? mid : y + ROW);
		if (d && d == depth)
			fprintf(p->out, "<path d=\"M%.1f %.1fH%.1f\" class=\"tree\"/>\n", line, mid, left);
	}
	fprintf(p->out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%d\" rx=\"5\" fill=\"%s\" stroke=\"%s\"/>\n", left, y + 1.5,
		x + COLUMN - left, ROW - 3, fill_of(p, g), edge_of(p, g));
	textf(p->out, left + 8, base, f->bridge ? "mono bridge" : "mono", "%s", topo_name(f) + (full ? 0 : 5));
	left += full ? 108 : 66;
	room = (x + COLUMN - 118 - left) / NAME_WIDTH;
	name_of(f, name, sizeof(name), true);
	if (strlen(name) > room - (note ? 9 : 0))
		name_of(f, name, sizeof(name), false);
	text(p->out, left, base, "name", name);
	if (note && strlen(name) <= room - 9)
		text(p->out, x + COLUMN - 118 - 8.5 * NAME_WIDTH, base, class, note);
	textf(p->out, x + COLUMN - 112, base, "ids", "%04x:%04x", f->vendor, f->device);
	fprintf(p->out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"34\" height=\"%d\" rx=\"4\" fill=\"%s\"/>\n", x + COLUMN - 38, y + 4,
		ROW - 8, p->colour[g] ? edge_of(p, g) : "#8a93a0");
	textf(p->out, x + COLUMN - 21, base - 0.5, "badge", "%u", g);
}

/* Where the column that begins at row `from` ends: rather before a function of a root bus. */
static unsigned column_end(const struct page *p, unsigned from, unsigned capacity)
{
	unsigned end = from + capacity;

	if (end >= p->rows)
		return p->rows;
	for (unsigned back = 0; back <= capacity / 5; back++) {
		const struct row *r = &p->row[end - back];

		if (r->heading || (!r->depth && !p->row[end - back - 1].heading))
			return end - back;
	}
	return end;
}

/* Returns the height of the tree. */
static double draw_tree(struct page *p, unsigned capacity, bool dry, unsigned *columns)
{
	double height = 0, x = MARGIN;
	unsigned end;

	*columns = 0;
	for (unsigned from = 0; from < p->rows; from = end, x += COLUMN + GAP, ++*columns) {
		double y = HEAD;

		end = column_end(p, from, capacity);
		if (!p->row[from].heading && !dry)
			textf(p->out, x, y + 15, "bus", "bus %.*s, continued", (int)strlen(topo_name(p->row[from].fn)) - 5,
			      topo_name(p->row[from].fn));
		y += p->row[from].heading ? 0 : ROW;
		for (unsigned i = from; i < end; i++, y += ROW) {
			const struct row *r = &p->row[i];

			if (!dry && r->heading)
				textf(p->out, x, y + 15, "bus", "bus %.*s", (int)strlen(topo_name(r->fn)) - 5, topo_name(r->fn));
			else if (!dry)
				draw_function(p, r, x, y);
		}
		height = MAX(height, y);
	}
	return height;
}

/* Print s in lines of at most LINE_CHARS; returns how many. */
static unsigned wrap(struct page *p, bool dry, double x, double y, const char *s)
{
	unsigned lines = 0;
	char line[LINE_CHARS + 1];

	while (*s) {
		size_t n = strlen(s), cut;

		if (n > LINE_CHARS) {
			for (cut = LINE_CHARS; cut && s[cut] != ' '; cut--)
				;
			n = cut ? cut : LINE_CHARS;
		}
		snprintf(line, sizeof(line), "%.*s", (int)n, s);
		if (!dry)
			text(p->out, x, y + lines * LINE, "why", line);
		lines++;
		for (s += n; *s == ' '; s++)
			;
	}
	return lines;
}

/* The reasons, each in the column that is shortest. Returns the height of the page. */
static double draw_legend(struct page *p, double *column_y, bool dry)
{
	const struct iommu_group *g;
	double height = 0;

	TAILQ_FOREACH(g, &iommu_groups, link) {
		unsigned c = 0, lines;
		double x, y;

		if (!p->colour[g->id])
			continue;
		for (unsigned i = 1; i < p->columns; i++)
			c = column_y[i] < column_y[c] ? i : c;
		x = MARGIN + c * (COLUMN + GAP);
		y = column_y[c];
		lines = wrap(p, dry, x + 52, y + 30, topo_group_reason(p->t, g));
		if (!dry) {
			fprintf(p->out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"40\" height=\"%u\" rx=\"5\" fill=\"%s\" stroke=\"%s\"/>\n",
				x, y, (lines + 1) * LINE + 4, fill_of(p, g->id), edge_of(p, g->id));
			textf(p->out, x + 20, y + 15, "number", "%u", g->id);
			textf(p->out, x + 52, y + 13, "title2", "group %u: %u functions", g->id,
			      topo_group_size(p->t, g));
		}
		column_y[c] = y + (lines + 1) * LINE + LEGEND_PAD;
		height = MAX(height, column_y[c]);
	}
	return height;
}

static void draw_head(struct page *p, const char *rule, double width, double height, unsigned shared)
{
	const struct iommu_group *last = TAILQ_LAST(&iommu_groups, iommu_group_list);

	fprintf(p->out, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" viewBox=\"0 0 %.0f %.0f\">\n"
		"<style>text{font-family:'DejaVu Sans','Segoe UI',Helvetica,Arial,sans-serif;font-size:11.5px;fill:#1f2733}"
		".title{font-size:22px;font-weight:600}.sub{font-size:13px;fill:#5b6675}.bus{font-weight:600;fill:#5b6675}"
		".mono,.ids{font-family:'DejaVu Sans Mono',Menlo,Consolas,monospace;font-size:11px}.bridge{font-weight:700}"
		".ids{fill:#6b7585}.badge{fill:#fff;font-weight:600;text-anchor:middle}.number{font-weight:700;text-anchor:middle}"
		".title2{font-weight:600}.why{fill:#3b4655}.good{fill:#2a7d46}.bad{fill:#b3261e;font-weight:600}"
		".tree{stroke:#9aa4b1;fill:none}</style>\n"
		"<rect width=\"100%%\" height=\"100%%\" fill=\"#f6f7f9\"/>\n", width, height, width, height);
	textf(p->out, MARGIN, 40, "title", "IOMMU groups%s%.60s", p->t->name ? " of " : "", p->t->name ? p->t->name : "");
	textf(p->out, MARGIN, 64, "sub", "%u functions, %u groups (%s rule); %u coloured ones hold several functions", p->t->n,
	      last ? last->id + 1 : 0, rule, shared);
}

void topo_print_svg(FILE *out, const struct topo *t, const char *rule)
{
	const struct iommu_group *g, *last = TAILQ_LAST(&iommu_groups, iommu_group_list);
	struct page p = { .out = out, .t = t };
	double *column_y, tree, height;
	unsigned shared = 0, capacity, drawn;

	p.row = calloc(2 * t->n + 1, sizeof(*p.row));
	p.colour = calloc(last ? last->id + 1 : 1, sizeof(*p.colour));
	TAILQ_FOREACH(g, &iommu_groups, link)
		if (topo_group_size(t, g) > 1)
			p.colour[g->id] = ++shared;
	rows_below(&p, -1, 0, 0);
	/* Columns for a page that is somewhat wider than high. */
	for (drawn = 1; drawn * drawn * (COLUMN + GAP) * 3 < p.rows * ROW * 4; drawn++)
		;
	capacity = MAX((p.rows + drawn - 1) / drawn + 1, 12u);
	tree = draw_tree(&p, capacity, true, &drawn);
	p.columns = MAX(drawn, 2u);
	column_y = calloc(p.columns, sizeof(*column_y));
	for (unsigned dry = 2; dry-- > 0;) {
		for (unsigned c = 0; c < p.columns; c++)
			column_y[c] = c < drawn ? tree + 24 : HEAD + 2;
		if (!dry) {
			draw_head(&p, rule, 2 * MARGIN + p.columns * (COLUMN + GAP) - GAP, height, shared);
			draw_tree(&p, capacity, false, &drawn);
		}
		height = draw_legend(&p, column_y, dry);
		height = MAX(tree, height) + MARGIN;
	}
	fputs("</svg>\n", out);
	free(column_y);
	free(p.colour);
	free(p.row);
}
