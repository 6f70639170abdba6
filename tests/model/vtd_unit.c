/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The model's registers and fault recording (chapters 7 and 11).
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/host/host.h"
#include "tests/model/vtd_model.h"

struct vm_counts vm_counts;
void (*vm_between)(void);
static struct vm_unit *units;

void vm_violation(const char *what)
{
	vm_counts.violations++;
	snprintf(vm_counts.what, sizeof(vm_counts.what), "%s", what);
}

void vm_step_between(void)
{
	static bool inside;

	if (!vm_between || inside)
		return;
	inside = true;
	vm_between();
	inside = false;
}

/* ---- faults, 7.2 and 7.3 ---- */

static bool pending(const struct vm_unit *u)
{
	for (unsigned i = 0; i < u->c.records; i++)
		if (u->record[i].hi >> 63)
			return true;
	return false;
}

void vm_event(struct vm_unit *u)
{
	if (u->fectl >> 31)
		u->event_held = true;
	else
		u->event_due = true;
}

void vm_fault(struct vm_unit *u, u16 sid, u64 info, bool write, u8 reason)
{
	struct vm_pair *r = &u->record[u->next_record];
	bool was = pending(u);

	if (u->gsts >> 28 & 1)
		vm_violation("a fault goes to a log that nobody reads");
	if (u->overflow || r->hi >> 63) {
		u->overflow = true;
		vm_counts.faults_lost++;
		return;
	}
	r->lo = info;
	r->hi = 1ull << 63 | (write ? 0 : 1ull << 62) | (u64)reason << 32 | sid;
	u->next_record = (u->next_record + 1) % u->c.records;
	vm_counts.faults_recorded++;
	if (!was)
		vm_event(u);
}

void vm_deliver(struct vm_unit *u)
{
	u32 dest = (u->feaddr >> 12 & 0xff) | (u->feuaddr & ~0xffu);

	if (!u->event_due)
		return;
	u->event_due = false;
	for (unsigned cpu = 0; cpu < host_cpus; cpu++)
		if (arch_cpu_apic_id(cpu) == dest && (u->feaddr >> 20) == 0xfee && host_irq_raise(cpu, (u8)u->fedata))
			return;
	vm_violation("fault event to nowhere");
}

/* ---- registers, chapter 11 ---- */

/* A unit takes its time: GSTS shows a command only when it is read for the third time. */
static void obeyed(struct vm_unit *u)
{
	if (u->busy)
		vm_violation("the next step before the unit has obeyed the last command");
}

static void command(struct vm_unit *u, u32 v)
{
	u32 changed = (v ^ u->gsts) & 0x96800000; /* TE, EAFL, QIE, IRE, CFI */
	u32 once = v & 0x69000000;                /* SRTP, SFL, WBF, SIRTP */

	obeyed(u);
	u->shown = (u->gsts & ~(once & (1u << 30 | 1u << 24))) | (once & 1u << 27);
	u->busy = 2;
	if (__builtin_popcount(changed) + __builtin_popcount(once) > 1)
		vm_violation("several commands in one GCMD write");
	if (once & 1u << 30) {
		if ((u->gsts >> 31) && ((u->root ^ u->rtaddr) & 0xc00))
			vm_violation("table mode changed while translation is on");
		if ((u->rtaddr & 0xc00) && (!u->c.scalable || (u->rtaddr & 0xc00) != 0x400 || !(u->iqa & 0x800)))
			vm_violation("table mode that is not there, or scalable tables with a narrow queue");
		u->root = u->rtaddr;
		u->gsts |= 1u << 30;
	}
	if (once & 1u << 27)
		vm_write_buffer_drain();
	if (once & 1u << 24) {
		u->irt = u->irta;
		u->gsts |= 1u << 24;
	}
	if (changed & 1u << 26 & v && u->c.no_queue)
		vm_violation("queue enabled where there is none");
	if ((changed & 1u << 26 & v) && (u->root & 0xc00) && (u->gsts >> 31) && !(u->iqa & 0x800))
		vm_violation("narrow queue while tables are scalable");
	if (changed & 1u << 26 & v) {
		if (u->iqt || (u->iqa & (u->c.scalable ? 0x7ff : 0xfff)))
			vm_violation("queue enabled with a tail, or with descriptors of a width that is not there");
		u->iqh = 0;
	}
	if ((changed & 1u << 26 & ~v) && u->iqh != u->iqt && !u->how)
		vm_violation("queue disabled while it works");
	if ((changed & 1u << 31 & v) && !(u->gsts >> 30 & 1))
		vm_violation("translation on without a root table");
	if ((changed & 1u << 25 & v) && !(u->gsts >> 24 & 1))
		vm_violation("remapping on without a table");
	if (changed & 1u << 31 & ~v)
		vm_counts.te_off++;
	u->gsts ^= changed;
	vm_step_between();
}

