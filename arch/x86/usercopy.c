/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * User memory, by address: the range is checked against the user half before user_access.S touches it, so
 * that no address of a program ever reaches the kernel's half.
 */
#include "arch/x86/early.h"

int user_copy(void *dst, const void *src, size_t n);
int user_clear(void *dst, size_t n);
int user_load(u32 *out, const u32 *src);
s64 user_string(char *dst, const char *src, size_t cap);

static bool range_ok(uaddr_t addr, size_t n)
{
	return n <= USER_TOP && addr <= USER_TOP - n;
}

int copy_from_user(void *dst, uaddr_t src, size_t n)
{
	return range_ok(src, n) ? user_copy(dst, (const void *)src, n) : -EFAULT;
}

int copy_to_user(uaddr_t dst, const void *src, size_t n)
{
	return range_ok(dst, n) ? user_copy((void *)dst, src, n) : -EFAULT;
}

int clear_user(uaddr_t dst, size_t n)
{
	return range_ok(dst, n) ? user_clear((void *)dst, n) : -EFAULT;
}

int user_load32(u32 *out, uaddr_t src)
{
	if (!range_ok(src, sizeof *out) || !IS_ALIGNED(src, sizeof *out))
		return -EFAULT;
	return user_load(out, (const u32 *)src);
}

s64 copy_string_from_user(char *dst, uaddr_t src, size_t cap)
{
	size_t room;
	s64 n;

	if (src >= USER_TOP)
		return -EFAULT;
	room = MIN(cap, USER_TOP - src);
	n = user_string(dst, (const char *)src, room);
	if (n < 0 || (size_t)n < room)
		return n;
	return room < cap ? -EFAULT : -ENAMETOOLONG;
}
