/* SPDX-License-Identifier: GPL-2.0-only */
/* Reading the headers of a static ELF64 program. Pure: nothing is loaded here. */
#ifndef KERNEL_ELF_H
#define KERNEL_ELF_H

#include "kernel/base.h"

#define ELF_MAX_SEGMENTS 16

struct elf_segment {
	u64 vaddr, memsz;
	u64 offset, filesz; /* in the file; filesz <= memsz */
	bool read, write, exec;
};
struct elf_program {
	bool relocatable;     /* ET_DYN: addresses are relative to a base of our choice */
	u64 entry;
	u64 low, high;        /* page-aligned span of all segments */
	u64 phdr_vaddr;       /* program headers in memory; 0: not loaded */
	unsigned phdr_count;
	unsigned segments;
	struct elf_segment segment[ELF_MAX_SEGMENTS];
	const char *interpreter; /* PT_INTERP's string in the file, or NULL */
};
/* 0; -ENOEXEC with *why set to a few words: what is wrong. Every offset in *out lies in the file. */
int must_check elf_parse(const u8 *file, u64 size, struct elf_program *out, const char **why);

#endif
