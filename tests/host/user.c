/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * User memory of the host side: a struct mm, walked in software page by page, with a TLB in front
 * that keeps each translation until arch_tlb_flush() names it.  Frames that went back are poisoned,
 * so a translation that outlived its page is found.
 */
#include <linux/mman.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernel/frames.h"
#include "kernel/mm.h"
#include "kernel/pt.h"
#include "tests/host/host.h"

#define TLB_ENTRIES 1024u

static struct tlb_entry {
	bool valid;
	paddr_t root;
	uaddr_t va;
	paddr_t pa;
	unsigned prot;
} tlb[TLB_ENTRIES];
static struct mm *current_mm;
static u64 efault_at, copies;
u64 host_tlb_flushes;

void host_set_mm(struct mm *mm)
{
	current_mm = mm;
	memset(tlb, 0, sizeof(tlb)); /* as loading a root does */
}

struct mm *host_mm(void)
{
	return current_mm;
}

void host_efault_at(u64 n)
{
	efault_at = n;
	copies = 0;
}

u64 host_copy_count(void)
{
	return copies;
}

void arch_tlb_flush(paddr_t root, uaddr_t va, u64 len)
{
	host_tlb_flushes++;
	for (unsigned i = 0; i < TLB_ENTRIES; i++)
		if (tlb[i].root == root && (!len || (tlb[i].va + PAGE_SIZE > va && tlb[i].va < va + len)))
			tlb[i].valid = false;
}

static bool walk(paddr_t root, uaddr_t va, unsigned need, struct tlb_entry *e)
{
	struct pt_leaf leaf;

	if (!pt_lookup(mm_pt(current_mm), va, &leaf) || (leaf.prot & need) != need)
		return false;
	*e = (struct tlb_entry){ true, root, va, leaf.pa + (va - leaf.va), leaf.prot };
	return true;
}

/* Kernel address of the user byte at va, NULL: -EFAULT. */
static void *reach(uaddr_t va, bool write)
{
	unsigned need = PT_USER | PT_READ | (write ? PT_WRITE : 0);
	uaddr_t page = ALIGN_DOWN(va, PAGE_SIZE);
	struct tlb_entry *e = &tlb[(page >> PAGE_SHIFT) % TLB_ENTRIES];
	paddr_t root;

	copies++;
	if (!current_mm || va >= MM_HIGH || (efault_at && copies == efault_at))
		return NULL;
	root = mm_root(current_mm);
	if (!e->valid || e->root != root || e->va != page || (e->prot & need) != need) {
		if (!walk(root, page, need, e)) {
			if (mm_fault(current_mm, va, write ? ARCH_FAULT_WRITE : ARCH_FAULT_READ))
				return NULL;
			if (!walk(root, page, need, e)) {
				fprintf(stderr, "host: a fault was served and the page is not there\n");
				abort();
			}
		}
	}
	if (!frame_is_ram(e->pa)) /* device memory: what the test has put there */
		return (char *)arch_map_uncached(e->pa, PAGE_SIZE) + (va - page);
	return (char *)phys_to_virt(e->pa) + (va - page);
}

static int copy(uaddr_t user, void *kernel, const void *source, size_t n)
{
	char *k = kernel;
	const char *s = source;

	if (user + n < user)
		return -EFAULT;
	while (n) {
		size_t part = MIN(n, (size_t)(PAGE_SIZE - (user & (PAGE_SIZE - 1))));
		char *u = reach(user, !kernel);

		if (!u)
			return -EFAULT;
		if (kernel)
			memcpy(k, u, part);
		else if (source)
			memcpy(u, s, part);
		else
			memset(u, 0, part);
		user += part;
		n -= part;
		k = kernel ? k + part : k;
		s = source ? s + part : s;
	}
	return 0;
}

int copy_from_user(void *dst, uaddr_t src, size_t n)
{
	return copy(src, dst, NULL, n);
}

int copy_to_user(uaddr_t dst, const void *src, size_t n)
{
	return copy(dst, NULL, src, n);
}

int clear_user(uaddr_t dst, size_t n)
{
	return copy(dst, NULL, NULL, n);
}

int user_load32(u32 *out, uaddr_t src)
{
	return IS_ALIGNED(src, 4) ? copy_from_user(out, src, sizeof(*out)) : -EFAULT;
}

s64 copy_string_from_user(char *dst, uaddr_t src, size_t cap)
{
	for (size_t i = 0; i < cap; i++) {
		if (copy_from_user(&dst[i], src + i, 1))
			return -EFAULT;
		if (!dst[i])
			return (s64)i;
	}
	return -ENAMETOOLONG;
}

s64 host_map(struct mm *mm, uaddr_t addr, u64 len, int prot, int flags, struct mobj *obj, u64 off)
{
	struct mm_map_args args = {
		.addr = addr, .len = len, .prot = prot, .flags = flags, .obj = obj, .off = off,
	};
	s64 at;

	if (!obj) {
		args.obj = mobj_create_anon(len, false);
		args.flags |= MAP_PRIVATE | MAP_ANONYMOUS;
	}
	if (!args.obj)
		return -ENOMEM;
	at = mm_map(mm, &args);
	if (!obj)
		mobj_put(args.obj);
	return at;
}

uaddr_t host_user_alloc(u64 len)
{
	s64 at = -ENOMEM;

	if (!current_mm)
		host_set_mm(mm_create());
	if (current_mm)
		at = host_map(current_mm, 0, len, PROT_READ | PROT_WRITE, 0, NULL, 0);
	if (at < 0) {
		fprintf(stderr, "host: no user memory\n");
		abort();
	}
	return (uaddr_t)at;
}

void host_user_reset(void)
{
	struct mm *mm = current_mm;

	host_set_mm(NULL);
	if (mm)
		mm_put(mm);
}
