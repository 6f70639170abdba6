// SPDX-License-Identifier: GPL-2.0-only
/*
 * Any bytes through the instruction decoder in every code size: it must look at no byte beyond the
 * input, and what it accepts must be consistent with itself.
 */
#include <stdlib.h>

#include "virt/decode.h"

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void one(const u8 *code, unsigned n, unsigned bits)
{
	u64 gpr[GPR_COUNT] = { 0 }, flags = 0;
	struct insn_prefixes p;
	struct insn in, again;

	insn_prefixes(&p, code, n, bits);
	check(p.length <= n && p.length < INSN_MAX);
	if (insn_decode(&in, code, n, bits))
		return;
	check(in.length <= n && in.length <= INSN_MAX && in.length > p.length);
	check(in.size && in.size <= 8 && !(in.size & (in.size - 1)) && in.reg < GPR_COUNT);
	check(in.base < GPR_COUNT || in.base >= INSN_RIP);
	check(in.index < GPR_COUNT || in.index == INSN_NO_REG);
	check(in.seg <= SEG_GS && (!in.high || in.reg < 4));
	check(insn_offset(&in, gpr, 0) <= insn_mask(in.addr_size));
	check(insn_compute(in.op, ~0ull, in.imm, in.size, &flags) <= insn_mask(in.size));
	/* The same from exactly its bytes, and nothing from fewer. */
	check(insn_decode(&again, code, in.length, bits) == 0 && again.length == in.length);
	check(insn_decode(&again, code, in.length - 1u, bits) == -ENODATA);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	unsigned n = (unsigned)MIN(size, 32);
	u8 *copy = malloc(n ? n : 1); /* of exact size, so that a byte too far is noticed */

	if (!copy)
		return 0;
	memcpy(copy, data, n);
	one(copy, n, 16);
	one(copy, n, 32);
	one(copy, n, 64);
	free(copy);
	return 0;
}
