// SPDX-License-Identifier: GPL-2.0-only
/*
 * The list of a function's reset methods, and the files `reset` and `reset_method` that show, change
 * and use it, with Linux's syntax and errors.  A function that has no method when it is found has
 * neither file.
 */
#include <stdio.h>
#include <stdlib.h>

#include "kernel/file.h"
#include "pci/internal.h"

static int (*reset_user)(struct pci_dev *d) = pci_reset;

void pci_set_reset_user(int (*fn)(struct pci_dev *d))
{
	reset_user = fn;
}

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

static s64 show_methods(struct node *n, char *buf, size_t cap)
{
	return (s64)pci_reset_methods_get(node_priv(n), buf, cap);
}

static s64 store_methods(struct node *n, const char *buf, size_t len)
{
	struct pci_dev *d = node_priv(n);
	int err;

	mutex_lock(&d->lock);
	err = pci_reset_methods_set(d, buf);
	mutex_unlock(&d->lock);
	return err ? err : (s64)len;
}

static s64 store_reset(struct node *n, const char *buf, size_t len)
{
	struct pci_dev *d = node_priv(n);
	char *end;
	int err;

	if (strtoull(buf, &end, 0) != 1 || end == buf || strcspn(end, "\n") || strlen(end) > 1)
		return refuse(-EINVAL, "%s: only 1 can be written to reset", d->name);
	err = reset_user(d);
	if (err)
		return refuse(err, "%s: %s", d->name, pci_dev_usable(d) ? "no reset method that does anything" :
									 d->why_broken);
	return (s64)len;
}

int pci_reset_nodes(struct pci_dev *d)
{
	static const struct pci_attribute files[] = {
		{ "reset_method", { .show = show_methods, .store = store_methods, .mode = 0644 } },
		{ "reset", { .store = store_reset, .mode = 0200 } },
	};

	return !d->reset_methods[0] || pci_nodes_add(d, files, ARRAY_SIZE(files)) ? 0 : -ENOMEM;
}
