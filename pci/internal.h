/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of pci/ share among themselves.  Everything that others may use is in pci/pci.h.
 */
#ifndef PCI_INTERNAL_H
#define PCI_INTERNAL_H

#include "kernel/file.h"
#include "pci/pci.h"

#define PCI_CFG_CONVENTIONAL 256
#define PCI_CFG_EXPRESS 4096
#define PCI_CLASS_HOST_BRIDGE 0x0600 /* Code and ID Assignment 1.7 */
#define PCI_CLASS_RAID 0x0104
#define PCI_REGIONS (2 * PCI_BARS + 1) /* BARs, the ROM, BARs of virtual functions */
#define PCI_MAX_FUNCTIONS 4096 /* of a segment; more are named and left alone */

/* Is it this bridge, or somewhere below it? */
static inline bool pci_is_below(const struct pci_dev *d, const struct pci_dev *bridge)
{
	while (d && d != bridge)
		d = d->parent;
	return d;
}

/* ---- config.c: the ops, raw ------------------------------------------------------------------*/
u32 pci_cfg_read(u16 segment, u8 bus, u8 devfn, u16 off, unsigned size);
void pci_cfg_write(u16 segment, u8 bus, u8 devfn, u16 off, unsigned size, u32 v);
/* Of a function; size 1, 2, 4. What is not inside its config space reads as ones, and is not written. */
u32 pci_read(const struct pci_dev *d, u16 off, unsigned size);
void pci_write(const struct pci_dev *d, u16 off, unsigned size, u32 v);
/* Change bits of a 16-bit register; writes only when something changes. */
void pci_update16(const struct pci_dev *d, u16 off, u16 clear, u16 set);

/* ---- ecam.c ----------------------------------------------------------------------------------*/
struct pci_segment { u16 segment; u8 bus_first, bus_last; };
/* Find config space by MCFG, or by ports 0xcf8/0xcfc when there is no such table, and install the
 * ops. Returns how many segments there are (at most cap), or -ENODEV. */
int pci_ecam_init(struct pci_segment *out, unsigned cap);
/* From now on ports 0xcf8/0xcfc are used without their lock: the other CPUs are stopped. */
void pci_ecam_panic(void);
/* Does [pa, pa+size) meet config space? */
bool pci_ecam_overlaps(paddr_t pa, u64 size);

/* ---- init.c ----------------------------------------------------------------------------------*/
/* A panic's first act: no function is bus master any more. Takes no lock and allocates nothing. */
void pci_panic(void);

/* ---- enum.c ----------------------------------------------------------------------------------*/
/* Find the functions of a segment's buses and add them to pci_devices. 0, -ENOMEM. */
int pci_scan(u16 segment, u8 bus_first, u8 bus_last);
/* Enter a function at its place in address order. */
void pci_list_insert(struct pci_dev *d);

/* ---- dev.c, caps.c, bar.c --------------------------------------------------------------------*/
/* Decode the function at this address; *out is NULL when nobody answers. 0, -ENOMEM. */
int must_check pci_dev_read(u16 segment, u8 bus, u8 devfn, struct pci_dev *parent, struct pci_dev **out);
void pci_dev_free(struct pci_dev *d); /* one that nobody has seen yet */
/* The two steps of that, for a virtual function: between them its PF, ids and BARs are filled in. */
struct pci_dev *pci_dev_new(u16 segment, u16 rid, struct pci_dev *parent);
void pci_dev_decode(struct pci_dev *d);
void pci_caps_read(struct pci_dev *d);
/* Has its PCI Express capability version 2 or later, and this register of it? */
bool pci_express_v2(const struct pci_dev *d, u16 reg);
/* Is a port's link up, or does the port not tell? */
bool pci_link_up(const struct pci_dev *port);
void pci_msix_check(struct pci_dev *d); /* after the BARs are known */
void pci_bars_read(struct pci_dev *d);
void pci_vf_bars_read(struct pci_dev *d); /* into vf_bar[], from the SR-IOV capability */
/* Region i of PCI_REGIONS, or behind them a window; and "BAR", "ROM" or "VF BAR". */
struct pci_bar *pci_bar_of(struct pci_dev *d, unsigned i);
const char *pci_bar_kind(unsigned i);
bool pci_bars_meet(const struct pci_bar *a, const struct pci_bar *b);
/* What is not a device's, and lies where this BAR does; NULL: nothing. */
const char *pci_bar_refused(const struct pci_bar *b);
/* Of that, what ring 0 has for itself of the board: config space, IOMMUs. */
const char *pci_bar_claimed(const struct pci_bar *b);
int pci_aml_io_init(void);
/* Drop BARs that lie over RAM, config space, interrupt addresses or each other. */
void pci_bars_check(void);

