/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Views of objects: BARs behind a gate, those who derive translations, shared objects that are cut
 * while they are mapped and pinned, and the audit of it all.
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

/* ---- a BAR ---- */

static int gate_errno, gate_calls, released;

static int gate(void *arg)
{
	assert_ptr_equal(arg, &gate_errno);
	gate_calls++;
	return gate_errno;
}

static void on_release(void *arg)
{
	assert_ptr_equal(arg, &gate_errno);
	released++;
}

static void test_bar(void **state)
{
	struct mobj *bar = mobj_create_phys(0xfe800000, 3 * SZ_2M, gate, on_release, &gate_errno);
	struct mm *other = mm_create();
	struct pt_leaf leaf;
	struct pin *pin;
	s64 a, b;

	(void)state;
	gate_errno = released = 0;
	a = host_map(mm, 0, 2 * SZ_2M, RW, MAP_SHARED, bar, SZ_4K * 16);
	assert_true(a > 0);
	mm = other;
	b = host_map(mm, AT, SZ_4K, PROT_READ, MAP_SHARED | MAP_FIXED, bar, SZ_2M);
	mm = host_mm();
	assert_true(b > 0);
	mobj_put(bar);
	assert_int_equal(mm_fault(mm, (u64)a + SZ_2M, ARCH_FAULT_WRITE), 0);
	assert_true(pt_lookup(mm_pt(mm), (u64)a + SZ_2M, &leaf));
	assert_int_equal(leaf.size, SZ_2M); /* placed so that large pages fit */
	assert_int_equal(leaf.pa + ((u64)a + SZ_2M - leaf.va), 0xfe800000 + SZ_2M + SZ_4K * 16);
	assert_int_equal(leaf.prot, PT_READ | PT_WRITE | PT_USER | PT_UNCACHED);
	assert_int_equal(mm_fault(other, AT, ARCH_FAULT_READ), 0);
	assert_int_equal(mm_fault(other, AT, ARCH_FAULT_WRITE), -EFAULT);
	assert_int_equal(mm_pin(mm, (u64)a, SZ_4K, false, &pin), -EFAULT);

	/* The device goes to sleep: all views go, and come back only through the gate. */
	gate_errno = -EIO;
	mobj_zap(bar, 0, 3 * SZ_2M);
	assert_false(pt_lookup(mm_pt(mm), (u64)a + SZ_2M, &leaf));
	assert_false(pt_lookup(mm_pt(other), AT, &leaf));
	assert_int_equal(mm_resident(mm), 0);
	assert_int_equal(mm_fault(mm, (u64)a + SZ_2M, ARCH_FAULT_READ), -EIO);
	gate_errno = 0;
	assert_int_equal(mm_fault(mm, (u64)a + SZ_2M, ARCH_FAULT_READ), 0);
	assert_int_equal(mm_fault(other, AT, ARCH_FAULT_READ), 0);
	/* A zap of a part leaves the other view alone. */
	mobj_zap(bar, 0, SZ_4K * 17);
	assert_true(pt_lookup(mm_pt(other), AT, &leaf));
	mm_put(other);
	assert_int_equal(released, 0);
	assert_int_equal(mm_unmap(mm, (u64)a, 2 * SZ_2M), 0);
	assert_int_equal(released, 1);
}

/* ---- watches: nothing derived outlives its page ---- */

static struct { bool valid; struct mm_page page; } derived;
static unsigned zaps;

static void on_zap(struct mm_watch *w, uaddr_t addr, u64 len)
{
	(void)w;
	zaps++;
	if (derived.page.addr < addr + len && derived.page.addr + derived.page.size > addr) {
		assert_true(!derived.valid || frame_in_use(derived.page.pa)); /* zapped before it is freed */
		derived.valid = false;
	}
}

static int derive(void *arg, const struct mm_page *page)
{
	derived.page = *page;
	derived.valid = true;
	return *(int *)arg;
}

