// SPDX-License-Identifier: GPL-2.0-only
/*
 * Groups of random machines, by both rules: no alias set is split, the order of discovery does not
 * matter, taking ACS away joins and never parts, and every shared group has a reason.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "pci/internal.h"
#include "tests/host/group_build.h"
#include "tests/host/host.h"
#include "tests/host/pci_model.h"

#define MAX_FNS 1024
#define ROUNDS 300

static u32 seed;

static u32 rnd(u32 n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % n;
}

static u16 random_acs(void)
{
	return rnd(2) ? ACS_ALL : (u16)(rnd(256) & ACS_ALL);
}

/* Fills bus and, by luck, buses below; returns the last bus used. */
static u8 random_bus(u8 bus, u8 next, unsigned depth)
{
	static const enum pci_type bridges[] = { PCI_ROOT_PORT, PCI_UPSTREAM, PCI_DOWNSTREAM, PCI_DOWNSTREAM,
						 PCI_PCIE_TO_PCI, PCI_PCI_TO_PCIE, PCI_CONVENTIONAL };
	unsigned ndevs = 1 + rnd(3);

	for (unsigned dev = 0; dev < ndevs; dev++) {
		unsigned nfns = 1 + rnd(2) * rnd(3);

		for (unsigned fn = 0; fn < nfns; fn++) {
			bool bridge = depth < 5 && next < 40 && rnd(3);
			enum pci_type type = bridge ? bridges[rnd(ARRAY_SIZE(bridges))] :
						      rnd(3) ? PCI_ENDPOINT : PCI_CONVENTIONAL;
			u16 vendor = rnd(8) ? 0x1111 : 0x1b4b, device = vendor == 0x1b4b ? 0x9230 : 1;
			struct model_fn *f = model_fn_add(0, bus, (u8)dev, (u8)fn, vendor, device, 0x020000);

			if (nfns > 1)
				model_multifunction(f);
			if (type != PCI_CONVENTIONAL)
				model_express(f, type, false);
			if (type != PCI_CONVENTIONAL && rnd(4))
				model_acs(f, ACS_ALL, 0, random_acs());
			if (bridge) {
				u8 last = random_bus(next, next + 1, depth + 1);

				model_bridge(f, next, last);
				next = last + 1;
			}
		}
	}
	return MAX(next - 1, bus);
}

static struct snapshot { const struct pci_dev *dev; unsigned group; } before[MAX_FNS];

static unsigned snapshot(struct snapshot *s)
{
	struct pci_dev *d;
	unsigned n = 0;

	pci_for_each(d)
		s[n++] = (struct snapshot){ d, d->group->id };
	return n;
}

static void check_order(bool linux_rule, unsigned n)
{
	struct pci_list shuffled = TAILQ_HEAD_INITIALIZER(shuffled);
	static struct pci_dev *all[MAX_FNS];
	struct pci_dev *d;
	unsigned k = 0;

	/* The list is sorted by address at insertion: enter in another order what a scan found. */
	pci_for_each(d)
		all[k++] = d;
	while (k) {
		unsigned pick = rnd(k);

		d = all[pick];
		all[pick] = all[--k];
		TAILQ_REMOVE(&pci_devices, d, link);
		TAILQ_INSERT_HEAD(&shuffled, d, link);
	}
	while ((d = TAILQ_FIRST(&shuffled))) {
		TAILQ_REMOVE(&shuffled, d, link);
		pci_list_insert(d);
	}
	build(linux_rule);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(before[i].dev->group->id, before[i].group);
}

static void check_aliases(void)
{
	struct pci_alias x[PCI_MAX_ALIASES], y[PCI_MAX_ALIASES];
	struct pci_dev *a, *b;

	pci_for_each(a) {
		unsigned nx = pci_dma_aliases(a, x);

		pci_for_each(b) {
			unsigned ny = pci_dma_aliases(b, y);

			for (unsigned i = 0; i < nx; i++)
				for (unsigned k = 0; k < ny; k++)
					if (x[i].bus == y[k].bus && x[i].devfn == y[k].devfn)
						assert_ptr_equal(a->group, b->group);
		}
	}
}

/* What was together stays together. */
static void check_coarser(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		for (unsigned k = 0; k < i; k++)
			if (before[i].group == before[k].group)
				assert_ptr_equal(before[i].dev->group, before[k].dev->group);
}

/* Take one ACS bit, or now and then the whole capability, from one function; false: none has any. */
static bool take_acs(void)
{
	unsigned skip_fns = rnd(64);
	bool whole = !rnd(4);

	for (unsigned round = 0; round < 2; round++)
		for (struct model_fn *f = model_fn_first(); f; f = f->next) {
			u16 ctrl = f->acs ? (u16)model_get(f, f->acs + PCI_ACS_CTRL, 2) & ACS_ALL : 0;
			struct pci_dev *d = pci_find(f->segment, f->bus, f->devfn);

			if (!ctrl || !d->cap_acs || (!round && skip_fns-- > 0))
				continue;
			if (whole)
				d->cap_acs = 0;
			else
				model_put(f, f->acs + PCI_ACS_CTRL, 2, ctrl & (ctrl - 1u));
			return true;
		}
	return false;
}

static void check_machine(bool linux_rule, unsigned n)
{
	build(linux_rule);
	check_aliases();
	snapshot(before);
	check_order(linux_rule, n);
	for (unsigned i = 0; i < 4 && take_acs(); i++) {
		build(linux_rule);
		check_coarser(n);
		snapshot(before);
	}
}

/* Every group of several has a reason that names one of them or what is above them; no other has. */
static void check_reasons(void)
{
	struct iommu_group *g;

	TAILQ_FOREACH(g, &iommu_groups, link)
		assert_int_equal(g->ndevs > 1, g->reason[0] != 0);
}

static unsigned random_machine(unsigned round)
{
	unsigned n;

	seed = round * 7919 + 1;
	model_pci_clear();
	random_bus(0, 1, 0);
	n = model_pci_scan();
	assert_true(n > 0 && n <= MAX_FNS);
	return n;
}

static void test_properties(void **state)
{
	(void)state;
	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned n = random_machine(round);

		build(true);
		check_reasons();
		snapshot(before);
		build(false);
		check_reasons();
		check_coarser(n); /* the safe rule joins what Linux joins, and more */
		check_machine(false, n);
		n = random_machine(round);
		check_machine(true, n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_properties) };

	host_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
