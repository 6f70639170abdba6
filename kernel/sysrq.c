/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * /proc/sysrq-trigger with Linux's one letter that matters here: `c` crashes the system on purpose, to
 * show (and test) what a panic does.  It needs `sysrq=1` on the command line: a program is not
 * entitled to end its neighbours.
 */
#include "kernel/file.h"
#include "kernel/options.h"
#include "kernel/tree.h"

static s64 sysrq_store(struct node *, const char *buf, size_t len)
{
	if (!option_bool("sysrq", false))
		return refuse(-EPERM, "sysrq-trigger: not allowed; boot with sysrq=1");
	if (buf[0] == 'c')
		panic("sysrq triggered crash");
	return (s64)len;
}

static const struct node_ops sysrq_node = { .store = sysrq_store, .mode = 0200 };

void sysrq_init(void)
{
	node_add("/proc/sysrq-trigger", &sysrq_node, NULL);
}
