/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The audit of address spaces: each leaf of each process shows, inside one VMA and with no more rights
 * than that has, the page that the VMA's object has there now; RAM is in use by somebody, and a page
 * behind a closed gate is not shown at all.
 */
#include "kernel/audit.h"
#include "kernel/initcall.h"
#include "kernel/vma.h"

#define FINDINGS_SHOWN 8u

static const char *leaf_fault(struct mm *mm, const struct pt_leaf *leaf)
{
	struct vma *v = vma_find(mm, leaf->va);
	struct mobj_page page;
	u64 off;

	if (!v || leaf->va + leaf->size > v->end)
		return "is in no area";
	if (leaf->prot & ~vma_pt_prot(v))
		return "has more rights than its area";
	off = v->off + (leaf->va - v->start);
	if (mobj_page(v->obj, off, false, &page))
		return "shows a page that its object does not have";
	if (leaf->pa != page.pa + (off - page.off) || leaf->size > page.size - (off - page.off))
		return "shows another page than its object has";
	if (!v->obj->phys && (!frame_is_ram(leaf->pa) || !frame_in_use(leaf->pa)))
		return "shows memory that nobody holds";
	return NULL;
}

static void check(struct mm *mm, void *arg)
{
	unsigned *findings = arg;
	u64 at = 0, bytes = 0;
	struct pt_leaf leaf;

	while (pt_next(&mm->pt, &at, &leaf)) {
		const char *fault = leaf_fault(mm, &leaf);

		bytes += leaf.size;
		if (fault && ++*findings <= FINDINGS_SHOWN)
			log_err("audit: user address 0x%llx %s", (unsigned long long)leaf.va, fault);
	}
	if (bytes == mm->resident)
		return;
	++*findings;
	log_err("audit: an address space counts %llu bytes and shows %llu",
		(unsigned long long)mm->resident, (unsigned long long)bytes);
}

unsigned mm_audit(void)
{
	unsigned findings = 0;

	mm_each(check, &findings);
	return findings;
}

static struct auditor auditor = { .name = "address spaces", .check = mm_audit };

static int mm_audit_init(void)
{
	audit_register(&auditor);
	return 0;
}
INITCALL(INITCALL_DEVICES, mm_audit_init);
