// SPDX-License-Identifier: GPL-2.0-only
/*
 * Arithmetic of the emulated instructions: results and status flags of ADD, OR, ADC, SBB, AND, SUB,
 * XOR, CMP, TEST, INC, DEC, NOT, NEG at 1, 2, 4 and 8 bytes (AMD64 manual volume 3). Flags that the
 * manual leaves undefined come out zero.
 */
#include "virt/decode.h"

#define FLAG_CF BIT(0)
#define FLAG_PF BIT(2)
#define FLAG_AF BIT(4)
#define FLAG_ZF BIT(6)
#define FLAG_SF BIT(7)
#define FLAG_OF BIT(11)
#define FLAG_ALL (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF)

static u64 flags_of_result(u64 result, unsigned size)
{
	u64 flags = 0;

	if (!result)
		flags |= FLAG_ZF;
	if (result >> (size * 8 - 1))
		flags |= FLAG_SF;
	if (!__builtin_parity((u8)result))
		flags |= FLAG_PF;
	return flags;
}

/* Carries out of each bit of a + b + c tell CF, AF and OF. */
static u64 flags_of_carries(u64 carries, unsigned size)
{
	unsigned top = size * 8 - 1;
	u64 flags = 0;

	if (carries >> top & 1)
		flags |= FLAG_CF;
	if (carries >> 3 & 1)
		flags |= FLAG_AF;
	if ((carries >> top ^ carries >> (top - 1)) & 1)
		flags |= FLAG_OF;
	return flags;
}

static u64 add(u64 a, u64 b, bool carry, unsigned size, u64 *flags)
{
	u64 result = (a + b + carry) & insn_mask(size);

	*flags = flags_of_carries((a & b) | ((a | b) & ~result), size);
	return result;
}

static u64 subtract(u64 a, u64 b, bool borrow, unsigned size, u64 *flags)
{
	u64 result = (a - b - borrow) & insn_mask(size);

	*flags = flags_of_carries((~a & b) | ((~a | b) & result), size);
	return result;
}

u64 insn_compute(enum insn_op op, u64 dst, u64 src, unsigned size, u64 *rflags)
{
	bool carry = *rflags & FLAG_CF;
	u64 flags = 0, result, change = FLAG_ALL;

	dst &= insn_mask(size);
	src &= insn_mask(size);
	switch (op) {
	case INSN_ADD:
		result = add(dst, src, false, size, &flags);
		break;
	case INSN_ADC:
		result = add(dst, src, carry, size, &flags);
		break;
	case INSN_SUB:
	case INSN_CMP:
		result = subtract(dst, src, false, size, &flags);
		break;
	case INSN_SBB:
		result = subtract(dst, src, carry, size, &flags);
		break;
	case INSN_NEG:
		result = subtract(0, dst, false, size, &flags);
		break;
	case INSN_INC:
		result = add(dst, 1, false, size, &flags);
		change &= ~FLAG_CF;
		break;
	case INSN_DEC:
		result = subtract(dst, 1, false, size, &flags);
		change &= ~FLAG_CF;
		break;
	case INSN_OR:
		result = dst | src;
		break;
	case INSN_AND:
	case INSN_TEST:
		result = dst & src;
		break;
	case INSN_XOR:
		result = dst ^ src;
		break;
	case INSN_NOT:
		return ~dst & insn_mask(size);
	default: /* MOV, XCHG, STOS, MOVS */
		return src;
	}
	flags |= flags_of_result(result, size);
	*rflags = (*rflags & ~change) | (flags & change);
	return result;
}

bool insn_writes(enum insn_op op)
{
	return op != INSN_CMP && op != INSN_TEST;
}
