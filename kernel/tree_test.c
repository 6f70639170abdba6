/* SPDX-License-Identifier: GPL-2.0-only */
/* Names: walking, links, listing, and nodes that go away while somebody holds them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <linux/fcntl.h>

#include "kernel/frames.h"
#include "kernel/tree.h"
#include "tests/host/host.h"

static int shows;

static s64 show(struct node *n, char *buf, size_t cap)
{
	shows++;
	return snprintf(buf, cap, "%s %d\n", node_name(n), *(int *)node_priv(n));
}

static s64 store(struct node *n, const char *buf, size_t len)
{
	*(int *)node_priv(n) = atoi(buf);
	return (s64)len;
}

/* As an unbind file does: writing it takes its own branch away. */
static s64 store_remove(struct node *n, const char *buf, size_t len)
{
	(void)n, (void)buf;
	node_remove("/t/sub");
	return (s64)len;
}

static const struct node_ops attr = { .show = show, .store = store, .mode = 0644 };
static const struct node_ops only_show = { .show = show, .mode = 0444 };
static const struct node_ops remover = { .store = store_remove, .mode = 0200 };
static int value = 42;

static int setup(void **state)
{
	(void)state;
	host_init();
	value = 42;
	assert_non_null(node_add("/t/sub/a", &attr, &value));
	assert_non_null(node_add("/t/sub/ro", &only_show, &value));
	assert_non_null(node_add("/t/sub/del", &remover, &value));
	assert_non_null(node_add_symlink("/t/rel", "sub/../sub"));
	assert_non_null(node_add_symlink("/t/sub/abs", "/t/sub/a"));
	assert_non_null(node_add_symlink("/t/loop", "loop2"));
	assert_non_null(node_add_symlink("/t/loop2", "/t/loop"));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	node_remove("/t");
	host_user_reset();
	return 0;
}

static int find(const char *path, bool follow, const char *expect)
{
	char name[256];
	struct node *n;
	int r = tree_walk(NULL, path, follow, &n);

	if (r)
		return r;
	assert_true(tree_path(n, name, sizeof(name)) > 0);
	assert_string_equal(name, expect);
	node_put(n);
	return 0;
}

static void test_walk(void **state)
{
	char deep[600];

	(void)state;
	assert_int_equal(find("/t/sub/a", true, "/t/sub/a"), 0);
	assert_int_equal(find("t//sub/./../sub/a", true, "/t/sub/a"), 0);
	assert_int_equal(find("/../../t/rel/abs", true, "/t/sub/a"), 0);
	assert_int_equal(find("/t/rel/abs", false, "/t/sub/abs"), 0);
	assert_int_equal(find("/t/rel/", false, "/t/sub"), 0);
	assert_int_equal(find("/t/sub/", true, "/t/sub"), 0);
	assert_int_equal(find("", true, ""), -ENOENT);
	assert_int_equal(find("/t/none", true, ""), -ENOENT);
	assert_int_equal(find("/t/su", true, ""), -ENOENT);
	assert_int_equal(find("/t/sub/a/", true, ""), -ENOTDIR);
	assert_int_equal(find("/t/sub/a/x", true, ""), -ENOTDIR);
	assert_int_equal(find("/t/loop", true, ""), -ELOOP);
	assert_int_equal(find("/t/loop", false, "/t/loop"), 0);
	memset(deep, 'x', sizeof(deep));
	deep[300] = 0;
	assert_int_equal(find(deep, true, ""), -ENAMETOOLONG);
}

static void test_add(void **state)
{
	(void)state;
	assert_null(node_add("/t/sub/a", &attr, &value));
	assert_null(node_add("/t/sub/a/b", &attr, &value));
	assert_null(node_add("/t/sub", &attr, &value));
	assert_non_null(node_add_dir("/t/sub"));
}

struct listing {
	char names[256];
	unsigned stop_after;
};

static bool list_one(void *arg, const struct tree_entry *e)
{
	struct listing *l = arg;

	if (!l->stop_after)
		return false;
	l->stop_after--;
	strcat(l->names, e->name);
	strcat(l->names, " ");
	return true;
}

/* In pieces of any size, and with a removal in between, every entry comes once. */
static void test_list(void **state)
{
	(void)state;
	for (unsigned piece = 1; piece < 7; piece++) {
		struct listing l = { .names = "" };
		struct node *dir;
		u64 pos = 0;

		assert_int_equal(tree_walk(NULL, "/t/sub", true, &dir), 0);
		for (unsigned i = 0; i < 8; i++) {
			l.stop_after = piece;
			assert_int_equal(tree_list(dir, &pos, list_one, &l), 0);
		}
		assert_string_equal(l.names, ". .. a ro del abs ");
		node_put(dir);
	}
}

static struct file *open_path(const char *path, int flags, int *err)
{
	struct file *f = NULL;
	struct node *n;

	*err = tree_walk(NULL, path, true, &n);
	if (!*err) {
		*err = tree_open(n, flags, &f);
		node_put(n);
	}
	return f;
}

static void test_attributes(void **state)
{
	uaddr_t buf = host_user_alloc(4096);
	char text[64] = { 0 };
	struct file *f;
	u64 pos = 0;
	int e;

	(void)state;
	f = open_path("/t/sub/a", O_RDWR, &e);
	assert_int_equal(e, 0);
	assert_int_equal(f->ops->read(f, buf, 3, &pos), 3);
	assert_int_equal(f->ops->read(f, buf + 3, 100, &pos), 2);
	assert_int_equal(f->ops->read(f, buf, 100, &pos), 0);
	assert_int_equal(shows, 1);
	assert_int_equal(copy_from_user(text, buf, 5), 0);
	assert_string_equal(text, "a 42\n");
	assert_int_equal(copy_to_user(buf, "77", 2), 0);
	pos = 0;
	assert_int_equal(f->ops->write(f, buf, 2, &pos), 2);
	assert_int_equal(value, 77);
	file_put(f);
	assert_null(open_path("/t/sub/ro", O_RDWR, &e));
	assert_int_equal(e, -EACCES);
	assert_null(open_path("/t/sub", O_RDWR, &e));
	assert_int_equal(e, -EISDIR);
}

/* An open file of a node that is gone: its object is not touched any more. */
static void test_removed_while_open(void **state)
{
	uaddr_t buf = host_user_alloc(4096);
	struct file *f, *del;
	u64 pos = 0;
	int e;

	(void)state;
	f = open_path("/t/sub/a", O_RDWR, &e);
	del = open_path("/t/sub/del", O_WRONLY, &e);
	assert_int_equal(del->ops->write(del, buf, 1, &pos), 1); /* does not wait for itself */
	assert_int_equal(find("/t/sub", true, ""), -ENOENT);
	pos = 0;
	assert_int_equal(f->ops->read(f, buf, 8, &pos), -ENODEV);
	assert_int_equal(f->ops->write(f, buf, 8, &pos), -ENODEV);
	file_put(f);
	file_put(del);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_walk, setup, teardown),
		cmocka_unit_test_setup_teardown(test_add, setup, teardown),
		cmocka_unit_test_setup_teardown(test_list, setup, teardown),
		cmocka_unit_test_setup_teardown(test_attributes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_removed_while_open, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
