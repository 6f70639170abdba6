/* SPDX-License-Identifier: BSD-2-Clause */
/* Processes: starting them by posix_spawn and vfork, waiting in every way, and how they end. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/auxv.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/check.h"
#include "lib/child.h"

#define SELF "/proc/self/exe"
#define BLOCKED_MS 60

static void pause_ms(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

/* ---- starting ---- */

static int exec_errno(const char *path, char *const argv[], char *const envp[])
{
	return execve(path, argv, envp) < 0 ? -errno : 0;
}

static void exec_errors(void)
{
	char *argv[] = { "x", NULL }, *huge = malloc(1 << 20);
	char *many[] = { huge, NULL };

	need("malloc", huge != NULL);
	memset(huge, 'a', (1 << 20) - 1);
	huge[(1 << 20) - 1] = '\0';
	check_equal("exec of nothing", exec_errno("/no/such/program", argv, environ), -ENOENT);
	check_equal("exec of an empty path", exec_errno("", argv, environ), -ENOENT);
	check_equal("exec of a directory", exec_errno("/proc", argv, environ), -EACCES);
	check_equal("exec below a file", exec_errno("/proc/self/exe/x", argv, environ), -ENOTDIR);
	check_equal("exec of what is not executable", exec_errno("/proc/self/maps", argv, environ), -EACCES);
	check_equal("exec with one huge argument", exec_errno(SELF, many, environ), -E2BIG);
	huge[5000] = '\0';
	check_equal("exec of too long a path", exec_errno(huge, argv, environ), -ENAMETOOLONG);
	free(huge);
}

static int spawn_errno(const char *path)
{
	char *argv[] = { "x", NULL };
	pid_t pid;
	int e = posix_spawn(&pid, path, NULL, NULL, argv, environ);

	if (!e)
		child_wait(pid);
	return -e;
}

/* vfork and exec, or exit without exec. */
static pid_t vfork_child(const char *path, char *const argv[])
{
	pid_t pid = vfork();

	if (!pid) {
		if (path)
			execve(path, argv, environ);
		_exit(33);
	}
	need("vfork", pid > 0);
	return pid;
}

static void starting(void)
{
	char *argv[] = { "child", "exit", "7", NULL };

	check_equal("spawn of nothing", spawn_errno("/no/such/program"), -ENOENT);
	check_equal("spawn of a directory", spawn_errno("/proc"), -EACCES);
	check_equal("spawn", child_run("exit", "7"), 7);
	check_equal("an exit code of 8 bits", child_run("exit", "0x1ff"), 255);
	check_equal("vfork and exec", child_wait(vfork_child(SELF, argv)), 7);
	check_equal("vfork and exit", child_wait(vfork_child(NULL, NULL)), 33);
	check_equal("vfork and an exec that fails", child_wait(vfork_child("/no/such", argv)), 33);
	check_equal("argv, envp and auxv", child_run("arguments", "a b"), 0);
	check_equal("many at once", child_run("many", NULL), 0);
}

/* ---- waiting ---- */

static void waiting(void)
{
	siginfo_t info;
	int status = 0;
	pid_t a, b;

	check_errno("wait without children", wait4(-1, &status, 0, NULL), -ECHILD);
	check_errno("wait for a stranger", waitpid(1000000, &status, 0), -ECHILD);
	check_errno("wait, unknown option", wait4(-1, &status, 0x100, NULL), -EINVAL);
	check_errno("waitid without a kind", waitid(P_ALL, 0, &info, 0), -EINVAL);
	check_errno("waitid without children", waitid(P_ALL, 0, &info, WEXITED), -ECHILD);
	a = child_start("sleep", "200");
	check_equal("WNOHANG while it runs", waitpid(a, &status, WNOHANG), 0);
	memset(&info, 0xff, sizeof(info));
	check_true("waitid WNOHANG clears", !waitid(P_PID, a, &info, WEXITED | WNOHANG) && !info.si_pid && !info.si_signo);
	check_true("waitid WNOWAIT", !waitid(P_PID, a, &info, WEXITED | WNOWAIT) && info.si_pid == a &&
		   info.si_signo == SIGCHLD && info.si_code == CLD_EXITED && info.si_status == 0);
	check_true("and it is still there", waitpid(a, &status, 0) == a && WIFEXITED(status));
	check_errno("and then not", waitpid(a, &status, 0), -ECHILD);
	a = child_start("sleep", "300");
	b = child_start("exit", "5");
	check_true("whoever ends first", wait(&status) == b && WEXITSTATUS(status) == 5);
	check_errno("a status that cannot be written", (kill(a, SIGTERM), syscall(SYS_wait4, a, 8, 0, NULL)), -EFAULT);
	check_errno("and the child is gone", waitpid(a, &status, 0), -ECHILD);
	a = child_start("sleep", "5000");
	kill(a, SIGTERM);
	check_true("waitid of a killed one", !waitid(P_PID, a, &info, WEXITED) && info.si_code == CLD_KILLED &&
		   info.si_status == SIGTERM);
}

