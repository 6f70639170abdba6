// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU groups: the finest partition of the functions that hardware can keep.  Two functions are in
 * one group when they share a requester id (pci/alias.c), when a port or bridge on the way up does
 * not force their requests upstream (pci/acs.c), or when they are functions of one slot that may talk
 * inside of it.  The safe rule, our default, also joins all that hangs on one switch when one of its
 * downstream ports does not redirect; `iommu.groups=linux` leaves that out, as Linux does.
 *
 * What joins is a relation between functions, closed over here; so the outcome does not depend on
 * the order of the list.  Isolation is asked for once per function.  Numbers follow the address of a
 * group's first function.  Every shared group has a reason, made of the relations that joined it.
 */
#include <stdio.h>

#include "iommu/iommu.h"
#include "kernel/frames.h"
#include "kernel/options.h"

struct iommu_group_list iommu_groups = TAILQ_HEAD_INITIALIZER(iommu_groups);

static u32 next_id;

struct node {
	struct pci_dev *dev;
	unsigned root;    /* union-find; a root is its set's first function */
	int parent;       /* bridge above, -1 on a root bus; always before its children */
	bool isolated;
	int leak;         /* nearest function from here up that is not isolated, -1: none */
};

struct build {
	struct node *node; /* in address order */
	unsigned n;
	bool linux_rule;
};

/* Called for each relation: functions x and y belong together because of `why`. */
typedef void relation_fn(struct build *b, unsigned x, unsigned y, const char *why);

static unsigned find_root(struct build *b, unsigned i)
{
	while (b->node[i].root != i)
		i = b->node[i].root;
	return i;
}

static void join(struct build *b, unsigned x, unsigned y, const char *)
{
	unsigned rx = find_root(b, x), ry = find_root(b, y);

	b->node[MAX(rx, ry)].root = MIN(rx, ry);
}

static bool same_bus(const struct pci_dev *a, const struct pci_dev *b)
{
	return a->segment == b->segment && a->bus == b->bus;
}

static bool same_slot(const struct pci_dev *a, const struct pci_dev *b)
{
	return same_bus(a, b) && a->devfn >> 3 == b->devfn >> 3;
}

typedef bool beside_fn(const struct pci_dev *a, const struct pci_dev *b);

/* The functions of a slot, and of a bus, are neighbours in the array: the first of those of node i. */
static unsigned first_beside(const struct build *b, unsigned i, beside_fn *beside)
{
	while (i && beside(b->node[i - 1].dev, b->node[i].dev))
		i--;
	return i;
}

static bool sends_as(struct pci_dev *d, const struct pci_alias *id)
{
	struct pci_alias alias[PCI_MAX_ALIASES];
	unsigned n = pci_dma_aliases(d, alias);

	while (n--)
		if (alias[n].bus == id->bus && alias[n].devfn == id->devfn)
			return true;
	return false;
}

/* Functions of the slot that send under the same id. */
static void relate_quirk(struct build *b, unsigned i, const struct pci_alias *alias, relation_fn *fn)
{
	struct pci_dev *d = b->node[i].dev;
	char why[64];

	for (unsigned k = first_beside(b, i, same_slot); k < b->n && same_slot(b->node[k].dev, d); k++) {
		if (k == i || !sends_as(b->node[k].dev, alias))
			continue;
		snprintf(why, sizeof(why), "%s also sends as function %u", d->name, alias->devfn & 7);
		fn(b, i, k, why);
	}
}

/* Returns whether a bridge sends in this function's place. */
static bool relate_aliases(struct build *b, unsigned i, relation_fn *fn)
{
	struct pci_alias alias[PCI_MAX_ALIASES];
	unsigned n = pci_dma_aliases(b->node[i].dev, alias);
	char why[64];

	for (unsigned k = 1; k < n; k++) {
		if (alias[k].owner == b->node[i].dev) {
			relate_quirk(b, i, &alias[k], fn);
			continue;
		}
		/* The first is enough: the others send in that one's place. */
		snprintf(why, sizeof(why), "bridge %s aliases all behind it", alias[k].owner->name);
		fn(b, i, alias[k].owner->node, why);
		return true;
	}
	return false;
}

