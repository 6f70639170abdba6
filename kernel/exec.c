/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From a file to an address space: the image as one memory object, its segments as views of it, a
 * lazily filled stack with arguments, environment and the auxiliary vector (System V ABI AMD64,
 * 3.4.1).  The new address space is complete before anything of the old one is given up, so that a
 * refused exec changes nothing.
 */
#include <linux/auxvec.h>
#include <linux/fcntl.h>
#include <linux/mman.h>
#include <stdio.h>

#include "kernel/elf.h"
#include "kernel/frames.h"
#include "kernel/mm.h"
#include "kernel/program.h"
#include "kernel/random.h"
#include "kernel/tree.h"

#define STACK_SIZE (8 * 1024 * 1024ull)
#define PIE_BASE 0x200000000ull
#define ARGS_MAX (128 * 1024u)

int exec_args_add(struct exec_args *a, const char *s, size_t len, bool env)
{
	if (len + 1 > ARGS_MAX - a->len)
		return -E2BIG;
	if (a->len + len + 1 > a->cap) {
		size_t cap = MAX(a->cap * 2, ALIGN_UP(a->len + len + 1, 4096));
		char *more = kmalloc(cap);

		if (!more)
			return -ENOMEM;
		if (a->len)
			memcpy(more, a->strings, a->len);
		kfree(a->strings);
		a->strings = more;
		a->cap = cap;
	}
	memcpy(a->strings + a->len, s, len);
	a->strings[a->len + len] = 0;
	a->len += len + 1;
	*(env ? &a->envc : &a->argc) += 1;
	return 0;
}

/* ---- the image ---- */

static int segment_map(struct mm *mm, struct mobj *obj, const struct elf_program *e, const struct elf_segment *s,
		       u64 base, struct file *f)
{
	u64 start = ALIGN_DOWN(s->vaddr, PAGE_SIZE), end = ALIGN_UP(s->vaddr + s->memsz, PAGE_SIZE);
	struct mm_map_args a = {
		.addr = base + start, .len = end - start, .obj = obj, .off = start - e->low, .file = f,
		.prot = (s->read ? PROT_READ : 0) | (s->write ? PROT_WRITE : 0) | (s->exec ? PROT_EXEC : 0),
		.flags = MAP_PRIVATE | MAP_FIXED,
	};
	s64 r = mm_map(mm, &a);

	return r < 0 ? (int)r : 0;
}

static int image_map(struct mm *mm, const struct elf_program *e, const u8 *data, u64 base, struct file *f)
{
	struct mobj *obj = mobj_create_anon(e->high - e->low, true);
	int r = 0;

	if (!obj)
		return -ENOMEM;
	for (unsigned i = 0; i < e->segments && !r; i++) {
		const struct elf_segment *s = &e->segment[i];

		if (s->filesz)
			r = mobj_write(obj, s->vaddr - e->low, data + s->offset, s->filesz);
		if (!r)
			r = segment_map(mm, obj, e, s, base, f);
	}
	mobj_put(obj);
	return r;
}

/* ---- the stack ---- */

/* argc, argv, NULL, envp, NULL, auxv at *sp; strings are in place at `strings`. */
static int vectors_write(struct mm *mm, const struct exec_args *a, uaddr_t strings, const u64 *aux, size_t aux_size,
			 uaddr_t *sp)
{
	size_t words = 1 + a->argc + 1 + a->envc + 1, size = words * sizeof(u64) + aux_size, n = 0;
	u64 *v = kzalloc(size);
	const char *s = a->strings;
	int r;

	if (!v)
		return -ENOMEM;
	v[n++] = a->argc;
	for (unsigned i = 0; i < a->argc + a->envc; i++) {
		n += i == a->argc; /* over the NULL */
		v[n++] = strings + (s - a->strings);
		s += strlen(s) + 1;
	}
	memcpy(v + words, aux, aux_size);
	*sp = ALIGN_DOWN(*sp - size, 16);
	r = mm_write(mm, *sp, v, size);
	kfree(v);
	return r;
}

/* Below *sp, which becomes the address of argc. */
static int stack_fill(struct mm *mm, const struct exec_args *a, const struct elf_program *e, u64 base,
		      const char *path, uaddr_t *sp)
{
	u64 random[2];
	uaddr_t name = *sp - (strlen(path) + 1), strings = name - a->len;
	uaddr_t seed = ALIGN_DOWN(strings - sizeof(random), 16);
	const u64 aux[] = {
		AT_PAGESZ, PAGE_SIZE, AT_CLKTCK, 100,
		e->phdr_vaddr ? AT_PHDR : AT_IGNORE, base + e->phdr_vaddr, AT_PHENT, 56, AT_PHNUM, e->phdr_count,
		AT_BASE, 0, AT_FLAGS, 0, AT_ENTRY, base + e->entry,
		AT_UID, 0, AT_EUID, 0, AT_GID, 0, AT_EGID, 0, AT_SECURE, 0,
		AT_RANDOM, seed, AT_EXECFN, name, AT_NULL, 0,
	};
	int r = mm_write(mm, name, path, strlen(path) + 1);

	random_fill(random, sizeof(random));
	if (!r)
		r = mm_write(mm, strings, a->strings, a->len);
	if (!r)
		r = mm_write(mm, seed, random, sizeof(random));
	*sp = seed;
	return r ? r : vectors_write(mm, a, strings, aux, sizeof(aux), sp);
}

