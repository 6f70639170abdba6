/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Programs: a process owns an address space, descriptors, threads, and its line of /proc/self/why.
 */
#ifndef KERNEL_PROCESS_H
#define KERNEL_PROCESS_H

#include "kernel/base.h"

struct mm;
struct process;

struct mm *process_mm(struct process *p);
int process_pid(const struct process *p);
/* "loader[2]": for messages and the owner of devices. Returns buf. */
char *process_label(const struct process *p, char *buf, size_t n);
/* /proc/self/why: last refusal of that process. */
void process_set_why(struct process *p, const char *line);
/* Start a program from the tree of names. argv and envp NULL-terminated. pid, or -ENOENT/-ENOEXEC/-ENOMEM/... */
int must_check process_start(const char *path, char *const argv[], char *const envp[]);
/* When the first program (pid 1) ends this runs with its exit status (128+signal when killed). */
void process_on_init_exit(void (*fn)(int status));
/* End of the current process, as exit_group. */
void process_exit(int status) __attribute__((noreturn));
/* Kill (SIGKILL) another one. */
void process_kill(struct process *p);

#endif
