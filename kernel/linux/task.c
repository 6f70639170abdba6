/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Threads and programs: clone in the two forms that exist here — a thread of the same program
 * (CLONE_THREAD) and a child that shares memory until it calls exec (vfork, posix_spawn) — exec,
 * exit, wait.  fork with a copied address space is not offered.
 */
#include <asm/prctl.h>
#include <asm/signal.h>
#include <linux/sched.h>
#include <linux/wait.h>

#include "kernel/linux/linux.h"
#include "kernel/mm.h"

#define THREAD_FLAGS (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD)
#define NOT_OFFERED                                                                              \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | \
	 CLONE_NEWNET | CLONE_PIDFD | CLONE_PTRACE)

struct clone_request {
	u64 flags;
	uaddr_t stack, parent_tid, child_tid, tls;
};

/* What a new thread inherits from the current one. A tid that cannot be written is the caller's loss, as on
 * Linux; the thread exists. */
static void inherit(struct thread *t, const struct clone_request *c)
{
	struct thread *me = thread_current();
	bool on = arch_irq_save();

	arch_fpu_save(t->user.fpu);
	arch_irq_restore(on);
	t->user.fs_base = c->flags & CLONE_SETTLS ? c->tls : me->user.fs_base;
	t->user.gs_base = me->user.gs_base;
	t->sig_mask = me->sig_mask;
	t->affinity = me->affinity;
	t->prio = me->prio;
	if (c->flags & CLONE_PARENT_SETTID)
		(void)!copy_to_user(c->parent_tid, &t->tid, sizeof(t->tid));
	if (c->flags & CLONE_CHILD_SETTID)
		(void)!copy_to_user(c->child_tid, &t->tid, sizeof(t->tid));
	if (c->flags & CLONE_CHILD_CLEARTID)
		t->clear_child_tid = c->child_tid;
}

/* A thread of p that goes on where the caller stands: its tid. */
static s64 clone_thread(struct process *p, const struct clone_request *c, const struct user_regs *r)
{
	struct user_regs regs = *r;
	struct thread *t;
	int tid;

	regs.rax = 0;
	if (c->stack)
		regs.rsp = c->stack;
	t = process_add_thread(p, &regs);
	if (!t)
		return -EAGAIN;
	tid = t->tid;
	inherit(t, c);
	process_thread_start(t);
	return tid;
}

static s64 clone_process(const struct clone_request *c, const struct user_regs *r)
{
	struct process *me = process_current(), *p = process_create(me);
	s64 pid = -EAGAIN;

	if (!p)
		return -EAGAIN;
	process_get(p);
	if (c->flags & CLONE_FILES) {
		p->fds = me->fds;
		__atomic_add_fetch(&p->fds->refs, 1, __ATOMIC_RELAXED);
	} else {
		p->fds = fd_table_copy(me->fds);
	}
	mm_get(me->mm);
	p->mm = me->mm;
	p->borrows_mm = c->flags & CLONE_VFORK;
	if (p->fds)
		pid = clone_thread(p, c, r);
	if (pid < 0)
		process_discard(p);
	else if (c->flags & CLONE_VFORK)
		wait_event_hard(&p->vfork_done, !READ_ONCE(p->borrows_mm) || thread_current()->killed, WAIT_FOREVER);
	process_put(p);
	return pid;
}

static s64 do_clone(const struct clone_request *c, struct user_regs *r)
{
	static bool named;
	char who[48];

	if (c->flags & NOT_OFFERED)
		return -EINVAL;
	if ((c->flags & CLONE_SETTLS) && c->tls >= MM_HIGH) /* loading such an FS base would fault in ring 0 */
		return -EPERM;
	if (c->flags & CLONE_THREAD)
		return (c->flags & THREAD_FLAGS) == THREAD_FLAGS && c->stack ? clone_thread(process_current(), c, r) : -EINVAL;
	if (!(c->flags & CLONE_VM)) {
		if (!__atomic_exchange_n(&named, true, __ATOMIC_RELAXED)) /* as unknown calls: once */
			log_warn("%s: fork is not offered: ENOSYS; use posix_spawn or vfork and exec",
				 process_label(process_current(), who, sizeof(who)));
		return refuse(-ENOSYS, "fork is not offered: use posix_spawn or vfork and exec");
	}
	if (c->flags & CLONE_SIGHAND)
		return -EINVAL;
	return clone_process(c, r);
}

s64 sys_clone(struct user_regs *r)
{
	struct clone_request c = {
		.flags = ARG0(r), .stack = ARG1(r), .parent_tid = ARG2(r), .child_tid = ARG3(r), .tls = ARG4(r),
	};

	return do_clone(&c, r);
}

s64 linux_child(struct user_regs *r, unsigned flags)
{
	struct clone_request c = { .flags = flags };

	return do_clone(&c, r);
}

/* ---- exec ---- */

static int strings_get(struct exec_args *a, uaddr_t list, bool env, char *bounce, size_t cap)
{
	while (list) {
		uaddr_t s;
		s64 n;
		int r;

		if (copy_from_user(&s, list, sizeof(s)))
			return -EFAULT;
		if (!s)
			return 0;
		n = copy_string_from_user(bounce, s, cap);
		if (n < 0)
			return n == -ENAMETOOLONG ? -E2BIG : (int)n;
		r = exec_args_add(a, bounce, (size_t)n, env);
		if (r)
			return r;
		list += sizeof(s);
		resched_point();
	}
	return 0;
}

