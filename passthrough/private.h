/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of passthrough/ share: the three objects behind the three kinds of descriptors, and
 * the table of IOMMU backends.  Section numbers in comments are those of docs/abi.md.
 *
 * Ownership: a container lives while its file or an attached group holds it; a group is static (one per
 * IOMMU group with a device of ours); a device is static too, its state lives from first open to last
 * close.  A device file holds its group's *file*, so a group stays attached while devices are open.
 * Lock order: container -> group -> device -> (mm) -> device memory lock.
 */
#ifndef PASSTHROUGH_PRIVATE_H
#define PASSTHROUGH_PRIVATE_H

#include <linux/vfio.h>
#include <sys/queue.h>

#include "iommu/iommu.h"
#include "kernel/base.h"
#include "kernel/file.h"
#include "kernel/frames.h"
#include "kernel/mobj.h"
#include "kernel/thread.h"
#include "passthrough/vfio.h"
#include "pci/pci.h"

/* ---- container ------------------------------------------------------------------------------*/
struct vfio_iommu_driver_ops {
	const char *name;
	/* What CHECK_EXTENSION says; data NULL before an IOMMU is set. */
	int (*check_extension)(void *data, u64 extension);
	int (*open)(u64 type, void **data); /* -ENODEV: not a type of ours */
	void (*release)(void *data);        /* groups that are attached are detached */
	s64 (*ioctl)(void *data, u32 nr, uaddr_t arg);
	int (*attach_group)(void *data, struct iommu_group *g);
	void (*detach_group)(void *data, struct iommu_group *g);
};
extern const struct vfio_iommu_driver_ops vfio_type1_ops;

struct vfio_group;
struct vfio_container {
	struct mutex lock; /* guards all below; MAP and UNMAP run under it */
	u32 refs;          /* file + attached groups; atomic */
	TAILQ_HEAD(, vfio_group) groups;
	const struct vfio_iommu_driver_ops *driver; /* NULL: no IOMMU set */
	void *data;
};
extern const struct file_ops vfio_container_fops;
extern const struct node_ops vfio_container_node;
void vfio_container_get(struct vfio_container *c);
void vfio_container_put(struct vfio_container *c);
/* With the container's lock held. */
int must_check vfio_container_attach(struct vfio_container *c, struct vfio_group *g);
void vfio_container_detach(struct vfio_container *c, struct vfio_group *g); /* and out of its owner's hands */
unsigned vfio_container_count(void); /* alive now, for the audit */

/* ---- group ----------------------------------------------------------------------------------*/
struct vfio_group {
	struct iommu_group *iommu;
	struct mutex lock;
	struct file *file;                /* the one opener, not counted; NULL: closed */
	struct vfio_container *container; /* holds a reference; changes under both locks */
	unsigned open_devices;            /* device files; under lock */
	TAILQ_ENTRY(vfio_group) link;     /* in container->groups */
};
int must_check vfio_group_init(struct iommu_group *g);
void vfio_group_device_closed(struct vfio_group *g);
unsigned vfio_group_audit(struct vfio_group *g);
struct vfio_group *vfio_group_of(const struct file *f); /* NULL: not a group's file */

/* ---- device ---------------------------------------------------------------------------------*/
enum vfio_irq_mode { VFIO_IRQ_NONE, VFIO_IRQ_INTX, VFIO_IRQ_MSI, VFIO_IRQ_MSIX };

/* How fast a device interrupts one CPU; that CPU's alone. */
struct vfio_irq_rate {
	u32 count;
	u64 since; /* when count was 0 */
};

struct vfio_vector {
	struct vfio_device *device;
	struct eventfd *ev; /* swapped whole; the handler reads it once */
	struct iommu_irte *irte; /* MSI-X: of this vector, with irq; MSI: all in vector 0's */
	u32 busy;                /* the handler may be using ev */
};

/* INTx of a device; pci_intx.c. Device lock held, and: */
struct intx_line;
struct vfio_intx {
	TAILQ_ENTRY(vfio_intx) link; /* users of the line */
	struct intx_line *line;      /* NULL: INTx is off */
	struct eventfd *ev;          /* the line's lock */
	struct spinlock lock;        /* masked, off, DisINTx in hardware */
	bool maskable;               /* has DisINTx */
	bool masked;
	bool off;                    /* the program set bit 10 of the command register */
	struct eventfd *unmask_ev;
	struct eventfd_hook hook;
};

/* One dword of config space: which bits come from the shadow, which may be written. */
struct vfio_perm {
	u32 virt, write;
};

#define VFIO_TOKEN 36 /* characters of a UUID */
struct vfio_device {
	struct pci_dev *pci;
	struct vfio_group *group;
	struct mutex lock; /* open/close, interrupts, reset */
	unsigned opens;
	char token[VFIO_TOKEN]; /* of a physical function (vf_token.c) */
	unsigned token_users; /* its virtual functions that are open */
	bool gone; /* the function left: it is not opened again until it comes back */

