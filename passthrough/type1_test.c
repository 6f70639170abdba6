/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * type1 over an IOMMU that remembers: every page that the backend mapped and has not unmapped must
 * still be pinned when the program's memory goes, and none when it was unmapped.  A reference keeps
 * the list of mappings as plain ranges; random calls must agree with it, in both versions.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kernel/mm.h"
#include "kernel/program.h"
#include "kernel/pt.h"
#include "passthrough/type1.h"
#include "tests/host/host.h"

#define PAGES 256 /* of IOVA space that the tests use */
#define RW (VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE)

/* ---- an IOMMU of PAGES pages ---- */
static struct {
	paddr_t pa[PAGES]; /* 0: not mapped */
	unsigned prot[PAGES];
	unsigned fail_map, fail_unmap; /* n-th call from now fails; 0: none */
	int fail_with;
	unsigned flushes;
	bool attached;
} hw;

static int fake_create(struct pci_dev *dev, struct iommu_domain **out)
{
	(void)dev;
	*out = (struct iommu_domain *)&hw;
	return 0;
}
static void fake_destroy(struct iommu_domain *d)
{
	(void)d;
	for (unsigned i = 0; i < PAGES; i++)
		hw.pa[i] = 0;
}
static void fake_geometry(const struct iommu_domain *d, struct iommu_geometry *out)
{
	(void)d;
	*out = (struct iommu_geometry){ .aperture_end = (1ull << 48) - 1, .pgsizes = 0x40201000 };
}
static int fake_attach(struct iommu_domain *d, struct pci_dev *dev)
{
	(void)d;
	(void)dev;
	hw.attached = true;
	return 0;
}
static int fake_detach(struct iommu_domain *d, struct pci_dev *dev)
{
	(void)d;
	(void)dev;
	hw.attached = false;
	return 0;
}
static int fake_map(struct iommu_domain *d, iova_t iova, paddr_t pa, u64 size, unsigned prot)
{
	(void)d;
	if (hw.fail_map && --hw.fail_map == 0)
		return hw.fail_with;
	for (u64 i = 0; i < size / PAGE_SIZE; i++) {
		assert_int_equal(hw.pa[iova / PAGE_SIZE + i], 0);
		assert_true(frame_refs(pa + i * PAGE_SIZE) >= 2); /* the object's and the pin's */
		hw.pa[iova / PAGE_SIZE + i] = pa + i * PAGE_SIZE;
		hw.prot[iova / PAGE_SIZE + i] = prot;
	}
	return 0;
}
static int fake_unmap(struct iommu_domain *d, iova_t iova, u64 size)
{
	(void)d;
	hw.flushes++;
	if (hw.fail_unmap && --hw.fail_unmap == 0)
		return -EIO;
	for (u64 i = 0; i < size / PAGE_SIZE; i++) {
		paddr_t *pa = &hw.pa[iova / PAGE_SIZE + i];

		assert_true(!*pa || frame_in_use(*pa)); /* never unpinned before it is unmapped */
		*pa = 0;
	}
	return 0;
}
static bool fake_walk(const struct iommu_domain *d, iova_t iova, paddr_t *pa)
{
	(void)d;
	*pa = hw.pa[iova / PAGE_SIZE] + iova % PAGE_SIZE;
	return hw.pa[iova / PAGE_SIZE];
}
static int fake_usable(struct pci_dev *dev)
{
	(void)dev;
	return 0;
}
static unsigned fake_regions(struct pci_dev *dev, struct iommu_region *out, unsigned cap)
{
	(void)dev;
	if (cap)
		out[0] = (struct iommu_region){ 0xc0000, 0xc0fff, IOMMU_RESV_RESERVED };
	return 1;
}
static const struct iommu_ops fake_ops = {
	.name = "fake", .domain_create = fake_create, .domain_destroy = fake_destroy,
	.domain_geometry = fake_geometry, .attach_dev = fake_attach, .detach_dev = fake_detach, .map = fake_map,
	.unmap = fake_unmap, .iova_to_phys = fake_walk, .usable = fake_usable, .regions = fake_regions,
};

/* ---- the rig ---- */
static struct pci_dev dev = { .name = "0000:01:00.0" };
static struct iommu_group group = { .ndevs = 1, .dev = { &dev } };
static struct type1 *t;
static uaddr_t memory; /* PAGES pages of the program */
static uaddr_t argument;
static struct process program;

