// SPDX-License-Identifier: GPL-2.0-only
/*
 * Local interrupt controller: registers, requests and priorities (SDM 3, chapter 11; APM 2, 16).
 *
 * Requests may be set while the vCPU runs elsewhere. lapic_raise() sets the bit before the hint and
 * before it kicks; lapic_pending() takes the hint back before it looks at the bits: no request is
 * left unseen.
 */
#include "virt/lapic.h"

#define LAPIC_VERSION 0x00050014u /* six LVT entries, integrated */
#define SVR_VALID (GENMASK(7, 0) | SVR_ENABLE | BIT(9))
#define BASE_VALID (APIC_BASE_ADDR | APIC_BASE_ENABLE | APIC_BASE_X2 | APIC_BASE_BSP)

static void reg_set(struct lapic *l, u32 offset, u32 value)
{
	WRITE_ONCE(l->regs[offset / 4], value);
}

static u32 *vector_word(struct lapic *l, u32 bank, u8 vector)
{
	return &l->regs[(bank + vector / 32 * 16) / 4];
}

/* Highest vector whose bit is set in a bank of 256 bits, or -1. */
static int bank_highest(const struct lapic *l, u32 bank)
{
	for (int word = 7; word >= 0; word--) {
		u32 bits = lapic_reg(l, bank + (u32)word * 16);

		if (bits)
			return word * 32 + 31 - __builtin_clz(bits);
	}
	return -1;
}

static void priority_update(struct lapic *l)
{
	int in_service = bank_highest(l, APIC_ISR);
	u32 tpr = lapic_reg(l, APIC_TPR) & 0xff;
	u32 service = in_service < 0 ? 0 : (u32)in_service & 0xf0;

	reg_set(l, APIC_PPR, (tpr & 0xf0) >= service ? tpr : service);
}

bool lapic_enabled(const struct lapic *l)
{
	return READ_ONCE(l->base) & APIC_BASE_ENABLE;
}

bool lapic_x2(const struct lapic *l)
{
	return READ_ONCE(l->base) & APIC_BASE_X2;
}

/* ID and LDR depend on the mode: SDM 3, 11.12.10. */
static void id_update(struct lapic *l)
{
	if (lapic_x2(l)) {
		reg_set(l, APIC_ID, l->id);
		reg_set(l, APIC_LDR, l->id >> 4 << 16 | 1u << (l->id & 15));
	} else {
		reg_set(l, APIC_ID, l->id << 24);
	}
}

void lapic_reset(struct lapic *l)
{
	lapic_timer_stop(l);
	memset(l->regs, 0, sizeof(l->regs));
	reg_set(l, APIC_VERSION, LAPIC_VERSION);
	reg_set(l, APIC_DFR, 0xffffffff);
	reg_set(l, APIC_SVR, 0xff);
	for (u32 lvt = APIC_LVT_TIMER; lvt <= APIC_LVT_ERROR; lvt += 16)
		reg_set(l, lvt, LVT_MASKED);
	id_update(l);
}

void lapic_init(struct lapic *l, u32 id, const struct lapic_ops *ops)
{
	l->id = id;
	l->ops = ops;
	l->base = LAPIC_BASE_DEFAULT | APIC_BASE_ENABLE | (id == 0 ? APIC_BASE_BSP : 0);
	lapic_timer_init(l);
	lapic_reset(l);
}

bool lapic_raise(struct lapic *l, u8 vector)
{
	u32 bit = 1u << vector % 32;

	if (!lapic_enabled(l) || !(lapic_reg(l, APIC_SVR) & SVR_ENABLE) || vector < 16)
		return false;
	__atomic_fetch_and(vector_word(l, APIC_TMR, vector), ~bit, __ATOMIC_RELAXED);
	__atomic_fetch_or(vector_word(l, APIC_IRR, vector), bit, __ATOMIC_SEQ_CST);
	__atomic_store_n(&l->irr_hint, true, __ATOMIC_SEQ_CST);
	l->ops->kick(l);
	return true;
}

int lapic_pending(struct lapic *l)
{
	int vector;

	if (!READ_ONCE(l->irr_hint))
		return -1;
	__atomic_store_n(&l->irr_hint, false, __ATOMIC_SEQ_CST);
	vector = bank_highest(l, APIC_IRR);
	if (vector < 0)
		return -1;
	WRITE_ONCE(l->irr_hint, true);
	if (!lapic_enabled(l) || (u32)(vector & 0xf0) <= (lapic_reg(l, APIC_PPR) & 0xf0))
		return -1;
	return vector;
}

