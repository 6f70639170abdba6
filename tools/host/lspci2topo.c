// SPDX-License-Identifier: GPL-2.0-only
/*
 * lspci2topo [FILE]: a .topo from what `lspci -vvnn` printed, so that iommu-groups can judge a
 * machine that runs another system.  See --help.
 *
 * Status: 0; 1 the output holds no machine; 2 called wrongly, or the file cannot be read.
 */
#include <stdlib.h>

#include "tools/host/lib/lspci.h"

static const char help[] =
	"lspci2topo [FILE]    (no FILE, or -: standard input)\n"
	"\n"
	"Makes a .topo file from the output of `lspci -vvnn`, run as root: without root lspci does not see\n"
	"capabilities, which then count as absent, and groups come out larger than they are.\n"
	"\n"
	"  sudo lspci -vvnn | lspci2topo >machine.topo && iommu-groups --enable-acs machine.topo\n"
	"\n"
	"Status: 0; 1 no machine in it, or it is damaged (FILE:LINE: cause); 2 called wrongly, or it cannot be read\n";

static const char *const note_text[LSPCI_NOTES] = {
	[LSPCI_NO_CAPABILITIES] = "capabilities are missing: run lspci as root; ACS is unknown and counts as absent",
	[LSPCI_NO_REGISTERS] = "ACS without its bits: run lspci with -vv; it counts as absent",
	[LSPCI_NO_IDS] = "ids are missing: run lspci with -nn; what is known of certain devices is not used",
};

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
	const char *path = argc > 1 ? argv[1] : "-";
	struct lspci_notes notes;
	struct topo t;
	size_t len;
	char *text;
	int r;

	if (argc == 2 && (!strcmp(path, "--help") || !strcmp(path, "-h")))
		return fputs(help, stdout) < 0;
	if (argc > 2 || (path[0] == '-' && path[1])) {
		fprintf(stderr, "lspci2topo: one file or none; --help tells more\n");
		return 2;
	}
	text = load(path, &len);
	r = lspci_parse(&t, &notes, text, len);
	free(text);
	if (r) {
		fprintf(stderr, "%s:%u: %s\n", path, t.error_line, t.error);
		topo_free(&t);
		return 1;
	}
	printf("# source: lspci\n");
	for (unsigned i = 0; i < LSPCI_NOTES; i++) {
		if (!notes.of[i].n)
			continue;
		fprintf(stderr, "%s:%u: note: in %u functions of %u %s\n", path, notes.of[i].line, notes.of[i].n, t.n,
			note_text[i]);
		printf("# partial: in %u functions of %u %s\n", notes.of[i].n, t.n, note_text[i]);
	}
	for (unsigned i = 0; i < t.n; i++) {
		topo_print(stdout, &t.fn[i]);
		putchar('\n');
	}
	topo_free(&t);
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "lspci2topo: standard output cannot be written\n");
		return 2;
	}
	return 0;
}
