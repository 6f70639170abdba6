// SPDX-License-Identifier: GPL-2.0-only
/*
 * Virtual functions on the config-space model: they come complete or not at all, with their PF's ids and pieces of
 * its VF BARs, at addresses that nobody has, and go all or none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kernel/options.h"
#include "pci/internal.h"
#include "tests/host/host.h"
#include "tests/host/pci_model.h"

#define PREF64 (PCI_BASE_ADDRESS_MEM_TYPE_64 | PCI_BASE_ADDRESS_MEM_PREFETCH)
#define TOTAL 8
#define VF_SIZE 0x4000ull
#define MEM_BASE 0xe0000000u
#define PREF_BASE 0x8000000000ull

static struct model_fn *port, *fn;
static struct pci_dev *pf;
static u16 cap;
static int silent;           /* this VF does not answer; -1: all do */
static unsigned present;     /* told to the watcher, and not taken back */
static int refuse_added, refuse_removed; /* for this VF; -1: none */

static unsigned index_of(const struct pci_dev *d)
{
	return (pci_rid(d) - pci_rid(pf) - model_get(fn, cap + PCI_SRIOV_VF_OFFSET, 2)) /
	       model_get(fn, cap + PCI_SRIOV_VF_STRIDE, 2);
}

static int added(struct pci_dev *d)
{
	if ((int)index_of(d) == refuse_added)
		return -ENOMEM;
	present++;
	return 0;
}

static int removed(struct pci_dev *d)
{
	if ((int)index_of(d) == refuse_removed)
		return -EBUSY;
	present--;
	return 0;
}

static struct pci_watcher watcher = { .added = added, .removed = removed };

/* VF Enable makes and takes config spaces; ids are ones, as the specification has it. */
static void on_write(struct model_fn *f, u16 off, unsigned size, u32 v)
{
	unsigned n = model_get(fn, cap + PCI_SRIOV_NUM_VF, 2);

	(void)size;
	if (f != fn || off != cap + PCI_SRIOV_CTRL)
		return;
	for (unsigned i = 0; i < TOTAL; i++) {
		u32 rid = (u32)f->bus << 8 | f->devfn;
		struct model_fn *vf;

		rid += model_get(fn, cap + PCI_SRIOV_VF_OFFSET, 2) + i * model_get(fn, cap + PCI_SRIOV_VF_STRIDE, 2);
		vf = model_fn_find(0, (u8)(rid >> 8), (u8)rid);
		if (vf && model_get(vf, 0, 2) != 0xffff)
			continue; /* not one of these */
		if (!vf) {
			vf = model_fn_add(0, (u8)(rid >> 8), (u8)rid >> 3, rid & 7, 0xffff, 0xffff, 0x020000);
			model_express(vf, PCI_ENDPOINT, true);
			model_msix(vf, 3, 3, 0, 3, 0x2000);
		}
		vf->gone = !(v & PCI_SRIOV_CTRL_VFE) || i >= n || (int)i == silent;
	}
}

static void vf_bar(unsigned n, u64 base)
{
	u16 off = (u16)(cap + PCI_SRIOV_BAR + 4 * n);

	model_put(fn, off, 4, (u32)base | PREF64);
	model_put(fn, off + 4, 4, (u32)(base >> 32));
	*(u32 *)(void *)(fn->mask + off) = (u32)~(VF_SIZE - 1);
	*(u32 *)(void *)(fn->mask + off + 4) = ~0u;
}

