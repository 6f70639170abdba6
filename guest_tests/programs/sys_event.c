/* SPDX-License-Identifier: BSD-2-Clause */
/* What one waits for: eventfd, pipes, timerfd, poll and epoll, sleeping; and what interrupts a wait. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "lib/check.h"

#define MS 1000000ll
#define MOST (~0ull - 1)
#define LATE (1000 * MS) /* on a busy, emulated machine */

static long long now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static struct timespec time_of(long long ns)
{
	return (struct timespec){ ns / 1000000000, ns % 1000000000 };
}

static bool took(long long from, long long ns)
{
	long long t = now_ns(CLOCK_MONOTONIC) - from;

	if (t < ns || t > ns + LATE)
		printf("  took %lld us instead of %lld us\n", t / 1000, ns / 1000);
	return t >= ns && t <= ns + LATE;
}

static int ready(int fd, int events, int ms)
{
	struct pollfd p = { fd, (short)events, 0 };

	return poll(&p, 1, ms) < 0 ? -1 : p.revents;
}

/* ---- something happens in a while ---- */

struct later {
	int fd, signal;
	pthread_t target, self;
	uint64_t value;
	size_t size;
};

static void *do_later(void *arg)
{
	struct later *l = arg;
	struct timespec t = time_of(50 * MS);
	uint64_t sink;

	nanosleep(&t, NULL);
	if (l->signal)
		pthread_kill(l->target, l->signal);
	else if (l->size)
		return (void *)write(l->fd, &l->value, l->size);
	else
		return (void *)read(l->fd, &sink, sizeof(sink));
	return NULL;
}

static void later(struct later *l)
{
	l->target = pthread_self();
	errno = pthread_create(&l->self, NULL, do_later, l);
	need("pthread_create", errno == 0);
}

static void on_signal(int sig)
{
	(void)sig;
}

/* ---- eventfd ---- */

static void eventfd_counter(void)
{
	int e = eventfd(3, EFD_NONBLOCK), s = eventfd(2, EFD_NONBLOCK | EFD_SEMAPHORE);
	uint64_t v = 0, most = MOST, all = ~0ull, one = 1;

	check_errno("eventfd2, unknown flag", syscall(SYS_eventfd2, 0, 2), -EINVAL);
	check_errno("read of 7 bytes", read(e, &v, 7), -EINVAL);
	check_equal("read of 16 bytes", read(e, (uint64_t[2]){ 0 }, 16), 8);
	check_errno("read of nothing", read(e, &v, 8), -EAGAIN);
	check_equal("poll of nothing", ready(e, POLLIN | POLLOUT, 0), POLLOUT);
	check_errno("write of 7 bytes", write(e, &one, 7), -EINVAL);
	check_errno("write of 2^64-1", write(e, &all, 8), -EINVAL);
	check_equal("write of 2^64-2", write(e, &most, 8), 8);
	check_equal("poll of a full one", ready(e, POLLIN | POLLOUT, 0), POLLIN);
	check_errno("write to a full one", write(e, &one, 8), -EAGAIN);
	v = 0;
	check_equal("write of 0", write(e, &v, 8), 8);
	check_true("read takes all", read(e, &v, 8) == 8 && v == MOST);
	check_equal("a semaphore", read(s, &v, 8) == 8 ? (long long)v : -1, 1);
	check_equal("and again", read(s, &v, 8) == 8 ? (long long)v : -1, 1);
	check_errno("and no more", read(s, &v, 8), -EAGAIN);
	check_errno("pread", pread(e, &v, 8, 0), -ESPIPE);
	close(e);
	close(s);
}

static void eventfd_blocks(void)
{
	int e = eventfd(0, 0);
	struct later give = { .fd = e, .value = 9, .size = 8 }, take = { .fd = e };
	uint64_t v = 0, most = MOST, one = 1;

	later(&give);
	check_true("a read waits for a write", read(e, &v, 8) == 8 && v == 9);
	pthread_join(give.self, NULL);
	need("write", write(e, &most, 8) == 8);
	later(&take);
	check_equal("a write waits for a read", write(e, &one, 8), 8);
	pthread_join(take.self, NULL);
	check_true("what it wrote", read(e, &v, 8) == 8 && v == 1);
	later(&give);
	check_equal("poll waits for a write", ready(e, POLLIN, 10000), POLLIN);
	pthread_join(give.self, NULL);
	close(e);
}

/* ---- pipes ---- */

