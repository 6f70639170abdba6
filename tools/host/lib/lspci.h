/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What `lspci -vvnn` prints, as a topology (topo.h).  Versions of lspci differ in blanks and in
 * what they add; only the words that say what is needed here are looked at, and lines that say
 * nothing are passed over.  What is missing counts as absent, which never makes a group smaller,
 * and is told in a note.
 */
#ifndef TOOLS_HOST_LIB_LSPCI_H
#define TOOLS_HOST_LIB_LSPCI_H

#include "tools/host/lib/topo.h"

enum lspci_note {
	LSPCI_NO_CAPABILITIES, /* not run as root */
	LSPCI_NO_REGISTERS,    /* an ACS capability without its bits: not run with -vv */
	LSPCI_NO_IDS,          /* not run with -nn */
	LSPCI_NOTES
};

/* Functions and first line of each kind of note; n 0: none. */
struct lspci_notes {
	struct { unsigned n, line; } of[LSPCI_NOTES];
};

/* As topo_parse(). */
int lspci_parse(struct topo *t, struct lspci_notes *notes, const char *text, size_t len);

#endif
