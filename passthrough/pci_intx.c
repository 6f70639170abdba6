/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * INTx through VFIO (4.4): a level-triggered line that several devices may share.  At an interrupt each
 * user of the line is asked; who drives it is masked in the command register (DisINTx) and its eventfd
 * signalled; it stays masked until the program unmasks.  A device without DisINTx has its line for itself and is
 * masked at the IOAPIC.  In hardware DisINTx is clear only while INTx is on and not masked, whatever the program wrote.
 *
 * A line lives while it has users: one vector, one remapping entry, one pin.  A line that goes on and on while no
 * user drives it is masked until its users change.
 *
 * Locks: v->lock -> lines_lock -> line->lock -> eventfd's lock -> v->intx.lock -> config space, IOAPIC.
 */
#include "passthrough/private.h"

#define UNCLAIMED_MAX 10000u
#define RATE_WEIGHT 4 /* an interrupt of INTx takes that much longer than a message */

struct intx_line {
	TAILQ_HEAD(, vfio_intx) users; /* changed under lines_lock and lock */
	struct spinlock lock;          /* also users' ev */
	u16 gsi;
	struct irq irq;
	struct iommu_irte *irte;
	u32 unclaimed; /* interrupts in a row that nobody drove */
};
static struct mutex lines_lock = MUTEX_INIT(lines_lock);
static struct intx_line *lines[PCI_INTX_GSIS];

static struct vfio_device *device_of(struct vfio_intx *x)
{
	return container_of(x, struct vfio_device, intx);
}

/* x->lock held. A reset knows by DisINTx that it took place: nobody clears it meanwhile, vfio_intx_hold() does after it. */
static void mask_set(struct vfio_intx *x, bool masked)
{
	x->masked = masked;
	if (x->maskable && (masked || !READ_ONCE(device_of(x)->in_reset)))
		pci_intx_mask(device_of(x)->pci, masked);
	else if (!x->maskable)
		arch_ioapic_mask(x->line->gsi, masked);
}

/* Does this user drive the line? Then it is masked. *tell: its program does not know yet. */
static bool user_take(struct vfio_intx *x, bool *tell)
{
	guard_spin(&x->lock);
	bool mine = !x->maskable || pci_intx_asserted(device_of(x)->pci);

	*tell = mine && !x->masked;
	if (mine)
		mask_set(x, true);
	return mine;
}

static void line_handler(void *arg)
{
	struct intx_line *l = arg;
	bool claimed = false, tell;
	struct vfio_intx *x;

	guard_spin(&l->lock);
	TAILQ_FOREACH(x, &l->users, link) {
		claimed |= user_take(x, &tell);
		if (!tell)
			continue;
		vfio_irqs_count(device_of(x), RATE_WEIGHT);
		if (x->ev)
			eventfd_signal(x->ev);
	}
	l->unclaimed = claimed ? 0 : l->unclaimed + 1;
	if (l->unclaimed == UNCLAIMED_MAX) {
		arch_ioapic_mask(l->gsi, true);
		log_err("vfio-pci: interrupt line %u: %u in a row that no device of a program drives: masked until its "
			"users change", l->gsi, UNCLAIMED_MAX);
	}
}

static void mask(struct vfio_intx *x, bool masked)
{
	guard_spin(&x->lock);
	mask_set(x, masked);
}

/* True: the device drives its line still, so it stays masked, and its program is to be told again. */
static bool unmask(struct vfio_intx *x, bool look)
{
	guard_spin(&x->lock);
	if (!x->masked || x->off || READ_ONCE(device_of(x)->silenced))
		return false;
	mask_set(x, false);
	if (!look || !x->maskable || !pci_intx_asserted(device_of(x)->pci))
		return false;
	mask_set(x, true);
	return true;
}

/* Device lock held: ev stays. */
static void unmask_and_tell(struct vfio_intx *x)
{
	if (unmask(x, true) && x->ev)
		eventfd_signal(x->ev);
}

