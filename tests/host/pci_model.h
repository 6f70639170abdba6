/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A model of PCI functions' config space: registers with their writable bits, BAR sizing as hardware
 * does it, capabilities, and what a function-level reset does.  Machines are built function by
 * function; model_pci_scan() then runs the real enumeration on them.
 *
 * The model does not route: a function answers at its address whatever the bridges' registers say.
 */
#ifndef TESTS_HOST_PCI_MODEL_H
#define TESTS_HOST_PCI_MODEL_H

#include <stdbool.h>

#include "pci/pci.h"

enum model_reset {
	MODEL_RESET_WORKS, /* registers go back to what they were at the start, after a while */
	MODEL_RESET_HANGS, /* config space reads all ones for ever */
	MODEL_RESET_OTHER, /* comes back as another: the bit at `other` is turned over */
	MODEL_RESET_STUCK, /* comes back with a register at `other` that reads 0 and takes nothing */
	MODEL_RESET_LIES,  /* says it is done, and nothing changed */
	MODEL_RESET_CRS,   /* answers "not ready" (vendor 1) for two seconds */
};

struct model_fn {
	struct model_fn *next;
	u16 segment;
	u8 bus, devfn;
	u8 cfg[4096], mask[4096]; /* values; writable bits */
	u8 start[4096];           /* what a reset brings back */
	u8 w1c[4096];             /* bits that writing one clears */
	unsigned size;            /* 256 or 4096 */
	u16 last_cap, next_cap, last_ext, next_ext, pcie, acs, msix, af, pm, aer;
	enum model_reset reset;
	u16 other;                /* MODEL_RESET_OTHER, _STUCK; 0: the device id, BAR 0 */
	bool gone;                /* all ones */
	u64 ready_at;             /* MODEL_RESET_CRS */
	unsigned stalls;          /* reads of other registers than the ids before that */
	unsigned resets;
	bool pending;             /* Transactions Pending until bus mastering has been off for a look */
};

void model_pci_clear(void);
/* A single-function conventional device. */
struct model_fn *model_fn_add(u16 segment, u8 bus, u8 dev, u8 fn, u16 vendor, u16 device, u32 class);
struct model_fn *model_fn_find(u16 segment, u8 bus, u8 devfn);
struct model_fn *model_fn_first(void);
void model_multifunction(struct model_fn *f);
void model_bridge(struct model_fn *f, u8 secondary, u8 subordinate);
/* Windows of a bridge: memory below 4 GiB and prefetchable 64-bit memory, [base, end); end 0: none. */
void model_windows(struct model_fn *f, u64 mem, u64 mem_end, u64 pref, u64 pref_end);
/* flags: PCI_BASE_ADDRESS_* bits; a 64-bit BAR takes n and n+1. */
void model_bar(struct model_fn *f, unsigned n, u32 flags, u64 base, u64 size);
/* A capability of `len` bytes, zero but for its header; its offset. */
u16 model_cap(struct model_fn *f, u8 id, unsigned len);
u16 model_ext_cap(struct model_fn *f, u16 id, unsigned len);
void model_express(struct model_fn *f, enum pci_type type, bool flr);
/* ctrl: present value; writable: bits of it that software can change. */
void model_acs(struct model_fn *f, u16 cap, u16 ctrl, u16 writable);
void model_acs_dword(struct model_fn *f, u32 cap, u32 ctrl, u32 writable);
void model_msi(struct model_fn *f, unsigned log2_max, bool addr64, bool maskable);
void model_msix(struct model_fn *f, unsigned n, unsigned bar, u32 table, unsigned pba_bar, u32 pba);
void model_aer(struct model_fn *f);
void model_pm(struct model_fn *f, bool no_soft_reset);
void model_af(struct model_fn *f);
void model_put(struct model_fn *f, u16 off, unsigned size, u32 v);
u32 model_get(const struct model_fn *f, u16 off, unsigned size);

/* Take every function off the list and free it: only before anybody else holds one. */
void pci_forget_all(void);
/* Install the ops, forget what was found before, and enumerate. Functions found. */
unsigned model_pci_scan(void);
/* Sees every config write before it takes effect; NULL: nobody. */
extern void (*model_on_write)(struct model_fn *f, u16 off, unsigned size, u32 v);
/* Sees every config read. */
extern void (*model_on_read)(struct model_fn *f, u16 off);
/* Config reads since model_pci_clear(). */
extern u64 model_reads;

#endif
