/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Descriptor tables of each CPU: GDT with the selectors of offsets.h, a TSS with the kernel stack and
 * the interrupt stacks, and the GS base that makes the per-CPU block reachable. The I/O bitmap lies
 * beyond the TSS limit: ring 3 has no ports.
 */
#include "arch/x86/early.h"

/* The boot CPU's block and interrupt stacks stand in the image: they serve before there is memory. */
static u8 boot_ist[IST_COUNT][IST_STACK_SIZE] __attribute__((aligned(16)));
struct percpu percpu_boot = {
	.self = &percpu_boot,
	.ist_stack = { boot_ist[0], boot_ist[1], boot_ist[2], boot_ist[3] },
};
struct percpu *percpu_of[ARCH_MAX_CPUS] = { &percpu_boot };

/* SDM 3.4.5, 7.2.3 */
#define GDT_CODE64 0x00209b0000000000ull
#define GDT_DATA 0x0000930000000000ull
#define GDT_DPL3 (3ull << 45)
#define GDT_TSS64 0x0000890000000000ull

struct table_pointer {
	u16 limit;
	u64 base;
} __attribute__((packed));

static void gdt_fill(struct percpu *p)
{
	u64 tss = (u64)&p->tss;

	p->gdt[SEL_KCODE / 8] = GDT_CODE64;
	p->gdt[SEL_KDATA / 8] = GDT_DATA;
	p->gdt[SEL_UDATA / 8] = GDT_DATA | GDT_DPL3;
	p->gdt[SEL_UCODE / 8] = GDT_CODE64 | GDT_DPL3;
	p->gdt[SEL_TSS / 8] = GDT_TSS64 | (sizeof p->tss - 1) | (tss & 0xffffff) << 16 |
			      (tss >> 24 & 0xff) << 56;
	p->gdt[SEL_TSS / 8 + 1] = tss >> 32;
}

static void tss_fill(struct percpu *p)
{
	p->tss.iomap_base = sizeof p->tss;
	for (unsigned i = 0; i < IST_COUNT; i++) {
		u64 top = (u64)p->ist_stack[i] + IST_STACK_SIZE - 16;

		*(struct percpu **)top = p; /* entry.S, paranoid entries */
		p->tss.ist[i] = top;
	}
}

void gdt_load(struct percpu *p)
{
	struct table_pointer gdtr = { sizeof p->gdt - 1, (u64)p->gdt };

	gdt_fill(p);
	tss_fill(p);
	__asm__ volatile("lgdt %0\n\t"
			 "pushq %1\n\t"
			 "leaq 1f(%%rip),%%rax\n\t"
			 "pushq %%rax\n\t"
			 "lretq\n"
			 "1:\tmovl %2,%%eax\n\t"
			 "movl %%eax,%%ss\n\t"
			 "xorl %%eax,%%eax\n\t"
			 "movl %%eax,%%ds\n\t"
			 "movl %%eax,%%es\n\t"
			 "movl %%eax,%%fs\n\t"
			 "movl %%eax,%%gs\n\t"
			 "lldt %%ax\n\t"
			 "movl %3,%%eax\n\t"
			 "ltr %%ax"
			 :: "m"(gdtr), "i"(SEL_KCODE), "i"(SEL_KDATA), "i"(SEL_TSS) : "rax", "memory");
	wrmsr(MSR_FS_BASE, 0);
	wrmsr(MSR_GS_BASE, (u64)p);
	wrmsr(MSR_KERNEL_GS_BASE, 0);
}

void gdt_set_kstack(struct percpu *p, u64 top)
{
	p->kstack_top = top;
	p->tss.rsp[0] = top;
}

void arch_percpu_set(void *v)
{
	__asm__ volatile("movq %0,%%gs:%c1" :: "r"(v), "i"(PERCPU_SLOT) : "memory");
}
