// SPDX-License-Identifier: GPL-2.0-only
/*
 * ACS as it is left after enumeration, the operator's options for it, the table of quirks against a
 * list of its own, and requester ids.  What groups make of it stands in iommu/group_test.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kernel/log.h"
#include "kernel/options.h"
#include "pci/internal.h"
#include "tests/host/host.h"
#include "tests/host/pci_model.h"

#define NEEDED (PCI_ACS_SV | PCI_ACS_RR | PCI_ACS_CR | PCI_ACS_UF)
#define ALL 0x7f
#define KEPT 0x80 /* a bit that nobody knows stays as it was */

static struct model_fn *function(u8 bus, u8 dev, enum pci_type type, u16 cap)
{
	struct model_fn *f = model_fn_add(0, bus, dev, 0, 0x1b36, 0x000c, type == PCI_ENDPOINT ? 0x020000 : 0x060400);

	if (type != PCI_ENDPOINT && type != PCI_RC_ENDPOINT)
		model_bridge(f, (u8)(bus + 1), 9);
	model_express(f, type, false);
	if (cap)
		model_acs(f, cap, KEPT | PCI_ACS_EC | PCI_ACS_DT | PCI_ACS_TB, 0xffff);
	return f;
}

static u32 ctrl_of(const struct model_fn *f)
{
	u32 ctrl = model_get(f, f->acs + PCI_ACS_CTRL, 2);

	assert_true(ctrl & KEPT);
	return ctrl & ~(u32)KEPT;
}

static void start(const char *options)
{
	static char text[256];

	snprintf(text, sizeof(text), "%s", options);
	options_init(text);
	model_pci_clear();
}

static bool isolated(const char *name)
{
	char why[128];

	assert_non_null(pci_find_name(name));
	return pci_acs_isolated(pci_find_name(name), why, sizeof(why));
}

static void test_enabled(void **state)
{
	struct model_fn *root, *up, *down, *end, *partial, *dword;

	(void)state;
	start("");
	root = function(0, 1, PCI_ROOT_PORT, ALL);
	up = function(1, 0, PCI_UPSTREAM, ALL);
	down = function(2, 0, PCI_DOWNSTREAM, ALL);
	end = function(3, 0, PCI_ENDPOINT, ALL);
	partial = function(0, 2, PCI_RC_ENDPOINT, PCI_ACS_SV | PCI_ACS_CR | PCI_ACS_TB);
	dword = model_fn_add(0, 0, 28, 0, 0x8086, 0xa110, 0x060400);
	model_bridge(dword, 20, 20);
	model_express(dword, PCI_ROOT_PORT, false);
	model_acs_dword(dword, ALL, 0, ~0u);
	assert_int_equal(model_pci_scan(), 6);
	assert_int_equal(ctrl_of(root), NEEDED | PCI_ACS_TB);
	assert_int_equal(ctrl_of(up), NEEDED);
	assert_int_equal(ctrl_of(down), NEEDED | PCI_ACS_TB);
	assert_int_equal(ctrl_of(end), NEEDED);
	assert_int_equal(ctrl_of(partial), PCI_ACS_SV | PCI_ACS_CR);
	assert_int_equal(model_get(dword, dword->acs + PCI_ACS_CAP, 4), ALL);
	assert_int_equal(model_get(dword, dword->acs + 8, 4), NEEDED | PCI_ACS_TB);
	assert_true(isolated("0000:00:1c.0"));
	/* A function that is gone reads all ones, and says nothing. */
	assert_true(isolated("0000:02:00.0"));
	down->gone = true;
	assert_false(isolated("0000:02:00.0"));
}

