/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The scheduler itself, its threads being coroutines on one CPU: sleeping and waking, mutexes,
 * time-outs, priorities.  Each test runs in a child process that ends by "power off", whose code is
 * the number of the line that failed, or 0.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kernel/sched.h"
#include "tests/host/host.h"

#define CHECK(cond)                                     \
	do {                                            \
		if (!(cond))                            \
			arch_poweroff(__LINE__ & 0x7f); \
	} while (0)

static unsigned counter, done;
static struct waitq wq = WAITQ_INIT(wq);
static struct waitq finished = WAITQ_INIT(finished);
static struct mutex lock = MUTEX_INIT(lock);
static char order[16];

static void run(void *arg)
{
	static const struct arch_upcalls upcalls = { .timer = sched_timer };

	arch_set_upcalls(&upcalls);
	sched_start((void (*)(void *))arg, NULL);
}

static void in_child(void (*fn)(void *))
{
	host_init();
	assert_int_equal(host_poweroff_code(run, (void *)fn), 0);
}

static void spawn(void (*fn)(void *), void *arg, int prio)
{
	struct thread *t = thread_create("t");

	CHECK(t);
	t->arg = arg;
	t->prio = prio;
	thread_start(t, fn);
}

static void finish_one(void)
{
	done++;
	waitq_wake_all(&finished);
}

static void await(unsigned n)
{
	CHECK(!wait_event(&finished, done >= n, WAIT_FOREVER));
}

/* ---- mutex ---- */

static void adder(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < 50; i++) {
		unsigned seen;

		mutex_lock(&lock);
		CHECK(mutex_held(&lock));
		seen = counter;
		thread_yield();
		if (i % 7 == 0)
			thread_sleep_until(arch_now_ns() + 1000);
		counter = seen + 1;
		mutex_unlock(&lock);
	}
	finish_one();
}

static void mutex_main(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < 8; i++)
		spawn(adder, NULL, 0);
	await(8);
	CHECK(counter == 400);
	CHECK(mutex_trylock(&lock) && !mutex_trylock(&lock));
	arch_poweroff(0);
}

static void test_mutex(void **state)
{
	(void)state;
	in_child(mutex_main);
}

/* ---- wait queues ---- */

static void taker(void *arg)
{
	(void)arg;
	CHECK(!wait_event(&wq, counter > 0, WAIT_FOREVER));
	counter--;
	finish_one();
}

static void wake_main(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < 4; i++)
		spawn(taker, NULL, 0);
	thread_yield();
	waitq_wake_all(&wq); /* woken for nothing: they sleep again */
	thread_yield();
	CHECK(done == 0);
	for (unsigned i = 1; i <= 4; i++) {
		counter++;
		waitq_wake(&wq, 1);
		await(i);
		CHECK(done == i && counter == 0);
	}
	arch_poweroff(0);
}

static void test_wake(void **state)
{
	(void)state;
	in_child(wake_main);
}

/* The condition comes true between the look at it and the sleep: the wake-up is not lost. */
static bool false_then_woken(void)
{
	static unsigned looks;

	if (looks++)
		return true;
	waitq_wake_all(&wq);
	return false;
}

static void race_main(void *arg)
{
	(void)arg;
	CHECK(!wait_event(&wq, false_then_woken(), WAIT_FOREVER));
	arch_poweroff(0);
}

static void test_wake_before_sleep(void **state)
{
	(void)state;
	in_child(race_main);
}

/* ---- time ---- */

static void fire(struct ktimer *t)
{
	(void)t;
	counter++;
}

static void time_main(void *arg)
{
	struct ktimer early = { .fn = fire }, late = { .fn = fire };
	u64 start = arch_now_ns();

	(void)arg;
	ktimer_arm(&late, start + 30 * NS_PER_MS);
	ktimer_arm(&early, start + 10 * NS_PER_MS);
	CHECK(wait_event(&wq, false, start + 20 * NS_PER_MS) == -ETIMEDOUT);
	CHECK(arch_now_ns() >= start + 20 * NS_PER_MS && arch_now_ns() < start + 21 * NS_PER_MS);
	CHECK(counter == 1 && !early.armed && late.armed);
	ktimer_cancel(&late);
	thread_sleep_until(start + 40 * NS_PER_MS);
	CHECK(counter == 1 && arch_now_ns() >= start + 40 * NS_PER_MS);
	CHECK(wait_event(&wq, false, start) == -ETIMEDOUT);
	CHECK(!wait_event(&wq, true, start));
	arch_poweroff(0);
}

static void test_time(void **state)
{
	(void)state;
	in_child(time_main);
}

/* ---- order ---- */

static void note(void *arg)
{
	order[done] = *(char *)arg;
	finish_one();
}

static void order_main(void *arg)
{
	(void)arg;
	thread_set_priority(thread_current(), 50);
	spawn(note, "a", 0);
	spawn(note, "b", 10);
	spawn(note, "c", 20);
	spawn(note, "d", 10);
	spawn(note, "e", 0);
	CHECK(!done);
	spawn(note, "f", 60); /* above us: runs at the next chance */
	resched_point();
	CHECK(done == 1);
	await(6);
	CHECK(!strcmp(order, "fcbdae"));
	arch_poweroff(0);
}

static void test_order(void **state)
{
	(void)state;
	in_child(order_main);
}

/* ---- a thread that its process knows of but that was not started ---- */

static void new_body(void *arg)
{
	(void)arg;
	finish_one();
}

/* A signal may reach it: it must not run before it has a stack to run on. */
static void new_first(void *arg)
{
	struct thread *t = thread_create("t");

	(void)arg;
	CHECK(t);
	thread_wake(t);
	thread_poke(t);
	thread_set_priority(t, 1);
	thread_yield();
	CHECK(t->state == THREAD_NEW);
	thread_start(t, new_body);
	await(1);
	arch_poweroff(0);
}

static void test_wake_before_start(void **state)
{
	(void)state;
	in_child(new_first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mutex),
		cmocka_unit_test(test_wake),
		cmocka_unit_test(test_wake_before_sleep),
		cmocka_unit_test(test_wake_before_start),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
