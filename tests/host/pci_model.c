// SPDX-License-Identifier: GPL-2.0-only
/* See pci_model.h. Functions are kept in a list; a bus number below 256 is all the routing there is. */
#include <stdlib.h>

#include "pci/internal.h"
#include "tests/host/pci_model.h"

#define CRS_NS (2 * NS_PER_S)
#define ACS_DWORD_CTRL 8

static struct model_fn *functions;
static struct model_fn *lookup[256][256]; /* segment 0 */
static bool in_use[65536]; /* segments */
u64 model_reads;
void (*model_on_write)(struct model_fn *f, u16 off, unsigned size, u32 v);
void (*model_on_read)(struct model_fn *f, u16 off);

void model_pci_clear(void)
{
	while (functions) {
		struct model_fn *f = functions;

		functions = f->next;
		if (f->segment == 0)
			lookup[f->bus][f->devfn] = NULL;
		free(f);
	}
	memset(in_use, 0, sizeof(in_use));
	model_reads = 0;
}

struct model_fn *model_fn_first(void)
{
	return functions;
}

struct model_fn *model_fn_find(u16 segment, u8 bus, u8 devfn)
{
	struct model_fn *f;

	if (segment == 0)
		return lookup[bus][devfn];
	for (f = functions; f; f = f->next)
		if (f->segment == segment && f->bus == bus && f->devfn == devfn)
			return f;
	return NULL;
}

/* ---- registers ---- */

void model_put(struct model_fn *f, u16 off, unsigned size, u32 v)
{
	memcpy(f->cfg + off, &v, size);
	memcpy(f->start + off, &v, size);
}

u32 model_get(const struct model_fn *f, u16 off, unsigned size)
{
	u32 v = 0;

	memcpy(&v, f->cfg + off, size);
	return v;
}

static void writable(struct model_fn *f, u16 off, unsigned size, u32 bits)
{
	memcpy(f->mask + off, &bits, size);
}

static bool booting(const struct model_fn *f)
{
	return f->reset == MODEL_RESET_CRS && arch_now_ns() < f->ready_at;
}

static u32 cfg_read(u16 segment, u8 bus, u8 devfn, u16 off, unsigned size)
{
	struct model_fn *f = model_fn_find(segment, bus, devfn);
	u32 v = 0;

	model_reads++;
	if (!f || f->gone || off + size > f->size)
		return size == 4 ? ~0u : (1u << 8 * size) - 1;
	if (booting(f)) {
		f->stalls += off != 0;
		return off == 0 ? 0xffff0001 : ~0u;
	}
	if (model_on_read)
		model_on_read(f, off);
	memcpy(&v, f->cfg + off, size);
	if (f->pcie && off == f->pcie + PCI_EXP_DEVSTA && f->pending) {
		v |= PCI_EXP_DEVSTA_TRPND;
		f->pending = model_get(f, PCI_COMMAND, 2) & PCI_COMMAND_MASTER;
	}
	return v;
}

static void reset(struct model_fn *f)
{
	u8 bars[24];

	f->resets++;
	if (f->reset == MODEL_RESET_LIES)
		return;
	memcpy(bars, f->cfg + PCI_BASE_ADDRESS_0, sizeof(bars));
	memcpy(f->cfg, f->start, sizeof(f->cfg));
	f->gone = f->reset == MODEL_RESET_HANGS;
	f->ready_at = arch_now_ns() + CRS_NS;
	if (f->reset == MODEL_RESET_OTHER) {
		f->cfg[f->other ? f->other : PCI_DEVICE_ID] ^= 1;
		memcpy(f->cfg + PCI_BASE_ADDRESS_0, bars, sizeof(bars));
	}
	if (f->reset == MODEL_RESET_STUCK) {
		u16 at = f->other ? f->other : PCI_BASE_ADDRESS_0;

		memset(f->mask + at, 0, 4), memset(f->cfg + at, 0, 4);
	}
}

/* What the bus number says is below a bridge. */
static void bus_reset(const struct model_fn *bridge)
{
	for (struct model_fn *f = functions; f; f = f->next)
		if (f->segment == bridge->segment && f->bus >= bridge->cfg[PCI_SECONDARY_BUS] &&
		    f->bus <= bridge->cfg[PCI_SUBORDINATE_BUS])
			reset(f);
}

