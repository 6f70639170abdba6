/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A tiny machine for the KVM tests: 8 MiB of memory at guest address 0, one vCPU, and guests that
 * are some lines of assembly, copied to CODE_GPA. The programs run on Linux and on Postern.
 */
#ifndef PROGRAMS_KVM_H
#define PROGRAMS_KVM_H

#include <linux/kvm.h>
#include <stdint.h>

#define CODE_GPA 0x1000u
#define IDT_GPA 0x2000u
#define TABLES_GPA 0x10000u /* page tables of long mode, six pages */
#define STACK_GPA 0x9000u
#define DATA_GPA 0x20000u
#define MEMORY_SIZE 0x800000u
#define MMIO_GPA 0xd0000000u
#define DONE_PORT 0xf4

struct machine {
	int kvm, vm, vcpu;
	struct kvm_run *run;
	uint8_t *memory; /* 2 MiB aligned */
};

/* Guest code between two labels of a top-level asm block. */
#define GUEST(bits, name, text)                                                          \
	__asm__(".pushsection .rodata\n.code" #bits "\n" #name "_start:\n" text            \
		"\n" #name "_end:\n.code64\n.popsection");                                 \
	extern const uint8_t name##_start[], name##_end[]
/* The guest's last word: a byte in AL to DONE_PORT. */
#define GUEST_DONE "mov $0x5a, %al\n outb %al, $0xf4\n"

void machine_create(struct machine *m, int irqchip);
void machine_destroy(struct machine *m);
int machine_add_vcpu(struct machine *m, unsigned int id, struct kvm_run **run);
int machine_slot(const struct machine *m, uint32_t slot, uint32_t flags, uint64_t gpa, uint64_t size,
		 const void *host);
/* A vCPU of the machine at the code, in real mode, or in long mode with 4 GiB mapped one to one. */
void machine_start_real(struct machine *m, const uint8_t *code, const uint8_t *end);
void machine_start_long(struct machine *m, const uint8_t *code, const uint8_t *end);
/* An interrupt gate of long mode. */
void machine_gate(struct machine *m, unsigned int vector, uint64_t handler);
/* KVM_RUN: the exit reason, or -errno. */
int machine_run(struct machine *m);
/* The same, and again after EINTR; the byte written to DONE_PORT + 256, other exits as they are. */
int machine_run_done(struct machine *m);
#define DONE (256 + 0x5a)

static inline uint8_t *machine_io(struct machine *m)
{
	return (uint8_t *)m->run + m->run->io.data_offset;
}

#endif
