/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Address spaces against a flat model: each page of a window shows a cell, pins hold cells, and
 * every access of the program, through the simulated TLB, and of a device, through a pin, must see
 * the cell's value.  Memory runs out now and then; at the end nothing is missing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include <linux/mman.h>

#include "kernel/frames.h"
#include "kernel/mm.h"
#include "kernel/pt.h"
#include "kernel/vma.h"
#include "tests/host/host.h"

#define BASE 0x100000000ull
#define PAGES 4096u /* 16 MiB */
#define PINS 8u
#define CELLS 4000000u

struct shown {
	u32 cell; /* 0: not mapped */
	int prot;
	bool shared;
};
static struct shown shown[PAGES];
static u64 cell_value[CELLS];
static u32 cells;
static u32 shared_cell[PAGES];
static struct mobj *shared_obj;
static struct mm *mm;
static bool failing;
static struct {
	struct pin *pin;
	unsigned n;
	u32 cell[PAGES];
} pins[PINS];

static u32 cell_new(void)
{
	assert_true(++cells < CELLS);
	cell_value[cells] = 0;
	return cells;
}

static uaddr_t page_va(unsigned i)
{
	return BASE + (u64)i * SZ_4K;
}

static void pick(unsigned *i, unsigned *n)
{
	*i = (unsigned)rand() % PAGES;
	if (rand() % 2)
		*i &= ~511u;
	*n = rand() % 2 ? 1 + (unsigned)rand() % 30 : 512 * (1 + (unsigned)rand() % 3);
	*n = MIN(*n, PAGES - *i);
}

static int random_prot(void)
{
	return rand() % 6 == 0 ? PROT_NONE : rand() % 4 == 0 ? PROT_READ : PROT_READ | PROT_WRITE;
}

static bool covered(unsigned i, unsigned n)
{
	for (; n; i++, n--)
		if (!shown[i].cell)
			return false;
	return true;
}

static void step_map(unsigned i, unsigned n)
{
	bool shared = rand() % 4 == 0;
	struct mm_map_args a = {
		.addr = page_va(i), .len = (u64)n * SZ_4K - (u64)(rand() % 2) * 100, .prot = random_prot(),
		.flags = MAP_FIXED | (shared ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS),
		.obj = shared ? shared_obj : mobj_create_anon((u64)n * SZ_4K, rand() % 4 == 0),
		.off = shared ? (u64)i * SZ_4K : 0,
	};
	s64 at;

	if (!a.obj)
		return;
	at = mm_map(mm, &a);
	assert_true(at == (s64)a.addr || (at == -ENOMEM && failing));
	for (unsigned k = i; at > 0 && k < i + n; k++)
		shown[k] = (struct shown){ shared ? shared_cell[k] : cell_new(), a.prot, shared };
	if (!shared)
		mobj_put(a.obj);
}

static void step_unmap(unsigned i, unsigned n)
{
	int err = mm_unmap(mm, page_va(i), (u64)n * SZ_4K);

	assert_true(err == 0 || (err == -ENOMEM && failing));
	for (unsigned k = i; !err && k < i + n; k++)
		shown[k].cell = 0;
}

static void step_protect(unsigned i, unsigned n)
{
	int prot = random_prot(), err = mm_protect(mm, page_va(i), (u64)n * SZ_4K, prot);

	if (!covered(i, n)) {
		assert_int_equal(err, -ENOMEM);
		return;
	}
	assert_true(err == 0 || (err == -ENOMEM && failing));
	for (unsigned k = i; !err && k < i + n; k++)
		shown[k].prot = prot;
}

static void step_dontneed(unsigned i, unsigned n)
{
	host_alloc_fail_at(0);
	assert_int_equal(mm_advise(mm, page_va(i), (u64)n * SZ_4K, MADV_DONTNEED), covered(i, n) ? 0 : -ENOMEM);
	for (unsigned k = i; k < i + n; k++)
		if (shown[k].cell && !shown[k].shared)
			shown[k].cell = cell_new();
}

static void step_touch(unsigned i, bool write)
{
	struct shown *s = &shown[i];
	u64 value = (u64)rand() << 20 | i;
	uaddr_t va = page_va(i) + 0x10;
	bool may = s->cell && s->prot != PROT_NONE && (!write || (s->prot & PROT_WRITE));
	int err;

	if (write) {
		err = copy_to_user(va, &value, sizeof(value));
		if (!err)
			cell_value[s->cell] = value;
	} else {
		err = copy_from_user(&value, va, sizeof(value));
		if (!err)
			assert_int_equal(value, cell_value[s->cell]);
	}
	if (!may)
		assert_int_equal(err, -EFAULT);
	else if (!failing)
		assert_int_equal(err, 0);
}

static void pin_check(unsigned p, bool write)
{
	struct pin_run run;
	u64 pos = 0;
	unsigned k = 0;

	while (pin_next(pins[p].pin, &pos, &run)) {
		assert_true(run.len && IS_ALIGNED(run.pa | run.len, SZ_4K));
		for (u64 at = 0; at < run.len; at += SZ_4K, k++) {
			u64 *word = phys_to_virt(run.pa + at + 0x10);

			assert_int_equal(*word, cell_value[pins[p].cell[k]]);
			if (write && rand() % 8 == 0)
				*word = cell_value[pins[p].cell[k]] = (u64)rand();
		}
	}
	assert_int_equal(k, pins[p].n);
}

