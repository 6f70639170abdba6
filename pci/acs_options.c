// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the operator says about ACS, in Linux's words.  `pcie_acs_override=downstream,multifunction,
 * id:VVVV:DDDD` counts functions without an ACS capability as isolated, which they are not.
 * `pci=config_acs=FLAGS@DEVICE[;...]` forces bits of control registers: FLAGS are 0, 1 and x (as it is),
 * from the right source validation, translation blocking, request redirect, completion redirect,
 * upstream forwarding.  A DEVICE is [SSSS:]BB:DD.F as lspci prints it, or pci:VVVV:DDDD with 0 for any.
 *
 * A word that is not understood changes nothing.
 */
#include <stdlib.h>

#include "kernel/options.h"
#include "pci/internal.h"

#define ENDS ",;" /* and the end of the string, for strchr() */

static const char *next_word(const char *s, char between)
{
	s = strchr(s, between);
	return s ? s + 1 : NULL;
}

static bool word_is(const char *s, const char *word)
{
	return !strncmp(s, word, strlen(word)) && strchr(ENDS, s[strlen(word)]);
}

/* VVVV:DDDD up to the end of the word; any: 0 stands for every id. */
static bool ids_match(const struct pci_dev *d, const char *s, bool any)
{
	char *colon, *end;
	unsigned long vendor = strtoul(s, &colon, 16), device;

	if (colon == s || *colon != ':')
		return false;
	device = strtoul(colon + 1, &end, 16);
	return end > colon + 1 && strchr(ENDS, *end) && (vendor == d->vendor || (any && !vendor)) &&
	       (device == d->device || (any && !device));
}

bool pci_acs_overridden(const struct pci_dev *d)
{
	const char *s = d->type == PCI_CONVENTIONAL || d->cap_acs ? NULL : option_get("pcie_acs_override");

	for (; s; s = next_word(s, ','))
		if ((word_is(s, "downstream") && pci_is_port(d)) || (!strncmp(s, "id:", 3) && ids_match(d, s + 3, false)) ||
		    (word_is(s, "multifunction") && d->multifunction && PCI_FUNCTION_TYPES & BIT(d->type)))
			return true;
	return false;
}

u32 pci_acs_configured(const struct pci_dev *d, u32 cap, u32 ctrl)
{
	static const char key[] = "config_acs=";
	const char *s = option_get("pci"), *device;

	s = s ? strstr(s, key) : NULL;
	for (s = s ? s + strlen(key) : NULL; s; s = s[strcspn(s, ENDS)] == ';' ? next_word(s, ';') : NULL) {
		size_t n = strspn(s, "01xX");

		device = s + n + 1;
		if (s[n] != '@' || !(word_is(device, d->name) || word_is(device, d->name + 5) ||
				     (!strncmp(device, "pci:", 4) && ids_match(d, device + 4, true))))
			continue;
		/* What isolates is on already; egress control and direct translated requests stay off. */
		for (u32 bit = 1; n--; bit <<= 1)
			ctrl = s[n] == '0' ? ctrl & ~bit : s[n] == '1' ? ctrl | (bit & cap & PCI_ACS_TB) : ctrl;
		log_warn("pci %s: ACS control is 0x%02x, by pci=config_acs=", d->name, ctrl);
		break;
	}
	return ctrl;
}