static void machine(u8 subordinate, u16 offset, u16 stride, u64 pref_size)
{
	port = model_fn_add(0, 0, 1, 0, 0x1b36, 0x000c, 0x060400);
	model_bridge(port, 1, subordinate);
	model_express(port, PCI_ROOT_PORT, false);
	model_put(port, port->pcie + PCI_EXP_DEVCAP2, 4, PCI_EXP_DEVCAP2_ARI);
	model_windows(port, MEM_BASE, MEM_BASE + 0x100000, pref_size ? PREF_BASE : 0, pref_size ? PREF_BASE + pref_size : 0);
	fn = model_fn_add(0, 1, 0, 0, 0x8086, 0x10c9, 0x020000);
	model_express(fn, PCI_ENDPOINT, true);
	model_bar(fn, 0, 0, MEM_BASE, 0x80000);
	model_ext_cap(fn, PCI_EXT_CAP_ID_ARI, 8);
	cap = model_ext_cap(fn, PCI_EXT_CAP_ID_SRIOV, 0x40);
	model_put(fn, cap + PCI_SRIOV_TOTAL_VF, 2, TOTAL);
	model_put(fn, cap + PCI_SRIOV_VF_OFFSET, 2, offset);
	model_put(fn, cap + PCI_SRIOV_VF_STRIDE, 2, stride);
	model_put(fn, cap + PCI_SRIOV_VF_DID, 2, 0x10ca);
	memset(fn->mask + cap + PCI_SRIOV_CTRL, 0xff, 2);
	memset(fn->mask + cap + PCI_SRIOV_NUM_VF, 0xff, 2);
	memset(fn->mask + cap + PCI_SRIOV_SYS_PGSIZE, 0xff, 4);
	vf_bar(0, 0);
	vf_bar(3, 0);
}

static void scan(void)
{
	struct pci_dev *d;

	model_pci_scan();
	pci_for_each(d)
		pci_bars_assign(d);
	pf = pci_find_name("0000:01:00.0");
	assert_non_null(pf);
}

static int setup(void **state)
{
	static char line[] = "vfio_pci.enable_sriov=1";
	static bool watching;

	(void)state;
	model_on_write = NULL;
	host_init();
	host_time_step = NS_PER_MS;
	options_init(line);
	model_pci_clear();
	if (!watching)
		pci_watch(&watcher);
	watching = true;
	present = 0;
	silent = refuse_added = refuse_removed = -1;
	model_on_write = on_write;
	return 0;
}

static void nothing_left(void)
{
	struct pci_dev *d;
	unsigned n = 0;

	pci_for_each(d)
		n += !!d->pf;
	assert_int_equal(n + present, 0);
	assert_int_equal(pf->sriov->num, 0);
	assert_int_equal(model_get(fn, cap + PCI_SRIOV_CTRL, 2) & (PCI_SRIOV_CTRL_VFE | PCI_SRIOV_CTRL_MSE), 0);
}

static void test_come_and_go(void **state)
{
	struct pci_dev *d, *first;
	unsigned n = 0;

	(void)state;
	machine(1, 0x80, 2, 0x100000);
	scan();
	assert_int_equal(pf->sriov->total, TOTAL);
	assert_true(model_get(fn, cap + PCI_SRIOV_CTRL, 2) & PCI_SRIOV_CTRL_ARI);
	assert_int_equal(pci_sriov_set(pf, TOTAL + 1), -ERANGE);
	assert_int_equal(pci_sriov_set(pf, 7), 0);
	assert_int_equal(pci_sriov_set(pf, 7), 0);
	assert_int_equal(pci_sriov_set(pf, 3), -EBUSY);
	assert_int_equal(present, 7);
	pci_for_each(d) {
		if (!d->pf)
			continue;
		assert_int_equal(pci_rid(d), 0x180 + 2 * n);
		assert_int_equal(pci_read32(d, 0), 0x10ca8086);
		assert_int_equal(pci_read16(d, 2), 0x10ca);
		assert_int_equal(pci_read8(d, 1), 0x80);
		assert_int_equal(d->bar[0].base, pf->vf_bar[0].base + n * VF_SIZE);
		assert_int_equal(d->bar[3].size, VF_SIZE);
		assert_int_equal(d->msix_vectors, 3);
		assert_true(!d->multifunction && d->parent == pf->parent);
		n++;
	}
	assert_int_equal(n, 7);
	/* both arrays lie in the window and apart; VF 0's are in the registers */
	assert_true(pf->vf_bar[0].base >= PREF_BASE && pf->vf_bar[3].base + 7 * VF_SIZE <= PREF_BASE + 0x100000);
	assert_false(pci_bars_meet(&pf->vf_bar[0], &pf->vf_bar[3]));
	assert_int_equal(model_get(fn, cap + PCI_SRIOV_BAR, 4), (u32)pf->vf_bar[0].base | PREF64);
	assert_int_equal(model_get(fn, cap + PCI_SRIOV_BAR + 4, 4), PREF_BASE >> 32);
	first = pf->sriov->vf[0];

	/* gone as hardware has it: all ones, ids too */
	model_fn_find(0, 1, 0x80)->gone = true;
	assert_int_equal(pci_read32(first, 0), ~0u);
	model_fn_find(0, 1, 0x80)->gone = false;

	refuse_removed = 4; /* open */
	assert_int_equal(pci_sriov_set(pf, 0), -EBUSY);
	assert_int_equal(present, 7);
	assert_int_equal(pf->sriov->num, 7);
	assert_ptr_equal(pci_find(0, 1, 0x80), first);
	refuse_removed = -1;
	assert_int_equal(pci_sriov_set(pf, 0), 0);
	nothing_left();
	assert_int_equal(pci_sriov_set(pf, 1), 0);
	assert_ptr_equal(pf->sriov->vf[0], first); /* who had its address kept its structure */
	assert_int_equal(pci_sriov_set(pf, 0), 0);
}