/* Ports above a function that may use ATS let translated requests pass, now and after a reset; no others do. */
static void test_translated(void **state)
{
	struct model_fn *above[3], *beside;
	char why[128];

	(void)state;
	start("");
	above[0] = function(0, 1, PCI_ROOT_PORT, ALL);
	above[1] = function(1, 0, PCI_UPSTREAM, ALL);
	above[2] = function(2, 0, PCI_DOWNSTREAM, ALL);
	beside = function(0, 2, PCI_ROOT_PORT, ALL);
	model_bridge(beside, 10, 12);
	function(3, 0, PCI_ENDPOINT, 0);
	model_bridge(function(10, 0, PCI_PCIE_TO_PCI, 0), 11, 11);
	function(11, 1, PCI_ENDPOINT, 0);
	assert_int_equal(model_pci_scan(), 7);
	assert_true(pci_acs_pass_translated(pci_find_name("0000:03:00.0"), why, sizeof(why)));
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(ctrl_of(above[i]), NEEDED);
		model_put(above[i], above[i]->acs + PCI_ACS_CTRL, 2, KEPT);
	}
	pci_acs_enable(pci_find_name("0000:00:01.0"));
	assert_int_equal(ctrl_of(above[0]), NEEDED);
	assert_false(pci_acs_pass_translated(pci_find_name("0000:0b:01.0"), why, sizeof(why)));
	assert_non_null(strstr(why, "0000:0a:00.0 above it changes requester ids"));
	assert_int_equal(ctrl_of(beside), NEEDED | PCI_ACS_TB);
}

static bool may_translate(const char *name, const char *because)
{
	char why[96] = "";
	bool ok = pci_acs_pass_translated(pci_find_name(name), why, sizeof(why));

	if (!ok)
		assert_non_null(strstr(why, because));
	return ok;
}

/* A neighbour that lets any id pass could send translated requests as the trusted function. */
static void test_translated_beside(void **state)
{
	struct model_fn *other;

	(void)state;
	start("");
	(void)function(0, 1, PCI_ROOT_PORT, ALL);
	(void)function(1, 0, PCI_UPSTREAM, ALL);
	model_bridge(function(2, 0, PCI_DOWNSTREAM, ALL), 3, 3);
	(void)function(3, 0, PCI_ENDPOINT, 0); /* no port: nothing comes through it */
	other = model_fn_add(1, 0, 1, 0, 0x8086, 0x1, 0x060400);
	model_bridge(other, 1, 1);
	model_express(other, PCI_ROOT_PORT, false);
	model_bridge(function(0, 2, PCI_ROOT_PORT, ALL), 10, 12);
	model_bridge(function(10, 0, PCI_UPSTREAM, ALL), 11, 12);
	model_bridge(function(11, 0, PCI_DOWNSTREAM, 0), 12, 12);
	assert_int_equal(model_pci_scan(), 8);
	assert_true(may_translate("0000:03:00.0", ""));
	model_bridge(function(2, 1, PCI_DOWNSTREAM, 0), 4, 4);
	assert_int_equal(model_pci_scan(), 9);
	assert_false(may_translate("0000:03:00.0", "0000:02:01.0 lacks ACS SV"));
	pci_find_name("0000:02:01.0")->quirks |= PCI_QUIRK_ISOLATED;
	assert_true(may_translate("0000:03:00.0", ""));
	pci_find_name("0000:02:01.0")->type = PCI_ROOT_PORT;
	pci_find_name("0000:02:01.0")->quirks = 0;
	assert_false(may_translate("0000:03:00.0", "lacks ACS SV"));
}

static void test_isolated(void **state)
{
	static const struct { enum pci_type type; bool bridge, alone, several; } cases[] = {
		{ PCI_CONVENTIONAL, false, false, false }, { PCI_CONVENTIONAL, true, false, false },
		{ PCI_ENDPOINT, false, true, false }, { PCI_LEGACY_ENDPOINT, false, true, false },
		{ PCI_RC_ENDPOINT, false, true, false }, { PCI_UPSTREAM, true, true, false },
		{ PCI_ROOT_PORT, true, false, false }, { PCI_DOWNSTREAM, true, false, false },
		{ PCI_PCIE_TO_PCI, true, false, false }, { PCI_PCI_TO_PCIE, true, false, false },
		{ PCI_RC_EVENT, false, false, false }, { 3, false, false, false },
	};
	char why[128];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct pci_dev d = { .name = "0000:00:01.0", .type = cases[i].type,
				     .header_type = cases[i].bridge ? PCI_HEADER_TYPE_BRIDGE : 0 };

		assert_int_equal(pci_acs_isolated(&d, why, sizeof(why)), cases[i].alone);
		assert_int_equal(!why[0], cases[i].alone);
		d.multifunction = true;
		assert_int_equal(pci_acs_isolated(&d, why, sizeof(why)), cases[i].several);
		assert_non_null(strstr(why, "0000:00:01.0"));
		d.quirks = PCI_QUIRK_ISOLATED;
		assert_true(pci_acs_isolated(&d, why, sizeof(why)));
	}
}

