// SPDX-License-Identifier: GPL-2.0-only
/*
 * Access to config space through the installed ops, bounded: an offset outside a function's config
 * space reads all ones and is not written, whoever computed it.  Registers are read by their own
 * width.  Bus mastering, the one bit that lets a function send, is set and cleared here alone
 * (reset and restore write whole command registers).
 */
#include "pci/internal.h"

static const struct pci_cfg_ops *cfg_ops;

void pci_set_cfg_ops(const struct pci_cfg_ops *ops)
{
	cfg_ops = ops;
}

u32 pci_cfg_read(u16 segment, u8 bus, u8 devfn, u16 off, unsigned size)
{
	return !cfg_ops ? ~0u : cfg_ops->read(segment, bus, devfn, off, size);
}

void pci_cfg_write(u16 segment, u8 bus, u8 devfn, u16 off, unsigned size, u32 v)
{
	if (cfg_ops)
		cfg_ops->write(segment, bus, devfn, off, size, v);
}

static bool inside(const struct pci_dev *d, u16 off, unsigned size)
{
	return IS_ALIGNED(off, size) && (u32)off + size <= d->cfg_size;
}

/* A virtual function that answers says nothing of its ids (9.3.4.1.1): they are what its PF says. */
static u32 vf_ids(const struct pci_dev *d, u16 off, unsigned size)
{
	u64 ids = d->vendor | (u64)d->device << 16;

	if (pci_cfg_read(d->segment, d->bus, d->devfn, PCI_CLASS_REVISION, 4) == ~0u)
		return ~0u;
	return (u32)(ids >> 8 * off & GENMASK(8 * size - 1, 0));
}

u32 pci_read(const struct pci_dev *d, u16 off, unsigned size)
{
	if (d->pf && off <= PCI_DEVICE_ID + 1 && inside(d, off, size))
		return vf_ids(d, off, size);
	return inside(d, off, size) ? pci_cfg_read(d->segment, d->bus, d->devfn, off, size) : ~0u;
}

void pci_write(const struct pci_dev *d, u16 off, unsigned size, u32 v)
{
	if (inside(d, off, size))
		pci_cfg_write(d->segment, d->bus, d->devfn, off, size, v);
}

#define ACCESSORS(bits)                                                           \
	u##bits pci_read##bits(const struct pci_dev *d, u16 off)                   \
	{                                                                          \
		return (u##bits)pci_read(d, off, bits / 8);                        \
	}                                                                          \
	void pci_write##bits(const struct pci_dev *d, u16 off, u##bits v)          \
	{                                                                          \
		pci_write(d, off, bits / 8, v);                                    \
	}
ACCESSORS(8)
ACCESSORS(16)
ACCESSORS(32)

void pci_update16(const struct pci_dev *d, u16 off, u16 clear, u16 set)
{
	u16 old = pci_read16(d, off), v = (u16)((old & ~clear) | set);

	if (v != old)
		pci_write16(d, off, v);
}

/* One byte: an interrupt handler may change INTx's bit in the other one at the same time. */
void pci_set_master(struct pci_dev *d, bool on)
{
	u8 old = pci_read8(d, PCI_COMMAND), v = on ? old | PCI_COMMAND_MASTER : old & ~PCI_COMMAND_MASTER;

	if (v != old)
		pci_write8(d, PCI_COMMAND, v);
}

void pci_bridges_master(bool on)
{
	struct pci_dev *d;

	pci_for_each(d)
		if (pci_is_bridge(d))
			pci_set_master(d, on);
}
