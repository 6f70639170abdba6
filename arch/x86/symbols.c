/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The symbol table that the build makes from the linked kernel (tools/ksyms): pairs of text offset and
 * name offset, sorted by address, then the names.
 */
#include "arch/x86/symbols.h"

#include "arch/x86/boot/start.h"
#include "arch/x86/x86.h"

struct ksym {
	u32 address; /* from KERNEL_VMA */
	u32 name;    /* from the end of the table */
};
struct ksyms {
	u32 count;
	struct ksym sym[];
};
extern const struct ksyms ksyms_table;

const char *symbol_find(u64 address, u64 *offset)
{
	const struct ksyms *t = &ksyms_table;
	u32 low = 0, high = t->count, want = address - KERNEL_VMA;

	if (address < (u64)text_start || address >= (u64)text_end || !high || t->sym[0].address > want)
		return NULL;
	while (high - low > 1) {
		u32 mid = low + (high - low) / 2;

		if (t->sym[mid].address <= want)
			low = mid;
		else
			high = mid;
	}
	*offset = want - t->sym[low].address;
	return (const char *)&t->sym[t->count] + t->sym[low].name;
}
