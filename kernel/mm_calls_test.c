/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Address spaces, one behaviour each: errors, large pages, the heap, growth, what partial unmapping
 * gives back, and memory that runs out at every single request.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include <linux/mman.h>

#include "kernel/frames_records.h"
#include "kernel/mm.h"
#include "kernel/pt.h"
#include "tests/host/host.h"

#define AT 0x200000000ull
#define RW (PROT_READ | PROT_WRITE)

static struct mm *mm;
static u64 before;

static s64 map_anon(uaddr_t addr, u64 len, int prot, int flags)
{
	return host_map(mm, addr, len, prot, flags, NULL, 0);
}

static int setup(void **state)
{
	(void)state;
	host_init();
	for (size_t n = 16; n <= 2016; n += 16)
		kfree(kmalloc(n));
	before = frames_free();
	mm = mm_create();
	host_set_mm(mm);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	host_alloc_fail_at(0);
	host_user_reset();
	return frames_free() == before ? 0 : -1;
}

static void test_errors(void **state)
{
	struct pin *pin;
	char c = 0;

	(void)state;
	assert_int_equal(map_anon(AT, 0, RW, 0), -EINVAL);
	assert_int_equal(map_anon(AT + 8, SZ_4K, RW, MAP_FIXED), -EINVAL);
	assert_int_equal(map_anon(0, SZ_4K, RW, MAP_FIXED), -EPERM);
	assert_int_equal(map_anon(MM_HIGH - SZ_4K, 2 * SZ_4K, RW, MAP_FIXED), -ENOMEM);
	assert_int_equal(map_anon(AT, SZ_4K, 0x100, 0), -EINVAL);
	assert_int_equal(map_anon(AT, 3 * SZ_4K, RW, MAP_FIXED), AT);
	assert_int_equal(map_anon(AT + SZ_4K, SZ_4K, RW, MAP_FIXED_NOREPLACE), -EEXIST);
	assert_int_equal(map_anon(AT + 3 * SZ_4K, SZ_4K, RW, MAP_FIXED_NOREPLACE), AT + 3 * SZ_4K);
	assert_int_not_equal(map_anon(AT + SZ_4K, SZ_4K, RW, 0), AT + SZ_4K); /* only a hint */
	assert_int_equal(mm_unmap(mm, AT + 1, SZ_4K), -EINVAL);
	assert_int_equal(mm_unmap(mm, AT, 0), -EINVAL);
	assert_int_equal(mm_unmap(mm, MM_HIGH, SZ_4K), -EINVAL);
	assert_int_equal(mm_unmap(mm, AT, ~0ull), -EINVAL);
	assert_int_equal(mm_unmap(mm, AT - SZ_1G, SZ_4K), 0);
	assert_int_equal(mm_protect(mm, AT, 5 * SZ_4K, PROT_READ), -ENOMEM);
	assert_int_equal(mm_protect(mm, AT, SZ_4K, 0x100), -EINVAL);
	assert_int_equal(mm_protect(mm, AT + SZ_4K, SZ_4K, PROT_READ), 0);
	assert_int_equal(copy_to_user(AT + SZ_4K - 1, &c, 1), 0);
	assert_int_equal(copy_to_user(AT + SZ_4K, &c, 1), -EFAULT);
	assert_int_equal(copy_from_user(&c, AT + SZ_4K, 1), 0);
	assert_int_equal(mm_fault(mm, AT, ARCH_FAULT_EXEC), -EFAULT);
	assert_int_equal(mm_fault(mm, ~0ull, ARCH_FAULT_READ), -EFAULT);
	assert_int_equal(mm_pin(mm, AT, 4 * SZ_4K, true, &pin), -EFAULT);
	assert_int_equal(mm_pin(mm, AT, 5 * SZ_4K, false, &pin), -EFAULT);
	assert_int_equal(mm_pin(mm, AT + 1, SZ_4K, false, &pin), -EINVAL);
	assert_int_equal(mm_pin(mm, ~0ull << 12, SZ_4K, false, &pin), -EFAULT);
	assert_int_equal(mm_advise(mm, AT, SZ_4K, 12345), -EINVAL);
	assert_int_equal(mm_remap(mm, AT, SZ_4K, MM_HIGH * 2, MREMAP_MAYMOVE, 0), -ENOMEM);
	assert_int_equal(mm_remap(mm, AT, 0, SZ_4K, MREMAP_MAYMOVE, 0), -EINVAL);
	assert_int_equal(mm_remap(mm, AT, SZ_4K * 4, SZ_4K * 5, MREMAP_MAYMOVE, 0), -EFAULT);
	host_efault_at(1);
	assert_int_equal(copy_from_user(&c, AT, 1), -EFAULT);
	assert_int_equal(copy_from_user(&c, AT, 1), 0);
}

