// SPDX-License-Identifier: GPL-2.0-only
/*
 * Groups: the partition of recorded machines by Linux's rule, hand-made machines by both rules.  The corpus is found by POSTERN_DATA (or ../shared/data); no
 * file of it is left out.
 */
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "pci/internal.h"
#include "tests/host/group_build.h"
#include "tests/host/host.h"
#include "tests/host/pci_model.h"
#include "tools/host/lib/topo.h"

static bool together(const char *a, const char *b)
{
	struct pci_dev *x = pci_find_name(a), *y = pci_find_name(b);

	assert_non_null(x);
	assert_non_null(y);
	return x->group == y->group;
}

static const char *reason(const char *name)
{
	return pci_find_name(name)->group->reason;
}

/* ---- the corpus ---- */

/* Same partition: equal labels exactly where groups are equal. */
static unsigned label_errors(const char *path, const struct topo *t)
{
	unsigned errors = 0;

	for (const struct topo_fn *f = t->fn; f < t->fn + t->n; f++) {
		for (const struct topo_fn *g = f + 1; g < t->fn + t->n; g++) {
			if (f->label < 0 || g->label < 0 || (f->label == g->label) == (f->group == g->group))
				continue;
			if (errors++ < 4)
				print_error("%s: %s and %s: groups %u and %u, Linux %ld and %ld\n", path, topo_name(f),
					    topo_name(g), f->group->id, g->group->id, f->label, g->label);
		}
	}
	return errors;
}

static void load(struct topo *t, const char *path)
{
	FILE *in = fopen(path, "r");
	size_t len;
	char *text;

	assert_non_null(in);
	text = topo_read(in, &len);
	fclose(in);
	assert_non_null(text);
	if (topo_parse(t, text, len))
		fail_msg("%s:%u: %s", path, t->error_line, t->error);
	free(text);
}

/* Machines whose labels are Linux's groups; damaged ones are not for here. */
static void corpus(const char *folder, unsigned at_least)
{
	char pattern[512];
	unsigned errors = 0;
	glob_t files;

	snprintf(pattern, sizeof(pattern), "%s/*.topo", folder);
	if (glob(pattern, 0, NULL, &files)) {
		print_message("skipped: no %s\n", pattern);
		skip();
	}
	assert_true(files.gl_pathc >= at_least);
	for (size_t i = 0; i < files.gl_pathc; i++) {
		struct topo t;

		if (strstr(files.gl_pathv[i], "/bad_"))
			continue;
		load(&t, files.gl_pathv[i]);
		assert_int_equal(topo_group(&t, "iommu.groups=linux", false), 0);
		errors += label_errors(files.gl_pathv[i], &t);
		topo_free(&t);
	}
	globfree(&files);
	assert_int_equal(errors, 0);
}

static void real(const char *set, unsigned at_least)
{
	const char *data = getenv("POSTERN_DATA");
	char folder[400];

	snprintf(folder, sizeof(folder), "%s/topo/%s", data ? data : "../shared/data", set);
	corpus(folder, at_least);
}

static void test_made(void **state)
{
	const char *folder = getenv("POSTERN_TOPO");

	(void)state;
	corpus(folder ? folder : "tests/topo", 8);
}

static void test_recorded(void **state)
{
	(void)state;
	real("recorded", 12);
}

static void test_derived(void **state)
{
	(void)state;
	real("derived", 43);
}

/* A two-socket server: no groups were recorded, but every function is found and has one. */
static void test_unlabelled(void **state)
{
	(void)state;
	real("unlabelled", 1);
}

/* ---- hand-made machines ---- */

static struct model_fn *port(u8 bus, u8 dev, u8 fn, enum pci_type type, u8 secondary, u8 subordinate, u16 ctrl)
{
	struct model_fn *f = model_fn_add(0, bus, dev, fn, 0x1b36, 0x000c, 0x060400);