static int setup_type(u64 type)
{
	host_init();
	memset(&hw, 0, sizeof(hw));
	hw.fail_with = -ENOMEM;
	iommu_register(&fake_ops);
	group.domain = NULL;
	memory = host_user_alloc(PAGES * PAGE_SIZE);
	argument = host_user_alloc(PAGE_SIZE);
	program.mm = host_mm();
	thread_current()->process = &program;
	assert_int_equal(vfio_type1_ops.open(type, (void **)&t), 0);
	assert_int_equal(vfio_type1_ops.attach_group(t, &group), 0);
	return 0;
}
static int setup_v1(void **state)
{
	(void)state;
	return setup_type(VFIO_TYPE1_IOMMU);
}
static int setup_v2(void **state)
{
	(void)state;
	return setup_type(VFIO_TYPE1v2_IOMMU);
}
static int teardown(void **state)
{
	(void)state;
	vfio_type1_ops.detach_group(t, &group);
	vfio_type1_ops.release(t);
	host_user_reset();
	return 0;
}

static s64 call(u32 nr, void *arg, size_t size)
{
	s64 ret;

	assert_int_equal(copy_to_user(argument, arg, size), 0);
	ret = vfio_type1_ops.ioctl(t, nr, argument);
	assert_int_equal(copy_from_user(arg, argument, size), 0);
	return ret;
}

static s64 map(u64 iova_page, u64 pages, u64 from_page, u32 flags)
{
	struct vfio_iommu_type1_dma_map m = { .argsz = sizeof(m), .flags = flags, .iova = iova_page * PAGE_SIZE,
					      .vaddr = memory + from_page * PAGE_SIZE, .size = pages * PAGE_SIZE };

	return call(VFIO_IOMMU_MAP_DMA, &m, sizeof(m));
}

static s64 unmap(u64 iova_page, u64 pages, u64 *bytes)
{
	struct type1_unmap_fixed u = { .argsz = sizeof(u), .iova = iova_page * PAGE_SIZE, .size = pages * PAGE_SIZE };
	s64 ret = call(VFIO_IOMMU_UNMAP_DMA, &u, sizeof(u));

	*bytes = u.size;
	return ret;
}

/* ---- random calls against plain ranges ---- */
static struct {
	unsigned start, pages, from;
	bool live;
} ref[PAGES];

static bool overlaps(unsigned i, u64 start, u64 pages)
{
	return ref[i].live && ref[i].start < start + pages && start < ref[i].start + ref[i].pages;
}

static void try_map(void)
{
	u64 start = (u64)rand() % PAGES, pages = 1 + (u64)rand() % 8, from = (u64)rand() % (PAGES - 8);
	int want = 0, slot = -1;

	if (start + pages > PAGES)
		pages = PAGES - start;
	for (unsigned i = 0; i < PAGES; i++) {
		if (overlaps(i, start, pages))
			want = -EEXIST;
		if (!ref[i].live)
			slot = (int)i;
	}
	if (!want && start <= 0xc0 && start + pages > 0xc0)
		want = -EINVAL; /* the reserved page */
	assert_int_equal(map(start, pages, from, RW), want);
	if (want)
		return;
	ref[slot].start = (unsigned)start;
	ref[slot].pages = (unsigned)pages;
	ref[slot].from = (unsigned)from;
	ref[slot].live = true;
}

static void try_unmap(bool v2)
{
	u64 start = (u64)rand() % PAGES, pages = 1 + (u64)rand() % 24, got = ~0ull, want = 0;
	bool head = false, tail = false;

	for (unsigned i = 0; i < PAGES; i++) {
		head |= overlaps(i, start, 1) && ref[i].start < start;
		tail |= overlaps(i, start + pages - 1, 1) && ref[i].start + ref[i].pages > start + pages;
	}
	if (v2 && (head || tail)) {
		assert_int_equal(unmap(start, pages, &got), -EINVAL);
		return;
	}
	for (unsigned i = 0; i < PAGES && !head; i++) {
		if (!overlaps(i, start, pages))
			continue;
		want += ref[i].pages * PAGE_SIZE;
		ref[i].live = false;
	}
	assert_int_equal(unmap(start, pages, &got), 0);
	assert_int_equal(got, want);
}

static void compare(void)
{
	paddr_t want[PAGES] = { 0 };
	unsigned live = 0;

	for (unsigned i = 0; i < PAGES; i++) {
		live += ref[i].live;
		for (unsigned k = 0; ref[i].live && k < ref[i].pages; k++) {
			struct mm_page page;
			uaddr_t at = memory + (ref[i].from + k) * PAGE_SIZE;
			char touch;

			assert_int_equal(copy_from_user(&touch, at, 1), 0);
			assert_true(mm_peek(host_mm(), at, &page));
			want[ref[i].start + k] = page.pa + (at - page.addr);
		}
	}
	for (unsigned i = 0; i < PAGES; i++)
		assert_int_equal(hw.pa[i], want[i]);
	assert_int_equal(t->avail, t->limit - live);
	assert_int_equal(vfio_type1_audit(), 0);
}

