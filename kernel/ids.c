/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Numbers of programs and threads: one sequence for both, as on Linux, that begins anew when it has
 * reached the end. A number is not given out while a program (a zombie too) or a thread has it.
 *
 * Who has one is looked up for ID_WINDOW numbers at a time, when the sequence gets there: later only
 * the sequence itself gives out numbers of the window. So a number costs a bit test, and a search
 * through everybody is made once in ID_WINDOW numbers.
 */
#include "kernel/program.h"

#define ID_WINDOW 4096u
_Static_assert(ID_LIMIT % ID_WINDOW == 0, "the last window is a whole one");

static struct {
	unsigned base, next; /* next: in the window, or its end */
	u64 taken[ID_WINDOW / 64];
} ids;

static void mark(unsigned id)
{
	unsigned i = id - ids.base;

	if (i < ID_WINDOW)
		ids.taken[i / 64] |= BIT(i % 64);
}

static void window_load(unsigned base)
{
	const struct process *p;
	const struct thread *t;

	ids.base = ids.next = base;
	memset(ids.taken, 0, sizeof(ids.taken));
	mark(0);
	TAILQ_FOREACH(p, &process_list, all_link)
		mark((unsigned)p->pid);
	TAILQ_FOREACH(t, &thread_list, all_link)
		mark((unsigned)t->tid);
}

int id_take(void)
{
	for (unsigned windows = 0; windows <= ID_LIMIT / ID_WINDOW + 1; windows++) {
		for (; ids.next < ids.base + ID_WINDOW; ids.next++) {
			unsigned i = ids.next - ids.base;

			if (ids.next && !(ids.taken[i / 64] & BIT(i % 64)))
				return (int)ids.next++;
		}
		window_load((ids.base + ID_WINDOW) % ID_LIMIT);
	}
	return 0;
}
