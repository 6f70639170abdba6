// SPDX-License-Identifier: GPL-2.0-only
/*
 * Any bytes as a .topo file: refused with a line that is in the file, or every function has a group
 * under both rules, the safe one being the coarser, all forms can be printed, and what is printed as a
 * file is the same machine when it is read again.
 */
#include <stdio.h>
#include <stdlib.h>

#include "iommu/iommu.h"
#include "pci/internal.h"
#include "tests/host/host.h"
#include "tests/host/pci_model.h"
#include "tools/host/lib/topo_out.h"

#define FUNCTIONS 48 /* more only cost time */

static void check(bool good)
{
	if (!good)
		abort();
}

static char *printed(const struct topo *t, void (*print)(FILE *, const struct topo *, const char *), size_t *len)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, len);

	if (print)
		print(out, t, "safe");
	for (unsigned i = 0; !print && i < t->n; i++) {
		topo_print(out, &t->fn[i]);
		fputc('\n', out);
	}
	fclose(out);
	return text;
}

static void read_again(const struct topo *t)
{
	struct topo again;
	size_t len, len2;
	char *text = printed(t, NULL, &len), *text2;

	check(!topo_parse(&again, text, len) && again.n == t->n);
	text2 = printed(&again, NULL, &len2);
	check(len == len2 && !memcmp(text, text2, len));
	free(text);
	free(text2);
	topo_free(&again);
}

static void groups(struct topo *t)
{
	u32 *linux_group = calloc(t->n, sizeof(*linux_group));

	if (topo_group(t, "loglevel=0 iommu.groups=linux", false)) {
		check(t->error_line && t->error[0]);
		free(linux_group);
		return;
	}
	for (unsigned i = 0; i < t->n; i++)
		linux_group[i] = t->fn[i].group->id;
	check(!topo_group(t, "loglevel=0", false));
	for (unsigned i = 0; i < t->n; i++) {
		check(t->fn[i].group);
		for (unsigned k = 0; k < i; k++)
			check(linux_group[i] != linux_group[k] || t->fn[i].group == t->fn[k].group);
	}
	free(linux_group);
	void (*const forms[])(FILE *, const struct topo *, const char *) = { topo_print_text, topo_print_json, topo_print_svg };
	for (unsigned i = 0; i < ARRAY_SIZE(forms); i++) {
		size_t len;
		char *text = printed(t, forms[i], &len);

		check(len && text[len - 1] == '\n');
		free(text);
	}
	pci_forget_all();
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct topo t;

	host_init();
	if (topo_parse(&t, (const char *)data, size)) {
		check(t.error_line && t.error[0] && t.error_line <= size + 1);
	} else {
		read_again(&t);
		if (t.n <= FUNCTIONS)
			groups(&t);
	}
	topo_free(&t);
	return 0;
}