static void pipes(void)
{
	static char block[65536];
	struct later give = { .value = 'x', .size = 1 };
	int p[2];
	char byte;

	need("pipe", pipe2(p, O_NONBLOCK) == 0);
	check_errno("pipe2, unknown flag", pipe2((int[2]){ 0 }, 1), -EINVAL);
	check_errno("read of an empty pipe", read(p[0], &byte, 1), -EAGAIN);
	check_errno("read from the wrong end", read(p[1], &byte, 1), -EBADF);
	check_errno("write to the wrong end", write(p[0], &byte, 1), -EBADF);
	check_equal("poll of an empty pipe", ready(p[0], POLLIN, 0) << 8 | ready(p[1], POLLOUT, 0), POLLOUT);
	check_equal("a pipe holds 64 KiB", write(p[1], block, sizeof(block)), sizeof(block));
	check_errno("and no more", write(p[1], block, 1), -EAGAIN);
	check_equal("poll of a full pipe", ready(p[0], POLLIN, 0) << 8 | ready(p[1], POLLOUT, 0), POLLIN << 8);
	check_equal("read of half", read(p[0], block, 32768), 32768);
	check_equal("a part is written", write(p[1], block, sizeof(block)), 32768);
	check_equal("read of all", read(p[0], block, sizeof(block)), sizeof(block));
	fcntl(p[0], F_SETFL, 0);
	give.fd = p[1];
	later(&give);
	check_true("a read waits", read(p[0], &byte, 1) == 1 && byte == 'x');
	pthread_join(give.self, NULL);
	need("write", write(p[1], "end", 3) == 3);
	close(p[1]);
	check_equal("poll after the writer", ready(p[0], POLLIN, 0), POLLIN | POLLHUP);
	check_equal("the rest", read(p[0], block, 10), 3);
	check_equal("the end", read(p[0], block, 10), 0);
	check_equal("poll of the end", ready(p[0], POLLIN, 0), POLLHUP);
	close(p[0]);
	need("pipe", pipe(p) == 0);
	close(p[0]);
	check_errno("write without a reader", write(p[1], "x", 1), -EPIPE);
	check_equal("poll without a reader", ready(p[1], POLLOUT, 0), POLLOUT | POLLERR);
	close(p[1]);
}

/* ---- timerfd ---- */

static void set_timer(int fd, int flags, long long first, long long every)
{
	struct itimerspec s = { time_of(every), time_of(first) };

	need("timerfd_settime", timerfd_settime(fd, flags, &s, NULL) == 0);
}

static void timers(void)
{
	int t = timerfd_create(CLOCK_MONOTONIC, 0), wall = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);
	struct itimerspec s = { { 0, 0 }, { 0, 1000000000 } };
	long long from = now_ns(CLOCK_MONOTONIC);
	struct timespec nap = time_of(55 * MS);
	uint64_t n = 0;

	need("timerfd", t >= 0 && wall >= 0);
	check_errno("no such clock", timerfd_create(77, 0), -EINVAL);
	check_errno("unknown flag", timerfd_create(CLOCK_MONOTONIC, 1), -EINVAL);
	check_errno("not a time", timerfd_settime(t, 0, &s, NULL), -EINVAL);
	check_errno("not a timer", timerfd_settime(0, 0, &(struct itimerspec){ 0 }, NULL), -EINVAL);
	check_errno("settime, unknown flag", timerfd_settime(t, 4, &(struct itimerspec){ 0 }, NULL), -EINVAL);
	check_errno("no descriptor", timerfd_gettime(99, &s), -EBADF);
	check_errno("read of 7 bytes", read(t, &n, 7), -EINVAL);
	check_errno("read of a timer that is off", read(wall, &n, 8), -EAGAIN);
	check_errno("write to a timer", write(t, &n, 8), -EINVAL);
	set_timer(t, 0, 30 * MS, 0);
	check_true("one expiry", read(t, &n, 8) == 8 && n == 1 && took(from, 30 * MS));
	check_true("then it is off", timerfd_gettime(t, &s) == 0 && !s.it_value.tv_sec && !s.it_value.tv_nsec);
	from = now_ns(CLOCK_MONOTONIC);
	set_timer(t, 0, 10 * MS, 10 * MS);
	nanosleep(&nap, NULL);
	check_true("expiries are counted", read(t, &n, 8) == 8 && n >= 5 &&
		   (long long)n <= (now_ns(CLOCK_MONOTONIC) - from) / (10 * MS));
	check_true("the interval is told", timerfd_gettime(t, &s) == 0 && s.it_interval.tv_nsec == 10 * MS &&
		   s.it_value.tv_nsec > 0 && s.it_value.tv_nsec <= 10 * MS);
	set_timer(t, TFD_TIMER_ABSTIME, 1, 0);
	check_true("a time in the past", read(t, &n, 8) == 8 && n == 1);
	from = now_ns(CLOCK_MONOTONIC);
	set_timer(wall, TFD_TIMER_ABSTIME, now_ns(CLOCK_REALTIME) + 30 * MS, 0);
	check_true("a time on the wall", ready(wall, POLLIN, 5000) == POLLIN && took(from, 29 * MS));
	set_timer(t, 0, 30 * MS, 0);
	set_timer(t, 0, 0, 0);
	check_equal("a timer that is switched off", ready(t, POLLIN, 60), 0);
	close(t);
	close(wall);
}

