/* SPDX-License-Identifier: GPL-2.0-only */
/* newc archives: what is there is found, and whatever is cut off or wrong is refused in bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kernel/cpio.h"

#define DIR_MODE 0040755u
#define FILE_MODE 0100644u

static char archive[4096];
static size_t used;

static void put(const char *name, u32 mode, const char *data)
{
	size_t name_size = strlen(name) + 1, size = strlen(data);

	used += (size_t)sprintf(archive + used, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", 1, mode, 0, 0,
				1, 0, (unsigned)size, 0, 0, 0, 0, (unsigned)name_size, 0);
	memcpy(archive + used, name, name_size);
	used = ALIGN_UP(used + name_size, 4);
	memcpy(archive + used, data, size);
	used = ALIGN_UP(used + size, 4);
}

static int setup(void **state)
{
	(void)state;
	memset(archive, 0, sizeof(archive));
	used = 0;
	put("bin", DIR_MODE, "");
	put("./bin/a", FILE_MODE, "hello");
	put("/b", FILE_MODE, "");
	put("TRAILER!!!", 0, "");
	return 0;
}

static void test_reads_entries(void **state)
{
	struct cpio_entry e;
	u64 pos = 0;

	(void)state;
	assert_int_equal(cpio_next(archive, used, &pos, &e), 1);
	assert_string_equal(e.name, "bin");
	assert_int_equal(e.mode, DIR_MODE);
	assert_int_equal(cpio_next(archive, used, &pos, &e), 1);
	assert_string_equal(e.name, "bin/a");
	assert_int_equal(e.size, 5);
	assert_memory_equal(e.data, "hello", 5);
	assert_int_equal(cpio_next(archive, used, &pos, &e), 1);
	assert_string_equal(e.name, "b");
	assert_int_equal(cpio_next(archive, used, &pos, &e), 0);
}

/* A second archive behind zeroes is read too. */
static void test_concatenated(void **state)
{
	struct cpio_entry e;
	unsigned n = 0;
	u64 pos = 0;

	(void)state;
	used += 512;
	put("c", FILE_MODE, "x");
	while (cpio_next(archive, used, &pos, &e) > 0)
		n++;
	assert_int_equal(n, 4);
	assert_string_equal(e.name, "c");
}

/* Every prefix, in memory that ends where the archive ends. */
static void test_truncated(void **state)
{
	unsigned bad = 0;

	(void)state;
	for (size_t cut = 0; cut < used; cut++) {
		char *copy = malloc(cut + 1);
		struct cpio_entry e;
		u64 pos = 0, sum = 0;
		int r;

		memcpy(copy, archive, cut);
		while ((r = cpio_next(copy, cut, &pos, &e)) > 0) {
			assert_true(e.data + e.size <= (u8 *)copy + cut);
			for (u64 i = 0; i < e.size; i++)
				sum += e.data[i];
			sum += strlen(e.name);
		}
		assert_true(r == 0 || r == -EBADMSG);
		bad += r != 0;
		free(copy);
	}
	assert_true(bad > 300);
}

static void refused(void)
{
	struct cpio_entry e;
	u64 pos = 0;

	assert_int_equal(cpio_next(archive, used, &pos, &e), -EBADMSG);
	assert_int_equal(pos, 0);
}

static void test_wrong_fields(void **state)
{
	(void)state;
	archive[5] = '2'; /* another kind of archive */
	refused();
	archive[5] = '1';
	archive[14] = 'g'; /* mode */
	refused();
	setup(NULL);
	memset(archive + 94, 'F', 8); /* name size */
	refused();
	setup(NULL);
	memset(archive + 94, '0', 8);
	refused();
	setup(NULL);
	memset(archive + 54, 'F', 8); /* file size */
	refused();
	setup(NULL);
	archive[113] = 'x'; /* the name has no end */
	refused();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_reads_entries, setup),
		cmocka_unit_test_setup(test_concatenated, setup),
		cmocka_unit_test_setup(test_truncated, setup),
		cmocka_unit_test_setup(test_wrong_fields, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
