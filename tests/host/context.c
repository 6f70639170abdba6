/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Contexts of the host side are coroutines: the saved "stack pointer" is a ucontext on that stack.
 * There is no ring 3 and no FPU state worth keeping.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "tests/host/host.h"

/* Host frames are larger than the kernel's: a stack is four times as deep as it says. */
#define STACK_EXTRA (3 * ARCH_KSTACK_SIZE)

static void die(const char *what)
{
	fprintf(stderr, "host: %s\n", what);
	abort();
}

static void context_entry(unsigned fn_hi, unsigned fn_lo, unsigned arg_hi, unsigned arg_lo)
{
	void (*fn)(void *) = (void (*)(void *))((u64)fn_hi << 32 | fn_lo);

	host_irqs_on = true;
	fn((void *)((u64)arg_hi << 32 | arg_lo));
	die("the first function of a context returned");
}

void arch_context_init(struct arch_context *c, void *stack_top, void (*fn)(void *), void *arg)
{
	ucontext_t *u = (ucontext_t *)ALIGN_DOWN((u64)stack_top - sizeof(*u), 64);

	getcontext(u);
	u->uc_stack.ss_sp = (char *)stack_top - STACK_EXTRA;
	u->uc_stack.ss_size = (size_t)((char *)u - (char *)u->uc_stack.ss_sp);
	u->uc_link = NULL;
	makecontext(u, (void (*)(void))context_entry, 4, (unsigned)((u64)fn >> 32), (unsigned)(u64)fn,
		    (unsigned)((u64)arg >> 32), (unsigned)(u64)arg);
	c->sp = u;
}

void arch_context_switch(struct arch_context *from, const struct arch_context *to)
{
	ucontext_t here;

	from->sp = &here;
	swapcontext(&here, to->sp);
}

void *arch_kstack_alloc(void)
{
	char *p = mmap(NULL, STACK_EXTRA + ARCH_KSTACK_SIZE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p + STACK_EXTRA;
}

void arch_kstack_free(void *stack)
{
	munmap((char *)stack - STACK_EXTRA, STACK_EXTRA + ARCH_KSTACK_SIZE);
}

void arch_user_load_bases(const struct arch_user *u)
{
	(void)u;
}

void arch_fpu_init(void *fpu)
{
	memset(fpu, 0, ARCH_FPU_SIZE);
}

void arch_fpu_save(void *fpu)
{
	(void)fpu;
}

void arch_fpu_load(const void *fpu)
{
	(void)fpu;
}

void arch_user_switch(struct arch_user *prev, struct arch_user *next, void *kstack_top, paddr_t root)
{
	(void)prev;
	(void)next;
	(void)kstack_top;
	(void)root;
}

void arch_user_enter(struct user_regs *regs)
{
	(void)regs;
	die("there is no ring 3 on the host");
	abort();
}
