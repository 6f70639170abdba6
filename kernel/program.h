/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Private to kernel/ and kernel/linux/: what a program is made of.
 *
 * registry_lock (process.c) guards the family (parent, children), pids and the list of all threads;
 * process->lock guards its threads, signals and exit state.  Order: registry_lock -> process->lock.
 * A process structure lives from its creation until its parent (or the end) has collected it.
 */
#ifndef KERNEL_PROGRAM_H
#define KERNEL_PROGRAM_H

#include "kernel/file.h"
#include "kernel/process.h"
#include "kernel/sched.h"

#define SIGNALS 64
#define SIG_BIT(n) BIT((n) - 1)
#define HANDLER_DEFAULT 0ull /* SIG_DFL */
#define HANDLER_IGNORE 1ull  /* SIG_IGN */

/* Layout of the system call's struct sigaction (arch/x86 of Linux). */
struct signal_action {
	uaddr_t handler;
	u64 flags;
	uaddr_t restorer;
	u64 mask;
};

struct fd_slot {
	struct file *file;
	bool cloexec;
};
struct fd_table {
	struct spinlock lock;
	u32 refs;
	unsigned cap;
	struct fd_slot *slot;
};
#define FD_LIMIT_DEFAULT 1024u
#define FD_LIMIT_MAX 65536u

struct process {
	int pid, ppid;
	u32 refs;
	struct spinlock lock;
	struct process *parent;
	TAILQ_HEAD(, process) children;
	TAILQ_ENTRY(process) sibling;
	TAILQ_ENTRY(process) all_link;
	TAILQ_HEAD(, thread) threads;
	unsigned nthreads;
	struct waitq threads_changed; /* a thread has left */
	struct waitq child_changed;   /* a child has ended */
	struct mm *mm;
	struct fd_table *fds;
	u64 fd_limit;
	bool borrows_mm;              /* vfork child before exec: the parent waits */
	struct waitq vfork_done;
	bool exiting;                 /* exit_group has begun */
	bool zombie;
	int exit_code;                /* as wait4 gives it */
	char name[16];
	char exe[128];
	char *cmdline;                /* arguments, each NUL terminated */
	size_t cmdline_len;
	unsigned cmdline_argc;
	char why[256];
	struct signal_action action[SIGNALS];
	u64 sig_pending;
	u32 sig_sender[SIGNALS];      /* pid of the last sender */
};

/* ---- kernel/process.c ---- */
struct process *process_create(struct process *parent);
void process_get(struct process *p);
void process_put(struct process *p);
/* Take back a process that never ran. */
void process_discard(struct process *p);
/* A thread of p with user registers *regs; not started. NULL: no memory. */
struct thread *process_add_thread(struct process *p, const struct user_regs *regs);
/* Start what process_add_thread made. */
void process_thread_start(struct thread *t);
/* End of the current thread only; code is kept if it is the last one. */
void process_thread_exit(int code) __attribute__((noreturn));
/* End of all threads of the current process, with a wait4 status. */
void process_exit_group(int wait_status) __attribute__((noreturn));
/* Makes the current thread the only one of its process (exec). 0 or -EINTR (it must die itself). */
int process_make_single(void);
/* With a reference, or NULL. */
struct process *process_find(int pid);
struct thread *thread_find(int tid);
void process_each(void (*fn)(struct process *p, void *arg), void *arg);
/* Kill everything but pid 1 and wait (bounded) until it is gone; processes still alive. */
unsigned process_end_all(u64 deadline_ns);
/* A dead child (which: -1 any): its pid; 0: none is dead (now); -ECHILD, -EINTR. keep: it stays a zombie. */
s64 process_wait(int which, bool now, int *status, bool keep);
void process_vfork_release(struct process *p);
/* All of these under registry_lock. The first program; NULL before it. */
extern struct spinlock registry_lock;
TAILQ_HEAD(process_list, process);
TAILQ_HEAD(thread_list, thread);
extern struct process_list process_list;
extern struct thread_list thread_list;
extern struct process *process_init;
/* Out of the family and the list; the caller puts the family's reference. */
void process_unregister(struct process *p);

/* ---- kernel/ids.c ---- */
#define ID_LIMIT 4194304 /* numbers are below it: Linux's PID_MAX_LIMIT */
/* A number for a program or a thread that nobody has, 0 when there is none. registry_lock held, until it is on
 * its list. */
int must_check id_take(void);

/* ---- kernel/exec.c ---- */
struct exec_args {
	char *strings;  /* argv then envp, each NUL terminated, one allocation */
	size_t len, cap;
	unsigned argc, envc;
};
int must_check exec_args_add(struct exec_args *a, const char *s, size_t len, bool env);
/* Build an address space for the program at path. On success *mm and regs' rip and rsp are set. */
struct exec_image {
	struct mm *mm;
	uaddr_t entry, sp;
	char name[16];
	char exe[128];
};
int must_check exec_load(struct node *base, const char *path, const struct exec_args *a, struct exec_image *out);
/* Replace the current (single-threaded) process's image. */
void exec_commit(struct exec_image *img, struct exec_args *a, struct user_regs *regs);
void user_regs_init(struct user_regs *regs, uaddr_t entry, uaddr_t sp);

/* ---- kernel/fd.c ---- */
struct fd_table *fd_table_create(void);
struct fd_table *fd_table_copy(struct fd_table *t);
void fd_table_put(struct fd_table *t); /* the last one closes all, in order */
void fd_close_on_exec(struct fd_table *t);
int must_check fd_install_from(struct file *f, unsigned lowest, bool cloexec);
/* dup2: takes over the caller's reference; closes what was there. */
int must_check fd_install_at(struct file *f, unsigned fd, bool cloexec);
int fd_close(unsigned fd);
int fd_cloexec_get(unsigned fd);
int fd_cloexec_set(unsigned fd, bool on);
/* Next open descriptor at or after fd, with a reference to its file; false at the end. */
bool fd_next(struct fd_table *t, unsigned *fd, struct file **f);

/* ---- kernel/signal.c ---- */
/* To one thread of p, or (NULL) to whichever does not block it. 0, or -EINVAL. sig 0 only checks. */
int signal_send(struct process *p, struct thread *to, int sig, int sender);
/* Next signal to deliver to the current thread, 0 if none; *sender as sent. */
int signal_take(u32 *sender);
bool signal_ignored(const struct process *p, int sig);
/* By numbers (tgid 0: any): 0, -ESRCH, -EINVAL. */
int signal_send_tid(int tgid, int tid, int sig, int sender);
const char *signal_name(int sig);
void signal_exec_reset(struct process *p);

/* ---- kernel/linux/ ---- */
/* The function that serves system calls, as the options want it. */
void (*linux_system_call(void))(struct user_regs *r);
void linux_user_trap(struct user_regs *regs, unsigned trap, u64 addr, int err);
void linux_return_to_user(struct user_regs *regs);

/* ---- kernel/futex.c ---- */
int futex_wait(uaddr_t addr, u32 val, u32 bitset, bool shared, u64 deadline_ns);
int futex_wake(uaddr_t addr, unsigned n, u32 bitset, bool shared);
int futex_requeue(uaddr_t addr, unsigned nwake, unsigned nmove, uaddr_t to, const u32 *cmp, bool shared);
/* A thread ends: wake who waits for its robust mutexes and its tid. */
void futex_thread_exit(struct thread *t);

#endif
