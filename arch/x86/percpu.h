/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What each CPU owns. Its GS base points here whenever ring 0 runs (ring 3's base is then in
 * KERNEL_GS_BASE). A CPU writes its own block with interrupts off; others write only ipi_pending
 * and `irq` (atomically) and read root/next_root.
 */
#ifndef ARCH_X86_PERCPU_H
#define ARCH_X86_PERCPU_H

#include "arch/x86/arch.h"
#include "arch/x86/offsets.h"

#define VECTOR_DEVICE_FIRST 0x30
#define VECTOR_DEVICE_LAST 0xef
#define VECTOR_DEVICES (VECTOR_DEVICE_LAST - VECTOR_DEVICE_FIRST + 1)
#define VECTOR_TIMER 0xf0
#define VECTOR_CALL 0xf1
#define VECTOR_KICK 0xf2
#define VECTOR_APIC_ERROR 0xfe
#define VECTOR_SPURIOUS 0xff

#define IST_STACK_SIZE 8192
#define GDT_ENTRIES 10

struct tss { /* SDM 8.7 */
	u32 reserved0;
	u64 rsp[3];
	u64 reserved1;
	u64 ist[7];
	u64 reserved2;
	u16 reserved3, iomap_base;
} __attribute__((packed));
_Static_assert(sizeof(struct tss) == 104, "SDM 8.7");

struct percpu {
	struct percpu *self;
	void *slot;      /* arch_percpu_get/set */
	u64 kstack_top;  /* where the next entry from ring 3 starts; also tss.rsp[0] */
	u64 user_rsp;    /* scratch of the syscall entry */
	u32 user_work;   /* return_to_user is asked for */
	u32 cpu_id;
	u32 apic_id;
	u32 ipi_pending; /* a request in the mailbox (ipi.c) waits for this CPU */
	paddr_t root, next_root; /* page table that is loaded / being loaded (tlb.c) */
	u64 timer_due;   /* arch_now_ns scale; ~0: no timer asked for */
	const struct user_regs *trap_regs; /* innermost fatal trap, for the panic */
	struct irq *irq_running;
	struct irq *irq[VECTOR_DEVICES];
	u64 spurious;    /* interrupts without a handler */
	u64 gdt[GDT_ENTRIES];
	struct tss tss;
	/* What an entry on an IST finds at the top of that stack: its CPU, whatever GS holds. */
	u8 *ist_stack[IST_COUNT];
};
_Static_assert(offsetof(struct percpu, self) == PERCPU_SELF, "offsets.h");
_Static_assert(offsetof(struct percpu, slot) == PERCPU_SLOT, "offsets.h");
_Static_assert(offsetof(struct percpu, kstack_top) == PERCPU_KSTACK_TOP, "offsets.h");
_Static_assert(offsetof(struct percpu, user_rsp) == PERCPU_USER_RSP, "offsets.h");
_Static_assert(offsetof(struct percpu, user_work) == PERCPU_USER_WORK, "offsets.h");
_Static_assert(offsetof(struct percpu, cpu_id) == PERCPU_CPU_ID, "offsets.h");
_Static_assert(offsetof(struct user_regs, r11) == REGS_R11, "offsets.h");
_Static_assert(offsetof(struct user_regs, rcx) == REGS_RCX, "offsets.h");
_Static_assert(offsetof(struct user_regs, rax) == REGS_RAX, "offsets.h");
_Static_assert(offsetof(struct user_regs, rdi) == REGS_RDI, "offsets.h");
_Static_assert(offsetof(struct user_regs, rip) == REGS_RIP, "offsets.h");
_Static_assert(sizeof(struct user_regs) == REGS_SIZE, "offsets.h");

static inline struct percpu *percpu_this(void)
{
	struct percpu *p;

	__asm__ volatile("movq %%gs:0,%0" : "=r"(p));
	return p;
}
/* The block of CPU n; NULL when there is no such CPU. */
extern struct percpu *percpu_of[ARCH_MAX_CPUS];

#endif