/* Each missing bit alone keeps a port from being isolated; one that it cannot have does not. */
static void test_bits(void **state)
{
	static const struct { u16 bit; const char *name; } bits[] = {
		{ PCI_ACS_SV, "SV" }, { PCI_ACS_RR, "RR" }, { PCI_ACS_CR, "CR" }, { PCI_ACS_UF, "UF" },
	};
	char why[128], expected[128];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bits); i++) {
		struct model_fn *f;

		start("");
		f = function(0, 1, PCI_ROOT_PORT, 0);
		model_acs(f, NEEDED, 0, (u16)(NEEDED & ~bits[i].bit));
		model_pci_scan();
		assert_false(pci_acs_isolated(pci_find_name("0000:00:01.0"), why, sizeof(why)));
		snprintf(expected, sizeof(expected), "port 0000:00:01.0 lacks ACS %s", bits[i].name);
		assert_string_equal(why, expected);
		start("");
		f = function(0, 1, PCI_ROOT_PORT, (u16)(NEEDED & ~bits[i].bit));
		model_pci_scan();
		assert_true(isolated("0000:00:01.0"));
	}
}

static void test_override(void **state)
{
	static const struct { const char *options; bool port, several, single, acs; } cases[] = {
		{ "pcie_acs_override=downstream", true, false, false, false },
		{ "pcie_acs_override=multifunction", false, true, false, false },
		{ "pcie_acs_override=multifunction,downstream", true, true, false, false },
		{ "pcie_acs_override=id:1b36:000C", true, false, false, false },
		{ "pcie_acs_override=id:1b36:000d,id:8086:1", false, true, false, false },
		{ "pcie_acs_override=down", false, false, false, false },
		{ "pcie_acs_override=downstreams", false, false, false, false },
		{ "pcie_acs_override=id:0:0,id:0:c,id:1b36:0,id:,id::,id:1b36,id:1b36:,id:1b36:000c:", false, false, false, false },
		{ "pcie_acs_override", false, false, false, false },
		{ "", false, false, false, false },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct model_fn *f;

		start(cases[i].options);
		function(0, 1, PCI_ROOT_PORT, 0);
		f = model_fn_add(0, 0, 2, 0, 0x8086, 1, 0x020000);
		model_express(f, PCI_LEGACY_ENDPOINT, false);
		model_multifunction(f);
		f = model_fn_add(0, 0, 3, 0, 0x1b36, 0x000c, 0x060400);
		model_multifunction(f);
		model_bridge(f, 11, 11);
		function(0, 4, PCI_ROOT_PORT, 0)->cfg[PCI_SECONDARY_BUS] = 0;
		f = model_fn_find(0, 0, 4 << 3);
		model_acs(f, NEEDED, 0, 0); /* has the capability: it is believed */
		model_pci_scan();
		assert_int_equal(isolated("0000:00:01.0"), cases[i].port);
		assert_int_equal(isolated("0000:00:02.0"), cases[i].several);
		assert_int_equal(isolated("0000:00:03.0"), cases[i].single);
		assert_int_equal(isolated("0000:00:04.0"), cases[i].acs);
	}
}

/* Whoever counts as isolated for the operator's word alone is named, and only such. */
static void test_override_is_loud(void **state)
{
	char text[4096];
	u64 pos = 0;
	size_t n;

	(void)state;
	start("pcie_acs_override=multifunction");
	for (u8 dev = 1; dev < 3; dev++) {
		struct model_fn *f = model_fn_add(0, 0, dev, 0, 0x8086, dev == 1 ? 0x10c9 : 1, 0x020000);

		model_express(f, PCI_ENDPOINT, false);
		model_multifunction(f);
	}
	while (log_read(&pos, text, sizeof(text)))
		;
	model_pci_scan();
	n = log_read(&pos, text, sizeof(text) - 1);
	text[n] = 0;
	assert_true(isolated("0000:00:01.0") && isolated("0000:00:02.0"));
	assert_non_null(strstr(text, "0000:00:02.0 counts as isolated by pcie_acs_override=. It is NOT"));
	assert_null(strstr(text, "0000:00:01.0 counts"));
}

