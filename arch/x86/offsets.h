/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Numbers that assembly and C must agree on: selectors, offsets into struct percpu (asserted in
 * percpu.h) and struct user_regs. Preprocessor lines only, so that both may include it.
 */
#ifndef ARCH_X86_OFFSETS_H
#define ARCH_X86_OFFSETS_H

/* Selectors; ring 3 sees those of Linux. SYSCALL and SYSRET fix their order (SDM 5.8.8). */
#define SEL_KCODE 0x10
#define SEL_KDATA 0x18
#define SEL_UDATA 0x2b
#define SEL_UCODE 0x33
#define SEL_TSS 0x40

#define PERCPU_SELF 0
#define PERCPU_SLOT 8
#define PERCPU_KSTACK_TOP 16
#define PERCPU_USER_RSP 24
#define PERCPU_USER_WORK 32
#define PERCPU_CPU_ID 36

#define REGS_R11 48
#define REGS_RCX 88
#define REGS_RAX 80
#define REGS_RDI 112
#define REGS_ORIG_RAX 120
#define REGS_RIP 128
#define REGS_CS 136
#define REGS_RFLAGS 144
#define REGS_RSP 152
#define REGS_SS 160
#define REGS_SIZE 168

/* Interrupt stacks (SDM 6.14.5), index in the TSS. */
#define IST_DOUBLE_FAULT 1
#define IST_NMI 2
#define IST_MACHINE_CHECK 3
#define IST_DEBUG 4
#define IST_COUNT 4

#define ENTRY_MSR_GS_BASE 0xc0000101

#endif
