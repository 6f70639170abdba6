/* SPDX-License-Identifier: GPL-2.0-only */
/* The frame allocator against a flat model: who owns each page, and that it adds up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kernel/frames_records.h"
#include "tests/host/host.h"

#define TOP (64ull << 20)
#define MAX_ITEMS 4096

static struct handover map;

static void region(u64 base, u64 end, u32 kind)
{
	map.region[map.nregions++] = (struct handover_region){ base, end - base, kind, 0 };
}

/* Odd edges, two RAM pieces in one 2 MiB frame, a hole. */
static void fresh(void)
{
	host_ram_reset(TOP);
	memset(&map, 0, sizeof(map));
	region(0, 0x9f000, HANDOVER_RAM);
	region(0x100000, 0x401000, HANDOVER_RAM);
	region(0x401000, 0x403000, HANDOVER_KERNEL);
	region(0x403000, 0x1fff000, HANDOVER_RAM);
	region(0x2001000, 0x2002000, HANDOVER_RAM);
	region(0x2400000, TOP, HANDOVER_RAM);
	frames_init(&map);
}

static bool in_ram(paddr_t pa)
{
	if (pa < 0x100000)
		return false;
	for (u32 i = 0; i < map.nregions; i++)
		if (map.region[i].kind == HANDOVER_RAM && pa >= map.region[i].base &&
		    pa - map.region[i].base < map.region[i].size)
			return true;
	return false;
}

static u8 owned[TOP >> 12];

static void claim(paddr_t pa, u64 size)
{
	assert_true(IS_ALIGNED(pa, size == SZ_2M ? SZ_2M : SZ_4K));
	for (u64 p = pa; p < pa + size; p += SZ_4K) {
		assert_true(in_ram(p));
		assert_true(frame_is_ram(p));
		assert_true(frame_in_use(p));
		assert_false(owned[p >> 12]);
		owned[p >> 12] = 1;
	}
}

static void disown(paddr_t pa, u64 size)
{
	for (u64 p = pa; p < pa + size; p += SZ_4K)
		owned[p >> 12] = 0;
}

static bool is_zero(paddr_t pa, u64 size)
{
	const char *c = phys_to_virt(pa);

	return !c[0] && !memcmp(c, c + 1, size - 1);
}

static void test_random(void **state)
{
	static struct item { paddr_t pa; u64 size; unsigned kind; } items[MAX_ITEMS];
	unsigned n = 0;
	u64 before;

	(void)state;
	fresh();
	memset(owned, 0, sizeof(owned));
	srand(1);
	before = frames_free();
	assert_true(before > 50ull << 20 && before <= frames_total());
	for (unsigned step = 0; step < 40000; step++) {
		unsigned what = (unsigned)rand() % 100;

		if (n < MAX_ITEMS && what < 52) {
			struct item *it = &items[n];

			it->kind = (unsigned)rand() % 20;
			if (it->kind == 0) {
				it->size = SZ_2M;
				it->pa = frame_alloc_dirty(SZ_2M);
			} else if (it->kind < 4) {
				it->size = (u64)(1 + rand() % 256) * SZ_4K;
				it->pa = frame_alloc_run((unsigned)(it->size / SZ_4K));
			} else {
				it->size = SZ_4K;
				it->pa = frame_alloc(SZ_4K);
				if (it->pa != FRAME_NONE)
					assert_true(is_zero(it->pa, SZ_4K));
			}
			if (it->pa == FRAME_NONE) {
				assert_true(it->size > SZ_4K || frames_free() <= 32 * SZ_4K);
				continue;
			}
			claim(it->pa, it->size);
			if (it->kind != 5) /* kind 5 stays zero, as an emptied table does */
				memset(phys_to_virt(it->pa), 0x11, it->size);
			n++;
		} else if (n) {
			unsigned i = (unsigned)rand() % n;
			struct item it = items[i];

			items[i] = items[--n];
			assert_int_equal(frame_refs(it.pa), 1);
			assert_int_equal(frame_get(it.pa), 0);
			frame_put(it.pa);
			assert_true(frame_in_use(it.pa));
			disown(it.pa, it.size);
			if (it.kind == 5)
				frame_put_zeroed(it.pa);
			else
				frame_put(it.pa);
		}
	}
	while (n--) {
		if (items[n].kind == 5)
			frame_put_zeroed(items[n].pa);
		else
			frame_put(items[n].pa);
	}
	assert_int_equal(frames_free(), before);
	/* All of it can be had as 2 MiB frames again. */
	for (n = 0; frame_alloc_dirty(SZ_2M) != FRAME_NONE; n++)
		;
	assert_int_equal(n, 1 + 12 + 14); /* from 0x200000, 0x600000-0x1e00000, 0x2400000-0x4000000 */
}

static void test_map(void **state)
{
	(void)state;
	fresh();
	assert_int_equal(frames.top, TOP);
	assert_false(frame_is_ram(0x1000));
	assert_false(frame_is_ram(0x401000));
	assert_false(frame_is_ram(0x1fff000));
	assert_false(frame_is_ram(0x2200000));
	assert_false(frame_is_ram(TOP));
	assert_false(frame_is_ram(~0ull));
	assert_true(frame_is_ram(0x2400000));
	assert_true(frames_is_memory(0x400000, 0x3000)); /* over a border of two kinds of memory */
	assert_true(frames_is_memory(0xe0000, 36));
	assert_false(frames_is_memory(0x1fff000, 1));
	assert_false(frames_is_memory(0x1ffe000, 0x1001));
	assert_false(frames_is_memory(TOP - 16, 32));
	assert_false(frames_is_memory(~0ull - 8, 32));
}

