/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Config space as a program sees it: virtual bits from the shadow, the rest from hardware, writes only
 * where the permission tables allow; what is not allowed is dropped without an error (4.10).
 *
 * A few registers act when written: command (decode), power state, MSI control, the reset bits.  The
 * real BARs never change.  Everything runs under the device's lock; user memory is copied outside it.
 */
#include "passthrough/pci_perm.h"

static u32 bar_type_bits(const struct vfio_device *v, unsigned i)
{
	const struct pci_bar *b = &v->pci->bar[i];

	if (b->io)
		return PCI_BASE_ADDRESS_SPACE_IO;
	return (b->mem64 ? PCI_BASE_ADDRESS_MEM_TYPE_64 : 0) | (b->prefetch ? PCI_BASE_ADDRESS_MEM_PREFETCH : 0);
}

/* What a BAR register reads as: address bits above its size, type bits forced; sizing works. */
static u32 bar_read(const struct vfio_device *v, unsigned i, u32 stored)
{
	const struct pci_bar *b = &v->pci->bar[i];
	bool upper = i && v->pci->bar[i - 1].mem64 && v->pci->bar[i - 1].size && v->pci->bar[i - 1].base;

	if (upper)
		return stored & (u32)(~(v->pci->bar[i - 1].size - 1) >> 32);
	if (!b->size || !b->base)
		return 0;
	return (stored & (u32)~(b->size - 1)) | bar_type_bits(v, i);
}

static u32 virt_read(const struct vfio_device *v, u16 off)
{
	u32 stored = v->shadow[off / 4];

	if (off >= PCI_BASE_ADDRESS_0 && off <= PCI_BASE_ADDRESS_5)
		return bar_read(v, (off - PCI_BASE_ADDRESS_0) / 4, stored);
	return stored;
}

static u32 config_read(struct vfio_device *v, u16 off)
{
	u32 virt = v->perm[off / 4].virt;
	u32 hw = virt == ~0u ? 0 : pci_read32(v->pci, off);

	return (virt_read(v, off) & virt) | (hw & ~virt);
}

u32 vfio_config_shadow(const struct vfio_device *v, u16 off, u32 mask)
{
	return v->shadow[off / 4] & mask;
}

/* The smallest aligned access that covers `bits`, so that neighbours (write-1-to-clear ones) are left alone. */
static void hw_write(struct vfio_device *v, u16 off, u32 bits, u32 val)
{
	unsigned lo = __builtin_ctz(bits) / 8, hi = (31 - __builtin_clz(bits)) / 8;
	u32 merged;

	if (lo == hi) {
		merged = (pci_read8(v->pci, off + lo) & ~(bits >> lo * 8)) | ((val & bits) >> lo * 8);
		pci_write8(v->pci, off + lo, (u8)merged);
	} else if (lo / 2 == hi / 2) {
		lo &= 2;
		merged = (pci_read16(v->pci, off + lo) & ~(bits >> lo * 8)) | ((val & bits) >> lo * 8);
		pci_write16(v->pci, off + lo, (u16)merged);
	} else {
		pci_write32(v->pci, off, (pci_read32(v->pci, off) & ~bits) | (val & bits));
	}
}

/* A reset behind our back lost the BARs: put them right before decode goes on. */
static void bars_check(struct vfio_device *v)
{
	for (unsigned i = 0; i < PCI_BARS; i++) {
		const struct pci_bar *b = &v->pci->bar[i];
		u16 at = PCI_BASE_ADDRESS_0 + i * 4;

		if (!b->size || !b->base)
			continue;
		if ((pci_read32(v->pci, at) & (b->io ? ~3u : ~15u)) != (u32)b->base)
			pci_write32(v->pci, at, (u32)b->base);
		if (b->mem64 && pci_read32(v->pci, at + 4) != (u32)(b->base >> 32))
			pci_write32(v->pci, at + 4, (u32)(b->base >> 32));
	}
}

/*
 * Bit 10 is INTx's in hardware (pci_intx.c); the program sees it as it wrote it.
 * A broken function answers nothing and sends nothing any more, a silenced one sends nothing.
 */
