// SPDX-License-Identifier: GPL-2.0-only
/*
 * Instruction decoder: prefixes, ModRM and SIB, and a table of the opcodes with one memory operand
 * that compilers and drivers use on device memory (AMD64 manual volume 3, appendix A). Anything else
 * is refused, and the caller gives the guest to its VMM with an internal error.
 *
 * The bytes come from a guest and may be anything; no more than n are looked at.
 */
#include "virt/decode.h"

struct cursor {
	const u8 *code;
	unsigned at, n;
	bool short_of; /* more was asked for than there is */
};

static u8 next8(struct cursor *c)
{
	if (c->at >= c->n) {
		c->short_of = true;
		return 0;
	}
	return c->code[c->at++];
}

/* Little endian, sign-extended. */
static u64 next_signed(struct cursor *c, unsigned size)
{
	u64 v = 0;

	for (unsigned i = 0; i < size; i++)
		v |= (u64)next8(c) << 8 * i;
	if (size && size < 8 && v >> (8 * size - 1))
		v |= ~insn_mask(size);
	return v;
}

void insn_prefixes(struct insn_prefixes *p, const u8 *code, unsigned n, unsigned bits)
{
	*p = (struct insn_prefixes){ .seg = INSN_NO_REG };
	for (; p->length < n && p->length < INSN_MAX - 1; p->length++) {
		u8 b = code[p->length];

		switch (b) {
		case 0x66:
			p->operand = true;
			break;
		case 0x67:
			p->address = true;
			break;
		case 0xf0:
			p->lock = true;
			break;
		case 0xf2:
			p->repne = true;
			break;
		case 0xf3:
			p->rep = true;
			break;
		case 0x26:
		case 0x2e:
		case 0x36:
		case 0x3e:
			/* In 64-bit mode these four are ignored (APM 3, 1.2.4). */
			if (bits != 64)
				p->seg = b >> 3 & 3;
			break;
		case 0x64:
			p->seg = SEG_FS;
			break;
		case 0x65:
			p->seg = SEG_GS;
			break;
		default:
			if (bits != 64 || (b & 0xf0) != 0x40) {
				p->rex = p->length && bits == 64 ? p->rex : 0;
				return;
			}
			p->rex = b;
			continue;
		}
		p->rex = 0; /* REX counts only directly before the opcode */
	}
}

#define REX_W 8
#define REX_R 4
#define REX_X 2
#define REX_B 1

static void address16(struct insn *in, struct cursor *c, unsigned mod, unsigned rm)
{
	static const struct {
		u8 base, index, seg;
	} forms[8] = {
		{ GPR_RBX, GPR_RSI, SEG_DS }, { GPR_RBX, GPR_RDI, SEG_DS },
		{ GPR_RBP, GPR_RSI, SEG_SS }, { GPR_RBP, GPR_RDI, SEG_SS },
		{ GPR_RSI, INSN_NO_REG, SEG_DS }, { GPR_RDI, INSN_NO_REG, SEG_DS },
		{ GPR_RBP, INSN_NO_REG, SEG_SS }, { GPR_RBX, INSN_NO_REG, SEG_DS },
	};

	in->base = forms[rm].base;
	in->index = forms[rm].index;
	in->seg = forms[rm].seg;
	if (mod == 0 && rm == 6) {
		in->base = INSN_NO_REG;
		in->seg = SEG_DS;
		in->disp = next_signed(c, 2);
	} else if (mod) {
		in->disp = next_signed(c, mod);
	}
}