/* ---- windows.c -------------------------------------------------------------------------------*/
void pci_windows_read(struct pci_dev *bridge);

/* ---- hotplug.c -------------------------------------------------------------------------------*/
/* Is a function open that left from below the port? */
bool pci_withdrawn_any(const struct pci_dev *port, pci_let_go_fn *let_go);
extern struct pci_list pci_withdrawn; /* the structures of functions that left, for the next at their addresses */

/* ---- sysfs.c ---------------------------------------------------------------------------------*/
#define PCI_SYSFS "/sys/bus/pci/devices"
/* What is written to a file as a number, in C's notation; above 2^63: something else. */
u64 pci_number(const char *text);
struct pci_attribute { const char *name; struct node_ops ops; };
/* What a file that shows one field of the function writes. */
#define PCI_SHOW(name, format, field)                                      \
	static s64 show_##name(struct node *n, char *buf, size_t cap)      \
	{                                                                  \
		return snprintf(buf, cap, format "\n", ((struct pci_dev *)node_priv(n))->field); \
	}
bool pci_nodes_add(struct pci_dev *d, const struct pci_attribute *a, unsigned n);
int must_check pci_sysfs_add(struct pci_dev *d);
void pci_sysfs_remove(struct pci_dev *d);

/* ---- sriov.c ---------------------------------------------------------------------------------*/
#define PCI_SRIOV_QUIET_MS 1000 /* 9.3.3.3.1: after VF Enable was cleared, before the capability is touched again */
struct pci_sriov {
	u16 cap, total, offset, stride, vf_device;
	u16 num;         /* enabled now */
	u64 quiet_until; /* the capability is not touched before */
	struct pci_dev *vf[]; /* those that are enabled */
};
/* Read the capability of a function whose virtual functions are off. */
void pci_sriov_read(struct pci_dev *d);
/* First offset and stride: they depend on NumVFs and on whether the port above forwards ARI (9.3.3.9). */
void pci_sriov_addresses(struct pci_dev *d);
/* As Linux's sriov_numvfs with vfio-pci as the driver: from 0 to n, or to 0. -ERANGE, -EBUSY (there are some, or one
 * is open), -ENOENT (not allowed), -ENOMEM (addresses), -EIO. On error nothing has changed. */
int must_check pci_sriov_set(struct pci_dev *d, unsigned n);
/* A PF's sriov_* files, a VF's links. The link in the PF's folder goes apart from the VF's own folder. */
bool pci_sriov_nodes(struct pci_dev *d);
void pci_sriov_unlink(const struct pci_dev *vf);

