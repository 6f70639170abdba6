/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Standard input, output and error of programs: serial lines.  `stdin=`, `stdout=` and `stderr=` name
 * them (ttyS0..ttyS3; the preset is ttyS0, where the log is too).  A stream that was sent elsewhere
 * by an option carries bytes as they are and is no terminal; the others answer as one.
 *
 * Input is polled every 10 ms, and only while somebody waits for it.
 */
#include <asm/termbits.h>
#include <asm/ioctls.h>
#include <linux/fcntl.h>

#include "kernel/frames.h"
#include "kernel/options.h"
#include "kernel/poll.h"
#include "kernel/sched.h"
#include "kernel/tree.h"

#define LINES 4u
#define CHUNK 256u
#define INPUT_RING 1024u
#define INPUT_POLL_NS (10 * NS_PER_MS)

struct window_size { /* struct winsize of <asm/termios.h>, which clashes with <asm/termbits.h>'s users */
	u16 rows, columns, x, y;
};

/* One stream of programs. */
struct stream {
	unsigned line;
	bool terminal;
	struct mutex lock; /* one write at a time */
};
static struct stream streams[3];

static struct {
	struct waitq wq;
	struct ktimer timer;
	u64 head, tail; /* under wq.lock */
	bool polling;
	char ring[INPUT_RING];
} input;

/* ---- input ---- */

static void input_fetch(void)
{
	char c;

	while (input.head - input.tail < INPUT_RING && arch_serial_read(streams[0].line, &c, 1) == 1)
		input.ring[input.head++ % INPUT_RING] = c == '\r' && streams[0].terminal ? '\n' : c;
}

static void input_tick(struct ktimer *t)
{
	guard_spin(&input.wq.lock);
	input_fetch();
	if (input.head != input.tail)
		waitq_wake_locked(&input.wq, ~0u);
	input.polling = !TAILQ_EMPTY(&input.wq.waiters);
	if (input.polling)
		ktimer_arm(t, arch_now_ns() + INPUT_POLL_NS);
}

/* Somebody is about to wait: see that the line is looked at. */
static bool input_ready(void)
{
	guard_spin(&input.wq.lock);
	input_fetch();
	if (input.head != input.tail)
		return true;
	if (!input.polling)
		ktimer_arm(&input.timer, arch_now_ns() + INPUT_POLL_NS);
	input.polling = true;
	return false;
}

static size_t input_take(char *buf, size_t n)
{
	size_t got = 0;

	guard_spin(&input.wq.lock);
	while (got < n && input.tail != input.head)
		buf[got++] = input.ring[input.tail++ % INPUT_RING];
	return got;
}

static s64 console_read(struct file *f, uaddr_t buf, size_t n, u64 *)
{
	char chunk[CHUNK];
	size_t got;
	int r;

	if (!n)
		return 0;
	do {
		r = file_wait(f, &input.wq, input_ready());
		if (r)
			return r;
		got = input_take(chunk, MIN(n, sizeof(chunk)));
	} while (!got);
	return copy_to_user(buf, chunk, got) ? -EFAULT : (s64)got;
}

/* ---- output ---- */

static s64 console_write(struct file *f, uaddr_t buf, size_t n, u64 *)
{
	struct stream *s = f->priv;
	char chunk[CHUNK];
	size_t done = 0;

	guard_mutex(&s->lock);
	while (done < n) {
		size_t part = MIN(n - done, sizeof(chunk));

		if (copy_from_user(chunk, buf + done, part))
			return done ? (s64)done : -EFAULT;
		arch_serial_write(s->line, chunk, part);
		done += part;
		resched_point();
	}
	return (s64)done;
}

static unsigned console_poll(struct file *f, struct poll_table *pt)
{
	unsigned ready = POLLOUT | POLLWRNORM;

	if ((f->flags & O_ACCMODE) == O_WRONLY)
		return ready;
	poll_wait(pt, &input.wq);
	return input_ready() ? ready | POLLIN | POLLRDNORM : ready;
}

