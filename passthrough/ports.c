// SPDX-License-Identifier: GPL-2.0-only
/*
 * The interrupts of ports: one message, through a remapping entry as any device's, for the errors that
 * a root port or event collector keeps and for what happens to a slot.  Errors are looked at at once; slots
 * by a thread, since they wait for hardware and owners.  A port without MSI and MSI-X is not watched,
 * which the log says.
 *
 * A function that is to leave is not opened any more (v->gone), its owner's REQ eventfd is signalled.
 * One that is gone is dead: its BARs are zapped, ERR is signalled; its state stays until the last close.
 */
#include "kernel/initcall.h"
#include "passthrough/private.h"

struct port {
	TAILQ_ENTRY(port) link;
	struct pci_dev *pci;
	struct irq irq;
	struct iommu_irte *irte;
	struct pci_slot *slot; /* NULL: none */
};

static TAILQ_HEAD(, port) ports = TAILQ_HEAD_INITIALIZER(ports); /* complete when the thread starts */
static struct waitq slot_wait = WAITQ_INIT(slot_wait);
static bool slot_news = true;

static void port_interrupt(void *arg)
{
	struct port *p = arg;

	pci_aer_interrupt(p->pci);
	if (!p->slot || !pci_slot_interrupt(p->slot))
		return;
	WRITE_ONCE(slot_news, true);
	waitq_wake_all(&slot_wait);
}

/* The lock also waits for a close that is going on. */
static bool let_go(struct pci_dev *d, enum pci_let_go how)
{
	struct vfio_device *v = d->driver;

	if (how == PCI_TAKE)
		pci_dev_kill(d, "taken out of its slot"); /* first: who waits for it with the lock held gives up */
	if (!v)
		return false;
	guard_mutex(&v->lock);
	v->gone |= how != PCI_LOOK;
	if (how == PCI_ASK && v->req)
		eventfd_signal(v->req);
	if (how == PCI_TAKE) {
		guard_mutex(&v->mem_lock);
		vfio_pci_mem_off(v);
		vfio_error(d);
	}
	return v->opens;
}

static void slots_thread(void *)
{
	for (;;) {
		u64 next = WAIT_FOREVER;
		struct port *p;

		WRITE_ONCE(slot_news, false);
		TAILQ_FOREACH(p, &ports, link) {
			u64 when = p->slot ? pci_slot_step(p->slot) : 0;

			next = when ? MIN(next, when) : next;
		}
		(void)!wait_event_hard(&slot_wait, READ_ONCE(slot_news), next);
	}
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
	int ret = d->msix_vectors ? pci_msix_enable(d) : pci_msi_enable(d, 0, msg);

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
	if (!ret)
		ret = message_set(d, &msg);
	if (!ret) {
		p->slot = pci_slot_has(d) ? pci_slot_start(d, let_go) : NULL;
		TAILQ_INSERT_TAIL(&ports, p, link);
		return 0;
	}
	if (p->irte)
		iommu_irq_unmap(p->irte);
	arch_irq_free(&p->irq);
free:
	kfree(p);
	return ret;
}

static int ports_init(void)
{
	struct pci_dev *d;
	bool slots = false;
	int ret;

	pci_above.error = on_error;
	pci_for_each(d) {
		if (!pci_aer_root(d) && !pci_slot_has(d))
			continue;
		ret = port_start(d);
		if (ret)
			log_warn("pci %s: has no message interrupt (error %d): errors below it and its slot are not watched",
				 d->name, -ret);
		else if (pci_aer_root(d))
			pci_aer_root_start(d);
		slots |= pci_slot_has(d);
	}
	return !slots || thread_spawn_kernel("slots", slots_thread, NULL) ? 0 : -ENOMEM;
}
INITCALL(INITCALL_DEVICES, ports_init);
