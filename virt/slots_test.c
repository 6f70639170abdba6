// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory slots over a real address space: the errors of KVM_SET_USER_MEMORY_REGION, and random
 * programs that map, unmap, protect and discard memory while slots come, move and go and guests
 * touch them. A model of the guests' TLB remembers each translation until the flush; whatever it
 * remembers must be what the program maps at that moment, no more writable, and in a live slot.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include <linux/mman.h>

#include "arch/x86/vcpu.h"
#include "kernel/frames.h"
#include "tests/host/host.h"
#include "virt/slots.h"

#define BASE 0x200000000ull /* of the program's window */
#define WINDOW_PAGES 4096u  /* 16 MiB */
#define SLOTS 6u
#define TLB_SIZE 64u

static const struct vcpu_ops engine = {
	.table_format = &pt_x86, .table_levels = 4, .table_max_leaf = 2, .table_prot = PT_USER,
};
static struct mm *mm;
static struct slots slots;
static struct kvm_userspace_memory_region live[SLOTS];
static struct pt_leaf tlb[TLB_SIZE];
static unsigned tlb_count, flushes;

static void flush(struct slots *s)
{
	(void)s;
	flushes++;
	tlb_count = 0;
}

static int set(u32 slot, u32 flags, u64 gpa, u64 size, u64 hva)
{
	const struct kvm_userspace_memory_region r = { .slot = slot, .flags = flags,
		.guest_phys_addr = gpa, .memory_size = size, .userspace_addr = hva };

	return slots_set(&slots, &r);
}

static void begin(void)
{
	mm = mm_create();
	host_set_mm(mm);
	assert_int_equal(slots_init(&slots, mm, &engine, flush), 0);
	memset(live, 0, sizeof(live));
	tlb_count = 0;
}

static void end(void)
{
	slots_destroy(&slots);
	host_user_reset();
}

static void test_errors(void **state)
{
	const u64 hva = BASE;

	(void)state;
	begin();
	assert_int_equal(set(1, 4, 0, SZ_4K, hva), -EINVAL);
	assert_int_equal(set(1, KVM_MEM_LOG_DIRTY_PAGES, 0, SZ_4K, hva), -EINVAL);
	assert_int_equal(set(1, 0, 0, SZ_4K + 1, hva), -EINVAL);
	assert_int_equal(set(1, 0, 1, SZ_4K, hva), -EINVAL);
	assert_int_equal(set(1, 0, 0, SZ_4K, hva + 1), -EINVAL);
	assert_int_equal(set(SLOTS_MAX, 0, 0, SZ_4K, hva), -EINVAL);
	assert_int_equal(set(1 << 16, 0, 0, SZ_4K, hva), -EINVAL);
	assert_int_equal(set(1, 0, ~0ull << 12, 2 * SZ_4K, hva), -EINVAL);
	assert_int_equal(set(1, 0, 1ull << 48, SZ_4K, hva), -EINVAL);
	assert_int_equal(set(1, 0, 0, SZ_4K, MM_HIGH), -EINVAL);
	assert_int_equal(set(1, 0, 0, 0, hva), -EINVAL);
	assert_int_equal(set(SLOTS_MAX - 1, 0, 0x10000, 0x10000, hva), 0);
	assert_int_equal(set(2, 0, 0x1f000, SZ_4K, hva), -EEXIST);
	assert_int_equal(set(2, 0, 0xf000, 2 * SZ_4K, hva), -EEXIST);
	assert_int_equal(set(2, 0, 0x20000, SZ_4K, hva), 0);
	assert_int_equal(set(3, 0, 0xf000, SZ_4K, hva), 0);
	assert_int_equal(set(SLOTS_MAX - 1, 0, 0x11000, 0x10000, hva), -EEXIST);
	assert_int_equal(set(SLOTS_MAX - 1, 0, 0x10000, 0x11000, hva), -EINVAL);
	assert_int_equal(set(SLOTS_MAX - 1, KVM_MEM_READONLY, 0x10000, 0x10000, hva), -EINVAL);
	assert_int_equal(set(SLOTS_MAX - 1, 0, 0x10000, 0x10000, hva + SZ_4K), -EINVAL);
	assert_int_equal(set(SLOTS_MAX - 1, 0, 0x10000, 0x10000, hva), 0);
	assert_int_equal(set(SLOTS_MAX - 1, 0, 0x40000, 0x10000, hva), 0);
	assert_int_equal(set(4, 0, 0x10000, 0x10000, hva), 0);
	host_alloc_fail_from(1);
	assert_int_equal(set(5, 0, 0x80000, SZ_4K, hva), -ENOMEM);
	host_alloc_fail_at(0);
	assert_int_equal(set(SLOTS_MAX - 1, 0, 0, 0, 0), 0);
	assert_int_equal(set(SLOTS_MAX - 1, 0, 0, 0, 0), -EINVAL);
	end();
}