/* Functions i and k belong together because requests get past function `leak`. */
static void relate_leak(struct build *b, unsigned i, unsigned k, unsigned leak, relation_fn *fn)
{
	char why[96];

	pci_acs_isolated(b->node[leak].dev, why, sizeof(why));
	fn(b, i, k, why);
}

/* What is beside i is tied to the first there that lets requests past; ports: only such count. */
static void relate_beside(struct build *b, unsigned i, unsigned beside, beside_fn *same, bool ports, relation_fn *fn)
{
	for (unsigned k = first_beside(b, beside, same); k < b->n && same(b->node[k].dev, b->node[beside].dev); k++) {
		if (b->node[k].isolated || (ports && b->node[k].dev->type != PCI_DOWNSTREAM))
			continue;
		if (k != i)
			relate_leak(b, i, k, k, fn);
		return;
	}
}

static void relate(struct build *b, relation_fn *fn)
{
	for (unsigned i = 0; i < b->n; i++) {
		const struct node *n = &b->node[i];
		int leak = n->parent >= 0 ? b->node[n->parent].leak : -1;

		/* Every port up the tree that belongs to a switch with a leaky port. */
		for (int p = b->linux_rule ? -1 : (int)i; p >= 0; p = b->node[p].parent)
			if (b->node[p].dev->type == PCI_DOWNSTREAM)
				relate_beside(b, i, (unsigned)p, same_bus, true, fn);
		if (relate_aliases(b, i, fn))
			continue;
		if (leak >= 0)
			relate_leak(b, i, (unsigned)n->parent, (unsigned)leak, fn);
		else if (n->dev->multifunction && !n->isolated)
			/* Below a port is one device, whatever its functions' numbers: Linux looks at slots. */
			relate_beside(b, i, i, !b->linux_rule && pci_is_port(n->dev->parent) ? same_bus : same_slot, false, fn);
	}
}

/* Nodes are filled in address order: parents are there already. */
static void fill_node(struct build *b, unsigned i, struct pci_dev *d)
{
	struct node *n = &b->node[i];
	char why[96];

	n->dev = d;
	d->node = n->root = i;
	n->parent = d->parent ? (int)d->parent->node : -1;
	n->isolated = pci_acs_isolated(d, why, sizeof(why));
	n->leak = !n->isolated ? (int)i : n->parent >= 0 ? b->node[n->parent].leak : -1;
}

static struct node *fill(struct build *b)
{
	const char *rule = option_get("iommu.groups");
	struct pci_dev *d;

	b->n = 0;
	b->linux_rule = rule && !strcmp(rule, "linux");
	if (rule && !b->linux_rule && strcmp(rule, "safe"))
		log_warn("iommu: iommu.groups=%s is not known (linux, safe): safe is taken", rule);
	pci_for_each(d)
		b->n++;
	b->node = kcalloc(b->n ? b->n : 1, sizeof(*b->node));
	b->n = 0;
	pci_for_each(d)
		if (b->node)
			fill_node(b, b->n++, d);
	return b->node;
}

static void forget_groups(void)
{
	struct iommu_group *g;
	struct pci_dev *d;

	pci_for_each(d)
		d->group = NULL;
	next_id = 0;
	while ((g = TAILQ_FIRST(&iommu_groups))) {
		TAILQ_REMOVE(&iommu_groups, g, link);
		kfree(g);
	}
}

/* A group that does not fit is made whole on paper, and none of it is ever handed out. */
static void group_add(struct iommu_group *g, struct pci_dev *d)
{
	d->group = g;
	if (g->ndevs < IOMMU_MAX_GROUP_DEVS) {
		g->dev[g->ndevs++] = d;
		return;
	}
	if (!g->too_large)
		log_err("iommu group %u has more than %u functions, from %s on: none of them is handed out", g->id,
			IOMMU_MAX_GROUP_DEVS, d->name);
	g->too_large = true;
}

/* An empty one that nobody has open is used again: numbers stay low, and memory bounded. */
static struct iommu_group *group_make(void)
{
	struct iommu_group *g;

