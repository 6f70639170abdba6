// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hot-plug slots of ports (PCI Express 6.7, 7.5.3.9): what is pulled out leaves, what is put in comes.
 *
 * A slot is off, on, or leaving: its button was pressed, its owners are asked to let go, and again from
 * time to time, nobody new gets its functions, and after a while they are taken all the same.  What
 * vanishes without asking, or loses its link or power, is dead at once.  In all cases the slot is
 * switched off then.  It is switched on when something was put in, its contacts have settled, and
 * nobody has anything of the old device open: a function takes over the structure of its address.
 *
 * pci_slot_interrupt() only collects events.  All else is pci_slot_step(), called by one thread: when
 * there were events, and at the time that it asks for.  Every wait for hardware has a deadline.
 * A slot takes endpoints; with anything else it stays off, as no buses are kept for what is behind a bridge.
 */
#include "kernel/frames.h"
#include "kernel/options.h"
#include "pci/internal.h"

#define EVENTS (PCI_EXP_SLTSTA_ABP | PCI_EXP_SLTSTA_PFD | PCI_EXP_SLTSTA_PDC | PCI_EXP_SLTSTA_DLLSC)
#define ENABLES (PCI_EXP_SLTCTL_ABPE | PCI_EXP_SLTCTL_PFDE | PCI_EXP_SLTCTL_PDCE | PCI_EXP_SLTCTL_DLLSCE | \
		 PCI_EXP_SLTCTL_HPIE)
#define POWER (PCI_EXP_SLTCTL_PCC | PCI_EXP_SLTCTL_PIC)
#define RUNNING (PCI_EXP_SLTCTL_PWR_ON | PCI_EXP_SLTCTL_PWR_IND_ON)
#define CHANGING (PCI_EXP_SLTCTL_PWR_ON | PCI_EXP_SLTCTL_PWR_IND_BLINK)
#define STOPPED (PCI_EXP_SLTCTL_PWR_OFF | PCI_EXP_SLTCTL_PWR_IND_OFF)
#define COMMAND_MS 1000 /* 6.7.3.2 */
#define SETTLE_MS 100   /* contacts; and 6.6.1 */
#define READY_MS 5000   /* half of it for the link */
#define LOOK_MS 20
#define ASK_AGAIN_MS 10000
#define LEAVE_MS 30000

enum state { SLOT_OFF, SLOT_ON, SLOT_LEAVING };

struct pci_slot {
	struct pci_dev *port;
	pci_let_go_fn *let_go;
	u32 events;        /* since the last step; atomic */
	enum state state;
	u64 settled;       /* off: when the contacts of what was put in have; 0: nothing was */
	u64 ask, deadline; /* leaving */
};

static u16 status_of(const struct pci_dev *port)
{
	return pci_read16(port, port->cap_pcie + PCI_EXP_SLTSTA);
}

static bool present(const struct pci_dev *port)
{
	u16 status = status_of(port);

	return status != 0xffff && status & PCI_EXP_SLTSTA_PDS;
}

static bool completed(const struct pci_dev *port)
{
	return status_of(port) & PCI_EXP_SLTSTA_CC;
}

/* Set power and indicator, and wait until the controller has done it. */
static int command(struct pci_slot *s, u16 power)
{
	u16 cap = s->port->cap_pcie, old = pci_read16(s->port, cap + PCI_EXP_SLTCTL);
	u16 new = (old & ~POWER) | ENABLES | power;

	if (new == old)
		return 0;
	pci_write16(s->port, cap + PCI_EXP_SLTSTA, PCI_EXP_SLTSTA_CC);
	pci_write16(s->port, cap + PCI_EXP_SLTCTL, new);
	if (pci_read32(s->port, cap + PCI_EXP_SLTCAP) & PCI_EXP_SLTCAP_NCCS ||
	    pci_wait_for(s->port, completed, COMMAND_MS))
		return 0;
	log_err("slot of %s: command 0x%04x is not completed after %u ms (status 0x%04x)", s->port->name, new,
		COMMAND_MS, status_of(s->port));
	return -ETIMEDOUT;
}

/* ---- going ---- */