/* ---- acs.c, acs_options.c, quirks.c ----------------------------------------------------------*/
/* Types that keep their functions apart with ACS, and need none when they have one function. */
#define PCI_FUNCTION_TYPES (BIT(PCI_ENDPOINT) | BIT(PCI_LEGACY_ENDPOINT) | BIT(PCI_UPSTREAM) | BIT(PCI_RC_ENDPOINT))
void pci_acs_enable(struct pci_dev *d);
/* Does `pcie_acs_override` count this function, which has no ACS capability, as isolated? */
bool pci_acs_overridden(const struct pci_dev *d);
/* The control register as `pci=config_acs=` has it; ctrl when it does not name this function. */
u32 pci_acs_configured(const struct pci_dev *d, u32 cap, u32 ctrl);
enum {
	PCI_QUIRK_ISOLATED = 1,   /* verified not to do peer-to-peer between its functions */
	PCI_QUIRK_ACS_DWORD = 2,  /* ACS capability and control are dwords, at +4 and +8 */
	PCI_QUIRK_ALIAS_FN0 = 4,  /* also sends as function 0 of its slot */
	PCI_QUIRK_ALIAS_FN1 = 8,  /* also sends as function 1 of its slot */
	PCI_QUIRK_PCH_PORT = 16,  /* isolated once the chipset's registers say so (acs.c) */
};
u8 pci_quirks_of(const struct pci_dev *d);

/* ---- msi.c -----------------------------------------------------------------------------------*/
/* Write the table again from what pci_msix_set() wrote; memory decode is on. */
void pci_msix_rewrite(struct pci_dev *d);
/* Does the table hold that, if MSI-X is on? */
bool pci_msix_same(struct pci_dev *d);

/* ---- saved.c ---------------------------------------------------------------------------------*/
/* All but the command register, which is left with decode and bus mastering off. */
void pci_restore_registers(struct pci_dev *d, const struct pci_saved *s);
u16 pci_saved_command(const struct pci_saved *s);
/* Does everything read as it was put back, or, `identity`, is this the same function? what: if not. */
bool pci_saved_same(const struct pci_dev *d, const struct pci_saved *s, bool identity, char *what, size_t n);

/* ---- reset_methods.c, reset_nvme.c -----------------------------------------------------------*/
struct pci_reset_method {
	const char *name; /* as in reset_method */
	bool (*has)(const struct pci_dev *d);
	void (*start)(struct pci_dev *d);
	u16 settle_ms;
};
/* Number 1 to PCI_RESET_METHODS - 1, in Linux's order. */
extern const struct pci_reset_method pci_reset_method[PCI_RESET_METHODS];
enum { PCI_RESET_SPECIFIC = 1, PCI_RESET_FLR, PCI_RESET_AF_FLR, PCI_RESET_PM, PCI_RESET_BUS };
/* May this method be used on this function now? */
bool pci_reset_has(const struct pci_dev *d, unsigned method);
/* The default list. As on Linux it is made when the function is found: of its bus the functions found
 * before it are known then. */
void pci_reset_methods_init(struct pci_dev *d);
/* Linux's syntax: names in order, "default", or nothing for none. 0, -EINVAL: nothing changed. */
int must_check pci_reset_methods_set(struct pci_dev *d, const char *text);
size_t pci_reset_methods_get(const struct pci_dev *d, char *buf, size_t cap);
/* A running NVMe controller writes its caches and stops; deadlines; what it does not do is logged. */
void pci_nvme_shutdown(struct pci_dev *d);
/* `reset` and `reset_method` in a function's directory, if it can be reset. */
bool pci_reset_nodes(struct pci_dev *d);

/* ---- aer.c -----------------------------------------------------------------------------------*/
/* A function reports its errors from now on. */
void pci_aer_init(struct pci_dev *d);
bool pci_aer_nodes(struct pci_dev *d);

/* ---- power.c ---------------------------------------------------------------------------------*/
/* Sleep when there is a thread to sleep, else wait busily. */
void pci_wait_ms(u64 ms);
/* Ask at growing intervals, at most a second, until it is done (true), or for `ms` at least. */
bool pci_wait_for(const struct pci_dev *d, bool (*done)(const struct pci_dev *d), u64 ms);
#define PCI_CRS_VENDOR 1 /* 2.3.1: "not ready yet", with CRS software visibility */
/* Is it there, and ready? */
bool pci_answers(const struct pci_dev *d);

#endif
