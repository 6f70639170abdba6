/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * read() and write() of BARs: naturally aligned accesses of 4, 2 and 1 bytes, each only while the BAR
 * decodes.  The MSI-X table reads as ones and drops writes: only SET_IRQS programs it.  User memory is
 * never touched while the device's memory lock is held.
 */
#include "passthrough/private.h"

static bool in_msix_table(const struct vfio_device *v, unsigned bar, u64 off, unsigned size)
{
	const struct pci_dev *d = v->pci;

	return d->msix_vectors && d->msix_bar == bar && off + size > d->msix_table &&
	       off < d->msix_table + (u64)d->msix_vectors * PCI_MSIX_ENTRY_SIZE;
}

/* One access; -EIO while memory decode is off. */
static int bar_access(struct vfio_device *v, unsigned bar, u64 off, unsigned size, u32 *val, bool write)
{
	const struct pci_bar *b = &v->pci->bar[bar];

	if (in_msix_table(v, bar, off, size)) {
		*val = ~0u;
		return 0;
	}
	guard_mutex(&v->mem_lock);
	if (b->io && write)
		arch_out((u16)(b->base + off), size, *val);
	else if (b->io)
		*val = arch_in((u16)(b->base + off), size);
	else if (v->mem_on && write)
		arch_mmio_out((volatile u8 *)v->bar_map[bar] + off, size, *val);
	else if (v->mem_on)
		*val = arch_mmio_in((volatile u8 *)v->bar_map[bar] + off, size);
	else
		return refuse(-EIO, "%s: BAR%u does not decode: set memory enable (command register) and D0 first",
			      v->pci->name, bar);
	return 0;
}

static int bar_view(struct vfio_device *v, unsigned bar)
{
	const struct pci_bar *b = &v->pci->bar[bar];

	guard_mutex(&v->mem_lock);
	if (!b->io && !v->bar_map[bar])
		v->bar_map[bar] = arch_map_uncached(b->base, b->size);
	return b->io || v->bar_map[bar] ? 0 : -ENOMEM;
}

/* 4.8. Returns the bytes done; the length is clamped at the BAR's end. */
s64 vfio_bar_rw(struct vfio_device *v, unsigned bar, uaddr_t buf, size_t n, u64 off, bool write)
{
	const struct pci_bar *b = &v->pci->bar[bar];
	size_t done = 0;
	int ret;

	if (!b->size || !b->base || off >= b->size)
		return refuse(-EINVAL, "%s: BAR%u has 0x%llx bytes, offset 0x%llx", v->pci->name, bar,
			      (unsigned long long)b->size, (unsigned long long)off);
	n = MIN(n, b->size - off);
	ret = bar_view(v, bar);
	if (ret)
		return ret;
	while (done < n) {
		u64 at = off + done;
		unsigned size = n - done >= 4 && !(at & 3) ? 4 : n - done >= 2 && !(at & 1) ? 2 : 1;
		u32 val = 0;

		if (write && copy_from_user(&val, buf + done, size))
			return -EFAULT;
		ret = bar_access(v, bar, at, size, &val, write);
		if (ret)
			return ret;
		if (!write && copy_to_user(buf + done, &val, size))
			return -EFAULT;
		done += size;
		if (done % SZ_4K == 0)
			resched_point();
	}
	return done;
}