static u32 read32(struct vm_unit *u, u32 off)
{
	u32 first = u->c.record_offset;

	if (off >= first && off < first + 16u * u->c.records)
		return ((u32 *)u->record)[(off - first) / 4];
	switch (off) {
	case 0x00: return u->c.version ? u->c.version : 0x10;
	case 0x08: return (u32)u->cap;
	case 0x0c: return (u32)(u->cap >> 32);
	case 0x10: return (u32)u->ecap;
	case 0x14: return (u32)(u->ecap >> 32);
	case 0x1c:
		if (!u->busy)
			return u->gsts;
		u->busy--;
		return u->shown;
	case 0x20: return (u32)u->rtaddr;
	case 0x24: return (u32)(u->rtaddr >> 32);
	case 0x28: return (u32)u->ccmd;
	case 0x2c: return vm_register_high(u, true);
	case IOTLB_AT + 8: return (u32)u->iotlb;
	case IOTLB_AT + 12: return vm_register_high(u, false);
	case 0x34: return (u->overflow ? 1 : 0) | (pending(u) ? 2 : 0) | u->errors | (u32)u->next_record << 8;
	case 0x38: return u->fectl | (u->event_held ? 1u << 30 : 0);
	case 0x64:
		if (u->pmen_lag && --u->pmen_lag == 0)
			u->pmen = 0;
		return u->pmen;
	case 0x80:
		if (u->lag && --u->lag == 0)
			u->iqh = u->iqt;
		return u->iqh;
	case 0x88: return u->iqt;
	case 0x84: case 0x8c: return 0;
	default:
		vm_violation("read of a register that nobody needs");
		return 0;
	}
}

static void write32(struct vm_unit *u, u32 off, u32 v)
{
	u32 first = u->c.record_offset;

	if (off >= first && off < first + 16u * u->c.records) {
		if ((off - first) % 16 == 12 && v >> 31)
			u->record[(off - first) / 16].hi &= ~(1ull << 63);
		return;
	}
	switch (off) {
	case 0x18: command(u, v); break;
	case 0x20: u->rtaddr = (u->rtaddr & ~0xffffffffull) | v; break;
	case 0x24: u->rtaddr = (u32)u->rtaddr | (u64)v << 32; break;
	case 0x34:
		if (v & 1)
			u->overflow = false;
		u->errors &= ~(v & 0x70);
		if (v & 0x10)
			vm_queue_resume(u);
		break;
	case 0x38:
		u->fectl = v & 1u << 31;
		if (!u->fectl && u->event_held) {
			u->event_held = false;
			u->event_due = true;
		}
		break;
	case 0x3c: u->fedata = v; break;
	case 0x40: u->feaddr = v; break;
	case 0x44: u->feuaddr = v; break;
	case 0x64:
		u->pmen = (v & 1u << 31) | 1; /* regions are off when that is read for the third time */
		u->pmen_lag = v >> 31 ? 0 : 3;
		break;
	default: vm_violation("write of a register that nobody needs");
	}
}

static u32 rd32_(struct mmio *m, u32 off)
{
	vm_counts.mmio_reads++;
	return read32((struct vm_unit *)(uintptr_t)m->base, off);
}

static u64 rd64_(struct mmio *m, u32 off)
{
	struct vm_unit *u = (struct vm_unit *)(uintptr_t)m->base;

	vm_counts.mmio_reads++;
	return read32(u, off) | (u64)read32(u, off + 4) << 32;
}

static void wr32_(struct mmio *m, u32 off, u32 v)
{
	vm_counts.mmio_writes++;
	write32((struct vm_unit *)(uintptr_t)m->base, off, v);
}

