/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The page-table walker against a flat model: an array with one entry for each 4 KiB page of a few
 * windows.  A reader that does not snoop is modelled too: it keeps its own copy of every table line,
 * which changes only by a flush, and must never reach a table whose lines it has not got.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kernel/frames.h"
#include "kernel/pt.h"
#include "tests/host/host.h"

#define WINDOW (8ull << 20)
#define WINDOWS 3
#define PAGES (WINDOW / SZ_4K)

static u64 window_base[WINDOWS];
static struct { paddr_t pa; unsigned prot; } flat[WINDOWS][PAGES]; /* prot 0: not mapped */

/* ---- the reader's memory: what has been flushed ---- */
static u64 *shadow; /* by physical address */
static bool shadow_on;
static struct pt *walked;
static unsigned flushes;

static void reader_check(void)
{
	u64 stack[6] = { walked->root };
	unsigned index[6] = { 0 };
	int d = 0;

	/* Every table the reader can reach is what the CPU sees, or is a not-yet-flushed change of an
	 * entry that was valid: a table of garbage must not be reachable. */
	while (d >= 0) {
		unsigned level = walked->levels - (unsigned)d;
		u64 e, cpu;

		if (index[d] == 512) {
			d--;
			continue;
		}
		e = shadow[stack[d] / 8 + index[d]];
		cpu = ((u64 *)phys_to_virt(stack[d]))[index[d]];
		index[d]++;
		assert_true(e != ~0ull);
		if (!(e & walked->fmt->present))
			continue;
		if (level == 1 || (e & walked->fmt->large)) {
			(void)cpu;
			continue;
		}
		d++;
		stack[d] = e & walked->fmt->addr_mask;
		index[d] = 0;
	}
}

static void on_flush(const void *p, size_t n)
{
	paddr_t from = ALIGN_DOWN(virt_to_phys(p), 64), to = ALIGN_UP(virt_to_phys(p) + n, 64);

	if (!shadow_on)
		return;
	flushes++;
	memcpy(&shadow[from / 8], phys_to_virt(from), to - from);
	if (walked)
		reader_check();
}

/* What is not flushed since it was given out is garbage to the reader. */
static void shadow_reset(void)
{
	if (!shadow)
		shadow = malloc(HOST_RAM_SIZE);
	memset(shadow, 0xff, HOST_RAM_SIZE);
}

static void expect_same(struct pt *pt)
{
	for (unsigned w = 0; w < WINDOWS; w++) {
		u64 va = window_base[w], pages = 0, expected = 0;
		struct pt_leaf leaf;

		for (unsigned i = 0; i < PAGES; i++) {
			u64 at = window_base[w] + i * SZ_4K;
			bool found = pt_lookup(pt, at, &leaf);

			assert_int_equal(found, flat[w][i].prot != 0);
			expected += flat[w][i].prot != 0;
			if (!found)
				continue;
			assert_int_equal(leaf.prot, flat[w][i].prot);
			assert_int_equal(leaf.pa + (at - leaf.va), flat[w][i].pa);
			assert_true(IS_ALIGNED(leaf.pa | leaf.va, leaf.size));
			assert_true(leaf.size == SZ_4K || pt->max_leaf >= (leaf.size == SZ_2M ? 2 : 3));
		}
		while (pt_next(pt, &va, &leaf) && leaf.va < window_base[w] + WINDOW)
			pages += leaf.size / SZ_4K;
		assert_int_equal(pages, expected);
	}
}