static bool touches(u16 off, unsigned size, u16 reg)
{
	return off <= reg && reg < off + size;
}

static void cfg_write(u16 segment, u8 bus, u8 devfn, u16 off, unsigned size, u32 v)
{
	struct model_fn *f = model_fn_find(segment, bus, devfn);
	u8 was_state;

	if (!f || f->gone || off + size > f->size || booting(f))
		return;
	if (model_on_write)
		model_on_write(f, off, size, v);
	if ((f->cfg[PCI_HEADER_TYPE] & 0x7f) == PCI_HEADER_TYPE_BRIDGE && touches(off, size, PCI_BRIDGE_CONTROL) &&
	    model_get(f, PCI_BRIDGE_CONTROL, 2) & PCI_BRIDGE_CTL_BUS_RESET &&
	    !(v >> 8 * (PCI_BRIDGE_CONTROL - off) & PCI_BRIDGE_CTL_BUS_RESET))
		bus_reset(f);
	was_state = f->pm ? f->cfg[f->pm + PCI_PM_CTRL] & PCI_PM_CTRL_STATE_MASK : 0;
	for (unsigned i = 0; i < size; i++) {
		u8 bits = f->mask[off + i];

		f->cfg[off + i] = (u8)((f->cfg[off + i] & ~bits) | ((v >> 8 * i) & bits));
		f->cfg[off + i] &= (u8)~(v >> 8 * i & f->w1c[off + i]);
	}
	if (f->pcie && touches(off, size, (u16)(f->pcie + PCI_EXP_DEVCTL + 1)) &&
	    v >> 8 * (f->pcie + PCI_EXP_DEVCTL + 1 - off) & 0x80 &&
	    model_get(f, (u16)(f->pcie + PCI_EXP_DEVCAP), 4) & PCI_EXP_DEVCAP_FLR)
		reset(f);
	if (f->af && touches(off, size, (u16)(f->af + PCI_AF_CTRL)) && v & PCI_AF_CTRL_FLR)
		reset(f);
	if (f->pm && was_state == 3 && !(f->cfg[f->pm + PCI_PM_CTRL] & PCI_PM_CTRL_STATE_MASK) &&
	    !(f->cfg[f->pm + PCI_PM_CTRL] & PCI_PM_CTRL_NO_SOFT_RESET))
		reset(f);
}

static const struct pci_cfg_ops model_ops = { cfg_read, cfg_write };

/* ---- building ---- */

struct model_fn *model_fn_add(u16 segment, u8 bus, u8 dev, u8 fn, u16 vendor, u16 device, u32 class)
{
	struct model_fn *f = calloc(1, sizeof(*f));

	f->segment = segment;
	f->bus = bus;
	f->devfn = (u8)(dev << 3 | fn);
	f->size = 256;
	f->next_cap = 0x40;
	f->next_ext = 0x100;
	f->next = functions;
	functions = f;
	in_use[segment] = true;
	if (segment == 0)
		lookup[bus][f->devfn] = f;
	model_put(f, PCI_VENDOR_ID, 2, vendor);
	model_put(f, PCI_DEVICE_ID, 2, device);
	model_put(f, PCI_CLASS_REVISION, 4, class << 8);
	writable(f, PCI_COMMAND, 2, 0x547);
	writable(f, PCI_CACHE_LINE_SIZE, 1, 0xff);
	writable(f, PCI_INTERRUPT_LINE, 1, 0xff);
	return f;
}

void model_multifunction(struct model_fn *f)
{
	model_put(f, PCI_HEADER_TYPE, 1, f->cfg[PCI_HEADER_TYPE] | 0x80);
}

void model_bridge(struct model_fn *f, u8 secondary, u8 subordinate)
{
	model_put(f, PCI_HEADER_TYPE, 1, (f->cfg[PCI_HEADER_TYPE] & 0x80) | PCI_HEADER_TYPE_BRIDGE);
	model_put(f, PCI_PRIMARY_BUS, 1, f->bus);
	model_put(f, PCI_SECONDARY_BUS, 1, secondary);
	model_put(f, PCI_SUBORDINATE_BUS, 1, subordinate);
	writable(f, PCI_BRIDGE_CONTROL, 2, 0x7f);
}

