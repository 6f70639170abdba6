// SPDX-License-Identifier: GPL-2.0-only
/*
 * Port I/O: every port belongs to the VMM. IN, OUT and their string forms leave to it with their
 * data in the second page of the shared area; the instruction is finished at the next KVM_RUN.
 *
 * A string instruction leaves with as many elements as fit into the page, counts RCX down by that, and
 * runs again until RCX is 0.
 */
#include "virt/vm.h"

static int io_leave(struct vcpu *v, enum vcpu_pending pending)
{
	const struct io_state *io = &v->io;

	v->pending = pending;
	v->run->exit_reason = KVM_EXIT_IO;
	v->run->io.direction = pending == PENDING_OUT ? KVM_EXIT_IO_OUT : KVM_EXIT_IO_IN;
	v->run->io.size = io->size;
	v->run->io.port = io->port;
	v->run->io.count = io->count;
	v->run->io.data_offset = PAGE_SIZE;
	return 0;
}

static u64 reg_of_size(const struct vcpu *v, enum vcpu_gpr reg, unsigned size)
{
	return v->arch->gpr[reg] & insn_mask(size);
}

static void reg_add(struct vcpu *v, enum vcpu_gpr reg, unsigned size, s64 n)
{
	insn_reg_write(v->arch->gpr, reg, size, false, v->arch->gpr[reg] + (u64)n);
}

static int string_exit(struct vcpu *v, bool in)
{
	struct io_state *io = &v->io;
	enum vcpu_gpr reg = in ? GPR_RDI : GPR_RSI;
	unsigned source = SEG_DS;
	struct insn_prefixes p;
	struct guest_fault f;
	struct guest_code c;
	u64 count = 1;
	gpa_t gpa;
	int r;

	/* The CPU need not tell the segment of OUTS and the size of addresses. */
	guest_fetch(v, &c);
	if (!c.n)
		return vcpu_emulation_error(v);
	insn_prefixes(&p, c.byte, c.n, c.mode.bits);
	if (p.seg != INSN_NO_REG)
		source = p.seg;
	io->addr_size = insn_addr_size(&p, c.mode.bits);
	if (io->rep)
		count = reg_of_size(v, GPR_RCX, io->addr_size);
	if (!count) {
		vcpu_skip(v->arch, io->next_rip);
		return 1;
	}
	io->linear = guest_linear(v, &c.mode, in ? SEG_ES : source, reg_of_size(v, reg, io->addr_size));
	io->count = 1;
	/* Upward, up to the end of the guest's page. */
	if (!(v->arch->rflags & RFLAGS_DF))
		io->count = (u32)MAX(1, MIN(count, (PAGE_SIZE - (io->linear & (PAGE_SIZE - 1))) / io->size));
	/* Reading consumes: make sure of the destination first. */
	r = in ? guest_translate(v, &c.mode, io->linear, true, &gpa, &f)
	       : guest_copy(v, &c.mode, io->linear, v->port_data, io->count * io->size, false, &f);
	if (r)
		return vcpu_access_error(v, r, &f);
	return io_leave(v, in ? PENDING_INS : PENDING_OUT);
}

int io_exit(struct vcpu *v)
{
	const struct vcpu_exit *e = &v->arch->exit;

	v->io = (struct io_state){
		.port = e->io.port, .size = e->io.size, .rep = e->io.rep,
		.count = 1, .next_rip = e->next_rip,
	};
	if (e->io.string)
		return string_exit(v, e->io.in);
	if (e->io.in)
		return io_leave(v, PENDING_IN);
	memcpy(v->port_data, &v->arch->gpr[GPR_RAX], 4);
	return io_leave(v, PENDING_OUT);
}

static void string_advance(struct vcpu *v, enum vcpu_gpr reg)
{
	const struct io_state *io = &v->io;
	s64 step = (s64)io->count * io->size;

	reg_add(v, reg, io->addr_size, v->arch->rflags & RFLAGS_DF ? -step : step);
	if (io->rep)
		reg_add(v, GPR_RCX, io->addr_size, -(s64)io->count);
	if (!io->rep || !reg_of_size(v, GPR_RCX, io->addr_size))
		vcpu_skip(v->arch, io->next_rip);
}

int io_complete(struct vcpu *v)
{
	const struct io_state *io = &v->io;
	struct guest_fault f;
	struct vcpu_mode m;
	u64 value = 0;

	if (v->pending == PENDING_INS) {
		virt_ops->get_mode(v->arch, &m);
		if (guest_copy(v, &m, io->linear, v->port_data, io->count * io->size, true, &f))
			return vcpu_emulation_error(v);
		string_advance(v, GPR_RDI);
		return 1;
	}
	if (v->pending == PENDING_OUT && io->addr_size) {
		string_advance(v, GPR_RSI);
		return 1;
	}
	if (v->pending == PENDING_IN) {
		memcpy(&value, v->port_data, io->size);
		insn_reg_write(v->arch->gpr, GPR_RAX, io->size, false, value);
	}
	vcpu_skip(v->arch, io->next_rip);
	return 1;
}
