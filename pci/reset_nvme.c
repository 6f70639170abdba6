// SPDX-License-Identifier: GPL-2.0-only
/*
 * A running NVMe controller is shut down before it is reset (NVM Express Base 2.0, 3.6): what it
 * holds in volatile caches reaches the medium, and drives that do not survive a reset at work are
 * not at work.  Bus mastering stays as it is meanwhile: its memory buffers are those of its owner.
 * Deadlines: CAP.TO for stopping, and the same or five seconds for the shutdown, since RTD3E would
 * need a command.  A controller that does not keep them is reset all the same, and the log says so.
 */
#include "pci/internal.h"

#define NVME_CLASS 0x010802
#define NVME_CAP 0x00  /* 3.1.3.1 */
#define NVME_CC 0x14   /* 3.1.3.5 */
#define NVME_CSTS 0x1c /* 3.1.3.6 */
#define CAP_TO GENMASK(31, 24)
#define CAP_TO_MS 500
#define CC_EN BIT(0)
#define CC_SHN GENMASK(15, 14)
#define CC_SHN_NORMAL 1
#define CSTS_RDY BIT(0)
#define CSTS_CFS BIT(1)
#define CSTS_SHST GENMASK(3, 2)
#define CSTS_SHST_DONE 2
#define SHUTDOWN_MS 5000u
#define STEP_MS 5

static void await(struct pci_dev *d, u32 mask, u32 want, u64 ms, const char *what)
{
	u64 deadline = arch_now_ns() + ms * NS_PER_MS;
	u32 v;

	while (((v = d->registers.ops->rd32(&d->registers, NVME_CSTS)) & mask) != want) {
		if (v == ~0u || arch_now_ns() >= deadline || !pci_dev_usable(d)) {
			log_warn("pci %s: NVMe controller is not %s within %llu ms (CSTS 0x%x, expected 0x%x of 0x%x); resetting all the same",
				 d->name, what, (unsigned long long)ms, v, want, mask);
			return;
		}
		pci_wait_ms(STEP_MS);
	}
}

static void shutdown(struct pci_dev *d)
{
	struct mmio *m = &d->registers;
	u32 cc = m->ops->rd32(m, NVME_CC), to_ms;

	if (cc == ~0u || !(cc & CC_EN))
		return;
	to_ms = FIELD_GET(CAP_TO, m->ops->rd32(m, NVME_CAP)) * CAP_TO_MS;
	if (!(m->ops->rd32(m, NVME_CSTS) & CSTS_CFS)) {
		m->ops->wr32(m, NVME_CC, (cc & ~CC_SHN) | FIELD_PREP(CC_SHN, CC_SHN_NORMAL));
		await(d, CSTS_SHST, FIELD_PREP(CSTS_SHST, CSTS_SHST_DONE), MAX(to_ms, SHUTDOWN_MS), "shut down");
	}
	m->ops->wr32(m, NVME_CC, cc & ~(CC_EN | CC_SHN));
	await(d, CSTS_RDY, 0, MAX(to_ms, CAP_TO_MS), "stopped");
}

void pci_nvme_shutdown(struct pci_dev *d)
{
	const struct pci_bar *b = &d->bar[0];
	u16 command = pci_read16(d, PCI_COMMAND);

	if (d->class != NVME_CLASS || b->io || b->size < PAGE_SIZE || !b->base)
		return;
	if (d->registers_at != b->base && arch_mmio_map(&d->registers, b->base, PAGE_SIZE))
		return;
	d->registers_at = b->base;
	pci_write16(d, PCI_COMMAND, command | PCI_COMMAND_MEMORY);
	shutdown(d);
	pci_write16(d, PCI_COMMAND, command);
}
