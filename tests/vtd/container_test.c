/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A container with groups under units of different abilities: one address space for the program and
 * every device, whatever tables each unit can read.  type1 and iommu/vtd on two software units.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "iommu/vtd/vtd.h"
#include "kernel/frames.h"
#include "kernel/mm.h"
#include "kernel/program.h"
#include "passthrough/type1.h"
#include "tests/host/host.h"
#include "tests/model/vtd_rig.h"

#define PAGES 2048u
#define RW (VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE)

static struct type1 *t;
static uaddr_t memory, argument;
static struct process program;

static void start(const struct vm_config *first, const struct vm_config *second)
{
	assert_int_equal(rig_start(first, second), 0);
	host_user_reset();
	memory = host_user_alloc(PAGES * SZ_4K);
	argument = host_user_alloc(SZ_4K);
	program.mm = host_mm();
	thread_current()->process = &program;
	assert_int_equal(vfio_type1_ops.open(VFIO_TYPE1v2_IOMMU, (void **)&t), 0);
}

static void end(void)
{
	for (enum rig_dev d = 0; d < RIG_DEVS; d++)
		if (rig_group[d].domain)
			vfio_type1_ops.detach_group(t, &rig_group[d]);
	assert_int_equal(t->ndomains, 0);
	vfio_type1_ops.release(t);
	host_user_reset();
	assert_int_equal(vtd_audit() + vfio_type1_audit(), 0);
	assert_int_equal(vm_counts.violations, 0);
}

static int attach(enum rig_dev d)
{
	return vfio_type1_ops.attach_group(t, &rig_group[d]);
}

static s64 map(u64 iova, u64 from, u64 pages)
{
	struct vfio_iommu_type1_dma_map m = { .argsz = sizeof(m), .flags = RW, .iova = iova,
					      .vaddr = memory + from * SZ_4K, .size = pages * SZ_4K };

	assert_int_equal(copy_to_user(argument, &m, sizeof(m)), 0);
	return vfio_type1_ops.ioctl(t, VFIO_IOMMU_MAP_DMA, argument);
}

static s64 unmap(u64 iova, u64 pages)
{
	struct type1_unmap_fixed u = { .argsz = sizeof(u), .iova = iova, .size = pages * SZ_4K };

	assert_int_equal(copy_to_user(argument, &u, sizeof(u)), 0);
	return vfio_type1_ops.ioctl(t, VFIO_IOMMU_UNMAP_DMA, argument);
}

static bool same_page(u64 iova)
{
	paddr_t a, b;

	return rig_dma(RIG_NIC, iova, true, &a) && rig_dma(RIG_CARD, iova, true, &b) && a == b;
}

/* Abilities of the second unit, one difference at a time; true: it needs tables of its own. */
static void differ(struct vm_config *c, unsigned i, bool *own)
{
	*own = true;
	switch (i) {
	case 0: c->sagaw = 2; c->width = 39; break; /* 3 levels */
	case 1: c->sagaw = 8; c->width = 57; break; /* 5 levels */
	case 2: c->large = 1; break;
	case 3: c->snoop = false; break;
	case 4: c->coherent = false; break;
	case 5: c->width = 42; break;
	case 6: c->sagaw = 6 | 8; c->width = 57; *own = false; break; /* can do what the first can, and more */
	case 7: c->caching_mode = true; *own = false; break;
	}
}

static void test_one_address_space(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		struct vm_config strong = rig_plain, other;
		struct iommu_geometry geo;
		paddr_t pa;
		bool own;

		strong.coherent = strong.snoop = true;
		other = strong;
		differ(&other, i, &own);
		start(&strong, &other);
		assert_int_equal(attach(RIG_NIC), 0);
		assert_int_equal(map(0x10000, 0, 16), 0);
		assert_int_equal(map(SZ_1G, 16, 1024), 0);
		assert_int_equal(attach(RIG_CARD), 0); /* both mappings are there at once */
		assert_int_equal(t->ndomains, own ? 2 : 1);
		assert_true(same_page(0x10000) && same_page(SZ_1G + 1023 * SZ_4K));
		assert_int_equal(map(0x200000, 1100, 3), 0);
		assert_true(same_page(0x202000));
		assert_int_equal(vfio_type1_audit() + vtd_audit(), 0);
		assert_int_equal(unmap(SZ_1G, 1024), 0);
		assert_false(rig_dma(RIG_NIC, SZ_1G, true, &pa));
		assert_false(rig_dma(RIG_CARD, SZ_1G, true, &pa));
		type1_geometry(t, &geo);
		assert_int_equal(geo.snoop, i != 3);
		assert_int_equal(vfio_type1_ops.check_extension(t, VFIO_DMA_CC_IOMMU), i != 3);
		assert_int_equal(geo.pgsizes, i == 2 ? 0x201000 : 0x40201000);
		assert_int_equal(geo.aperture_end, BIT(i == 0 ? 39 : i == 5 ? 42 : 48) - 1);
		assert_int_equal(t->range[t->nranges - 1].end, geo.aperture_end);
		/* Without the second group all is as before, the aperture too. */
		vfio_type1_ops.detach_group(t, &rig_group[RIG_CARD]);
		assert_int_equal(t->ndomains, 1);
		assert_int_equal(t->range[t->nranges - 1].end, BIT(48) - 1);
		assert_true(rig_dma(RIG_NIC, 0x200000, true, &pa));
		assert_false(rig_dma(RIG_CARD, 0x200000, true, &pa));
		end();
	}
}

