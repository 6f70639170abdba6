/* SPDX-License-Identifier: BSD-2-Clause */
#include "child.h"

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

#define KILL_MS 10000u

extern char **environ;

static int code_of(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

pid_t child_start(const char *mode, const char *arg)
{
	char *argv[] = { "child", (char *)mode, (char *)arg, NULL };
	pid_t pid;

	errno = posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ);
	need("posix_spawn of /proc/self/exe", errno == 0);
	return pid;
}

int child_wait(pid_t pid)
{
	int status = 0;

	need("waitpid", waitpid(pid, &status, 0) == pid);
	return code_of(status);
}

static bool ended_within(pid_t pid, unsigned ms, int *status)
{
	struct timespec nap = { 0, 1000000 }, now, start;
	pid_t r;

	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		r = waitpid(pid, status, WNOHANG);
		need("waitpid", r >= 0);
		if (r == pid)
			return true;
		nanosleep(&nap, NULL);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while ((now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000 < ms);
	return false;
}

int child_wait_within(pid_t pid, unsigned ms)
{
	int status = 0;

	if (ended_within(pid, ms, &status))
		return code_of(status);
	need("kill", kill(pid, SIGKILL) == 0);
	errno = ETIMEDOUT;
	need("a killed child ends", ended_within(pid, KILL_MS, &status));
	return CHILD_LATE;
}

int child_run(const char *mode, const char *arg)
{
	return child_wait(child_start(mode, arg));
}
