/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * PCI: every function of the machine, found once by ECAM; its capabilities, BARs, ACS and DMA
 * aliases, MSI/MSI-X registers, resets.  Config space is hardware's word: nothing read from it is
 * trusted to be in range or to be the same twice.
 *
 * pci_init() enumerates, takes bus mastering and INTx from every function, and enables ACS on every
 * capable function.  Sections are those of PCI Express Base 6.0 and PCI Local Bus 3.0.
 */
#ifndef PCI_PCI_H
#define PCI_PCI_H

#include <linux/pci_regs.h>
#include <sys/queue.h>

#include "arch/x86/arch.h"
#include "kernel/base.h"
#include "kernel/thread.h"

#define PCI_BARS 6
#define PCI_RESET_METHODS 6 /* and the end */

/* What a device writes to raise a message interrupt; composed by the iommu. */
struct msi_msg { u64 addr; u32 data; };

/* The seam: config space of the machine. Real one: ECAM; tests put a model here. size 1, 2, 4;
 * reads of what is absent give all ones. */
struct pci_cfg_ops {
	u32 (*read)(u16 segment, u8 bus, u8 devfn, u16 off, unsigned size);
	void (*write)(u16 segment, u8 bus, u8 devfn, u16 off, unsigned size, u32 v);
};
void pci_set_cfg_ops(const struct pci_cfg_ops *ops);

enum pci_type { /* PCIe capability's Device/Port Type, 7.5.3.2; PCI_CONVENTIONAL: no such capability */
	PCI_ENDPOINT = 0, PCI_LEGACY_ENDPOINT = 1, PCI_ROOT_PORT = 4, PCI_UPSTREAM = 5,
	PCI_DOWNSTREAM = 6, PCI_PCIE_TO_PCI = 7, PCI_PCI_TO_PCIE = 8, PCI_RC_ENDPOINT = 9,
	PCI_RC_EVENT = 10, PCI_CONVENTIONAL = 0xff,
};

struct pci_bar {
	paddr_t base;   /* as hardware has it; 0 with size 0: not implemented or unassigned */
	u64 size;
	u64 want;       /* what the register decodes, placed or not; 0: nothing, or not to be used */
	bool io, mem64, prefetch;
};

enum { PCI_WINDOW_MEM, PCI_WINDOW_PREF, PCI_WINDOWS };

struct iommu_group;
struct pci_aer;

struct pci_dev {
	TAILQ_ENTRY(pci_dev) link;  /* all functions, in address order */
	TAILQ_ENTRY(pci_dev) gone;  /* pci/hotplug.c: those that left */
	char name[16];              /* "0000:01:00.0" */
	u16 segment;
	u8 bus, devfn;
	u16 vendor, device, subsystem_vendor, subsystem_device;
	u32 class;                  /* 24 bits: base, sub, interface */
	u8 revision, header_type;   /* without the multifunction bit */
	bool multifunction;
	enum pci_type type;
	struct pci_dev *parent;     /* bridge above, NULL on a root bus */
	struct pci_dev *pf;         /* of a virtual function: the physical one */
	struct pci_sriov *sriov;    /* of a physical function that can have virtual ones (pci/sriov.c) */
	u8 secondary, subordinate;  /* bridges */
	struct pci_bar window[PCI_WINDOWS]; /* bridges: memory that they forward down */
	bool ari;                   /* a port: what is below is one device of up to 256 functions (6.13) */
	bool vmd;                   /* Intel VMD: drives behind it send under its id and are nobody else's */
	u16 cfg_size;               /* 256 or 4096 */
	u8 cap_pcie, cap_pm, cap_msi, cap_msix, cap_af; /* offsets, 0: absent */
	u16 cap_acs;
	struct pci_bar bar[PCI_BARS];
	struct pci_bar rom;
	struct pci_bar vf_bar[PCI_BARS]; /* of all virtual functions together; want: of one */
	u8 interrupt_pin;
	bool ats;                   /* it may use ATS: iommu/ says so */
	bool ats_below;             /* a port: a function below it may */
	u16 intx_reported[4];       /* pci/intx.c: lines of this slot's pins; 0: not reported */
	bool broken;                /* pci_dev_kill() */
	bool resetting;             /* its reset is going on: a bridge's children come and go, and do
				     * not answer; nobody's device-TLB is asked */
	char why_broken[96];
	u8 reset_methods[PCI_RESET_METHODS]; /* pci/reset_methods.c, in the order they are tried; 0: end */
	struct mmio registers;      /* NVMe: BAR 0's first page, at */
	paddr_t registers_at;
	u8 quirks;                  /* pci/quirks.c */
	struct mutex lock;          /* multi-step config sequences: sizing, reset, MSI set-up */

