/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random sequences of attach, detach, map, unmap, DMA and interrupts on the software unit, which
 * forgets nothing, against a reference that knows at each moment what is mapped: a device reaches
 * exactly that, and between any two steps of the driver never anything but the pool.
 *
 * The machines it runs on are in random_test.c.
 */
#include "tests/vtd/random.h"

#include <stdio.h>
#include <stdlib.h>

#include "kernel/options.h"

#define DOMAINS 3
#define DEVS 5                  /* RIG_ME is left out */
#define WINDOW 1024u            /* pages in each of two windows of addresses */
#define PAGES (2 * WINDOW)
#define POOL 4u                 /* 2 MiB frames that get mapped */
#define IRQS 12
#define STEPS_PRESET 5000       /* for each machine */

static const iova_t window[2] = { 0, 0x2ffe00000ull }; /* the second one crosses a GiB */
static paddr_t pool[POOL];
static struct iommu_domain *dom[DOMAINS];
static struct { paddr_t pa; unsigned prot; } ref[DOMAINS][PAGES];
static int home[DEVS];          /* domain of each device, -1: blocked */
static struct { struct iommu_irte *e; struct msi_msg m; struct irq irq; int dev; } irqs[IRQS];
static bool first_stage; /* which has no write-only entries */
static bool remapped; /* the first unit remaps interrupts */
static u64 state, step, reached, refused;

static u64 rnd(u64 n)
{
	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return (state >> 33) % n;
}

static iova_t iova_of(unsigned page)
{
	return window[page / WINDOW] + SZ_4K * (page % WINDOW);
}

static bool in_pool(paddr_t pa)
{
	for (unsigned i = 0; i < POOL; i++)
		if (pa - pool[i] < SZ_2M)
			return true;
	return false;
}

static void check(bool ok, const char *what)
{
	if (ok && !vm_counts.violations)
		return;
	printf("step %llu: %s; violations %llu, last: %s\n", (unsigned long long)step, what,
	       (unsigned long long)vm_counts.violations, vm_counts.what);
	fail();
}

/* Runs between any two writes that the unit can tell apart: whatever it sees then, it remembers. */
static void between(void)
{
	unsigned d = (unsigned)rnd(DEVS);
	paddr_t pa;
	u32 dest;
	u8 vector;

	check(!vm_dma(rig_unit[0], (u16)(0x102 + rnd(64)), 0, true, &pa), "a device that is not there reached memory");
	check(!vm_msi(rig_unit[remapped ? rnd(2) : 1], 0xfff8, 0xfee00010 | (1 + rnd(IRQS + 1)) << 5, 0, &dest, &vector),
	      "in the middle of a change a forged interrupt came through");
	/* For some time units forget often, so that entries are read in every half-made state. */
	if (step % 1000 < 300 && rnd(4) == 0) {
		vm_forget_caches(rig_unit[0]);
		vm_forget_caches(rig_unit[1]);
		for (d = 0; d < DEVS; d++)
			if (rig_dma(d, iova_of((unsigned)rnd(PAGES)), true, &pa))
				check(in_pool(pa), "in the middle of a change a device reached memory that is nobody's");
		return;
	}
	if (rnd(4) == 0 && rig_dma(d, iova_of((unsigned)rnd(PAGES)), rnd(2), &pa))
		check(in_pool(pa), "in the middle of a change a device reached memory that is nobody's");
}

static void do_dma(void)
{
	unsigned d = (unsigned)rnd(DEVS), page = (unsigned)rnd(PAGES);
	u64 off = rnd(SZ_4K);
	bool write = rnd(2), may, got;
	paddr_t pa;

	/* Rather where something is, or was. */
	for (unsigned i = 0; i < 8 && home[d] >= 0 && !ref[home[d]][page].prot; i++)
		page = (unsigned)rnd(PAGES);
	may = home[d] >= 0 && ref[home[d]][page].prot & (write ? PT_WRITE : PT_READ);
	got = rig_dma(d, iova_of(page) + off, write, &pa);
	check(got == may, got ? "a device reached what is not mapped" : "a device did not reach what is mapped");
	check(!got || pa == ref[home[d]][page].pa + off, "a device reached another page than the mapped one");
	reached += got;
	refused += !got;
}