void lapic_accept(struct lapic *l, u8 vector)
{
	u32 bit = 1u << vector % 32;

	__atomic_fetch_and(vector_word(l, APIC_IRR, vector), ~bit, __ATOMIC_SEQ_CST);
	*vector_word(l, APIC_ISR, vector) |= bit;
	priority_update(l);
}

static void end_of_interrupt(struct lapic *l)
{
	int vector = bank_highest(l, APIC_ISR);

	if (vector < 0)
		return;
	*vector_word(l, APIC_ISR, (u8)vector) &= ~(1u << vector % 32);
	priority_update(l);
}

void lapic_set_cr8(struct lapic *l, u8 cr8)
{
	if (lapic_cr8(l) == cr8)
		return;
	reg_set(l, APIC_TPR, (u32)cr8 << 4);
	priority_update(l);
}

bool lapic_is_target(const struct lapic *l, u32 dest, bool logical)
{
	u32 ldr = lapic_reg(l, APIC_LDR);

	if (!lapic_enabled(l))
		return false;
	if (dest == 0xff || dest == 0xffffffff)
		return true;
	if (!logical)
		return dest == l->id;
	if (lapic_x2(l))
		return dest >> 16 == ldr >> 16 && (dest & ldr & 0xffff);
	ldr >>= 24;
	if (lapic_reg(l, APIC_DFR) >> 28 == 0xf)
		return dest & ldr; /* flat */
	return dest >> 4 == ldr >> 4 && (dest & ldr & 0xf);
}

static void svr_write(struct lapic *l, u32 value)
{
	reg_set(l, APIC_SVR, value & SVR_VALID);
	if (value & SVR_ENABLE)
		return;
	for (u32 lvt = APIC_LVT_TIMER; lvt <= APIC_LVT_ERROR; lvt += 16)
		reg_set(l, lvt, lapic_reg(l, lvt) | LVT_MASKED);
}

static void lvt_write(struct lapic *l, u32 offset, u32 value)
{
	static const u32 valid[] = { 0x700ff, 0x107ff, 0x107ff, 0x1a7ff, 0x1a7ff, 0x100ff };

	value &= valid[(offset - APIC_LVT_TIMER) / 16];
	if (!(lapic_reg(l, APIC_SVR) & SVR_ENABLE))
		value |= LVT_MASKED;
	reg_set(l, offset, value);
	if (offset == APIC_LVT_TIMER)
		lapic_timer_start(l);
}

static void icr_send(struct lapic *l, u32 icr, u32 dest)
{
	reg_set(l, APIC_ICR, icr & ~(u32)BIT(12));
	l->ops->send(l, icr, dest);
}

/* false: no such register, or not writable. */
static bool reg_write(struct lapic *l, u32 offset, u32 value)
{
	switch (offset) {
	case APIC_TPR:
		reg_set(l, APIC_TPR, value & 0xff);
		priority_update(l);
		return true;
	case APIC_EOI:
		end_of_interrupt(l);
		return true;
	case APIC_SVR:
		svr_write(l, value);
		return true;
	case APIC_ESR:
		reg_set(l, APIC_ESR, 0);
		return true;
	case APIC_LVT_TIMER:
	case APIC_LVT_THERMAL:
	case APIC_LVT_PERF:
	case APIC_LVT_LINT0:
	case APIC_LVT_LINT1:
	case APIC_LVT_ERROR:
		lvt_write(l, offset, value);
		return true;
	case APIC_TMICT:
		reg_set(l, APIC_TMICT, value);
		lapic_timer_start(l);
		return true;
	case APIC_TDCR:
		reg_set(l, APIC_TDCR, value & 0xb);
		lapic_timer_start(l);
		return true;
	default:
		return false;
	}
}

static bool reg_exists(u32 offset)
{
	static const u64 there = BIT(APIC_ID / 16) | BIT(APIC_VERSION / 16) | BIT(APIC_TPR / 16) |
				 BIT(APIC_PPR / 16) | BIT(APIC_LDR / 16) | BIT(APIC_DFR / 16) |
				 BIT(APIC_SVR / 16) | GENMASK(0x28, 0x10) | GENMASK(0x39, 0x30) |
				 BIT(APIC_TDCR / 16);

	return offset < LAPIC_REGS_SIZE && (there >> offset / 16 & 1);
}

