/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ELF headers and exec: a small program is accepted and laid out as the ABI says; each single thing
 * that may be wrong with it is refused with its own words and leaves nothing behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include <linux/auxvec.h>
#include <linux/elf.h>

#include "kernel/elf.h"
#include "kernel/frames.h"
#include "kernel/mm.h"
#include "kernel/program.h"
#include "kernel/tree.h"
#include "tests/host/host.h"

#define TEXT_VA 0x400000ull
#define DATA_VA 0x402000ull
#define TEXT_END 0x1000u

struct image {
	Elf64_Ehdr h;
	Elf64_Phdr p[3];
	u8 text[TEXT_END - sizeof(Elf64_Ehdr) - 3 * sizeof(Elf64_Phdr)];
	u8 data[64];
};
static struct image good, img;

static int setup(void **state)
{
	(void)state;
	host_init();
	memset(&good, 0, sizeof(good));
	memcpy(good.h.e_ident, ELFMAG, SELFMAG);
	good.h.e_ident[EI_CLASS] = ELFCLASS64;
	good.h.e_ident[EI_DATA] = ELFDATA2LSB;
	good.h.e_type = ET_EXEC;
	good.h.e_machine = EM_X86_64;
	good.h.e_entry = TEXT_VA + 0x200;
	good.h.e_phoff = offsetof(struct image, p);
	good.h.e_phentsize = sizeof(Elf64_Phdr);
	good.h.e_phnum = 3;
	good.p[0] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_vaddr = TEXT_VA, .p_filesz = TEXT_END,
				  .p_memsz = TEXT_END };
	good.p[1] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_flags = PF_R | PF_W, .p_offset = TEXT_END, .p_vaddr = DATA_VA,
				  .p_filesz = 64, .p_memsz = 0x3000 };
	good.p[2] = (Elf64_Phdr){ .p_type = PT_NULL };
	memset(good.data, 0x5a, sizeof(good.data));
	img = good;
	return 0;
}

static void test_accepts(void **state)
{
	struct elf_program e;
	const char *why;

	(void)state;
	assert_int_equal(elf_parse((u8 *)&img, sizeof(img), &e, &why), 0);
	assert_int_equal(e.segments, 2);
	assert_int_equal(e.low, TEXT_VA);
	assert_int_equal(e.high, 0x405000);
	assert_int_equal(e.phdr_vaddr, TEXT_VA + offsetof(struct image, p));
	assert_true(e.segment[0].exec && !e.segment[0].write && e.segment[1].write);
}

static void expect(const char *words)
{
	struct elf_program e;
	const char *why = "";

	assert_int_equal(elf_parse((u8 *)&img, sizeof(img), &e, &why), -ENOEXEC);
	if (!strstr(why, words))
		fail_msg("\"%s\" does not speak of \"%s\"", why, words);
	img = good;
}

static void test_refuses(void **state)
{
	(void)state;
	img.h.e_ident[1] = 'X';
	expect("not an ELF");
	img.h.e_machine = EM_386;
	expect("x86-64");
	img.h.e_type = ET_REL;
	expect("executable");
	img.h.e_phentsize = 55;
	expect("odd program headers");
	img.h.e_phoff = ~0ull - 7;
	expect("outside the file");
	img.h.e_phoff = sizeof(img) - 56 - 56;
	expect("outside the file");
	img.p[1].p_filesz = 65;
	expect("outside the file");
	img.p[1].p_offset = ~0ull;
	expect("outside the file");
	img.p[1].p_memsz = 63;
	expect("outside the file");
	img.p[1].p_vaddr = ~0ull - 0x1000;
	expect("addresses of programs");
	img.p[1].p_memsz = ~0ull;
	expect("addresses of programs");
	img.p[0].p_vaddr = 0x1000;
	expect("addresses of programs");
	img.p[1].p_vaddr = TEXT_VA + TEXT_END - 1;
	expect("overlap");
	img.p[1].p_flags |= PF_X;
	expect("writable and executable");
	img.h.e_entry = TEXT_VA - 1;
	expect("entry");
	img.h.e_entry = 0x405000;
	expect("entry");
	img.p[0].p_type = img.p[1].p_type = PT_NULL;
	expect("no segment");
	img.p[2] = (Elf64_Phdr){ .p_type = PT_INTERP, .p_offset = TEXT_END, .p_filesz = 64 };
	expect("interpreter");
}

