// SPDX-License-Identifier: GPL-2.0-only
/*
 * The interrupts of ports: one message, through a remapping entry as any device's, for the errors that
 * a root port or event collector collects.  A port without MSI and MSI-X is not watched, which the log
 * says.
 */
#include "kernel/initcall.h"
#include "passthrough/private.h"

struct port {
	struct pci_dev *pci;
	struct irq irq;
	struct iommu_irte *irte;
};

static void port_interrupt(void *arg)
{
	struct port *p = arg;

	pci_aer_interrupt(p->pci);
}

static void on_error(struct pci_dev *d, bool show)
{
	if (show)
		log_warn("%s: bus mastering is off; group %u, owner: %s", d->name, d->group ? d->group->id : ~0u,
			 d->group && d->group->owner[0] ? d->group->owner : "nobody");
	vfio_error(d);
}

/* Whichever number the port sends its messages under, it is this one. */
static int message_set(struct pci_dev *d, const struct msi_msg *msg)
{
	int ret;

	if (!d->msix_vectors)
		return pci_msi_enable(d, 0, msg);
	ret = pci_msix_enable(d);
	for (unsigned i = 0; !ret && i < d->msix_vectors; i++)
		pci_msix_set(d, i, msg);
	return ret;
}

static int port_start(struct pci_dev *d)
{
	struct port *p = kzalloc(sizeof(*p));
	struct msi_msg msg;
	int ret;

	if (!p)
		return -ENOMEM;
	p->pci = d;
	p->irq = (struct irq){ .handler = port_interrupt, .arg = p };
	ret = arch_irq_alloc(&p->irq, arch_cpu_id());
	if (ret)
		goto free;
	ret = iommu_irq_map(d, &p->irq, 1, &p->irte, &msg);
	if (ret)
		goto free_irq;
	ret = message_set(d, &msg);
	if (!ret)
		return 0;
	iommu_irq_unmap(p->irte);
free_irq:
	arch_irq_free(&p->irq);
free:
	kfree(p);
	return ret;
}

static int ports_init(void)
{
	struct pci_dev *d;
	int ret;

	pci_set_error_handler(on_error);
	pci_for_each(d) {
		if (!pci_aer_root(d))
			continue;
		ret = port_start(d);
		if (ret)
			log_warn("pci %s: has no message interrupt (error %d): errors below it are not seen", d->name, -ret);
		else
			pci_aer_root_start(d);
	}
	return 0;
}
INITCALL(INITCALL_DEVICES, ports_init);
