/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Private to iommu/vtd: a remapping unit, a domain, and who guards what.
 *
 * Lock order: domain->lock (mutex: page table, device list) -> unit->lock (root and context tables,
 * id and IRTE bitmaps) -> unit->queue_lock (queue and registers).  A unit's fault interrupt takes
 * none of them.  Once a unit is marked failed it stays so until power-off.
 */
#ifndef IOMMU_VTD_VTD_H
#define IOMMU_VTD_VTD_H

#include <sys/queue.h>

#include "arch/x86/arch.h"
#include "iommu/iommu.h"
#include "iommu/vtd/dmar.h"
#include "iommu/vtd/regs.h"
#include "kernel/pt.h"
#include "kernel/thread.h"

#define VTD_MAX_UNITS 32
#define VTD_QUEUE_ENTRIES 256            /* one 4 KiB page, IQA.QS 0 */
#define VTD_TIMEOUT_NS (250 * NS_PER_MS) /* below the second after which an IPI that waits for us panics */
#define VTD_DEVICE_TIMEOUT_NS (600 * NS_PER_MS) /* the same, of a device TLB: the unit's own time-out should come first */

/* What a unit can do, decoded once from CAP and ECAP (unit.c). */
struct vtd_caps {
	u8 levels;       /* of new tables: 4 if possible, else 3, else 5 */
	u8 all_levels;   /* bit n: tables of n levels can be read */
	u8 max_leaf;     /* 1: 4K, 2: 2M, 3: 1G */
	u8 width;        /* bits of a device address: least of levels and MGAW */
	bool scalable;   /* root table mode: context entries lead to PASID tables */
	bool first_stage; /* scalable, and its page tables are in x86 format */
	u8 first_aw;     /* AW of its PASID entries: reserved (9.6), but QEMU, which has SAGAW none the less, wants it */
	bool coherent;   /* table reads snoop the caches */
	bool walk_coherent; /* and page-table reads do */
	bool queued, remap, eim, snoop, caching_mode, write_buffer, page_selective;
	bool drain_read, drain_write, protected_regions;
	bool device_tlb; /* functions may have TLBs of their own (ATS) */
	bool throttle;   /* and descriptors for them name the physical function (DIT) */
	bool posted;     /* interrupt entries can name a posted descriptor (5.2) */
	u8 max_mask;     /* MAMV: address mask of a page-selective invalidation */
	u32 domains;
	u32 fault_offset, fault_records;
	u32 iotlb_offset; /* IVA and IOTLB registers; used only when not queued */
};

struct vtd_dev;

struct vtd_unit {
	unsigned index;
	u16 segment;
	bool include_all;
	paddr_t base;
	u32 dmar_offset; /* of its DRHD */
	struct mmio mmio;
	struct vtd_caps caps;
	bool on;         /* translation is on with our tables */
	bool failed;     /* an invalidation failed: hands out no device */
	bool remapping;  /* interrupt remapping is on */

	struct spinlock lock;
	struct vtd_entry *root;
	u64 *did_bitmap;
	u32 did_next;
	struct vtd_entry *irt;   /* interrupt-remapping table */
	u32 irt_entries;
	u64 *irt_bitmap;
	TAILQ_HEAD(, iommu_irte) irtes;

	struct spinlock queue_lock;
	struct vtd_entry *queue;
	u32 tail;                /* shadow of IQT, in descriptors; empty whenever queue_lock is free */
	u32 sequence;            /* last status value asked for */
	u32 status, nothing;     /* the unit writes these: the wait's status, and what nobody reads */

	bool storm;              /* a requester seen in this poll does not stop faulting */
	struct irq fault_irq;
	struct ktimer fault_timer;
	TAILQ_ENTRY(vtd_unit) link;
};
TAILQ_HEAD(vtd_unit_list, vtd_unit);
extern struct vtd_unit_list vtd_units;

/* pci_dev.iommu_unit: a function and its place in the domain it is attached to. */
struct vtd_dev {
	struct pci_dev *pci;
	struct vtd_unit *unit;
	struct vtd_domain *domain;         /* NULL: blocked */
	struct vtd_domain *boot;           /* its RMRRs; domain while nobody else attached it. NULL: none */
	bool ats_on;                       /* it may have translations in a TLB of its own: ats.c */
	u16 ats_cap;                       /* offset of the capability */
	u8 ats_depth;                      /* invalidations that it can queue; 0: 32 */
	struct pci_alias alias[PCI_MAX_ALIASES]; /* as attached */
	unsigned naliases;
	TAILQ_ENTRY(vtd_dev) link;         /* in domain->devs */
};

