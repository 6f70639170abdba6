/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads: futexes with and without time, the C library's locks on them, signals to one thread, CPUs. */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "lib/check.h"
#include "lib/child.h"

#define MS 1000000ll
#define MANY 100
#define WORKERS 8
#define LAPS 2000

static long long now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static long futex(void *word, int op, uint32_t val, const void *time, void *word2, uint32_t val3)
{
	return syscall(SYS_futex, word, op, val, time, word2, val3);
}

static void pause_ms(int ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * MS };

	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

static pthread_t start(void *(*fn)(void *), void *arg)
{
	pthread_t t;

	errno = pthread_create(&t, NULL, fn, arg);
	need("pthread_create", errno == 0);
	return t;
}

/* ---- futex ---- */

static void futex_errors(void)
{
	uint32_t words[2] = { 5, 0 };
	struct timespec bad = { 0, 1000000000 }, negative = { -1, 0 };

	check_errno("wait, another value", futex(words, FUTEX_WAIT, 6, NULL, NULL, 0), -EAGAIN);
	check_errno("wait, private, another value", futex(words, FUTEX_WAIT_PRIVATE, 6, NULL, NULL, 0), -EAGAIN);
	check_errno("wait inside a word", futex((char *)words + 1, FUTEX_WAIT, 5, NULL, NULL, 0), -EINVAL);
	check_errno("wait, not a time", futex(words, FUTEX_WAIT, 5, &bad, NULL, 0), -EINVAL);
	check_errno("wait, a time before 0", futex(words, FUTEX_WAIT, 5, &negative, NULL, 0), -EINVAL);
	check_errno("wait, no bits", futex(words, FUTEX_WAIT_BITSET, 5, NULL, NULL, 0), -EINVAL);
	check_errno("wake, no bits", futex(words, FUTEX_WAKE_BITSET, 1, NULL, NULL, 0), -EINVAL);
	check_errno("wake inside a word", futex((char *)words + 2, FUTEX_WAKE, 1, NULL, NULL, 0), -EINVAL);
	check_equal("wake, nobody waits", futex(words, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
	check_errno("compare and requeue, another value", futex(words, FUTEX_CMP_REQUEUE, 1, (void *)1, words + 1, 4), -EAGAIN);
	check_errno("unknown operation", futex(words, 77, 0, NULL, NULL, 0), -ENOSYS);
}

static void futex_times(void)
{
	uint32_t word = 5;
	struct timespec t = { 0, 30 * MS }, past = { 1, 0 };
	long long from = now_ns(), took;

	check_errno("wait for 30 ms", futex(&word, FUTEX_WAIT, 5, &t, NULL, 0), -ETIMEDOUT);
	took = now_ns() - from;
	check_true("not less", took >= 30 * MS);
	check_true("and not much more", took < 1000 * MS);
	check_errno("wait until the past", futex(&word, FUTEX_WAIT_BITSET, 5, &past, NULL, ~0u), -ETIMEDOUT);
	check_errno("by the clock on the wall",
		    futex(&word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 5, &past, NULL, ~0u), -ETIMEDOUT);
	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_sec += t.tv_nsec >= 970 * MS;
	t.tv_nsec = (t.tv_nsec + 30 * MS) % 1000000000;
	from = now_ns();
	check_errno("wait until then, on the wall",
		    futex(&word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 5, &t, NULL, ~0u), -ETIMEDOUT);
	took = now_ns() - from;
	check_true("about 30 ms", took >= 25 * MS && took < 1000 * MS);
}

struct sleeper {
	uint32_t *word, bits;
	int op;
	long result;
};

static void *sleep_on(void *arg)
{
	struct sleeper *s = arg;

	s->result = futex(s->word, s->op, 0, NULL, NULL, s->bits);
	return NULL;
}

static void futex_wakes(void)
{
	static uint32_t a, b;
	struct sleeper s[4];
	pthread_t t[4];

	for (int i = 0; i < 4; i++) {
		s[i] = (struct sleeper){ &a, 1u << i, FUTEX_WAIT_BITSET_PRIVATE, -1 };
		t[i] = start(sleep_on, &s[i]);
	}
	pause_ms(100);
	check_equal("wake by bits", futex(&a, FUTEX_WAKE_BITSET_PRIVATE, 9, NULL, NULL, 4), 1);
	pthread_join(t[2], NULL);
	check_equal("its wait returns 0", s[2].result, 0);
	check_equal("requeue: one woken and two moved", futex(&a, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)9, &b, 0), 3);
	check_equal("nobody is left", futex(&a, FUTEX_WAKE_PRIVATE, 9, NULL, NULL, 0), 0);
	check_equal("the two are there", futex(&b, FUTEX_WAKE_PRIVATE, 9, NULL, NULL, 0), 2);
	pthread_join(t[0], NULL);
	pthread_join(t[1], NULL);
	pthread_join(t[3], NULL);
}

/* One object mapped twice: the word is the same, its address is not. */
static void futex_shared(void)
{
	int fd = memfd_create("shared", 0);
	struct sleeper s;
	uint32_t *one, *two;
	pthread_t t;

	need("memfd", fd >= 0 && ftruncate(fd, 4096) == 0);
	one = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	two = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	need("two views", one != MAP_FAILED && two != MAP_FAILED && one != two);
	s = (struct sleeper){ one, ~0u, FUTEX_WAIT_BITSET, -1 };
	t = start(sleep_on, &s);
	pause_ms(100);
	check_equal("wake through the other view", futex(two, FUTEX_WAKE, 1, NULL, NULL, 0), 1);
	pthread_join(t, NULL);
	check_equal("a shared wait returns 0", s.result, 0);
	munmap(one, 4096);
	munmap(two, 4096);
	close(fd);
}

/* ---- the C library on top ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn = PTHREAD_COND_INITIALIZER;
static long counter, whose;

static void *count(void *arg)
{
	(void)arg;
	for (int i = 0; i < LAPS; i++) {
		pthread_mutex_lock(&lock);
		counter++;
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

static void *take_turns(void *arg)
{
	long me = (long)arg;

	pthread_mutex_lock(&lock);
	for (int i = 0; i < 100; i++) {
		while (whose != me)
			pthread_cond_wait(&turn, &lock);
		whose = (me + 1) % WORKERS;
		pthread_cond_broadcast(&turn);
	}
	pthread_mutex_unlock(&lock);
	return (void *)(me + 1);
}

static void *lock_and_end(void *arg)
{
	pthread_mutex_lock(arg);
	return NULL;
}

static void library(void)
{
	pthread_t t[WORKERS];
	pthread_mutexattr_t robust;
	pthread_mutex_t m;
	struct timespec until;
	long sum = 0;
	void *value;

	for (long i = 0; i < WORKERS; i++)
		t[i] = start(count, NULL);
	for (long i = 0; i < WORKERS; i++)
		pthread_join(t[i], NULL);
	check_equal("a mutex", counter, WORKERS * LAPS);
	for (long i = 0; i < WORKERS; i++)
		t[i] = start(take_turns, (void *)i);
	for (long i = 0; i < WORKERS; i++) {
		pthread_join(t[i], &value);
		sum += (long)value;
	}
	check_equal("a condition, and results", sum, WORKERS * (WORKERS + 1) / 2);
	clock_gettime(CLOCK_REALTIME, &until);
	pthread_mutex_lock(&lock);
	check_equal("a condition with a time", pthread_cond_timedwait(&turn, &lock, &until), ETIMEDOUT);
	check_equal("a mutex with a time", pthread_mutex_timedlock(&lock, &until), ETIMEDOUT);
	pthread_mutex_unlock(&lock);

	pthread_mutexattr_init(&robust);
	pthread_mutexattr_setrobust(&robust, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&m, &robust);
	pthread_join(start(lock_and_end, &m), NULL);
	check_equal("a mutex whose owner ended", pthread_mutex_lock(&m), EOWNERDEAD);
	check_equal("made usable", pthread_mutex_consistent(&m), 0);
	pthread_mutex_unlock(&m);
}

static void *add_one(void *arg)
{
	__atomic_add_fetch((long *)arg, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static void many(void)
{
	pthread_t t[MANY];
	long ran = 0;

	for (int lap = 0; lap < 3; lap++) {
		for (int i = 0; i < MANY; i++)
			t[i] = start(add_one, &ran);
		for (int i = 0; i < MANY; i++)
			pthread_join(t[i], NULL);
	}
	check_equal("many threads", ran, 3 * MANY);
}

/* ---- signals to a thread ---- */

static volatile sig_atomic_t handled_by, interrupted;
static volatile pid_t waiter;

static void on_signal(int sig)
{
	(void)sig;
	handled_by = (int)syscall(SYS_gettid);
}

static void *wait_for_signal(void *arg)
{
	struct timespec t = { 20, 0 };

	(void)arg;
	waiter = (pid_t)syscall(SYS_gettid);
	interrupted = nanosleep(&t, &t) == -1 && errno == EINTR && t.tv_sec < 20;
	return NULL;
}

static void signals(void)
{
	struct sigaction sa = { .sa_handler = on_signal };
	pthread_t t;
	pid_t pid = getpid();

	sigaction(SIGUSR1, &sa, NULL);
	t = start(wait_for_signal, NULL);
	pause_ms(100);
	check_errno("tgkill", syscall(SYS_tgkill, pid, waiter, SIGUSR1), 0);
	pthread_join(t, NULL);
	check_equal("it runs the handler", handled_by, waiter);
	check_equal("its sleep is interrupted", interrupted, 1);
	/* Joined is before gone: for a moment the number is still somebody's. */
	for (unsigned i = 0; i < 100 && !syscall(SYS_tgkill, pid, waiter, 0); i++)
		pause_ms(10);
	check_errno("tgkill of a thread that ended", syscall(SYS_tgkill, pid, waiter, 0), -ESRCH);
	check_errno("tgkill, another process", syscall(SYS_tgkill, pid + 1000, pid, 0), -ESRCH);
	check_errno("tgkill of nobody", syscall(SYS_tgkill, pid, 0, 0), -EINVAL);
	check_errno("tgkill, no such signal", syscall(SYS_tgkill, pid, pid, 65), -EINVAL);
	check_errno("tgkill, signal 0", syscall(SYS_tgkill, pid, syscall(SYS_gettid), 0), 0);
	check_errno("tkill of nobody", syscall(SYS_tkill, -1, 0), -EINVAL);
}

/* ---- CPUs ---- */

static void cpus(void)
{
	cpu_set_t all, one;
	unsigned long small = 0;
	bool stays = true;

	check_errno("affinity", sched_getaffinity(0, sizeof(all), &all), 0);
	check_true("some CPU", CPU_COUNT(&all) >= 1 && CPU_ISSET(0, &all));
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &all))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		stays = stays && !sched_setaffinity(0, sizeof(one), &one);
		for (int i = 0; i < 20; i++) {
			stays = stays && sched_getcpu() == cpu;
			sched_yield();
		}
	}
	check_true("a thread stays where it was put", stays);
	CPU_ZERO(&one);
	check_errno("no CPU at all", sched_setaffinity(0, sizeof(one), &one), -EINVAL);
	CPU_SET(900, &one);
	check_errno("a CPU that is not there", sched_setaffinity(0, sizeof(one), &one), -EINVAL);
	check_errno("affinity of no thread", sched_setaffinity(4000000, sizeof(all), &all), -ESRCH);
	check_errno("too small a mask", syscall(SYS_sched_getaffinity, 0, 4, &small), -EINVAL);
	check_errno("every CPU", sched_setaffinity(0, sizeof(all), &all), 0);
}

