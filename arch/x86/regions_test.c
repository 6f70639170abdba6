/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The memory map of the handover against a model that knows one byte per page: what anybody claimed is
 * not free, what only RAM covers is, and the result is sorted and disjoint.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/x86/boot/regions.h"

#define MODEL_PAGES 256
#define ROUNDS 20000

static struct handover ho;

static uint32_t kind_at(uint64_t page)
{
	for (uint32_t i = 0; i < ho.nregions; i++)
		if (page * 4096 >= ho.region[i].base && page * 4096 < ho.region[i].base + ho.region[i].size)
			return ho.region[i].kind;
	return 0;
}

static void check_sorted(void)
{
	for (uint32_t i = 0; i < ho.nregions; i++) {
		assert_true(ho.region[i].size > 0);
		assert_int_equal((ho.region[i].base | ho.region[i].size) & 0xfff, 0);
		if (i)
			assert_true(ho.region[i].base >= ho.region[i - 1].base + ho.region[i - 1].size);
	}
}

/* 0 nothing, 1 RAM, 2 claimed; page-aligned input so that the model is exact. */
static void random_maps(void **state)
{
	(void)state;
	srand(1);
	for (int round = 0; round < ROUNDS; round++) {
		uint8_t model[MODEL_PAGES] = { 0 };
		int n = rand() % 12;

		memset(&ho, 0, sizeof ho);
		for (int i = 0; i < n; i++) {
			uint64_t base = rand() % MODEL_PAGES, len = rand() % (MODEL_PAGES - base + 1);
			uint32_t kind = 1 + rand() % 6;

			assert_int_equal(regions_add(&ho, base * 4096, len * 4096, kind), 0);
			for (uint64_t p = base; p < base + len; p++)
				if (model[p] < 2)
					model[p] = kind == HANDOVER_RAM ? 1 : 2;
		}
		assert_int_equal(regions_finish(&ho), 0);
		if (n) {
			uint64_t base = rand() % MODEL_PAGES, len = rand() % (MODEL_PAGES - base + 1);

			assert_int_equal(regions_claim(&ho, base * 4096, len * 4096, HANDOVER_KERNEL), 0);
			assert_int_equal(regions_finish(&ho), 0);
			for (uint64_t p = base; p < base + len; p++)
				model[p] = model[p] == 1 ? 2 : model[p];
		}
		check_sorted();
		for (uint64_t p = 0; p < MODEL_PAGES; p++) {
			uint32_t kind = kind_at(p);

			assert_int_equal(model[p], kind == 0 ? 0 : kind == HANDOVER_RAM ? 1 : 2);
		}
	}
}

/* RAM loses its partial pages, a claim takes them whole. */
static void partial_pages(void **state)
{
	(void)state;
	memset(&ho, 0, sizeof ho);
	regions_add(&ho, 0x800, 0x3000, HANDOVER_RAM);
	regions_add(&ho, 0x1fff, 2, HANDOVER_RESERVED);
	assert_int_equal(regions_finish(&ho), 0);
	assert_int_equal(kind_at(0), 0);
	assert_int_equal(kind_at(1), HANDOVER_RESERVED);
	assert_int_equal(kind_at(2), HANDOVER_RESERVED);
	assert_int_equal(kind_at(3), 0);
	memset(&ho, 0, sizeof ho);
	regions_add(&ho, ~0ull - 0x2fff, ~0ull, HANDOVER_RAM);
	assert_int_equal(regions_finish(&ho), 0);
	assert_int_equal(ho.nregions, 1);
}

static void full_map_is_refused(void **state)
{
	int err = 0;

	(void)state;
	memset(&ho, 0, sizeof ho);
	for (uint64_t i = 0; i < HANDOVER_MAX_REGIONS; i++)
		err |= regions_add(&ho, i * 0x2000, 0x1000, HANDOVER_RAM);
	assert_int_equal(err, 0);
	assert_int_equal(regions_add(&ho, 0x10000000, 0x1000, HANDOVER_RAM), -1);
	assert_int_equal(regions_claim(&ho, 0, 0x1000, HANDOVER_KERNEL), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_maps),
		cmocka_unit_test(partial_pages),
		cmocka_unit_test(full_map_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
