/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the rest of ring 0 may ask of the CPU and the board.  Above this header nobody knows x86.
 * tests/host/ gives the same functions on a host, over a simulated RAM arena: these are the five
 * seams (user copies, phys_to_virt, mmio/pio, context switch, CPU id/interrupt flag/IPI).
 *
 * Order of the kernel's start: entry -> arch_init_early(handover) -> kernel_main(handover), which
 * calls frames_init(), options_init(), acpi_init(), then arch_init() (APIC, timers, IOAPIC),
 * arch_set_upcalls(), sched_start(), and in the first thread arch_start_cpus().
 */
#ifndef ARCH_X86_ARCH_H
#define ARCH_X86_ARCH_H

#include "arch/x86/boot/handover.h"
#include "kernel/base.h"

#define ARCH_MAX_CPUS 64
#define ARCH_KSTACK_SIZE 16384ull /* one per thread, page aligned, guard page below */

/* ---- RAM: all of it is mapped at one offset ------------------------------------------------ */
#define ARCH_DIRECT_BASE 0xffff800000000000ull
/* phys_to_virt and the others that stand in comments below are inline in the kernel. */
#include <arch_inline.h>
paddr_t virt_to_phys(const void *va); /* direct map or kernel image */

/* ---- MMIO and port I/O ----------------------------------------------------------------------
 * A driver that is tested against a model takes a struct mmio, not a pointer.  arch_mmio_map()
 * gives one over a real, uncached mapping. */
struct mmio;
struct mmio_ops {
	u32 (*rd32)(struct mmio *m, u32 off);
	u64 (*rd64)(struct mmio *m, u32 off);
	void (*wr32)(struct mmio *m, u32 off, u32 v);
	void (*wr64)(struct mmio *m, u32 off, u64 v);
};
struct mmio {
	const struct mmio_ops *ops;
	volatile u8 *base; /* for the real one; a model may ignore it */
	u64 size;
};
static inline u32 rd32(struct mmio *m, u32 off) { return m->ops->rd32(m, off); }
static inline u64 rd64(struct mmio *m, u32 off) { return m->ops->rd64(m, off); }
static inline void wr32(struct mmio *m, u32 off, u32 v) { m->ops->wr32(m, off, v); }
static inline void wr64(struct mmio *m, u32 off, u64 v) { m->ops->wr64(m, off, v); }
/* Map device registers uncached, for ever. Errors: -ENOMEM, -EINVAL (RAM, or not page aligned). */
int must_check arch_mmio_map(struct mmio *m, paddr_t pa, u64 size);
/* Uncached kernel view of [pa, pa+size), for ever; NULL when out of memory. ECAM and BAR access. */
volatile void *arch_map_uncached(paddr_t pa, u64 size);

u8 arch_in8(u16 port);
u16 arch_in16(u16 port);
u32 arch_in32(u16 port);
void arch_out8(u16 port, u8 v);
void arch_out16(u16 port, u16 v);
void arch_out32(u16 port, u32 v);
/* The same, and device memory, by size: 1, 2 or 4 bytes. */
static inline u32 arch_in(u16 port, unsigned size)
{
	return size == 1 ? arch_in8(port) : size == 2 ? arch_in16(port) : arch_in32(port);
}
static inline void arch_out(u16 port, unsigned size, u32 v)
{
	if (size == 1)
		arch_out8(port, (u8)v);
	else if (size == 2)
		arch_out16(port, (u16)v);
	else
		arch_out32(port, v);
}
static inline u32 arch_mmio_in(volatile void *p, unsigned size)
{
	return size == 1 ? *(volatile u8 *)p : size == 2 ? *(volatile u16 *)p : *(volatile u32 *)p;
}
static inline void arch_mmio_out(volatile void *p, unsigned size, u32 v)
{
	if (size == 1)
		*(volatile u8 *)p = (u8)v;
	else if (size == 2)
		*(volatile u16 *)p = (u16)v;
	else
		*(volatile u32 *)p = v;
}

/* Write back [p, p+n) from the CPU's caches to memory (CLFLUSHOPT/CLFLUSH, then a fence): for table
 * readers that do not snoop. */
void arch_cache_flush(const void *p, size_t n);
/* void arch_wmb(void): order stores before a later MMIO write that makes a device read them. */

