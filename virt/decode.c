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

/* What the opcode leaves to be read after ModRM: an immediate of this many bytes. */
struct form {
	u8 imm_size;
	bool modrm;
};

static bool group3(struct insn *in, struct form *f, unsigned ext)
{
	static const u8 ops[4] = { INSN_TEST, INSN_TEST, INSN_NOT, INSN_NEG };

	if (ext > 3)
		return false;
	in->op = ops[ext];
	in->to_memory = true;
	in->immediate = true; /* NOT and NEG compute with an unused zero */
	if (ext < 2)
		f->imm_size = MIN(in->size, 4);
	return true;
}

static bool opcode_two_byte(struct insn *in, struct form *f, u8 op, unsigned operand)
{
	if (op != 0xb6 && op != 0xb7 && op != 0xbe && op != 0xbf)
		return false;
	f->modrm = true;
	in->op = INSN_MOV;
	in->size = op & 1 ? 2 : 1;
	in->reg_size = operand;
	in->sign = op & 8;
	return true;
}

/* ext: the reg field of the ModRM byte that follows, if one does. */
static bool opcode_one_byte(struct insn *in, struct form *f, u8 op, unsigned operand, unsigned ext,
			    unsigned bits)
{
	in->size = in->reg_size = op & 1 ? operand : 1;
	f->modrm = true;
	if (op < 0x40 && (op & 7) < 4) {
		in->op = op >> 3;
		in->to_memory = !(op & 2);
		return true;
	}
	switch (op) {
	case 0x63: /* MOVSXD */
		in->op = INSN_MOV;
		in->size = 4;
		in->reg_size = operand;
		in->sign = true;
		return bits == 64;
	case 0x80:
	case 0x81:
	case 0x83:
		in->op = ext;
		in->to_memory = in->immediate = true;
		f->imm_size = op == 0x81 ? MIN(operand, 4) : 1;
		return true;
	case 0x84:
	case 0x85:
		in->op = INSN_TEST;
		in->to_memory = true;
		return true;
	case 0x86:
	case 0x87:
		in->op = INSN_XCHG;
		in->to_memory = true;
		return true;
	case 0x88:
	case 0x89:
		in->op = INSN_MOV;
		in->to_memory = true;
		return true;
	case 0x8a:
	case 0x8b:
		in->op = INSN_MOV;
		return true;
	case 0xa0:
	case 0xa1:
	case 0xa2:
	case 0xa3:
		in->op = INSN_MOV;
		in->to_memory = op & 2;
		in->reg = GPR_RAX;
		f->modrm = false;
		return true;
	case 0xa4:
	case 0xa5:
	case 0xaa:
	case 0xab:
		in->op = op < 0xa6 ? INSN_MOVS : INSN_STOS;
		in->to_memory = true;
		in->reg = GPR_RAX;
		f->modrm = false;
		return true;
	case 0xc6:
	case 0xc7:
		in->op = INSN_MOV;
		in->to_memory = in->immediate = true;
		f->imm_size = MIN(in->size, 4);
		return ext == 0;
	case 0xf6:
	case 0xf7:
		return group3(in, f, ext);
	case 0xfe:
	case 0xff:
		in->op = ext == 0 ? INSN_INC : INSN_DEC;
		in->to_memory = in->immediate = true;
		return ext < 2;
	default:
		return false;
	}
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
	struct form f = { 0 };
	struct insn_prefixes p;
	unsigned operand;
	bool known;
	u8 op, modrm;

	insn_prefixes(&p, code, c.n, bits);
	c.at = p.length;
	op = next8(&c);
	operand = p.rex & REX_W ? 8 : (bits == 16) != p.operand ? 2 : 4;
	in.addr_size = insn_addr_size(&p, bits);
	in.lock = p.lock;
	in.rep = p.rep || p.repne;

	if (op == 0x0f) {
		op = next8(&c);
		known = opcode_two_byte(&in, &f, op, operand);
	} else {
		known = opcode_one_byte(&in, &f, op, operand,
					c.at < c.n ? code[c.at] >> 3 & 7 : 0, bits);
	}
	if (c.short_of)
		return -ENODATA;
	if (!known)
		return -EINVAL;

	if (f.modrm) {
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
	if (in.immediate)
		in.imm = next_signed(&c, f.imm_size);
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