/* A page that is pinned as often as can be counted: the pin is refused, and nothing of it is kept. */
static void test_pinned_too_often(void **state)
{
	struct pin *pin;
	struct pin_run run;
	u64 pos = 0;
	u32 *refs, before;

	(void)state;
	assert_int_equal(map_anon(AT, 3 * SZ_4K, RW, MAP_FIXED), AT);
	assert_int_equal(mm_pin(mm, AT, 3 * SZ_4K, true, &pin), 0);
	while (pos <= SZ_4K)
		assert_true(pin_next(pin, &pos, &run));
	run.pa += run.len - (pos - SZ_4K); /* the second page */
	refs = &frame_split_of(frame_record(run.pa))->refs[frame_page(run.pa)];
	before = *refs;
	*refs = FRAME_REFS_MAX;
	assert_int_equal(mm_pin(mm, AT, 3 * SZ_4K, true, &pin), -ENOMEM);
	assert_int_equal(mm_pin(mm, AT + SZ_4K, SZ_4K, true, &pin), -ENOMEM);
	assert_int_equal(*refs, FRAME_REFS_MAX);
	*refs = before;
	pin_release(pin);
}

static void test_large_pages(void **state)
{
	s64 at = map_anon(0, 4 * SZ_2M, RW, 0);
	struct pt_leaf leaf;

	(void)state;
	assert_true(at > 0 && IS_ALIGNED(at, SZ_2M) && (u64)at + 4 * SZ_2M <= MM_MMAP_TOP);
	assert_int_equal(clear_user((uaddr_t)at + 5, 1), 0);
	assert_true(pt_lookup(mm_pt(mm), (u64)at, &leaf) && leaf.size == SZ_2M);
	assert_true(IS_ALIGNED(leaf.pa, SZ_2M));
	assert_int_equal(mm_advise(mm, (u64)at, 4 * SZ_2M, MADV_NOHUGEPAGE), 0);
	assert_int_equal(clear_user((uaddr_t)at + SZ_2M, 1), 0);
	assert_true(pt_lookup(mm_pt(mm), (u64)at + SZ_2M, &leaf) && leaf.size == SZ_4K);
	/* A piece of a 2 MiB page goes: its memory comes back only with the rest of it. */
	assert_int_equal(mm_unmap(mm, (u64)at + SZ_4K, SZ_4K), 0);
	assert_int_equal(clear_user((uaddr_t)at, 1), 0);
	assert_true(pt_lookup(mm_pt(mm), (u64)at, &leaf) && leaf.size == SZ_4K);
	assert_false(pt_lookup(mm_pt(mm), (u64)at + SZ_4K, &leaf));
}

/* Partial unmapping and MADV_DONTNEED give memory back while the object lives on. */
static void test_partial(void **state)
{
	s64 at = map_anon(0, 64 * SZ_2M, RW, 0);
	u64 full, free;

	(void)state;
	assert_true(at > 0);
	assert_int_equal(clear_user((uaddr_t)at, 64 * SZ_2M), 0);
	full = frames_free();
	assert_int_equal(mm_unmap(mm, (u64)at + SZ_2M, 32 * SZ_2M), 0);
	free = frames_free();
	assert_true(free >= full + 32 * SZ_2M);
	assert_int_equal(mm_advise(mm, (u64)at + 40 * SZ_2M, 10 * SZ_2M, MADV_DONTNEED), 0);
	assert_true(frames_free() >= free + 10 * SZ_2M);
}

static u64 peek_u64(uaddr_t at)
{
	u64 v = 0xbad;

	assert_int_equal(copy_from_user(&v, at, sizeof(v)), 0);
	return v;
}

static void poke_u64(uaddr_t at, u64 v)
{
	assert_int_equal(copy_to_user(at, &v, sizeof(v)), 0);
}

