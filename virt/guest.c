// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest memory by guest-linear address, as the emulation of an instruction needs it: segments, the
 * guest's own page tables (none, 32-bit, PAE, 4 and 5 levels: APM 2, chapter 5), and fetching code.
 * Everything read here is the guest's and may be nonsense; it can only lead to an error.
 */
#include "virt/vm.h"

#define WALK_TRIES 16 /* against a guest that changes its tables all the time */

struct walk {
	struct slots *slots;
	const struct vcpu_mode *mode;
	bool write;
	u64 rights; /* PTE_W and PTE_U of all levels so far */
};

/* An entry of 4 or 8 bytes. Eight aligned ones are read at once, not torn. */
static int entry_read(struct walk *w, gpa_t gpa, unsigned size, u64 *entry)
{
	int r = slots_copy(w->slots, ALIGN_DOWN(gpa, 8), entry, 8, false);

	if (!r && size == 4)
		*entry = gpa & 4 ? *entry >> 32 : (u32)*entry;
	return r;
}

/* The accessed (and for a written leaf dirty) bit is set as the CPU does, unless the table is
 * read-only. -EAGAIN: another CPU has changed the entry, and the walk is of no use any more. */
static int entry_touch(struct walk *w, gpa_t gpa, unsigned size, u64 entry, bool leaf)
{
	u64 touched = entry | PTE_A | (leaf && w->write ? PTE_D : 0);

	if (touched != entry && slots_exchange(w->slots, gpa, size, entry, touched) == -EAGAIN)
		return -EAGAIN;
	return 0;
}

static bool rights_suffice(const struct walk *w)
{
	bool user = w->mode->cpl == 3;

	if (user && !(w->rights & PTE_U))
		return false;
	return !w->write || (w->rights & PTE_W) || (!user && !(w->mode->cr0 & CR0_WP));
}

/* 0, -EFAULT (with the present bit in *error or not), -EAGAIN, -ENXIO. */
static int tables_walk(struct walk *w, u64 linear, unsigned levels, unsigned size, gpa_t *gpa,
		       u32 *error)
{
	unsigned bits = size == 8 ? 9 : 10;
	u64 table = w->mode->cr3 & (size == 8 ? levels == 3 ? ~0x1full : PTE_ADDR : 0xfffff000ull);

	for (unsigned level = levels; level; level--) {
		unsigned shift = PAGE_SHIFT + (level - 1) * bits;
		bool pdpte = size == 8 && levels == 3 && level == 3; /* of PAE: no rights in it */
		gpa_t at = table + (linear >> shift & (BIT(bits) - 1)) * size;
		bool leaf;
		u64 entry;

		if (pdpte)
			at = table + (linear >> 30 & 3) * size;
		if (entry_read(w, at, size, &entry))
			return -ENXIO;
		if (!(entry & PTE_P))
			return -EFAULT;
		if (!pdpte)
			w->rights &= entry;
		leaf = level == 1 || (!pdpte && (entry & PTE_LARGE) && level <= 3 &&
				      (size == 8 || (w->mode->cr4 & CR4_PSE)));
		if (!leaf) {
			if (!pdpte && entry_touch(w, at, size, entry, false))
				return -EAGAIN;
			table = size == 8 ? entry & PTE_ADDR : entry & 0xfffff000ull;
			continue;
		}
		if (!rights_suffice(w)) {
			*error |= PF_PRESENT;
			return -EFAULT;
		}
		if (entry_touch(w, at, size, entry, true))
			return -EAGAIN;
		*gpa = entry & (size == 8 ? PTE_ADDR : 0xfffff000ull);
		if (size == 4 && level == 2) /* PSE-36: bits 13-20 are 32-39 */
			*gpa = (entry & 0xffc00000ull) | (entry >> 13 & 0xff) << 32;
		*gpa = ALIGN_DOWN(*gpa, BIT(shift)) | (linear & (BIT(shift) - 1));
		return 0;
	}
	return -EFAULT;
}

int guest_translate(struct vcpu *v, const struct vcpu_mode *m, u64 linear, bool write, gpa_t *gpa,
		    struct guest_fault *f)
{
	unsigned levels = m->efer & EFER_LMA ? m->cr4 & CR4_LA57 ? 5 : 4 : m->cr4 & CR4_PAE ? 3 : 2;
	int r = -EAGAIN;
	u32 error = 0;

	if (!(m->efer & EFER_LMA))
		linear = (u32)linear;
	if (!(m->cr0 & CR0_PG)) {
		*gpa = linear;
		return 0;
	}
	for (unsigned i = 0; r == -EAGAIN && i < WALK_TRIES; i++) {
		struct walk w = { .slots = &v->vm->slots, .mode = m, .write = write, .rights = ~0ull };

		error = (write ? PF_WRITE : 0) | (m->cpl == 3 ? PF_USER : 0);
		r = tables_walk(&w, linear, levels, levels == 2 ? 4 : 8, gpa, &error);
	}
	*f = (struct guest_fault){ .address = linear, .error = error };
	return r;
}

int guest_copy(struct vcpu *v, const struct vcpu_mode *m, u64 linear, void *buf, size_t n, bool write,
	       struct guest_fault *f)
{
	u8 *at = buf;

	while (n) {
		size_t part = MIN(n, PAGE_SIZE - (linear & (PAGE_SIZE - 1)));
		gpa_t gpa;
		int r = guest_translate(v, m, linear, write, &gpa, f);

		if (r)
			return r;
		if (slots_copy(&v->vm->slots, gpa, at, part, write))
			return -ENXIO; /* nothing that the guest could mend */
		at += part;
		linear += part;
		n -= part;
	}
	return 0;
}

u64 guest_linear(struct vcpu *v, const struct vcpu_mode *m, unsigned seg, u64 offset)
{
	struct vcpu_segment s;

	if (m->bits == 64 && seg != SEG_FS && seg != SEG_GS)
		return offset;
	virt_ops->get_segment(v->arch, seg, &s);
	return m->bits == 64 ? s.base + offset : (u32)(s.base + offset);
}

void guest_fetch(struct vcpu *v, struct guest_code *c)
{
	struct guest_fault f;
	unsigned first;
	u64 linear;

	virt_ops->get_mode(v->arch, &c->mode);
	linear = guest_linear(v, &c->mode, SEG_CS, v->arch->rip);
	first = MIN(INSN_MAX, PAGE_SIZE - (linear & (PAGE_SIZE - 1)));
	c->n = guest_copy(v, &c->mode, linear, c->byte, first, false, &f) ? 0 : first;
	if (c->n && first < INSN_MAX &&
	    !guest_copy(v, &c->mode, linear + first, c->byte + first, INSN_MAX - first, false, &f))
		c->n = INSN_MAX;
}

void guest_advance(struct vcpu *v, const struct vcpu_mode *m, unsigned length)
{
	u64 next = v->arch->rip + length;

	vcpu_skip(v->arch, m->bits == 64 ? next : (u32)next);
}

bool guest_skip(struct vcpu *v, const char *op)
{
	struct insn_prefixes p;
	struct guest_code c;
	unsigned at;

	if (v->arch->exit.next_rip) {
		vcpu_skip(v->arch, v->arch->exit.next_rip);
		return true;
	}
	guest_fetch(v, &c);
	insn_prefixes(&p, c.byte, c.n, c.mode.bits);
	for (at = p.length; *op; at++, op++)
		if (at == c.n || c.byte[at] != (u8)*op)
			return false;
	guest_advance(v, &c.mode, at);
	return true;
}