static void test_configured(void **state)
{
	static const struct { const char *options; u16 port, end; } cases[] = {
		{ "pci=config_acs=0@00:01.0", 0x1e, 0x1d },
		{ "pci=config_acs=0@0000:00:01.0", 0x1e, 0x1d },
		{ "pci=config_acs=0xxxx@00:01.0", 0x0f, 0x1d },
		{ "pci=config_acs=x0X0x@00:01.0", 0x15, 0x1d },
		{ "pci=noaer,config_acs=00xx@00:01.0;1x@01:00.0", 0x13, 0x1f },
		{ "pci=config_acs=1111111@01:00.0;0@01:00.0", 0x1f, 0x1f },
		{ "pci=config_acs=0@pci:0:0", 0x1e, 0x1c },
		{ "pci=config_acs=0@pci:1b36:0", 0x1e, 0x1c },
		{ "pci=config_acs=0@pci:1b36:d,nothing;0@pci:0:0", 0x1f, 0x1d },
		/* Not understood: nothing changes. */
		{ "pci=config_acs=02@pci:0:0", 0x1f, 0x1d },
		{ "pci=config_acs=0", 0x1f, 0x1d },
		{ "pci=config_acs=0;pci:0:0", 0x1f, 0x1d },
		{ "pci=config_acs=0@00:01", 0x1f, 0x1d },
		{ "pci=config_acs=0@00:01.00", 0x1f, 0x1d },
		{ "pci=config_acs=0@pci:0:0:0", 0x1f, 0x1d },
		{ "pci=config_acs=0@pci:", 0x1f, 0x1d },
		{ "pci=config_acs=0@pci:0:", 0x1f, 0x1d },
		{ "pci=config_acs=0@pci::0", 0x1f, 0x1d },
		{ "pci=config_acs=0@pci:0/0", 0x1f, 0x1d },
		{ "pci=config_acs=0@pci:8086:0", 0x1f, 0x1d },
		{ "pci=config_acs", 0x1f, 0x1d },
		{ "pci", 0x1f, 0x1d },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct model_fn *port, *end;

		start(cases[i].options);
		port = function(0, 1, PCI_ROOT_PORT, ALL);
		end = function(1, 0, PCI_ENDPOINT, ALL);
		model_pci_scan();
		assert_int_equal(ctrl_of(port), cases[i].port);
		assert_int_equal(ctrl_of(end), cases[i].end);
	}
	/* What the capability has not is not set. */
	start("pci=config_acs=11111@pci:0:0");
	function(0, 1, PCI_ROOT_PORT, PCI_ACS_SV | PCI_ACS_RR);
	model_pci_scan();
	assert_int_equal(ctrl_of(model_fn_first()), PCI_ACS_SV | PCI_ACS_RR);
}

/* ---- the chipset that isolates ports without ACS ---- */

#define RCBA 0xfed1c000u
static u32 chipset[0x4000 / 4];

static bool pch(u32 rcba, u32 bspr, u32 updcr)
{
	struct model_fn *lpc, *f;

	start("");
	lpc = model_fn_add(0, 0, 31, 0, 0x8086, 0x1e44, 0x060100);
	model_put(lpc, 0xf0, 4, rcba);
	f = model_fn_add(0, 0, 28, 0, 0x8086, 0x1e10, 0x060400);
	model_bridge(f, 1, 1);
	model_express(f, PCI_ROOT_PORT, false);
	memset(f->mask + 0xd8, 0xff, 4);
	memset(chipset, 0xff, sizeof(chipset));
	chipset[0x1104 / 4] = bspr;
	chipset[0x1014 / 4] = updcr;
	host_mmio_reset();
	host_mmio_add(RCBA, sizeof(chipset), NULL, chipset);
	model_pci_scan();
	assert_int_equal(model_get(f, 0xd8, 4), isolated("0000:00:1c.0") ? 1u << 26 : 0);
	return isolated("0000:00:1c.0");
}