/* The reader that does not snoop sees all of it, too. */
static void expect_flushed(struct pt *pt)
{
	for (unsigned w = 0; w < WINDOWS; w++) {
		for (unsigned i = 0; i < PAGES; i++) {
			u64 va = window_base[w] + i * SZ_4K, table = pt->root, e = 0;
			unsigned level;

			for (level = pt->levels; level; level--) {
				e = shadow[table / 8 + ((va >> (3 + 9 * level)) & 511)];
				if (!(e & pt->fmt->present) || level == 1 || (e & pt->fmt->large))
					break;
				table = e & pt->fmt->addr_mask;
			}
			assert_int_equal((e & pt->fmt->present) != 0, flat[w][i].prot != 0);
			if (!(e & pt->fmt->present))
				continue;
			assert_int_equal((e & pt->fmt->addr_mask) + (va & ((1ull << (3 + 9 * level)) - 1)),
					 flat[w][i].pa);
			assert_int_equal(pt->fmt->prot(e), flat[w][i].prot);
		}
	}
}

/* A cache may write back any line at any time. */
static void evict(paddr_t table, void *arg)
{
	(void)arg;
	memcpy(&shadow[table / 8], phys_to_virt(table), SZ_4K);
}

/* Who still walks a table that has gone finds nothing in it. */
static void expect_trash_empty(const struct pt *pt, const struct pt_trash *trash)
{
	paddr_t page = trash->head;

	for (u64 n = 0; n < trash->count; n++) {
		const u64 *e = phys_to_virt(page);

		if (shadow_on)
			evict(page, NULL);
		for (unsigned i = 0; i < 512; i++)
			assert_false(e[i] & pt->fmt->present);
		page = e[0];
	}
}

static void count_table(paddr_t table, void *arg)
{
	assert_true(frame_in_use(table));
	++*(u64 *)arg;
}

static unsigned random_prot(const struct pt_format *f)
{
	static const unsigned x86[] = { PT_READ, PT_READ | PT_WRITE | PT_USER, PT_READ | PT_EXEC | PT_USER,
					PT_READ | PT_WRITE | PT_UNCACHED };
	static const unsigned sl[] = { PT_READ, PT_WRITE, PT_READ | PT_WRITE, PT_READ | PT_SNOOP };

	return (f == &pt_x86 ? x86 : sl)[rand() % 4];
}

static void one_step(struct pt *pt)
{
	unsigned w = (unsigned)rand() % WINDOWS, i = (unsigned)rand() % PAGES, n, k;
	unsigned what = (unsigned)rand() % 100, prot = random_prot(pt->fmt);
	u64 va, pa = (1ull << 40) + (u64)(rand() % 64) * SZ_2M;
	struct pt_trash trash = PT_TRASH_INIT;
	bool clash = false;
	s64 expected = 0, got;
	int err;

	if (rand() % 2)
		i &= ~511u;
	n = rand() % 3 ? 1 + (unsigned)rand() % 40 : 512 * (1 + (unsigned)rand() % 3);
	n = MIN(n, PAGES - i);
	va = window_base[w] + i * SZ_4K;
	if (rand() % 3 == 0)
		pa += (u64)(rand() % 512) * SZ_4K;
	else
		pa += (u64)(i % 512) * SZ_4K;
	for (k = i; k < i + n; k++) {
		clash |= flat[w][k].prot != 0;
		expected += flat[w][k].prot ? (s64)SZ_4K : 0;
	}
	if (what < 50) {
		err = pt_map(pt, va, pa, n * SZ_4K, prot);
		assert_int_equal(err, clash ? -EEXIST : 0);
		for (k = 0; !err && k < n; k++) {
			flat[w][i + k].pa = pa + k * SZ_4K;
			flat[w][i + k].prot = prot;
		}
	} else if (what < 85) {
		u64 tables = pt->tables;

		got = pt_unmap(pt, va, n * SZ_4K, &trash);
		assert_int_equal(got, expected);
		assert_true(pt->tables + trash.count >= tables);
		expect_trash_empty(pt, &trash);
		pt_trash_free(&trash);
		for (k = i; k < i + n; k++)
			flat[w][k].prot = 0;
	} else {
		struct pt_leaf leaf;

		assert_int_equal(pt_cut(pt, va), 0);
		assert_false(pt_lookup(pt, va, &leaf) && leaf.va != va);
	}
}

