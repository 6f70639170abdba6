/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Programs: their family, their threads and how they come to be.  Their end is process_exit.c's.
 */
#include <stdio.h>

#include "kernel/frames.h"
#include "kernel/mm.h"
#include "kernel/program.h"
#include "kernel/tree.h"

struct spinlock registry_lock = SPINLOCK_INIT;
struct process_list process_list = TAILQ_HEAD_INITIALIZER(process_list);
struct thread_list thread_list = TAILQ_HEAD_INITIALIZER(thread_list);
struct process *process_init;

struct process *process_current(void)
{
	return thread_self()->process;
}

struct mm *process_mm(struct process *p)
{
	return p->mm;
}

int process_pid(const struct process *p)
{
	return p->pid;
}

char *process_label(const struct process *p, char *buf, size_t n)
{
	if (p)
		snprintf(buf, n, "%s[%d]", p->name, p->pid);
	else
		snprintf(buf, n, "kernel");
	return buf;
}

void process_set_why(struct process *p, const char *line)
{
	guard_spin(&p->lock);
	snprintf(p->why, sizeof(p->why), "%s", line);
}

void process_get(struct process *p)
{
	__atomic_add_fetch(&p->refs, 1, __ATOMIC_RELAXED);
}

void process_put(struct process *p)
{
	if (__atomic_sub_fetch(&p->refs, 1, __ATOMIC_ACQ_REL))
		return;
	kfree(p->cmdline);
	kfree(p);
}

/* ---- birth ---- */

/* Into the family and the list, with a number; false: there is none. */
static bool process_register(struct process *p, struct process *parent)
{
	guard_spin(&registry_lock);
	p->pid = id_take();
	if (!p->pid)
		return false;
	p->parent = parent;
	p->ppid = parent ? parent->pid : 0;
	if (parent)
		TAILQ_INSERT_TAIL(&parent->children, p, sibling);
	else
		process_init = p;
	TAILQ_INSERT_TAIL(&process_list, p, all_link);
	return true;
}

struct process *process_create(struct process *parent)
{
	struct process *p = kzalloc(sizeof(*p));

	if (!p)
		return NULL;
	p->refs = 1;
	p->fd_limit = parent ? parent->fd_limit : FD_LIMIT_DEFAULT;
	TAILQ_INIT(&p->children);
	TAILQ_INIT(&p->threads);
	waitq_init(&p->threads_changed);
	waitq_init(&p->child_changed);
	waitq_init(&p->vfork_done);
	if (parent) {
		memcpy(p->name, parent->name, sizeof(p->name));
		memcpy(p->exe, parent->exe, sizeof(p->exe));
		memcpy(p->action, parent->action, sizeof(p->action));
	}
	if (process_register(p, parent))
		return p;
	process_put(p);
	return NULL;
}

/* Out of the family and the list; registry_lock is held. The caller puts the family's reference. */
void process_unregister(struct process *p)
{
	if (p->parent)
		TAILQ_REMOVE(&p->parent->children, p, sibling);
	p->parent = NULL;
	TAILQ_REMOVE(&process_list, p, all_link);
}

/* Among the threads of its process, with a number; false: there is none. */
static bool thread_register(struct process *p, struct thread *t)
{
	guard_spin(&registry_lock);
	guard_spin(&p->lock);
	t->tid = p->nthreads ? id_take() : p->pid;
	if (!t->tid)
		return false;
	/* A thread that must go has no heirs: exec waits until it is alone. */
	t->killed = p->exiting || (thread_self()->process == p && thread_self()->killed);
	TAILQ_INSERT_TAIL(&p->threads, t, process_link);
	p->nthreads++;
	TAILQ_INSERT_TAIL(&thread_list, t, all_link);
	return true;
}

struct thread *process_add_thread(struct process *p, const struct user_regs *regs)
{
	struct thread *t = thread_create(p->name);
	paddr_t fpu = t ? frame_alloc(SZ_4K) : FRAME_NONE;

	if (fpu == FRAME_NONE)
		goto fail;
	t->user.fpu = phys_to_virt(fpu);
	arch_fpu_init(t->user.fpu);
	*arch_user_regs((char *)t->kstack + ARCH_KSTACK_SIZE) = *regs;
	t->process = p;
	t->is_user = true;
	t->root = mm_root(p->mm);
	if (thread_register(p, t))
		return t;
fail:
	thread_put(t);
	return NULL;
}

static void enter_ring3(void *)
{
	struct thread *t = thread_self();
	struct user_regs *regs = arch_user_regs((char *)t->kstack + ARCH_KSTACK_SIZE);

	linux_return_to_user(regs);
	arch_user_enter(regs);
}

void process_thread_start(struct thread *t)
{
	thread_start(t, enter_ring3);
}

static int args_from(struct exec_args *a, char *const argv[], char *const envp[])
{
	int r = 0;

	for (; *argv && !r; argv++)
		r = exec_args_add(a, *argv, strlen(*argv), false);
	for (; *envp && !r; envp++)
		r = exec_args_add(a, *envp, strlen(*envp), true);
	return r;
}

void process_discard(struct process *p)
{
	bool on = spin_lock(&registry_lock);

	if (process_init == p)
		process_init = NULL;
	process_unregister(p);
	spin_unlock(&registry_lock, on);
	if (p->fds)
		fd_table_put(p->fds);
	if (p->mm)
		mm_put(p->mm);
	process_put(p);
}

int process_start(const char *path, char *const argv[], char *const envp[])
{
	struct process *p = process_create(process_init);
	struct exec_args args = { 0 };
	struct exec_image img;
	struct user_regs regs;
	struct thread *t;
	int r = -ENOMEM;

	if (!p)
		return -ENOMEM;
	p->fds = fd_table_create();
	if (!p->fds)
		goto fail;
	for (unsigned i = 0; i < 3; i++)
		p->fds->slot[i].file = console_open(i);
	r = args_from(&args, argv, envp);
	if (!r)
		r = exec_load(NULL, path, &args, &img);
	if (r)
		goto fail;
	p->mm = img.mm;
	memcpy(p->name, img.name, sizeof(p->name));
	memcpy(p->exe, img.exe, sizeof(p->exe));
	user_regs_init(&regs, img.entry, img.sp);
	t = process_add_thread(p, &regs);
	if (!t) {
		r = -ENOMEM;
		goto fail;
	}
	p->cmdline = args.strings;
	p->cmdline_len = args.len;
	p->cmdline_argc = args.argc;
	r = p->pid;
	process_thread_start(t);
	return r;
fail:
	kfree(args.strings);
	process_discard(p);
	return r;
}

/* ---- finding ---- */

struct process *process_find(int pid)
{
	struct process *p;

	guard_spin(&registry_lock);
	TAILQ_FOREACH(p, &process_list, all_link)
		if (p->pid == pid)
			break;
	if (p)
		process_get(p);
	return p;
}

struct thread *thread_find(int tid)
{
	struct thread *t;

	guard_spin(&registry_lock);
	TAILQ_FOREACH(t, &thread_list, all_link)
		if (t->tid == tid)
			break;
	if (t)
		thread_get(t);
	return t;
}

void process_each(void (*fn)(struct process *p, void *arg), void *arg)
{
	struct process *p;

	guard_spin(&registry_lock);
	TAILQ_FOREACH(p, &process_list, all_link)
		fn(p, arg);
}
