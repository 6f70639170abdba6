// SPDX-License-Identifier: GPL-2.0-only
/* Any bytes as lspci's output: refused, or what is made of it is a .topo file that is read without damage. */
#include <stdio.h>
#include <stdlib.h>

#include "tools/host/lib/lspci.h"

static void read_topo(const struct topo *t)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	struct topo again;

	for (unsigned i = 0; i < t->n; i++) {
		topo_print(out, &t->fn[i]);
		fputc('\n', out);
	}
	fclose(out);
	if (topo_parse(&again, text, len) || again.n != t->n)
		abort();
	topo_free(&again);
	free(text);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct lspci_notes notes;
	struct topo t;

	if (!lspci_parse(&t, &notes, (const char *)data, size))
		read_topo(&t);
	else if (!t.error_line || !t.error[0])
		abort();
	topo_free(&t);
	return 0;
}
