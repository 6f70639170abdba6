/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A thread's share of the CPU: its kernel stack as entry point, its page table, FS and GS base, and the
 * FPU registers, which are swapped eagerly (nothing of another program's is ever left in them while it
 * does not run, except under kernel threads, which do not touch them).
 */
#include "arch/x86/early.h"

extern void context_start(void);

void arch_context_init(struct arch_context *c, void *stack_top, void (*fn)(void *), void *arg)
{
	/* What arch_context_switch pops: r15 r14 r13 r12 rbp rbx, return address; then a frame end. */
	u64 *sp = (u64 *)stack_top - 9;

	memset(sp, 0, 9 * sizeof *sp);
	sp[3] = (u64)arg;
	sp[5] = (u64)fn;
	sp[6] = (u64)context_start;
	c->sp = sp;
}

void fpu_enable(void)
{
	if (!cpu.xsave)
		return;
	__asm__ volatile("xsetbv" :: "c"(0), "a"((u32)cpu.xcr0), "d"((u32)(cpu.xcr0 >> 32)));
}

/* SDM vol. 1, 10.5.1 and 13.4: the control words' initial values; no component present, so XRSTOR sets
 * every one to its initial state. */
#define FPU_FCW 0
#define FPU_MXCSR 24

void arch_fpu_init(void *fpu)
{
	u16 fcw = 0x37f;
	u32 mxcsr = 0x1f80;

	memset(fpu, 0, ARCH_FPU_SIZE);
	memcpy((u8 *)fpu + FPU_FCW, &fcw, sizeof fcw);
	memcpy((u8 *)fpu + FPU_MXCSR, &mxcsr, sizeof mxcsr);
}

void arch_fpu_save(void *fpu)
{
	u32 lo = cpu.xcr0, hi = cpu.xcr0 >> 32;

	if (cpu.xsaveopt)
		__asm__ volatile("xsaveopt64 (%0)" :: "r"(fpu), "a"(lo), "d"(hi) : "memory");
	else if (cpu.xsave)
		__asm__ volatile("xsave64 (%0)" :: "r"(fpu), "a"(lo), "d"(hi) : "memory");
	else
		__asm__ volatile("fxsave64 (%0)" :: "r"(fpu) : "memory");
}

/* XRSTOR and FXRSTOR fault on reserved bits (SDM vol. 1, 13.8.1). Who fills an area from outside checks
 * it; should that ever miss something, the exception table turns the fault into `false`. */
#define FPU_RESTORE(insn, ok, fpu, lo, hi)                                                      \
	__asm__ volatile("movb $1,%0\n"                                                         \
			 "1:\t" insn " (%1)\n\t"                                                \
			 "jmp 3f\n"                                                             \
			 "2:\tmovb $0,%0\n"                                                     \
			 "3:\n\t"                                                               \
			 ".pushsection .extable,\"a\"\n\t"                                      \
			 ".quad 1b, 2b\n\t"                                                     \
			 ".popsection"                                                          \
			 : "=&q"(ok) : "r"(fpu), "a"(lo), "d"(hi) : "memory")

static bool fpu_restore(const void *fpu)
{
	u32 lo = cpu.xcr0, hi = cpu.xcr0 >> 32;
	bool ok;

	if (cpu.xsave)
		FPU_RESTORE("xrstor64", ok, fpu, lo, hi);
	else
		FPU_RESTORE("fxrstor64", ok, fpu, lo, hi);
	return ok;
}

void arch_fpu_load(const void *fpu)
{
	static u8 initial[ARCH_FPU_SIZE] __attribute__((aligned(64)));

	if (fpu_restore(fpu))
		return;
	arch_fpu_init(initial); /* the same bytes whoever comes here at once */
	BUG_ON(!fpu_restore(initial));
}

void arch_user_load_bases(const struct arch_user *u)
{
	wrmsr(MSR_FS_BASE, u->fs_base);
	wrmsr(MSR_KERNEL_GS_BASE, u->gs_base); /* SWAPGS makes it ring 3's */
}

void arch_user_switch(struct arch_user *prev, struct arch_user *next, void *kstack_top, paddr_t root)
{
	bool on = arch_irq_save();
	struct percpu *p = percpu_this();

	if (prev && prev != next && prev->fpu)
		arch_fpu_save(prev->fpu);
	gdt_set_kstack(p, (u64)kstack_top);
	tlb_load_root(p, root ? root : paging_root);
	if (next && next != prev) {
		if (next->fpu)
			arch_fpu_load(next->fpu);
		arch_user_load_bases(next);
	}
	arch_irq_restore(on);
}