static void test_watch(void **state)
{
	struct mm_watch w = { .zap = on_zap };
	struct mm_page page;
	s64 at = map_anon(0, 2 * SZ_2M, RW, 0);
	int result = 0;

	(void)state;
	mm_watch_add(mm, &w);
	assert_int_equal(mm_with_page(mm, (u64)at + SZ_4K, ARCH_FAULT_WRITE, derive, &result), 0);
	assert_int_equal(derived.page.addr, at);
	assert_int_equal(derived.page.size, SZ_2M);
	assert_int_equal(derived.page.prot, PT_READ | PT_WRITE | PT_USER);
	assert_true(mm_peek(mm, (u64)at, &page) && page.pa == derived.page.pa);
	assert_false(mm_peek(mm, (u64)at + SZ_2M, &page));
	assert_int_equal(mm_protect(mm, (u64)at + 4 * SZ_4K, SZ_4K, PROT_READ), 0);
	assert_false(derived.valid); /* lost rights, although no CPU ever touched it */
	assert_int_equal(mm_with_page(mm, (u64)at + SZ_4K, ARCH_FAULT_WRITE, derive, &result), 0);
	assert_int_equal(derived.page.size, SZ_4K);
	assert_int_equal(mm_with_page(mm, (u64)at + 4 * SZ_4K, ARCH_FAULT_WRITE, derive, &result), -EFAULT);
	result = -EAGAIN;
	assert_int_equal(mm_with_page(mm, (u64)at + SZ_4K, ARCH_FAULT_WRITE, derive, &result), -EAGAIN);
	assert_int_equal(mm_advise(mm, (u64)at, SZ_2M, MADV_DONTNEED), 0);
	assert_false(derived.valid);
	result = 0;
	assert_int_equal(mm_with_page(mm, (u64)at + SZ_2M, ARCH_FAULT_READ, derive, &result), 0);
	assert_int_equal(mm_unmap(mm, (u64)at, 2 * SZ_2M), 0);
	assert_false(derived.valid);
	mm_watch_remove(mm, &w);
	zaps = 0;
	at = map_anon(0, SZ_4K, RW, 0);
	assert_int_equal(mm_unmap(mm, (u64)at, SZ_4K), 0);
	assert_int_equal(zaps, 0);
}

/* A shared object: cut and pinned. */
static void test_resize(void **state)
{
	struct mobj *obj = mobj_create_anon(3 * SZ_2M, false);
	s64 at = host_map(mm, AT, 4 * SZ_2M, RW, MAP_SHARED | MAP_FIXED, obj, 0);
	struct pin *pin;

	(void)state;
	assert_true(at > 0);
	poke_u64(AT, 1);
	poke_u64(AT + SZ_2M + 8 * SZ_4K, 2);
	assert_int_equal(mm_fault(mm, AT + 3 * SZ_2M, ARCH_FAULT_READ), -EIO); /* beyond the end */
	assert_int_equal(mm_pin(mm, AT + 3 * SZ_2M, SZ_4K, false, &pin), -EFAULT);
	assert_int_equal(mm_pin(mm, AT + SZ_2M + 8 * SZ_4K, SZ_4K, false, &pin), 0);
	assert_int_equal(mobj_resize(obj, SZ_2M + 8 * SZ_4K), -EBUSY);
	assert_int_equal(mobj_resize(obj, SZ_2M + 7 * SZ_4K), -EBUSY);
	assert_int_equal(peek_u64(AT + SZ_2M + 8 * SZ_4K), 2); /* pinned: it stays */
	pin_release(pin);
	poke_u64(AT + SZ_2M + 7 * SZ_4K, 3);
	assert_int_equal(mobj_resize(obj, SZ_2M + 8 * SZ_4K), 0);
	assert_int_equal(copy_from_user(&at, AT + SZ_2M + 8 * SZ_4K, 1), -EFAULT);
	assert_int_equal(peek_u64(AT + SZ_2M + 7 * SZ_4K), 3);
	assert_int_equal(mobj_resize(obj, 2 * SZ_2M), 0);
	assert_int_equal(peek_u64(AT + SZ_2M + 8 * SZ_4K), 0);
	/* Pieces of one 2 MiB frame are pinned one by one, although they share a count. */
	assert_int_equal(mm_pin(mm, AT + SZ_2M, SZ_4K, false, &pin), 0);
	poke_u64(AT + SZ_2M, 9);
	assert_int_equal(mobj_resize(obj, SZ_2M), -EBUSY);
	assert_int_equal(peek_u64(AT + SZ_2M), 9);
	pin_release(pin);
	assert_int_equal(mobj_resize(obj, SZ_2M), 0);
	/* Its tree grows with it, and what was there stays where it was. */
	assert_int_equal(mobj_resize(obj, 600 * SZ_1G), 0);
	assert_int_equal(mobj_write(obj, 600 * SZ_1G - 8, "postern", 8), 0);
	assert_int_equal(peek_u64(AT), 1);
	assert_int_equal(mobj_resize(obj, 0), 0);
	assert_int_equal(mobj_resize(obj, 600 * SZ_1G), 0);
	assert_int_equal(peek_u64(AT), 0);
	assert_int_equal(mobj_read(obj, 600 * SZ_1G - 8, &at, sizeof(at)), 0);
	assert_int_equal(at, 0);
	mobj_put(obj);
}

