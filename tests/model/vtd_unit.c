/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The model's registers, queue and fault recording. The walks and caches are in vtd_walk.c.
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

static void between(void)
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

static void event(struct vm_unit *u)
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
		event(u);
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

/* ---- invalidation queue, 6.5.2 ---- */

static void queue_stop(struct vm_unit *u, u32 error)
{
	u->errors |= error;
	event(u);
}

/* false: bad descriptor. */
static bool invalidate(struct vm_unit *u, u64 lo, u64 hi)
{
	unsigned type = lo & 0xf, g = lo >> 4 & 3;
	u16 did = (u16)(lo >> 16);

	vm_counts.descriptors++;
	switch (type) {
	case 1: /* context cache */
		if ((lo & 0xfffc00000000ffc0ull) || hi || !g)
			return false;
		vm_drop_contexts(u, g, did, (u16)(lo >> 32));
		return true;
	case 2: /* IOTLB */
		if ((lo & 0xffffffff0000ff00ull) || !g || (hi & 0xf80) || (g != 3 && hi))
			return false;
		if (g == 3 && (u->c.no_pages || (hi & 0x3f) > u->c.max_mask))
			return false;
		if (g != 1 && vm_first_stage(u, did))
			return true; /* names second-stage translations only */
		vm_drop_translations(u, g, did, hi & ~0xfffull, hi & 0x3f, hi & 0x40);
		vm_drain(u, g, did, !u->c.drain || (lo & 0x80), !u->c.drain || (lo & 0x40));
		return true;
	case 6: /* IOTLB by PASID: first-stage translations only */
		if ((lo & 0xfff000000000ffc0ull) || (g != 2 && g != 3) || lo >> 32 || (hi & 0xf80) || (g == 2 && hi))
			return false;
		if (!u->c.scalable || (g == 3 && (u->c.no_pages || (hi & 0x3f) > u->c.max_mask)))
			return false;
		vm_drop_translations(u, g, did, hi & ~0xfffull, hi & 0x3f, hi & 0x40);
		vm_drain(u, g, did, true, true);
		return true;
	case 7: /* PASID cache */
		if ((lo & 0xfff000000000ffc0ull) || g == 2 || hi || !u->c.scalable)
			return false;
		vm_drop_pasids(u, g, did);
		return true;
	case 4: /* interrupt entries */
		if ((lo & 0xffff000007ffffe0ull) || hi)
			return false;
		vm_drop_interrupts(u, lo & 0x10, (u16)(lo >> 32), lo >> 27 & 0x1f);
		return true;
	default:
		return false;
	}
}

static u32 step(const struct vm_unit *u)
{
	return u->iqa >> 11 & 1 ? 2 : 1; /* wide descriptors */
}

static const struct vm_pair *desc(const struct vm_unit *u, u32 i)
{
	return (const struct vm_pair *)phys_to_virt(u->iqa & ~0xfffull) + i % 256;
}

static bool is_wait(const struct vm_pair *d)
{
	return (d->lo & 0xf) == 5;
}

static bool is_fence(const struct vm_pair *d)
{
	return is_wait(d) && (d->lo & 0x40);
}

static bool wait_done(const struct vm_pair *w)
{
	vm_counts.descriptors++;
	if (!(w->lo & 0x20) || (w->hi & 3)) {
		vm_violation("wait descriptor without status");
		return false;
	}
	*(u32 *)phys_to_virt(w->hi) = (u32)(w->lo >> 32);
	return true;
}

/* Descriptors up to the next fence, last one first; then the waits among them, and the fence. */
static bool segment(struct vm_unit *u)
{
	bool drained = false;
	u32 n = 0, tail = u->iqt >> 4, head = u->iqh >> 4, wide = step(u);

	if (u->bad_slot == u->iqh + 1 && (desc(u, head)->lo & 0xf) != 5) {
		queue_stop(u, 0x10);
		return false;
	}
	u->bad_slot = 0;
	while ((head + n) % 256 != tail && !is_fence(desc(u, head + n)))
		n += wide;
	for (u32 i = n; i > 0;) {
		struct vm_pair d;

		i -= wide;
		d = *desc(u, head + i);
		if (is_wait(&d))
			continue;
		if (!drained)
			vm_write_buffer_drain(); /* comes before any invalidation, 6.8 */
		drained = true;
		if ((wide == 2 && (desc(u, head + i + 1)->lo | desc(u, head + i + 1)->hi)) || !invalidate(u, d.lo, d.hi)) {
			u->iqh = ((head + i) % 256) << 4;
			queue_stop(u, 0x10);
			return false;
		}
		between();
	}
	for (u32 i = 0; i < n; i += wide)
		if (is_wait(desc(u, head + i)) && !wait_done(desc(u, head + i)))
			return false;
	if ((head + n) % 256 != tail) {
		if (!wait_done(desc(u, head + n)))
			return false;
		n += wide;
	}
	u->iqh = ((head + n) % 256) << 4;
	return true;
}