/* ---- CPUs, interrupt flag, time -------------------------------------------------------------*/
/* unsigned arch_cpu_id(void): 0 .. arch_cpu_count()-1 */
unsigned arch_cpu_count(void); /* CPUs that are up */
u32 arch_cpu_apic_id(unsigned cpu);
bool arch_x2apic(void); /* the CPUs' APICs run in x2APIC mode */
void arch_x2apic_forbid(const char *why); /* before arch_init() */
/* bool arch_irq_save(void): interrupts off; returns whether they were on. void arch_irq_restore(bool on). */
void arch_cpu_relax(void);
void arch_cpu_idle(void); /* with interrupts off: enable, halt, and come back with them off */
u64 arch_tsc(void);
u64 arch_now_ns(void);          /* monotonic, from the TSC */
u64 arch_wallclock_ns(void);    /* since 1970, from the RTC at boot */
void arch_delay_us(u64 us);     /* busy wait */
/* Ask for timer upcall on this CPU at or after `ns` (arch_now_ns scale); ~0 = none. */
void arch_timer_set(u64 ns);
bool arch_random(u64 *out);     /* RDRAND; false if absent or failing */

/* Run fn(arg) on every other CPU (interrupts off there) and wait until all have. May be called
 * with interrupts on or off (a waiting CPU serves others' requests); not from a fn. A CPU that
 * does not answer within five seconds is a panic: we could not prove that nobody uses stale state. */
void arch_ipi_all(void (*fn)(void *arg), void *arg);
/* Make that CPU pass through its interrupt return soon (rescheduling, leaving a guest). */
void arch_ipi_kick(unsigned cpu);

/* One pointer per CPU for the scheduler (its current thread); NULL until set. From the first line of
 * kernel_main on, in any context. void *arch_percpu_get(void). */
void arch_percpu_set(void *p);

/* ---- device interrupts ----------------------------------------------------------------------*/
struct irq {
	void (*handler)(void *arg); /* interrupts off, EOI given after it returns; does not sleep */
	void *arg;
	unsigned cpu; /* target, set by arch_irq_alloc */
	u8 vector;    /* on that CPU */
	u64 count;
};
/* Take a vector on CPU `cpu`. -ENOSPC when that CPU has none left. */
int must_check arch_irq_alloc(struct irq *irq, unsigned cpu);
/* Give it back. After return the handler does not run and will not. Waits one round of IPIs. */
void arch_irq_free(struct irq *irq);
/* IOAPIC redirection entries hold remappable-format messages (VT-d 5.1.5): the iommu fills in
 * `handle`; arch masks every pin at start. Lines are found by global system interrupt. */
int must_check arch_ioapic_route(u32 gsi, u16 irte_handle, u8 vector, bool level, bool low, bool masked);
/* Only the mask of a routed pin. Any context. */
void arch_ioapic_mask(u32 gsi, bool masked);
/* The id of the IOAPIC that has this line, level-triggered. -ENXIO: none; -EINVAL: firmware says it is an edge. */
int must_check arch_ioapic_find(u32 gsi);

/* ---- contexts -------------------------------------------------------------------------------
 * A context is a saved kernel stack pointer. A new one starts in fn(arg) on its own stack with
 * the interrupt flag as the switch left it; fn never returns. */
struct arch_context {
	void *sp;
};
void arch_context_init(struct arch_context *c, void *stack_top, void (*fn)(void *), void *arg);
void arch_context_switch(struct arch_context *from, const struct arch_context *to);

/* A thread's kernel stack: ARCH_KSTACK_SIZE bytes with an unmapped page below, returned by its lowest
 * address; NULL when out of memory. A freed stack keeps its pages and is given out again. */
void *arch_kstack_alloc(void);
void arch_kstack_free(void *stack);

/* Registers of a ring-3 thread, saved on entry to ring 0 at the top of its kernel stack. Names and
 * order are those of Linux's struct pt_regs. */
struct user_regs {
	u64 r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
	u64 orig_rax; /* system-call number, or the trap's error code */
	u64 rip, cs, rflags, rsp, ss;
};
/* FPU/SSE/AVX state of a ring-3 thread: saved at switch, never touched by ring 0 itself. */
#define ARCH_FPU_SIZE 4096 /* XSAVE area, 64-byte aligned; checked against CPUID at boot */
struct arch_user {
	u64 fs_base, gs_base;
	void *fpu; /* ARCH_FPU_SIZE, from the frame pool */
};
/* The program that runs here has new bases (arch_prctl): load them. */
void arch_user_load_bases(const struct arch_user *u);
/* Fill a fresh FPU area with the initial state. */
void arch_fpu_init(void *fpu);
/* Save/load the CPU's FPU registers now (a vCPU swaps the program's state for its guest's). */
void arch_fpu_save(void *fpu);
void arch_fpu_load(const void *fpu);
/* Called by the scheduler on switch: `prev`/`next` may be NULL (a pure kernel thread). kstack_top is
 * where the next entry from ring 3 starts. root: page-table root to load (0: kernel's own). */