struct vtd_domain {
	struct mutex lock;
	struct pt pt;
	struct iommu_geometry geometry;
	TAILQ_HEAD(, vtd_dev) devs;
	struct vtd_presence {              /* one per unit that has a device of the domain */
		struct vtd_unit *unit;
		u16 did;
		paddr_t pasid;             /* scalable mode: PASID directory */
		unsigned ndevs;            /* 0: slot is free */
	} on[VTD_MAX_UNITS];
	unsigned non;                      /* slots used, free ones among them included */
	bool announce;                     /* a unit it was on must be told of new mappings */
	bool boot;                         /* maps firmware's memory */
	bool quarantined;                  /* an invalidation failed: nothing of it is ever freed */
	TAILQ_ENTRY(vtd_domain) link;
};
TAILQ_HEAD(vtd_domain_list, vtd_domain);
extern struct vtd_domain_list vtd_domains; /* all live ones, for the audit */
extern struct mutex vtd_domains_lock;
extern u64 vtd_quarantined_tables;

struct iommu_irte {
	TAILQ_ENTRY(iommu_irte) link;
	struct vtd_unit *unit;
	u16 index, count;    /* count 0: a unit that does not remap has no entries */
	struct pci_dev *dev; /* NULL: an IOAPIC's */
	s64 gsi;             /* -1: none */
	bool level, low;
};

/* unit.c */
int must_check vtd_unit_decode(struct vtd_unit *u);
/* Empty root table and domain ids: from now on entries can be made. -ENOMEM. */
int must_check vtd_unit_tables(struct vtd_unit *u);
/* Replace what firmware left, block everything but boot domains, translation and remapping on. */
int must_check vtd_unit_start(struct vtd_unit *u);
/* The only writer of GCMD: set/clear bits, then wait until status has `expect` in `mask`. */
int must_check vtd_gcmd(struct vtd_unit *u, u32 set, u32 clear, u32 mask, u32 expect);
/* Poll a 32-bit register until (value & mask) == expect; -ETIMEDOUT with a line. */
int must_check vtd_wait(struct vtd_unit *u, u32 reg, const char *name, u32 mask, u32 expect);
/* Entries that a non-coherent unit will read are in memory after this. */
void vtd_sync(struct vtd_unit *u, const void *p, size_t n);
/* Not-present entries became present: what CAP.RWBF asks for. -EIO. */
int must_check vtd_flush_write_buffer(struct vtd_unit *u);

/* inv_regs.c: n descriptors by command registers; queue_lock is held. */
int must_check vtd_inv_registers(struct vtd_unit *u, const struct vtd_entry *d, unsigned n);

/* queue.c: run n descriptors and wait for them: 0, or -EIO, and the unit is marked failed. -ENODEV: of the first one, a
 * device-TLB invalidation, the unit says that the device did not answer (ITE). */
#define VTD_BATCH_MAX 32
int must_check vtd_queue_start(struct vtd_unit *u);
int must_check vtd_queue_run(struct vtd_unit *u, const struct vtd_entry *d, unsigned n);
/* Descriptors, by granularity (6.5.2). */
struct vtd_entry vtd_inv_context_global(void);
struct vtd_entry vtd_inv_context_device(u16 did, u16 sid);
struct vtd_entry vtd_inv_iotlb_global(const struct vtd_unit *u);
struct vtd_entry vtd_inv_iotlb_domain(const struct vtd_unit *u, u16 did);
struct vtd_entry vtd_inv_iotlb_pages(const struct vtd_unit *u, u16 did, iova_t iova, unsigned mask, bool leaf_only);
struct vtd_entry vtd_inv_pasid_domain(u16 did);
struct vtd_entry vtd_inv_pasid_global(void);
struct vtd_entry vtd_inv_device_tlb(const struct vtd_dev *v, iova_t iova, unsigned mask); /* mask 52: all of it */
struct vtd_entry vtd_inv_iec_global(void);
struct vtd_entry vtd_inv_iec_index(u16 index, unsigned mask);

/* root.c: a context or interrupt entry that is not present, in the order that a unit may read at any time. */
void vtd_entry_set(struct vtd_unit *u, struct vtd_entry *e, struct vtd_entry want);
/* -ENOMEM, -EBUSY (another domain is there). */
int must_check vtd_context_set(struct vtd_unit *u, u16 rid, struct vtd_entry want);
void vtd_context_clear(struct vtd_unit *u, u16 rid);
struct vtd_entry vtd_context_entry(const struct vtd_dev *v, const struct vtd_presence *p); /* v->domain is set */
bool vtd_context_get(struct vtd_unit *u, u16 rid, struct vtd_entry *out);

/* pasid.c: a directory for the domain on this unit. -ENOMEM. */
int must_check vtd_pasid_make(struct vtd_unit *u, const struct vtd_domain *d, u16 did, paddr_t *directory);
paddr_t vtd_pasid_table(paddr_t directory);
void vtd_pasid_free(paddr_t directory);