static unsigned pick_range(unsigned *page)
{
	unsigned n = rnd(3) ? 1 + (unsigned)rnd(6) : 1 + (unsigned)rnd(WINDOW);

	*page = (unsigned)rnd(PAGES);
	if (rnd(4) == 0) { /* a place for a large leaf */
		*page = 512 * (unsigned)rnd(PAGES / 512);
		n = 512;
	}
	return MIN(n, WINDOW - *page % WINDOW);
}

static void do_map(void)
{
	unsigned d = (unsigned)rnd(DOMAINS), page, n = pick_range(&page);
	unsigned prot = first_stage ? PT_READ | (unsigned)rnd(2) * PT_WRITE : 1 + (unsigned)rnd(3);
	bool taken = false;
	paddr_t pa;

	n = MIN(n, 512u);
	pa = pool[rnd(POOL)] + (n == 512 ? 0 : SZ_4K * rnd(512 - n));
	for (unsigned i = 0; i < n; i++)
		taken |= ref[d][page + i].prot;
	check(vtd_map(dom[d], iova_of(page), pa, SZ_4K * n, prot) == (taken ? -EEXIST : 0), "map");
	for (unsigned i = 0; i < n && !taken; i++) {
		ref[d][page + i].pa = pa + SZ_4K * i;
		ref[d][page + i].prot = prot;
	}
}

static void do_unmap(void)
{
	unsigned d = (unsigned)rnd(DOMAINS), page, n = pick_range(&page), flying = 0;

	check(vtd_unmap(dom[d], iova_of(page), SZ_4K * n) == 0, "unmap");
	for (unsigned i = 0; i < n; i++)
		ref[d][page + i].prot = 0;
	for (unsigned v = 0; v < DEVS; v++)
		if (home[v] == (int)d)
			flying += vm_in_flight(rig_unit_of(v), pci_rid(rig_dev[v]), iova_of(page), SZ_4K * n);
	check(!flying, "unmapped, and requests are still in flight");
}

static void do_attach(void)
{
	unsigned v = (unsigned)rnd(DEVS), d = (unsigned)rnd(DOMAINS);

	if (home[v] < 0) {
		check(vtd_attach_dev(dom[d], rig_dev[v]) == 0, "attach");
		home[v] = (int)d;
		rig_group[v].domain = dom[d];
		return;
	}
	check(vtd_detach_dev(dom[home[v]], rig_dev[v]) == 0, "detach");
	home[v] = -1;
	rig_group[v].domain = NULL;
	check(!vm_in_flight(rig_unit_of(v), pci_rid(rig_dev[v]), 0, ~0ull), "detached, and requests are still in flight");
}

/* Only ATS notices. */
static void do_reset(void)
{
	unsigned v = (unsigned)rnd(DEVS);
	bool ats = rig_dev[v]->ats && home[v] >= 0;

	pci_above.reset(rig_dev[v], true);
	check(!rig_ats[pci_rid(rig_dev[v])], "ATS is on during a reset");
	do_unmap();
	pci_above.reset(rig_dev[v], false);
	check(!rig_ats[pci_rid(rig_dev[v])] == !ats, "ATS after a reset");
}

