/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A machine and a program for tests of passthrough/: PCI functions of the model, an IOMMU, and a
 * process that opens /dev/vfio/... by name and makes ioctls with arguments in its own memory.
 *
 * The capabilities' bytes are writable in the model: what stays as it was, stayed because ring 0 did
 * not write it.  The fake IOMMU ends the test when it is used against its contract (a page mapped twice, an
 * entry taken away while the device may still send its message).
 */
#ifndef TESTS_HOST_VFIO_RIG_H
#define TESTS_HOST_VFIO_RIG_H

#include "passthrough/private.h"
#include "tests/host/host.h"
#include "tests/host/pci_model.h"

enum vr_dev {
	VR_NVME,  /* 01:00.0 behind a root port: FLR, PM, MSI-X 16 in BAR 0 */
	VR_NIC,   /* 00:03.0: MSI 32, PM that resets, BAR 0, I/O BAR 2; hidden capabilities, 0x100 too */
	VR_EDU,   /* 00:04.0: conventional, MSI 1, no reset */
	VR_TWIN0, /* 00:05.0 and 00:05.1: one group; MSI-X 4; AF FLR, FLR */
	VR_TWIN1,
	VR_DEVS
};

/* Once per executable: the machine, vfio_init(). vtd: the real driver on the software unit, else the fake. */
void vr_start(bool vtd);
/* A new program, and every function as the scan left it. */
void vr_begin(void);
/* The program ends as a killed one does. */
void vr_die(void);
/* vr_die(), then look for what is left over: NULL, or what it is. */
const char *vr_end(void);

struct model_fn *vr_fn(enum vr_dev d);
struct pci_dev *vr_pci(enum vr_dev d);
struct vfio_device *vr_vfio(enum vr_dev d);
u8 *vr_bar(enum vr_dev d); /* what is behind BAR 0 */

/* ---- system calls of the program ---- */
int vr_open(const char *path);
int vr_open_group(enum vr_dev d);
s64 vr_ioctl(int fd, u32 nr, u64 arg);
/* The argument in user memory; what comes back is copied to it. */
s64 vr_call(int fd, u32 nr, void *arg, size_t n);
s64 vr_read(int fd, u64 pos, void *buf, size_t n);
s64 vr_write(int fd, u64 pos, const void *buf, size_t n);
s64 vr_mmap(int fd, u64 off, u64 len, int prot, int flags);
void vr_close(int fd);
int vr_eventfd(void);
s64 vr_eventfd_take(int fd); /* counter, 0 when there is nothing */
/* Container with TYPE1v2 and this device open in it; descriptors in c, g, d. */
int vr_open_device(enum vr_dev which, int *c, int *g, int *d);
u32 vr_config(int device_fd, u16 off, unsigned size);
void vr_config_set(int device_fd, u16 off, unsigned size, u32 v);
/* SET_IRQS; data: count fds, bytes, or NULL. */
s64 vr_set_irqs(int device_fd, u32 index, u32 flags, u32 start, u32 count, const void *data);
s64 vr_map(int container_fd, u64 iova, uaddr_t va, u64 size);

/* ---- the fake IOMMU ---- */
struct vr_iommu {
	unsigned domains, attached, irtes;
	u64 pages;              /* mapped now */
	unsigned fail_irq;      /* the n-th irq_map from now fails with -ENOSPC; 0: none */
	unsigned fail_attach;
	unsigned fail_create;
	bool fail_detach;
	bool forgeable;         /* no interrupt remapping */
	void (*on_irq_unmap)(struct pci_dev *d, unsigned count);
};
extern struct vr_iommu vr_iommu;

#endif
