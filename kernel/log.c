/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The log: a ring of the last 64 KiB of text, and sinks (serial lines) that get each line as it
 * comes.  Any context may write; one lock keeps lines whole.  Also here: the two ways to give up,
 * panic() for our own broken invariants and refuse() for what somebody else asked.
 *
 * Debug lines are what programs and guests make us say: there is a limit to them, so that they do not
 * push everything else out of the ring.
 *
 * Once a panic has begun, nobody waits for the lock: the CPU that panicked may be its holder.
 */
#include <stdio.h>

#include "kernel/log.h"
#include "kernel/process.h"
#include "kernel/thread.h"

#define LOG_RING 65536u
#define LOG_LINE 512u
#define LOG_SINKS 4u
#define LEVEL_DEBUG 7
#define DEBUG_LINES_PER_S 100u

static struct {
	struct spinlock lock;
	char ring[LOG_RING];
	u64 end; /* bytes written since the start; the ring holds the last LOG_RING of them */
	log_sink_t sink[LOG_SINKS];
	unsigned nsinks;
	bool panicking;
	u64 debug_second;
	unsigned debug_lines; /* in that second */
} log; /* all zero, so that the ring takes no room in the image */
static int console_level = 7; /* lines below it go to the sinks */

struct log_hold {
	bool locked, irq_on;
};

static struct log_hold log_lock(void)
{
	struct log_hold h = { .locked = !READ_ONCE(log.panicking) };

	if (h.locked)
		h.irq_on = spin_lock(&log.lock);
	return h;
}

static void log_unlock(struct log_hold h)
{
	if (h.locked)
		spin_unlock(&log.lock, h.irq_on);
}

void log_set_level(int level)
{
	console_level = level;
}

void log_add_sink(log_sink_t sink)
{
	struct log_hold hold = log_lock();

	if (log.nsinks < LOG_SINKS)
		log.sink[log.nsinks++] = sink;
	log_unlock(hold);
}

static void ring_write(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		log.ring[(log.end + i) % LOG_RING] = s[i];
	log.end += n;
}

/* Whether this debug line is one too many; the lock is held. The last one says so in its place. */
static bool debug_flood(u64 now, char *line, int head, int *n)
{
	if (log.debug_second != now / NS_PER_S) {
		log.debug_second = now / NS_PER_S;
		log.debug_lines = 0;
	}
	if (++log.debug_lines == DEBUG_LINES_PER_S)
		*n = head + snprintf(line + head, (size_t)(LOG_LINE - (unsigned)head), "%s\n",
				     "(no more debug lines this second)");
	return log.debug_lines > DEBUG_LINES_PER_S;
}

void log_vat(int level, const char *fmt, va_list ap)
{
	char line[LOG_LINE];
	u64 now = arch_now_ns();
	struct log_hold hold;
	int head, n;

	head = snprintf(line, sizeof(line), "[%5llu.%06llu] ", (unsigned long long)(now / NS_PER_S),
			(unsigned long long)(now % NS_PER_S / NS_PER_US));
	n = vsnprintf(line + head, sizeof(line) - (size_t)head - 1, fmt, ap);
	n = n < 0 ? head : MIN(head + n, (int)sizeof(line) - 2);
	/* What a guest or a device names itself must not look like a line of ours. */
	for (int i = head; i < n; i++)
		if ((unsigned char)line[i] < ' ')
			line[i] = ' ';
	line[n++] = '\n';
	hold = log_lock();
	if (level == LEVEL_DEBUG && debug_flood(now, line, head, &n)) {
		log_unlock(hold);
		return;
	}
	ring_write(line, (size_t)n);
	if (level < console_level || log.panicking)
		for (unsigned i = 0; i < log.nsinks; i++)
			log.sink[i](line, (size_t)n);
	log_unlock(hold);
}

void log_at(int level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_vat(level, fmt, ap);
	va_end(ap);
}

size_t log_read(u64 *pos, char *buf, size_t cap)
{
	struct log_hold hold = log_lock();
	u64 oldest = log.end > LOG_RING ? log.end - LOG_RING : 0;
	u64 from = MAX(*pos, oldest);
	size_t n = from < log.end ? (size_t)MIN(log.end - from, (u64)cap) : 0;

	for (size_t i = 0; i < n; i++)
		buf[i] = log.ring[(from + i) % LOG_RING];
	*pos = from + n;
	log_unlock(hold);
	return n;
}

void log_dump_tail(unsigned lines)
{
	u64 oldest = log.end > LOG_RING ? log.end - LOG_RING : 0;
	u64 at = log.end;

	/* Back to the character behind the (lines+1)th newline from the end. */
	for (; at > oldest; at--)
		if (log.ring[(at - 1) % LOG_RING] == '\n' && lines-- == 0)
			break;
	while (at < log.end) {
		u64 first = at % LOG_RING;
		size_t n = (size_t)MIN(log.end - at, LOG_RING - first);

		for (unsigned i = 0; i < log.nsinks; i++)
			log.sink[i](&log.ring[first], n);
		at += n;
	}
}

void panic(const char *fmt, ...)
{
	va_list ap;

	if (__atomic_exchange_n(&log.panicking, true, __ATOMIC_SEQ_CST))
		arch_panic();
	va_start(ap, fmt);
	log_at(0, "PANIC on CPU %u:", arch_cpu_id());
	log_vat(0, fmt, ap);
	va_end(ap);
	arch_panic();
}

int refuse(int err, const char *fmt, ...)
{
	struct process *p = process_current();
	char line[LOG_LINE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (p)
		process_set_why(p, line);
	log_debug("refused (%d): %s", err, line);
	return err;
}