/* Large leaves where guest, program and memory agree on 2 MiB; none across the hole. */
static void test_leaves(void **state)
{
	struct mm_map_args a = { .addr = BASE, .len = 8 * SZ_2M, .prot = PROT_READ | PROT_WRITE,
				 .flags = MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS };
	struct pt_leaf leaf;
	u8 byte = 0x77;
	u64 entry;

	(void)state;
	begin();
	a.obj = mobj_create_anon(a.len, false);
	assert_int_equal(mm_map(mm, &a), BASE);
	mobj_put(a.obj);
	assert_int_equal(set(0, 0, SZ_1G, 4 * SZ_2M, BASE), 0);
	assert_int_equal(set(1, 0, 2 * SZ_1G + SZ_4K, SZ_2M, BASE + 4 * SZ_2M), 0);
	assert_int_equal(set(2, KVM_MEM_READONLY, 3 * SZ_1G, SZ_2M, BASE + 6 * SZ_2M), 0);
	slots.hole = SZ_1G + SZ_2M + 5 * SZ_4K;

	assert_int_equal(slots_fault(&slots, SZ_1G + 0x5123, ARCH_FAULT_READ), 0);
	assert_true(pt_lookup(&slots.table, SZ_1G, &leaf) && leaf.size == SZ_2M);
	assert_true((leaf.prot & PT_WRITE) && (leaf.prot & PT_EXEC) && (leaf.prot & PT_USER));
	assert_int_equal(slots_fault(&slots, slots.hole, ARCH_FAULT_READ), -ENXIO);
	assert_int_equal(slots_fault(&slots, slots.hole + SZ_4K, ARCH_FAULT_READ), 0);
	assert_true(pt_lookup(&slots.table, slots.hole + SZ_4K, &leaf) && leaf.size == SZ_4K);
	assert_false(pt_lookup(&slots.table, slots.hole, &leaf));
	assert_int_equal(slots_fault(&slots, 2 * SZ_1G + SZ_4K, ARCH_FAULT_WRITE), 0);
	assert_true(pt_lookup(&slots.table, 2 * SZ_1G + SZ_4K, &leaf) && leaf.size == SZ_4K);
	assert_int_equal(slots_fault(&slots, 3 * SZ_1G, ARCH_FAULT_WRITE), -ENXIO);
	assert_int_equal(slots_fault(&slots, 3 * SZ_1G, ARCH_FAULT_READ), 0);
	assert_true(pt_lookup(&slots.table, 3 * SZ_1G, &leaf) && !(leaf.prot & PT_WRITE));
	assert_int_equal(slots_fault(&slots, 5 * SZ_1G, ARCH_FAULT_READ), -ENXIO);

	/* A page that may only be read becomes writable when the program says so. */
	assert_int_equal(mm_protect(mm, BASE + 2 * SZ_2M, SZ_4K, PROT_READ), 0);
	assert_int_equal(slots_fault(&slots, SZ_1G + 2 * SZ_2M, ARCH_FAULT_WRITE), -EFAULT);
	assert_int_equal(slots_fault(&slots, SZ_1G + 2 * SZ_2M, ARCH_FAULT_READ), 0);
	assert_true(pt_lookup(&slots.table, SZ_1G + 2 * SZ_2M, &leaf) && !(leaf.prot & PT_WRITE));
	assert_int_equal(mm_protect(mm, BASE + 2 * SZ_2M, SZ_4K, PROT_READ | PROT_WRITE), 0);
	assert_int_equal(slots_fault(&slots, SZ_1G + 2 * SZ_2M, ARCH_FAULT_WRITE), 0);
	assert_true(pt_lookup(&slots.table, SZ_1G + 2 * SZ_2M, &leaf) && (leaf.prot & PT_WRITE));

	assert_int_equal(slots_copy(&slots, SZ_1G + 4 * SZ_2M - 1, "ab", 2, true), -ENXIO);
	assert_int_equal(slots_copy(&slots, 3 * SZ_1G, &byte, 1, true), -ENXIO);
	assert_int_equal(slots_copy(&slots, SZ_1G + 0x1000, &byte, 1, true), 0);
	byte = 0;
	assert_int_equal(slots_copy(&slots, SZ_1G + 0x1000, &byte, 1, false), 0);
	assert_int_equal(byte, 0x77);
	/* An entry of a table changes only from what it was, and only where it may. */
	entry = 0x27;
	assert_int_equal(slots_copy(&slots, SZ_1G + 0x2008, &entry, 8, true), 0);
	assert_int_equal(slots_exchange(&slots, SZ_1G + 0x2008, 8, 0x27, 0x1000000067), 0);
	assert_int_equal(slots_exchange(&slots, SZ_1G + 0x2008, 8, 0x27, 0), -EAGAIN);
	assert_int_equal(slots_exchange(&slots, SZ_1G + 0x200c, 4, 0x10, 0x33), 0);
	assert_int_equal(slots_exchange(&slots, SZ_1G + 0x2008, 4, 0x10, 0x44), -EAGAIN);
	assert_int_equal(slots_copy(&slots, SZ_1G + 0x2008, &entry, 8, false), 0);
	assert_true(entry == 0x3300000067);
	assert_int_equal(slots_exchange(&slots, SZ_1G + 0x2004, 8, 0, 0), -ENXIO);
	assert_int_equal(slots_exchange(&slots, 3 * SZ_1G, 8, 0, 1), -ENXIO);
	assert_int_equal(slots_exchange(&slots, 5 * SZ_1G, 8, 0, 1), -ENXIO);
	/* One page of a large leaf goes: nothing of the leaf stays. */
	assert_int_equal(mm_unmap(mm, BASE + SZ_4K, SZ_4K), 0);
	assert_false(pt_lookup(&slots.table, SZ_1G, &leaf));
	assert_int_equal(slots_fault(&slots, SZ_1G + SZ_4K, ARCH_FAULT_READ), -EFAULT);
	assert_int_equal(slots_fault(&slots, SZ_1G, ARCH_FAULT_READ), 0);
	/* The VM closes: nothing is left to look at. */
	slots_close(&slots);
	assert_false(pt_lookup(&slots.table, SZ_1G, &leaf));
	assert_int_equal(slots_fault(&slots, SZ_1G, ARCH_FAULT_READ), -EIO);
	end();
}

