// SPDX-License-Identifier: GPL-2.0-only
/*
 * Instructions on memory that is not there: device memory of the VMM, and the page of the local
 * interrupt controller. The instruction is decoded and carried out here; what the VMM must answer
 * leaves as KVM_EXIT_MMIO, one access at a time, and goes on at the next KVM_RUN:
 *
 *	start -> [read] -> operate -> [write] -> finish
 *
 * where each access in brackets may be ordinary memory, the controller, or an exit. RIP moves at the
 * end only: a step that fails is given to the VMM with RIP at the instruction.
 */
#include "virt/vm.h"

enum access_result { ACCESS_DONE, ACCESS_LEAVES, ACCESS_FAILS };

static bool is_lapic_page(const struct vcpu *v, gpa_t gpa)
{
	return v->vm->irqchip && lapic_enabled(&v->lapic) && !lapic_x2(&v->lapic) &&
	       ALIGN_DOWN(gpa, PAGE_SIZE) == LAPIC_BASE_DEFAULT;
}

static bool is_memory(struct vcpu *v, gpa_t gpa, bool write)
{
	struct slot slot;

	if (ALIGN_DOWN(gpa, PAGE_SIZE) == v->vm->slots.hole || !slots_find(&v->vm->slots, gpa, &slot))
		return false;
	return !write || !(slot.flags & KVM_MEM_READONLY);
}

static enum access_result leave(struct vcpu *v, gpa_t gpa, const u64 *value)
{
	struct kvm_run *run = v->run;

	counters_add(COUNT_MMIO);
	v->pending = value ? PENDING_MMIO_WRITE : PENDING_MMIO_READ;
	run->exit_reason = KVM_EXIT_MMIO;
	run->mmio.phys_addr = gpa;
	run->mmio.len = v->mmio.insn.size;
	run->mmio.is_write = value != NULL;
	memset(run->mmio.data, 0, sizeof(run->mmio.data));
	if (value)
		memcpy(run->mmio.data, value, v->mmio.insn.size);
	return ACCESS_LEAVES;
}

static enum access_result access(struct vcpu *v, gpa_t gpa, bool write, u64 *value)
{
	unsigned size = v->mmio.insn.size, offset = gpa & (PAGE_SIZE - 1);

	if (is_lapic_page(v, gpa)) {
		counters_add(COUNT_LAPIC);
		if (write)
			lapic_page_write(&v->lapic, offset, size, *value);
		else
			*value = lapic_page_read(&v->lapic, offset, size);
		return ACCESS_DONE;
	}
	if (is_memory(v, gpa, write))
		return slots_copy(&v->vm->slots, gpa, value, size, write) ? ACCESS_FAILS : ACCESS_DONE;
	return leave(v, gpa, write ? value : NULL);
}

static bool is_string(const struct insn *in)
{
	return in->op == INSN_MOVS || in->op == INSN_STOS;
}

/* Index registers and the count of a string instruction; RIP stays while there is more to do. */
static int finish(struct vcpu *v)
{
	const struct insn *in = &v->mmio.insn;
	u64 *gpr = v->arch->gpr;
	u64 step = v->arch->rflags & RFLAGS_DF ? -(u64)in->size : in->size;

	if (is_string(in)) {
		insn_reg_write(gpr, GPR_RDI, in->addr_size, false, gpr[GPR_RDI] + step);
		if (in->op == INSN_MOVS)
			insn_reg_write(gpr, GPR_RSI, in->addr_size, false, gpr[GPR_RSI] + step);
		if (in->rep)
			insn_reg_write(gpr, GPR_RCX, in->addr_size, false, gpr[GPR_RCX] - 1);
		if (in->rep && (gpr[GPR_RCX] & insn_mask(in->addr_size)))
			return 1;
	}
	guest_advance(v, &v->mmio.mode, in->length);
	return 1;
}

static int write_and_finish(struct vcpu *v, u64 value)
{
	switch (access(v, v->mmio.target, true, &value)) {
	case ACCESS_DONE:
		return finish(v);
	case ACCESS_LEAVES:
		return 0;
	default:
		return vcpu_emulation_error(v);
	}
}