void model_windows(struct model_fn *f, u64 mem, u64 mem_end, u64 pref, u64 pref_end)
{
	model_put(f, PCI_MEMORY_BASE, 2, mem_end ? mem >> 16 : 0xfff0);
	model_put(f, PCI_MEMORY_LIMIT, 2, mem_end ? (mem_end - 1) >> 16 & 0xfff0 : 0);
	model_put(f, PCI_PREF_MEMORY_BASE, 2, pref_end ? (pref >> 16 & 0xfff0) | 1 : 0xfff1);
	model_put(f, PCI_PREF_MEMORY_LIMIT, 2, pref_end ? ((pref_end - 1) >> 16 & 0xfff0) | 1 : 1);
	model_put(f, PCI_PREF_BASE_UPPER32, 4, (u32)(pref >> 32));
	model_put(f, PCI_PREF_LIMIT_UPPER32, 4, pref_end ? (u32)((pref_end - 1) >> 32) : 0);
}

void model_bar(struct model_fn *f, unsigned n, u32 flags, u64 base, u64 size)
{
	u16 off = (u16)(PCI_BASE_ADDRESS_0 + 4 * n);
	u64 mask = ~(size - 1);

	/* Addresses are software's: a reset clears them. */
	model_put(f, off, 4, flags);
	writable(f, off, 4, (u32)mask);
	f->cfg[off] = 0;
	*(u32 *)(void *)(f->cfg + off) = (u32)base | flags;
	if ((flags & PCI_BASE_ADDRESS_MEM_TYPE_MASK) != PCI_BASE_ADDRESS_MEM_TYPE_64 || flags & 1)
		return;
	writable(f, off + 4, 4, (u32)(mask >> 32));
	*(u32 *)(void *)(f->cfg + off + 4) = (u32)(base >> 32);
}

u16 model_cap(struct model_fn *f, u8 id, unsigned len)
{
	u16 off = f->next_cap;

	f->next_cap = (u16)ALIGN_UP(off + len, 4);
	model_put(f, PCI_STATUS, 2, model_get(f, PCI_STATUS, 2) | PCI_STATUS_CAP_LIST);
	model_put(f, f->last_cap ? f->last_cap + 1 : PCI_CAPABILITY_LIST, 1, off);
	model_put(f, off, 1, id);
	f->last_cap = off;
	return off;
}

u16 model_ext_cap(struct model_fn *f, u16 id, unsigned len)
{
	u16 off = f->next_ext;

	f->next_ext = (u16)ALIGN_UP(off + len, 4);
	if (f->last_ext)
		model_put(f, f->last_ext, 4, model_get(f, f->last_ext, 4) | (u32)off << 20);
	model_put(f, off, 4, 1u << 16 | id);
	f->last_ext = off;
	return off;
}

void model_express(struct model_fn *f, enum pci_type type, bool flr)
{
	f->pcie = model_cap(f, PCI_CAP_ID_EXP, 0x3c);
	f->size = 4096;
	model_put(f, f->pcie + PCI_EXP_FLAGS, 2, (u32)type << 4 | 2);
	model_put(f, f->pcie + PCI_EXP_DEVCAP, 4, flr ? PCI_EXP_DEVCAP_FLR : 0);
	writable(f, f->pcie + PCI_EXP_DEVCTL, 2, 0x7fff);
	writable(f, f->pcie + PCI_EXP_LNKCTL, 2, 0xff);
	writable(f, f->pcie + PCI_EXP_DEVCTL2, 2, 0xffff);
}

