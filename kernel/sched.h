/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Private to kernel/: what a thread is made of, and what the scheduler offers to the files beside
 * it.  A thread's `state`, `cpu` and run-queue link are guarded by the run-queue lock of the CPU
 * named in `cpu`; the thread itself may set WAITING and RUNNING without it.
 */
#ifndef KERNEL_SCHED_H
#define KERNEL_SCHED_H

#include "kernel/thread.h"

struct mm;
struct node;

enum thread_state {
	THREAD_RUNNING,  /* on a CPU */
	THREAD_WAITING,  /* on a CPU, about to sleep unless woken first */
	THREAD_SLEEPING, /* on no run queue */
	THREAD_READY,    /* on the run queue of `cpu` */
	THREAD_NEW,      /* made and not started: known to its process, so it may be killed, not woken */
	THREAD_DEAD,
};

/* Policies are Linux's numbers. Priority 0 is SCHED_OTHER, 1..99 SCHED_FIFO, -1 the idle thread. */
#define THREAD_OTHER 0
#define THREAD_PRIO_IDLE (-1)
#define THREAD_SLICE_NS (10 * NS_PER_MS)

struct thread_altstack {
	uaddr_t sp;
	u64 size;
	u32 flags;
};

struct thread {
	struct arch_context context;
	struct arch_user user;     /* meaningful when is_user */
	struct process *process;   /* NULL in a kernel thread */
	void *kstack;              /* lowest address */
	paddr_t root;              /* page table of a program, 0: the kernel's own */
	bool is_user;
	bool killed;               /* must leave at the next interruptible wait or return to ring 3 */
	bool yielding;
	bool call_interrupted;     /* its system call has just ended with -EINTR */
	int state;
	int prio;
	unsigned cpu;
	u64 affinity;              /* one bit per CPU */
	u32 refs;
	int tid;
	char name[16];
	TAILQ_ENTRY(thread) run_link;
	TAILQ_ENTRY(thread) process_link; /* process->threads, under its lock */
	TAILQ_ENTRY(thread) all_link;     /* every thread of ring 3, under the registry's lock */
	void (*fn)(void *arg);     /* kernel thread */
	void *arg;
	struct node *node;         /* attribute this thread is inside of (kernel/tree.c) */
	u64 sig_mask, sig_pending; /* bit n-1 for signal n; pending under the process's lock */
	u64 sig_saved;             /* mask to go back to when sig_restore (rt_sigsuspend) */
	bool sig_restore;
	struct thread_altstack altstack;
	uaddr_t clear_child_tid;
	uaddr_t robust_list;
	u64 slice_used_ns;         /* since it last used up a slice: who sleeps early is served first */
	u64 runtime_ns, started_ns; /* CPU time used; when it last came to a CPU */
};

struct cpu {
	struct spinlock lock;
	TAILQ_HEAD(run_queue, thread) ready; /* by priority, then in order of arrival */
	unsigned nready;
	unsigned id;
	bool online;
	bool need_resched;
	struct thread *current, *idle;
	struct thread *dead;  /* the thread that left last, if it ended */
	u64 slice_end;        /* 0: nobody of the same priority waits */
	struct spinlock timer_lock;
	TAILQ_HEAD(timer_list, ktimer) timers;
	struct ktimer *running_timer;
};
extern struct cpu cpus[ARCH_MAX_CPUS];
extern struct thread boot_thread;

/* thread_current() for the files of kernel/, inline. Before sched_start: the boot stack's thread. */
static inline struct thread *thread_self(void)
{
	struct thread *t = arch_percpu_get();

	return __builtin_expect(t != NULL, 1) ? t : &boot_thread;
}

static inline struct cpu *this_cpu(void)
{
	return &cpus[arch_cpu_id()];
}

/* A thread that is not running yet, with a stack and one reference; NULL: no memory. */
struct thread *thread_create(const char *name);
void thread_get(struct thread *t);
void thread_put(struct thread *t); /* NULL: nothing to do */
#define AUTO_THREAD __attribute__((cleanup(auto_thread_end))) /* as AUTO_FILE */
static inline void auto_thread_end(struct thread **t)
{
	thread_put(*t);
}
/* Put a new thread on a run queue for the first time; it starts in fn. */
void thread_start(struct thread *t, void (*fn)(void *));
/* The end of the current thread. */
void thread_exit(void) __attribute__((noreturn));
/* Free stacks and structures of ended threads. */
void thread_reap(void);
void thread_bury(struct thread *t);

/* Make a sleeping thread run, or a waiting one not sleep. Any context. */
void thread_wake(struct thread *t);
/* The thread should look at its signals: wakes it, or makes its CPU pass through return_to_user. */
void thread_poke(struct thread *t);
void thread_set_affinity(struct thread *t, u64 mask);
void thread_set_priority(struct thread *t, int prio);

/* kernel/runqueue.c. A CPU's queue, under its lock: first: before those of the same priority. */
void run_insert(struct cpu *c, struct thread *t, bool first);
void run_remove(struct cpu *c, struct thread *t);
/* Lock the CPU that t belongs to. */
struct cpu *run_lock_cpu_of(struct thread *t, bool *on);
/* Queue t (on no queue, c's lock held) where it runs best; releases the lock. */
void run_place(struct cpu *c, struct thread *t, bool on);
/* An idle CPU: take a thread from somebody else's queue; send away what must not run here. */
bool run_steal(struct cpu *me);
void run_send_away(struct cpu *me);

/* Leave the CPU according to current->state. */
void schedule(void);
/* First thing on a new thread's stack. */
void sched_finish_switch(void);
/* Called on the way to ring 3: gives the CPU away if somebody else should run. */
void sched_return_to_user(void);
void sched_idle(void) __attribute__((noreturn));
u64 sched_online_mask(void);
/* Earliest of timers and slice goes to the hardware. Interrupts off. */
void sched_timer_program(struct cpu *c);

/* waitq_wake for who holds q->lock. */
void waitq_wake_locked(struct waitq *q, unsigned n);

/* kernel/timer.c: run what has expired; the next one's time or ~0. Interrupts off. */
void ktimer_run_expired(struct cpu *c);
u64 ktimer_next(struct cpu *c);

#endif