/* ---- poll and epoll ---- */

static void polls(void)
{
	struct pollfd p[3] = { { eventfd(1, 0), POLLIN, 0 }, { -1, POLLIN, 7 }, { 99, POLLIN, 0 } };
	struct timespec t = time_of(30 * MS), bad = { 0, -1 };
	long long from;

	check_equal("poll", poll(p, 3, 0), 2);
	check_equal("what is ready, skipped, not open", p[0].revents << 16 | p[1].revents << 8 | p[2].revents,
		    POLLIN << 16 | POLLNVAL);
	check_errno("more than can be open", poll(p, 1u << 30, 0), -EINVAL);
	from = now_ns(CLOCK_MONOTONIC);
	check_true("a time-out in ms", poll(NULL, 0, 30) == 0 && took(from, 30 * MS));
	from = now_ns(CLOCK_MONOTONIC);
	check_true("a time-out in ns", ppoll(NULL, 0, &t, NULL) == 0 && took(from, 30 * MS));
	check_errno("not a time", syscall(SYS_ppoll, NULL, 0, &bad, NULL, 8), -EINVAL);
	check_errno("a mask of 4 bytes", syscall(SYS_ppoll, NULL, 0, &t, &bad, 4), -EINVAL);
	close(p[0].fd);
}

static void epoll_errors(int ep, int e)
{
	struct epoll_event ev = { EPOLLIN, { .u64 = 1 } };
	int file = open("/proc/self/exe", O_RDONLY);

	check_errno("epoll_create of 0", syscall(SYS_epoll_create, 0), -EINVAL);
	check_errno("epoll_create1, unknown flag", epoll_create1(1), -EINVAL);
	check_errno("a file", epoll_ctl(ep, EPOLL_CTL_ADD, file, &ev), -EPERM);
	check_errno("itself", epoll_ctl(ep, EPOLL_CTL_ADD, ep, &ev), -EINVAL);
	check_errno("no descriptor", epoll_ctl(ep, EPOLL_CTL_ADD, 99, &ev), -EBADF);
	check_errno("not an epoll", epoll_ctl(e, EPOLL_CTL_ADD, ep, &ev), -EINVAL);
	check_errno("change of what is not there", epoll_ctl(ep, EPOLL_CTL_MOD, e, &ev), -ENOENT);
	check_errno("removal of what is not there", epoll_ctl(ep, EPOLL_CTL_DEL, e, NULL), -ENOENT);
	check_errno("unknown operation", epoll_ctl(ep, 9, e, &ev), -EINVAL);
	check_errno("wait for 0 events", epoll_wait(ep, &ev, 0, 0), -EINVAL);
	check_errno("wait on no epoll", epoll_wait(e, &ev, 1, 0), -EINVAL);
	check_errno("add", epoll_ctl(ep, EPOLL_CTL_ADD, e, &ev), 0);
	check_errno("add twice", epoll_ctl(ep, EPOLL_CTL_ADD, e, &ev), -EEXIST);
	close(file);
}