static s64 console_ioctl(struct file *f, u32 nr, u64 arg)
{
	const struct stream *s = f->priv;
	struct termios t = { .c_iflag = ICRNL, .c_oflag = OPOST, .c_cflag = B115200 | CS8 | CREAD, .c_lflag = ISIG };
	struct window_size w = { 25, 80, 0, 0 };
	u32 queued;

	if (!s->terminal)
		return -ENOTTY;
	switch (nr) {
	case TCGETS:
		return copy_to_user(arg, &t, sizeof(t));
	case TCSETS:
	case TCSETSW:
	case TCSETSF:
		return copy_from_user(&t, arg, sizeof(t));
	case TIOCGWINSZ:
		return copy_to_user(arg, &w, sizeof(w));
	case FIONREAD:
		queued = input_ready() ? (u32)(input.head - input.tail) : 0;
		return copy_to_user(arg, &queued, sizeof(queued));
	default:
		return -ENOTTY;
	}
}

static const struct file_ops console_ops = {
	.name = "/dev/console", .stream = true,
	.read = console_read, .write = console_write, .poll = console_poll, .ioctl = console_ioctl,
};

/* ---- set-up ---- */

static void stream_choose(struct stream *s, const char *option)
{
	const char *line = option_get(option);

	mutex_init(&s->lock);
	s->terminal = true;
	if (!line)
		return;
	if (strncmp(line, "ttyS", 4) || line[4] < '0' || line[4] >= '0' + (char)LINES || line[5]) {
		log_err("%s=%s: not one of ttyS0..ttyS3; ttyS0 is used", option, line);
		return;
	}
	s->line = (unsigned)(line[4] - '0');
	s->terminal = false;
}

static int tty_open(struct node *n, struct file *f)
{
	f->ops = &console_ops;
	f->priv = node_priv(n);
	return 0;
}

static s64 null_read(struct file *, uaddr_t, size_t, u64 *)
{
	return 0;
}

static s64 null_write(struct file *, uaddr_t, size_t n, u64 *)
{
	return (s64)n;
}

static s64 zero_read(struct file *, uaddr_t buf, size_t n, u64 *)
{
	size_t done = 0;

	while (done < n) {
		size_t part = MIN(n - done, (size_t)SZ_4K);

		if (clear_user(buf + done, part))
			return done ? (s64)done : -EFAULT;
		done += part;
		resched_point();
	}
	return (s64)done;
}

static const struct file_ops null_file = { .name = "/dev/null", .stream = true, .read = null_read, .write = null_write };
static const struct file_ops zero_file = { .name = "/dev/zero", .stream = true, .read = zero_read, .write = null_write };

static int null_open(struct node *n, struct file *f)
{
	f->ops = node_priv(n);
	return 0;
}

static const struct node_ops tty_node = { .open = tty_open, .rdev_major = 5, .rdev_minor = 1, .mode = 0600 };
static const struct node_ops null_node = { .open = null_open, .rdev_major = 1, .rdev_minor = 3, .mode = 0666 };
static const struct node_ops zero_node = { .open = null_open, .rdev_major = 1, .rdev_minor = 5, .mode = 0666 };

void console_init(void)
{
	static const char *const option[] = { "stdin", "stdout", "stderr" };

	for (unsigned i = 0; i < ARRAY_SIZE(option); i++)
		stream_choose(&streams[i], option[i]);
	waitq_init(&input.wq);
	input.timer.fn = input_tick;
	node_add("/dev/console", &tty_node, &streams[1]);
	node_add("/dev/tty", &tty_node, &streams[1]);
	node_add("/dev/null", &null_node, (void *)&null_file);
	node_add("/dev/zero", &zero_node, (void *)&zero_file);
	node_add_symlink("/dev/fd", "/proc/self/fd");
	node_add_symlink("/dev/stdin", "/proc/self/fd/0");
	node_add_symlink("/dev/stdout", "/proc/self/fd/1");
	node_add_symlink("/dev/stderr", "/proc/self/fd/2");
}

struct file *console_open(unsigned fd)
{
	return file_create(&console_ops, fd ? O_WRONLY : O_RDONLY, &streams[fd]);
}