	/* From first open to last close. */
	struct mutex mem_lock;   /* decode and power changes against register access */
	bool mem_on;             /* BARs may be touched: memory decode on and D0 */
	bool in_reset;           /* until it ends, who touches a BAR waits */
	bool reset_works;
	struct pci_saved saved;  /* as handed out: bus master off */
	struct mobj *bar[PCI_BARS];
	volatile void *bar_map[PCI_BARS]; /* kernel's view, made once for ever */
	u32 *shadow;             /* virtual config bits, cfg_size bytes */
	struct vfio_perm *perm;  /* one per dword */

	enum vfio_irq_mode irq_mode;
	struct vfio_intx intx;
	unsigned nvectors;       /* MSI: enabled range; MSI-X: all */
	unsigned msi_log2;
	struct vfio_vector *vector;
	struct irq *irq;         /* one for each */
	struct eventfd *err, *req;
	struct vfio_irq_rate rate[ARCH_MAX_CPUS];
	bool silenced;           /* it interrupted too fast: no bus master until the next first open */
};
extern const struct file_ops vfio_device_fops;
/* A new device file for an open group; takes a reference on group_file. Group's lock held. */
int must_check vfio_device_open(struct vfio_device *v, struct file *group_file, struct file **out);

/* pci_driver.c: which functions are ours. */
struct vfio_device *vfio_device_of(struct pci_dev *d); /* NULL: not ours */

/* Signals the ERR eventfd of whoever owns it. Any context. */
void vfio_error(struct pci_dev *d);

/* vf_token.c: what follows a device's name. -EINVAL, -EACCES. A VF that is opened, closed. */
int must_check vfio_token_check(struct vfio_device *v, const char *option);
void vfio_token_use(struct vfio_device *v, bool open);

/* pci_core.c */
#define VFIO_REGION_SHIFT 40
int must_check vfio_pci_enable(struct vfio_device *v);
void vfio_pci_disable(struct vfio_device *v);
s64 vfio_pci_ioctl(struct vfio_device *v, u32 nr, uaddr_t arg);
int vfio_pci_mmap(struct vfio_device *v, u64 off, u64 len, int flags, struct mobj **obj, u64 *obj_off);
/* Memory decode or power goes: zap every mapping first, then the caller touches hardware. mem_lock held. */
void vfio_pci_mem_off(struct vfio_device *v);
/* Look at the hardware again. mem_lock held. */
void vfio_pci_mem_update(struct vfio_device *v);
int must_check vfio_pci_reset(struct vfio_device *v);
/* Around a reset: BARs are taken from everybody, and given back as hardware has them. Takes and leaves mem_lock;
 * device lock held. */
void vfio_pci_reset_begin(struct vfio_device *v);
void vfio_pci_reset_end(struct vfio_device *v);

/* pci_hot_reset.c */
s64 vfio_hot_reset_info(struct vfio_device *v, uaddr_t arg);
s64 vfio_hot_reset(struct vfio_device *v, uaddr_t arg);
/* At the last close of a function that cannot be reset alone: its bus, if nobody has the others open. Device lock held. */
void vfio_hot_reset_idle(struct vfio_device *v);

/* pci_config.c */
int must_check vfio_config_init(struct vfio_device *v);
void vfio_config_free(struct vfio_device *v);
s64 vfio_config_rw(struct vfio_device *v, uaddr_t buf, size_t n, u64 off, bool write);
u32 vfio_config_shadow(const struct vfio_device *v, u16 off, u32 mask);

/* pci_rdwr.c */
s64 vfio_bar_rw(struct vfio_device *v, unsigned bar, uaddr_t buf, size_t n, u64 off, bool write);

/* pci_intrs.c */
u32 vfio_irq_count(const struct vfio_device *v, unsigned index);
s64 vfio_irqs_ioctl(struct vfio_device *v, uaddr_t arg);
void vfio_irqs_teardown(struct vfio_device *v); /* all of them */
/* After the command register was written: a silenced device is no bus master, a masked one does not drive INTx. */
void vfio_irqs_hold(struct vfio_device *v);
/* Interrupt context: an interrupt came, which counts as this many. Too many too fast: the device is silenced. */
void vfio_irqs_count(struct vfio_device *v, u32 weight);

/* pci_intx.c */
void vfio_intx_open(struct vfio_device *v); /* first open */
int vfio_intx_absent(const struct vfio_device *v, int err); /* err, and why it has none */
/* SET_IRQS of INTx; arg: the bool or descriptor, 1 for DATA_NONE. */
s64 vfio_intx_perform(struct vfio_device *v, const struct vfio_irq_set *s, s32 arg);
void vfio_intx_disable(struct vfio_device *v);
/* Write the command register, bit 10 as INTx needs it; off: bit 10 as the program sees it. */
void vfio_intx_command(struct vfio_device *v, u16 command, bool off);
void vfio_intx_hold(struct vfio_device *v);

/* Fault handlers that may be using a device's err; pci_driver.c. */
extern u32 vfio_faults_busy;

#endif