/* ---- ending ---- */

static void ending(void)
{
	static const char *const calls[] = { "pipe", "eventfd", "poll", "epoll", "futex", "sleep", "wait", "pause",
					     "spin", "write" };
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGALRM, SIGPIPE, SIGKILL };
	char name[64];
	pid_t pid;

	check_equal("abort", child_run("abort", NULL), 128 + SIGABRT);
	check_equal("an undefined instruction", child_run("undefined", NULL), 128 + SIGILL);
	check_equal("a division by 0", child_run("divide", NULL), 128 + SIGFPE);
	check_equal("a breakpoint", child_run("breakpoint", NULL), 128 + SIGTRAP);
	check_equal("a privileged instruction", child_run("privileged", NULL), 128 + SIGSEGV);
	check_equal("a bad jump", child_run("jump", NULL), 128 + SIGSEGV);
	check_equal("a stack without end", child_run("stack", NULL), 128 + SIGSEGV);
	check_equal("SIGCHLD is ignored", child_run("raise", "17"), 0);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		snprintf(name, sizeof(name), "%d", signals[i]);
		pid = child_start("sleep", "5000");
		kill(pid, signals[i]);
		snprintf(name, sizeof(name), "killed by %d", signals[i]);
		check_equal(name, child_wait(pid), 128 + signals[i]);
	}
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		pid = child_start("block", calls[i]);
		pause_ms(BLOCKED_MS);
		kill(pid, SIGKILL);
		snprintf(name, sizeof(name), "killed in %s", calls[i]);
		check_equal(name, child_wait(pid), 128 + SIGKILL);
	}
	check_errno("kill of nobody", kill(1000000, 0), -ESRCH);
	check_errno("kill, no such signal", kill(getpid(), 65), -EINVAL);
	check_errno("which of the two comes first", kill(1000000, 65), -ESRCH);
	check_errno("kill of a dead one", kill(pid, 0), -ESRCH);
	check_errno("signal 0", kill(getpid(), 0), 0);
}

/* ---- what is inherited ---- */

/* A grandchild keeps the pipe open: its end is seen although nobody here waits for it. */
static void orphans(void)
{
	char arg[32], byte;
	int p[2];

	need("pipe", pipe(p) == 0);
	snprintf(arg, sizeof(arg), "%d", p[1]);
	check_equal("a child that leaves a child", child_run("orphan", arg), 0);
	close(p[1]);
	check_true("which lives on", read(p[0], &byte, 1) == 1 && byte == 'o');
	check_equal("and ends", read(p[0], &byte, 1), 0);
	(void)waitpid(-1, NULL, 0); /* it is ours only if we are the first program */
	close(p[0]);
}

static void on_hangup(int sig)
{
	(void)sig;
}

static void descriptors(void)
{
	int kept = eventfd(0, 0), closed = eventfd(0, EFD_CLOEXEC), copy = dup(closed);
	char arg[64];

	snprintf(arg, sizeof(arg), "%d %d %d", kept, closed, copy);
	check_equal("close on exec", child_run("descriptors", arg), 0);
	check_errno("ours is still open", fcntl(closed, F_GETFD) == FD_CLOEXEC ? 0 : -1, 0);
	close(kept);
	close(closed);
	close(copy);
}

static void signal_state(void)
{
	sigset_t set, old;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, &old);
	signal(SIGUSR1, SIG_IGN);
	signal(SIGHUP, on_hangup);
	check_equal("the mask and what is ignored stay", child_run("signals", NULL), 0);
	signal(SIGUSR1, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	sigprocmask(SIG_SETMASK, &old, NULL);
}

/* ---- in the child ---- */

