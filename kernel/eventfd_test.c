/* SPDX-License-Identifier: GPL-2.0-only */
/* eventfd's numbers (eventfd(2)), the kernel's own signals, hooks, and poll and epoll on top. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include <linux/fcntl.h>

#include "kernel/objects.h"
#include "kernel/poll.h"
#include "kernel/program.h"
#include "tests/host/host.h"

static uaddr_t word;
static struct file *f;
static struct eventfd *e;

static int setup(void **state)
{
	struct process *p;

	(void)state;
	host_init();
	if (!process_current()) {
		p = process_create(NULL);
		p->fds = fd_table_create();
		thread_self()->process = p;
	}
	word = host_user_alloc(4096);
	f = eventfd_create(0, false, O_NONBLOCK);
	file_get(f);
	assert_int_equal(fd_install(f, false), 0);
	assert_int_equal(eventfd_from_fd(0, &e), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	eventfd_put(e);
	assert_int_equal(fd_close(0), 0);
	file_put(f);
	host_user_reset();
	return 0;
}

static s64 put(u64 v)
{
	u64 pos = 0;

	assert_int_equal(copy_to_user(word, &v, sizeof(v)), 0);
	return f->ops->write(f, word, sizeof(v), &pos);
}

static s64 get(u64 *v)
{
	u64 pos = 0;
	s64 n = f->ops->read(f, word, sizeof(*v), &pos);

	assert_int_equal(copy_from_user(v, word, sizeof(*v)), 0);
	return n;
}

static void test_counter(void **state)
{
	u64 v, pos = 0;

	(void)state;
	assert_int_equal(get(&v), -EAGAIN);
	assert_int_equal(file_poll(f, NULL), POLLOUT);
	assert_int_equal(put(3), 8);
	assert_int_equal(put(4), 8);
	assert_int_equal(file_poll(f, NULL), POLLIN | POLLOUT);
	assert_int_equal(get(&v), 8);
	assert_int_equal(v, 7);
	assert_int_equal(put(~0ull), -EINVAL);
	assert_int_equal(f->ops->write(f, word, 7, &pos), -EINVAL);
	assert_int_equal(f->ops->read(f, word, 7, &pos), -EINVAL);
	assert_int_equal(put(~0ull - 1), 8);
	assert_int_equal(file_poll(f, NULL), POLLIN);
	assert_int_equal(put(1), -EAGAIN);
	eventfd_signal(e);
	eventfd_signal(e);
	assert_int_equal(file_poll(f, NULL), POLLIN | POLLERR);
	assert_int_equal(get(&v), 8);
	assert_int_equal(v, ~0ull);
	assert_int_equal(eventfd_consume(e), 0);
}

static void test_semaphore(void **state)
{
	struct file *s = eventfd_create(2, true, O_NONBLOCK);
	u64 pos = 0, v;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(s->ops->read(s, word, 8, &pos), 8);
		assert_int_equal(copy_from_user(&v, word, 8), 0);
		assert_int_equal(v, 1);
	}
	assert_int_equal(s->ops->read(s, word, 8, &pos), -EAGAIN);
	file_put(s);
}

struct counted {
	struct eventfd_hook h;
	unsigned calls;
	u64 taken;
};

static void hook_fn(struct eventfd_hook *h)
{
	struct counted *c = container_of(h, struct counted, h);

	assert_false(host_irqs_on);
	c->calls++;
	c->taken += eventfd_consume_locked(e);
}

/* A hook sees signals and writes, not reads; what it takes nobody reads. */
static void test_hook(void **state)
{
	struct counted c = { .h = { .fn = hook_fn } };
	u64 v;

	(void)state;
	eventfd_hook(e, &c.h);
	eventfd_signal(e);
	assert_int_equal(put(5), 8);
	assert_int_equal(get(&v), -EAGAIN);
	assert_int_equal(c.calls, 2);
	assert_int_equal(c.taken, 6);
	eventfd_unhook(e, &c.h);
	eventfd_signal(e);
	assert_int_equal(c.calls, 2);
	assert_int_equal(get(&v), 8);
	assert_int_equal(v, 1);
}

static void test_from_fd(void **state)
{
	struct file *r, *w;
	struct eventfd *x;

	(void)state;
	assert_int_equal(eventfd_from_fd(9, &x), -EBADF);
	assert_int_equal(pipe_create(0, &r, &w), 0);
	assert_int_equal(fd_install(r, false), 1);
	assert_int_equal(eventfd_from_fd(1, &x), -EINVAL);
	assert_int_equal(fd_close(1), 0);
	file_put(w);
}

static void test_epoll(void **state)
{
	struct file *ep = epoll_create();
	struct epoll_ready ready[2];
	u64 v;

	(void)state;
	assert_int_equal(epoll_control(ep, EPOLL_CTL_MOD, 0, f, EPOLLIN, 1), -ENOENT);
	assert_int_equal(epoll_control(ep, EPOLL_CTL_ADD, 0, f, EPOLLIN, 1), 0);
	assert_int_equal(epoll_control(ep, EPOLL_CTL_ADD, 0, f, EPOLLIN, 1), -EEXIST);
	assert_int_equal(epoll_control(ep, EPOLL_CTL_ADD, 0, ep, EPOLLIN, 1), -EINVAL);
	assert_int_equal(epoll_wait_events(ep, word, 2, arch_now_ns()), 0);
	eventfd_signal(e);
	for (unsigned i = 0; i < 2; i++) { /* level: again and again */
		assert_int_equal(epoll_wait_events(ep, word, 2, 0), 1);
		assert_int_equal(copy_from_user(ready, word, sizeof(ready[0])), 0);
		assert_int_equal(ready[0].events, EPOLLIN);
		assert_int_equal(ready[0].data, 1);
	}
	assert_int_equal(get(&v), 8);
	assert_int_equal(epoll_wait_events(ep, word, 2, arch_now_ns()), 0);
	assert_int_equal(epoll_control(ep, EPOLL_CTL_MOD, 0, f, EPOLLIN | EPOLLET, 2), 0);
	eventfd_signal(e);
	assert_int_equal(epoll_wait_events(ep, word, 2, 0), 1);
	assert_int_equal(epoll_wait_events(ep, word, 2, arch_now_ns()), 0);
	eventfd_signal(e);
	assert_int_equal(epoll_wait_events(ep, word, 2, 0), 1);
	assert_int_equal(epoll_control(ep, EPOLL_CTL_MOD, 0, f, EPOLLIN | EPOLLONESHOT, 3), 0);
	assert_int_equal(epoll_wait_events(ep, word, 2, 0), 1);
	eventfd_signal(e);
	assert_int_equal(epoll_wait_events(ep, word, 2, arch_now_ns()), 0);
	file_put(ep);
	assert_null(f->watchers);
}

/* A watched file that goes takes its item along. */
static void test_epoll_file_released(void **state)
{
	struct file *ep = epoll_create(), *other = eventfd_create(1, false, 0);

	(void)state;
	assert_int_equal(epoll_control(ep, EPOLL_CTL_ADD, 5, other, EPOLLIN, 1), 0);
	file_put(other);
	assert_int_equal(epoll_wait_events(ep, word, 2, arch_now_ns()), 0);
	file_put(ep);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_counter, setup, teardown),
		cmocka_unit_test_setup_teardown(test_semaphore, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hook, setup, teardown),
		cmocka_unit_test_setup_teardown(test_from_fd, setup, teardown),
		cmocka_unit_test_setup_teardown(test_epoll, setup, teardown),
		cmocka_unit_test_setup_teardown(test_epoll_file_released, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