static void test_all_or_nothing(void **state)
{
	(void)state;
	machine(1, 0x80, 2, 0x100000);
	scan();
	silent = 5;
	assert_int_equal(pci_sriov_set(pf, 7), -EIO);
	nothing_left();
	silent = -1;
	refuse_added = 3;
	assert_int_equal(pci_sriov_set(pf, 7), -ENOMEM);
	nothing_left();
	refuse_added = -1;
	assert_int_equal(pci_sriov_set(pf, 7), 0);
	assert_int_equal(pci_sriov_set(pf, 0), 0);
}

static void test_no_room(void **state)
{
	(void)state;
	/* No prefetchable window; the other one has room for 2 x 8 x 16 KiB exactly, or not. */
	machine(1, 0x80, 2, 0);
	model_bar(fn, 1, 0, MEM_BASE + 0x80000, 0x40000);
	scan();
	assert_int_equal(pci_sriov_set(pf, 1), 0);
	assert_int_equal(pci_sriov_set(pf, 0), 0);
	model_bar(fn, 2, 0, MEM_BASE + 0xc0000, 0x20000);
	vf_bar(0, 0);
	vf_bar(3, 0);
	scan();
	assert_int_equal(pci_sriov_set(pf, 1), -ENOMEM);
	nothing_left();
}

static void test_addresses(void **state)
{
	(void)state;
	/* on the next bus, which the port leads to or not */
	machine(1, 0x100, 1, 0x100000);
	scan();
	assert_int_equal(pci_sriov_set(pf, 1), -ENOMEM);
	nothing_left();
	model_put(port, PCI_SUBORDINATE_BUS, 1, 2);
	scan();
	assert_int_equal(pci_sriov_set(pf, 8), 0);
	assert_non_null(pci_find_name("0000:02:00.7"));
	assert_int_equal(pci_sriov_set(pf, 0), 0);
	/* offset and stride that make no sense, and an address that a function has */
	model_put(fn, cap + PCI_SRIOV_VF_STRIDE, 2, 0);
	scan();
	assert_int_equal(pci_sriov_set(pf, 2), -EIO);
	model_put(fn, cap + PCI_SRIOV_VF_OFFSET, 2, 0);
	scan();
	assert_int_equal(pci_sriov_set(pf, 1), -EIO);
	model_put(fn, cap + PCI_SRIOV_VF_OFFSET, 2, 0x80);
	model_put(fn, cap + PCI_SRIOV_VF_STRIDE, 2, 1);
	vf_bar(0, 0);
	model_put(fn, 0x104, 2, 0x8200); /* ARI: the next function is 0x82 */
	model_fn_add(0, 1, 0x10, 2, 0x8086, 0x10c9, 0x020000);
	scan();
	assert_non_null(pci_find_name("0000:01:10.2"));
	assert_int_equal(pci_sriov_set(pf, 3), -ENOMEM);
	nothing_left();
}