static void epolls(void)
{
	int ep = epoll_create1(EPOLL_CLOEXEC), e = eventfd(0, 0);
	struct epoll_event ev[2], edge = { EPOLLIN | EPOLLET, { .u64 = 2 } },
		once = { EPOLLIN | EPOLLONESHOT, { .u64 = 3 } }, in = { EPOLLIN, { .u64 = 4 } };
	struct later give = { .fd = e, .value = 1, .size = 8 };
	uint64_t one = 1;

	epoll_errors(ep, e);
	check_equal("nothing", epoll_wait(ep, ev, 2, 0), 0);
	later(&give);
	check_equal("waits", epoll_wait(ep, ev, 2, 10000), 1);
	pthread_join(give.self, NULL);
	check_equal("events and data", ev[0].events << 8 | ev[0].data.u64, EPOLLIN << 8 | 1);
	check_equal("a level stays", epoll_wait(ep, ev, 2, 0), 1);
	check_errno("edges", epoll_ctl(ep, EPOLL_CTL_MOD, e, &edge), 0);
	check_equal("an edge", epoll_wait(ep, ev, 2, 0), 1);
	check_equal("is told once", epoll_wait(ep, ev, 2, 0), 0);
	need("write", write(e, &one, 8) == 8);
	check_equal("and at the next write", epoll_wait(ep, ev, 2, 0), 1);
	check_errno("one shot", epoll_ctl(ep, EPOLL_CTL_MOD, e, &once), 0);
	check_equal("is told", epoll_wait(ep, ev, 2, 0), 1);
	need("write", write(e, &one, 8) == 8);
	check_equal("and then not", epoll_wait(ep, ev, 2, 0), 0);
	check_errno("until it is set again", epoll_ctl(ep, EPOLL_CTL_MOD, e, &once), 0);
	check_equal("then it is", epoll_wait(ep, ev, 2, 0), 1);
	epoll_ctl(ep, EPOLL_CTL_MOD, e, &in);
	close(e);
	check_equal("what is closed is gone", epoll_wait(ep, ev, 2, 0), 0);
	close(ep);
}

/* ---- sleeping and being interrupted ---- */

static void sleeping(void)
{
	static const long long naps[] = { 1000, 1 * MS, 10 * MS, 100 * MS };
	struct timespec bad = { 0, 1000000000 }, rest = { 0 }, t;
	struct later hit = { .signal = SIGUSR1 };
	int p[2], e = eventfd(0, 0), ep = epoll_create1(0);
	struct epoll_event ev;
	long long from;
	char byte;

	need("pipe", pipe(p) == 0);
	for (int i = 0; i < 4; i++) {
		t = time_of(naps[i]);
		from = now_ns(CLOCK_MONOTONIC);
		check_true("nanosleep", nanosleep(&t, NULL) == 0 && took(from, naps[i]));
	}
	from = now_ns(CLOCK_MONOTONIC);
	t = time_of(from + 20 * MS);
	check_true("sleep until", !clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) && took(from, 20 * MS));
	check_errno("not a time", nanosleep(&bad, NULL), -EINVAL);
	check_equal("no such clock", clock_nanosleep(77, 0, &t, NULL), EINVAL);
	later(&hit);
	t = time_of(10000 * MS);
	check_errno("nanosleep, interrupted", nanosleep(&t, &rest), -EINTR);
	check_true("what was left", rest.tv_sec == 9 && rest.tv_nsec > 0);
	pthread_join(hit.self, NULL);
	later(&hit);
	check_errno("read of a pipe, interrupted", read(p[0], &byte, 1), -EINTR);
	pthread_join(hit.self, NULL);
	later(&hit);
	check_errno("read of an eventfd, interrupted", read(e, &(uint64_t){ 0 }, 8), -EINTR);
	pthread_join(hit.self, NULL);
	later(&hit);
	check_errno("poll, interrupted", ready(e, POLLIN, 10000), -EINTR);
	pthread_join(hit.self, NULL);
	later(&hit);
	check_errno("epoll, interrupted", epoll_wait(ep, &ev, 1, 10000), -EINTR);
	pthread_join(hit.self, NULL);
	close(p[0]);
	close(p[1]);
	close(e);
	close(ep);
}

static void restarting(void)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	struct later hit = { .signal = SIGUSR2 };
	int e = eventfd(0, 0);
	struct later give = { .fd = e, .value = 5, .size = 8 };
	uint64_t v = 0;

	sigaction(SIGUSR2, &sa, NULL);
	later(&hit);
	later(&give);
	check_true("read with SA_RESTART", read(e, &v, 8) == 8 && v == 5);
	pthread_join(hit.self, NULL);
	pthread_join(give.self, NULL);
	later(&hit);
	check_errno("poll with SA_RESTART", ready(e, POLLIN, 10000), -EINTR);
	pthread_join(hit.self, NULL);
	close(e);
}

int main(void)
{
	struct sigaction sa = { .sa_handler = on_signal };

	sigaction(SIGUSR1, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
	eventfd_counter();
	eventfd_blocks();
	pipes();
	timers();
	polls();
	epolls();
	sleeping();
	restarting();
	return check_result();
}