static void test_chipset(void **state)
{
	(void)state;
	assert_true(pch(RCBA | 1, 0, 0xff));
	assert_int_equal(chipset[0x1014 / 4], 0xc0);
	assert_true(pch(RCBA | 1, 0x100, 0xff));
	assert_int_equal(chipset[0x1014 / 4], 0xc0);
	assert_true(pch(RCBA | 1, 0x300, 0xff)); /* hard-wired: nothing to switch off */
	assert_int_equal(chipset[0x1014 / 4], 0xff);
	assert_false(pch(RCBA, 0, 0xff));
	assert_int_equal(chipset[0x1014 / 4], 0xff);
	assert_false(pch(~0u, 0, 0xff));
	assert_false(pch(0x12340001, 0, 0xff)); /* cannot be mapped */
}

/* ---- quirks ---- */

/* Every id that has the flag, in ascending order, as FIRST-LAST or one. */
static void check_flag(u16 vendor, enum pci_type type, u8 flag, const char *expected)
{
	char found[2048];
	size_t len = 0;

	found[0] = 0;
	for (u32 id = 0; id < 0x10000; id++) {
		struct pci_dev d = { .vendor = vendor, .device = (u16)id, .type = type, .multifunction = true };
		u32 first = id;

		while (id < 0x10000 && (d.device = (u16)id, pci_quirks_of(&d) & flag))
			id++;
		if (id == first)
			continue;
		assert_true(len < sizeof(found) - 16);
		len += (size_t)snprintf(found + len, sizeof(found) - len, id == first + 1 ? " %04x" : " %04x-%04x", first, id - 1);
	}
	assert_string_equal(found, expected);
}

static void test_quirks(void **state)
{
	(void)state;
	check_flag(0x8086, PCI_ROOT_PORT, PCI_QUIRK_ACS_DWORD, " 9d10-9d1b a110-a11f a167-a16a a290-a29f a2e7-a2ee");
	check_flag(0x8086, PCI_DOWNSTREAM, PCI_QUIRK_ACS_DWORD, "");
	check_flag(0x8086, PCI_ROOT_PORT, PCI_QUIRK_PCH_PORT,
		   " 1c10-1c1f 1d10 1d12 1d14 1d16 1d18 1d1a 1d1c 1d1e 1e10-1e1f 3b42-3b51 8c10-8c1f 8c90 8c92 8c94 8c96"
		   " 8c98 8c9a 8c9c 8c9e 8d10-8d1e 9c10-9c1b 9c90-9c9b");
	check_flag(0x8086, PCI_DOWNSTREAM, PCI_QUIRK_PCH_PORT, "");
	check_flag(0x8086, PCI_ENDPOINT, PCI_QUIRK_ISOLATED,
		   " 105e-1060 10a7 10a9 10c6 10c9 10d6 10d9 10db 10dd 10e1 10e6-10e8 10f1 10f7-10fc 1507 1509-150a 150d-1511"
		   " 1514 1516 1518 151c 1521-1524 1526-1527 1529-152a 154d 154f 1551 1558 15b7-15b8");
	check_flag(0x8086, PCI_RC_ENDPOINT, PCI_QUIRK_ISOLATED, " 0000-ffff");
	check_flag(0x10de, PCI_RC_ENDPOINT, PCI_QUIRK_ISOLATED, "");
	check_flag(0x1924, PCI_ENDPOINT, PCI_QUIRK_ISOLATED, " 0903 0923 0a03");
	check_flag(0x19a2, PCI_ENDPOINT, PCI_QUIRK_ISOLATED, " 0710");
	check_flag(0x10df, PCI_ENDPOINT, PCI_QUIRK_ISOLATED, " 0720");
	check_flag(0x14e4, PCI_ENDPOINT, PCI_QUIRK_ISOLATED, " 16d7 1750-1752 1760-1763");
	check_flag(0x1180, PCI_CONVENTIONAL, PCI_QUIRK_ALIAS_FN0, " e476 e832");
	check_flag(0x1b4b, PCI_ENDPOINT, PCI_QUIRK_ALIAS_FN1,
		   " 9120 9123 9125 9128 9130 9170 9172 917a 9182-9183 91a0 9215 9220 9230 9235");
	check_flag(0x1103, PCI_ENDPOINT, PCI_QUIRK_ALIAS_FN1, " 0642 0645");
	check_flag(0x197b, PCI_ENDPOINT, PCI_QUIRK_ALIAS_FN1, " 2392");
	check_flag(0x1c28, PCI_ENDPOINT, PCI_QUIRK_ALIAS_FN1, " 0122");
}

