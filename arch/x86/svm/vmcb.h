/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The virtual machine control block as the CPU reads and writes it: AMD64 manual volume 2,
 * appendix B (layout), 15.6 to 15.21 (meaning), appendix C (exit codes).
 */
#ifndef ARCH_X86_SVM_VMCB_H
#define ARCH_X86_SVM_VMCB_H

#include "arch/x86/vcpu.h"

struct vmcb {
	/* Control area */
	u32 intercept[6]; /* a bit for each exit code */
	u8 reserved0[0x040 - 0x018];
	u64 iopm_base;
	u64 msrpm_base;
	u64 tsc_offset;
	u32 asid;
	u32 tlb_control;
	u64 vintr;
	u64 shadow;
	u64 exit_code;
	u64 exit_info1;
	u64 exit_info2;
	u64 exit_int_info;
	u64 nested_control;
	u8 reserved1[0x0a8 - 0x098];
	u64 event_inject;
	u64 nested_cr3;
	u64 lbr_control;
	u64 clean;
	u64 next_rip;
	u8 reserved2[0x400 - 0x0d0];
	/* State-save area */
	struct vcpu_segment seg[SEG_COUNT];
	u8 reserved3[0x4cb - 0x4a0];
	u8 cpl;
	u32 reserved4;
	u64 efer;
	u8 reserved5[0x548 - 0x4d8];
	u64 cr4, cr3, cr0, dr7, dr6, rflags, rip;
	u8 reserved6[0x5d8 - 0x580];
	u64 rsp;
	u8 reserved7[0x5f8 - 0x5e0];
	u64 rax, star, lstar, cstar, sfmask, kernel_gs_base, sysenter_cs, sysenter_esp, sysenter_eip;
	u64 cr2;
	u8 reserved8[0x668 - 0x648];
	u64 pat;
	u64 debug_control;
	u8 reserved9[0x1000 - 0x678];
};
_Static_assert(sizeof(struct vmcb) == 4096, "APM 2, 15.5.1");
_Static_assert(offsetof(struct vmcb, iopm_base) == 0x040, "APM 2, table B-1");
_Static_assert(offsetof(struct vmcb, asid) == 0x058, "APM 2, table B-1");
_Static_assert(offsetof(struct vmcb, vintr) == 0x060, "APM 2, table B-1");
_Static_assert(offsetof(struct vmcb, exit_code) == 0x070, "APM 2, table B-1");
_Static_assert(offsetof(struct vmcb, exit_int_info) == 0x088, "APM 2, table B-1");
_Static_assert(offsetof(struct vmcb, event_inject) == 0x0a8, "APM 2, table B-1");
_Static_assert(offsetof(struct vmcb, clean) == 0x0c0, "APM 2, table B-1");
_Static_assert(offsetof(struct vmcb, seg[SEG_TR]) == 0x490, "APM 2, table B-2");
_Static_assert(offsetof(struct vmcb, cpl) == 0x4cb, "APM 2, table B-2");
_Static_assert(offsetof(struct vmcb, efer) == 0x4d0, "APM 2, table B-2");
_Static_assert(offsetof(struct vmcb, cr4) == 0x548, "APM 2, table B-2");
_Static_assert(offsetof(struct vmcb, rip) == 0x578, "APM 2, table B-2");
_Static_assert(offsetof(struct vmcb, rsp) == 0x5d8, "APM 2, table B-2");
_Static_assert(offsetof(struct vmcb, rax) == 0x5f8, "APM 2, table B-2");
_Static_assert(offsetof(struct vmcb, cr2) == 0x640, "APM 2, table B-2");
_Static_assert(offsetof(struct vmcb, pat) == 0x668, "APM 2, table B-2");

#define VMCB_TLB_FLUSH_ALL 1 /* 15.16.1 */

/* vintr, 15.21.1 */
#define VMCB_V_TPR GENMASK(7, 0)
#define VMCB_V_IRQ BIT(8)
#define VMCB_V_INTR_PRIO GENMASK(19, 16)
#define VMCB_V_IGN_TPR BIT(20)
#define VMCB_V_INTR_MASKING BIT(24)

#define VMCB_SHADOW BIT(0)    /* 15.21.5 */
#define VMCB_NESTED_PAGING BIT(0) /* 15.25.3 */

/* exit_info1 of VMEXIT_IOIO, 15.10.2 */
#define VMCB_IO_IN BIT(0)
#define VMCB_IO_STRING BIT(2)
#define VMCB_IO_REP BIT(3)
#define VMCB_IO_SIZE GENMASK(6, 4)
#define VMCB_IO_PORT GENMASK(31, 16)

/* exit_info1 of VMEXIT_NPF, 15.25.6 */
#define VMCB_NPF_WRITE BIT(1)
#define VMCB_NPF_FETCH BIT(4)
#define VMCB_NPF_TABLE BIT(33)

/* Exit codes, appendix C. Of the refused state the CPU writes 64 bits, an emulator 32. */
#define SVM_EXIT_INVALID (-1)
enum {
	SVM_EXIT_READ_CR0 = 0x000, SVM_EXIT_WRITE_CR4 = 0x014, SVM_EXIT_WRITE_CR8 = 0x018,
	SVM_EXIT_READ_DR0 = 0x020, SVM_EXIT_WRITE_DR15 = 0x03f,
	SVM_EXIT_EXCEPTION = 0x040,
	SVM_EXIT_INTR = 0x060, SVM_EXIT_NMI, SVM_EXIT_SMI, SVM_EXIT_INIT, SVM_EXIT_VINTR,
	SVM_EXIT_RDPMC = 0x06f, SVM_EXIT_CPUID = 0x072, SVM_EXIT_INVD = 0x076, SVM_EXIT_HLT = 0x078,
	SVM_EXIT_INVLPGA = 0x07a, SVM_EXIT_IOIO, SVM_EXIT_MSR, SVM_EXIT_TASK_SWITCH,
	SVM_EXIT_FERR_FREEZE, SVM_EXIT_SHUTDOWN,
	SVM_EXIT_VMRUN = 0x080, SVM_EXIT_VMMCALL, SVM_EXIT_VMLOAD, SVM_EXIT_VMSAVE, SVM_EXIT_STGI,
	SVM_EXIT_CLGI, SVM_EXIT_SKINIT, SVM_EXIT_RDTSCP, SVM_EXIT_ICEBP, SVM_EXIT_WBINVD,
	SVM_EXIT_MONITOR, SVM_EXIT_MWAIT, SVM_EXIT_MWAIT_ARMED, SVM_EXIT_XSETBV, SVM_EXIT_RDPRU,
	SVM_EXIT_NPF = 0x400,
};

#endif