static void run(const struct pt_format *f, unsigned levels, unsigned max_leaf, bool flush)
{
	u64 before = frames_free(), tables = 0, limit = 1ull << (12 + 9 * levels);
	struct pt_trash trash = PT_TRASH_INIT;
	struct pt pt;

	memset(flat, 0, sizeof(flat));
	shadow_on = flush;
	if (flush)
		shadow_reset();
	walked = NULL;
	assert_int_equal(pt_init(&pt, f, levels, max_leaf, flush), 0);
	walked = flush ? &pt : NULL;
	window_base[0] = 0;
	window_base[1] = SZ_1G - WINDOW / 2; /* over a border of 1 GiB */
	window_base[2] = limit - WINDOW;
	for (unsigned step = 0; step < 1200; step++) {
		if (flush && rand() % 4 == 0)
			pt_each_table(&pt, evict, NULL); /* spare ones, too */
		one_step(&pt);
		if (step % 100 == 99) {
			expect_same(&pt);
			if (flush)
				expect_flushed(&pt);
		}
	}
	assert_int_equal(flush, flushes != 0);
	pt_each_table(&pt, count_table, &tables);
	assert_int_equal(tables, pt.tables + pt.nspare);
	for (unsigned w = 0; w < WINDOWS && levels != 3; w++) {
		assert_true(pt_unmap(&pt, window_base[w], WINDOW, &trash) >= 0);
		pt_trash_free(&trash);
	}
	if (levels != 3) /* nothing but the root is left; a tree of 3 levels is destroyed full */
		assert_int_equal(pt.tables, 1);
	walked = NULL;
	pt_destroy(&pt);
	assert_int_equal(frames_free(), before);
	shadow_on = false;
	flushes = 0;
}

static void test_random(void **state)
{
	(void)state;
	srand(7);
	for (unsigned levels = 3; levels <= 5; levels++)
		for (unsigned max_leaf = 1; max_leaf <= 3; max_leaf++)
			for (unsigned flush = 0; flush < 2; flush++)
				run(flush ? &pt_vtd_sl : &pt_x86, levels, max_leaf, flush);
}

static void test_refusals(void **state)
{
	struct pt pt;

	(void)state;
	assert_int_equal(pt_init(&pt, &pt_x86, 3, 3, false), 0);
	assert_int_equal(pt_map(&pt, 1ull << 39, 0, SZ_4K, PT_READ), -EINVAL);
	assert_int_equal(pt_map(&pt, (1ull << 39) - SZ_4K, 0, SZ_4K * 2, PT_READ), -EINVAL);
	assert_int_equal(pt_map(&pt, ~0ull << 12, 0, SZ_4K * 2, PT_READ), -EINVAL);
	assert_int_equal(pt_map(&pt, 0x800, 0, SZ_4K, PT_READ), -EINVAL);
	assert_int_equal(pt_map(&pt, 0, 0x800, SZ_4K, PT_READ), -EINVAL);
	assert_int_equal(pt_map(&pt, 0, 0, 0, PT_READ), -EINVAL);
	assert_int_equal(pt_map(&pt, 0, (1ull << 52) - SZ_4K, SZ_4K * 2, PT_READ), -EINVAL);
	assert_int_equal(pt_map(&pt, 0, 0, SZ_4K, 0), -EINVAL);
	assert_int_equal(pt.tables, 1);
	pt_destroy(&pt);
}