static void step_pin(unsigned i, unsigned n)
{
	unsigned p = (unsigned)rand() % PINS, k;
	bool write = rand() % 2, may = true;
	int err;

	if (pins[p].pin) {
		pin_check(p, true);
		pin_release(pins[p].pin);
		pins[p].pin = NULL;
		return;
	}
	for (k = i; k < i + n; k++)
		may &= shown[k].cell && shown[k].prot != PROT_NONE && (!write || (shown[k].prot & PROT_WRITE));
	err = mm_pin(mm, page_va(i), (u64)n * SZ_4K, write, &pins[p].pin);
	assert_true(err == 0 ? may : (err == -ENOMEM && failing) || (err == -EFAULT && !may));
	if (err)
		return;
	pins[p].n = n;
	for (k = 0; k < n; k++)
		pins[p].cell[k] = shown[i + k].cell;
	pin_check(p, true);
}

/* One private area moves or shrinks inside the window. */
static void step_remap(unsigned i, unsigned n)
{
	unsigned to, len = n, new_len;
	struct shown copy[PAGES];
	s64 at;

	pick(&to, &new_len);
	if (!covered(i, n) || n > 600)
		return;
	new_len = MIN(new_len, len);
	at = mm_remap(mm, page_va(i), (u64)len * SZ_4K, (u64)new_len * SZ_4K, MREMAP_FIXED | MREMAP_MAYMOVE,
		      page_va(to));
	if (to < i + len && i < to + new_len) {
		assert_int_equal(at, -EINVAL);
		return;
	}
	if (at < 0) {
		assert_true(at == -EFAULT || at == -ENOMEM); /* -EFAULT: more than one area */
		return;
	}
	memcpy(copy, shown, sizeof(copy));
	for (unsigned k = 0; k < len; k++)
		shown[i + k].cell = 0;
	for (unsigned k = 0; k < new_len; k++)
		shown[to + k] = copy[i + k];
}

static void step_shared(unsigned i)
{
	u64 value[2] = { (u64)rand(), 0 };

	switch (rand() % 2) {
	case 0:
		if (!mobj_write(shared_obj, (u64)i * SZ_4K + 0x10, value, 8))
			cell_value[shared_cell[i]] = value[0];
		break;
	case 1:
		assert_int_equal(mobj_read(shared_obj, (u64)i * SZ_4K + 0x10, value, 8), 0);
		assert_int_equal(value[0], cell_value[shared_cell[i]]);
		break;
	}
}

static void random_step(bool short_of_memory)
{
	unsigned i, n;

	pick(&i, &n);
	failing = short_of_memory && rand() % 4 == 0;
	host_alloc_fail_at(failing ? 1 + (u64)rand() % 8 : 0);
	switch (rand() % 20) {
	case 0 ... 2:
		step_map(i, n);
		break;
	case 3:
		step_unmap(i, n);
		break;
	case 4:
		step_protect(i, n);
		break;
	case 5:
		step_dontneed(i, n);
		break;
	case 6 ... 7:
		step_pin(i, n);
		break;
	case 8:
		step_remap(i, n);
		break;
	case 9:
		step_shared(i);
		break;
	case 10:
		mobj_zap(shared_obj, (u64)i * SZ_4K, (u64)n * SZ_4K);
		break;
	default:
		step_touch(i, rand() % 2);
	}
	host_alloc_fail_at(0);
}

static void random_run(unsigned seed, unsigned steps, bool short_of_memory)
{
	u64 before = frames_free();
	srand(seed);
	cells = 0;
	memset(shown, 0, sizeof(shown));
	mm = mm_create();
	host_set_mm(mm);
	shared_obj = mobj_create_anon((u64)PAGES * SZ_4K, false);
	for (unsigned i = 0; i < PAGES; i++)
		shared_cell[i] = cell_new();
	for (unsigned s = 0; s < steps; s++) {
		random_step(short_of_memory);
		if (s % 500 == 0)
			assert_int_equal(mm_audit(), 0);
	}
	failing = false;
	for (unsigned i = 0; i < PAGES; i++)
		step_touch(i, false);
	assert_int_equal(mm_audit(), 0);
	mobj_put(shared_obj);
	host_user_reset();
	for (unsigned p = 0; p < PINS; p++) {
		if (!pins[p].pin)
			continue;
		pin_check(p, false); /* pins outlive the process and its objects */
		pin_release(pins[p].pin);
		pins[p].pin = NULL;
	}
	assert_int_equal(frames_free(), before);
}

static void test_random(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 6; seed++)
		random_run(seed, 4000, false);
	for (unsigned seed = 1; seed <= 6; seed++)
		random_run(seed, 4000, true);
}

static void warm_heap(void)
{
	for (size_t n = 16; n <= 2016; n += 16)
		kfree(kmalloc(n));
}

static int setup(void **state)
{
	(void)state;
	host_init();
	warm_heap();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests_name("mm", tests, setup, NULL);
}