	/* MSI (7.7.1) */
	bool msi_64, msi_maskable;
	u8 msi_vectors;             /* 1..32 */
	/* MSI-X (7.7.2) */
	u16 msix_vectors;           /* 0: none */
	u8 msix_bar, msix_pba_bar;
	u32 msix_table, msix_pba;   /* offsets in the BARs, checked to lie inside */
	volatile void *msix_map;    /* kernel view of the table, made at first use */
	struct msi_msg *msix_msgs;  /* what the table holds, to be written again after a reset; addr 0: masked */

	struct pci_aer *aer;        /* pci/aer.c; NULL: no error registers */
	struct iommu_group *group;  /* iommu/ */
	u32 node;                   /* its place in iommu/group.c's array while groups are made */
	void *iommu_unit;           /* iommu/vtd */
	void *driver;               /* passthrough/: the device's state there */
};

TAILQ_HEAD(pci_list, pci_dev);
extern struct pci_list pci_devices;
#define pci_for_each(d) TAILQ_FOREACH(d, &pci_devices, link)
static inline bool pci_is_bridge(const struct pci_dev *d) { return d->header_type == PCI_HEADER_TYPE_BRIDGE; }
/* Root or downstream port: below is a PCI Express link, and one device on it. NULL: no. */
static inline bool pci_is_port(const struct pci_dev *d)
{
	return d && (d->type == PCI_ROOT_PORT || d->type == PCI_DOWNSTREAM);
}
static inline u16 pci_rid(const struct pci_dev *d) { return (u16)(d->bus << 8 | d->devfn); }
struct pci_dev *pci_find(u16 segment, u8 bus, u8 devfn);
struct pci_dev *pci_find_name(const char *name); /* full lower-case DDDD:BB:DD.F */

u8 pci_read8(const struct pci_dev *d, u16 off);
u16 pci_read16(const struct pci_dev *d, u16 off);
u32 pci_read32(const struct pci_dev *d, u16 off);
void pci_write8(const struct pci_dev *d, u16 off, u8 v);
void pci_write16(const struct pci_dev *d, u16 off, u16 v);
void pci_write32(const struct pci_dev *d, u16 off, u32 v);

/* [base, base+size) is the board's own: BARs that claim to lie over it are not used. Before any is. */
void pci_bars_exclude(paddr_t base, u64 size, const char *whose);
/* Is it memory that fills whole pages, or shares its last one with no other BAR or ROM? */
bool pci_bar_owns_pages(const struct pci_dev *d, unsigned i);

/*
 * Functions that come and go after boot.  Who keeps something about every function watches: it is told
 * in the order of watching, and in the reverse order when one goes.  Only the last watcher may refuse
 * to let one go (-EBUSY: it is open); the others return 0.
 */
struct pci_watcher {
	int (*added)(struct pci_dev *d);   /* 0, or -errno: it does not come */
	int (*removed)(struct pci_dev *d);
	TAILQ_ENTRY(pci_watcher) link;
};
void pci_watch(struct pci_watcher *w);
/* A decoded function enters. It may get another structure: that of the one which was at its address before.
 * On error it is out again, and its structure kept for the next. */
int must_check pci_dev_publish(struct pci_dev **d);
int must_check pci_dev_withdraw(struct pci_dev *d);

/* A slot that is watched (pci/slot.c); what it asks of those above in the thread that steps it. Is a function
 * open; please let go, and nobody else is to open it; it is not there any more: pci_dev_kill(), mappings away. */