static void address32(struct insn *in, struct cursor *c, const struct insn_prefixes *p,
		      unsigned mod, unsigned rm, unsigned bits)
{
	in->base = rm | (p->rex & REX_B ? 8 : 0);
	if (rm == 4) {
		u8 sib = next8(c);
		unsigned index = (sib >> 3 & 7) | (p->rex & REX_X ? 8 : 0);

		in->base = (sib & 7) | (p->rex & REX_B ? 8 : 0);
		in->index = index == 4 ? INSN_NO_REG : index;
		in->shift = sib >> 6;
		if ((sib & 7) == 5 && mod == 0) {
			in->base = INSN_NO_REG;
			in->disp = next_signed(c, 4);
		}
	} else if (rm == 5 && mod == 0) {
		in->base = bits == 64 ? INSN_RIP : INSN_NO_REG;
		in->disp = next_signed(c, 4);
	}
	if (mod)
		in->disp = next_signed(c, mod == 1 ? 1 : 4);
	in->seg = in->base == GPR_RSP || in->base == GPR_RBP ? SEG_SS : SEG_DS;
}

/* Opcodes first..last, 0x0f00 on of two bytes; when exts is not 0, with these values of ModRM's reg field. */
struct form {
	u16 first, last;
	u8 op, exts;
	u16 flags;
};
#define TO_MEMORY BIT(0)
#define IMM BIT(1)      /* an immediate of the operand's size, at most 4 bytes */
#define IMM8 BIT(2)     /* of one byte */
#define NO_REG BIT(3)   /* no register operand: NOT and NEG compute with an unused zero */
#define NO_MODRM BIT(4) /* the register is RAX */
#define SIGNED BIT(5)
#define EXTENDS BIT(6)  /* the memory operand is smaller than the register */
#define OP_IS_EXT BIT(7)

static const struct form forms[] = {
	{ 0x88, 0x89, INSN_MOV, 0, TO_MEMORY },
	{ 0x8a, 0x8b, INSN_MOV, 0, 0 },
	{ 0xc6, 0xc7, INSN_MOV, BIT(0), TO_MEMORY | IMM },
	{ 0x63, 0x63, INSN_MOV, 0, SIGNED | EXTENDS }, /* MOVSXD */
	{ 0x80, 0x81, 0, 0, TO_MEMORY | IMM | OP_IS_EXT },
	{ 0x83, 0x83, 0, 0, TO_MEMORY | IMM8 | OP_IS_EXT },
	{ 0x84, 0x85, INSN_TEST, 0, TO_MEMORY },
	{ 0x86, 0x87, INSN_XCHG, 0, TO_MEMORY },
	{ 0xa0, 0xa1, INSN_MOV, 0, NO_MODRM },
	{ 0xa2, 0xa3, INSN_MOV, 0, TO_MEMORY | NO_MODRM },
	{ 0xa4, 0xa5, INSN_MOVS, 0, TO_MEMORY | NO_MODRM },
	{ 0xaa, 0xab, INSN_STOS, 0, TO_MEMORY | NO_MODRM },
	{ 0xf6, 0xf7, INSN_TEST, BIT(0) | BIT(1), TO_MEMORY | IMM },
	{ 0xf6, 0xf7, INSN_NOT, BIT(2), TO_MEMORY | NO_REG },
	{ 0xf6, 0xf7, INSN_NEG, BIT(3), TO_MEMORY | NO_REG },
	{ 0xfe, 0xff, INSN_INC, BIT(0), TO_MEMORY | NO_REG },
	{ 0xfe, 0xff, INSN_DEC, BIT(1), TO_MEMORY | NO_REG },
	{ 0x0fb6, 0x0fb7, INSN_MOV, 0, EXTENDS },
	{ 0x0fbe, 0x0fbf, INSN_MOV, 0, EXTENDS | SIGNED },
};

/* The form of an opcode, -1 when it has none here; ext: the reg field of the ModRM byte, if one follows. */
static int opcode_flags(struct insn *in, u16 op, unsigned operand, unsigned ext, unsigned bits)
{
	const struct form *f = forms, *end = forms + ARRAY_SIZE(forms);

	in->size = in->reg_size = op & 1 ? operand : 1;
	if (op < 0x40 && (op & 7) < 4) {
		in->op = op >> 3;
		return op & 2 ? 0 : TO_MEMORY;
	}
	while (f < end && (op < f->first || op > f->last || (f->exts && !(f->exts >> ext & 1))))
		f++;
	if (f == end || (op == 0x63 && bits != 64))
		return -1;
	in->op = f->flags & OP_IS_EXT ? ext : f->op;
	if (f->flags & EXTENDS) {
		in->size = op == 0x63 ? 4 : op & 1 ? 2 : 1;
		in->reg_size = operand;
	}
	return f->flags;
}

