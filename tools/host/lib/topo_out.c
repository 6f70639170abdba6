// SPDX-License-Identifier: GPL-2.0-only
/* The groups of a machine as lines and as JSON. Text of the file is escaped: it may hold any byte. */
#include "iommu/iommu.h"
#include "tools/host/lib/topo_out.h"

unsigned topo_group_size(const struct topo *t, const struct iommu_group *g)
{
	unsigned n = 0;

	for (unsigned i = 0; i < t->n; i++)
		n += t->fn[i].group == g;
	return n;
}

const char *topo_group_reason(const struct topo *t, const struct iommu_group *g)
{
	static char text[sizeof(g->reason) + 64];

	snprintf(text, sizeof(text), "%s", strstr(g->reason, "a VMD:") ? "" : g->reason); /* said below, with its address */
	for (unsigned i = 0; i < t->n; i++) {
		const struct topo_fn *f = &t->fn[i];

		if (f->group != g || f->segment < TOPO_VMD_SEGMENT)
			continue;
		while (f->parent >= 0 && f->segment >= TOPO_VMD_SEGMENT)
			f = &t->fn[f->parent];
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%sVMD %s sends for all behind it",
			 text[0] ? "; " : "", topo_name(f));
		break;
	}
	return text;
}

void topo_print_text(FILE *out, const struct topo *t, const char *rule)
{
	struct iommu_group *g;

	(void)rule;
	for (unsigned i = 0; i < t->n; i++)
		fprintf(out, "%s %u\n", topo_name(&t->fn[i]), t->fn[i].group->id);
	TAILQ_FOREACH(g, &iommu_groups, link) {
		if (topo_group_size(t, g) < 2)
			continue;
		fprintf(out, "group %u:", g->id);
		for (unsigned i = 0; i < t->n; i++)
			if (t->fn[i].group == g)
				fprintf(out, " %s", topo_name(&t->fn[i]));
		fprintf(out, " — %s\n", topo_group_reason(t, g));
	}
}

static void print_string(FILE *out, const char *s)
{
	fputc('"', out);
	for (; *s; s++) {
		if ((u8)*s < 0x20 || (u8)*s > 0x7e)
			fprintf(out, "\\u%04x", (u8)*s);
		else
			fprintf(out, *s == '"' || *s == '\\' ? "\\%c" : "%c", *s);
	}
	fputc('"', out);
}

static void print_function(FILE *out, const struct topo *t, const struct topo_fn *f)
{
	fprintf(out, "    {\"address\": \"%s\", \"group\": %u, \"vendor\": \"%04x\", \"device\": \"%04x\", \"class\": \"%04x\", "
		"\"class_name\": \"%s\", \"type\": \"%s\", \"parent\": ", topo_name(f), f->group->id, f->vendor,
		f->device, f->class, topo_class_name(f->class), topo_type_name(f->type));
	print_string(out, f->parent < 0 ? "" : topo_name(&t->fn[f->parent]));
	fprintf(out, ", \"reached\": %s, \"flags\": ", f->unreached ? "false" : "true");
	print_string(out, f->flags);
	fputc('}', out);
}

void topo_print_json(FILE *out, const struct topo *t, const char *rule)
{
	struct iommu_group *g;

	fprintf(out, "{\n  \"rule\": \"%s\",\n  \"functions\": [\n", rule);
	for (unsigned i = 0; i < t->n; i++) {
		print_function(out, t, &t->fn[i]);
		fputs(i + 1 < t->n ? ",\n" : "\n", out);
	}
	fputs("  ],\n  \"groups\": [\n", out);
	TAILQ_FOREACH(g, &iommu_groups, link) {
		const char *between = "";

		fprintf(out, "    {\"group\": %u, \"functions\": [", g->id);
		for (unsigned i = 0; i < t->n; i++) {
			if (t->fn[i].group != g)
				continue;
			fprintf(out, "%s\"%s\"", between, topo_name(&t->fn[i]));
			between = ", ";
		}
		fputs("], \"reason\": ", out);
		print_string(out, topo_group_reason(t, g));
		fputs(TAILQ_NEXT(g, link) ? "},\n" : "}\n", out);
	}
	fputs("  ]\n}\n", out);
}