static u32 reg_read(const struct lapic *l, u32 offset)
{
	return offset == APIC_TMCCT ? lapic_timer_count(l) : lapic_reg(l, offset);
}

u64 lapic_page_read(struct lapic *l, u32 offset, unsigned size)
{
	u32 reg = offset & ~15u;

	if (!reg_exists(reg) || (offset & 15) + size > 4)
		return 0;
	return (reg_read(l, reg) >> (offset & 3) * 8) & (~0ull >> (64 - size * 8));
}

void lapic_page_write(struct lapic *l, u32 offset, unsigned size, u64 value)
{
	u32 v = (u32)value;

	if (size < 4 || offset & 15)
		return; /* SDM 3, 11.4.1: undefined; nothing happens */
	switch (offset) {
	case APIC_LDR:
		reg_set(l, APIC_LDR, v & 0xff000000);
		break;
	case APIC_DFR:
		reg_set(l, APIC_DFR, v | 0x0fffffff);
		break;
	case APIC_ICR:
		icr_send(l, v, lapic_reg(l, APIC_ICR2) >> 24);
		break;
	case APIC_ICR2:
		reg_set(l, APIC_ICR2, v & 0xff000000);
		break;
	default:
		(void)reg_write(l, offset, v);
		break;
	}
}

int lapic_msr_read(struct lapic *l, u32 msr, u64 *value)
{
	u32 offset = (msr - MSR_X2APIC) * 16;

	if (!lapic_x2(l) || !reg_exists(offset) || offset == APIC_DFR || offset == APIC_ICR2)
		return -EINVAL;
	*value = reg_read(l, offset);
	if (offset == APIC_ICR)
		*value |= (u64)lapic_reg(l, APIC_ICR2) << 32;
	return 0;
}

int lapic_msr_write(struct lapic *l, u32 msr, u64 value)
{
	u32 offset = (msr - MSR_X2APIC) * 16;

	if (!lapic_x2(l))
		return -EINVAL;
	if (offset == APIC_ICR) {
		reg_set(l, APIC_ICR2, (u32)(value >> 32));
		icr_send(l, (u32)value, (u32)(value >> 32));
		return 0;
	}
	if (value >> 32)
		return -EINVAL;
	if (offset == APIC_SELF_IPI) {
		(void)lapic_raise(l, (u8)value);
		return 0;
	}
	if ((offset == APIC_EOI || offset == APIC_ESR) && value)
		return -EINVAL;
	return reg_write(l, offset, (u32)value) ? 0 : -EINVAL;
}

int lapic_base_write(struct lapic *l, u64 value)
{
	u64 change = value ^ l->base;

	/* x2APIC without the controller is no state; from x2APIC the only way is off. The page stays
	 * at its place: a guest that moves it gets #GP. */
	if (value & ~BASE_VALID || ALIGN_DOWN(value, PAGE_SIZE) != LAPIC_BASE_DEFAULT)
		return -EINVAL;
	if ((value & APIC_BASE_X2) && !(value & APIC_BASE_ENABLE))
		return -EINVAL;
	if (lapic_x2(l) && !(value & APIC_BASE_X2) && (value & APIC_BASE_ENABLE))
		return -EINVAL;
	if ((change & APIC_BASE_X2) && (value & APIC_BASE_X2) && !lapic_enabled(l))
		return -EINVAL;
	WRITE_ONCE(l->base, value);
	if (change & APIC_BASE_ENABLE && !(value & APIC_BASE_ENABLE))
		lapic_reset(l);
	if (change & APIC_BASE_X2)
		id_update(l);
	return 0;
}

void lapic_get_state(struct lapic *l, void *regs)
{
	reg_set(l, APIC_TMCCT, lapic_timer_count(l));
	memcpy(regs, l->regs, sizeof(l->regs));
	/* The ABI without KVM_CAP_X2APIC_API shows the ID as the page has it. */
	((u32 *)regs)[APIC_ID / 4] = l->id << 24;
}

void lapic_set_state(struct lapic *l, const void *regs)
{
	lapic_timer_stop(l);
	memcpy(l->regs, regs, sizeof(l->regs));
	reg_set(l, APIC_VERSION, LAPIC_VERSION);
	reg_set(l, APIC_SVR, lapic_reg(l, APIC_SVR) & SVR_VALID);
	id_update(l);
	priority_update(l);
	WRITE_ONCE(l->irr_hint, true);
	lapic_timer_start(l);
}