/* The register operand; without REX, 4..7 of eight bits are AH, CH, DH, BH. */
static void register_set(struct insn *in, const struct insn_prefixes *p, unsigned reg)
{
	in->reg = reg | (p->rex & REX_R ? 8 : 0);
	if (in->reg_size == 1 && !p->rex && reg >= 4) {
		in->reg = reg - 4;
		in->high = true;
	}
}

int insn_decode(struct insn *out, const u8 *code, unsigned n, unsigned bits)
{
	struct cursor c = { .code = code, .n = MIN(n, INSN_MAX) };
	struct insn in = { .base = INSN_NO_REG, .index = INSN_NO_REG, .seg = SEG_DS };
	struct insn_prefixes p;
	unsigned operand;
	int flags;
	u16 op;
	u8 modrm;

	insn_prefixes(&p, code, c.n, bits);
	c.at = p.length;
	op = next8(&c);
	operand = p.rex & REX_W ? 8 : (bits == 16) != p.operand ? 2 : 4;
	in.addr_size = insn_addr_size(&p, bits);
	in.lock = p.lock;
	in.rep = p.rep || p.repne;

	if (op == 0x0f)
		op = 0x0f00 | next8(&c);
	flags = opcode_flags(&in, op, operand, c.at < c.n ? code[c.at] >> 3 & 7 : 0, bits);
	if (c.short_of)
		return -ENODATA;
	if (flags < 0)
		return -EINVAL;
	in.to_memory = flags & TO_MEMORY;
	in.immediate = flags & (IMM | IMM8 | NO_REG);
	in.sign = flags & SIGNED;

	if (!(flags & NO_MODRM)) {
		modrm = next8(&c);
		if (modrm >> 6 == 3 && !c.short_of)
			return -EINVAL; /* no memory operand */
		if (in.addr_size == 2)
			address16(&in, &c, modrm >> 6, modrm & 7);
		else
			address32(&in, &c, &p, modrm >> 6, modrm & 7, bits);
		if (!in.immediate)
			register_set(&in, &p, modrm >> 3 & 7);
	} else if (in.op == INSN_MOV) {
		in.disp = next_signed(&c, in.addr_size) & insn_mask(in.addr_size);
	}
	if (p.seg != INSN_NO_REG)
		in.seg = p.seg;
	if (flags & (IMM | IMM8))
		in.imm = next_signed(&c, flags & IMM8 ? 1 : MIN(in.size, 4));
	if (c.short_of)
		return n < INSN_MAX ? -ENODATA : -EINVAL;
	in.length = c.at;
	*out = in;
	return 0;
}

u64 insn_offset(const struct insn *in, const u64 gpr[GPR_COUNT], u64 rip)
{
	u64 addr = in->disp;

	if (in->base == INSN_RIP)
		addr += rip + in->length;
	else if (in->base != INSN_NO_REG)
		addr += gpr[in->base];
	if (in->index != INSN_NO_REG)
		addr += gpr[in->index] << in->shift;
	return addr & insn_mask(in->addr_size);
}

u64 insn_reg_read(const u64 gpr[GPR_COUNT], unsigned reg, unsigned size, bool high)
{
	return (high ? gpr[reg] >> 8 : gpr[reg]) & insn_mask(size);
}

void insn_reg_write(u64 gpr[GPR_COUNT], unsigned reg, unsigned size, bool high, u64 value)
{
	u64 mask = insn_mask(size);

	if (high)
		gpr[reg] = (gpr[reg] & ~0xff00ull) | (value & 0xff) << 8;
	else if (size >= 4)
		gpr[reg] = value & mask;
	else
		gpr[reg] = (gpr[reg] & ~mask) | (value & mask);
}
