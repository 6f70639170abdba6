/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * /proc: what programs look for there.  /proc/self is a directory whose files speak of whoever reads
 * them; there are no directories of other processes.
 */
#include <linux/mman.h>
#include <stdio.h>

#include "kernel/frames.h"
#include "kernel/mm.h"
#include "kernel/program.h"
#include "kernel/tree.h"
#include "kernel/version.h"

/* Text that grows line by line; what does not fit is left out. */
struct text {
	char *buf;
	size_t cap, len;
};

static void text_add(struct text *t, const char *fmt, ...) printf_like(2, 3);
static void text_add(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->buf + t->len, t->cap - t->len, fmt, ap);
	va_end(ap);
	if (n > 0 && (size_t)n < t->cap - t->len)
		t->len += n;
}

/* ---- /proc/self ---- */

static s64 why_show(struct node *, char *buf, size_t cap)
{
	struct process *p = process_current();

	guard_spin(&p->lock);
	return p->why[0] ? snprintf(buf, cap, "%s\n", p->why) : 0;
}

static const char *vma_name(const struct mm_vma_info *v, char *buf, size_t cap)
{
	const struct file *f = v->file;

	if (!f)
		return "";
	if (f->node)
		return tree_path(f->node, buf, cap) < 0 ? "" : buf;
	return f->ops->name ? f->ops->name : "";
}

static s64 maps_show(struct node *, char *buf, size_t cap)
{
	struct text t = { buf, cap, 0 };
	struct mm_vma_info v;
	uaddr_t at = 0;
	char name[256];

	while (mm_next_vma(process_current()->mm, &at, &v)) {
		text_add(&t, "%08llx-%08llx %c%c%c%c %08llx 00:00 0 %s%s\n", (unsigned long long)v.start,
			 (unsigned long long)v.end, v.prot & PROT_READ ? 'r' : '-', v.prot & PROT_WRITE ? 'w' : '-',
			 v.prot & PROT_EXEC ? 'x' : '-', (v.flags & MAP_TYPE) == MAP_PRIVATE ? 'p' : 's',
			 (unsigned long long)v.off, v.file ? "                   " : "", vma_name(&v, name, sizeof(name)));
		file_put(v.file);
		resched_point();
	}
	return (s64)t.len;
}

/* Linux: Documentation/admin-guide/mm/pagemap.rst: bit 63 present, bits 0-54 frame number. */
static s64 pagemap_read(struct node *, u64 off, void *buf, size_t len)
{
	struct mm *mm = process_current()->mm;
	u64 *out = buf;
	size_t words = len / sizeof(*out);

	if ((off & 7) || !words)
		return -EINVAL;
	for (size_t i = 0; i < words; i++) {
		uaddr_t va = (off / 8 + i) << PAGE_SHIFT;
		struct mm_page page;

		if (va >= MM_HIGH)
			return (s64)(i * sizeof(*out));
		out[i] = 0;
		if (mm_peek(mm, va, &page))
			out[i] = BIT(63) | (page.pa + (va - page.addr)) >> PAGE_SHIFT;
	}
	return (s64)(words * sizeof(*out));
}

static s64 cmdline_show(struct node *, char *buf, size_t cap)
{
	const struct process *p = process_current();
	size_t len = 0, end = 0;

	/* Arguments only: the environment follows them in the same text. */
	while (len < p->cmdline_argc && end < p->cmdline_len) {
		end += strlen(p->cmdline + end) + 1;
		len++;
	}
	end = MIN(end, cap);
	if (end)
		memcpy(buf, p->cmdline, end);
	return (s64)end;
}

static s64 comm_show(struct node *, char *buf, size_t cap)
{
	return snprintf(buf, cap, "%s\n", process_current()->name);
}

static s64 exe_target(struct node *, char *buf, size_t cap)
{
	return snprintf(buf, cap, "%s", process_current()->exe);
}

static s64 status_show(struct node *, char *buf, size_t cap)
{
	struct process *p = process_current();
	struct text t = { buf, cap, 0 };
	u64 resident = mm_resident(p->mm) / 1024;

	text_add(&t, "Name:\t%s\nState:\tR (running)\nTgid:\t%d\nPid:\t%d\nPPid:\t%d\n", p->name, p->pid,
		 thread_current()->tid, p->ppid);
	text_add(&t, "Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nVmRSS:\t%8llu kB\nThreads:\t%u\n",
		 (unsigned long long)resident, p->nthreads);
	text_add(&t, "Cpus_allowed:\t%llx\n", (unsigned long long)(thread_current()->affinity & sched_online_mask()));
	return (s64)t.len;
}

/* ---- /proc/self/fd ---- */