/* A cut that fails for want of memory, wherever, changes nothing. */
static void test_resize_undone(void **state)
{
	int err = -ENOMEM;

	(void)state;
	for (u64 n = 1; err; n++) {
		struct mobj *obj = mobj_create_anon(3 * SZ_2M, false);
		u64 i, value;

		for (i = 0; i < 3; i++)
			assert_int_equal(mobj_write(obj, i * SZ_2M + 9 * SZ_4K, &i, sizeof(i)), 0);
		host_alloc_fail_at(n);
		err = mobj_resize(obj, 4 * SZ_4K);
		host_alloc_fail_at(0);
		assert_true(err == -ENOMEM || (!err && n > 1));
		for (i = 0; err && i < 3; i++) {
			assert_int_equal(mobj_read(obj, i * SZ_2M + 9 * SZ_4K, &value, sizeof(value)), 0);
			assert_int_equal(value, i);
		}
		mobj_put(obj);
	}
}

/* The audit sees each kind of damage. */
static void test_audit(void **state)
{
	struct mm_vma_info v;
	uaddr_t at = 0;
	struct vma *vma;

	(void)state;
	assert_int_equal(map_anon(AT, 2 * SZ_2M, RW, MAP_FIXED), AT);
	poke_u64(AT, 1);
	assert_true(mm_next_vma(mm, &at, &v) && at == AT + 2 * SZ_2M && v.start == AT);
	assert_int_equal(mm_audit(), 0);
	vma = vma_find(mm, AT);
	vma->prot = PROT_READ;
	assert_int_equal(mm_audit(), 1);
	vma->prot = RW;
	vma->off += SZ_2M;
	assert_int_equal(mm_audit(), 1);
	vma->off -= SZ_2M;
	vma->end -= SZ_2M + SZ_4K;
	assert_int_equal(mm_audit(), 1);
	vma->end += SZ_2M + SZ_4K;
	mm->resident += SZ_4K;
	assert_int_equal(mm_audit(), 1);
	mm->resident -= SZ_4K;
	*(u64 *)phys_to_virt(vma->obj->pages.root) ^= SZ_2M;
	assert_int_equal(mm_audit(), 1);
	*(u64 *)phys_to_virt(vma->obj->pages.root) ^= SZ_2M;
	assert_int_equal(mm_audit(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_bar, setup, teardown),
		cmocka_unit_test_setup_teardown(test_watch, setup, teardown),
		cmocka_unit_test_setup_teardown(test_resize, setup, teardown),
		cmocka_unit_test_setup_teardown(test_resize_undone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_audit, setup, teardown),
	};

	return cmocka_run_group_tests_name("mm views", tests, NULL, NULL);
}
