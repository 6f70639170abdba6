/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The floor everybody stands on: integer types, field macros, errno, the log and the ways to
 * refuse.  It includes nothing of ours, so that every folder (arch/ too) may include it.
 *
 * Errno values are Linux's (<asm/errno.h>); the C library's <errno.h> has other numbers and is
 * never included in ring 0.
 */
#ifndef KERNEL_BASE_H
#define KERNEL_BASE_H

#include <asm/errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

_Static_assert(ENOSYS == 38, "errno must be Linux's, not the C library's");

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t s32;
typedef int64_t s64;

typedef u64 paddr_t; /* host-physical address */
typedef u64 iova_t;  /* address as a device sends it */
typedef u64 gpa_t;   /* guest-physical address */
typedef u64 uaddr_t; /* address in a ring-3 program; never dereferenced, see copy_from_user */

#define SZ_4K 0x1000ull
#define SZ_2M 0x200000ull
#define SZ_1G 0x40000000ull
#define PAGE_SIZE SZ_4K
#define PAGE_SHIFT 12

#define NS_PER_US 1000ull
#define NS_PER_MS 1000000ull
#define NS_PER_S 1000000000ull

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define ALIGN_DOWN(x, a) ((x) & ~((__typeof__(x))(a) - 1))
#define ALIGN_UP(x, a) ALIGN_DOWN((x) + ((__typeof__(x))(a) - 1), a)
#define IS_ALIGNED(x, a) (((x) & ((__typeof__(x))(a) - 1)) == 0)
#define BIT(n) (1ull << (n))
#define GENMASK(hi, lo) ((~0ull >> (63 - (hi))) & (~0ull << (lo)))
#define container_of(p, type, member) ((type *)((char *)(p) - offsetof(type, member)))

/* One mask per register field; the shift is derived from the mask. */
#define FIELD_GET(mask, v) (((u64)(v) & (mask)) >> __builtin_ctzll(mask))
#define FIELD_PREP(mask, v) (((u64)(v) << __builtin_ctzll(mask)) & (mask))

#define must_check __attribute__((warn_unused_result))
#define printf_like(f, a) __attribute__((format(printf, f, a)))
#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))
#define barrier() __asm__ volatile("" ::: "memory")

/* Log (kernel/log.c). One line per call, no newline at the end. Levels are Linux's: 3 err .. 7 debug. */
void log_at(int level, const char *fmt, ...) printf_like(2, 3);
void log_vat(int level, const char *fmt, va_list ap);
#define log_err(...) log_at(3, __VA_ARGS__)
#define log_warn(...) log_at(4, __VA_ARGS__)
#define log_info(...) log_at(6, __VA_ARGS__)
#define log_debug(...) log_at(7, __VA_ARGS__)
/* The last lines of the log, for a panic: writes them to the console as they are. */
void log_dump_tail(unsigned lines);
/* The log's own sinks (serial lines) take whole strings; arch registers them. */
typedef void (*log_sink_t)(const char *s, size_t n);
void log_add_sink(log_sink_t sink);

/* Our own invariants only; never for what a program, guest, device or firmware supplies. */
void panic(const char *fmt, ...) printf_like(1, 2) __attribute__((noreturn));
#define BUG_ON(cond)                                                                    \
	do {                                                                            \
		if (__builtin_expect(!!(cond), 0))                                      \
			panic("BUG: %s:%d: %s", __FILE__, __LINE__, #cond);             \
	} while (0)

/*
 * Refuse a request: remembers one line — rule, device, value, cure — for the current program's
 * /proc/self/why and returns err, so that callers write `return refuse(-EBUSY, "group %u ...", n)`.
 * err: a negative errno.
 */
int refuse(int err, const char *fmt, ...) printf_like(2, 3);

#endif