/* The first group goes: the second one's domain stays, with everything in it. */
static void test_first_group_leaves(void **state)
{
	struct vm_config narrow = rig_plain;
	paddr_t pa;

	(void)state;
	narrow.sagaw = 2;
	narrow.width = 39;
	start(&rig_plain, &narrow);
	assert_int_equal(attach(RIG_NIC), 0);
	assert_int_equal(map(0x10000, 0, 16), 0);
	assert_int_equal(attach(RIG_CARD), 0);
	assert_int_equal(attach(RIG_NVME), 0); /* joins the first one's */
	assert_int_equal(t->ndomains, 2);
	vfio_type1_ops.detach_group(t, &rig_group[RIG_NIC]);
	vfio_type1_ops.detach_group(t, &rig_group[RIG_NVME]);
	assert_int_equal(t->ndomains, 1);
	assert_int_equal(map(0x40000, 32, 4), 0);
	assert_true(rig_dma(RIG_CARD, 0x43000, true, &pa) && rig_dma(RIG_CARD, 0x10000, true, &pa));
	end();
}

/* A mapping that the new unit cannot reach: the attach fails and nothing has changed. */
static void test_too_narrow(void **state)
{
	struct vm_config narrow = rig_plain;
	paddr_t pa;

	(void)state;
	narrow.sagaw = 2;
	narrow.width = 39;
	start(&rig_plain, &narrow);
	assert_int_equal(attach(RIG_NIC), 0);
	assert_int_equal(map(BIT(40), 0, 1), 0);
	assert_int_equal(attach(RIG_CARD), -EINVAL);
	assert_null(rig_group[RIG_CARD].domain);
	assert_int_equal(t->ndomains, 1);
	assert_true(rig_dma(RIG_NIC, BIT(40), true, &pa));
	assert_int_equal(unmap(BIT(40), 1), 0);
	assert_int_equal(attach(RIG_CARD), 0);
	assert_int_equal(map(BIT(40), 0, 1), -EINVAL);
	end();
}

/* Out of memory at any point of a map or an attach with replay: in all domains or in none. */
static void test_all_or_nothing(void **state)
{
	struct vm_config other = rig_plain;
	s64 r = -ENOMEM;
	paddr_t pa;

	(void)state;
	other.large = 0;
	start(&rig_plain, &other);
	assert_int_equal(attach(RIG_NIC), 0);
	assert_int_equal(map(SZ_1G, 0, 1024), 0);
	for (unsigned n = 1; r; n++) {
		host_alloc_fail_at(n);
		r = attach(RIG_CARD);
		host_alloc_fail_at(0);
		assert_true(r == 0 || r == -ENOMEM);
		assert_int_equal(rig_dma(RIG_CARD, SZ_1G, true, &pa), !r);
		assert_int_equal(t->ndomains, r ? 1 : 2);
	}
	r = -ENOMEM;
	for (unsigned n = 1; r; n++) {
		host_alloc_fail_at(n);
		r = map(7 * SZ_1G, 1024, 1024);
		host_alloc_fail_at(0);
		assert_true(r == 0 || r == -ENOMEM);
		assert_int_equal(rig_dma(RIG_NIC, 7 * SZ_1G, true, &pa), !r);
		assert_int_equal(rig_dma(RIG_CARD, 7 * SZ_1G, true, &pa), !r);
		assert_int_equal(vfio_type1_audit(), 0);
	}
	assert_false(t->failed);
	end();
}

/* The second domain's unit dies in the middle: nothing is left in the first one, and no page is freed. */
static void test_second_unit_fails(void **state)
{
	struct vm_config other = rig_plain;
	paddr_t pa, page;
	char touch;

	(void)state;
	other.large = 0;
	other.caching_mode = true;
	start(&rig_plain, &other);
	assert_int_equal(attach(RIG_NIC), 0);
	assert_int_equal(attach(RIG_CARD), 0);
	assert_int_equal(t->ndomains, 2);
	assert_int_equal(map(0x10000, 0, 1), 0);
	assert_true(rig_dma(RIG_NIC, 0x10000, true, &page));
	vm_fail(rig_unit[1], VM_SILENT, ~0u);
	assert_int_equal(copy_from_user(&touch, memory + SZ_4K, 1), 0);
	assert_int_equal(map(0x20000, 1, 1), -EIO);
	assert_false(rig_dma(RIG_NIC, 0x20000, true, &pa));
	assert_false(rig_command[0x400] & PCI_COMMAND_MASTER);
	assert_true(t->failed);
	vfio_type1_ops.detach_group(t, &rig_group[RIG_NIC]);
	vfio_type1_ops.detach_group(t, &rig_group[RIG_CARD]);
	vfio_type1_ops.release(t);
	host_user_reset();
	assert_true(frame_in_use(page));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_address_space),
		cmocka_unit_test(test_first_group_leaves),
		cmocka_unit_test(test_too_narrow),
		cmocka_unit_test(test_all_or_nothing),
		cmocka_unit_test(test_second_unit_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
