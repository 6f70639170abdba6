// SPDX-License-Identifier: GPL-2.0-only
/*
 * The decoder and the arithmetic against the CPU that runs this test: random instructions of the forms that
 * we emulate are executed natively on a buffer and by insn_decode, insn_offset and insn_compute on a
 * copy; memory, registers and flags must come out the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "virt/decode.h"

#define ROUNDS 200000
#define BUFFER 512
#define MIDDLE 256

#define FLAG_AF BIT(4)
#define FLAGS (BIT(0) | BIT(2) | FLAG_AF | BIT(6) | BIT(7) | BIT(11))

/* What native_run loads and leaves behind; RSP is the host's throughout. */
struct native {
	u64 gpr[GPR_COUNT];
	u64 flags, host_rsp;
	const u8 *code;
} native;
void native_run(void);
void native_back(void);

__asm__(".text\n"
	"native_run:\n push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n push %r15\n"
	"mov %rsp, native+136(%rip)\n"
	"pushq native+128(%rip)\n popfq\n"
	"mov native(%rip), %rax\n mov native+8(%rip), %rcx\n mov native+16(%rip), %rdx\n"
	"mov native+24(%rip), %rbx\n mov native+40(%rip), %rbp\n mov native+48(%rip), %rsi\n"
	"mov native+56(%rip), %rdi\n mov native+64(%rip), %r8\n mov native+72(%rip), %r9\n"
	"mov native+80(%rip), %r10\n mov native+88(%rip), %r11\n mov native+96(%rip), %r12\n"
	"mov native+104(%rip), %r13\n mov native+112(%rip), %r14\n mov native+120(%rip), %r15\n"
	"jmp *native+144(%rip)\n"
	"native_back:\n"
	"mov %rax, native(%rip)\n mov %rcx, native+8(%rip)\n mov %rdx, native+16(%rip)\n"
	"mov %rbx, native+24(%rip)\n mov %rbp, native+40(%rip)\n mov %rsi, native+48(%rip)\n"
	"mov %rdi, native+56(%rip)\n mov %r8, native+64(%rip)\n mov %r9, native+72(%rip)\n"
	"mov %r10, native+80(%rip)\n mov %r11, native+88(%rip)\n mov %r12, native+96(%rip)\n"
	"mov %r13, native+104(%rip)\n mov %r14, native+112(%rip)\n mov %r15, native+120(%rip)\n"
	"pushfq\n popq native+128(%rip)\n cld\n"
	"mov native+136(%rip), %rsp\n"
	"pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbp\n pop %rbx\n ret\n");

static u8 *code;

static u64 random64(void)
{
	u64 r = (u64)rand() << 42 ^ (u64)rand() << 21 ^ (u64)rand();

	/* Edges are where flags change. */
	switch (rand() % 6) {
	case 0:
		return 0;
	case 1:
		return ~0ull >> rand() % 64;
	case 2:
		return 1ull << rand() % 64;
	default:
		return r;
	}
}

/* Opcode, ModRM for memory at [rbx + disp8] or [rbx + rdx*scale + disp32], immediate. */
static unsigned random_insn(u8 *out, unsigned *size)
{
	static const u8 opcodes[] = {
		0x00, 0x01, 0x02, 0x03, 0x08, 0x09, 0x0a, 0x0b, 0x10, 0x11, 0x12, 0x13, 0x18, 0x19, 0x1a,
		0x1b, 0x20, 0x21, 0x22, 0x23, 0x28, 0x29, 0x2a, 0x2b, 0x30, 0x31, 0x32, 0x33, 0x38, 0x39,
		0x3a, 0x3b, 0x63, 0x80, 0x81, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8b, 0xc6,
		0xc7, 0xf6, 0xf7, 0xfe, 0xff, 0xa4, 0xa5, 0xaa, 0xab, 0x0f, 0x0f, 0x0f, 0x0f,
	};
	static const u8 extended[] = { 0xb6, 0xb7, 0xbe, 0xbf };
	u8 op = opcodes[(unsigned)rand() % ARRAY_SIZE(opcodes)];
	unsigned n = 0, reg = (unsigned)rand() % 8, imm = 0;
	bool operand = rand() % 3 == 0, wide = rand() % 3 == 0, rex = wide || rand() % 3 == 0;
	bool string = (op & 0xf6) == 0xa4 || op == 0xaa || op == 0xab;

	if (operand)
		out[n++] = 0x66;
	if (rand() % 8 == 0)
		out[n++] = 0x3e;
	if (rex)
		out[n++] = 0x40 | (wide ? 8 : 0) | (rand() % 2 && !string ? 4 : 0);
	/* RSP is no operand here; as AH it is one, and as an opcode extension. */
	if (reg == GPR_RSP && !(rex && out[n - 1] & 4) && (rex || op & 1 || op == 0x0f) &&
	    (op < 0x80 || op > 0x83))
		reg = GPR_RSI;
	*size = wide ? 8 : operand ? 2 : 4;
	out[n++] = op;
	if (op == 0x0f)
		out[n++] = extended[rand() % 4];
	if (string)
		return n;
	if (op == 0x80 || op == 0xc6 || op == 0x83)
		imm = 1;
	if (op == 0x81 || op == 0xc7)
		imm = MIN(*size, 4);
	if (op == 0xc6 || op == 0xc7)
		reg = 0;
	if (op == 0xfe || op == 0xff)
		reg &= 1;
	if (op == 0xf6 || op == 0xf7) {
		static const u8 ext[] = { 0, 2, 3 };

		reg = ext[rand() % 3];
		if (reg == 0)
			imm = op == 0xf6 ? 1 : MIN(*size, 4);
	}
	if (rand() % 2) {
		out[n++] = (u8)(0x40 | reg << 3 | 3);
		out[n++] = (u8)(rand() % 64 - 32);
	} else {
		out[n++] = (u8)(0x80 | reg << 3 | 4);
		out[n++] = (u8)(rand() % 4 << 6 | 2 << 3 | 3);
		memcpy(out + n, &(s32){ rand() % 64 - 32 }, 4);
		n += 4;
	}
	for (; imm; imm--)
		out[n++] = (u8)rand();
	return n;
}