static const struct kvm_userspace_memory_region *live_at(u64 gpa)
{
	for (unsigned i = 0; i < SLOTS; i++)
		if (live[i].memory_size && gpa >= live[i].guest_phys_addr &&
		    gpa < live[i].guest_phys_addr + live[i].memory_size)
			return &live[i];
	return NULL;
}

/* A leaf that a guest may be using: page by page what the program shows. */
static void leaf_check(const struct pt_leaf *leaf)
{
	for (u64 off = 0; off < leaf->size; off += SZ_4K) {
		const struct kvm_userspace_memory_region *r = live_at(leaf->va + off);
		struct mm_page page;
		u64 hva;

		assert_non_null(r);
		assert_false((leaf->prot & PT_WRITE) && (r->flags & KVM_MEM_READONLY));
		hva = r->userspace_addr + (leaf->va + off - r->guest_phys_addr);
		assert_true(mm_peek(mm, hva, &page));
		assert_int_equal(page.pa + (hva - page.addr), leaf->pa + off);
		assert_false((leaf->prot & PT_WRITE) && !(page.prot & PT_WRITE));
	}
}

static void guests_check(void)
{
	struct pt_leaf leaf;
	u64 at = 0;

	while (pt_next(&slots.table, &at, &leaf))
		leaf_check(&leaf);
	for (unsigned i = 0; i < tlb_count; i++)
		leaf_check(&tlb[i]);
}

