/* SPDX-License-Identifier: BSD-2-Clause */
/* Children: the running program once more, told by argv[1] what to do (there is no fork here). */
#ifndef PROGRAMS_CHILD_H
#define PROGRAMS_CHILD_H

#include <sys/types.h>

#define CHILD_LATE (-1)

/* Starts this program with the arguments MODE and ARG (or NULL); the pid. Ends the program if it cannot. */
pid_t child_start(const char *mode, const char *arg);
/* Exit status, or 128 + signal. */
int child_wait(pid_t pid);
/* The same, but after MS milliseconds the child is killed; CHILD_LATE. Ends the program if it will not die. */
int child_wait_within(pid_t pid, unsigned ms);
/* Start and wait. */
int child_run(const char *mode, const char *arg);

#endif