static void wr64_(struct mmio *m, u32 off, u64 v)
{
	struct vm_unit *u = (struct vm_unit *)(uintptr_t)m->base;

	vm_counts.mmio_writes++;
	switch (off) {
	case 0x20: u->rtaddr = v; break;
	case 0x28: vm_register_command(u, true, v); break;
	case IOTLB_AT: u->iva = v; break;
	case IOTLB_AT + 8: vm_register_command(u, false, v); break;
	case 0x88:
		obeyed(u);
		u->iqt = (u32)v & 0x7fff0;
		vm_queue_work(u);
		break;
	case 0x90:
		obeyed(u);
		if (u->gsts >> 26 & 1)
			vm_violation("queue moved while it is on");
		u->iqa = v;
		break;
	case 0xb8: obeyed(u); u->irta = v; break;
	default: vm_violation("64-bit write of a 32-bit register");
	}
}

static const struct mmio_ops ops = { rd32_, rd64_, wr32_, wr64_ };

/* A line that was written may go to memory at any time: here, before a whole page is flushed. */
static void on_flush(const void *p, size_t n)
{
	for (struct vm_unit *u = units; u; u = u->next)
		vm_entries_look(u, true);
	if (n >= 4096) {
		vm_shadow_evict(p, n);
		vm_step_between();
	}
	vm_shadow_flush(p, n);
	vm_step_between();
}

static void on_wmb(void)
{
	for (struct vm_unit *u = units; u; u = u->next) {
		vm_queue_seal(u);
		vm_entries_look(u, true);
	}
	vm_step_between();
}

struct vm_unit *vm_unit_create(paddr_t base, const struct vm_config *c)
{
	struct vm_unit *u = calloc(1, sizeof(*u));
	bool drain = c->drain;

	u->c = *c;
	u->cap = c->nd | (u64)c->write_buffer << 4 | (u64)c->protected_regions << 5 |
		 (u64)c->protected_regions << 6 | (u64)c->caching_mode << 7 | (u64)c->sagaw << 8 |
		 (u64)(c->width - 1) << 16 | (u64)(c->record_offset / 16) << 24 | (u64)c->large << 34 |
		 (u64)!c->no_pages << 39 | (u64)(c->records - 1) << 40 | (u64)c->max_mask << 48 |
		 (u64)drain << 54 | (u64)drain << 55 | (u64)c->first_1g << 56;
	u->ecap = (u64)c->coherent | (u64)!c->no_queue << 1 | (u64)c->remap << 3 | (u64)c->eim << 4 |
		  (u64)c->device_tlb << 2 | (u64)c->throttle << 41 | (u64)c->snoop << 7 | (u64)(IOTLB_AT / 16) << 8 |
		  (u64)c->scalable << 43 | (u64)(c->scalable && !c->first_only) << 46 |
		  (u64)(c->scalable && c->first_only) << 47 | (u64)c->walk_snoop << 48;
	u->fectl = 1u << 31;
	u->next = units;
	units = u;
	vm_shadow_buffered |= c->write_buffer;
	host_mmio_add(base, 0x4000, &ops, u); /* struct mmio's base is the unit itself */
	host_on_cache_flush = on_flush;
	host_on_wmb = on_wmb;
	return u;
}

void vm_forget_all(void)
{
	while (units) {
		struct vm_unit *u = units;

		units = u->next;
		vm_forget_caches(u);
		vm_devices_forget(u);
		free(u);
	}
	host_mmio_reset();
	host_on_cache_flush = NULL;
	host_on_wmb = NULL;
	vm_between = NULL;
	vm_shadow_reset();
	vm_sealed_reset();
	vm_counts = (struct vm_counts){ 0 };
}

bool vm_translating(const struct vm_unit *u)
{
	return u->gsts >> 31;
}

bool vm_remapping(const struct vm_unit *u)
{
	return u->gsts >> 25 & 1;
}

bool vm_protected_regions_on(const struct vm_unit *u)
{
	return u->pmen & 1;
}

void vm_forget_caches(struct vm_unit *u)
{
	vm_drop_contexts(u, 1, 0, 0);
	vm_drop_pasids(u, 3, 0);
	vm_drop_translations(u, 1, 0, 0, 0, false);
	vm_drop_interrupts(u, false, 0, 0);
}
