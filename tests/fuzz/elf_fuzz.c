// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs and archives: whatever the initrd holds, the parsers end, stay in bounds, and what they
 * accept keeps the promises of their headers. The input is taken as an archive and as a program; the
 * files of the archive are taken as programs too.
 */
#include <stdint.h>
#include <stdlib.h>

#include "kernel/cpio.h"
#include "kernel/elf.h"

static void check(int true_or_die)
{
	if (!true_or_die)
		abort();
}

/* Read what must be readable. */
static volatile u8 sink;

static void program(const u8 *file, u64 size)
{
	struct elf_program e;
	const char *why = NULL;

	if (elf_parse(file, size, &e, &why)) {
		check(why != NULL);
		return;
	}
	check(e.segments && e.low < e.high && e.entry >= e.low && e.entry < e.high);
	for (unsigned i = 0; i < e.segments; i++) {
		const struct elf_segment *s = &e.segment[i];

		check(s->filesz <= s->memsz && !(s->write && s->exec));
		check(s->vaddr >= e.low && s->vaddr + s->memsz <= e.high);
		if (s->filesz)
			sink = file[s->offset] + file[s->offset + s->filesz - 1];
	}
	if (e.interpreter)
		sink = (u8)strlen(e.interpreter);
	(void)sink;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cpio_entry e;
	u64 pos = 0, last = 0;

	program(data, size);
	while (cpio_next(data, size, &pos, &e) > 0) {
		check(pos > last && pos <= size);
		last = pos;
		check(e.size <= size && (!e.size || (e.data >= data && e.data + e.size <= data + size)));
		check(strlen(e.name) < size);
		program(e.data, e.size);
	}
	return 0;
}
