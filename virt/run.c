// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_RUN: finish what the VMM answered, then enter the guest again and again until something needs
 * the VMM, or a signal comes.
 *
 * Before each entry, with interrupts off: in_guest is set, and only then is looked for work (requests,
 * interrupts, nested tables that have lost something). Whoever makes work does it first and then
 * looks at in_guest: so the vCPU sees the work, or is sent an IPI, which ends its stay in the guest
 * at once since it cannot be taken before.
 */
#include "virt/vm.h"

#define STARTUP_SHIFT 12

/* Order a store before later loads. */
static void full_fence(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void vcpu_kick(struct vcpu *v)
{
	full_fence();
	if (READ_ONCE(v->blocked))
		waitq_wake_all(&v->wait);
	else if (READ_ONCE(v->in_guest))
		arch_ipi_kick(READ_ONCE(v->cpu));
}

void vcpu_request(struct vcpu *v, u32 request)
{
	__atomic_fetch_or(&v->requests, request, __ATOMIC_SEQ_CST);
	vcpu_kick(v);
}

static void lapic_kick(struct lapic *l)
{
	vcpu_kick(container_of(l, struct vcpu, lapic));
}

static void lapic_send(struct lapic *l, u32 icr, u32 dest)
{
	irq_send(container_of(l, struct vcpu, lapic), icr, dest);
}

const struct lapic_ops vcpu_lapic_ops = { .kick = lapic_kick, .send = lapic_send };

/* INIT, and the STARTUP after it: SDM 3, 9.4; the boot CPU starts over at the reset vector. */
static void requests_take(struct vcpu *v)
{
	u32 requests = __atomic_exchange_n(&v->requests, 0, __ATOMIC_SEQ_CST);

	if (requests & VCPU_REQUEST_INIT) {
		virt_ops->reset(v->arch);
		lapic_reset(&v->lapic);
		v->mp_state = v->id == 0 ? KVM_MP_STATE_RUNNABLE : KVM_MP_STATE_INIT_RECEIVED;
	}
	if ((requests & VCPU_REQUEST_STARTUP) && v->mp_state == KVM_MP_STATE_INIT_RECEIVED) {
		struct vcpu_sregs s;
		u8 vector = READ_ONCE(v->startup_vector);

		virt_ops->get_sregs(v->arch, &s);
		s.seg[SEG_CS].selector = (u16)(vector << 8);
		s.seg[SEG_CS].base = (u64)vector << STARTUP_SHIFT;
		if (virt_ops->set_sregs(v->arch, &s))
			return;
		v->arch->rip = 0;
		v->mp_state = KVM_MP_STATE_RUNNABLE;
	}
}

static bool may_run(struct vcpu *v)
{
	if (READ_ONCE(v->vm->closed))
		return true;
	if (READ_ONCE(v->requests))
		requests_take(v);
	/* Halted with interrupts off, only INIT ends it. */
	if (v->mp_state == KVM_MP_STATE_HALTED && (v->arch->rflags & RFLAGS_IF) &&
	    lapic_pending(&v->lapic) >= 0)
		v->mp_state = KVM_MP_STATE_RUNNABLE;
	return v->mp_state == KVM_MP_STATE_RUNNABLE;
}

/* Halted, or not started: sleep. 0 or -EINTR. */
static int block(struct vcpu *v)
{
	int r;

	WRITE_ONCE(v->blocked, true);
	full_fence();
	r = wait_event(&v->wait, may_run(v), WAIT_FOREVER);
	WRITE_ONCE(v->blocked, false);
	return r;
}

/* Give the guest the interrupt that is due, or ask to be told when it can take it. */
static void inject_interrupt(struct vcpu *v)
{
	int vector = lapic_pending(&v->lapic);
	bool window = vector >= 0;

	if (vector >= 0 && vcpu_interruptible(v->arch)) {
		lapic_accept(&v->lapic, (u8)vector);
		v->arch->event = vcpu_interrupt((u8)vector);
		window = lapic_pending(&v->lapic) >= 0;
	}
	v->arch->window = window;
}

/* Once into the guest and out. Interrupts are off. false: there is other work first. */
static bool enter(struct vcpu *v)
{
	struct vm *vm = v->vm;
	u32 generation;

	WRITE_ONCE(v->cpu, arch_cpu_id()); /* before in_guest: a kicker reads them the other way round */
	WRITE_ONCE(v->in_guest, true);
	full_fence();
	if (READ_ONCE(v->requests) || READ_ONCE(vm->closed)) {
		WRITE_ONCE(v->in_guest, false);
		return false;
	}
	generation = READ_ONCE(vm->flush_generation);
	if (generation != v->flushed) {
		v->flushed = generation;
		v->arch->flush = true;
	}
	if (vm->irqchip) {
		v->arch->cr8 = lapic_cr8(&v->lapic);
		inject_interrupt(v);
	}
	virt_ops->run(v->arch);
	WRITE_ONCE(v->in_guest, false);
	return true;
}

/* Until the VMM is needed. 0: kvm_run is filled in; negative errno. */
static int run_guest(struct vcpu *v)
{
	int r = 1;

	while (r > 0) {
		bool entered = false, on;

		if (!may_run(v) && block(v))
			return -EINTR;
		if (READ_ONCE(v->vm->closed))
			return -EIO;
		on = arch_irq_save();
		if (!thread_must_yield())
			entered = enter(v);
		arch_irq_restore(on); /* the host interrupt that ended the stay comes here */
		if (entered)
			r = vcpu_exit_handle(v);
		if (r > 0 && (!entered || v->arch->exit.kind == VCPU_EXIT_INTERRUPT)) {
			resched_point();
			if (thread_interrupted())
				return -EINTR;
		}
	}
	return r;
}

/* 1: the guest may go on. */
static int pending_complete(struct vcpu *v)
{
	enum vcpu_pending pending = v->pending;
	int r = 1;

	/* A VMM that has moved RIP has given the instruction up. */
	if (v->arch->rip != v->pending_rip)
		pending = PENDING_NONE;
	if (pending == PENDING_MMIO_READ || pending == PENDING_MMIO_WRITE)
		r = mmio_complete(v);
	else if (pending != PENDING_NONE)
		r = io_complete(v);
	/* An instruction with two accesses has set the next one. */
	if (r > 0)
		v->pending = PENDING_NONE;
	return r;
}

static void fpu_swap(void *out, const void *in)
{
	bool on = arch_irq_save();

	arch_fpu_save(out);
	arch_fpu_load(in);
	arch_irq_restore(on);
}

static void run_fill(struct vcpu *v)
{
	struct kvm_run *run = v->run;

	run->if_flag = (v->arch->rflags & RFLAGS_IF) != 0;
	run->cr8 = v->vm->irqchip ? lapic_cr8(&v->lapic) : v->arch->cr8;
	run->apic_base = v->lapic.base;
	run->flags = 0;
	v->pending_rip = v->arch->rip;
	run->ready_for_interrupt_injection = v->vm->irqchip || vcpu_interruptible(v->arch);
}

s64 vcpu_run(struct vcpu *v, void *, u64 arg)
{
	int r;

	if (arg)
		return -EINVAL;
	v->run->exit_reason = KVM_EXIT_UNKNOWN;
	r = pending_complete(v);
	if (r > 0 && READ_ONCE(v->run->immediate_exit))
		r = -EINTR;
	if (r > 0) {
		fpu_swap(v->user_fpu, v->guest_fpu);
		r = run_guest(v);
		fpu_swap(v->guest_fpu, v->user_fpu);
		if (r == -EINTR)
			v->run->exit_reason = KVM_EXIT_INTR;
	}
	run_fill(v);
	return r;
}
