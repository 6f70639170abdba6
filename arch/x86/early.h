/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of arch/x86 offer each other: set-up steps in the order of their calls, and the few
 * functions that more than one file needs. Private to arch/x86.
 */
#ifndef ARCH_X86_EARLY_H
#define ARCH_X86_EARLY_H

#include "arch/x86/percpu.h"
#include "arch/x86/x86.h"

/* ---- what the CPU can (cpu.c) ----------------------------------------------------------------*/
struct cpu_features {
	bool nx, smep, smap, umip, pge, gb_pages, xsave, xsaveopt, x2apic, tsc_deadline, rdrand;
	bool clflush, clflushopt, svm, vmx, hypervisor, invariant_tsc;
	u8 phys_bits;
	u32 clflush_line;
	u64 xcr0;      /* 0: FXSAVE only */
	u32 fpu_size;  /* bytes that the save area needs */
	char vendor[13], model[49];
};
extern struct cpu_features cpu;
void cpu_detect(void);    /* once, on the boot CPU */
void cpu_patch_smap(void); /* CLAC/STAC where they are NOPs; before the text is read-only */
void cpu_enable(void);    /* CR0, CR4, EFER, XCR0, syscall MSRs of this CPU */

/* ---- early console (serial.c), last words (panic.c) ------------------------------------------*/
void serial_init(void);
/* Before there is a log: one line on COM1, then halt. */
void early_fail(const char *why) __attribute__((noreturn));

/* ---- descriptor tables (gdt.c, idt.c) --------------------------------------------------------*/
extern struct percpu percpu_boot;
/* Load GDT, TSS, IDT and GS base of this CPU from its block. */
void gdt_load(struct percpu *p);
void idt_load(void);
void gdt_set_kstack(struct percpu *p, u64 top);

/* ---- page tables (paging.c, kmap.c, tlb.c) ---------------------------------------------------*/
extern u64 image_phys_delta; /* physical = virtual - KERNEL_VMA + this */
void paging_init(void);
extern paddr_t paging_root;
extern paddr_t trampoline_page; /* below 1 MiB; 0: none, one CPU only */
extern paddr_t trampoline_root; /* below 4 GiB: kernel half, and that page one to one */
/* Map into the kernel half; flags as PTE bits. -ENOMEM. */
int must_check paging_map(u64 va, paddr_t pa, u64 len, u64 flags);
void tlb_load_root(struct percpu *p, paddr_t root);

/* ---- traps (trap.c), user copies (user_access.S) -------------------------------------------------*/
extern struct arch_upcalls upcalls;
void trap_print_regs(const struct user_regs *regs);

/* ---- APIC, IPIs, clock -----------------------------------------------------------------------*/
void apic_init(bool boot_cpu);
void apic_enter_x2apic(void); /* boot CPU, if it is to run so */
void apic_eoi(void);
u32 apic_read_id(void);
void apic_send(u32 apic_id, u32 icr_low);
#define ICR_FIXED(vector) (vector)
#define ICR_NMI 0x400u
#define ICR_INIT 0x4500u
#define ICR_STARTUP(page) (0x4600u | (page))
void apic_timer_init(void);
bool apic_timer_expired(struct percpu *p); /* its interrupt came: is it time? */
void apic_set_timer_hz(u64 hz);
u32 apic_timer_read(void);
void apic_timer_start_raw(u32 count);
u64 clock_ns_to_tsc(u64 ns);
void clock_init_early(void);
void clock_init(void); /* calibrates TSC and APIC timer */
void pic_disable(void);
void ioapic_init(void);
void ipi_serve(void);
/* Run fn(arg) on the CPUs of the set (never the caller), wait for all. */
void ipi_mask(u64 cpus, void (*fn)(void *arg), void *arg);
void ipi_stop_others(void); /* panic: NMI */
extern u64 cpus_online; /* bit per CPU */
void irq_dispatch(struct percpu *p, unsigned vector);
extern bool panic_stopping;

void fpu_enable(void);

#endif