static void command_write(struct vfio_device *v, u32 bits, u32 val)
{
	u16 old = pci_read16(v->pci, PCI_COMMAND);
	u16 new = (u16)((old & ~bits) | (val & bits));

	guard_mutex(&v->mem_lock);
	if (v->pci->broken)
		new &= ~(PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	if (READ_ONCE(v->silenced))
		new &= ~PCI_COMMAND_MASTER;
	if (!(new & PCI_COMMAND_MEMORY) && !v->pci->pf)
		vfio_pci_mem_off(v);
	else if (!(old & PCI_COMMAND_MEMORY))
		bars_check(v);
	vfio_intx_command(v, new, vfio_config_shadow(v, PCI_COMMAND, PCI_COMMAND_INTX_DISABLE));
	vfio_irqs_hold(v);
	vfio_pci_mem_update(v);
}

/* D0 and D3hot; the other states count as D3hot. */
static void power_write(struct vfio_device *v, u16 off, u32 bits, u32 val)
{
	bool sleep = bits & PCI_PM_CTRL_STATE_MASK ? val & PCI_PM_CTRL_STATE_MASK
						   : pci_read16(v->pci, off) & PCI_PM_CTRL_STATE_MASK;
	bool awake;
	u16 ctrl;

	guard_mutex(&v->mem_lock);
	if (sleep) {
		pci_above.reset(v->pci, true);
		vfio_pci_mem_off(v);
	}
	/* On the way to D0 first: it waits, and puts back what a function may have lost in D3hot. */
	awake = !sleep && !v->pci->broken && !pci_power_on(v->pci);
	if (sleep || awake) {
		ctrl = pci_read16(v->pci, off) & ~(PCI_PM_CTRL_STATE_MASK | PCI_PM_CTRL_PME_STATUS);
		bits &= ~PCI_PM_CTRL_STATE_MASK;
		ctrl = (ctrl & ~bits) | (val & bits);
		pci_write16(v->pci, off, ctrl | (sleep ? 3 : 0));
	}
	if (awake) {
		vfio_irqs_hold(v);
		bars_check(v);
		vfio_pci_mem_update(v);
	}
}

/* Enable holds only while SET_IRQS has MSI on, with at most as many vectors as it took. */
static void msi_write(struct vfio_device *v, u16 off)
{
	u32 *s = &v->shadow[off / 4];
	u32 mme = FIELD_GET((u32)PCI_MSI_FLAGS_QSIZE << 16, *s);
	u16 ctrl;

	if (v->irq_mode != VFIO_IRQ_MSI) {
		*s &= ~((u32)(PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_QSIZE) << 16);
		return;
	}
	mme = MIN(mme, v->msi_log2);
	*s = (*s & ~((u32)PCI_MSI_FLAGS_QSIZE << 16)) | (u32)FIELD_PREP((u32)PCI_MSI_FLAGS_QSIZE << 16, mme);
	ctrl = pci_read16(v->pci, off + PCI_MSI_FLAGS) & ~(PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_QSIZE);
	ctrl |= (*s >> 16) & (PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_QSIZE);
	pci_write16(v->pci, off + PCI_MSI_FLAGS, ctrl);
}

static bool wants_reset(const struct vfio_device *v, u16 off, u32 written)
{
	const struct pci_dev *d = v->pci;

	return (d->cap_pcie && off == d->cap_pcie + PCI_EXP_DEVCTL && (written & PCI_EXP_DEVCTL_BCR_FLR) &&
		(pci_read32(d, d->cap_pcie + PCI_EXP_DEVCAP) & PCI_EXP_DEVCAP_FLR)) ||
	       (d->cap_af && off == d->cap_af + PCI_AF_CTRL && (written & PCI_AF_CTRL_FLR));
}

/* `lanes`: the bits that the program writes in this dword. */
static void config_write(struct vfio_device *v, u16 off, u32 lanes, u32 val)
{
	const struct pci_dev *d = v->pci;
	struct vfio_perm p = v->perm[off / 4];
	u32 virt = lanes & p.write & p.virt, hw = lanes & p.write & ~p.virt;

	if (wants_reset(v, off, val & virt)) {
		if (vfio_pci_reset(v))
			log_warn("vfio-pci %s: the reset that was asked for in config space failed", d->name);
	}
	if (d->cap_pcie && off == d->cap_pcie + PCI_EXP_DEVCTL)
		virt &= ~(u32)PCI_EXP_DEVCTL_BCR_FLR; /* reads 0 */
	if (d->cap_af && off == d->cap_af + PCI_AF_CTRL)
		virt = 0;
	v->shadow[off / 4] = (v->shadow[off / 4] & ~virt) | (val & virt);
	if (off == PCI_COMMAND && (hw | virt))
		command_write(v, hw, val);
	else if (d->cap_pm && off == d->cap_pm + PCI_PM_CTRL && hw)
		power_write(v, off, hw, val);
	else if (d->cap_msi && off == d->cap_msi && virt)
		msi_write(v, off);
	else if (hw)
		hw_write(v, off, hw, val);
}

s64 vfio_config_rw(struct vfio_device *v, uaddr_t buf, size_t n, u64 off, bool write)
{
	size_t done = 0;

	if (off > v->pci->cfg_size || n > v->pci->cfg_size - off)
		return refuse(-EFAULT, "%s: config space has %u bytes; 0x%llx+0x%zx is outside", v->pci->name,
			      v->pci->cfg_size, (unsigned long long)off, n);
	while (done < n) {
		u16 at = (u16)(off + done) & ~3u;
		unsigned shift = (unsigned)((off + done) & 3) * 8;
		size_t size = MIN(n - done, 4 - shift / 8);
		u32 lanes = (u32)(GENMASK(size * 8 - 1, 0) << shift), val = 0;

		if (write && copy_from_user(&val, buf + done, size))
			return -EFAULT;
		mutex_lock(&v->lock);
		if (write)
			config_write(v, at, lanes, val << shift);
		else
			val = config_read(v, at) >> shift;
		mutex_unlock(&v->lock);
		if (!write && copy_to_user(buf + done, &val, size))
			return -EFAULT;
		done += size;
	}
	return done;
}

int vfio_config_init(struct vfio_device *v)
{
	v->shadow = kcalloc(v->pci->cfg_size / 4, sizeof(u32));
	v->perm = kcalloc(v->pci->cfg_size / 4, sizeof(struct vfio_perm));
	if (!v->shadow || !v->perm) {
		vfio_config_free(v);
		return -ENOMEM;
	}
	if (v->pci->pf) /* it has no such bit: shown as set, and then as written */
		v->shadow[PCI_COMMAND / 4] = PCI_COMMAND_MEMORY;
	v->shadow[0] = v->pci->vendor | (u32)v->pci->device << 16;
	for (unsigned i = 0; i < PCI_BARS; i++) {
		const struct pci_bar *b = &v->pci->bar[i];

		if (!b->size || !b->base)
			continue;
		v->shadow[PCI_BASE_ADDRESS_0 / 4 + i] = (u32)b->base;
		if (b->mem64 && i + 1 < PCI_BARS)
			v->shadow[PCI_BASE_ADDRESS_0 / 4 + i + 1] = (u32)(b->base >> 32);
	}
	v->shadow[PCI_INTERRUPT_LINE / 4] = pci_read8(v->pci, PCI_INTERRUPT_LINE);
	if (pci_intx_line(v->pci))
		v->shadow[PCI_INTERRUPT_LINE / 4] |= (u32)v->pci->interrupt_pin << 8;
	if (v->pci->cap_pcie)
		v->shadow[(v->pci->cap_pcie + PCI_EXP_DEVCTL) / 4] =
			pci_read16(v->pci, v->pci->cap_pcie + PCI_EXP_DEVCTL) & PCI_EXP_DEVCTL_PAYLOAD;
	vfio_perm_build(v);
	return 0;
}

void vfio_config_free(struct vfio_device *v)
{
	kfree(v->shadow);
	kfree(v->perm);
	v->shadow = NULL;
	v->perm = NULL;
}
