/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a handler finds on its stack (Linux's struct rt_sigframe on x86-64): return address of the
 * restorer, ucontext, siginfo; above it, 64-byte aligned, the FPU registers as XSAVE writes them.
 *
 * All of it comes back from user memory at rt_sigreturn, where nothing can be trusted: selectors are
 * the exit path's, flags are masked there, and of the FPU area only x87, SSE and AVX are taken, with
 * a header and MXCSR that cannot make XRSTOR fault.
 */
#include <linux/signal.h>
#include <asm/sigcontext.h>
#include <asm/ucontext.h>

#include "kernel/linux/linux.h"
#include "kernel/mm.h"

#define RED_ZONE 128u /* System V AMD64, 3.2.2 */
/* SDM vol. 1, 13.4: legacy region 512 bytes, header 64, AVX 256. */
#define XSAVE_LEGACY 512u
#define XSAVE_USER 832u
#define XSAVE_MXCSR 24u
#define XSAVE_MXCSR_MASK 28u
#define XSAVE_BV 512u
#define XSAVE_HEADER_REST 520u
#define XSAVE_COMPONENTS 7ull /* x87, SSE, AVX */
#define XSAVE_SW 464u         /* bytes the processor leaves to software; Linux's struct _fpx_sw_bytes */
#define MXCSR_MASK_DEFAULT 0xffbfu

struct rt_sigframe {
	u64 restorer;
	struct ucontext uc;
	siginfo_t info;
};
_Static_assert(sizeof(siginfo_t) == 128, "siginfo_t");
_Static_assert(offsetof(struct ucontext, uc_mcontext) == 40, "ucontext of x86-64");
_Static_assert(sizeof(struct sigcontext) == 256, "sigcontext of x86-64");

static void context_fill(struct ucontext *uc, const struct user_regs *r, const struct signal_event *e)
{
	struct thread *t = thread_current();
	struct sigcontext *s = &uc->uc_mcontext;

	uc->uc_flags = UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS;
	uc->uc_stack.ss_sp = (void *)t->altstack.sp;
	uc->uc_stack.ss_size = t->altstack.size;
	uc->uc_stack.ss_flags = t->altstack.size ? 0 : SS_DISABLE;
	uc->uc_sigmask = t->sig_restore ? t->sig_saved : t->sig_mask;
	s->r8 = r->r8, s->r9 = r->r9, s->r10 = r->r10, s->r11 = r->r11;
	s->r12 = r->r12, s->r13 = r->r13, s->r14 = r->r14, s->r15 = r->r15;
	s->rdi = r->rdi, s->rsi = r->rsi, s->rbp = r->rbp, s->rbx = r->rbx;
	s->rdx = r->rdx, s->rax = r->rax, s->rcx = r->rcx, s->rsp = r->rsp;
	s->rip = r->rip, s->eflags = r->rflags, s->cs = (u16)r->cs, s->ss = (u16)r->ss;
	if (e->trap != ~0u) {
		s->trapno = e->trap;
		s->err = e->error;
		s->cr2 = e->addr;
	}
	s->oldmask = uc->uc_sigmask;
}

static void info_fill(siginfo_t *info, const struct signal_event *e)
{
	info->si_signo = e->sig;
	info->si_code = e->code;
	if (e->trap == ~0u)
		info->si_pid = (int)e->sender;
	else
		info->si_addr = (void *)e->addr;
}

static int fpu_push(uaddr_t at)
{
	const struct _fpx_sw_bytes sw = {
		.magic1 = FP_XSTATE_MAGIC1, .extended_size = XSAVE_USER + FP_XSTATE_MAGIC2_SIZE,
		.xfeatures = XSAVE_COMPONENTS, .xstate_size = XSAVE_USER,
	};
	u32 magic2 = FP_XSTATE_MAGIC2;
	u8 *fpu = thread_current()->user.fpu;
	bool on = arch_irq_save();

	arch_fpu_save(fpu);
	arch_irq_restore(on);
	if (copy_to_user(at, fpu, XSAVE_USER) || copy_to_user(at + XSAVE_SW, &sw, sizeof(sw)))
		return -EFAULT;
	return copy_to_user(at + XSAVE_USER, &magic2, sizeof(magic2));
}

static uaddr_t stack_choose(const struct user_regs *r, const struct signal_action *a)
{
	const struct thread_altstack *alt = &thread_current()->altstack;

	if ((a->flags & SA_ONSTACK) && alt->size && r->rsp - alt->sp >= alt->size)
		return alt->sp + alt->size;
	return r->rsp - RED_ZONE;
}

bool sigframe_push(struct user_regs *r, const struct signal_action *a, const struct signal_event *e)
{
	struct rt_sigframe frame = { .restorer = a->restorer };
	uaddr_t sp = stack_choose(r, a), fpu, at;

	if (!(a->flags & SA_RESTORER))
		return false;
	fpu = ALIGN_DOWN(sp - (XSAVE_USER + 64), 64);
	at = ALIGN_DOWN(fpu - sizeof(frame), 16) - 8;
	if (at > fpu || fpu > MM_HIGH || fpu_push(fpu))
		return false;
	context_fill(&frame.uc, r, e);
	frame.uc.uc_mcontext.fpstate = (void *)fpu;
	info_fill(&frame.info, e);
	if (copy_to_user(at, &frame, sizeof(frame)))
		return false;
	r->rdi = (u64)e->sig;
	r->rsi = at + offsetof(struct rt_sigframe, info);
	r->rdx = at + offsetof(struct rt_sigframe, uc);
	r->rax = 0;
	r->rip = a->handler;
	r->rsp = at;
	r->rflags &= ~0x500ull; /* TF, DF: as the ABI wants them at a function's entry */
	return true;
}

/* Take the user's idea of the FPU registers, made harmless. */
static int fpu_pop(uaddr_t at)
{
	u8 user[XSAVE_USER], *fpu = thread_current()->user.fpu;
	struct _fpx_sw_bytes sw;
	u64 bv, own;
	u32 mxcsr, mask;
	bool on;

	if (copy_from_user(user, at, XSAVE_USER))
		return -EFAULT;
	memcpy(&sw, user + XSAVE_SW, sizeof(sw));
	memcpy(&bv, user + XSAVE_BV, sizeof(bv));
	if (sw.magic1 != FP_XSTATE_MAGIC1)
		bv = 3; /* only the legacy region is there */
	on = arch_irq_save();
	arch_fpu_save(fpu);
	memcpy(&mask, fpu + XSAVE_MXCSR_MASK, sizeof(mask));
	memcpy(&own, fpu + XSAVE_BV, sizeof(own));
	memcpy(&mxcsr, user + XSAVE_MXCSR, sizeof(mxcsr));
	mxcsr &= mask ? mask : MXCSR_MASK_DEFAULT;
	bv = (bv & XSAVE_COMPONENTS) | (own & ~XSAVE_COMPONENTS);
	memcpy(fpu, user, XSAVE_SW);
	memcpy(fpu + XSAVE_MXCSR, &mxcsr, sizeof(mxcsr));
	memcpy(fpu + XSAVE_MXCSR_MASK, &mask, sizeof(mask));
	memcpy(fpu + XSAVE_BV, &bv, sizeof(bv));
	memset(fpu + XSAVE_HEADER_REST, 0, 56);
	if (bv & 4)
		memcpy(fpu + XSAVE_LEGACY + 64, user + XSAVE_LEGACY + 64, 256);
	arch_fpu_load(fpu);
	arch_irq_restore(on);
	return 0;
}

int sigframe_pop(struct user_regs *r)
{
	struct thread *t = thread_current();
	struct ucontext uc;
	const struct sigcontext *s = &uc.uc_mcontext;

	/* The handler's RET has popped the restorer's address. */
	if (copy_from_user(&uc, r->rsp - 8 + offsetof(struct rt_sigframe, uc), sizeof(uc)))
		return -EFAULT;
	if (s->fpstate && fpu_pop((uaddr_t)s->fpstate))
		return -EFAULT;
	r->r8 = s->r8, r->r9 = s->r9, r->r10 = s->r10, r->r11 = s->r11;
	r->r12 = s->r12, r->r13 = s->r13, r->r14 = s->r14, r->r15 = s->r15;
	r->rdi = s->rdi, r->rsi = s->rsi, r->rbp = s->rbp, r->rbx = s->rbx;
	r->rdx = s->rdx, r->rax = s->rax, r->rcx = s->rcx, r->rsp = s->rsp;
	r->rip = s->rip, r->rflags = s->eflags;
	t->sig_mask = uc.uc_sigmask;
	return 0;
}