static void step_slot(void)
{
	unsigned i = (unsigned)rand() % SLOTS;
	struct kvm_userspace_memory_region r = { .slot = i };
	u64 page = (u64)rand() % 2048, granule = rand() % 2 ? 512 : 1;

	if (!live[i].memory_size || rand() % 3 == 0) {
		r.flags = rand() % 4 ? 0 : KVM_MEM_READONLY;
		r.memory_size = ALIGN_UP(1 + (u64)rand() % 1500, rand() % 2 ? granule : 1) * SZ_4K;
		r.guest_phys_addr = SZ_1G + ALIGN_DOWN((u64)rand() % 8192, granule) * SZ_4K;
		r.userspace_addr = BASE + ALIGN_DOWN(page, granule) * SZ_4K;
		if (rand() % 3 == 0) /* congruent, wherever it begins */
			r.guest_phys_addr = SZ_1G + page % 8 * SZ_2M + (r.userspace_addr & (SZ_2M - 1));
	} else if (rand() % 2) {
		r = live[i]; /* move */
		r.guest_phys_addr = SZ_1G + ALIGN_DOWN((u64)rand() % 8192, granule) * SZ_4K;
	}
	if (slots_set(&slots, &r) == 0)
		live[i] = r;
}

static void step_memory(void)
{
	u64 i = (u64)rand() % WINDOW_PAGES, n = 1 + (u64)rand() % 700;
	struct mm_map_args a;

	if (rand() % 2)
		i &= ~511ull;
	n = MIN(n, WINDOW_PAGES - i);
	a = (struct mm_map_args){ .addr = BASE + i * SZ_4K, .len = n * SZ_4K,
				  .prot = PROT_READ | (rand() % 4 ? PROT_WRITE : 0),
				  .flags = MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS };
	switch (rand() % 6) {
	case 0:
		assert_int_equal(mm_unmap(mm, a.addr, a.len), 0);
		break;
	case 1:
		(void)!mm_protect(mm, a.addr, a.len, a.prot);
		break;
	case 2:
		(void)!mm_advise(mm, a.addr, a.len, MADV_DONTNEED);
		break;
	default:
		a.obj = mobj_create_anon(a.len, rand() % 3 == 0);
		assert_int_equal(mm_map(mm, &a), a.addr);
		mobj_put(a.obj);
	}
}

static void step_touch(void)
{
	u64 gpa = SZ_1G + (u64)rand() % (10000 * SZ_4K);
	bool write = rand() % 2;
	const struct kvm_userspace_memory_region *r = live_at(gpa);
	int err = slots_fault(&slots, gpa, write ? ARCH_FAULT_WRITE : ARCH_FAULT_READ);
	struct pt_leaf leaf;

	if (!r || (write && (r->flags & KVM_MEM_READONLY))) {
		assert_int_equal(err, -ENXIO);
		return;
	}
	assert_true(err == 0 || err == -EFAULT);
	if (err)
		return;
	assert_true(pt_lookup(&slots.table, gpa, &leaf));
	assert_true(!write || (leaf.prot & PT_WRITE));
	if (tlb_count < TLB_SIZE)
		tlb[tlb_count++] = leaf;
}

static void test_random(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 8; seed++) {
		u64 before = frames_free();

		srand(seed);
		begin();
		for (unsigned step = 0; step < 3000; step++) {
			if (rand() % 12 == 0)
				step_slot();
			else if (rand() % 5 == 0)
				step_memory();
			else
				step_touch();
			if (step % 8 == 0)
				guests_check();
		}
		assert_int_equal(slots_audit(&slots), 0);
		assert_true(flushes > 100);
		end();
		assert_int_equal(frames_free(), before);
	}
}

static int setup(void **state)
{
	(void)state;
	host_init();
	for (size_t n = 16; n <= 2016; n += 16) /* the heap keeps what it once had */
		kfree(kmalloc(n));
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_leaves),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests_name("slots", tests, setup, NULL);
}