	model_bridge(f, secondary, subordinate);
	model_express(f, type, false);
	if (type != PCI_UPSTREAM)
		model_acs(f, ACS_ALL, 0, ctrl);
	return f;
}

static struct model_fn *endpoint(u8 bus, u8 dev, u8 fn)
{
	struct model_fn *f = model_fn_add(0, bus, dev, fn, 0x1b36, 0x0010, 0x010802);

	model_express(f, PCI_ENDPOINT, true);
	return f;
}

/* Two downstream ports of one switch; `ctrl` is what can be set in the first. */
static void make_switch(u16 ctrl)
{
	model_pci_clear();
	port(0, 1, 0, PCI_ROOT_PORT, 1, 6, ACS_ALL);
	port(1, 0, 0, PCI_UPSTREAM, 2, 6, 0);
	port(2, 0, 0, PCI_DOWNSTREAM, 3, 3, ctrl);
	port(2, 1, 0, PCI_DOWNSTREAM, 4, 4, ACS_ALL);
	endpoint(3, 0, 0);
	endpoint(4, 0, 0);
	model_pci_scan();
}

static void test_switch(void **state)
{
	(void)state;
	make_switch(ACS_ALL);
	build(false);
	assert_false(together("0000:03:00.0", "0000:04:00.0"));
	assert_false(together("0000:03:00.0", "0000:02:00.0"));
	assert_string_equal(reason("0000:03:00.0"), "");

	make_switch(PCI_ACS_SV | PCI_ACS_CR);
	build(true);
	assert_true(together("0000:03:00.0", "0000:02:00.0"));
	assert_false(together("0000:03:00.0", "0000:04:00.0"));
	build(false);
	assert_true(together("0000:03:00.0", "0000:04:00.0"));
	assert_true(together("0000:04:00.0", "0000:02:01.0"));
	assert_false(together("0000:04:00.0", "0000:01:00.0"));
	assert_string_equal(reason("0000:04:00.0"), "port 0000:02:00.0 lacks ACS RR UF");
}

/* What is known of a machine may begin with a switch's ports. */
static void test_partial(void **state)
{
	(void)state;
	model_pci_clear();
	port(0, 0, 0, PCI_DOWNSTREAM, 1, 1, ACS_ALL);
	port(0, 1, 0, PCI_DOWNSTREAM, 2, 2, PCI_ACS_SV);
	endpoint(1, 0, 0);
	endpoint(2, 0, 0);
	model_pci_scan();
	build(true);
	assert_false(together("0000:01:00.0", "0000:02:00.0"));
	build(false);
	assert_true(together("0000:00:00.0", "0000:02:00.0"));
	assert_true(together("0000:01:00.0", "0000:02:00.0"));

	/* And end with one. */
	model_pci_clear();
	port(0, 0, 0, PCI_DOWNSTREAM, 1, 1, ACS_ALL);
	assert_int_equal(model_pci_scan(), 1);
	build(false);
	assert_string_equal(reason("0000:00:00.0"), "");
}

