/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is true of any IOMMU: domains (address spaces), groups (the smallest sets that hardware can
 * keep apart), reserved regions, interrupt remapping handles, faults.  VT-d stands below behind
 * struct iommu_ops; nobody above this header knows it.
 *
 * A group that nobody attached is blocked: no DMA, no interrupt.
 */
#ifndef IOMMU_IOMMU_H
#define IOMMU_IOMMU_H

#include <sys/queue.h>

#include "kernel/base.h"
#include "pci/pci.h"

struct iommu_domain;
struct iommu_irte;

/* ---- groups ---------------------------------------------------------------------------------*/
#define IOMMU_MAX_GROUP_DEVS 64
struct iommu_group {
	TAILQ_ENTRY(iommu_group) link;
	u32 id;
	unsigned ndevs;
	bool held;                 /* a program has it open: no function joins it, empty or not */
	bool too_large;            /* has more functions than dev[] holds: never handed out */
	struct pci_dev *dev[IOMMU_MAX_GROUP_DEVS]; /* address order */
	char reason[256];          /* why its devices share it; "" for a single device */
	struct iommu_domain *domain; /* NULL: blocked */
	char owner[32];            /* "loader[2]" while a program holds it */
	void *vfio;                /* passthrough/'s group state */
};
TAILQ_HEAD(iommu_group_list, iommu_group);
extern struct iommu_group_list iommu_groups;
int must_check iommu_group_sysfs_init(void); /* groups that are built get their files, and follow what comes and goes */
/* Partition all functions of pci_devices (iommu/group.c). Pure over pci.h. */
int must_check iommu_groups_build(void);
/* One function more, or less. A function joins no group that is held, and never makes one of two: -EBUSY, -EPERM, -ENOMEM. */
int must_check iommu_group_join(struct pci_dev *d);
void iommu_group_leave(struct pci_dev *d);
/* A group's functions and its domain change under it, below all locks of passthrough/. join wants it held. */
extern struct mutex iommu_members_lock;
/* As iommu_group_leave(); a function whose group is attached is blocked first. */
void iommu_group_quit(struct pci_dev *d);
void iommu_group_set_owner(struct iommu_group *g, const char *owner); /* "" clears */

/* ---- reserved regions -----------------------------------------------------------------------*/
enum iommu_resv { IOMMU_RESV_DIRECT, IOMMU_RESV_DIRECT_RELAXABLE, IOMMU_RESV_RESERVED, IOMMU_RESV_MSI };
struct iommu_region { u64 start, end; enum iommu_resv type; }; /* end inclusive */
/* Sorted; at most cap; returns how many there are. The interrupt window is always there. */
unsigned iommu_group_regions(const struct iommu_group *g, struct iommu_region *out, unsigned cap);

/* ---- domains --------------------------------------------------------------------------------*/
/* May this group's devices be handed out at all? 0; -EPERM with refuse() (no unit, no interrupt remapping
 * unless vfio_iommu_type1.allow_unsafe_interrupts=1, RMRR that is not relaxable, unit failed, device broken). */
int must_check iommu_group_usable(const struct iommu_group *g);

struct iommu_geometry {
	u64 aperture_end; /* inclusive */
	u64 pgsizes;      /* bitmap: 0x1000 | 0x200000 | 0x40000000 */
	bool snoop;       /* every unit can enforce coherence */
};
/* For groups on the same kind of unit as `g`; more may be attached. -ENOMEM, -EPERM. */
int must_check iommu_domain_create(const struct iommu_group *g, struct iommu_domain **out);
/* All groups must have been detached. Frees tables; unmapping is not needed before. */
void iommu_domain_destroy(struct iommu_domain *d);
void iommu_domain_geometry(const struct iommu_domain *d, struct iommu_geometry *out);
/* -EIO, -ENOMEM, -EINVAL (the group's unit cannot read this domain's tables). On error the group stays blocked. */
int must_check iommu_attach(struct iommu_domain *d, struct iommu_group *g);
/* Blocks it again and waits until no request of its devices is in flight: 0, or -EIO: the unit failed and the devices are
 * quarantined (bus masters off); pages mapped then must stay pinned for ever. */