static int stack_map(struct mm *mm, uaddr_t *sp)
{
	struct mm_map_args m = {
		.len = STACK_SIZE, .prot = PROT_READ | PROT_WRITE, .flags = MAP_PRIVATE | MAP_ANONYMOUS,
		.obj = mobj_create_anon(STACK_SIZE, true),
	};
	s64 at;

	if (!m.obj)
		return -ENOMEM;
	at = mm_map(mm, &m);
	mobj_put(m.obj);
	*sp = (uaddr_t)at + STACK_SIZE - 16;
	return at < 0 ? (int)at : 0;
}

/* ---- a program ---- */

static int program_load(struct file *f, const char *path, const struct exec_args *a, struct exec_image *out)
{
	struct elf_program e;
	const char *why;
	const u8 *data;
	u64 size, base;
	int r;

	data = tree_file_data(f, &size);
	if (!data)
		return -EACCES;
	r = elf_parse(data, size, &e, &why);
	if (r)
		return refuse(r, "exec %s: %s", path, why);
	if (e.interpreter)
		return refuse(-ENOEXEC, "exec %s: it needs the interpreter %.64s; link it with -static", path, e.interpreter);
	base = e.relocatable ? PIE_BASE : 0;
	out->mm = mm_create();
	if (!out->mm)
		return -ENOMEM;
	r = image_map(out->mm, &e, data, base, f);
	if (!r)
		r = stack_map(out->mm, &out->sp);
	if (!r)
		r = stack_fill(out->mm, a, &e, base, path, &out->sp);
	if (r) {
		mm_put(out->mm);
		return r;
	}
	mm_brk_init(out->mm, base + e.high);
	out->entry = base + e.entry;
	return 0;
}

static void names_set(struct exec_image *out, const struct node *n)
{
	snprintf(out->name, sizeof(out->name), "%s", node_name(n));
	if (tree_path(n, out->exe, sizeof(out->exe)) < 0)
		out->exe[0] = 0;
}

int exec_load(struct node *base, const char *path, const struct exec_args *a, struct exec_image *out)
{
	struct file *f;
	struct node *n;
	int r = tree_walk(base, path, TREE_FOLLOW, &n);

	if (r)
		return r;
	if (n->kind != NODE_FILE || !(n->mode & 0111)) {
		node_put(n);
		return -EACCES;
	}
	names_set(out, n);
	r = tree_open(n, O_RDONLY, &f);
	node_put(n);
	if (r)
		return r;
	r = program_load(f, path, a, out);
	file_put(f);
	return r;
}

void exec_commit(struct exec_image *img, struct exec_args *a, struct user_regs *regs)
{
	struct thread *t = thread_current();
	struct process *p = t->process;
	struct mm *old = p->mm;
	bool on;

	fd_close_on_exec(p->fds);
	t->robust_list = t->clear_child_tid = 0;
	t->altstack = (struct thread_altstack){ 0 };
	signal_exec_reset(p);
	arch_fpu_init(t->user.fpu);
	t->user.fs_base = t->user.gs_base = 0;

	on = arch_irq_save();
	p->mm = img->mm;
	t->root = mm_root(img->mm);
	arch_user_switch(NULL, &t->user, (char *)t->kstack + ARCH_KSTACK_SIZE, t->root);
	arch_irq_restore(on);
	process_vfork_release(p);
	mm_put(old);

	on = spin_lock(&p->lock);
	memcpy(p->name, img->name, sizeof(p->name));
	memcpy(p->exe, img->exe, sizeof(p->exe));
	memcpy(t->name, img->name, sizeof(t->name));
	spin_unlock(&p->lock, on);
	kfree(p->cmdline);
	p->cmdline = a->strings;
	p->cmdline_len = a->len;
	p->cmdline_argc = a->argc;
	user_regs_init(regs, img->entry, img->sp);
}

/* The exit path to ring 3 sets selectors and masks the flags. */
void user_regs_init(struct user_regs *regs, uaddr_t entry, uaddr_t sp)
{
	*regs = (struct user_regs){ .rip = entry, .rsp = sp, .rflags = 0x202 };
}