static void emulate(const struct insn *in, u64 *gpr, u64 *flags, u8 *memory, const u8 *base)
{
	u64 value = 0, other = in->immediate ? in->imm : insn_reg_read(gpr, in->reg, in->size, in->high);
	u64 step = in->size, at, result;

	if (in->op == INSN_STOS || in->op == INSN_MOVS) {
		at = gpr[GPR_RDI] - (u64)base;
		value = gpr[GPR_RAX];
		if (in->op == INSN_MOVS) {
			memcpy(&value, memory + (gpr[GPR_RSI] - (u64)base), in->size);
			gpr[GPR_RSI] += step;
		}
		memcpy(memory + at, &value, in->size);
		gpr[GPR_RDI] += step;
		return;
	}
	at = insn_offset(in, gpr, 0) - (u64)base;
	memcpy(&value, memory + at, in->size);
	if (in->op == INSN_MOV && in->to_memory) {
		memcpy(memory + at, &other, in->size);
	} else if (in->op == INSN_MOV) {
		if (in->sign && value >> (in->size * 8 - 1) & 1)
			value |= ~insn_mask(in->size);
		insn_reg_write(gpr, in->reg, in->reg_size, in->high, value);
	} else if (in->op == INSN_XCHG) {
		memcpy(memory + at, &other, in->size);
		insn_reg_write(gpr, in->reg, in->reg_size, in->high, value);
	} else if (in->to_memory) {
		result = insn_compute(in->op, value, other, in->size, flags);
		if (insn_writes(in->op))
			memcpy(memory + at, &result, in->size);
	} else {
		result = insn_compute(in->op, other, value, in->size, flags);
		if (insn_writes(in->op))
			insn_reg_write(gpr, in->reg, in->reg_size, in->high, result);
	}
}

static bool undefines_af(enum insn_op op)
{
	return op == INSN_AND || op == INSN_OR || op == INSN_XOR || op == INSN_TEST;
}

static void one_round(void)
{
	static u8 memory[BUFFER], copy[BUFFER];
	u64 gpr[GPR_COUNT], flags = 0x202 | (random64() & FLAGS), changed, mask;
	unsigned size, n = random_insn(code, &size);
	struct insn in;

	for (unsigned i = 0; i < BUFFER; i++)
		memory[i] = copy[i] = (u8)(rand() % 4 ? rand() : rand() % 2 ? 0xff : 0);
	for (unsigned i = 0; i < GPR_COUNT; i++)
		native.gpr[i] = random64();
	native.gpr[GPR_RBX] = (u64)memory + MIDDLE;
	native.gpr[GPR_RDX] = (u64)(rand() % 16 - 8);
	native.gpr[GPR_RDI] = (u64)memory + 32 + (u64)rand() % 200;
	native.gpr[GPR_RSI] = (u64)memory + 280 + (u64)rand() % 200;
	native.gpr[GPR_RSP] = 0;
	memcpy(gpr, native.gpr, sizeof(gpr));
	native.flags = flags;
	native.code = code;
	/* jmp *0(%rip); .quad native_back */
	memcpy(code + n, "\xff\x25\0\0\0\0", 6);
	memcpy(code + n + 6, &(u64){ (u64)native_back }, 8);

	assert_int_equal(insn_decode(&in, code, INSN_MAX, 64), 0);
	assert_int_equal(in.length, n);
	for (unsigned k = 0; k < n; k++)
		assert_int_equal(insn_decode(&in, code, k, 64), -ENODATA);
	assert_int_equal(insn_decode(&in, code, n, 64), 0);
	native_run();
	emulate(&in, gpr, &flags, copy, memory);
	mask = FLAGS & ~(undefines_af(in.op) ? FLAG_AF : 0);
	changed = (flags ^ native.flags) & mask;
	if (changed || memcmp(memory, copy, BUFFER) || memcmp(gpr, native.gpr, 4 * 8) ||
	    memcmp(gpr + 5, native.gpr + 5, 11 * 8)) {
		for (unsigned k = 0; k < n; k++)
			print_message("%02x ", code[k]);
		fail_msg("differs from the CPU; flags %llx", (unsigned long long)changed);
	}
}

