/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The audit walks every live table of the machine and says whether all is owned:
 * /sys/kernel/postern/audit runs it, and so does the end of the first program.
 */
#ifndef KERNEL_AUDIT_H
#define KERNEL_AUDIT_H

/* A checker logs each finding and returns how many there are. */
struct auditor {
	const char *name;
	unsigned (*check)(void);
	struct auditor *next;
};
void audit_register(struct auditor *a);
/* Runs all; returns findings in total. */
unsigned audit_run(void);

#endif