struct pci_slot;
enum pci_let_go { PCI_LOOK, PCI_ASK, PCI_TAKE };
typedef bool pci_let_go_fn(struct pci_dev *d, enum pci_let_go how); /* true: it is open */
bool pci_slot_has(const struct pci_dev *port);
/* What was found below the port is in the slot. NULL: no memory, or the slot cannot be believed. */
struct pci_slot *pci_slot_start(struct pci_dev *port, pci_let_go_fn *let_go);
/* Interrupt context. True: step it. */
bool pci_slot_interrupt(struct pci_slot *s);
/* When it wants to be stepped again at the latest (arch_now_ns() scale); 0: not before an event. Sleeps. */
u64 pci_slot_step(struct pci_slot *s);

/* Give every BAR of a function that has no address one out of the windows of the bridges above it
 * (pci/windows.c). What does not fit stays size 0, and the log says why. */
void pci_bars_assign(struct pci_dev *d);

/* Offset of a capability, 0 if absent. Bounded walks. */
u8 pci_find_cap(const struct pci_dev *d, u8 id);
u16 pci_find_ext_cap(const struct pci_dev *d, u16 id);

/* Bus mastering of one function. */
void pci_set_master(struct pci_dev *d, bool on);
/* Bridges forward their children's requests only with their own bus master bit: off from pci_init()
 * until the iommu calls this, once every unit translates. */
void pci_bridges_master(bool on);
/* "endpoint", "root port", ...: as messages name it. */
const char *pci_type_name(const struct pci_dev *d);

/* ---- ACS and aliases (6.12; VFIO-ABI 8) -----------------------------------------------------*/
/* Is peer-to-peer below/at this function impossible? If not, why[] says which bits are missing. */
bool pci_acs_isolated(const struct pci_dev *d, char *why, size_t n);
/* Let requests of this function that carry translated addresses through the ports above it (TB off). False, and why[] says
 * what is in the way: a bridge that changes ids, or a port that lets others use its id. */
bool must_check pci_acs_pass_translated(struct pci_dev *d, char *why, size_t n);
/* Every requester id under which this function's requests may appear upstream, itself first:
 * fn(dev, segment, bus, devfn, representative bridge or dev, arg). Ends early when fn returns nonzero. */
struct pci_alias { u16 segment; u8 bus, devfn; struct pci_dev *owner; };
#define PCI_MAX_ALIASES 8
/* Fills at most PCI_MAX_ALIASES; returns how many. */
unsigned pci_dma_aliases(struct pci_dev *d, struct pci_alias *out);

/* ---- MSI and MSI-X registers ----------------------------------------------------------------
 * These program what the iommu composed; nobody else writes addresses and data. */
/* Enable MSI with 2^log2 messages, message `m` (all vectors consecutive in data). */
int must_check pci_msi_enable(struct pci_dev *d, unsigned log2_count, const struct msi_msg *m);
void pci_msi_disable(struct pci_dev *d);
/* MSI-X: map the table, mask all, enable with function unmasked / disable. */
int must_check pci_msix_enable(struct pci_dev *d);
void pci_msix_disable(struct pci_dev *d);
/* Write entry i; masked first, unmasked last when `m` is not NULL; NULL masks and clears it. */
void pci_msix_set(struct pci_dev *d, unsigned i, const struct msi_msg *m);

/* ---- functions that are given up -------------------------------------------------------------
 * A function that cannot be trusted any more is never handed out again until power-off: it stops
 * being a bus master, what waits for it gives up, opening it and its group are refused. Logs why;
 * the first reason stays in why_broken. Any context; does not zap mappings. */
void pci_dev_kill(struct pci_dev *d, const char *fmt, ...) printf_like(2, 3);
static inline bool pci_dev_usable(const struct pci_dev *d) { return !READ_ONCE(d->broken); }