void arch_user_switch(struct arch_user *prev, struct arch_user *next, void *kstack_top, paddr_t root);
/* Go to ring 3 with these registers; returns never (ring 3 comes back through the upcalls). The
 * registers must be at the top of the current kernel stack (kstack_top - sizeof *regs). */
void arch_user_enter(struct user_regs *regs) __attribute__((noreturn));
static inline struct user_regs *arch_user_regs(void *kstack_top)
{
	return (struct user_regs *)kstack_top - 1;
}

/* ---- upcalls: the only way up ---------------------------------------------------------------*/
enum arch_fault { ARCH_FAULT_READ = 1, ARCH_FAULT_WRITE = 2, ARCH_FAULT_EXEC = 4 };
struct arch_upcalls {
	/* System call: interrupts on. Result goes to regs->rax by the callee. */
	void (*syscall)(struct user_regs *regs);
	/* Page fault of ring 3, or of a user copy: make the page present. 0, or negative errno. May
	 * sleep when called for ring 3 or a copy (interrupts on). */
	int (*user_fault)(uaddr_t addr, unsigned access);
	/* Ring 3 did what cannot be mended: trap number of the manual (6 #UD, 13 #GP, 14 #PF, ...),
	 * `err` is what user_fault returned for #PF. Interrupts on. */
	void (*user_trap)(struct user_regs *regs, unsigned trap, u64 addr, int err);
	/* Before each return to ring 3 with interrupts off, when arch_need_resched() was asked for
	 * this CPU, or a timer or kick interrupt came: reschedule, die, deliver signals. Runs with
	 * interrupts on; is called again if asked for again meanwhile. */
	void (*return_to_user)(struct user_regs *regs);
	void (*timer)(void); /* arch_timer_set's moment has come; interrupts off */
	/* Another CPU is up and idle: become its idle thread. Never returns. */
	void (*cpu_online)(void);
};
void arch_set_upcalls(const struct arch_upcalls *up);
/* Make this CPU call return_to_user before it goes to ring 3 next. */
void arch_need_resched(void);

/* ---- user memory ----------------------------------------------------------------------------
 * 0 or -EFAULT; SMAP is lifted only inside. May sleep (faults are served). No lock that the fault
 * path takes may be held. */
int must_check copy_from_user(void *dst, uaddr_t src, size_t n);
int must_check copy_to_user(uaddr_t dst, const void *src, size_t n);
int must_check clear_user(uaddr_t dst, size_t n);
/* Compare-exchange of an aligned u32 in user memory (futex): 0, -EFAULT. */
int must_check user_load32(u32 *out, uaddr_t src);
/* String incl. NUL into dst: length without NUL, -EFAULT, or -ENAMETOOLONG. */
s64 must_check copy_string_from_user(char *dst, uaddr_t src, size_t cap);

/* ---- page tables ----------------------------------------------------------------------------*/
/* Copy the kernel half (entries 256..511) into a new process root. */
void arch_root_init(void *root_page);
/* Drop CPU translations of a process root on every CPU that may have them, and wait. len 0: all. */
void arch_tlb_flush(paddr_t root, uaddr_t va, u64 len);

/* ---- board ----------------------------------------------------------------------------------*/
void arch_init_early(struct handover *ho); /* console, GDT, IDT; no memory yet */
void arch_init(void);                      /* after frames_init: APIC, timer, IOAPIC */
void arch_start_cpus(void); /* in a thread: sleeps */
/* End: writes nothing. `code` goes to the debug-exit port when one was given, else power off/halt. */
void arch_poweroff(int code) __attribute__((noreturn));
void arch_set_debug_exit(u16 port);
/* Serial lines of the PC: n = 0..3 (COM1..COM4). */
void arch_serial_write(unsigned n, const char *s, size_t len);
size_t arch_serial_read(unsigned n, char *buf, size_t cap); /* what has come, without waiting */
/* Called by panic() after the log line: stops the other CPUs, registers, backtrace with symbols. */
void arch_panic(void) __attribute__((noreturn));
/* The panic path's first act (pci/ registers it): take bus mastering from every device. */
void arch_on_panic(void (*fn)(void));
/* One line on the CPU: vendor, model, virtualization, SMEP/SMAP/x2APIC. */
void arch_describe(char *buf, size_t n);

#endif
