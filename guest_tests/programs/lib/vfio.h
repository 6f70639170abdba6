/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Opening a device through VFIO in the order that Linux's documentation gives, and the few things every
 * program does with it.
 */
#ifndef PROGRAMS_VFIO_H
#define PROGRAMS_VFIO_H

#include <linux/vfio.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vfio {
	int container, group, device;
	unsigned group_id;
	char name[16];
};
/* Group number from /sys/bus/pci/devices/NAME/iommu_group; -1 if there is none. */
int vfio_group_of(const char *name);
/* First device with these ids in /sys/bus/pci/devices, in name order; NULL if none. Static buffer. */
const char *vfio_find(uint16_t vendor, uint16_t device);
/* Container, group, type1v2, device. Ends the program with a line on failure. */
void vfio_open(struct vfio *v, const char *name);
/* The same with what follows the name in GET_DEVICE_FD: " vf_token=UUID", or "". */
void vfio_open_with(struct vfio *v, const char *name, const char *option);
void vfio_close(struct vfio *v);
/* 0 or -errno. */
int vfio_map(struct vfio *v, void *p, uint64_t iova, uint64_t size, uint32_t flags);
int vfio_unmap(struct vfio *v, uint64_t iova, uint64_t size, uint64_t *unmapped);
/* mmap a whole BAR; ends the program on failure. */
volatile void *vfio_bar(struct vfio *v, unsigned index, uint64_t *size);
uint32_t vfio_config_read(struct vfio *v, unsigned off, unsigned size);
void vfio_config_write(struct vfio *v, unsigned off, unsigned size, uint32_t val);
void vfio_bus_master(struct vfio *v, bool on);
/* Eventfds onto vectors start.. of MSI or MSI-X. 0 or -errno. */
int vfio_set_irqs(struct vfio *v, unsigned index, unsigned start, unsigned count, const int *fds);
int vfio_disable_irqs(struct vfio *v, unsigned index);
/* Anonymous memory, zeroed, populated, aligned to 2 MiB when at least that large. */
void *vfio_memory(size_t size);
/* Waits for an eventfd: its count, or 0 after the time. */
uint64_t vfio_wait(int fd, unsigned ms);

#endif