/* The unmask eventfd's lock is held, so no other may be taken: what is still asserted interrupts again. */
static void on_unmask(struct eventfd_hook *h)
{
	struct vfio_intx *x = container_of(h, struct vfio_intx, hook);

	eventfd_consume_locked(x->unmask_ev);
	unmask(x, false);
}

static void unmask_detach(struct vfio_intx *x)
{
	if (!x->unmask_ev)
		return;
	eventfd_unhook(x->unmask_ev, &x->hook);
	eventfd_put(x->unmask_ev);
	x->unmask_ev = NULL;
}

static int unmask_attach(struct vfio_device *v, s32 fd)
{
	struct vfio_intx *x = &v->intx;
	struct eventfd *ev = NULL;
	int ret = fd >= 0 ? eventfd_from_fd(fd, &ev) : 0;

	if (ret)
		return ret;
	if (ev && x->unmask_ev && !eventfd_closed(x->unmask_ev)) {
		eventfd_put(ev);
		return refuse(-EBUSY, "%s: INTx has an unmask eventfd; detach it with -1 first", v->pci->name);
	}
	unmask_detach(x);
	if (!ev)
		return 0;
	x->unmask_ev = ev;
	x->hook.fn = on_unmask;
	eventfd_hook(ev, &x->hook);
	if (eventfd_consume(ev))
		unmask_and_tell(x);
	return 0;
}

/* A user comes or goes: that may have been the end of a storm. */
static void line_change(struct vfio_intx *x, bool comes)
{
	struct intx_line *l = x->line;

	guard_spin(&l->lock);
	if (comes)
		TAILQ_INSERT_TAIL(&l->users, x, link);
	else
		TAILQ_REMOVE(&l->users, x, link);
	if (l->unclaimed >= UNCLAIMED_MAX)
		arch_ioapic_mask(l->gsi, false);
	l->unclaimed = 0;
}

int vfio_intx_absent(const struct vfio_device *v, int err)
{
	return refuse(err, "%s: no INTx: %s", v->pci->name, v->pci->interrupt_pin ? "the board's wiring is not known: its "
		      "chipset does not tell it, and no program reported it from _PRT" : "it has no interrupt pin");
}

static int line_join(struct vfio_device *v)
{
	struct vfio_intx *x = &v->intx;
	u16 line = pci_intx_line(v->pci), gsi = line & ~PCI_INTX_LOW;
	struct intx_line *l;
	int ret;

	if (!line)
		return vfio_intx_absent(v, -ENODEV);
	guard_mutex(&lines_lock);
	l = lines[gsi];
	if (l && (!x->maskable || !TAILQ_FIRST(&l->users)->maskable))
		return refuse(-EBUSY, "%s: interrupt line %u is %s's, and one of the two has no DisINTx: they cannot share it",
			      v->pci->name, gsi, device_of(TAILQ_FIRST(&l->users))->pci->name);
	x->line = l ? l : kzalloc(sizeof(*l));
	if (!x->line)
		return -ENOMEM;
	if (!l) {
		*x->line = (struct intx_line){ .gsi = gsi, .irq = { .handler = line_handler, .arg = x->line } };
		TAILQ_INIT(&x->line->users);
	}
	line_change(x, true);
	if (l)
		return 0;
	l = x->line;
	ret = arch_irq_alloc(&l->irq, arch_cpu_id());
	if (ret)
		goto free;
	ret = iommu_irq_map_gsi(gsi, &l->irq, true, line & PCI_INTX_LOW, &l->irte);
	lines[gsi] = ret ? NULL : l;
	if (!ret)
		return 0;
	arch_irq_free(&l->irq);
free:
	x->line = NULL;
	kfree(l);
	return refuse(ret, "%s: interrupt line %u: no vector on this CPU, or no entry of a unit for its IOAPIC", v->pci->name, gsi);
}

