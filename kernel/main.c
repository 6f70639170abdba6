/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The order of the kernel's life: memory, CPU, tree of names, devices with their DMA blocked, other
 * CPUs, the first program; and when that has ended, everybody else's end, the audit, power off.
 *
 * The last two lines of the log are for whoever started the machine:
 *   postern: audit: clean | N findings
 *   postern: exit status N
 * 125 means that Postern itself could not do its part.
 */
#include <stdio.h>

#include "kernel/audit.h"
#include "kernel/initcall.h"
#include "kernel/kernel.h"
#include "kernel/program.h"
#include "kernel/random.h"
#include "kernel/tree.h"
#include "kernel/version.h"

#define STATUS_FAILED 125
#define END_SECONDS 10u

static struct handover *handover;
static struct waitq init_ended = WAITQ_INIT(init_ended);
static bool init_is_gone;
static int init_status;

/* From linker.ld; a host test has no such section. */
extern const struct initcall initcalls_start[] __attribute__((weak)), initcalls_end[] __attribute__((weak));

static void initcalls_run(int level)
{
	for (const struct initcall *c = initcalls_start; c < initcalls_end; c++) {
		int r = c->level == level ? c->fn() : 0;

		if (r)
			log_warn("%s: %d; going on without it", c->name, r);
	}
}

static void init_exited(int status)
{
	init_status = status;
	WRITE_ONCE(init_is_gone, true);
	waitq_wake_all(&init_ended);
}

static void finish(int status) __attribute__((noreturn));
static void finish(int status)
{
	unsigned alive = process_end_all(arch_now_ns() + END_SECONDS * NS_PER_S);
	unsigned findings;

	if (alive)
		log_err("%u programs did not end within %u s", alive, END_SECONDS);
	thread_reap();
	findings = audit_run();
	options_report_unused();
	if (findings)
		log_err("postern: audit: %u findings", findings);
	else
		log_info("postern: audit: clean");
	log_info("postern: exit status %d", status);
	arch_poweroff(status);
}

static void initrd_load(void)
{
	int n;

	if (!handover->initrd_size) {
		log_err("no initrd: there is no program to start; give one with -initrd or \\postern\\initrd.cpio");
		finish(STATUS_FAILED);
	}
	n = initrd_unpack(phys_to_virt(handover->initrd), handover->initrd_size);
	if (n < 0)
		finish(STATUS_FAILED);
	log_info("initrd: %d files, %llu KiB", n, (unsigned long long)handover->initrd_size / 1024);
}

static const char *exec_error(int r)
{
	switch (r) {
	case -ENOENT:
		return "no such file in the initrd";
	case -EACCES:
		return "not an executable file";
	case -ENOEXEC:
		return "not a static ELF program for x86-64";
	case -ENOMEM:
		return "not enough memory";
	default:
		return "it cannot be started";
	}
}

static void init_start(void)
{
	const char *path = option_get("init");
	char *const *args = options_program_args();
	static char *envp[] = { "HOME=/", "PATH=/bin:/sbin", "TERM=vt100", NULL };
	unsigned n = 0;
	char **argv;
	int r;

	if (!path || !*path)
		path = "/init";
	while (args && args[n])
		n++;
	argv = kcalloc(n + 2, sizeof(*argv));
	if (!argv)
		panic("no memory for the first program's arguments");
	argv[0] = (char *)path;
	for (unsigned i = 0; i < n; i++)
		argv[i + 1] = args[i];
	process_on_init_exit(init_exited);
	r = process_start(path, argv, envp);
	kfree(argv);
	if (r < 0) {
		log_err("init=%s: %s (%d)", path, exec_error(r), r);
		finish(STATUS_FAILED);
	}
}

static void first_thread(void *)
{
	tree_init();
	console_init();
	proc_init();
	audit_init();
	canary_init();
	sysrq_init();
	initcalls_run(INITCALL_PCI);
	initcalls_run(INITCALL_IOMMU);
	arch_start_cpus();
	initcalls_run(INITCALL_DEVICES);
	initrd_load();
	init_start();
	wait_event_hard(&init_ended, READ_ONCE(init_is_gone), WAIT_FOREVER);
	finish(init_status);
}

static int user_fault(uaddr_t addr, unsigned access)
{
	struct process *p = process_current();

	return p && p->mm ? mm_fault(p->mm, addr, access) : -EFAULT;
}

static void describe(void)
{
	char line[256];

	log_info("Postern %s, firmware: %s", POSTERN_VERSION, handover->firmware[0] ? handover->firmware : "unknown");
	arch_describe(line, sizeof(line));
	log_info("CPU: %s", line);
}

void kernel_main(struct handover *ho)
{
	static struct arch_upcalls upcalls = {
		.user_fault = user_fault, .user_trap = linux_user_trap,
		.return_to_user = linux_return_to_user, .timer = sched_timer, .cpu_online = sched_cpu_online,
	};

	handover = ho;
	options_init(ho->cmdline);
	frames_init(ho);
	describe();
	random_seed(ho->seed, sizeof(ho->seed));
	upcalls.syscall = linux_system_call();
	arch_set_upcalls(&upcalls);
	if (option_get("debug-exit"))
		arch_set_debug_exit((u16)option_u64("debug-exit", 0));
	(void)!acpi_init(ho->rsdp);
	initcalls_run(INITCALL_EARLY);
	arch_init();
	sched_start(first_thread, NULL);
}
