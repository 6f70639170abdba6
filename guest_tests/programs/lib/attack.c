/* SPDX-License-Identifier: BSD-2-Clause */
#include "attack.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "child.h"
#include "vfio.h"

static uint64_t *pattern;
static int to_victim[2], from_victim[2];
static pid_t victim;

static uint64_t word(size_t i)
{
	return 0x706f737465726e21ull * (2 * i + 1);
}

static uint64_t *pattern_make(void)
{
	uint64_t *p = vfio_memory(ATTACK_BYTES);

	for (size_t i = 0; i < ATTACK_BYTES / 8; i++)
		p[i] = word(i);
	return p;
}

static bool pattern_is_whole(const volatile uint64_t *p)
{
	for (size_t i = 0; i < ATTACK_BYTES / 8; i++)
		if (p[i] != word(i))
			return false;
	return true;
}

bool attack_is_pattern(const void *p, size_t offset, size_t n)
{
	const uint64_t *w = p;

	for (size_t i = 0; i < n / 8; i++)
		if (w[i] != word(offset / 8 + i))
			return false;
	return true;
}

void attack_victim(int argc, char **argv)
{
	int in, out;
	char c = 'r';

	if (argc != 3 || strcmp(argv[1], ATTACK_VICTIM))
		return;
	need("the victim's pipes", sscanf(argv[2], "%d,%d", &in, &out) == 2);
	pattern = pattern_make();
	need("the victim tells that it is ready", write(out, &c, 1) == 1);
	need("the victim waits", read(in, &c, 1) == 1);
	exit(pattern_is_whole(pattern) ? 0 : 1);
}

void attack_start(void)
{
	char arg[32], c;

	pattern = pattern_make();
	need("pipes", !pipe(to_victim) && !pipe(from_victim));
	snprintf(arg, sizeof(arg), "%d,%d", to_victim[0], from_victim[1]);
	victim = child_start(ATTACK_VICTIM, arg);
	need("the victim is ready", read(from_victim[0], &c, 1) == 1);
}

static bool file_read(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : 0, r = 0;

	while (fd >= 0 && (r = read(fd, buf + n, size - 1 - (size_t)n)) > 0)
		n += r;
	if (fd >= 0)
		close(fd);
	buf[n > 0 ? n : 0] = 0;
	return n > 0;
}

uint64_t attack_own_address(size_t offset)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	uintptr_t at = (uintptr_t)pattern + offset;
	uint64_t e = 0;

	if (fd < 0 || pread(fd, &e, sizeof(e), (off_t)(at / 4096 * 8)) != sizeof(e) || !(e >> 63))
		e = 0;
	close(fd);
	return e ? (e & ((1ull << 55) - 1)) * 4096 + at % 4096 : 0;
}

uint64_t attack_canary_address(void)
{
	char line[64];

	return file_read("/sys/kernel/postern/canary", line, sizeof(line)) ? strtoull(line, NULL, 0) : 0;
}

long long attack_faults(const char *device)
{
	static char text[65536];
	char *at;

	if (!file_read("/sys/kernel/postern/faults", text, sizeof(text)))
		return 0;
	at = strstr(text, device);
	return at ? atoll(at + strlen(device)) : 0;
}

void attack_check(const char *after)
{
	char line[64];

	printf("after %s:\n", after);
	check_true("our own memory is what it was", pattern_is_whole(pattern));
	check_true("the kernel's canary page is intact",
		   file_read("/sys/kernel/postern/canary", line, sizeof(line)) && strstr(line, "intact"));
	check_true("the audit finds nothing",
		   file_read("/sys/kernel/postern/audit", line, sizeof(line)) && !strcmp(line, "clean\n"));
}

void attack_end(void)
{
	need("the victim is told to look", write(to_victim[1], "e", 1) == 1);
	check_equal("memory of another program is what it was", child_wait_within(victim, 10000), 0);
}
