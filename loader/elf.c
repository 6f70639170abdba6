/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loads a 64-bit ELF guest to the physical addresses of its segments and finds its PVH entry point
 * in the notes. The file is not trusted: every offset is checked against the file's size and every
 * address against guest memory before anything is copied.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loader/loader.h"

#define XEN_ELFNOTE_PHYS32_ENTRY	18	/* The PVH boot protocol */
#define CURE "the guest must be a 64-bit x86 ELF program with a PVH entry note"

struct image {
	const char *path;
	const uint8_t *data;
	uint64_t size;
};

static void image_refuse(const struct image *image, const char *why)
{
	errno = 0;
	fail(CURE, "%s: %s", image->path, why);
}

static bool image_holds(const struct image *image, uint64_t offset, uint64_t len)
{
	return offset <= image->size && len <= image->size - offset;
}

static void image_open(struct image *image, const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	image->path = path;
	if (fd < 0 || fstat(fd, &st) < 0)
		fail("give the path of a guest with -kernel", "cannot open the guest %s", path);
	image->size = (uint64_t)st.st_size;
	if (image->size < sizeof(Elf64_Ehdr))
		image_refuse(image, "too short for an ELF file");
	image->data = mmap(NULL, image->size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (image->data == MAP_FAILED)
		fail(NULL, "cannot map the guest %s", path);
	close(fd);
}

static void header_check(const struct image *image, const Elf64_Ehdr *ehdr)
{
	if (memcmp(ehdr->e_ident, ELFMAG, SELFMAG) != 0)
		image_refuse(image, "not an ELF file");
	if (ehdr->e_ident[EI_CLASS] != ELFCLASS64 || ehdr->e_machine != EM_X86_64)
		image_refuse(image, "not a 64-bit x86 program");
	if (ehdr->e_phentsize != sizeof(Elf64_Phdr) || ehdr->e_phoff % 8 ||
	    !image_holds(image, ehdr->e_phoff, (uint64_t)ehdr->e_phnum * sizeof(Elf64_Phdr)))
		image_refuse(image, "its program headers lie outside the file");
}

/* The entry point in one PT_NOTE segment, 0 if it is not there. */
static uint32_t note_entry(const struct image *image, const Elf64_Phdr *phdr)
{
	uint64_t at = phdr->p_offset;
	uint64_t end = phdr->p_offset + phdr->p_filesz;
	uint64_t align = phdr->p_align == 8 ? 8 : 4;

	while (end - at >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr nhdr;
		uint64_t name, desc, next;
		uint32_t entry;

		memcpy(&nhdr, image->data + at, sizeof(nhdr));
		name = at + sizeof(nhdr);
		desc = name + (((uint64_t)nhdr.n_namesz + align - 1) & ~(align - 1));
		next = desc + (((uint64_t)nhdr.n_descsz + align - 1) & ~(align - 1));
		if (next > end)
			return 0;
		if (nhdr.n_type == XEN_ELFNOTE_PHYS32_ENTRY && nhdr.n_namesz == 4 &&
		    memcmp(image->data + name, "Xen", 4) == 0 && nhdr.n_descsz >= 4) {
			memcpy(&entry, image->data + desc, sizeof(entry));
			return entry;
		}
		at = next;
	}
	return 0;
}

static void segment_load(const struct image *image, const Elf64_Phdr *phdr,
			 const struct guest_memory *mem)
{
	uint8_t *to = memory_at(mem, phdr->p_paddr, phdr->p_memsz);

	if (phdr->p_filesz > phdr->p_memsz)
		image_refuse(image, "a segment is larger in the file than in memory");
	if (phdr->p_paddr < BOOT_INFO_END)
		image_refuse(image, "a segment lies below 64 KiB, where the boot information is");
	if (!to) {
		errno = 0;
		fail("give the guest more memory with -m",
		     "%s: a segment at 0x%llx of 0x%llx bytes does not fit into the guest's memory",
		     image->path, (unsigned long long)phdr->p_paddr,
		     (unsigned long long)phdr->p_memsz);
	}
	memcpy(to, image->data + phdr->p_offset, phdr->p_filesz);
	memset(to + phdr->p_filesz, 0, phdr->p_memsz - phdr->p_filesz);
}

uint32_t elf_load(const struct guest_memory *mem, const char *path)
{
	struct image image;
	const Elf64_Ehdr *ehdr;
	const Elf64_Phdr *phdr;
	uint32_t entry = 0;

	image_open(&image, path);
	ehdr = (const Elf64_Ehdr *)image.data;
	header_check(&image, ehdr);
	phdr = (const Elf64_Phdr *)(image.data + ehdr->e_phoff);

	for (unsigned int i = 0; i < ehdr->e_phnum; i++) {
		if (!image_holds(&image, phdr[i].p_offset, phdr[i].p_filesz))
			image_refuse(&image, "a segment lies outside the file");
		if (phdr[i].p_type == PT_NOTE && !entry)
			entry = note_entry(&image, &phdr[i]);
	}
	if (!entry)
		image_refuse(&image, "no PVH entry note");
	for (unsigned int i = 0; i < ehdr->e_phnum; i++)
		if (phdr[i].p_type == PT_LOAD && phdr[i].p_memsz > 0)
			segment_load(&image, &phdr[i], mem);
	if (!memory_at(mem, entry, 1))
		image_refuse(&image, "its entry point is not in memory");

	munmap((void *)image.data, image.size);
	return entry;
}
