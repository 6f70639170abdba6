/* SPDX-License-Identifier: GPL-2.0-only */
/* Who and where a program is: identities, limits, the machine. Everybody is root. */
#include <asm/prctl.h>
#include <linux/membarrier.h>
#include <linux/prctl.h>
#include <linux/resource.h>
#include <linux/sysinfo.h>
#include <linux/utsname.h>
#include <stdio.h>

#include "kernel/linux/linux.h"
#include "kernel/mm.h"
#include "kernel/random.h"
#include "kernel/version.h"

s64 sys_getpid(struct user_regs *)
{
	return thread_self()->process->pid;
}

s64 sys_gettid(struct user_regs *)
{
	return thread_self()->tid;
}

s64 sys_getppid(struct user_regs *)
{
	return thread_self()->process->ppid;
}

s64 linux_constant(struct user_regs *, unsigned value)
{
	return (int)value;
}

/* There are no sessions: every program is its own. */
s64 sys_getpgid(struct user_regs *r)
{
	return ARG0(r) ? (s64)(int)ARG0(r) : sys_getpid(r);
}

s64 sys_uname(struct user_regs *r)
{
	struct new_utsname u = { 0 };

	snprintf(u.sysname, sizeof(u.sysname), "Linux");
	snprintf(u.nodename, sizeof(u.nodename), "postern");
	snprintf(u.release, sizeof(u.release), "6.12.0-postern-%s", POSTERN_VERSION);
	snprintf(u.version, sizeof(u.version), "Postern %s", POSTERN_VERSION);
	snprintf(u.machine, sizeof(u.machine), "x86_64");
	snprintf(u.domainname, sizeof(u.domainname), "(none)");
	return copy_to_user(ARG0(r), &u, sizeof(u));
}

static void count_process(struct process *p, void *arg)
{
	*(unsigned *)arg += p->nthreads;
}

s64 sys_sysinfo(struct user_regs *r)
{
	struct sysinfo s = { 0 };
	unsigned procs = 0;

	process_each(count_process, &procs);
	s.uptime = (long)(arch_now_ns() / NS_PER_S);
	s.totalram = frames_total();
	s.freeram = frames_free();
	s.procs = (u16)procs;
	s.mem_unit = 1;
	return copy_to_user(ARG0(r), &s, sizeof(s));
}

s64 sys_getrandom(struct user_regs *r)
{
	u64 n = MIN(ARG1(r), 0x2000000ull), done = 0;
	u8 buf[256];

	if (ARG2(r) & ~7ull)
		return -EINVAL;
	while (done < n) {
		size_t part = MIN(n - done, sizeof(buf));

		random_fill(buf, part);
		if (copy_to_user(ARG0(r) + done, buf, part))
			return done ? (s64)done : -EFAULT;
		done += part;
		resched_point();
	}
	return (s64)done;
}

/* ---- prctl ---- */

static s64 name_set(uaddr_t user)
{
	struct thread *t = thread_self();
	char name[16] = { 0 };
	s64 n = copy_string_from_user(name, user, sizeof(name));

	if (n < 0 && n != -ENAMETOOLONG)
		return n;
	if (n < 0 && copy_from_user(name, user, sizeof(name) - 1))
		return -EFAULT;
	name[sizeof(name) - 1] = 0;
	memcpy(t->name, name, sizeof(name));
	if (t->tid == t->process->pid)
		memcpy(t->process->name, name, sizeof(name));
	return 0;
}

s64 sys_prctl(struct user_regs *r)
{
	switch ((int)ARG0(r)) {
	case PR_SET_NAME:
		return name_set(ARG1(r));
	case PR_GET_NAME:
		return copy_to_user(ARG1(r), thread_self()->name, 16);
	default:
		return -EINVAL;
	}
}

/* ---- limits ---- */

static int limit_get(unsigned which, struct rlimit64 *l)
{
	*l = (struct rlimit64){ RLIM64_INFINITY, RLIM64_INFINITY };
	if (which == RLIMIT_NOFILE)
		*l = (struct rlimit64){ thread_self()->process->fd_limit, FD_LIMIT_MAX };
	else if (which == RLIMIT_STACK)
		l->rlim_cur = 8 * 1024 * 1024;
	else if (which == RLIMIT_CORE)
		l->rlim_cur = 0;
	return which < RLIM_NLIMITS ? 0 : -EINVAL;
}

static int limit_set(unsigned which, const struct rlimit64 *l)
{
	if (which >= RLIM_NLIMITS || l->rlim_cur > l->rlim_max)
		return -EINVAL;
	if (which != RLIMIT_NOFILE)
		return 0;
	if (l->rlim_cur > FD_LIMIT_MAX)
		return -EPERM;
	thread_self()->process->fd_limit = l->rlim_cur;
	return 0;
}

static s64 limits(unsigned which, uaddr_t in, uaddr_t out)
{
	struct rlimit64 old, new;
	int e;

	if (in && copy_from_user(&new, in, sizeof(new)))
		return -EFAULT;
	e = limit_get(which, &old);
	if (!e && in)
		e = limit_set(which, &new);
	return !e && out ? copy_to_user(out, &old, sizeof(old)) : e;
}

s64 sys_prlimit64(struct user_regs *r)
{
	if (ARG0(r) && (int)ARG0(r) != thread_self()->process->pid)
		return -ESRCH;
	return limits((unsigned)ARG1(r), ARG2(r), ARG3(r));
}

s64 sys_getrlimit(struct user_regs *r)
{
	return ARG1(r) ? limits((unsigned)ARG0(r), 0, ARG1(r)) : -EFAULT;
}

s64 sys_setrlimit(struct user_regs *r)
{
	return ARG1(r) ? limits((unsigned)ARG0(r), ARG1(r), 0) : -EFAULT;
}

s64 sys_getrusage(struct user_regs *r)
{
	struct thread *t = thread_self();
	u64 used = t->runtime_ns + arch_now_ns() - t->started_ns;
	u64 usage[18] = { used / NS_PER_S, used % NS_PER_S / NS_PER_US }; /* ru_utime; the rest is not kept */

	usage[4] = mm_resident(thread_self()->process->mm) / 1024; /* ru_maxrss */
	return copy_to_user(ARG1(r), usage, sizeof(usage));
}

s64 sys_getcpu(struct user_regs *r)
{
	u32 cpu = arch_cpu_id(), node = 0;

	if (ARG0(r) && copy_to_user(ARG0(r), &cpu, sizeof(cpu)))
		return -EFAULT;
	return ARG1(r) && copy_to_user(ARG1(r), &node, sizeof(node)) ? -EFAULT : 0;
}

static void barrier_here(void *)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

s64 sys_membarrier(struct user_regs *r)
{
	const int offered = MEMBARRIER_CMD_GLOBAL | MEMBARRIER_CMD_GLOBAL_EXPEDITED |
			    MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED | MEMBARRIER_CMD_PRIVATE_EXPEDITED |
			    MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED;
	int cmd = (int)ARG0(r);

	if (ARG1(r))
		return -EINVAL;
	if (cmd == MEMBARRIER_CMD_QUERY)
		return offered;
	if ((cmd & (cmd - 1)) || !(cmd & offered))
		return -EINVAL;
	if (cmd != MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED && cmd != MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED)
		arch_ipi_all(barrier_here, NULL);
	return 0;
}
