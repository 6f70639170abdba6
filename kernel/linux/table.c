/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From a number to a function.  The path of a known call is a bounds check and an indirect call;
 * tracing (`trace=syscall`) is another function around it, so that it costs nothing when it is off.
 *
 * What is not offered is -ENOSYS and named in the log, once per number.
 */
#include <asm/unistd_64.h>
#include <linux/fcntl.h>
#include <linux/futex.h>
#include <linux/sched.h>

#include "kernel/linux/linux.h"
#include "kernel/options.h"

#define CALLS 512u

#define LINUX_VARIANT(name, of, how)                                                     \
	static s64 sys_##name(struct user_regs *r)                                       \
	{                                                                                \
		return linux_##of(r, how);                                               \
	}
LINUX_VARIANTS(LINUX_VARIANT)

static s64 from_cwd(const struct user_regs *r, linux_call younger)
{
	struct user_regs shifted = { .rdi = (u64)AT_FDCWD, .rsi = ARG0(r), .rdx = ARG1(r), .r10 = ARG2(r) };

	return younger(&shifted);
}
#define LINUX_AT_CWD(name, younger)                                                      \
	static s64 sys_##name(struct user_regs *r)                                       \
	{                                                                                \
		return from_cwd(r, sys_##younger);                                       \
	}
LINUX_FROM_CWD(LINUX_AT_CWD)

#define LINUX_ENTRY(name, ...) [__NR_##name] = sys_##name,
#define LINUX_ALIAS_ENTRY(name, of) [__NR_##name] = sys_##of,
static const linux_call table[CALLS] = {
	LINUX_CALLS(LINUX_ENTRY) LINUX_VARIANTS(LINUX_ENTRY) LINUX_FROM_CWD(LINUX_ENTRY) LINUX_ALIASES(LINUX_ALIAS_ENTRY)
};

#define LINUX_NAME(name, ...) [__NR_##name] = #name,
static const char *const names[CALLS] = {
	LINUX_CALLS(LINUX_NAME) LINUX_VARIANTS(LINUX_NAME) LINUX_FROM_CWD(LINUX_NAME) LINUX_ALIASES(LINUX_NAME)
	/* Not offered, but asked for often enough to be named. */
	[__NR_clone3] = "clone3", [__NR_rseq] = "rseq", [__NR_socket] = "socket", [__NR_connect] = "connect",
	[__NR_select] = "select", [__NR_pselect6] = "pselect6", [__NR_timer_create] = "timer_create",
	[__NR_setitimer] = "setitimer", [__NR_alarm] = "alarm", [__NR_shmget] = "shmget",
	[__NR_signalfd4] = "signalfd4", [__NR_inotify_init1] = "inotify_init1", [__NR_mount] = "mount",
	[__NR_ptrace] = "ptrace", [__NR_io_uring_setup] = "io_uring_setup", [__NR_mincore] = "mincore",
	[__NR_reboot] = "reboot", [__NR_mbind] = "mbind", [__NR_get_mempolicy] = "get_mempolicy",
};

static s64 absent(struct user_regs *r) __attribute__((noinline));
static s64 absent(struct user_regs *r)
{
	static u64 named[CALLS / 64];
	u64 nr = r->orig_rax, key = MIN(nr, CALLS - 1); /* those beyond the table share one line */
	char who[48];

	if (__atomic_fetch_or(&named[key / 64], BIT(key % 64), __ATOMIC_RELAXED) & BIT(key % 64))
		return -ENOSYS;
	log_warn("%s: system call %s/%lld is not offered: ENOSYS",
		 process_label(thread_self()->process, who, sizeof(who)), nr < CALLS && names[nr] ? names[nr] : "?",
		 (long long)nr);
	return -ENOSYS;
}

static void trace(const struct user_regs *r) __attribute__((noinline));
static void trace(const struct user_regs *r)
{
	u64 nr = r->orig_rax;
	char who[48];

	log_info("%s: %s/%lld(0x%llx, 0x%llx, 0x%llx, 0x%llx) = %lld",
		 process_label(thread_self()->process, who, sizeof(who)), nr < CALLS && names[nr] ? names[nr] : "?",
		 (long long)nr, (unsigned long long)ARG0(r), (unsigned long long)ARG1(r), (unsigned long long)ARG2(r),
		 (unsigned long long)ARG3(r), (long long)r->rax);
}

/* Whoever was interrupted passes through linux_return_to_user, which restarts the call or not. */
static void interrupted(void) __attribute__((noinline));
static void interrupted(void)
{
	thread_self()->call_interrupted = true;
	arch_need_resched();
}

static void serve(struct user_regs *r)
{
	u64 nr = r->orig_rax;
	linux_call call = nr < CALLS ? table[nr] : NULL;
	s64 result = __builtin_expect(call != NULL, 1) ? call(r) : absent(r);

	r->rax = (u64)result;
	if (__builtin_expect(result == -EINTR, 0))
		interrupted();
}

static void serve_traced(struct user_regs *r)
{
	struct user_regs before = *r;

	serve(r);
	before.rax = r->rax;
	trace(&before);
}

/* Linux's rule (signal(7)): these start again when the handler has SA_RESTART. */
static bool may_restart(const struct user_regs *r)
{
	switch (r->orig_rax) {
	case __NR_futex:
		/* One with a relative time-out would wait anew for all of it. */
		return (ARG1(r) & FUTEX_CMD_MASK) != FUTEX_WAIT || !ARG3(r);
	case __NR_read:
	case __NR_readv:
	case __NR_write:
	case __NR_writev:
	case __NR_wait4:
	case __NR_waitid:
	case __NR_open:
	case __NR_openat:
		return true;
	default:
		return false;
	}
}

void linux_restart(struct user_regs *r)
{
	if (!may_restart(r))
		return;
	r->rax = r->orig_rax;
	r->rip -= 2; /* SYSCALL is two bytes long */
}

void (*linux_system_call(void))(struct user_regs *r)
{
	const char *what = option_get("trace");

	return what && strstr(what, "syscall") ? serve_traced : serve;
}