static int block(const char *call)
{
	uint32_t word = 0;
	struct epoll_event ev;
	char bytes[4096] = { 0 };
	int p[2] = { -1, -1 };

	if (pipe(p))
		return 1;
	switch (call[0] << 8 | call[1]) {
	case 'p' << 8 | 'i': return (int)read(p[0], bytes, 1);
	case 'e' << 8 | 'v': return (int)read(eventfd(0, 0), bytes, 8);
	case 'p' << 8 | 'o': return poll(&(struct pollfd){ p[0], POLLIN, 0 }, 1, -1);
	case 'e' << 8 | 'p': return epoll_wait(epoll_create1(0), &ev, 1, -1);
	case 'f' << 8 | 'u': return (int)syscall(SYS_futex, &word, 0, 0, NULL, NULL, 0);
	case 's' << 8 | 'l': return pause_ms(30000), 1;
	case 'w' << 8 | 'a': return child_run("sleep", "1000");
	case 'p' << 8 | 'a': return pause();
	case 'w' << 8 | 'r': while (write(p[1], bytes, sizeof(bytes)) > 0); return 1;
	default: for (;;) __asm__ volatile("");
	}
}

static int arguments(int argc, char **argv)
{
	if (argc != 3 || strcmp(argv[0], "child") || strcmp(argv[2], "a b") || argv[3])
		return 1;
	if (!getauxval(AT_PHDR) || getauxval(AT_PAGESZ) != 4096 || getauxval(AT_ENTRY) == 0 || !getauxval(AT_RANDOM))
		return 2;
	if (getauxval(AT_UID) || getauxval(AT_SECURE) || !getauxval(AT_EXECFN) || !getauxval(AT_PHNUM))
		return 3;
	return memcmp((void *)(getauxval(AT_PHDR) & -4096ul), "\177ELF", 4) ? 4 : 0;
}

static int many_children(void)
{
	pid_t pid[20];
	int sum = 0;

	for (int i = 0; i < 20; i++)
		pid[i] = child_start("exit", "3");
	for (int i = 0; i < 20; i++)
		sum += child_wait(pid[19 - i]);
	return sum != 60;
}

static int check_descriptors(const char *arg)
{
	int kept, closed, copy;

	sscanf(arg, "%d %d %d", &kept, &closed, &copy);
	return (fcntl(kept, F_GETFD) != 0) | (fcntl(closed, F_GETFD) != -1) << 1 | (fcntl(copy, F_GETFD) != 0) << 2;
}

static int check_signals(void)
{
	struct sigaction sa;
	sigset_t set;

	sigprocmask(SIG_SETMASK, NULL, &set);
	if (!sigismember(&set, SIGUSR2) || sigismember(&set, SIGUSR1))
		return 1;
	sigaction(SIGUSR1, NULL, &sa);
	if (sa.sa_handler != SIG_IGN)
		return 2;
	sigaction(SIGHUP, NULL, &sa);
	return sa.sa_handler != SIG_DFL ? 3 : 0;
}

static int stack_without_end(volatile char *above)
{
	volatile char frame[4096];

	frame[0] = *above;
	return *above == 'e' ? 0 : stack_without_end(frame) + frame[0];
}

static int child_main(int argc, char **argv)
{
	const char *mode = argv[1], *arg = argc > 2 ? argv[2] : "";
	volatile int zero = 0;

	if (!strcmp(mode, "exit"))
		_exit((int)strtol(arg, NULL, 0));
	if (!strcmp(mode, "sleep"))
		return pause_ms(atol(arg)), 0;
	if (!strcmp(mode, "block"))
		return block(arg);
	if (!strcmp(mode, "arguments"))
		return arguments(argc, argv);
	if (!strcmp(mode, "many"))
		return many_children();
	if (!strcmp(mode, "descriptors"))
		return check_descriptors(arg);
	if (!strcmp(mode, "signals"))
		return check_signals();
	if (!strcmp(mode, "raise"))
		return raise(atoi(arg));
	if (!strcmp(mode, "orphan"))
		return child_start("speak", arg) <= 0;
	if (!strcmp(mode, "speak"))
		return pause_ms(100), write(atoi(arg), "o", 1) != 1;
	if (!strcmp(mode, "undefined"))
		__asm__ volatile("ud2");
	if (!strcmp(mode, "divide"))
		__asm__ volatile("idivl %0" : : "m"(zero) : "eax", "edx");
	if (!strcmp(mode, "breakpoint"))
		__asm__ volatile("int3");
	if (!strcmp(mode, "privileged"))
		__asm__ volatile("hlt");
	if (!strcmp(mode, "jump"))
		((void (*)(void))0x123456789000ul)();
	if (!strcmp(mode, "stack"))
		return stack_without_end("");
	abort();
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return child_main(argc, argv);
	setvbuf(stdout, NULL, _IOLBF, 0);
	exec_errors();
	starting();
	waiting();
	ending();
	orphans();
	descriptors();
	signal_state();
	return check_result();
}
