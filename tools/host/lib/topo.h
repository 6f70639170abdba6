/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A PCI topology as a text file, one function per line:
 *
 *   SSSS:BB:DD.F VVVV:DDDD CCCC hdr=0|1 mf=yes|no TYPE bus=P/S/S|- acscap=LIST|-|none
 *   acsctl=LIST|-|none ari=yes|no vf=BDF|- flags=LIST|- group=N|-
 *
 * Fields are separated by one blank; ids, class and bus numbers are hexadecimal, the group decimal;
 * LIST is of SV TB RR CR UF EC DT, separated by commas; `none`: no ACS capability, `-`: no bit is
 * set. Lines that start with # are comments. acsctl is the state in which the system left ACS.
 *
 * topo_parse() checks a file as a whole and touches nothing else; topo_group() then builds the
 * machine on the model of config space and lets the kernel's own enumeration and grouping run on it.
 */
#ifndef TOOLS_HOST_LIB_TOPO_H
#define TOOLS_HOST_LIB_TOPO_H

#include <stdio.h>

#include "pci/pci.h"

#define TOPO_VMD_SEGMENT 0x10000u /* from here on segments lie behind a VMD */
#define TOPO_NO_GROUP (-1)

struct topo_fn {
	unsigned line;
	u32 segment;
	u8 bus, devfn;
	u16 vendor, device, class; /* class without the interface byte */
	bool bridge;               /* header type 1 */
	bool multifunction, ari;
	bool numbered;             /* has bus numbers */
	enum pci_type type;
	u8 primary, secondary, subordinate;
	bool acs;
	u16 acs_cap, acs_ctrl;
	bool virtual;
	u32 pf_segment;
	u16 pf_rid;
	const char *flags;         /* "-" or a list; in the file's text */
	long label;                /* group in the file, TOPO_NO_GROUP: none */

	/* Filled by topo_group(). */
	int parent;                /* index of the bridge above, or of the VMD; -1: none */
	struct pci_dev *dev;       /* NULL behind a VMD */
	struct iommu_group *group;
	bool unreached;            /* the kernel's enumeration would not find it */
};

struct topo {
	struct topo_fn *fn;        /* in address order */
	unsigned n;
	const char *name;          /* what a comment "# name: ..." says; NULL: none does */
	char *text;
	unsigned error_line;       /* of the first damage */
	char error[200];
};

/* Take a whole file; 0, or -1 with error_line and error. text may hold any bytes. */
int topo_parse(struct topo *t, const char *text, size_t len);
/* The last part of it: sort by address; what cannot stand side by side is damage. */
int topo_check(struct topo *t);
void topo_free(struct topo *t);
/* The line of a function, without a newline at the end. */
void topo_print(FILE *out, const struct topo_fn *f);
/* Read a stream to its end: malloced, with a NUL behind; NULL: an error, or more than 64 MiB. */
char *topo_read(FILE *in, size_t *len);

/*
 * Enumerate and group. options: the kernel's command line. enable: ACS bits that a capability has
 * can be switched on, as on hardware; else ACS stays as the file has it. Returns 0; -1 with
 * error_line and error: what is behind a VMD has none.
 */
int topo_group(struct topo *t, const char *options, bool enable);

/* "0000:00:1f.3", in one of four buffers that take turns. */
const char *topo_name(const struct topo_fn *f);
const char *topo_type_name(enum pci_type type);
/* "Ethernet controller"; "class 1234" when it has no name here. */
const char *topo_class_name(u16 class);

#endif