static void random_calls(bool v2)
{
	memset(ref, 0, sizeof(ref));
	srand(v2 ? 2 : 1);
	for (unsigned i = 0; i < 3000; i++) {
		if (rand() % 3)
			try_map();
		else
			try_unmap(v2);
		if (i % 16 == 0)
			compare();
	}
	compare();
}
static void test_random_v1(void **state)
{
	(void)state;
	random_calls(false);
}
static void test_random_v2(void **state)
{
	(void)state;
	random_calls(true);
}

/* A map that fails anywhere leaves nothing: not in the IOMMU, not pinned, not counted. */
static void test_map_fails_anywhere(void **state)
{
	u64 bytes;

	(void)state;
	assert_int_equal(map(0, 64, 0, RW), 0);
	assert_int_equal(unmap(0, 64, &bytes), 0);
	for (unsigned n = 1;; n++) {
		u64 before = frames_free();
		s64 ret;

		host_alloc_fail_at(n);
		ret = map(0, 64, 0, RW);
		host_alloc_fail_at(0);
		if (!ret)
			break;
		assert_int_equal(ret, -ENOMEM);
		assert_int_equal(frames_free(), before);
		assert_int_equal(t->avail, t->limit);
	}
	assert_int_equal(unmap(0, 64, &bytes), 0);
	hw.fail_map = 1;
	assert_int_equal(map(0, 64, 0, RW), -ENOMEM);
	for (unsigned i = 0; i < PAGES; i++)
		assert_int_equal(hw.pa[i], 0);
}

/* After a failed invalidation the pages stay pinned, whatever the program does. */
static void failed_keeps_pages(bool at_unmap)
{
	struct mm_page page;
	u64 bytes;

	if (at_unmap)
		assert_int_equal(map(8, 1, 3, RW), 0);
	assert_int_equal(copy_to_user(memory + 3 * PAGE_SIZE, "x", 1), 0);
	assert_true(mm_peek(host_mm(), memory + 3 * PAGE_SIZE, &page));
	hw.fail_unmap = hw.fail_map = 1;
	hw.fail_with = -EIO;
	assert_int_equal(at_unmap ? unmap(8, 1, &bytes) : map(8, 1, 3, RW), -EIO);
	assert_int_equal(mm_unmap(host_mm(), memory, PAGES * PAGE_SIZE), 0);
	assert_true(frame_refs(page.pa) >= 1);
}
static void test_failed_unmap(void **state)
{
	(void)state;
	failed_keeps_pages(true);
}
static void test_failed_map(void **state)
{
	(void)state;
	failed_keeps_pages(false);
}

/* The pages outlive the program's own mapping, and go with the last group. */
static void test_pages_live_as_long_as_the_mapping(void **state)
{
	u64 before;

	(void)state;
	assert_int_equal(map(0, 16, 0, RW), 0);
	before = frames_free();
	assert_int_equal(mm_unmap(host_mm(), memory, PAGES * PAGE_SIZE), 0);
	for (unsigned i = 0; i < 16; i++)
		assert_true(frame_in_use(hw.pa[i]));
	vfio_type1_ops.detach_group(t, &group);
	assert_false(hw.attached);
	vfio_type1_ops.release(t);
	assert_true(frames_free() > before);
	assert_int_equal(vfio_type1_ops.open(VFIO_TYPE1v2_IOMMU, (void **)&t), 0);
	assert_int_equal(vfio_type1_ops.attach_group(t, &group), 0);
}

static void test_permissions_are_exact(void **state)
{
	(void)state;
	assert_int_equal(map(0, 1, 0, VFIO_DMA_MAP_FLAG_READ), 0);
	assert_int_equal(map(1, 1, 1, VFIO_DMA_MAP_FLAG_WRITE), 0);
	assert_int_equal(hw.prot[0], PT_READ);
	assert_int_equal(hw.prot[1], PT_WRITE);
}

/* A range over many mappings is one flush. */
static void test_one_flush(void **state)
{
	u64 bytes;

	(void)state;
	for (unsigned i = 0; i < 50; i++)
		assert_int_equal(map(2 * i, 1, i, RW), 0);
	hw.flushes = 0;
	assert_int_equal(unmap(0, 100, &bytes), 0);
	assert_int_equal(bytes, 50 * PAGE_SIZE);
	assert_int_equal(hw.flushes, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_random_v1, setup_v1, teardown),
		cmocka_unit_test_setup_teardown(test_random_v2, setup_v2, teardown),
		cmocka_unit_test_setup_teardown(test_map_fails_anywhere, setup_v2, teardown),
		cmocka_unit_test_setup_teardown(test_failed_unmap, setup_v2, teardown),
		cmocka_unit_test_setup_teardown(test_failed_map, setup_v2, teardown),
		cmocka_unit_test_setup_teardown(test_pages_live_as_long_as_the_mapping, setup_v2, teardown),
		cmocka_unit_test_setup_teardown(test_permissions_are_exact, setup_v2, teardown),
		cmocka_unit_test_setup_teardown(test_one_flush, setup_v2, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
