/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Page-table entry formats.  A leaf is never half built: these functions name every bit of it apart
 * from the address.  Bits 52..61 are ignored by all walkers and kept zero.
 */
#include "kernel/pt.h"

/* Intel SDM 3A 4.5, AMD APM 2 5.3 and 15.25 (nested paging uses the same entries). */
#define X86_P BIT(0)
#define X86_W BIT(1)
#define X86_U BIT(2)
#define X86_PWT BIT(3)
#define X86_PCD BIT(4) /* with PWT: PAT entry 3, UC */
#define X86_A BIT(5)
#define X86_D BIT(6)
#define X86_PS BIT(7)
#define X86_NX BIT(63)

/* VT-d 9.8: second-stage paging entries. */
#define SL_R BIT(0)
#define SL_W BIT(1)
#define SL_SP BIT(7)   /* leaf above level 1 */
#define SL_SNP BIT(11) /* snoop; reserved unless ECAP.SC, so only where PT_SNOOP asks for it */

#define ADDRESS GENMASK(51, 12)

/* Accessed and dirty are set from the start: no walker needs a locked write to set them. */
static u64 x86_leaf(unsigned prot)
{
	u64 e = 0;

	if (prot & (PT_READ | PT_WRITE | PT_EXEC))
		e |= X86_P | X86_A | X86_D;
	if (prot & PT_WRITE)
		e |= X86_W;
	if (prot & PT_USER)
		e |= X86_U;
	if (prot & PT_UNCACHED)
		e |= X86_PCD | X86_PWT;
	if (!(prot & PT_EXEC))
		e |= X86_NX;
	return e;
}

static unsigned x86_prot(u64 leaf)
{
	unsigned prot = PT_READ;

	if (leaf & X86_W)
		prot |= PT_WRITE;
	if (leaf & X86_U)
		prot |= PT_USER;
	if (leaf & X86_PCD)
		prot |= PT_UNCACHED;
	if (!(leaf & X86_NX))
		prot |= PT_EXEC;
	return prot;
}

const struct pt_format pt_x86 = {
	.addr_mask = ADDRESS,
	.table = X86_P | X86_W | X86_U | X86_A,
	.large = X86_PS,
	.present = X86_P,
	.leaf = x86_leaf,
	.prot = x86_prot,
};

static u64 sl_leaf(unsigned prot)
{
	u64 e = 0;

	if (prot & PT_READ)
		e |= SL_R;
	if (prot & PT_WRITE)
		e |= SL_W;
	if (prot & PT_SNOOP)
		e |= SL_SNP;
	return e;
}

static unsigned sl_prot(u64 leaf)
{
	unsigned prot = 0;

	if (leaf & SL_R)
		prot |= PT_READ;
	if (leaf & SL_W)
		prot |= PT_WRITE;
	if (leaf & SL_SNP)
		prot |= PT_SNOOP;
	return prot;
}

const struct pt_format pt_vtd_sl = {
	.addr_mask = ADDRESS,
	.table = SL_R | SL_W,
	.large = SL_SP,
	.present = SL_R | SL_W,
	.leaf = sl_leaf,
	.prot = sl_prot,
};
