/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The permission tables of config space: for each dword which bits are virtual (live in the shadow) and
 * which may be written.  Policy is data; pci_config.c is the one reader and writer.
 *
 * Capabilities that are not in the tables are hidden: unlinked from the list, and read-only up to the
 * next one.  Bytes below 0x100 that belong to no capability are the device's own and pass through, as on Linux.
 */
#include "passthrough/pci_perm.h"

struct rule {
	u8 off; /* dword offset in the capability */
	u32 virt, write;
};

/*
 * One capability: its length and the dwords that differ from read-only hardware.  Length 0: a vendor's own,
 * raw up to the next; TO_NEXT: its length depends on its contents, all up to the next is read-only.
 */
#define TO_NEXT 0xff
struct policy {
	u16 id;
	u8 len;
	u8 nrules;
	struct rule rule[6];
};

#define RAW 0xffffffffu

static const struct rule header[] = {
	{ 0x00, RAW, 0 },
	{ 0x04, PCI_COMMAND_INTX_DISABLE | (u32)PCI_STATUS_CAP_LIST << 16, 0x0000ffff },
	{ 0x0c, 0, 0xff00ffff }, /* cache line, latency, BIST; header type is read-only */
	{ 0x10, RAW, RAW }, { 0x14, RAW, RAW }, { 0x18, RAW, RAW },
	{ 0x1c, RAW, RAW }, { 0x20, RAW, RAW }, { 0x24, RAW, RAW },
	{ 0x30, RAW, 0 }, /* no ROM is shown */
	{ 0x34, 0xff, 0 },
	{ 0x3c, 0xffff, 0xff }, /* line: plain storage; pin: 0 where INTx is not offered */
};

static const struct policy caps[] = {
	{ PCI_CAP_ID_PM, 8, 2, { { 0, 0xf800ffff, 0 }, { 4, 0x00008100, 0x00007eff } } },
	{ PCI_CAP_ID_AGP, 12, 0, { { 0 } } },
	{ PCI_CAP_ID_MSI, 24, 6, { { 0, 0x0071ffff, 0x00710000 }, { 4, RAW, RAW }, { 8, RAW, RAW },
				   { 12, 0x0000ffff, RAW }, { 16, 0, RAW }, { 20, 0, 0 } } },
	{ PCI_CAP_ID_HT, 4, 0, { { 0 } } },
	{ PCI_CAP_ID_VNDR, 0, 0, { { 0 } } },
	{ PCI_CAP_ID_EXP, 0x3c, 2, { { 8, 0x000080e0, 0x0000fdff & ~0x200u }, { 0x28, 0, 0x0000ffdf } } },
	{ PCI_CAP_ID_MSIX, 12, 0, { { 0 } } },
	{ PCI_CAP_ID_SATA, 8, 0, { { 0 } } },
	{ PCI_CAP_ID_AF, 8, 1, { { 4, 0x000000ff, 0x000000ff } } },
};

static const struct policy ext_caps[] = {
	{ PCI_EXT_CAP_ID_ERR, 0x48, 6, { { 4, 0, RAW }, { 8, 0, RAW }, { 0xc, 0, RAW }, { 0x10, 0, RAW },
					 { 0x14, 0, RAW }, { 0x18, 0, 0x140 } } },
	{ PCI_EXT_CAP_ID_PWR, 16, 1, { { 4, 0, 0xff } } },
	{ PCI_EXT_CAP_ID_VNDR, 0, 0, { { 0 } } },
	{ PCI_EXT_CAP_ID_VC, TO_NEXT, 0, { { 0 } } }, { PCI_EXT_CAP_ID_VC9, TO_NEXT, 0, { { 0 } } },
	{ PCI_EXT_CAP_ID_DSN, 12, 0, { { 0 } } }, { PCI_EXT_CAP_ID_MFVC, TO_NEXT, 0, { { 0 } } },
	{ PCI_EXT_CAP_ID_ACS, TO_NEXT, 0, { { 0 } } }, { PCI_EXT_CAP_ID_ARI, 8, 0, { { 0 } } },
	{ PCI_EXT_CAP_ID_ATS, 8, 0, { { 0 } } }, { PCI_EXT_CAP_ID_SRIOV, 64, 0, { { 0 } } },
	{ PCI_EXT_CAP_ID_MCAST, 48, 0, { { 0 } } }, { PCI_EXT_CAP_ID_PRI, 16, 0, { { 0 } } },
	{ PCI_EXT_CAP_ID_REBAR, TO_NEXT, 0, { { 0 } } }, { PCI_EXT_CAP_ID_DPA, TO_NEXT, 0, { { 0 } } },
	{ PCI_EXT_CAP_ID_TPH, TO_NEXT, 0, { { 0 } } }, { PCI_EXT_CAP_ID_LTR, 8, 0, { { 0 } } },
};

static const struct policy *find(const struct policy *p, unsigned n, u16 id)
{
	for (unsigned i = 0; i < n; i++)
		if (p[i].id == id)
			return &p[i];
	return NULL;
}

static void set_range(struct vfio_device *v, u32 from, u32 to, u32 virt, u32 write)
{
	for (u32 off = from & ~3u; off < to && off < v->pci->cfg_size; off += 4)
		v->perm[off / 4] = (struct vfio_perm){ virt, write };
}

static void set_rule(struct vfio_device *v, u32 base, const struct rule *r)
{
	if (base + r->off < v->pci->cfg_size)
		v->perm[(base + r->off) / 4] = (struct vfio_perm){ r->virt, r->write };
}

struct found {
	u16 off, id;
	const struct policy *policy; /* NULL: hidden */
};

