/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What firmware may leave behind in a unit: tables, a queue, and everything it made the unit remember.
 */
#include <stdlib.h>

#include "tests/host/host.h"
#include "tests/model/vtd_model.h"

void vm_firmware(struct vm_unit *u, bool translation, bool remapping, bool queue, paddr_t page)
{
	u64 *root = phys_to_virt(page), *table = phys_to_virt(page + 4096), *top = phys_to_virt(page + 8192);
	u64 *gib = phys_to_virt(page + 12288);

	/* Bus 0, function 00.0: the first GiB as it is, read and write, and all of it remembered. */
	root[0] = (page + 4096) | 1;
	table[0] = (page + 8192) | 1;
	table[1] = 1u << 8 | ((u->c.sagaw & 4) ? 2 : 1);
	memset(top, 0, 4096);
	memset(gib, 0, 4096);
	top[0] = u->c.sagaw & 4 ? (page + 12288) | 3 : 0x83;
	gib[0] = 0x83;
	for (unsigned i = 0; i < 4 * 512; i++)
		vm_shadow_flush(&root[i], 8);
	vm_write_buffer_drain();
	if (translation) {
		u->rtaddr = u->root = page;
		u->gsts |= 1u << 31 | 1u << 30;
		(void)vm_context(u, 0);
		vm_remember(u, (struct vm_translation){ .did = 1, .iova = 0, .size = 1u << 30, .to = 0, .level = 1,
						     .read = true, .write = true });
	}
	if (remapping) {
		u->irta = u->irt = page + 7;
		u->gsts |= 1u << 25 | 1u << 24 | 1u << 23;
		u->irte[5] = (struct vm_pair){ 1 | 0x30 << 16, 1u << 18 };
		u->irte_cached[5] = true;
	}
	if (queue) {
		u->iqa = page;
		u->iqh = 0x20; /* still at work, until it is read for the third time */
		u->iqt = 0x40;
		u->lag = 3;
		u->gsts |= 1u << 26;
	}
	u->gsts |= 1u << 28; /* advanced fault logging */
	u->pmen = 1u << 31 | 1;
}

void vm_firmware_mode(struct vm_unit *u, unsigned ttm)
{
	u->rtaddr |= ttm << 10;
	u->root |= ttm << 10;
	u->iqa |= 1u << 11; /* wide descriptors */
	if (ttm == 1) { /* and what it remembers of 00:16.0: the same GiB */
		struct vm_pasid *p = calloc(1, sizeof(*p));

		p->sid = 0xb0;
		p->did = 1;
		p->e[0] = ((u->root & ~0xfffull) + 8192) | 2 << 6 | (u->c.sagaw & 4 ? 2 : 1) << 2 | 1;
		LIST_INSERT_HEAD(&u->pasids, p, link);
	}
}