/* The memory operand has been read. */
static int operate(struct vcpu *v, u64 memory)
{
	const struct insn *in = &v->mmio.insn;
	u64 *gpr = v->arch->gpr;
	u64 other = in->immediate ? in->imm : insn_reg_read(gpr, in->reg, in->size, in->high);
	u64 result;

	if (in->op == INSN_MOVS)
		return write_and_finish(v, memory);
	if (in->op == INSN_XCHG) {
		insn_reg_write(gpr, in->reg, in->reg_size, in->high, memory);
		return write_and_finish(v, other);
	}
	if (in->op == INSN_MOV) {
		if (in->sign && memory >> (in->size * 8 - 1) & 1)
			memory |= ~insn_mask(in->size);
		insn_reg_write(gpr, in->reg, in->reg_size, in->high, memory);
		return finish(v);
	}
	if (in->to_memory) {
		result = insn_compute(in->op, memory, other, in->size, &v->arch->rflags);
		return insn_writes(in->op) ? write_and_finish(v, result) : finish(v);
	}
	result = insn_compute(in->op, other, memory, in->size, &v->arch->rflags);
	if (insn_writes(in->op))
		insn_reg_write(gpr, in->reg, in->reg_size, in->high, result);
	return finish(v);
}

static int start(struct vcpu *v)
{
	const struct insn *in = &v->mmio.insn;
	u64 value = 0;

	if (in->to_memory && (in->op == INSN_MOV || in->op == INSN_STOS)) {
		value = in->immediate ? in->imm
				      : insn_reg_read(v->arch->gpr, in->reg, in->size, in->high);
		return write_and_finish(v, value);
	}
	switch (access(v, v->mmio.gpa, false, &value)) {
	case ACCESS_DONE:
		return operate(v, value);
	case ACCESS_LEAVES:
		return 0;
	default:
		return vcpu_emulation_error(v);
	}
}

/* Where an operand lies; accesses across a page end are not split. 0, -EFAULT: #PF, -ENXIO. */
static int locate(struct vcpu *v, unsigned seg, u64 offset, bool write, gpa_t *gpa,
		  struct guest_fault *f)
{
	u64 linear = guest_linear(v, &v->mmio.mode, seg, offset);

	if ((linear & (PAGE_SIZE - 1)) + v->mmio.insn.size > PAGE_SIZE)
		return -ENXIO;
	return guest_translate(v, &v->mmio.mode, linear, write, gpa, f);
}

static int locate_all(struct vcpu *v, struct guest_fault *f)
{
	const struct insn *in = &v->mmio.insn;
	const u64 *gpr = v->arch->gpr;
	u64 mask = insn_mask(in->addr_size);
	int r;

	if (!is_string(in)) {
		bool write = in->to_memory && insn_writes(in->op);

		r = locate(v, in->seg, insn_offset(in, gpr, v->arch->rip), write, &v->mmio.gpa, f);
		v->mmio.target = v->mmio.gpa;
		return r;
	}
	r = locate(v, SEG_ES, gpr[GPR_RDI] & mask, true, &v->mmio.target, f);
	if (!r && in->op == INSN_MOVS)
		r = locate(v, in->seg, gpr[GPR_RSI] & mask, false, &v->mmio.gpa, f);
	return r;
}

int mmio_exit(struct vcpu *v)
{
	struct guest_fault f;
	struct guest_code c;
	int r;

	if (v->arch->event) /* it came while that was delivered */
		return vcpu_internal_error(v, KVM_INTERNAL_ERROR_DELIVERY_EV);
	guest_fetch(v, &c);
	if (insn_decode(&v->mmio.insn, c.byte, c.n, c.mode.bits))
		return vcpu_emulation_error(v);
	v->mmio.mode = c.mode;
	r = locate_all(v, &f);
	return r ? vcpu_access_error(v, r, &f) : start(v);
}

int mmio_complete(struct vcpu *v)
{
	u64 value = 0;

	if (v->pending == PENDING_MMIO_WRITE)
		return finish(v);
	memcpy(&value, v->run->mmio.data, v->mmio.insn.size);
	return operate(v, value);
}
