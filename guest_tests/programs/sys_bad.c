/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hostile system calls: first pointers that no program may name, each with the errno that Linux has
 * for it, then every number with random arguments out of a list of bad ones, from several threads of
 * a child.  A child may die of it, or wait for ever and be killed; the kernel has to go on, and its
 * audit at the end finds what was lost.  On Linux, where these calls would be made as root, only the
 * numbers of harmless calls are tried.
 *
 * sys_bad [SEED [STEP]]: of the numbers every STEPth, from SEED on
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <ucontext.h>
#include <unistd.h>

#include "lib/check.h"
#include "lib/child.h"

#define LAST_CALL 460
#define THREADS 3
#define ROUNDS 48
#define CHILD_MS 150

#define BAD_PAGE ((void *)8)
#define KERNEL_HALF 0xffff800000000000ul
#define KERNEL_IMAGE 0xffffffff80000000ul
#define NO_ADDRESS 0x0000800000000000ul
#define HOLE 0x8000000000000000ul

static uint8_t *buffer; /* two pages that can be written, before one that cannot be touched */
#define BUFFER_SIZE 8192ul

static void buffer_make(void)
{
	buffer = mmap(NULL, BUFFER_SIZE + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	need("mmap", buffer != MAP_FAILED && mprotect(buffer + BUFFER_SIZE, 4096, PROT_NONE) == 0);
}

/* ---- each pointer is checked ---- */

static int ev, pipe_fd[2], dir, ep, timer;

static void files_make(void)
{
	ev = eventfd(1000, EFD_SEMAPHORE); /* a read to a bad address takes one */
	dir = open("/", O_RDONLY | O_DIRECTORY);
	ep = epoll_create1(0);
	timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	need("descriptors", ev >= 0 && dir >= 0 && ep >= 0 && timer >= 0 && pipe(pipe_fd) == 0);
	need("pipe", write(pipe_fd[1], "some bytes", 10) == 10);
}

#define FAULTS(name, ...)                                                                        \
	do {                                                                                     \
		char line_[96];                                                                  \
		snprintf(line_, sizeof(line_), "%s: %s", where, name);                           \
		check_errno(line_, syscall(__VA_ARGS__), -EFAULT);                               \
	} while (0)

static void pointer_is_checked(const char *where, unsigned long p)
{
	FAULTS("read of an eventfd", SYS_read, ev, p, 8);
	FAULTS("write to an eventfd", SYS_write, ev, p, 8);
	FAULTS("write to a pipe", SYS_write, pipe_fd[1], p, 8);
	FAULTS("read from a pipe", SYS_read, pipe_fd[0], p, 1);
	FAULTS("readv, the vector", SYS_readv, pipe_fd[0], p, 1);
	FAULTS("open", SYS_open, p, O_RDONLY);
	FAULTS("stat, the path", SYS_stat, p, buffer);
	FAULTS("stat, the result", SYS_stat, "/", p);
	FAULTS("fstat", SYS_fstat, ev, p);
	FAULTS("readlink, the path", SYS_readlink, p, buffer, 64);
	FAULTS("readlink, the buffer", SYS_readlink, "/proc/self/exe", p, 64);
	FAULTS("getdents64", SYS_getdents64, dir, p, 4096);
	FAULTS("pipe2", SYS_pipe2, p, 0);
	FAULTS("poll", SYS_poll, p, 1, 0);
	FAULTS("ppoll, the time", SYS_ppoll, buffer, 0, p, NULL, 8);
	FAULTS("epoll_ctl", SYS_epoll_ctl, ep, EPOLL_CTL_ADD, ev, p);
	FAULTS("timerfd_settime", SYS_timerfd_settime, timer, 0, p, NULL);
	FAULTS("timerfd_gettime", SYS_timerfd_gettime, timer, p);
	FAULTS("nanosleep", SYS_nanosleep, p, NULL);
	FAULTS("clock_gettime", SYS_clock_gettime, 1, p);
	FAULTS("futex wait", SYS_futex, p, 0, 0, NULL);
	FAULTS("rt_sigaction", SYS_rt_sigaction, SIGUSR1, p, NULL, 8);
	FAULTS("rt_sigaction, old", SYS_rt_sigaction, SIGUSR1, NULL, p, 8);
	FAULTS("rt_sigprocmask", SYS_rt_sigprocmask, SIG_BLOCK, p, NULL, 8);
	FAULTS("execve, the path", SYS_execve, p, NULL, NULL);
	FAULTS("execve, argv", SYS_execve, "/proc/self/exe", p, NULL);
	FAULTS("uname", SYS_uname, p);
	FAULTS("getrandom", SYS_getrandom, p, 16, 0);
	FAULTS("sched_getaffinity", SYS_sched_getaffinity, 0, 128, p);
	FAULTS("memfd_create", SYS_memfd_create, p, 0);
	FAULTS("getcwd", SYS_getcwd, p, 64);
}

/* ---- what a handler returns to ---- */

static unsigned long return_rip, return_rsp, return_flags;

static void change_frame(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)sig, (void)info;
	if (return_rip)
		uc->uc_mcontext.gregs[REG_RIP] = (long)return_rip;
	if (return_rsp)
		uc->uc_mcontext.gregs[REG_RSP] = (long)return_rsp;
	uc->uc_mcontext.gregs[REG_EFL] |= (long)return_flags;
	/* As after a system call: the return may then be the short one, which loads flags from R11. */
	uc->uc_mcontext.gregs[REG_RCX] = uc->uc_mcontext.gregs[REG_RIP];
	uc->uc_mcontext.gregs[REG_R11] = uc->uc_mcontext.gregs[REG_EFL];
}