static void test_reasons(void **state)
{
	struct model_fn *f;

	(void)state;
	model_pci_clear();
	model_multifunction(model_fn_add(0, 0, 31, 0, 0x8086, 0x2918, 0x060100));
	model_multifunction(model_fn_add(0, 0, 31, 2, 0x8086, 0x2922, 0x010601));
	model_fn_add(0, 0, 2, 0, 0x1234, 0x11e8, 0xff0000);
	f = port(0, 28, 0, PCI_ROOT_PORT, 3, 3, PCI_ACS_SV);
	model_multifunction(f);
	endpoint(3, 0, 0);
	f = model_fn_add(0, 0, 5, 0, 0x1b36, 0x000e, 0x060400);
	model_express(f, PCI_PCIE_TO_PCI, false);
	model_bridge(f, 4, 4);
	model_fn_add(0, 4, 1, 0, 0x8086, 0x100e, 0x020000);
	model_fn_add(0, 4, 2, 0, 0x8086, 0x100e, 0x020000);
	port(0, 6, 0, PCI_ROOT_PORT, 5, 5, ACS_ALL);
	model_multifunction(endpoint(5, 0, 0));
	endpoint(5, 0, 1);
	model_pci_scan();
	pci_find_name("0000:00:02.0")->ats = true;
	build(false);
	assert_non_null(strstr(reason("0000:00:02.0"), "ATS is on"));
	pci_find_name("0000:00:02.0")->ats = false;
	pci_find_name("0000:00:02.0")->vmd = true;
	build(false);
	assert_non_null(strstr(reason("0000:00:02.0"), "VMD"));
	pci_find_name("0000:00:02.0")->vmd = false;
	build(false);

	assert_true(together("0000:00:1f.0", "0000:00:1f.2"));
	assert_string_equal(reason("0000:00:1f.2"), "0000:00:1f.0 is a conventional multifunction device");
	assert_string_equal(reason("0000:00:02.0"), "");
	assert_true(together("0000:03:00.0", "0000:00:1c.0"));
	assert_string_equal(reason("0000:03:00.0"), "port 0000:00:1c.0 lacks ACS RR CR UF");
	assert_true(together("0000:04:01.0", "0000:04:02.0"));
	assert_string_equal(reason("0000:04:01.0"), "bridge 0000:00:05.0 aliases all behind it");
	assert_true(together("0000:05:00.0", "0000:05:00.1"));
	assert_false(together("0000:05:00.0", "0000:00:06.0"));
	assert_string_equal(reason("0000:05:00.1"), "multifunction device 0000:05:00.0 lacks ACS SV RR CR UF");
}

static void test_quirk_alias(void **state)
{
	struct model_fn *f;

	(void)state;
	model_pci_clear();
	f = model_fn_add(0, 0, 3, 0, 0x1b4b, 0x9230, 0x010601);
	model_express(f, PCI_RC_ENDPOINT, false);
	model_acs(f, ACS_ALL, 0, ACS_ALL);
	model_multifunction(f);
	for (u8 fn = 1; fn < 3; fn++) {
		f = model_fn_add(0, 0, 3, fn, 0x1b4b, 0x91a4, 0x01018f);
		model_express(f, PCI_RC_ENDPOINT, false);
		model_acs(f, ACS_ALL, 0, ACS_ALL);
	}
	model_pci_scan();
	build(true);
	assert_false(together("0000:00:03.0", "0000:00:03.2"));
	assert_true(together("0000:00:03.0", "0000:00:03.1"));
	assert_string_equal(reason("0000:00:03.0"), "0000:00:03.0 also sends as function 1");
}

static void test_large_group(void **state)
{
	struct iommu_group *g;

	(void)state;
	model_pci_clear();
	model_bridge(model_fn_add(0, 0, 1, 0, 0x1b36, 1, 0x060400), 1, 1);
	for (u8 dev = 0; dev < 32; dev++)
		for (u8 fn = 0; fn < 3; fn++)
			model_multifunction(model_fn_add(0, 1, dev, fn, 0x8086, 0x100e, 0x020000));
	assert_int_equal(model_pci_scan(), 97);
	build(false);
	g = pci_find_name("0000:01:00.0")->group;
	assert_int_equal(g->ndevs, IOMMU_MAX_GROUP_DEVS);
	assert_ptr_equal(pci_find_name("0000:01:1f.2")->group, g);
	assert_true(g->too_large);
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
		cmocka_unit_test(test_recorded),   cmocka_unit_test(test_derived),
		cmocka_unit_test(test_unlabelled), cmocka_unit_test(test_made),
		cmocka_unit_test(test_switch),     cmocka_unit_test(test_partial), cmocka_unit_test(test_reasons),
		cmocka_unit_test(test_quirk_alias), cmocka_unit_test(test_large_group),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