/* domain.c */
int vtd_domain_create(struct pci_dev *dev, struct iommu_domain **out);
void vtd_domain_destroy(struct iommu_domain *d);
void vtd_domain_geometry(const struct iommu_domain *d, struct iommu_geometry *out);
int vtd_map(struct iommu_domain *d, iova_t iova, paddr_t pa, u64 size, unsigned prot);
int vtd_unmap(struct iommu_domain *d, iova_t iova, u64 size);
bool vtd_iova_to_phys(const struct iommu_domain *d, iova_t iova, paddr_t *pa);
static inline struct vtd_domain *to_vtd(const struct iommu_domain *d)
{
	return (struct vtd_domain *)d;
}
/* attach.c */
/* The domain's place on a unit; NULL: it is not there. */
struct vtd_presence *vtd_presence_find(struct vtd_domain *d, const struct vtd_unit *u);
/* A unit failed an invalidation: bus masters of the domain's devices off, context entries blocked, nothing of it is
 * ever freed. domain->lock held. */
void vtd_domain_quarantine(struct vtd_domain *d);
/* A function did not answer an invalidation: it is blocked, and the domain goes on without it. domain->lock
 * held. 0; -EIO: the unit failed, too. */
int must_check vtd_dev_quarantine(struct vtd_dev *v);
int vtd_attach_dev(struct iommu_domain *d, struct pci_dev *dev);
int vtd_detach_dev(struct iommu_domain *d, struct pci_dev *dev);

/* ats.c: domain->lock is held */
void vtd_ats_init(void); /* which functions may use it, said in the log */
bool vtd_ats_wanted(const struct vtd_dev *v);
void vtd_ats_enable(struct vtd_dev *v);
/* Off at the function; vtd_ats_disable() also waits until it has no translation and nothing is on its way: 0, or as below. */
void vtd_ats_cut(struct vtd_dev *v);
int must_check vtd_ats_disable(struct vtd_dev *v);
/* The unit has forgotten the range: so does the function. 0; -EIO: the unit failed. */
int must_check vtd_ats_flush(struct vtd_dev *v, iova_t iova, u64 size);

/* remap.c */
int must_check vtd_remap_start(struct vtd_unit *u);
/* An entry that posts to a descriptor (64-byte aligned) as `vector`; source: SVT, SQ and SID of the high half. */
struct vtd_entry vtd_irte_posted(paddr_t descriptor, u8 vector, bool urgent, u64 source);
int vtd_irq_map(struct pci_dev *dev, struct irq *irqs, unsigned count, struct iommu_irte **out, struct msi_msg *msg);
bool vtd_irq_confined(const struct pci_dev *dev);
int vtd_irq_retarget(struct iommu_irte *e, unsigned i, const struct irq *irq);
void vtd_irq_unmap(struct iommu_irte *e);
int vtd_irq_map_gsi(u32 gsi, struct irq *irq, bool level, bool low, struct iommu_irte **out);

/* fault.c */
int must_check vtd_fault_start(struct vtd_unit *u);
void vtd_fault_poll(struct vtd_unit *u);
const char *vtd_fault_text(u8 reason);

/* rmrr.c */
unsigned vtd_regions(struct pci_dev *dev, struct iommu_region *out, unsigned cap);
int must_check vtd_rmrr_usable(const struct pci_dev *dev); /* -EPERM with refuse() */
void vtd_rmrr_boot(void);

/* vtd.c */
extern struct dmar vtd_dmar; /* our own copy of the table; len 0: none */
/* Does one of the entry's scopes name this function, or a bridge above it? */
bool vtd_entry_covers(const struct dmar_entry *e, const struct pci_dev *dev);
int must_check vtd_usable(struct pci_dev *dev); /* -EPERM with refuse(): never handed out */
int must_check vtd_probe(const void *dmar, size_t len);
struct vtd_dev *vtd_dev_of(const struct pci_dev *dev); /* NULL: under no unit */
/* Unit and source id of the IOAPIC with this id; -ENODEV. */
int must_check vtd_find_ioapic(u8 id, struct vtd_unit **u, u16 *sid);
/* Read the table (NULL: there is none), start every unit, give each function its unit. -ENODEV, -EBADMSG. */
int must_check vtd_init(const void *dmar, size_t len);

/* audit.c */
unsigned vtd_audit(void);

/* "vtd unit N at 0x...: " before a message. */
#define vtd_log(level, u, fmt, ...)                                                      \
	log_at(level, "vtd unit %u at 0x%llx: " fmt, (u)->index, (unsigned long long)(u)->base, ##__VA_ARGS__)

#endif
