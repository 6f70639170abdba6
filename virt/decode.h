/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Decoder for the instructions with which guests touch devices, and for those that make a guest
 * leave without the CPU telling their length.  Pure: bytes in, meaning out; nothing is read or
 * written for the guest here.
 */
#ifndef VIRT_DECODE_H
#define VIRT_DECODE_H

#include "arch/x86/vcpu.h"
#include "kernel/base.h"

#define INSN_MAX 15 /* bytes; APM 3, 1.1 */

enum insn_op {
	/* Read-modify-write, or compare: numbered as in opcodes 00-3f and groups 80-83. */
	INSN_ADD, INSN_OR, INSN_ADC, INSN_SBB, INSN_AND, INSN_SUB, INSN_XOR, INSN_CMP,
	INSN_TEST, INSN_INC, INSN_DEC, INSN_NOT, INSN_NEG, INSN_XCHG,
	INSN_MOV,  /* also MOVZX, MOVSX, MOVSXD */
	INSN_STOS, INSN_MOVS,
};

struct insn {
	enum insn_op op;
	u8 length;
	u8 size;      /* of the memory operand: 1, 2, 4, 8 */
	u8 reg;       /* the other operand, unless `immediate` */
	u8 reg_size;  /* MOVZX, MOVSX: size of the register; else equal to size */
	bool high;    /* the register is AH, CH, DH or BH (reg is then 0..3) */
	bool sign;    /* MOVSX */
	bool immediate;
	bool to_memory; /* memory is the destination (for compares: the first operand) */
	bool rep, lock;
	u64 imm;      /* sign-extended */
	/* Effective address: seg: base + index << shift + disp, cut to addr_size. STOS and MOVS have
	 * their own registers. */
	u8 seg;       /* enum vcpu_seg */
	u8 base, index; /* enum vcpu_gpr; INSN_NO_REG, or for base INSN_RIP */
	u8 shift;
	u8 addr_size; /* 2, 4, 8 */
	u64 disp;
};
#define INSN_NO_REG 0xff
#define INSN_RIP 0xfe

/*
 * Decode the instruction at the start of code[0..n), for a code segment of `bits` (16, 32, 64).
 * 0; -ENODATA: it does not end within n bytes; -EINVAL: none that we emulate on memory.
 */
int must_check insn_decode(struct insn *out, const u8 *code, unsigned n, unsigned bits);
/* The offset of the effective address; rip: of the instruction's start. */
u64 insn_offset(const struct insn *in, const u64 gpr[GPR_COUNT], u64 rip);
/* Prefixes only: how many bytes they take (0..INSN_MAX - 1), and what they say. */
struct insn_prefixes {
	u8 length, rex, seg; /* seg: INSN_NO_REG when not overridden */
	bool operand, address, rep, repne, lock;
};
void insn_prefixes(struct insn_prefixes *p, const u8 *code, unsigned n, unsigned bits);
static inline unsigned insn_addr_size(const struct insn_prefixes *p, unsigned bits)
{
	if (bits == 64)
		return p->address ? 4 : 8;
	return (bits == 16) != p->address ? 2 : 4;
}
/* dst op src at `size` bytes; status flags in *rflags as the instruction leaves them. */
u64 insn_compute(enum insn_op op, u64 dst, u64 src, unsigned size, u64 *rflags);
/* True when the instruction writes back what insn_compute returns. */
bool insn_writes(enum insn_op op);

static inline u64 insn_mask(unsigned size)
{
	return size >= 8 ? ~0ull : (1ull << size * 8) - 1;
}

/* A register operand in and out, with the rules for 8, 16 and 32 bits. */
u64 insn_reg_read(const u64 gpr[GPR_COUNT], unsigned reg, unsigned size, bool high);
void insn_reg_write(u64 gpr[GPR_COUNT], unsigned reg, unsigned size, bool high, u64 value);

#endif