static bool ours(const struct pci_slot *s, const struct pci_dev *d)
{
	return d != s->port && pci_is_below(d, s->port);
}

/* Virtual functions stand behind their physical one, and all behind their bridge: the last goes first. */
static struct pci_dev *last_in(const struct pci_slot *s)
{
	struct pci_dev *d;

	TAILQ_FOREACH_REVERSE(d, &pci_devices, pci_list, link)
		if (ours(s, d))
			break;
	return d;
}

static void all_out(struct pci_slot *s, bool dead)
{
	struct pci_dev *d;

	while ((d = last_in(s))) {
		if (dead)
			(void)s->let_go(d, PCI_TAKE);
		dead = pci_dev_withdraw(d) || dead; /* a virtual one may have come and be open since */
		d->secondary = 0;                   /* no port any more */
	}
	(void)!command(s, STOPPED); /* it says why not; nobody has the device any more */
	s->state = SLOT_OFF;
}

static u64 step_leaving(struct pci_slot *s, u64 now)
{
	enum pci_let_go how = now >= s->ask ? PCI_ASK : PCI_LOOK;
	bool used = false;
	struct pci_dev *d;

	pci_for_each(d)
		used |= ours(s, d) && s->let_go(d, how);
	if (used && now < s->deadline) {
		s->ask = how == PCI_ASK ? now + ASK_AGAIN_MS * NS_PER_MS : s->ask;
		return now + LOOK_MS * NS_PER_MS;
	}
	log_info("slot of %s: %s: off", s->port->name, used ? "not let go in time" : "nobody has its device");
	all_out(s, used);
	return 0;
}

/* ---- coming ---- */

static int function_in(struct pci_slot *s, u8 fn, bool *multifunction)
{
	struct pci_dev *d;
	int err = pci_dev_read(s->port->segment, s->port->secondary, fn, s->port, &d);

	if (!d)
		return err || fn ? err : -ENODEV;
	if (d->header_type != PCI_HEADER_TYPE_NORMAL) {
		log_warn("slot of %s: what is in it is no endpoint", s->port->name);
		pci_dev_free(d);
		return -EOPNOTSUPP;
	}
	*multifunction |= d->multifunction;
	for (unsigned i = 0; i < PCI_REGIONS; i++) /* nobody vouches for addresses that it brings along */
		pci_bar_of(d, i)->base = pci_bar_of(d, i)->size = 0;
	return pci_dev_publish(&d);
}

static bool up_or_gone(const struct pci_dev *port)
{
	return pci_link_up(port) || !present(port);
}

static bool ready_or_gone(const struct pci_dev *port)
{
	u16 vendor = (u16)pci_cfg_read(port->segment, port->secondary, 0, PCI_VENDOR_ID, 4);

	return (vendor > PCI_CRS_VENDOR && vendor != 0xffff && pci_link_up(port)) || !present(port);
}

/* 6.6.1: its first request comes 100 ms after its link, and it may take its time to answer. */
static int wait_ready(const struct pci_dev *port)
{
	bool up = pci_wait_for(port, up_or_gone, READY_MS / 2);

	pci_wait_ms(SETTLE_MS);
	return up && pci_wait_for(port, ready_or_gone, READY_MS / 2) && present(port) ? 0 : -ETIMEDOUT;
}

static int all_in(struct pci_slot *s)
{
	bool multifunction = false;
	int err = command(s, CHANGING);

	if (!err)
		err = wait_ready(s->port);
	if (!err)
		err = command(s, RUNNING);
	for (u8 fn = 0; !err && fn < (multifunction ? 8 : 1); fn++)
		err = function_in(s, fn, &multifunction);
	return err;
}

static u64 step_off(struct pci_slot *s, u64 now)
{
	int err;

	if (!s->settled || now < s->settled)
		return s->settled;
	if (pci_withdrawn_any(s->port, s->let_go))
		return now + LOOK_MS * NS_PER_MS;
	s->settled = 0;
	err = all_in(s);
	/* That the link came up is no news; if something went meanwhile, the next step sees it. */
	(void)pci_slot_interrupt(s);
	__atomic_fetch_and(&s->events, ~(u32)(PCI_EXP_SLTSTA_DLLSC | PCI_EXP_SLTSTA_PDC), __ATOMIC_SEQ_CST);
	s->state = SLOT_ON;
	if (err)
		all_out(s, false);
	log_info("slot of %s: %s (%d)", s->port->name, err ? "its device cannot be used" : "a device was put in", err);
	return now;
}

