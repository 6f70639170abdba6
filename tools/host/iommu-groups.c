// SPDX-License-Identifier: GPL-2.0-only
/*
 * iommu-groups FILE.topo: which functions of a machine can be kept apart, and why others cannot, by
 * the code that groups them in the kernel.  See --help.
 *
 * Status: 0; 1 the file is damaged; 2 called wrongly, or the file cannot be read.
 */
#include <stdlib.h>

#include "iommu/iommu.h"
#include "kernel/base.h"
#include "tools/host/lib/topo.h"
#include "tools/host/lib/topo_out.h"

static const char help[] =
	"iommu-groups [OPTION...] FILE.topo    (FILE -: standard input)\n"
	"\n"
	"Prints the IOMMU group of every function, then the reason of every group that has several.\n"
	"lspci2topo makes a FILE.topo from `lspci -vvnn`.\n"
	"\n"
	"  --linux       Linux's partition; preset: the safe rule, which also joins what a switch can connect\n"
	"  --enable-acs  ACS is switched on where a function has it, as Postern does at boot; preset: ACS is\n"
	"                as the file has it\n"
	"  -o OPTION     an option of Postern's command line: pcie_acs_override=..., pci=config_acs=...\n"
	"  --json        JSON\n"
	"  --svg         a drawing: the tree of bridges, groups coloured\n"
	"\n"
	"Status: 0; 1 the file is damaged (FILE:LINE: cause); 2 called wrongly, or it cannot be read\n";

static void usage(const char *what, const char *arg)
{
	fprintf(stderr, "iommu-groups: %s%s; --help tells more\n", what, arg);
	exit(2);
}

/* The kernel's warnings are ours: a bridge that is not followed, an override. */
static void log_to_stderr(const char *s, size_t n)
{
	fwrite(s, 1, n, stderr);
}

static void note_acs_off(const char *path, const struct topo *t)
{
	const u16 needed = PCI_ACS_SV | PCI_ACS_RR | PCI_ACS_CR | PCI_ACS_UF;
	const struct topo_fn *first = NULL;
	unsigned n = 0;

	for (const struct topo_fn *f = t->fn; f < t->fn + t->n; f++) {
		if (!(f->acs_cap & ~f->acs_ctrl & needed) || !f->group->reason[0])
			continue;
		first = first ? first : f;
		n++;
	}
	if (n)
		fprintf(stderr, "%s:%u: note: %s%s: ACS is there and not switched on, as on a system that does not use its "
			"IOMMU; --enable-acs shows the groups that Postern makes\n", path, first->line,
			topo_name(first), n > 1 ? " and others" : "");
}

static void note_unreached(const char *path, const struct topo *t)
{
	for (const struct topo_fn *f = t->fn; f < t->fn + t->n; f++)
		if (f->unreached)
			fprintf(stderr, "%s:%u: note: %s: Postern would not find this function, and not use it\n", path, f->line,
				topo_name(f));
}

static int damaged(const char *path, struct topo *t)
{
	fprintf(stderr, "%s:%u: %s\n", path, t->error_line, t->error);
	topo_free(t);
	return 1;
}

static char *load(const char *path, size_t *len)
{
	FILE *in = strcmp(path, "-") ? fopen(path, "rb") : stdin;
	char *text = in ? topo_read(in, len) : NULL;

	if (!text) {
		fprintf(stderr, "%s: %s\n", path, in ? "cannot be read, or is larger than 64 MiB" : "cannot be opened");
		exit(2);
	}
	if (in != stdin)
		fclose(in);
	return text;
}

int main(int argc, char **argv)
{
	char options[1024] = "loglevel=5 iommu.groups=safe";
	void (*print)(FILE *, const struct topo *, const char *) = topo_print_text;
	bool enable = false, linux_rule = false, failed;
	const char *path = NULL;
	size_t len;
	char *text;
	struct topo t;

	for (int i = 1; i < argc; i++) {
		const char *a = argv[i];

		if (!strcmp(a, "--help") || !strcmp(a, "-h"))
			return fputs(help, stdout) < 0;
		else if (!strcmp(a, "--linux"))
			linux_rule = true;
		else if (!strcmp(a, "--enable-acs"))
			enable = true;
		else if (!strcmp(a, "--json") || !strcmp(a, "--svg"))
			print = print != topo_print_text ? NULL : a[2] == 'j' ? topo_print_json : topo_print_svg;
		else if (!strcmp(a, "-o") && i + 1 < argc && !strpbrk(argv[i + 1], " \t\n\"\\") && strlen(options) + strlen(argv[i + 1]) + 4 < sizeof(options) - 32)
			sprintf(options + strlen(options), " %s", argv[++i]);
		else if (a[0] == '-' && a[1])
			usage("not an option, or it lacks its argument: ", a);
		else if (path)
			usage("more than one file: ", a);
		else
			path = a;
		if (!print)
			usage("one of --json and --svg, once", "");
	}
	if (!path)
		usage("no file", "");
	if (linux_rule)
		strcat(options, " iommu.groups=linux");
	text = load(path, &len);
	log_add_sink(log_to_stderr);
	failed = topo_parse(&t, text, len) || topo_group(&t, options, enable);
	free(text);
	if (failed)
		return damaged(path, &t);
	note_unreached(path, &t);
	note_acs_off(path, &t);
	print(stdout, &t, linux_rule ? "linux" : "safe");
	topo_free(&t);
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "iommu-groups: standard output cannot be written\n");
		return 2;
	}
	return 0;
}