/* Bits of an entry as the manuals have them, not as the walker reads them back. */
static void test_bits(void **state)
{
	struct pt_leaf leaf;
	struct pt pt;
	u64 *root;

	(void)state;
	assert_int_equal(pt_x86.leaf(PT_READ | PT_WRITE | PT_USER), 0x8000000000000067ull);
	assert_int_equal(pt_x86.leaf(PT_READ | PT_EXEC | PT_UNCACHED), 0x79);
	assert_int_equal(pt_vtd_sl.leaf(PT_READ), 1);
	assert_int_equal(pt_vtd_sl.leaf(PT_WRITE | PT_SNOOP), 0x802);
	assert_int_equal(pt_init(&pt, &pt_vtd_sl, 3, 3, false), 0);
	root = phys_to_virt(pt.root);
	assert_int_equal(pt_map(&pt, SZ_1G, 3 * SZ_1G, 2 * SZ_1G + SZ_2M, PT_READ | PT_WRITE), 0);
	assert_int_equal(root[1], 3 * SZ_1G | 0x83);
	assert_int_equal(root[2], 4 * SZ_1G | 0x83);
	assert_int_equal(root[3] & 0xfff, 3);
	assert_int_equal(pt.tables, 2);
	assert_true(pt_lookup(&pt, 3 * SZ_1G + 5, &leaf) && leaf.size == SZ_2M && leaf.pa == 5 * SZ_1G);
	pt_destroy(&pt);
}

/* Every allocation of a map or a splitting unmap fails once: nothing changes, nothing leaks. */
static void test_no_memory(void **state)
{
	struct pt_trash trash = PT_TRASH_INIT;
	struct pt_leaf leaf;
	struct pt pt;
	u64 before, n;
	int err = -ENOMEM;

	(void)state;
	for (n = 1; err; n++) {
		before = frames_free();
		assert_int_equal(pt_init(&pt, &pt_x86, 4, 2, false), 0);
		host_alloc_fail_at(n);
		err = pt_map(&pt, SZ_1G - SZ_4K, 0, SZ_2M + 2 * SZ_4K, PT_READ);
		host_alloc_fail_at(0);
		assert_true(err == 0 || err == -ENOMEM);
		assert_int_equal(pt_lookup(&pt, SZ_1G - SZ_4K, &leaf), !err);
		assert_int_equal(pt_lookup(&pt, SZ_1G + SZ_2M, &leaf), !err);
		pt_destroy(&pt);
		assert_int_equal(frames_free(), before);
	}
	assert_true(n > 5);
	for (n = 1, err = -ENOMEM; err == -ENOMEM; n++) {
		before = frames_free();
		assert_int_equal(pt_init(&pt, &pt_x86, 4, 3, false), 0);
		assert_int_equal(pt_map(&pt, 0, 0, SZ_1G, PT_READ), 0);
		host_alloc_fail_at(n);
		err = (int)pt_unmap(&pt, SZ_4K, SZ_4K, &trash);
		host_alloc_fail_at(0);
		assert_true(err == SZ_4K || err == -ENOMEM);
		assert_int_equal(pt_lookup(&pt, SZ_4K, &leaf), err == -ENOMEM);
		assert_true(pt_lookup(&pt, 2 * SZ_4K, &leaf));
		pt_trash_free(&trash);
		pt_destroy(&pt);
		assert_int_equal(frames_free(), before);
	}
	assert_true(n > 2);
}

/* Mapping and unmapping one page again and again takes no page from the allocator after the first. */
static void test_spares(void **state)
{
	struct pt_trash trash = PT_TRASH_INIT;
	struct pt pt;

	(void)state;
	assert_int_equal(pt_init(&pt, &pt_vtd_sl, 4, 2, true), 0);
	for (unsigned i = 0; i < 3; i++) {
		host_alloc_fail_at(0);
		assert_int_equal(pt_map(&pt, 0x5000, 0, SZ_4K, PT_READ), 0);
		assert_int_equal(host_alloc_count(), i ? 0 : 3);
		assert_int_equal(pt_unmap(&pt, 0x5000, SZ_4K, &trash), SZ_4K);
		pt_trash_free(&trash);
	}
	pt_destroy(&pt);
}

static int setup(void **state)
{
	(void)state;
	host_init();
	host_on_cache_flush = on_flush;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bits),      cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_random),    cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_spares),
	};

	return cmocka_run_group_tests_name("pt", tests, setup, NULL);
}