static long prio_now(void)
{
	int now = -1;

	syscall(SYS_sched_getparam, 0, &now); /* musl has only stubs of these calls */
	return now;
}

static void policies(void)
{
	int none = 0, five = 5, seven = 7, beyond = 100;

	check_equal("the policy at first", syscall(SYS_sched_getscheduler, 0), SCHED_OTHER);
	check_errno("which has one priority", syscall(SYS_sched_setparam, 0, &five), -EINVAL);
	check_errno("SCHED_FIFO", syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &five), 0);
	check_equal("is the policy", syscall(SYS_sched_getscheduler, 0), SCHED_FIFO);
	check_equal("its priority", prio_now(), 5);
	check_errno("another one", syscall(SYS_sched_setparam, 0, &seven), 0);
	check_equal("is taken", prio_now(), 7);
	check_errno("one beyond", syscall(SYS_sched_setparam, 0, &beyond), -EINVAL);
	check_errno("none", syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &none), -EINVAL);
	check_errno("policy -1", syscall(SYS_sched_setscheduler, 0, -1, &none), -EINVAL);
	check_errno("an unknown policy", syscall(SYS_sched_setscheduler, 0, 77, &none), -EINVAL);
	check_errno("back", syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &none), 0);
	check_errno("of no thread", syscall(SYS_sched_getscheduler, 4000000), -ESRCH);
	check_equal("the highest", syscall(SYS_sched_get_priority_max, SCHED_FIFO), 99);
	check_equal("the lowest", syscall(SYS_sched_get_priority_min, SCHED_FIFO), 1);
	check_equal("SCHED_OTHER's", syscall(SYS_sched_get_priority_max, SCHED_OTHER), 0);
	check_errno("an unknown one's", syscall(SYS_sched_get_priority_min, 77), -EINVAL);
	check_equal("nice, as 20 - n", syscall(SYS_getpriority, 0, 0), 20);
}