	TAILQ_FOREACH(g, &iommu_groups, link)
		if (!g->ndevs && !g->held)
			return g;
	g = kzalloc(sizeof(*g));
	if (!g)
		return NULL;
	g->id = next_id++;
	TAILQ_INSERT_TAIL(&iommu_groups, g, link);
	return g;
}

/* The group that another function of node i's set has already, or a new one. */
static int group_of(struct build *b, unsigned i, struct iommu_group **out)
{
	const char *name = b->node[i].dev->name;
	struct iommu_group *found = NULL, *g;

	for (unsigned k = 0; k < b->n; k++) {
		g = b->node[k].dev->group;
		if (!g || g == found || find_root(b, k) != find_root(b, i))
			continue;
		if (found)
			return refuse(-EPERM, "%s would join groups %u and %u", name, found->id, g->id);
		if (g->held)
			return refuse(-EBUSY, "%s belongs to group %u, which is open", name, g->id);
		found = g;
	}
	*out = found ? found : group_make();
	return *out ? 0 : -ENOMEM;
}

static int make_groups(struct build *b)
{
	struct iommu_group *g = NULL;
	int err = 0;

	for (unsigned i = 0; i < b->n && !err; i++) {
		if (b->node[i].dev->group)
			continue;
		err = group_of(b, i, &g);
		if (!err)
			group_add(g, b->node[i].dev);
	}
	return err;
}

static void reason_add(struct iommu_group *g, const char *why)
{
	size_t len = strlen(g->reason);

	if (strstr(g->reason, why))
		return;
	if (len + strlen(why) + sizeof("; ; ...") > sizeof(g->reason))
		why = "..."; /* once, and nothing fits behind it */
	if (!len || strcmp(g->reason + len - 3, "..."))
		snprintf(g->reason + len, sizeof(g->reason) - len, "%s%s", len ? "; " : "", why);
}

static void add_reason(struct build *b, unsigned x, unsigned, const char *why)
{
	reason_add(b->node[x].dev->group, why);
}

static void describe(const struct iommu_group *g)
{
	char line[400];
	size_t len = 0;
	unsigned i;

	for (i = 0; i < g->ndevs && len < sizeof(line) - 32; i++)
		len += (size_t)snprintf(line + len, sizeof(line) - len, " %s", g->dev[i]->name);
	if (i < g->ndevs)
		snprintf(line + len, sizeof(line) - len, " and %u more", g->ndevs - i);
	log_info("iommu group %u:%s%s%s", g->id, line, g->reason[0] ? " — " : "", g->reason);
}

/* Groups for the functions that have none; those that are there stay as they are. */
static int update(void)
{
	struct build b;
	AUTO_FREE struct node *node = fill(&b);
	struct pci_dev *d;
	int err;

	if (!node)
		return -ENOMEM;
	relate(&b, join);
	err = make_groups(&b);
	if (!err)
		relate(&b, add_reason);
	pci_for_each(d) {
		if (!err && d->ats)
			reason_add(d->group, "ATS is on: translated addresses of its device are not checked");
		if (!err && d->vmd)
			reason_add(d->group, "a VMD: the drives behind it send under its id");
	}
	return err;
}

int iommu_groups_build(void)
{
	struct iommu_group *g;
	int err;

	forget_groups();
	err = update();
	if (err)
		forget_groups();
	TAILQ_FOREACH(g, &iommu_groups, link)
		describe(g);
	return err;
}

int iommu_group_join(struct pci_dev *d)
{
	int err = update();

	if (!err)
		describe(d->group);
	return err;
}

void iommu_group_leave(struct pci_dev *d)
{
	struct iommu_group *g = d->group;
	unsigned i = 0;

	if (!g)
		return;
	while (i < g->ndevs && g->dev[i] != d)
		i++;
	for (; i + 1 < g->ndevs; i++)
		g->dev[i] = g->dev[i + 1];
	g->ndevs = i;
	if (!g->ndevs)
		g->reason[0] = 0;
	d->group = NULL;
}

void iommu_group_set_owner(struct iommu_group *g, const char *owner)
{
	snprintf(g->owner, sizeof(g->owner), "%s", owner);
}