static void test_runs(void **state)
{
	paddr_t a, small;
	u64 before;

	(void)state;
	fresh();
	before = frames_free();
	a = frame_alloc_dirty(SZ_2M);
	small = frame_alloc_run(3);
	/* A 2 MiB frame counts once, however much of it the run covers. */
	assert_int_equal(frame_get_run(a + 0x5000, 0x10000), 0x10000);
	assert_int_equal(frame_get_run(a, SZ_2M), SZ_2M);
	assert_int_equal(frame_refs(a), 3);
	frame_put(a);
	assert_int_equal(frame_put_run(a, SZ_2M), SZ_2M);
	assert_true(frame_in_use(a));
	assert_int_equal(frame_put_run(a + 0x5000, 0x10000), 0x10000);
	assert_false(frame_in_use(a));
	frame_put(small);
	assert_false(frame_in_use(small + 0x2000));
	assert_int_equal(frames_free(), before);
}

/* Who is pinned as often as can be counted is not pinned once more; what comes before it is. */
static void test_too_many_references(void **state)
{
	paddr_t pages, whole, next;

	(void)state;
	fresh();
	pages = frame_alloc_run(1);
	do { /* a second page behind it */
		next = pages;
		pages = frame_alloc_run(1);
	} while (pages != next + SZ_4K);
	frame_split_of(frame_record(pages))->refs[frame_page(pages)] = FRAME_REFS_MAX;
	assert_int_equal(frame_get(pages), -ENOMEM);
	assert_int_equal(frame_get_run(next, 2 * SZ_4K), SZ_4K);
	assert_int_equal(frame_get_run(pages, SZ_4K), 0);
	assert_int_equal(frame_refs(pages), FRAME_REFS_MAX);
	assert_int_equal(frame_refs(next), 2);
	frame_put(pages);
	assert_int_equal(frame_get_run(next, 2 * SZ_4K), 2 * SZ_4K);

	whole = frame_alloc_dirty(SZ_2M);
	do {
		next = whole;
		whole = frame_alloc_dirty(SZ_2M);
	} while (whole != next + SZ_2M);
	frame_record(whole)->refs = FRAME_REFS_MAX;
	assert_int_equal(frame_get_run(next + SZ_4K, SZ_2M), SZ_2M - SZ_4K);
	assert_int_equal(frame_get_run(whole + SZ_4K, SZ_4K), 0);
	assert_int_equal(frame_refs(whole), FRAME_REFS_MAX);
	assert_int_equal(frame_refs(next), 2);
}

static void double_put(void *arg)
{
	paddr_t pa = frame_alloc(SZ_4K);

	(void)arg;
	frame_put(pa);
	frame_put(pa);
}

static void double_free(void *arg)
{
	void *p = kmalloc(100);

	(void)arg;
	kfree(p);
	kfree(p);
}

static void wild_free(void *arg)
{
	(void)arg;
	kfree((char *)kmalloc(96) + 16);
}

static void test_heap(void **state)
{
	static char *p[3000];
	static size_t size[3000];
	u64 before;

	(void)state;
	fresh();
	for (size_t n = 16; n <= 2016; n += 16) /* one cached page for each class */
		kfree(kmalloc(n));
	before = frames_free();
	srand(2);
	for (unsigned round = 0; round < 20; round++) {
		for (unsigned i = 0; i < ARRAY_SIZE(p); i++) {
			if (p[i] && rand() % 2) {
				for (size_t k = 0; k < size[i]; k += 13)
					assert_int_equal((u8)p[i][k], (u8)i);
				kfree(p[i]);
				p[i] = NULL;
			}
			if (!p[i] && rand() % 2) {
				size[i] = 1 + (size_t)rand() % (rand() % 20 ? 700 : 20000);
				p[i] = kzalloc(size[i]);
				if (!p[i])
					continue;
				assert_true(IS_ALIGNED((u64)p[i], 16));
				assert_int_equal(p[i][size[i] - 1], 0);
				memset(p[i], (int)i, size[i]);
			}
		}
	}
	for (unsigned i = 0; i < ARRAY_SIZE(p); i++)
		kfree(p[i]);
	assert_int_equal(frames_free(), before);
	assert_null(kmalloc((1 << 20) + 1));
	assert_null(kcalloc(1ull << 33, 1ull << 33));
	p[0] = kmalloc(1 << 20);
	assert_non_null(p[0]);
	kfree(p[0]);
	assert_int_equal(frames_free(), before);
	assert_true(host_panics(double_put, NULL));
	assert_true(host_panics(double_free, NULL));
	assert_true(host_panics(wild_free, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_map),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_runs),
		cmocka_unit_test(test_too_many_references),
		cmocka_unit_test(test_heap),
	};

	return cmocka_run_group_tests_name("frames", tests, NULL, NULL);
}