void vfio_intx_disable(struct vfio_device *v)
{
	struct vfio_intx *x = &v->intx;
	struct intx_line *l = x->line;

	unmask_detach(x);
	mask(x, true);
	guard_mutex(&lines_lock);
	line_change(x, false);
	if (TAILQ_EMPTY(&l->users)) {
		lines[l->gsi] = NULL;
		iommu_irq_unmap(l->irte);
		arch_irq_free(&l->irq);
		kfree(l);
	}
	x->line = NULL;
	if (x->ev)
		eventfd_put(x->ev);
	x->ev = NULL;
	v->irq_mode = VFIO_IRQ_NONE;
}

/* The first one switches INTx on. */
static int trigger_set(struct vfio_device *v, s32 fd)
{
	struct vfio_intx *x = &v->intx;
	struct eventfd *ev = NULL, *old;
	int ret = fd >= 0 ? eventfd_from_fd(fd, &ev) : 0;

	if (ret)
		return ret;
	ret = x->line ? 0 : line_join(v);
	old = ev;
	if (!ret) {
		guard_spin(&x->line->lock);
		old = x->ev;
		x->ev = ev;
	}
	if (!ret && v->irq_mode == VFIO_IRQ_NONE) {
		v->irq_mode = VFIO_IRQ_INTX;
		mask(x, x->off || READ_ONCE(v->silenced));
	}
	if (old)
		eventfd_put(old);
	return ret;
}

s64 vfio_intx_perform(struct vfio_device *v, const struct vfio_irq_set *s, s32 arg)
{
	u32 action = s->flags & VFIO_IRQ_SET_ACTION_TYPE_MASK;
	bool fds = s->flags & VFIO_IRQ_SET_DATA_EVENTFD, trigger = action == VFIO_IRQ_SET_ACTION_TRIGGER;
	struct vfio_intx *x = &v->intx;

	if (x->line && !s->count && trigger && s->flags & VFIO_IRQ_SET_DATA_NONE) {
		vfio_intx_disable(v);
		return 0;
	}
	if (s->count != 1 || !(x->line || (v->irq_mode == VFIO_IRQ_NONE && fds && trigger)))
		return refuse(-EINVAL, "%s: SET_IRQS: INTx is not enabled, MSI or MSI-X is, or the count is not 1",
			      v->pci->name);
	if (fds)
		return trigger ? trigger_set(v, arg) : action == VFIO_IRQ_SET_ACTION_UNMASK ? unmask_attach(v, arg) : -ENOTTY;
	if (!arg)
		return 0; /* BOOL: not this one */
	if (action == VFIO_IRQ_SET_ACTION_MASK)
		mask(x, true);
	else if (action == VFIO_IRQ_SET_ACTION_UNMASK)
		unmask_and_tell(x);
	else if (x->ev && !x->off)
		eventfd_signal(x->ev);
	return 0;
}

void vfio_intx_open(struct vfio_device *v)
{
	v->intx.maskable = pci_intx_maskable(v->pci);
	v->intx.masked = true;
	v->intx.off = false;
}

void vfio_intx_command(struct vfio_device *v, u16 command, bool off)
{
	struct vfio_intx *x = &v->intx;
	bool was = x->off;

	command &= ~PCI_COMMAND_INTX_DISABLE;
	{
		guard_spin(&x->lock);
		x->off = off;
		pci_write16(v->pci, PCI_COMMAND, command | (x->line && !x->masked ? 0 : PCI_COMMAND_INTX_DISABLE));
	}
	if (x->line && off && !was)
		mask(x, true);
	else if (x->line && !off && was)
		unmask_and_tell(x);
}

void vfio_intx_hold(struct vfio_device *v)
{
	struct vfio_intx *x = &v->intx;

	guard_spin(&x->lock);
	if (x->line && x->maskable)
		mask_set(x, x->masked);
}