void model_aer(struct model_fn *f)
{
	f->aer = model_ext_cap(f, PCI_EXT_CAP_ID_ERR, 0x48);
	memset(f->w1c + f->aer + PCI_ERR_UNCOR_STATUS, 0xff, 4);
	memset(f->w1c + f->aer + PCI_ERR_COR_STATUS, 0xff, 4);
	memset(f->w1c + f->aer + PCI_ERR_ROOT_STATUS, 0xff, 4);
	memset(f->mask + f->aer + PCI_ERR_UNCOR_MASK, 0xff, 8);
	memset(f->mask + f->aer + PCI_ERR_COR_MASK, 0xff, 4);
	memset(f->mask + f->aer + PCI_ERR_ROOT_COMMAND, 0xff, 4);
}

void model_acs(struct model_fn *f, u16 cap, u16 ctrl, u16 bits)
{
	f->acs = model_ext_cap(f, PCI_EXT_CAP_ID_ACS, 8);
	model_put(f, f->acs + PCI_ACS_CAP, 2, cap);
	model_put(f, f->acs + PCI_ACS_CTRL, 2, ctrl);
	writable(f, f->acs + PCI_ACS_CTRL, 2, bits);
}

void model_acs_dword(struct model_fn *f, u32 cap, u32 ctrl, u32 bits)
{
	f->acs = model_ext_cap(f, PCI_EXT_CAP_ID_ACS, 12);
	model_put(f, f->acs + PCI_ACS_CAP, 4, cap);
	model_put(f, f->acs + ACS_DWORD_CTRL, 4, ctrl);
	writable(f, f->acs + ACS_DWORD_CTRL, 4, bits);
}

void model_msi(struct model_fn *f, unsigned log2_max, bool addr64, bool maskable)
{
	u16 off = model_cap(f, PCI_CAP_ID_MSI, 24);

	model_put(f, off + PCI_MSI_FLAGS, 2, log2_max << 1 | (addr64 ? PCI_MSI_FLAGS_64BIT : 0) |
							 (maskable ? PCI_MSI_FLAGS_MASKBIT : 0));
	writable(f, off + PCI_MSI_FLAGS, 2, PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_QSIZE);
	memset(f->mask + off + 4, 0xff, addr64 ? 10 : 6);
	f->mask[off + 4] = 0xfc;
	if (maskable)
		memset(f->mask + off + (addr64 ? 16 : 12), 0xff, 4);
}

void model_msix(struct model_fn *f, unsigned n, unsigned bar, u32 table, unsigned pba_bar, u32 pba)
{
	f->msix = model_cap(f, PCI_CAP_ID_MSIX, 12);
	model_put(f, f->msix + PCI_MSIX_FLAGS, 2, n - 1);
	model_put(f, f->msix + PCI_MSIX_TABLE, 4, table | bar);
	model_put(f, f->msix + PCI_MSIX_PBA, 4, pba | pba_bar);
	writable(f, f->msix + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
}

void model_pm(struct model_fn *f, bool no_soft_reset)
{
	f->pm = model_cap(f, PCI_CAP_ID_PM, 8);
	model_put(f, f->pm + PCI_PM_CTRL, 2, no_soft_reset ? PCI_PM_CTRL_NO_SOFT_RESET : 0);
	writable(f, f->pm + PCI_PM_CTRL, 2, PCI_PM_CTRL_STATE_MASK);
}

void model_af(struct model_fn *f)
{
	f->af = model_cap(f, PCI_CAP_ID_AF, 6);
	model_put(f, f->af + PCI_AF_CAP, 1, PCI_AF_CAP_TP | PCI_AF_CAP_FLR);
}

void pci_forget_all(void)
{
	struct pci_dev *d;

	while ((d = TAILQ_FIRST(&pci_devices))) {
		TAILQ_REMOVE(&pci_devices, d, link);
		pci_dev_free(d);
	}
	while ((d = TAILQ_FIRST(&pci_withdrawn))) {
		TAILQ_REMOVE(&pci_withdrawn, d, gone);
		pci_dev_free(d);
	}
}

unsigned model_pci_scan(void)
{
	struct pci_dev *d;
	unsigned n = 0;

	pci_forget_all();
	pci_set_cfg_ops(&model_ops);
	for (unsigned s = 0; s < ARRAY_SIZE(in_use); s++)
		if (in_use[s] && pci_scan((u16)s, 0, 255))
			return 0;
	pci_bars_check();
	pci_for_each(d)
		n++;
	return n;
}
