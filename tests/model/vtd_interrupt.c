/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Interrupt messages (5.1): entries are remembered until dropped, and what is malformed is a violation.
 */
#include "tests/model/vtd_model.h"

void vm_drop_interrupts(struct vm_unit *u, bool one, u16 index, unsigned mask)
{
	u32 n = 1u << mask, first = one ? index & ~(n - 1) : 0;

	for (u32 i = 0; i < (one ? n : 65536u) && first + i < 65536; i++)
		u->irte_cached[first + i] = false;
}

bool vm_msi(struct vm_unit *u, u16 sid, u64 addr, u32 data, u32 *dest, u8 *vector)
{
	u32 index = (u32)((addr >> 5 & 0x7fff) | (addr & 4) << 13);
	bool on = u->gsts >> 25 & 1;
	struct vm_pair e;
	u16 check;
	u8 reason = 0;

	vm_entries_look(u, false);
	if (addr >> 20 != 0xfee)
		return false;
	if (!on || (!(addr & 0x10) && (u->gsts >> 23 & 1))) {
		*vector = (u8)data;
		*dest = addr >> 12 & 0xff;
		return true;
	}
	if (addr & 8)
		index += data & 0xffff;
	if (!(addr & 0x10))
		reason = 0x25;
	else if (!(addr & 8) && data)
		reason = 0x20;
	else if (index >= 2u << (u->irt & 0xf))
		reason = 0x21;
	if (!reason && !u->irte_cached[index]) {
		u64 at = (u->irt & ~0xfffull) + index * 16ull;

		u->irte[index] = (struct vm_pair){ vm_mem(u, at), vm_mem(u, at + 8) };
		u->irte_cached[index] = (u->irte[index].lo & 1) || u->c.caching_mode;
	}
	e = reason ? (struct vm_pair){ 0, 0 } : u->irte[index];
	check = (u16)e.hi;
	if (!reason && !(e.lo & 1))
		reason = 0x22;
	if (!reason && ((e.lo & 0xff00f0ecull) || e.hi >> 20 || (e.hi >> 18 & 3) == 3 || (e.hi >> 16 & 3) ||
			(!(u->irt & 0x800) && (e.lo >> 32 & ~0xff00ull)))) {
		vm_violation("malformed interrupt entry");
		reason = 0x24;
	}
	if (!reason && !(e.hi >> 18 & 3))
		vm_violation("interrupt entry checks no source");
	if (!reason && (e.hi >> 18 & 3) == 1 && check != sid)
		reason = 0x26;
	if (!reason && (e.hi >> 18 & 3) == 2 && (sid >> 8 < check >> 8 || sid >> 8 > (check & 0xff)))
		reason = 0x26;
	if (reason) {
		vm_fault(u, sid, (u64)index << 48, false, reason);
		return false;
	}
	*vector = (u8)(e.lo >> 16);
	*dest = u->irt & 0x800 ? (u32)(e.lo >> 32) : (u32)(e.lo >> 40 & 0xff);
	return true;
}
