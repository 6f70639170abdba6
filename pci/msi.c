// SPDX-License-Identifier: GPL-2.0-only
/*
 * MSI and MSI-X registers (PCI Express 7.7.1, 7.7.2).  Addresses and data come from the iommu and
 * are written here only.  A message is never half written while it may be sent: MSI is off while its
 * registers change, an MSI-X entry is masked first and unmasked last.  What the MSI-X table should
 * hold is kept in memory too, since a reset clears the table.
 *
 * The callers hold the device's lock where two of them could meet.
 */
#include "kernel/frames.h"
#include "pci/internal.h"

/* Memory decode on for a while, for the table; returns the command register to put back. */
static u16 decode_on(const struct pci_dev *d)
{
	u16 command = pci_read16(d, PCI_COMMAND);

	if (!(command & PCI_COMMAND_MEMORY))
		pci_write16(d, PCI_COMMAND, command | PCI_COMMAND_MEMORY);
	return command;
}

static void decode_back(const struct pci_dev *d, u16 command)
{
	if (!(command & PCI_COMMAND_MEMORY))
		pci_write16(d, PCI_COMMAND, command);
}

int pci_msi_enable(struct pci_dev *d, unsigned log2_count, const struct msi_msg *m)
{
	u16 cap = d->cap_msi, ctrl;

	if (!cap || log2_count > 5 || 1u << log2_count > d->msi_vectors)
		return -EINVAL;
	if (m->data >> 16 || (!d->msi_64 && m->addr >> 32))
		return -EINVAL;
	pci_msi_disable(d);
	pci_write32(d, cap + PCI_MSI_ADDRESS_LO, (u32)m->addr);
	if (d->msi_64)
		pci_write32(d, cap + PCI_MSI_ADDRESS_HI, (u32)(m->addr >> 32));
	pci_write16(d, cap + (d->msi_64 ? PCI_MSI_DATA_64 : PCI_MSI_DATA_32), (u16)m->data);
	if (d->msi_maskable)
		pci_write32(d, cap + (d->msi_64 ? PCI_MSI_MASK_64 : PCI_MSI_MASK_32), 0);
	ctrl = pci_read16(d, cap + PCI_MSI_FLAGS) & ~PCI_MSI_FLAGS_QSIZE;
	ctrl |= FIELD_PREP(PCI_MSI_FLAGS_QSIZE, log2_count) | PCI_MSI_FLAGS_ENABLE;
	pci_write16(d, cap + PCI_MSI_FLAGS, ctrl);
	return 0;
}

void pci_msi_disable(struct pci_dev *d)
{
	if (d->cap_msi)
		pci_update16(d, d->cap_msi + PCI_MSI_FLAGS, PCI_MSI_FLAGS_ENABLE, 0);
}

static volatile u32 *entry_of(const struct pci_dev *d, unsigned i)
{
	return (volatile u32 *)((volatile u8 *)d->msix_map + i * PCI_MSIX_ENTRY_SIZE);
}

static void entry_write(const struct pci_dev *d, unsigned i, const struct msi_msg *m)
{
	volatile u32 *e = entry_of(d, i);

	e[PCI_MSIX_ENTRY_VECTOR_CTRL / 4] = PCI_MSIX_ENTRY_CTRL_MASKBIT;
	(void)e[PCI_MSIX_ENTRY_VECTOR_CTRL / 4]; /* masked before the message changes */
	e[PCI_MSIX_ENTRY_LOWER_ADDR / 4] = (u32)m->addr;
	e[PCI_MSIX_ENTRY_UPPER_ADDR / 4] = (u32)(m->addr >> 32);
	e[PCI_MSIX_ENTRY_DATA / 4] = m->data;
	if (m->addr)
		e[PCI_MSIX_ENTRY_VECTOR_CTRL / 4] = 0;
}

static int table_map(struct pci_dev *d)
{
	paddr_t pa = d->bar[d->msix_bar].base + d->msix_table, page = ALIGN_DOWN(pa, PAGE_SIZE);
	u64 end = ALIGN_UP(pa + (u64)d->msix_vectors * PCI_MSIX_ENTRY_SIZE, PAGE_SIZE);
	volatile u8 *map;

	if (!d->msix_msgs)
		d->msix_msgs = kcalloc(d->msix_vectors, sizeof(*d->msix_msgs));
	if (!d->msix_msgs)
		return -ENOMEM;
	if (d->msix_map)
		return 0;
	map = arch_map_uncached(page, end - page);
	if (!map)
		return -ENOMEM;
	d->msix_map = map + (pa - page);
	return 0;
}

int pci_msix_enable(struct pci_dev *d)
{
	u16 flags = d->cap_msix + PCI_MSIX_FLAGS, command;
	int err;

	if (!d->cap_msix || !d->msix_vectors)
		return -EINVAL;
	if (d->broken)
		return -EIO;
	err = table_map(d);
	if (err)
		return err;
	memset(d->msix_msgs, 0, d->msix_vectors * sizeof(*d->msix_msgs));
	/* All masked by the function while entries hold what the last owner left. */
	pci_update16(d, flags, 0, PCI_MSIX_FLAGS_MASKALL | PCI_MSIX_FLAGS_ENABLE);
	command = decode_on(d);
	pci_msix_rewrite(d);
	decode_back(d, command);
	pci_update16(d, flags, PCI_MSIX_FLAGS_MASKALL, 0);
	return 0;
}

void pci_msix_disable(struct pci_dev *d)
{
	if (d->cap_msix)
		pci_update16(d, d->cap_msix + PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL, 0);
	if (d->msix_msgs)
		memset(d->msix_msgs, 0, d->msix_vectors * sizeof(*d->msix_msgs));
}

void pci_msix_set(struct pci_dev *d, unsigned i, const struct msi_msg *m)
{
	u16 command;

	BUG_ON(i >= d->msix_vectors || !d->msix_map);
	d->msix_msgs[i] = m ? *m : (struct msi_msg){ 0, 0 };
	if (d->broken)
		return; /* it is not a bus master, and its BARs are not to be decoded again */
	command = decode_on(d);
	entry_write(d, i, &d->msix_msgs[i]);
	decode_back(d, command);
}

void pci_msix_rewrite(struct pci_dev *d)
{
	for (unsigned i = 0; d->msix_map && i < d->msix_vectors; i++)
		entry_write(d, i, &d->msix_msgs[i]);
}

bool pci_msix_same(struct pci_dev *d)
{
	bool same = true;
	u16 command;

	if (!d->msix_map || !(pci_read16(d, d->cap_msix + PCI_MSIX_FLAGS) & PCI_MSIX_FLAGS_ENABLE))
		return true;
	command = decode_on(d);
	for (unsigned i = 0; i < d->msix_vectors; i++) {
		const struct msi_msg *m = &d->msix_msgs[i];
		volatile u32 *e = entry_of(d, i);

		same &= e[PCI_MSIX_ENTRY_LOWER_ADDR / 4] == (u32)m->addr && e[PCI_MSIX_ENTRY_DATA / 4] == m->data;
	}
	decode_back(d, command);
	return same;
}