static void test_heap(void **state)
{
	uaddr_t start = 0x400800;
	struct pt_leaf leaf;
	unsigned areas = 0;
	struct mm_vma_info v;
	uaddr_t at = 0;

	(void)state;
	mm_brk_init(mm, start);
	assert_int_equal(mm_brk(mm, 0), start);
	for (u64 size = 0x1000; size < 8 * SZ_2M; size += 0x21000)
		assert_int_equal(mm_brk(mm, start + size), start + size);
	while (mm_next_vma(mm, &at, &v))
		areas++;
	assert_int_equal(areas, 1); /* grown in place */
	poke_u64(start + 5 * SZ_2M, 77);
	assert_true(pt_lookup(mm_pt(mm), start + 5 * SZ_2M, &leaf) && leaf.size == SZ_2M);
	assert_int_equal(mm_brk(mm, start + 5 * SZ_2M - 8), start + 5 * SZ_2M - 8);
	assert_int_equal(copy_to_user(start + 5 * SZ_2M, &at, 1), 0); /* same page */
	assert_int_equal(mm_brk(mm, start + 4 * SZ_2M), start + 4 * SZ_2M);
	assert_int_equal(mm_brk(mm, start + 6 * SZ_2M), start + 6 * SZ_2M);
	assert_int_equal(peek_u64(start + 5 * SZ_2M), 0); /* fresh memory */
	for (at = 0, areas = 0; mm_next_vma(mm, &at, &v);)
		areas++;
	assert_int_equal(areas, 1); /* and still in place */
	assert_int_equal(mm_brk(mm, start - 1), start + 6 * SZ_2M);
	assert_int_equal(map_anon(start + 0x7ff800 + 6 * SZ_2M, SZ_4K, RW, MAP_FIXED), start + 0x7ff800 + 6 * SZ_2M);
	assert_int_equal(mm_brk(mm, start + 20 * SZ_2M), start + 6 * SZ_2M); /* something is in the way */
	assert_int_equal(mm_brk(mm, start), start);
}

/* A part of the heap that was moved away keeps its pages for itself when the heap grows again. */
static void test_heap_moved_part(void **state)
{
	uaddr_t start = 0x400000;

	(void)state;
	mm_brk_init(mm, start);
	assert_int_equal(mm_brk(mm, start + 8 * SZ_4K), start + 8 * SZ_4K);
	assert_int_equal(mm_remap(mm, start + 4 * SZ_4K, 4 * SZ_4K, 4 * SZ_4K, MREMAP_MAYMOVE | MREMAP_FIXED, AT), AT);
	poke_u64(AT + SZ_4K, 17);
	assert_int_equal(mm_brk(mm, start + 3 * SZ_4K), start + 3 * SZ_4K);
	assert_int_equal(mm_brk(mm, start + 8 * SZ_4K), start + 8 * SZ_4K);
	assert_int_equal(peek_u64(start + 5 * SZ_4K), 0);
	assert_int_equal(peek_u64(AT + SZ_4K), 17);
	assert_int_equal(mm_unmap(mm, AT, 4 * SZ_4K), 0);
	poke_u64(start + 5 * SZ_4K, 18);
	assert_int_equal(peek_u64(start + 5 * SZ_4K), 18);
}

static void test_remap(void **state)
{
	s64 at = map_anon(AT, 3 * SZ_4K, RW, MAP_FIXED), to;

	(void)state;
	poke_u64(AT + 2 * SZ_4K, 5);
	assert_int_equal(mm_remap(mm, AT, 3 * SZ_4K, 9 * SZ_4K, 0, 0), at); /* in place */
	assert_int_equal(peek_u64(AT + 8 * SZ_4K), 0);
	assert_int_equal(map_anon(AT + 9 * SZ_4K, SZ_4K, RW, MAP_FIXED), AT + 9 * SZ_4K);
	assert_int_equal(mm_remap(mm, AT, 9 * SZ_4K, 3 * SZ_2M, 0, 0), -ENOMEM);
	to = mm_remap(mm, AT, 9 * SZ_4K, 3 * SZ_2M, MREMAP_MAYMOVE, 0);
	assert_true(to > 0 && to != at);
	assert_int_equal(peek_u64((u64)to + 2 * SZ_4K), 5);
	assert_int_equal(peek_u64((u64)to + 2 * SZ_2M), 0);
	assert_int_equal(copy_from_user(&at, AT, 1), -EFAULT);
	assert_int_equal(mm_remap(mm, (u64)to, 3 * SZ_2M, SZ_4K * 3, 0, 0), to); /* shrink */
	assert_int_equal(peek_u64((u64)to + 2 * SZ_4K), 5);
	assert_int_equal(copy_from_user(&at, (u64)to + 3 * SZ_4K, 1), -EFAULT);
}

