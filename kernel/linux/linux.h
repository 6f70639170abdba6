/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Private to kernel/linux/: the system calls of Linux for x86-64, by the object they work on.
 * A call gets the caller's registers and returns its result or a negative errno.
 */
#ifndef KERNEL_LINUX_LINUX_H
#define KERNEL_LINUX_LINUX_H

#include "kernel/frames.h"
#include "kernel/program.h"
#include "kernel/tree.h"

/* Arguments in the order of the ABI (System V AMD64, A.2.1). */
#define ARG0(r) ((r)->rdi)
#define ARG1(r) ((r)->rsi)
#define ARG2(r) ((r)->rdx)
#define ARG3(r) ((r)->r10)
#define ARG4(r) ((r)->r8)
#define ARG5(r) ((r)->r9)

typedef s64 (*linux_call)(struct user_regs *r);

/* Every call that is offered, by file, in this list and the three below. The table (table.c) is made from them. */
#define LINUX_CALLS(X)                                                                   \
	/* io.c */                                                                       \
	X(lseek) X(ioctl) X(ftruncate) X(fsync)                                          \
	/* descriptor.c */                                                               \
	X(close) X(close_range) X(fcntl) X(dup) X(dup2) X(dup3) X(flock)                 \
	/* name.c */                                                                     \
	X(openat) X(creat) X(faccessat) X(readlinkat) X(getdents64) X(getcwd) X(chdir)   \
	X(fchdir) X(mkdirat) X(unlinkat) X(symlink)                                      \
	/* stat.c */                                                                     \
	X(fstat) X(newfstatat) X(statx) X(statfs) X(fstatfs)                             \
	/* event.c */                                                                    \
	X(poll) X(ppoll) X(epoll_create) X(epoll_create1) X(epoll_ctl) X(epoll_wait)     \
	X(epoll_pwait) X(timerfd_create) X(timerfd_settime) X(timerfd_gettime)           \
	X(memfd_create)                                                                  \
	/* memory.c */                                                                   \
	X(mmap) X(munmap) X(mprotect) X(mremap) X(madvise) X(brk) X(msync) X(mlock)      \
	X(mlock2) X(mlockall)                                                            \
	/* task.c */                                                                     \
	X(clone) X(execve) X(exit) X(exit_group) X(wait4) X(waitid) X(set_tid_address)   \
	X(set_robust_list) X(get_robust_list) X(arch_prctl)                              \
	/* ident.c */                                                                    \
	X(getpid) X(gettid) X(getppid) X(getpgid) X(uname) X(sysinfo) X(getrandom)       \
	X(prctl) X(prlimit64) X(getrlimit) X(setrlimit) X(getrusage) X(getcpu)           \
	X(membarrier)                                                                    \
	/* sched.c */                                                                    \
	X(sched_yield) X(sched_getaffinity) X(sched_setaffinity)                         \
	/* time.c */                                                                     \
	X(clock_gettime) X(clock_getres) X(clock_nanosleep) X(nanosleep)                 \
	X(gettimeofday) X(time) X(futex)                                                 \
	/* signal.c */                                                                   \
	X(rt_sigaction) X(rt_sigprocmask) X(rt_sigpending) X(rt_sigsuspend) X(pause)     \
	X(sigaltstack) X(rt_sigreturn) X(kill) X(tkill) X(tgkill)

#define LINUX_DECLARE(name) s64 sys_##name(struct user_regs *r);
LINUX_CALLS(LINUX_DECLARE)

