// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/kernel/postern/vm_exits: how often guests have left since boot, in total and by reason. Each
 * CPU counts for itself; a reader adds up.
 */
#include <stdio.h>

#include "virt/vm.h"

static u64 counts[ARCH_MAX_CPUS][COUNT_KINDS];

static const char *const names[COUNT_KINDS] = {
	[COUNT_CPUID] = "cpuid", [COUNT_IO] = "io", [COUNT_MMIO] = "mmio", [COUNT_LAPIC] = "lapic",
	[COUNT_HLT] = "hlt", [COUNT_INTERRUPT] = "interrupt", [COUNT_WINDOW] = "window",
	[COUNT_NPF] = "npf", [COUNT_MSR] = "msr", [COUNT_OTHER] = "other",
};

void counters_add(enum exit_counter kind)
{
	counts[arch_cpu_id()][kind]++;
}

static s64 counters_show(struct node *, char *buf, size_t cap)
{
	u64 sums[COUNT_KINDS] = { 0 }, total = 0;
	int len;

	for (unsigned cpu = 0; cpu < ARCH_MAX_CPUS; cpu++) {
		for (unsigned kind = 0; kind < COUNT_KINDS; kind++) {
			sums[kind] += counts[cpu][kind];
			total += counts[cpu][kind];
		}
	}
	len = snprintf(buf, cap, "total %llu\n", (unsigned long long)total);
	for (unsigned kind = 0; kind < COUNT_KINDS && len >= 0 && (size_t)len < cap; kind++)
		len += snprintf(buf + len, cap - (size_t)len, "%s %llu\n", names[kind],
				(unsigned long long)sums[kind]);
	return MIN(len, (int)cap);
}

int counters_init(void)
{
	static const struct node_ops ops = { .show = counters_show, .mode = 0444 };

	return node_add("/sys/kernel/postern/vm_exits", &ops, NULL) ? 0 : -ENOMEM;
}