static void do_irq(void)
{
	unsigned i = (unsigned)rnd(IRQS), cpu = (unsigned)rnd(host_cpus);
	struct vm_unit *u;
	u32 dest;
	u8 vector;

	if (!irqs[i].e) {
		irqs[i].dev = remapped ? (int)rnd(DEVS) : RIG_CARD;
		irqs[i].irq.cpu = cpu;
		irqs[i].irq.vector = (u8)(0x40 + rnd(64));
		check(vtd_irq_map(rig_dev[irqs[i].dev], &irqs[i].irq, 1, &irqs[i].e, &irqs[i].m) == 0, "irq_map");
	}
	u = rig_unit_of((enum rig_dev)irqs[i].dev);
	check(vm_msi(u, pci_rid(rig_dev[irqs[i].dev]), irqs[i].m.addr, irqs[i].m.data, &dest, &vector) &&
	      dest == arch_cpu_apic_id(irqs[i].irq.cpu) && vector == irqs[i].irq.vector, "interrupt");
	check(!vm_msi(u, 0xfff8, irqs[i].m.addr, irqs[i].m.data, &dest, &vector), "forged interrupt");
	if (rnd(2)) {
		irqs[i].irq.cpu = cpu;
		irqs[i].irq.vector = (u8)(0x40 + rnd(64));
		check(vtd_irq_retarget(irqs[i].e, 0, &irqs[i].irq) == 0, "retarget");
		check(vm_msi(u, pci_rid(rig_dev[irqs[i].dev]), irqs[i].m.addr, irqs[i].m.data, &dest, &vector) &&
		      dest == arch_cpu_apic_id(cpu) && vector == irqs[i].irq.vector, "moved interrupt");
	} else if (rnd(2)) {
		vtd_irq_unmap(irqs[i].e);
		irqs[i].e = NULL;
		check(!vm_msi(u, pci_rid(rig_dev[irqs[i].dev]), irqs[i].m.addr, irqs[i].m.data, &dest, &vector),
		      "interrupt of an entry that is gone");
	}
}

static void one_step(void)
{
	u64 what = rnd(100);

	if (what < 55)
		do_dma();
	else if (what < 70)
		do_map();
	else if (what < 84)
		do_unmap();
	else if (what < 90)
		do_attach();
	else if (what < 91)
		do_reset();
	else
		do_irq();
	vm_deliver(rig_unit[0]);
	vm_deliver(rig_unit[1]);
	check(true, "model");
}

void random_run(const struct vm_config *first, const struct vm_config *second, const char *options)
{
	static char kept[64];
	u64 steps = getenv("VTD_STEPS") ? strtoull(getenv("VTD_STEPS"), NULL, 0) : STEPS_PRESET, free_before;

	state += getenv("VTD_SEED") ? strtoull(getenv("VTD_SEED"), NULL, 0) : 1;
	snprintf(kept, sizeof(kept), "%s", options);
	options_init(kept);
	host_cpus = 4;
	assert_int_equal(rig_start(first, second), 0);
	remapped = !first->no_queue;
	first_stage = first->first_only;
	assert_int_equal(vtd_dev_of(rig_dev[RIG_NIC])->unit->caps.scalable, first->scalable);
	assert_int_equal(vtd_dev_of(rig_dev[RIG_NIC])->unit->caps.first_stage, first->first_only);
	for (unsigned i = 0; i < POOL; i++)
		pool[i] = frame_alloc(SZ_2M);
	free_before = frames_free();
	memset(ref, 0, sizeof(ref));
	for (unsigned i = 0; i < DOMAINS; i++)
		assert_int_equal(vtd_domain_create(rig_dev[RIG_NIC], &dom[i]), 0);
	for (unsigned i = 0; i < DEVS; i++)
		home[i] = -1;
	vm_between = between;
	for (step = 0; step < steps; step++) {
		one_step();
		if (step % 1000 == 999)
			assert_int_equal(vtd_audit(), 0);
	}
	assert_true(reached > steps / 20 && refused > steps / 20);
	for (unsigned i = 0; i < DEVS; i++)
		if (home[i] >= 0)
			assert_int_equal(vtd_detach_dev(dom[home[i]], rig_dev[i]), 0);
	for (unsigned i = 0; i < IRQS; i++) {
		if (irqs[i].e)
			vtd_irq_unmap(irqs[i].e);
		irqs[i].e = NULL;
	}
	for (unsigned i = 0; i < DOMAINS; i++)
		vtd_domain_destroy(dom[i]);
	assert_int_equal(vtd_audit(), 0);
	/* Only context tables stay: at most one per bus that was attached. */
	assert_true(free_before - frames_free() <= 8 * SZ_4K);
	for (unsigned i = 0; i < POOL; i++)
		frame_put(pool[i]);
	reached = refused = 0;
	host_cpus = 1;
	kept[0] = 0;
	options_init(kept);
}
