/* SPDX-License-Identifier: GPL-2.0-only */
/* Three times round all numbers: each in its turn, none that is in use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kernel/program.h"

static u8 used[ID_LIMIT];

static void add_process(int pid)
{
	struct process *p = calloc(1, sizeof(*p));

	p->pid = pid;
	TAILQ_INSERT_TAIL(&process_list, p, all_link);
	used[pid] = 1;
}

static void add_thread(int tid)
{
	struct thread *t = calloc(1, sizeof(*t));

	t->tid = tid;
	TAILQ_INSERT_TAIL(&thread_list, t, all_link);
	used[tid] = 1;
}

static void test_wrap(void **state)
{
	int expected = 1;

	(void)state;
	used[0] = 1;
	assert_int_equal(id_take(), 1);
	for (unsigned round = 0; round < 3; round++) {
		/* From below the window that is in use now: nobody has taken those since it was looked at. */
		while (++expected < ID_LIMIT)
			if (!used[expected])
				assert_int_equal(id_take(), expected);
		if (!round) {
			add_process(1);
			add_process(64);
			add_thread(ID_LIMIT - 1);
			for (int i = 4000; i < 9000; i++)
				add_thread(i);
			for (int i = 20000; i < 20100; i += 2)
				add_process(i);
		}
		expected = 0;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wrap),
	};

	return cmocka_run_group_tests_name("ids", tests, NULL, NULL);
}