/* ---- INTx (intx.c) ---------------------------------------------------------------------------*/
#define PCI_INTX_GSIS 1024 /* global system interrupts that can be lines */
#define PCI_INTX_LOW 0x8000
/* The IOAPIC's line that d's pin ends at, level-triggered, with PCI_INTX_LOW if active low. 0: no pin, or not known. */
u16 pci_intx_line(const struct pci_dev *d);
/* Has it DisINTx, as PCI 2.3 asks? Writes the bit and puts it back. */
bool pci_intx_maskable(const struct pci_dev *d);
/* Does it drive its pin now? For maskable ones; any context. */
bool pci_intx_asserted(const struct pci_dev *d);
/* DisINTx, and no other bit of the command register's low half; any context. */
void pci_intx_mask(const struct pci_dev *d, bool masked);
int pci_intx_init(void);
/* Ports and memory are not AML's any more (aml_io.c): before a program gets a device. */
void pci_aml_io_close(void);

/* ---- what the folders above are asked to do; theirs to set, at start -------------------------*/
extern struct pci_above {
	/* Around each reset, with the device's lock held: before, when it is no bus master any more, and after,
	 * when it answers and its config space is put back, before it is bus master; not after a reset that killed it.
	 * Who puts a function to sleep calls it before; pci_power_on() does when it is back. */
	void (*reset)(struct pci_dev *d, bool before);
	/* A write to `reset`: who has handed the function out takes it from its users first. */
	int (*reset_file)(struct pci_dev *d);
	/* In interrupt context, for every function that an uncorrectable error, its own or another's, cost its bus
	 * mastering. show: it may have a line in the log. */
	void (*error)(struct pci_dev *d, bool show);
} pci_above;

/* ---- reset ----------------------------------------------------------------------------------*/
/* By the methods that reset_method names, in its order; one that says done and kept the function's
 * state counts as none.  Saves config, shuts an NVMe controller down, stops bus mastering, awaits
 * what is in flight, resets, polls with deadlines, puts config back (message interrupts and command
 * included) and reads everything back. 0; -ENOTTY: no method (nothing changed); -ETIMEDOUT or -EIO:
 * the function did not come back as it was, and was killed. May sleep up to a minute. */
int must_check pci_reset(struct pci_dev *d);
bool pci_reset_supported(const struct pci_dev *d);
/* The functions on d's bus and below it, bridges too, in address order: at most cap of them into
 * out; how many there are. 0: no bridge above that could reset them, or one of them must not be. */
unsigned pci_bus_set(const struct pci_dev *d, struct pci_dev **out, unsigned cap);
/* Secondary bus reset of such a set without bridges, else -ENOTTY. Errors as of pci_reset(), the first;
 * the others are put back all the same. */
int must_check pci_reset_bus(struct pci_dev *const *set, unsigned n);
/* Power state D0 with the 10 ms wait; 0 or -EIO. */
int must_check pci_power_on(struct pci_dev *d);

/* ---- errors (6.2) ---------------------------------------------------------------------------*/
enum pci_error { PCI_ERROR_CORRECTABLE, PCI_ERROR_NONFATAL, PCI_ERROR_FATAL };
/* A root port or event collector that keeps errors; it reports what comes from below when it is started. */
bool pci_aer_root(const struct pci_dev *d);
void pci_aer_root_start(struct pci_dev *port);
/* It interrupted: find, count, log and stop who reported. Interrupt context. */
void pci_aer_interrupt(struct pci_dev *port);

/* Config space as it is now, to be put back at close: endpoints only (a bridge's bus numbers and
 * windows are never moved). The MSI-X table is put back from what pci_msix_set() wrote. */
#define PCI_MAX_REBARS 6
#define PCI_MAX_SAVED 64
struct pci_saved {
	unsigned n;
	struct pci_saved_reg {
		u16 off;
		u8 size, rule; /* pci/saved.c */
		u32 value;
	} reg[PCI_MAX_SAVED]; /* the command register is the last */
};
void pci_save(struct pci_dev *d, struct pci_saved *s);
/* The same, when no reset of it, or of the PF that would take it away, is under way. */
void pci_save_settled(struct pci_dev *d, struct pci_saved *s);
void pci_restore(struct pci_dev *d, const struct pci_saved *s);

#endif