#define STRING_MAX 65536u

s64 sys_execve(struct user_regs *r)
{
	AUTO_FREE char *path = kmalloc(TREE_PATH_MAX), *bounce = kmalloc(STRING_MAX), *strings = NULL;
	struct exec_args args = { 0 };
	struct exec_image img;
	s64 e;

	if (!path || !bounce)
		return -ENOMEM;
	e = copy_string_from_user(path, ARG0(r), TREE_PATH_MAX);
	if (e >= 0)
		e = strings_get(&args, ARG1(r), false, bounce, STRING_MAX);
	if (!e)
		e = strings_get(&args, ARG2(r), true, bounce, STRING_MAX);
	if (!e && !args.argc)
		e = exec_args_add(&args, "", 0, false); /* as Linux since 5.18 */
	strings = args.strings;
	if (!e)
		e = exec_load(NULL, path, &args, &img);
	if (e)
		return e;
	e = process_make_single();
	if (e) {
		mm_put(img.mm);
		return e;
	}
	exec_commit(&img, &args, r);
	strings = NULL;
	return 0;
}

/* ---- the end ---- */

s64 sys_exit(struct user_regs *r)
{
	process_thread_exit((int)ARG0(r));
}

s64 sys_exit_group(struct user_regs *r)
{
	process_exit((int)ARG0(r));
}

static s64 rusage_put(uaddr_t out)
{
	u8 zero[144] = { 0 }; /* struct rusage: times and counts are not kept for the dead */

	return out ? copy_to_user(out, zero, sizeof(zero)) : 0;
}

s64 sys_wait4(struct user_regs *r)
{
	int options = (int)ARG2(r), which = (int)ARG0(r), status = 0;
	s64 pid;

	if (options & ~(WNOHANG | WUNTRACED | WCONTINUED | __WALL | __WCLONE | (int)__WNOTHREAD))
		return -EINVAL;
	pid = process_wait(which > 0 ? which : -1, options & WNOHANG, &status, false);
	if (pid <= 0)
		return pid;
	if (ARG1(r) && copy_to_user(ARG1(r), &status, sizeof(status)))
		return -EFAULT;
	return rusage_put(ARG3(r)) ? -EFAULT : pid;
}

struct wait_info { /* siginfo_t of SIGCHLD */
	int signo, err, code, pad, pid;
	u32 uid;
	int status;
	u8 rest[128 - 28];
};
_Static_assert(sizeof(struct wait_info) == 128, "siginfo_t");
enum { CLD_EXITED_CODE = 1, CLD_KILLED_CODE = 2 };

s64 sys_waitid(struct user_regs *r)
{
	int options = (int)ARG3(r), status = 0;
	struct wait_info info = { 0 };
	s64 pid;

	if ((options & ~(WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | __WALL | __WCLONE)) ||
	    !(options & (WEXITED | WSTOPPED | WCONTINUED)))
		return -EINVAL;
	if (ARG0(r) > P_PGID || (ARG0(r) == P_PID && (int)ARG1(r) <= 0))
		return -EINVAL;
	pid = process_wait(ARG0(r) == P_PID ? (int)ARG1(r) : -1, options & WNOHANG, &status, options & WNOWAIT);
	if (pid < 0)
		return pid;
	if (pid) {
		info.signo = SIGCHLD;
		info.pid = (int)pid;
		info.code = status & 0x7f ? CLD_KILLED_CODE : CLD_EXITED_CODE;
		info.status = status & 0x7f ? status & 0x7f : status >> 8;
	}
	if (ARG2(r) && copy_to_user(ARG2(r), &info, sizeof(info)))
		return -EFAULT;
	return rusage_put(ARG4(r));
}

/* ---- per-thread words ---- */

s64 sys_set_tid_address(struct user_regs *r)
{
	thread_current()->clear_child_tid = ARG0(r);
	return thread_current()->tid;
}

s64 sys_set_robust_list(struct user_regs *r)
{
	if (ARG1(r) != 24) /* sizeof(struct robust_list_head) */
		return -EINVAL;
	thread_current()->robust_list = ARG0(r);
	return 0;
}

s64 sys_get_robust_list(struct user_regs *r)
{
	u64 len = 24;

	if (ARG0(r) && (int)ARG0(r) != thread_current()->tid)
		return -EPERM;
	if (copy_to_user(ARG1(r), &thread_current()->robust_list, 8) || copy_to_user(ARG2(r), &len, 8))
		return -EFAULT;
	return 0;
}

s64 sys_arch_prctl(struct user_regs *r)
{
	struct thread *t = thread_current();
	bool fs = ARG0(r) == ARCH_SET_FS || ARG0(r) == ARCH_GET_FS;
	u64 *base = fs ? &t->user.fs_base : &t->user.gs_base;

	switch ((int)ARG0(r)) {
	case ARCH_SET_FS:
	case ARCH_SET_GS:
		if (ARG1(r) >= MM_HIGH)
			return -EPERM;
		*base = ARG1(r);
		arch_user_load_bases(&t->user);
		return 0;
	case ARCH_GET_FS:
	case ARCH_GET_GS:
		return copy_to_user(ARG1(r), base, sizeof(*base));
	default:
		return -EINVAL;
	}
}
