/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The interrupt descriptor table: exceptions end the guest with a line that says where; interrupts
 * go to the handler registered for their vector. Handlers run with interrupts off and are ended with
 * one EOI here.
 */
#include <stdio.h>

#include "guest_tests/unikernel/lib/trap_vectors.h"
#include "guest_tests/unikernel/lib/unikernel.h"

#define CODE_SELECTOR	0x08
#define GATE_INTERRUPT	0x8e00		/* present, ring 0, 64-bit interrupt gate */
#define STATUS_TRAP	70

/* Intel SDM 3A, 6.14.1 */
struct gate {
	uint16_t offset_low;
	uint16_t selector;
	uint16_t flags;
	uint16_t offset_mid;
	uint32_t offset_high;
	uint32_t reserved;
};

_Static_assert(sizeof(struct gate) == 16, "64-bit gate");

/* As traps.S pushes it. */
struct trap_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
	uint64_t vector, error, rip, cs, rflags, rsp, ss;
};

struct table_pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

static struct gate idt[TRAP_VECTORS];
static struct {
	void (*handler)(void *);
	void *arg;
} irqs[TRAP_VECTORS];
static unsigned int next_vector = VECTOR_DEVICE_FIRST;

extern uint8_t trap_stubs[];
void trap_handle(const struct trap_frame *frame);

static uint64_t fault_address(void)
{
	uint64_t value;

	__asm__ volatile("movq %%cr2, %0" : "=r"(value));
	return value;
}

void trap_handle(const struct trap_frame *frame)
{
	if (frame->vector < VECTOR_DEVICE_FIRST) {
		printf("guest: exception %u, error 0x%llx, at rip 0x%llx, rsp 0x%llx, cr2 0x%llx\n",
		       (unsigned int)frame->vector, (unsigned long long)frame->error,
		       (unsigned long long)frame->rip, (unsigned long long)frame->rsp,
		       (unsigned long long)fault_address());
		guest_exit(STATUS_TRAP);
	}
	if (frame->vector == VECTOR_SPURIOUS)
		return;			/* has no EOI: Intel SDM 3A, 11.9 */
	if (irqs[frame->vector].handler)
		irqs[frame->vector].handler(irqs[frame->vector].arg);
	lapic_eoi();
}

void irq_handler_set(unsigned int vector, void (*handler)(void *), void *arg)
{
	irqs[vector].arg = arg;
	irqs[vector].handler = handler;
}

unsigned int irq_register(void (*handler)(void *), void *arg)
{
	if (next_vector == VECTOR_DEVICE_END)
		return 0;
	irq_handler_set(next_vector, handler, arg);
	return next_vector++;
}

void trap_init(void)
{
	struct table_pointer pointer = { .limit = sizeof(idt) - 1, .base = (uintptr_t)idt };

	for (unsigned int i = 0; i < TRAP_VECTORS; i++) {
		uint64_t stub = (uintptr_t)trap_stubs + i * TRAP_STUB_BYTES;

		idt[i] = (struct gate){
			.offset_low = (uint16_t)stub,
			.selector = CODE_SELECTOR,
			.flags = GATE_INTERRUPT,
			.offset_mid = (uint16_t)(stub >> 16),
			.offset_high = (uint32_t)(stub >> 32),
		};
	}
	__asm__ volatile("lidt %0" :: "m"(pointer));
}