/* Returns from a handler to the address, on the stack or with the flags that are set; the flags then. */
static unsigned long return_changed(unsigned long rip, unsigned long rsp, unsigned long flags)
{
	struct sigaction sa = { .sa_sigaction = change_frame, .sa_flags = SA_SIGINFO };
	unsigned long now;

	return_rip = rip, return_rsp = rsp, return_flags = flags;
	sigaction(SIGUSR1, &sa, NULL);
	raise(SIGUSR1);
	__asm__ volatile("pushfq; popq %0" : "=r"(now));
	return now;
}

static void returns(void)
{
	static const char *const bad[] = { "0xffff800000000000", "0xffffffff80000000", "0x0000800000000000",
					   "0x8000000000000000", "0x8", "0x00007ffffffff000" };
	char line[64];
	int code;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(line, sizeof(line), "a handler that returns to %s", bad[i]);
		check_equal(line, child_run("rip", bad[i]), 128 + SIGSEGV);
		snprintf(line, sizeof(line), "with its stack at %s", bad[i]);
		code = child_run("rsp", bad[i]);
		/* What is canonical depends on the CPU; what is not is another exception. */
		check_true(line, code == 128 + SIGSEGV || code == 128 + SIGBUS);
	}
	/* I/O privilege, virtual 8086 mode and its interrupts are not a program's to set. */
	check_equal("a handler that returns with other flags", return_changed(0, 0, 0x1a3000) & 0x1a3200, 0x200);
	check_errno("a thread whose FS base no CPU can load",
		    syscall(SYS_clone, CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SETTLS,
			    buffer + BUFFER_SIZE, NULL, NULL, HOLE), -EPERM);
}

/* ---- everything, at random ---- */

/* Not these: the end of this very program, signals to everybody, and copies of a thread on one stack. */
static bool left_out(int nr)
{
	return nr == SYS_exit || nr == SYS_exit_group || nr == SYS_kill || nr == SYS_tkill || nr == SYS_tgkill ||
	       nr == SYS_fork || nr == SYS_vfork || nr == SYS_clone3 || nr == SYS_reboot;
}

static bool harmless_on_linux(int nr)
{
	static const short calls[] = {
		SYS_read, SYS_write, SYS_close, SYS_stat, SYS_fstat, SYS_poll, SYS_lseek, SYS_mmap, SYS_mprotect,
		SYS_munmap, SYS_brk, SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_pread64, SYS_readv,
		SYS_writev, SYS_pipe, SYS_mremap, SYS_madvise, SYS_dup, SYS_dup2, SYS_nanosleep, SYS_clone, SYS_execve,
		SYS_wait4, SYS_uname, SYS_futex, SYS_epoll_wait, SYS_epoll_ctl, SYS_eventfd2, SYS_pipe2, SYS_readlink,
	};

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (calls[i] == nr)
			return true;
	return false;
}