/* Variants of one function: X(name, linux_ function, its second argument). */
#define LINUX_VARIANTS(X)                                                                \
	X(read, rw, 0) X(write, rw, RW_WRITE)                                            \
	X(pread64, rw, RW_AT) X(pwrite64, rw, RW_AT | RW_WRITE)                          \
	X(readv, rw, RW_VECTOR) X(writev, rw, RW_VECTOR | RW_WRITE)                      \
	X(preadv, rw, RW_VECTOR | RW_AT) X(pwritev, rw, RW_VECTOR | RW_AT | RW_WRITE)    \
	X(stat, stat, 0) X(lstat, stat, AT_SYMLINK_NOFOLLOW)                             \
	X(eventfd, eventfd, NO_FLAGS) X(eventfd2, eventfd, WITH_FLAGS)                   \
	X(pipe, pipe, NO_FLAGS) X(pipe2, pipe, WITH_FLAGS)                               \
	X(fork, child, 0) X(vfork, child, CLONE_VM | CLONE_VFORK)                        \
	X(sched_setscheduler, policy_set, ARG_POLICY) X(sched_setparam, policy_set, 0)   \
	X(sched_getscheduler, policy_get, ARG_POLICY) X(sched_getparam, policy_get, 0)   \
	X(sched_get_priority_max, policy_bound, true)                                    \
	X(sched_get_priority_min, policy_bound, false)                                   \
	/* Nice values are not kept: all are 0 (the call returns 20 - nice). */          \
	X(getpriority, nice, 20) X(setpriority, nice, 0)                                 \
	X(getuid, constant, 0) X(umask, constant, 022)                                   \
	X(sendfile, constant, (unsigned)-EINVAL) /* callers fall back to read and write */

enum { RW_WRITE = 1, RW_AT = 2 /* the position is an argument */, RW_VECTOR = 4 };
enum { NO_FLAGS = 0, WITH_FLAGS = ~0u }; /* what counts of the argument after the first */
enum { ARG_POLICY = 1 }; /* the policy is an argument, or the result */

#define LINUX_DECLARE_VARIANT(name, of, how) s64 linux_##of(struct user_regs *r, unsigned how_);
LINUX_VARIANTS(LINUX_DECLARE_VARIANT)

/* Calls without a directory's descriptor: the younger call with AT_FDCWD before the arguments. */
#define LINUX_FROM_CWD(X)                                                                \
	X(open, openat) X(access, faccessat) X(readlink, readlinkat) X(mkdir, mkdirat)   \
	X(unlink, unlinkat)

/* Calls that another one's function serves, too: X(name, the other). getuid's answer is 0. */
#define LINUX_ALIASES(X)                                                                 \
	X(geteuid, getuid) X(getgid, getuid) X(getegid, getuid) X(getgroups, getuid)     \
	X(setpgid, getuid) X(munlockall, getuid) X(getpgrp, getpid) X(setsid, getpid)    \
	X(getsid, getpgid) X(fdatasync, fsync) X(faccessat2, faccessat) X(munlock, mlock) \
	X(rmdir, unlink) X(rename, unlink)

/* Absolute arch_now_ns of a relative timeout at ts (0: none, WAIT_FOREVER). -EFAULT, -EINVAL. */
int must_check linux_timeout(uaddr_t ts, u64 *deadline_ns);
/* A struct timespec: nanoseconds, saturated; -EFAULT, -EINVAL (not a time). */
int must_check linux_timespec_get(uaddr_t ts, u64 *ns);
int must_check linux_timespec_put(uaddr_t ts, u64 ns);
/* A node by descriptor and path: AT_FDCWD, or relative to a directory. With file (AT_EMPTY_PATH) an empty path
 * is the descriptor's own file. One of *out and *file is set, and referenced; both are NULL before. */
int must_check linux_node_at(int dirfd, uaddr_t path, unsigned how, struct node **out, struct file **file);
/* Swap in a signal mask for the duration of a wait (ppoll, epoll_pwait); 0: none. -EFAULT, -EINVAL. */
int must_check linux_mask_enter(uaddr_t set, u64 size);
s64 linux_mask_leave(s64 result);
/* The current thread's signal mask; what cannot be blocked is left out. */
void linux_mask_set(u64 mask);

/* sigframe.c: enter a handler. false: the stack cannot take the frame. */
struct signal_event {
	int sig, code;
	u32 sender;
	u64 addr;
	unsigned trap;
	u64 error;
};
bool must_check sigframe_push(struct user_regs *r, const struct signal_action *a, const struct signal_event *e);
int must_check sigframe_pop(struct user_regs *r);

/* table.c: the call that ended with -EINTR starts again, if it is of the kind that may. */
void linux_restart(struct user_regs *r);

#endif
