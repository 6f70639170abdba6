/* SPDX-License-Identifier: GPL-2.0-only */
/* Private to kernel/: how the system calls make files that have no name in the tree. */
#ifndef KERNEL_OBJECTS_H
#define KERNEL_OBJECTS_H

#include "kernel/file.h"

struct file *eventfd_create(u64 count, bool semaphore, int flags);

struct timerfd_times {
	u64 value_ns, interval_ns; /* value: absolute arch_now_ns when set, remaining when read; 0: off */
};
/* realtime: absolute times of settime are of the wall clock, which the caller converts. */
struct file *timerfd_create_file(int flags, bool realtime);
bool file_is_timerfd(const struct file *f);
bool timerfd_is_realtime(const struct file *f);
void timerfd_set(struct file *f, const struct timerfd_times *t, struct timerfd_times *old);
void timerfd_get(struct file *f, struct timerfd_times *out);

/* Both ends, each with one reference; -ENOMEM. */
int pipe_create(int flags, struct file **reader, struct file **writer);
struct file *memfd_create_file(void);

#endif