/* ---- requester ids ---- */

static void check_aliases(const char *name, const char *expected)
{
	struct pci_alias alias[PCI_MAX_ALIASES];
	unsigned n = pci_dma_aliases(pci_find_name(name), alias);
	char found[256];
	size_t len = 0;

	for (unsigned i = 0; i < n; i++)
		len += (size_t)snprintf(found + len, sizeof(found) - len, "%s%02x:%02x.%x", i ? " " : "", alias[i].bus,
					alias[i].devfn >> 3, alias[i].devfn & 7);
	assert_string_equal(found, expected);
	assert_ptr_equal(alias[0].owner, pci_find_name(name));
}

static void test_aliases(void **state)
{
	struct model_fn *f;

	(void)state;
	start("");
	function(0, 1, PCI_ROOT_PORT, ALL);
	function(1, 0, PCI_PCIE_TO_PCI, 0);
	model_fn_add(0, 2, 3, 0, 0x8086, 0x100e, 0x020000);
	f = model_fn_add(0, 2, 4, 0, 0x104c, 0xac28, 0x060400); /* a conventional bridge below that */
	model_bridge(f, 3, 3);
	model_multifunction(model_fn_add(0, 3, 5, 0, 0x1180, 1, 0x060700));
	model_fn_add(0, 3, 5, 2, 0x1180, 0xe832, 0x0c0000);
	f = function(0, 2, PCI_ROOT_PORT, ALL);
	model_bridge(f, 10, 11);
	f = model_fn_add(0, 10, 0, 0, 0x1b21, 0x1080, 0x060400); /* on a link, and without a PCIe capability */
	model_bridge(f, 11, 11);
	model_fn_add(0, 11, 1, 0, 0x1102, 4, 0x040100);
	f = function(0, 3, PCI_PCI_TO_PCIE, 0);
	model_bridge(f, 12, 12);
	model_express(model_fn_add(0, 12, 0, 0, 0x1b4b, 0x9230, 0x010601), PCI_ENDPOINT, false);
	assert_int_equal(model_pci_scan(), 11);
	check_aliases("0000:01:00.0", "01:00.0");
	check_aliases("0000:02:03.0", "02:03.0 02:00.0");
	check_aliases("0000:03:05.2", "03:05.2 03:05.0 02:04.0 02:00.0");
	check_aliases("0000:0b:01.0", "0b:01.0 0b:00.0 0a:00.0");
	check_aliases("0000:0c:00.0", "0c:00.0 0c:00.1 00:03.0");
}

/* What does not fit is blocked and named, not written past the end. */
static void test_many_aliases(void **state)
{
	struct pci_alias alias[PCI_MAX_ALIASES];

	(void)state;
	start("");
	for (u8 bus = 0; bus < 12; bus++) {
		struct model_fn *f = model_fn_add(0, bus, 1, 0, 0x104c, 0xac28, 0x060400);

		model_bridge(f, (u8)(bus + 1), 12);
	}
	model_fn_add(0, 12, 1, 0, 0x8086, 0x100e, 0x020000);
	assert_int_equal(model_pci_scan(), 13);
	assert_int_equal(pci_dma_aliases(pci_find_name("0000:0c:01.0"), alias), PCI_MAX_ALIASES);
}

static int setup(void **state)
{
	(void)state;
	host_init();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_enabled),    cmocka_unit_test(test_translated), cmocka_unit_test(test_translated_beside), cmocka_unit_test(test_isolated), cmocka_unit_test(test_bits),
		cmocka_unit_test(test_override),   cmocka_unit_test(test_override_is_loud), cmocka_unit_test(test_configured), cmocka_unit_test(test_chipset),
		cmocka_unit_test(test_quirks),     cmocka_unit_test(test_aliases), cmocka_unit_test(test_many_aliases),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