static void test_against_cpu(void **state)
{
	(void)state;
	code = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(code != MAP_FAILED);
	srand(1);
	for (unsigned i = 0; i < ROUNDS; i++)
		one_round();
}

/* Other code sizes, by hand: bytes, and what the address and the operand are. */
static void test_sizes(void **state)
{
	static const struct {
		const char *bytes;
		unsigned n, bits, size, addr_size, seg;
		u64 offset;
	} rows[] = {
		{ "\x89\x07", 2, 16, 2, 2, SEG_DS, 0x7777 },             /* mov %ax, (%bx) */
		{ "\x66\x89\x42\x04", 4, 16, 4, 2, SEG_SS, 0x5555 + 0x6666 + 4 }, /* mov %eax, 4(%bp,%si) */
		{ "\x26\x88\x06\x34\x12", 5, 16, 1, 2, SEG_ES, 0x1234 }, /* mov %al, %es:0x1234 */
		{ "\x67\x89\x07", 3, 16, 2, 4, SEG_DS, 0x70007777 },     /* mov %ax, (%edi) */
		{ "\x89\x07", 2, 32, 4, 4, SEG_DS, 0x70007777 },         /* mov %eax, (%edi) */
		{ "\xa3\x78\x56\x34\x12", 5, 32, 4, 4, SEG_DS, 0x12345678 },
		{ "\x89\x45\xfc", 3, 32, 4, 4, SEG_SS, 0x50005555 - 4 }, /* mov %eax, -4(%ebp) */
		{ "\x64\x89\x04\x25\x10\0\0\0", 8, 64, 4, 8, SEG_FS, 0x10 },
		{ "\x89\x05\x10\0\0\0", 6, 64, 4, 8, SEG_DS, 0x1000 + 6 + 0x10 },
		{ "\x67\x89\x07", 3, 64, 4, 4, SEG_DS, 0x70007777 },
		{ "\xa3\x88\x77\x66\x55\x44\x33\x22\x11", 9, 64, 4, 8, SEG_DS, 0x1122334455667788 },
	};
	u64 gpr[GPR_COUNT];

	(void)state;
	for (unsigned i = 0; i < GPR_COUNT; i++)
		gpr[i] = (u64)i << 60 | (u64)i << 28 | i * 0x1111;
	gpr[GPR_RBX] = 0x7777;
	gpr[GPR_RDI] = 0x4000000070007777;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct insn in;

		assert_int_equal(insn_decode(&in, (const u8 *)rows[i].bytes, rows[i].n, rows[i].bits), 0);
		assert_int_equal(in.length, rows[i].n);
		assert_int_equal(in.size, rows[i].size);
		assert_int_equal(in.addr_size, rows[i].addr_size);
		assert_int_equal(in.seg, rows[i].seg);
		assert_int_equal(insn_offset(&in, gpr, 0x1000), rows[i].offset);
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *bytes;
		unsigned n;
		int error;
	} rows[] = {
		{ "", 0, -ENODATA },
		{ "\x66\x66", 2, -ENODATA },
		{ "\x89\xc0", 2, -EINVAL },         /* registers only */
		{ "\x0f\x11\x00", 3, -EINVAL },     /* movups */
		{ "\xc7\x08\0\0\0\0", 6, -EINVAL }, /* group 11 has /0 only */
		{ "\xf7\x20", 2, -EINVAL },         /* mul */
		{ "\xff\x10", 2, -EINVAL },         /* call */
		{ "\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x89", 15, -EINVAL },
	};
	struct insn in;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(insn_decode(&in, (const u8 *)rows[i].bytes, rows[i].n, 64), rows[i].error);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_cpu),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests_name("decode", tests, NULL, NULL);
}
