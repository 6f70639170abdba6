/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ELF64 for x86-64, ET_EXEC and static-PIE ET_DYN (System V ABI, gABI chapters 4 and 5).  Nothing
 * in the file is trusted: offsets and sizes are compared by subtraction, addresses must lie in the
 * part of the address space that programs get, segments ascend and do not overlap.
 */
#include <linux/elf.h>

#include "kernel/elf.h"

#define USER_LOW 0x10000ull
#define USER_HIGH 0x3000000000ull
#define RELOCATABLE_HIGH 0x1000000000ull

static int refused(const char **why, const char *reason)
{
	*why = reason;
	return -ENOEXEC;
}

static int header_check(const Elf64_Ehdr *h, u64 size, const char **why)
{
	if (memcmp(h->e_ident, ELFMAG, SELFMAG))
		return refused(why, "not an ELF file");
	if (h->e_ident[EI_CLASS] != ELFCLASS64 || h->e_ident[EI_DATA] != ELFDATA2LSB || h->e_machine != EM_X86_64)
		return refused(why, "not a program for x86-64");
	if (h->e_type != ET_EXEC && h->e_type != ET_DYN)
		return refused(why, "not an executable (ET_EXEC or ET_DYN)");
	if (h->e_phentsize != sizeof(Elf64_Phdr) || !h->e_phnum || h->e_phnum > 128)
		return refused(why, "odd program headers");
	if (h->e_phoff > size || (u64)h->e_phnum * sizeof(Elf64_Phdr) > size - h->e_phoff || (h->e_phoff & 7))
		return refused(why, "program headers outside the file");
	return 0;
}

static int segment_add(struct elf_program *out, const Elf64_Phdr *p, u64 size, const char **why)
{
	u64 low = out->relocatable ? 0 : USER_LOW, high = out->relocatable ? RELOCATABLE_HIGH : USER_HIGH;
	struct elf_segment *s = &out->segment[out->segments];

	if (!p->p_memsz)
		return 0;
	if (out->segments == ELF_MAX_SEGMENTS)
		return refused(why, "too many segments");
	if (p->p_filesz > p->p_memsz || p->p_offset > size || p->p_filesz > size - p->p_offset)
		return refused(why, "a segment lies outside the file");
	if (p->p_vaddr < low || p->p_vaddr >= high || p->p_memsz > high - p->p_vaddr)
		return refused(why, "a segment lies outside the addresses of programs");
	if (out->segments && p->p_vaddr < s[-1].vaddr + s[-1].memsz)
		return refused(why, "segments overlap or are not in order");
	if ((p->p_flags & PF_W) && (p->p_flags & PF_X))
		return refused(why, "a segment is both writable and executable");
	*s = (struct elf_segment){ p->p_vaddr, p->p_memsz, p->p_offset, p->p_filesz,
				   p->p_flags & PF_R, p->p_flags & PF_W, p->p_flags & PF_X };
	if (!out->segments)
		out->low = ALIGN_DOWN(p->p_vaddr, PAGE_SIZE);
	out->high = ALIGN_UP(p->p_vaddr + p->p_memsz, PAGE_SIZE);
	out->segments++;
	return 0;
}

static int interpreter_set(struct elf_program *out, const u8 *file, u64 size, const Elf64_Phdr *p, const char **why)
{
	if (p->p_offset >= size || !p->p_filesz || p->p_filesz > size - p->p_offset || file[p->p_offset + p->p_filesz - 1])
		return refused(why, "a bad interpreter name");
	out->interpreter = (const char *)file + p->p_offset;
	return 0;
}

/* Where the program headers are in memory: in the segment that holds their bytes of the file. */
static void phdr_locate(struct elf_program *out, u64 offset, u64 len)
{
	for (unsigned i = 0; i < out->segments; i++) {
		const struct elf_segment *s = &out->segment[i];

		if (offset >= s->offset && offset - s->offset < s->filesz && len <= s->filesz - (offset - s->offset)) {
			out->phdr_vaddr = s->vaddr + (offset - s->offset);
			return;
		}
	}
}

int elf_parse(const u8 *file, u64 size, struct elf_program *out, const char **why)
{
	Elf64_Ehdr h;
	int r;

	memset(out, 0, sizeof(*out));
	if (size < sizeof(h))
		return refused(why, "not an ELF file");
	memcpy(&h, file, sizeof(h));
	r = header_check(&h, size, why);
	if (r)
		return r;
	out->relocatable = h.e_type == ET_DYN;
	out->entry = h.e_entry;
	out->phdr_count = h.e_phnum;
	for (unsigned i = 0; i < h.e_phnum && !r; i++) {
		Elf64_Phdr p;

		memcpy(&p, file + h.e_phoff + i * sizeof(p), sizeof(p));
		if (p.p_type == PT_LOAD)
			r = segment_add(out, &p, size, why);
		else if (p.p_type == PT_INTERP)
			r = interpreter_set(out, file, size, &p, why);
	}
	if (r)
		return r;
	if (!out->segments)
		return refused(why, "no segment to load");
	if (out->entry < out->low || out->entry >= out->high)
		return refused(why, "the entry point lies outside the segments");
	phdr_locate(out, h.e_phoff, (u64)h.e_phnum * sizeof(Elf64_Phdr));
	return 0;
}