static void queue_work(struct vm_unit *u)
{
	enum vm_failure how = u->fail_left ? u->how : VM_WORKS;

	if (!(u->gsts >> 26 & 1) || (u->errors & 0x50))
		return;
	if (u->fail_left)
		u->fail_left--;
	switch (how) {
	case VM_SILENT:
		return;
	case VM_QUEUE_ERROR: /* until something else stands there */
		u->bad_slot = u->iqh + 1;
		break;
	case VM_DEVICE_TIMEOUT:
		u->iqh = u->iqt;
		queue_stop(u, 0x40);
		return;
	case VM_WORKS:
		break;
	}
	while (u->iqh != u->iqt && segment(u))
		;
}

/* ---- register-based invalidation, 6.5.1 ---- */

#define IOTLB_AT 0x340 /* 16 times ECAP.IRO */

/* What a command does, when it is seen to be done. */
static void register_done(struct vm_unit *u, bool context)
{
	u64 *reg = context ? &u->ccmd : &u->iotlb, v = *reg;
	unsigned g = v >> (context ? 61 : 60) & 3, done = context ? 59 : 57;

	*reg &= ~(1ull << 63 | 3ull << done);
	if (u->slow_how != VM_WORKS || !g)
		return;
	vm_write_buffer_drain();
	between();
	if (context) {
		vm_drop_contexts(u, g, (u16)v, (u16)(v >> 16));
	} else {
		if (g == 3 && (u->c.no_pages || (u->iva & 0x3f) > u->c.max_mask))
			return;
		vm_drop_translations(u, g, (u16)(v >> 32), u->iva & ~0xfffull, u->iva & 0x3f, u->iva & 0x40);
		vm_drain(u, g, (u16)(v >> 32), !u->c.drain || (v >> 49 & 1), !u->c.drain || (v >> 48 & 1));
	}
	*reg |= (u64)g << done;
	between();
}

/* It stays pending until it is read for the third time, or for ever. */
static void register_command(struct vm_unit *u, bool context, u64 v)
{
	u64 *reg = context ? &u->ccmd : &u->iotlb;

	vm_counts.descriptors++;
	if ((u->gsts >> 26 & 1) || u->c.version >= 0x60)
		vm_violation("register-based invalidation beside a queue, or where there is none");
	if ((u->ccmd | u->iotlb) >> 63)
		vm_violation("command while another one is pending");
	u->slow_how = u->fail_left ? u->how : VM_WORKS;
	if (u->fail_left)
		u->fail_left--;
	*reg = v;
	u->slow = v >> 63 && u->slow_how != VM_SILENT ? 3 : 0;
}

static u32 register_high(struct vm_unit *u, bool context)
{
	u64 *reg = context ? &u->ccmd : &u->iotlb;

	if (*reg >> 63 && u->slow && --u->slow == 0)
		register_done(u, context);
	return (u32)(*reg >> 32);
}

void vm_fail(struct vm_unit *u, enum vm_failure how, unsigned n)
{
	u->how = how;
	u->fail_left = n;
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
	between();
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
	case 0x2c: return register_high(u, true);
	case IOTLB_AT + 8: return (u32)u->iotlb;
	case IOTLB_AT + 12: return register_high(u, false);
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
	case 0x28: register_command(u, true, v); break;
	case IOTLB_AT: u->iva = v; break;
	case IOTLB_AT + 8: register_command(u, false, v); break;
	case 0x88:
		obeyed(u);
		u->iqt = (u32)v & 0x7fff0;
		queue_work(u);
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
	if (n >= 4096) {
		vm_shadow_evict(p, n);
		between();
	}
	vm_shadow_flush(p, n);
	between();
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
		  (u64)c->snoop << 7 | (u64)(IOTLB_AT / 16) << 8 |
		  (u64)c->scalable << 43 | (u64)(c->scalable && !c->first_only) << 46 |
		  (u64)(c->scalable && c->first_only) << 47 | (u64)c->walk_snoop << 48;
	u->fectl = 1u << 31;
	u->next = units;
	units = u;
	vm_shadow_buffered |= c->write_buffer;
	host_mmio_add(base, 0x4000, &ops, u); /* struct mmio's base is the unit itself */
	host_on_cache_flush = on_flush;
	host_on_wmb = between;
	return u;
}

void vm_forget_all(void)
{
	while (units) {
		struct vm_unit *u = units;

		units = u->next;
		vm_forget_caches(u);
		free(u);
	}
	host_mmio_reset();
	host_on_cache_flush = NULL;
	host_on_wmb = NULL;
	vm_between = NULL;
	vm_shadow_reset();
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