static u64 user_word(uaddr_t at)
{
	u64 v;

	assert_int_equal(copy_from_user(&v, at, sizeof(v)), 0);
	return v;
}

static const char *user_string(uaddr_t at)
{
	static char s[64];

	assert_true(copy_string_from_user(s, at, sizeof(s)) >= 0);
	return s;
}

/* System V ABI AMD64, 3.4.1: argc, argv, NULL, envp, NULL, auxv at an aligned stack pointer. */
static void test_lays_out(void **state)
{
	struct exec_args args = { 0 };
	struct exec_image out;
	u64 free_before, aux[64] = { 0 };
	uaddr_t at;

	(void)state;
	tree_add("/bin/prog", NODE_FILE, &(struct node){ .data = (u8 *)&img, .size = sizeof(img), .mode = 0755 });
	assert_int_equal(exec_args_add(&args, "prog", 4, false), 0);
	assert_int_equal(exec_args_add(&args, "two", 3, false), 0);
	assert_int_equal(exec_args_add(&args, "A=b", 3, true), 0);
	assert_int_equal(exec_load(NULL, "/bin/prog", &args, &out), 0);
	mm_put(out.mm);
	free_before = frames_free(); /* the heap has grown to what this takes */
	assert_int_equal(exec_load(NULL, "/bin/prog", &args, &out), 0);
	host_set_mm(out.mm);
	at = out.sp;
	assert_int_equal(out.entry, TEXT_VA + 0x200);
	assert_int_equal(at % 16, 0);
	assert_int_equal(user_word(at), 2);
	assert_string_equal(user_string(user_word(at + 8)), "prog");
	assert_string_equal(user_string(user_word(at + 16)), "two");
	assert_int_equal(user_word(at + 24), 0);
	assert_string_equal(user_string(user_word(at + 32)), "A=b");
	assert_int_equal(user_word(at + 40), 0);
	for (at += 48; user_word(at) != AT_NULL; at += 16)
		aux[user_word(at)] = user_word(at + 8);
	assert_int_equal(aux[AT_PHDR], TEXT_VA + offsetof(struct image, p));
	assert_int_equal(aux[AT_PHNUM], 3);
	assert_int_equal(aux[AT_ENTRY], out.entry);
	assert_string_equal(user_string(aux[AT_EXECFN]), "/bin/prog");
	assert_true(aux[AT_RANDOM] > out.sp);
	assert_int_equal(user_word(DATA_VA), 0x5a5a5a5a5a5a5a5aull);
	assert_int_equal(user_word(DATA_VA + 64), 0);
	assert_int_equal(user_word(DATA_VA + 0x2ff8), 0);
	at = TEXT_VA;
	assert_int_equal(copy_to_user(at, &at, 8), -EFAULT);
	host_set_mm(NULL);
	mm_put(out.mm);
	assert_int_equal(frames_free(), free_before);
	kfree(args.strings);
	node_remove("/bin");
}

/* Whatever request for memory fails: an errno, and everything comes back. */
static void test_out_of_memory(void **state)
{
	struct exec_args args = { 0 };
	struct exec_image out;
	unsigned failed = 0;
	u64 free_before;
	int r = -1;

	(void)state;
	tree_add("/bin/prog", NODE_FILE, &(struct node){ .data = (u8 *)&img, .size = sizeof(img), .mode = 0755 });
	assert_int_equal(exec_args_add(&args, "prog", 4, false), 0);
	free_before = frames_free();
	for (u64 n = 1; r; n++) {
		host_alloc_fail_at(n);
		r = exec_load(NULL, "/bin/prog", &args, &out);
		host_alloc_fail_at(0);
		if (r)
			assert_int_equal(r, -ENOMEM);
		else
			mm_put(out.mm);
		assert_int_equal(frames_free(), free_before);
		failed += r != 0;
	}
	assert_true(failed > 10);
	kfree(args.strings);
	node_remove("/bin");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_accepts, setup),
		cmocka_unit_test_setup(test_refuses, setup),
		cmocka_unit_test_setup(test_lays_out, setup),
		cmocka_unit_test_setup(test_out_of_memory, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