/* The dwords of one capability; `end` is where the next one starts. A vendor's own is raw behind its header. */
static void apply(struct vfio_device *v, const struct found *f, u32 end, u32 header_bits)
{
	const struct policy *p = f->policy;
	u32 len = p && p->len && p->len != TO_NEXT ? p->len : end - f->off;

	set_range(v, f->off, MIN(f->off + len, end), 0, p && !p->len ? RAW : 0);
	v->perm[f->off / 4] = (struct vfio_perm){ header_bits, 0 };
	for (unsigned i = 0; p && i < p->nrules; i++)
		if (f->off + p->rule[i].off < end)
			set_rule(v, f->off, &p->rule[i]);
}

static u32 next_start(const struct found *f, unsigned n, u16 off, u32 limit)
{
	for (unsigned i = 0; i < n; i++)
		if (f[i].off > off && f[i].off < limit)
			limit = f[i].off;
	return limit;
}

/* MSI: which dwords hold what depends on two bits of its control word (7.7.1). */
static void msi_layout(struct vfio_device *v)
{
	u8 c = v->pci->cap_msi;
	u32 mask_at = v->pci->msi_64 ? 16 : 12, data_at = v->pci->msi_64 ? 12 : 8;
	u32 len = v->pci->msi_maskable ? mask_at + 8 : data_at + 4;

	for (u32 off = 12; off < 24; off += 4)
		if (c && off >= len)
			set_range(v, c + off, c + off + 4, 0, 0);
	if (!c)
		return;
	v->perm[(c + data_at) / 4] = (struct vfio_perm){ 0xffff, 0xffff };
	if (v->pci->msi_maskable)
		v->perm[(c + mask_at) / 4] = (struct vfio_perm){ 0, RAW };
	if (v->pci->msi_maskable)
		v->perm[(c + mask_at + 4) / 4] = (struct vfio_perm){ 0, 0 };
}

static void std_caps(struct vfio_device *v)
{
	struct found f[48];
	unsigned n = 0;
	u8 at = PCI_CAPABILITY_LIST, *link, pos = pci_read8(v->pci, PCI_CAPABILITY_LIST) & ~3;
	u8 *shadow = (u8 *)v->shadow;

	if (!(pci_read16(v->pci, PCI_STATUS) & PCI_STATUS_CAP_LIST))
		pos = 0;
	for (; pos >= PCI_STD_HEADER_SIZEOF && n < ARRAY_SIZE(f); n++) {
		f[n].off = pos;
		f[n].id = pci_read8(v->pci, pos);
		f[n].policy = find(caps, ARRAY_SIZE(caps), f[n].id);
		pos = pci_read8(v->pci, pos + PCI_CAP_LIST_NEXT) & ~3;
		for (unsigned i = 0; i <= n; i++)
			if (f[i].off == pos)
				pos = 0; /* a loop ends the list */
	}
	link = &shadow[at];
	for (unsigned i = 0; i < n; i++) {
		apply(v, &f[i], next_start(f, n, f[i].off, 0x100), 0xffff);
		if (!f[i].policy) {
			v->perm[f[i].off / 4].virt = 0;
			continue;
		}
		*link = (u8)f[i].off;
		shadow[f[i].off] = (u8)f[i].id;
		link = &shadow[f[i].off + PCI_CAP_LIST_NEXT];
	}
	*link = 0;
	if (shadow[at])
		shadow[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
	msi_layout(v);
}

static void ext_list(struct vfio_device *v)
{
	struct found f[64];
	unsigned n = 0;
	u32 pos = 0x100, *link = NULL;

	if (v->pci->cfg_size <= 0x100)
		return;
	while (pos >= 0x100 && pos + 4 <= v->pci->cfg_size && n < ARRAY_SIZE(f)) {
		u32 h = pci_read32(v->pci, pos);

		if (!h || h == ~0u)
			break;
		f[n].off = (u16)pos;
		f[n].id = PCI_EXT_CAP_ID(h);
		f[n].policy = find(ext_caps, ARRAY_SIZE(ext_caps), f[n].id);
		v->shadow[pos / 4] = h & 0x000fffff;
		pos = PCI_EXT_CAP_NEXT(h) & ~3u;
		for (unsigned i = 0; i <= n; i++)
			if (f[i].off == pos)
				pos = 0;
		n++;
	}
	set_range(v, 0x100, 0x104, RAW, 0);
	for (unsigned i = 0; i < n; i++) {
		bool first = f[i].off == 0x100;

		apply(v, &f[i], next_start(f, n, f[i].off, v->pci->cfg_size), RAW);
		if (!f[i].policy && !first)
			v->perm[f[i].off / 4].virt = 0;
		if (!f[i].policy && first)
			v->shadow[0x100 / 4] = 0; /* only the link stays */
		if (!f[i].policy && !first)
			continue;
		if (link)
			*link |= (u32)f[i].off << 20;
		link = &v->shadow[f[i].off / 4];
	}
}

void vfio_perm_build(struct vfio_device *v)
{
	set_range(v, 0, PCI_STD_HEADER_SIZEOF, 0, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(header); i++)
		set_rule(v, 0, &header[i]);
	if (v->pci->pf)
		v->perm[PCI_COMMAND / 4].virt |= PCI_COMMAND_MEMORY;
	set_range(v, PCI_STD_HEADER_SIZEOF, PCI_CFG_SPACE_SIZE, 0, RAW);
	set_range(v, PCI_CFG_SPACE_SIZE, v->pci->cfg_size, 0, 0); /* what no capability claims */
	std_caps(v);
	ext_list(v);
}