/* ---- the end of a program with threads ---- */

static void *block(void *arg)
{
	uint32_t word = 0;
	int ends[2];
	char byte;

	if (arg)
		return pipe(ends) ? NULL : (void *)read(ends[0], &byte, 1);
	futex(&word, FUTEX_WAIT, 0, NULL, NULL, 0);
	return NULL;
}

static void *leave(void *arg)
{
	pause_ms(50);
	exit((int)(long)arg);
}

static void *fail(void *arg)
{
	(void)arg;
	abort();
}

static int child_main(const char *how)
{
	for (long i = 0; i < 4; i++)
		start(block, (void *)(i & 1));
	if (*how == 'e')
		start(leave, (void *)41);
	if (*how == 'f')
		start(fail, NULL);
	if (*how == 'l') { /* the first thread ends, the program does not */
		start(leave, (void *)42);
		pthread_exit(NULL);
	}
	pause_ms(20000);
	return 1;
}

int main(int argc, char **argv)
{
	pid_t pid;

	if (argc > 2)
		return child_main(argv[2]);
	futex_errors();
	futex_times();
	futex_wakes();
	futex_shared();
	library();
	many();
	signals();
	cpus();
	policies();
	check_equal("exit in a thread ends the program", child_run("end", "exit"), 41);
	check_equal("a fatal signal does", child_run("end", "fatal"), 128 + SIGABRT);
	check_equal("the end of the first thread does not", child_run("end", "leader"), 42);
	pid = child_start("end", "killed");
	pause_ms(200);
	kill(pid, SIGKILL);
	check_equal("killed while its threads wait", child_wait(pid), 128 + SIGKILL);
	return check_result();
}
