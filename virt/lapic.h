/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The local interrupt controller of one vCPU: xAPIC page and x2APIC MSRs over the same registers.
 *
 * The vCPU's thread owns everything here but the IRR and TMR bits, which anybody sets at any time
 * (atomic bit operations), and the timer's callback.  What senders read of another vCPU's
 * controller (base, ID, SVR, LDR, DFR) are single words.
 */
#ifndef VIRT_LAPIC_H
#define VIRT_LAPIC_H

#include "arch/x86/apic.h"
#include "arch/x86/registers.h"
#include "kernel/thread.h"

#define LAPIC_BASE_DEFAULT 0xfee00000ull
#define LAPIC_REGS_SIZE 1024 /* as in struct kvm_lapic_state */

struct lapic;
struct lapic_ops {
	/* An interrupt has come: make the vCPU look. Any context. */
	void (*kick)(struct lapic *l);
	/* Send what was written to the command register; dest as wide as the mode has it. */
	void (*send)(struct lapic *l, u32 icr, u32 dest);
};

struct lapic {
	u32 regs[LAPIC_REGS_SIZE / 4];
	u64 base; /* IA32_APIC_BASE */
	u32 id;
	bool irr_hint; /* an IRR bit may be set */
	const struct lapic_ops *ops;
	/* Timer: due and period in ns (0: not running), deadline in the guest's TSC. */
	struct ktimer timer;
	u64 due, period, deadline;
	u64 tsc_offset;
};

void lapic_init(struct lapic *l, u32 id, const struct lapic_ops *ops);
/* As after INIT: the base register stays. */
void lapic_reset(struct lapic *l);

bool lapic_enabled(const struct lapic *l);
bool lapic_x2(const struct lapic *l);
/* Page accesses: offset below 4096, size 1..8; what is not a register reads as 0. */
u64 lapic_page_read(struct lapic *l, u32 offset, unsigned size);
void lapic_page_write(struct lapic *l, u32 offset, unsigned size, u64 value);
/* -EINVAL: the guest gets #GP. */
int must_check lapic_msr_read(struct lapic *l, u32 msr, u64 *value);
int must_check lapic_msr_write(struct lapic *l, u32 msr, u64 value);
int must_check lapic_base_write(struct lapic *l, u64 value);
/* KVM_GET_LAPIC and KVM_SET_LAPIC. */
void lapic_get_state(struct lapic *l, void *regs);
void lapic_set_state(struct lapic *l, const void *regs);

/* Set the request bit and kick; ignored while the controller is off. Any context. */
bool lapic_raise(struct lapic *l, u8 vector);
/* The vector to take now, above the processor priority; -1: none. */
int lapic_pending(struct lapic *l);
/* It is taken: request becomes service. */
void lapic_accept(struct lapic *l, u8 vector);
/* Does `dest` mean this controller? */
bool lapic_is_target(const struct lapic *l, u32 dest, bool logical);

static inline u32 lapic_reg(const struct lapic *l, u32 offset)
{
	return READ_ONCE(l->regs[offset / 4]);
}

/* Task priority as CR8 has it. */
static inline u8 lapic_cr8(const struct lapic *l)
{
	return lapic_reg(l, APIC_TPR) >> 4 & 15;
}
void lapic_set_cr8(struct lapic *l, u8 cr8);

/* lapic_timer.c */
void lapic_timer_init(struct lapic *l);
void lapic_timer_stop(struct lapic *l);
/* TMICT, TDCR or the timer's LVT have changed. */
void lapic_timer_start(struct lapic *l);
u32 lapic_timer_count(const struct lapic *l);
void lapic_timer_set_deadline(struct lapic *l, u64 deadline);
bool lapic_timer_is_deadline(const struct lapic *l);

#endif