int must_check iommu_detach(struct iommu_group *g);
/* prot: PT_READ | PT_WRITE, exactly as a device may use it. Flushes what caching mode needs. 0, -ENOMEM, -EEXIST, -EIO. */
int must_check iommu_map(struct iommu_domain *d, iova_t iova, paddr_t pa, u64 size, unsigned prot);
/* Clear [iova, iova+size) and invalidate, then wait: no device reaches it after return. 0; -EIO: as for detach. */
int must_check iommu_unmap(struct iommu_domain *d, iova_t iova, u64 size);
bool iommu_iova_to_phys(const struct iommu_domain *d, iova_t iova, paddr_t *pa);

/* ---- interrupts -----------------------------------------------------------------------------*/
/* Remapped MSI of device `dev` (source-id verified, aliases included) to irq->cpu/vector; the message for the
 * device comes back. count consecutive entries (power of two) for multi-vector MSI: irqs is an array. -ENOSPC, -EIO. */
int must_check iommu_irq_map(struct pci_dev *dev, struct irq *irqs, unsigned count,
			     struct iommu_irte **out, struct msi_msg *msg);
/* Do its messages reach nothing but its own entries? If not, its MSI-X table is nothing for a program to write. */
bool iommu_irq_confined(const struct pci_dev *dev);
/* Point entry i at another CPU/vector, whole (128 bits at once or not-present in between). */
int must_check iommu_irq_retarget(struct iommu_irte *e, unsigned i, const struct irq *irq);
/* Not present, flushed: no message of it is delivered after return. */
void iommu_irq_unmap(struct iommu_irte *e);
/* An IOAPIC pin, by global system interrupt: remapped entry and redirection. */
int must_check iommu_irq_map_gsi(u32 gsi, struct irq *irq, bool level, bool low, struct iommu_irte **out);

/* ---- faults ---------------------------------------------------------------------------------*/
struct iommu_fault {
	u16 segment, rid;
	bool write, interrupt; /* interrupt: index in address */
	u64 address;
	u8 reason;             /* 0: the device failed, no request of it */
	const char *text;
	struct pci_dev *dev;   /* NULL: unknown */
};
/* Called in interrupt context after counting and logging (one handler: passthrough/ for ERR eventfds). */
void iommu_set_fault_handler(void (*fn)(const struct iommu_fault *f));

/* ---- what a unit driver gives ---------------------------------------------------------------*/
struct iommu_ops {
	const char *name;
	int (*domain_create)(struct pci_dev *dev, struct iommu_domain **out);
	void (*domain_destroy)(struct iommu_domain *d);
	void (*domain_geometry)(const struct iommu_domain *d, struct iommu_geometry *out);
	int (*attach_dev)(struct iommu_domain *d, struct pci_dev *dev);
	int (*detach_dev)(struct iommu_domain *d, struct pci_dev *dev);
	int (*map)(struct iommu_domain *d, iova_t iova, paddr_t pa, u64 size, unsigned prot);
	int (*unmap)(struct iommu_domain *d, iova_t iova, u64 size);
	bool (*iova_to_phys)(const struct iommu_domain *d, iova_t iova, paddr_t *pa);
	int (*device_add)(struct pci_dev *dev); /* a function that came after boot, blocked */
	int (*usable)(struct pci_dev *dev);
	unsigned (*regions)(struct pci_dev *dev, struct iommu_region *out, unsigned cap);
	int (*irq_map)(struct pci_dev *dev, struct irq *irqs, unsigned count, struct iommu_irte **out, struct msi_msg *msg);
	bool (*irq_confined)(const struct pci_dev *dev);
	int (*irq_retarget)(struct iommu_irte *e, unsigned i, const struct irq *irq);
	void (*irq_unmap)(struct iommu_irte *e);
	int (*irq_map_gsi)(u32 gsi, struct irq *irq, bool level, bool low, struct iommu_irte **out);
};
int must_check iommu_device_add(struct pci_dev *dev);
void iommu_register(const struct iommu_ops *ops);
/* From the unit driver's fault interrupt: count, log with a limit, silence a storm, tell the handler.
 * True when the requester storms: if it goes on, nobody's bus master bit stops it. */
bool iommu_report_fault(struct iommu_fault *f);

#endif