static uint64_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return *state >> 33;
}

static unsigned long hostile(uint64_t *state)
{
	const unsigned long values[] = {
		0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 64, 4095, 4096, 0x200000, 0x7fffffff, 0x80000000, 0xffffffff,
		-1ul, -2ul, -8ul, -4096ul, KERNEL_HALF, KERNEL_HALF - 1, KERNEL_IMAGE, KERNEL_IMAGE + 0x1000,
		NO_ADDRESS, NO_ADDRESS - 1, NO_ADDRESS - 8, NO_ADDRESS - 4096, HOLE, HOLE - 1, HOLE - 4096,
		(unsigned long)buffer, (unsigned long)buffer, (unsigned long)buffer + 64,
		(unsigned long)buffer + BUFFER_SIZE - 4, (unsigned long)buffer + BUFFER_SIZE,
		(unsigned long)buffer + BUFFER_SIZE - 4096, (unsigned long)hostile, 1ul << 40, 1ul << 46,
	};

	return values[next_random(state) % (sizeof(values) / sizeof(values[0]))];
}

struct storm {
	int nr;
	uint64_t seed;
};

static void *storm_thread(void *arg)
{
	const struct storm *s = arg;
	uint64_t state = s->seed;

	for (int i = 0; i < ROUNDS; i++) {
		unsigned long a[6];

		for (int n = 0; n < 6; n++)
			a[n] = hostile(&state);
		/* A thread of this program with a bad stack, or nothing: never a copy of it. */
		if (s->nr == SYS_clone)
			a[0] = i % 2 ? 0x10f00ul | (a[0] & 0x13f0000) : a[0] & 0xff;
		for (size_t n = 0; n < BUFFER_SIZE / 8; n += 16)
			((volatile uint64_t *)buffer)[n] = hostile(&state);
		syscall(s->nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	}
	return NULL;
}

static int child_main(const char *arg)
{
	struct storm s[THREADS];
	pthread_t t[THREADS];
	unsigned long seed = strtoul(arg, NULL, 0);

	for (int fd = 0; fd < 3; fd++)
		close(fd); /* nothing is to be printed */
	buffer_make();
	files_make();
	for (int i = 0; i < THREADS; i++) {
		s[i] = (struct storm){ (int)(seed % 1000), seed * 31 + (unsigned)i };
		if (pthread_create(&t[i], NULL, storm_thread, &s[i]))
			return 1;
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	return 0;
}

static void every_number(unsigned long seed, unsigned long step)
{
	bool everything = access("/proc/self/why", F_OK) == 0;
	char arg[32];

	for (int nr = (int)(seed % step); nr <= LAST_CALL; nr += (int)step) {
		if (left_out(nr) || (!everything && !harmless_on_linux(nr)))
			continue;
		snprintf(arg, sizeof(arg), "%lu", seed * 1000 + (unsigned)nr);
		(void)child_wait_within(child_start("storm", arg), CHILD_MS);
	}
	check_true("system calls with hostile arguments", true);
}

int main(int argc, char **argv)
{
	if (argc > 2 && !strcmp(argv[1], "storm"))
		return child_main(argv[2]);
	if (argc > 2 && !strcmp(argv[1], "rip"))
		return (int)return_changed(strtoul(argv[2], NULL, 0), 0, 0);
	if (argc > 2 && !strcmp(argv[1], "rsp"))
		return (int)return_changed(0, strtoul(argv[2], NULL, 0), 0);
	setvbuf(stdout, NULL, _IOLBF, 0);
	buffer_make();
	files_make();
	pointer_is_checked("a low page", (unsigned long)BAD_PAGE);
	pointer_is_checked("a page without rights", (unsigned long)buffer + BUFFER_SIZE);
	pointer_is_checked("the kernel's half", KERNEL_HALF);
	pointer_is_checked("the kernel's image", KERNEL_IMAGE);
	pointer_is_checked("not canonical", NO_ADDRESS);
	pointer_is_checked("not canonical, high", HOLE);
	pointer_is_checked("the last word", -8ul);
	returns();
	every_number(argc > 1 ? strtoul(argv[1], NULL, 0) : 1, argc > 2 ? strtoul(argv[2], NULL, 0) : 1);
	return check_result();
}