static s64 file_name(const struct file *f, char *buf, size_t cap)
{
	if (f->node)
		return tree_path(f->node, buf, cap);
	return snprintf(buf, cap, "%s", f->ops->name ? f->ops->name : "anon_inode:[file]");
}

static struct node *fd_lookup(struct node *dir, const char *name)
{
	AUTO_FILE struct file *f = NULL;
	char target[256];
	unsigned fd = 0;

	for (const char *c = name; *c; c++) {
		if (*c < '0' || *c > '9' || fd > FD_LIMIT_MAX)
			return NULL;
		fd = fd * 10 + (unsigned)(*c - '0');
	}
	f = file_from_fd((int)fd);
	return f && file_name(f, target, sizeof(target)) >= 0 ? tree_node_symlink(dir, name, target) : NULL;
}

static bool fd_list(struct node *, u64 *pos, char *name, size_t cap)
{
	unsigned fd = (unsigned)*pos;
	struct file *f;

	if (!fd_next(process_current()->fds, &fd, &f))
		return false;
	file_put(f);
	*pos = fd;
	snprintf(name, cap, "%u", fd);
	return true;
}

static const struct node_dynamic fd_dir = { .lookup = fd_lookup, .next = fd_list };

/* ---- the machine ---- */

static s64 meminfo_show(struct node *, char *buf, size_t cap)
{
	u64 total = frames_total() / 1024, free = frames_free() / 1024;
	struct text t = { buf, cap, 0 };

	text_add(&t, "MemTotal:       %8llu kB\nMemFree:        %8llu kB\nMemAvailable:   %8llu kB\n",
		 (unsigned long long)total, (unsigned long long)free, (unsigned long long)free);
	text_add(&t, "HugePages_Total:       0\nHugePages_Free:        0\nHugepagesize:       2048 kB\n");
	return (s64)t.len;
}

static s64 cpuinfo_show(struct node *, char *buf, size_t cap)
{
	struct text t = { buf, cap, 0 };
	char line[160];

	arch_describe(line, sizeof(line));
	for (unsigned i = 0; i < arch_cpu_count(); i++)
		text_add(&t, "processor\t: %u\nvendor_id\t: %s\nmodel name\t: %s\napicid\t\t: %u\n"
			 "flags\t\t: fpu tsc msr pae apic sse sse2 ht syscall nx lm constant_tsc nonstop_tsc\n\n",
			 i, strstr(line, "Intel") ? "GenuineIntel" : "AuthenticAMD", line, arch_cpu_apic_id(i));
	return (s64)t.len;
}

static s64 uptime_show(struct node *, char *buf, size_t cap)
{
	u64 now = arch_now_ns() / (NS_PER_S / 100);

	return snprintf(buf, cap, "%llu.%02llu 0.00\n", (unsigned long long)(now / 100), (unsigned long long)(now % 100));
}

static s64 version_show(struct node *, char *buf, size_t cap)
{
	return snprintf(buf, cap, "Postern %s\n", POSTERN_VERSION);
}

static s64 empty_show(struct node *, char *, size_t)
{
	return 0;
}

static s64 cpu_list_show(struct node *, char *buf, size_t cap)
{
	unsigned last = arch_cpu_count() - 1;

	return last ? snprintf(buf, cap, "0-%u\n", last) : snprintf(buf, cap, "0\n");
}

#define SHOW(path, fn) { path, { .show = fn } }
static const struct {
	const char *path;
	struct node_ops ops;
} files[] = {
	SHOW("/proc/self/why", why_show), SHOW("/proc/self/maps", maps_show), SHOW("/proc/self/cmdline", cmdline_show),
	SHOW("/proc/self/comm", comm_show), SHOW("/proc/self/status", status_show),
	{ "/proc/self/pagemap", { .bin_read = pagemap_read, .mode = 0400 } },
	SHOW("/proc/meminfo", meminfo_show), SHOW("/proc/cpuinfo", cpuinfo_show), SHOW("/proc/uptime", uptime_show),
	SHOW("/proc/version", version_show), SHOW("/proc/mounts", empty_show), SHOW("/proc/filesystems", empty_show),
	SHOW("/sys/devices/system/cpu/online", cpu_list_show), SHOW("/sys/devices/system/cpu/possible", cpu_list_show),
	SHOW("/sys/kernel/postern/version", version_show),
};

void proc_init(void)
{
	static const struct node_ops exe_link = { .show = exe_target };

	for (unsigned i = 0; i < ARRAY_SIZE(files); i++)
		node_add(files[i].path, &files[i].ops, NULL);
	tree_add("/proc/self/exe", NODE_SYMLINK, &(struct node){ .ops = &exe_link });
	tree_add("/proc/self/fd", NODE_DIR, &(struct node){ .dynamic = &fd_dir });
}