static void test_firmware_placed(void **state)
{
	(void)state;
	machine(1, 0x80, 2, 0x100000);
	vf_bar(0, PREF_BASE + 0x40000);
	vf_bar(3, PREF_BASE);
	scan();
	assert_int_equal(pf->vf_bar[0].size, TOTAL * VF_SIZE);
	assert_int_equal(pci_sriov_set(pf, 2), 0);
	assert_int_equal(pf->sriov->vf[1]->bar[0].base, PREF_BASE + 0x40000 + VF_SIZE);
	assert_int_equal(pci_sriov_set(pf, 0), 0);
	assert_int_equal(pf->vf_bar[0].base, PREF_BASE + 0x40000); /* kept for the next time */
}

/* A PF's config space is put back as its user found it, but for its VFs: they are as they are now. */
static void test_put_back(void **state)
{
	static struct pci_saved before, during;

	(void)state;
	machine(1, 0x80, 2, 0x100000);
	scan();
	pci_save(pf, &before);
	assert_int_equal(pci_sriov_set(pf, 2), 0);
	pci_save(pf, &during);
	pci_restore(pf, &before);
	assert_true(model_get(fn, cap + PCI_SRIOV_CTRL, 2) & PCI_SRIOV_CTRL_VFE);
	assert_int_equal(model_get(fn, cap + PCI_SRIOV_NUM_VF, 2), 2);
	assert_int_equal(pci_sriov_set(pf, 0), 0);
	pci_restore(pf, &during);
	assert_false(model_get(fn, cap + PCI_SRIOV_CTRL, 2) & (PCI_SRIOV_CTRL_VFE | PCI_SRIOV_CTRL_MSE));
}

static unsigned vf_resets, pf_free;

static void on_vf_reset(struct model_fn *f, u16 off, unsigned size, u32 v)
{
	on_write(f, off, size, v);
	if (f == fn || off != f->pcie + PCI_EXP_DEVCTL || !(v & PCI_EXP_DEVCTL_BCR_FLR))
		return;
	vf_resets++;
	pf_free += mutex_trylock(&pf->lock);
}

/* A PF's reset takes its VFs away: one that is being reset keeps it waiting. */
static void test_reset_of_one(void **state)
{
	(void)state;
	machine(1, 0x80, 2, 0x100000);
	scan();
	assert_int_equal(pci_sriov_set(pf, 2), 0);
	model_on_write = on_vf_reset;
	assert_int_equal(pci_reset(pf->sriov->vf[1]), 0);
	assert_int_equal(vf_resets, 1);
	assert_int_equal(pf_free, 0);
	assert_int_equal(pci_reset(pf), 0);
	assert_int_equal(pci_sriov_set(pf, 0), 0);
}

static unsigned vf_reads;

static void on_vf_read(struct model_fn *f, u16)
{
	if (f == fn)
		return;
	vf_reads++;
	pf_free += mutex_trylock(&pf->lock);
}

/* Nor does it go away while it is looked at, to be put back later. */
static void test_save_of_one(void **state)
{
	static struct pci_saved s;

	(void)state;
	machine(1, 0x80, 2, 0x100000);
	scan();
	assert_int_equal(pci_sriov_set(pf, 2), 0);
	model_on_read = on_vf_read;
	pci_save_settled(pf->sriov->vf[1], &s);
	model_on_read = NULL;
	assert_true(vf_reads > 0);
	assert_int_equal(pf_free, 0);
	assert_int_equal(pci_sriov_set(pf, 0), 0);
}

static void test_not_allowed(void **state)
{
	static char line[] = "quiet";

	(void)state;
	options_init(line);
	machine(1, 0x80, 2, 0x100000);
	scan();
	assert_int_equal(pci_sriov_set(pf, 0), 0);
	assert_int_equal(pci_sriov_set(pf, 9), -ERANGE);
	assert_int_equal(pci_sriov_set(pf, 1), -ENOENT);
	nothing_left();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_come_and_go, setup),
		cmocka_unit_test_setup(test_all_or_nothing, setup),
		cmocka_unit_test_setup(test_no_room, setup),
		cmocka_unit_test_setup(test_addresses, setup),
		cmocka_unit_test_setup(test_firmware_placed, setup),
		cmocka_unit_test_setup(test_put_back, setup),
		cmocka_unit_test_setup(test_reset_of_one, setup),
		cmocka_unit_test_setup(test_save_of_one, setup),
		cmocka_unit_test_setup(test_not_allowed, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