/* One long life with the n-th request for memory refused, for every n. */
static int life(void)
{
	struct mobj *obj = NULL;
	struct pin *pin = NULL;
	struct mm *own = mm_create();
	int err = -ENOMEM;
	s64 at;

	if (!own)
		return -ENOMEM;
	mm = own;
	host_set_mm(own);
	at = map_anon(AT, 3 * SZ_2M, RW, MAP_FIXED);
	if (at < 0)
		goto out;
	err = mm_pin(mm, AT + SZ_2M - SZ_4K, 3 * SZ_4K, true, &pin);
	if (err)
		goto out;
	err = mm_fault(mm, AT, ARCH_FAULT_WRITE);
	err = err ? err : mm_protect(mm, AT + 3 * SZ_4K, SZ_4K, PROT_READ);
	err = err ? err : mm_fault(mm, AT + 3 * SZ_4K, ARCH_FAULT_READ);
	err = err ? err : mm_advise(mm, AT + SZ_4K, SZ_4K, MADV_DONTNEED);
	err = err ? err : mm_unmap(mm, AT + SZ_2M + SZ_4K, SZ_4K);
	if (err)
		goto out;
	obj = mobj_create_anon(2 * SZ_2M, false);
	err = obj ? mobj_write(obj, SZ_2M - 4, "postern", 7) : -ENOMEM;
	err = err ? err : mobj_resize(obj, SZ_2M + SZ_4K);
	err = err ? err : mobj_resize(obj, 2 * SZ_1G);
	if (!err) {
		at = host_map(mm, AT + SZ_1G, SZ_2M, RW, MAP_SHARED, obj, 0);
		err = at < 0 ? (int)at : mm_fault(mm, (u64)at, ARCH_FAULT_WRITE);
	}
	if (!err) {
		at = mm_remap(mm, AT + 2 * SZ_2M, SZ_2M, 4 * SZ_2M, MREMAP_MAYMOVE, 0);
		err = at < 0 ? (int)at : 0;
	}
	mm_brk_init(mm, 0x400000);
	if (!err && mm_brk(mm, 0x700000) != 0x700000)
		err = -ENOMEM;
	if (!err && mm_brk(mm, 0x500000) != 0x500000)
		err = -ENOMEM;
out:
	if (obj)
		mobj_put(obj);
	host_user_reset();
	if (pin)
		pin_release(pin);
	return err;
}

static void test_no_memory(void **state)
{
	u64 n, reached, free;
	int err;

	(void)state;
	host_set_mm(NULL);
	mm_put(mm);
	free = frames_free();
	for (n = 1, reached = 1; reached + 1 >= n; n++) {
		host_alloc_fail_at(n);
		err = life();
		reached = host_alloc_count();
		host_alloc_fail_at(0);
		assert_true(!err || err == -ENOMEM);
		if (frames_free() != free)
			fail_msg("a leak when request %llu fails", (unsigned long long)n);
	}
	assert_true(n > 40);
	for (n = 1, err = -ENOMEM; err; n += 1 + n / 8) {
		host_alloc_fail_from(n);
		err = life();
		host_alloc_fail_at(0);
		assert_int_equal(frames_free(), free);
	}
	host_set_mm(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_errors, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pinned_too_often, setup, teardown),
		cmocka_unit_test_setup_teardown(test_large_pages, setup, teardown),
		cmocka_unit_test_setup_teardown(test_partial, setup, teardown),
		cmocka_unit_test_setup_teardown(test_heap, setup, teardown),
		cmocka_unit_test_setup_teardown(test_heap_moved_part, setup, teardown),
		cmocka_unit_test_setup_teardown(test_remap, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_memory, setup, teardown),
	};

	return cmocka_run_group_tests_name("mm calls", tests, NULL, NULL);
}
