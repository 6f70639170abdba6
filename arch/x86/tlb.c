/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which page table each CPU has loaded, and dropping stale translations of one.  A CPU announces
 * next_root before it writes CR3 and root after; both writes are ordered by CR3's serializing. So a
 * flusher that has cleared its entries and then finds a root in neither field knows that this CPU will
 * load CR3 later, which drops what it may have cached before. Kernel translations are global and never
 * change once made (kmap.c).
 */
#include "arch/x86/early.h"

#define FLUSH_PAGES_MAX 32 /* beyond, all of the table's translations go */

struct flush {
	paddr_t root;
	u64 va, len;
};

void tlb_load_root(struct percpu *p, paddr_t root)
{
	if (p->root == root)
		return;
	WRITE_ONCE(p->next_root, root);
	cpu_mb();
	write_cr3(root);
	WRITE_ONCE(p->root, root);
}

static void flush_here(void *arg)
{
	const struct flush *f = arg;

	if (read_cr3() != f->root)
		return;
	if (!f->len || f->len > FLUSH_PAGES_MAX * PAGE_SIZE) {
		write_cr3(f->root); /* no kernel entry goes: they are global */
		return;
	}
	for (u64 va = ALIGN_DOWN(f->va, PAGE_SIZE); va < f->va + f->len; va += PAGE_SIZE)
		cpu_invlpg(va); /* any page of a large one drops it, and the paging-structure caches (4.10.4.1) */
}

void arch_tlb_flush(paddr_t root, uaddr_t va, u64 len)
{
	struct flush f = { root, va, len };
	u64 others = 0, online = READ_ONCE(cpus_online);
	bool on = arch_irq_save();
	unsigned me = arch_cpu_id();

	cpu_mb(); /* the cleared entries are visible before the roots are read */
	for (; online; online &= online - 1) {
		unsigned c = __builtin_ctzll(online);
		const struct percpu *p = percpu_of[c];

		if (c != me && (READ_ONCE(p->root) == root || READ_ONCE(p->next_root) == root))
			others |= BIT(c);
	}
	flush_here(&f);
	if (others)
		ipi_mask(others, flush_here, &f);
	arch_irq_restore(on);
}
