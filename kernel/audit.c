/* SPDX-License-Identifier: GPL-2.0-only */
/* The list of auditors and the node that runs them. Who registers stays for ever. */
#include <stdio.h>

#include "kernel/audit.h"
#include "kernel/sched.h"
#include "kernel/tree.h"

static struct auditor *auditors;
static struct spinlock list_lock = SPINLOCK_INIT;
static struct mutex running = MUTEX_INIT(running);

void audit_register(struct auditor *a)
{
	guard_spin(&list_lock);
	a->next = auditors;
	auditors = a;
}

unsigned audit_run(void)
{
	unsigned findings = 0;

	guard_mutex(&running);
	for (struct auditor *a = READ_ONCE(auditors); a; a = a->next) {
		unsigned n = a->check();

		if (n)
			log_err("audit: %s: %u findings", a->name, n);
		findings += n;
	}
	return findings;
}

static s64 audit_show(struct node *, char *buf, size_t cap)
{
	unsigned findings = audit_run();

	return findings ? snprintf(buf, cap, "%u findings\n", findings) : snprintf(buf, cap, "clean\n");
}

static const struct node_ops audit_node = { .show = audit_show, .mode = 0444 };

void audit_init(void)
{
	node_add("/sys/kernel/postern/audit", &audit_node, NULL);
}