u64 pci_slot_step(struct pci_slot *s)
{
	u64 now = arch_now_ns();
	u32 events;

	if (!s->port->secondary)
		return 0; /* the port itself was taken out */
	(void)pci_slot_interrupt(s); /* what came before its message could */
	events = __atomic_exchange_n(&s->events, 0, __ATOMIC_SEQ_CST);
	if (s->port->resetting) { /* the link goes down and comes up, and nothing was pulled out */
		__atomic_fetch_or(&s->events, events & PCI_EXP_SLTSTA_ABP, __ATOMIC_SEQ_CST);
		return now + LOOK_MS * NS_PER_MS;
	}
	/* Out and in again since the last look is another device. */
	if (s->state != SLOT_OFF &&
	    (!present(s->port) || !pci_link_up(s->port) || events & ~(u32)PCI_EXP_SLTSTA_ABP)) {
		log_warn("slot of %s: its device is gone (events 0x%x, status 0x%04x)", s->port->name, events,
			 status_of(s->port));
		all_out(s, true);
	}
	if (s->state == SLOT_ON) {
		if (!(events & PCI_EXP_SLTSTA_ABP))
			return 0;
		log_info("slot of %s: its device is to be taken out", s->port->name);
		(void)!command(s, CHANGING);
		s->deadline = now + option_u64("pci.unplug_ms", LEAVE_MS) * NS_PER_MS;
		s->ask = 0;
		s->state = SLOT_LEAVING;
	}
	if (s->state == SLOT_LEAVING)
		return step_leaving(s, now);
	if (events & (PCI_EXP_SLTSTA_ABP | PCI_EXP_SLTSTA_PDC))
		s->settled = present(s->port) ? now + SETTLE_MS * NS_PER_MS : 0;
	return step_off(s, now);
}

/* A message tells of the first event only: none may be left (6.7.3.4). */
bool pci_slot_interrupt(struct pci_slot *s)
{
	u32 found = 0;
	u16 status;

	for (unsigned i = 0; i < 16 && s->port->secondary; i++) {
		status = status_of(s->port);
		if (status == 0xffff || !(status & EVENTS))
			break;
		pci_write16(s->port, s->port->cap_pcie + PCI_EXP_SLTSTA, status & EVENTS);
		found |= status & EVENTS;
	}
	__atomic_fetch_or(&s->events, found, __ATOMIC_SEQ_CST);
	return found;
}

bool pci_slot_has(const struct pci_dev *port)
{
	return pci_is_port(port) && port->secondary &&
	       pci_read16(port, port->cap_pcie + PCI_EXP_FLAGS) & PCI_EXP_FLAGS_SLOT &&
	       pci_read32(port, port->cap_pcie + PCI_EXP_SLTCAP) & PCI_EXP_SLTCAP_HPC;
}

struct pci_slot *pci_slot_start(struct pci_dev *port, pci_let_go_fn *let_go)
{
	struct pci_slot *s = kzalloc(sizeof(*s));
	struct pci_dev *d;

	if (!s)
		return NULL;
	s->port = port;
	s->let_go = let_go;
	pci_for_each(d)
		if (ours(s, d))
			s->state = SLOT_ON;
	/* As where firmware works the slots by other means. */
	if (s->state == SLOT_ON && (!present(port) || !pci_link_up(port))) {
		log_info("slot of %s: it says that it is empty, and is not: not watched", port->name);
		kfree(s);
		return NULL;
	}
	pci_write16(port, port->cap_pcie + PCI_EXP_SLTSTA, EVENTS);
	(void)!command(s, s->state == SLOT_ON ? RUNNING : STOPPED);
	s->events = s->state == SLOT_ON ? 0 : PCI_EXP_SLTSTA_PDC; /* what is in it, and was not found, is put in now */
	return s;
}
