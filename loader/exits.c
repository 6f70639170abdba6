/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counts what brings the guest out: the exits that come to the loader, by what was accessed, and,
 * where the system shows them (Postern does, Linux does not), those that the system handles itself.
 * A guest can have a stretch of its work measured, to see what one I/O costs.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "loader/loader.h"

/* Lines "NAME COUNT", the first of them the total. */
#define SYSTEM_EXITS	"/sys/kernel/postern/vm_exits"
#define KINDS_MAX	(sizeof(((struct system_exits *)0)->kind) / \
			 sizeof(((struct system_exits *)0)->kind[0]))

static const char *const kind_name[EXIT_KINDS] = {
	"serial port", "PCI configuration", "other ports", "trapped device memory", "signals",
};

static void system_exits_read(struct system_exits *exits)
{
	char text[1024];
	ssize_t len;
	int fd = open(SYSTEM_EXITS, O_RDONLY | O_CLOEXEC);

	exits->kinds = 0;
	if (fd < 0)
		return;
	len = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[len > 0 ? len : 0] = '\0';
	for (char *save, *line = strtok_r(text, "\n", &save); line && exits->kinds < KINDS_MAX;
	     line = strtok_r(NULL, "\n", &save)) {
		unsigned int n = exits->kinds;

		if (sscanf(line, "%23s %" SCNu64, exits->kind[n].name, &exits->kind[n].count) == 2)
			exits->kinds++;
	}
}

/* One more "N name" to a list of those that are not 0. */
static void list_add(char *list, size_t size, uint64_t count, const char *name)
{
	size_t len = strlen(list);

	if (count > 0)
		snprintf(list + len, size - len, "%s%" PRIu64 " %s", len ? ", " : ": ", count, name);
}

static void each_print(char *text, size_t size, uint64_t exits, uint32_t operations)
{
	uint64_t hundredths = exits * 100 / operations;

	snprintf(text, size, "%" PRIu64 ".%02" PRIu64, hundredths / 100, hundredths % 100);
}

/* What the system counted since @before; @operations 0: no figure per I/O. */
static void system_exits_print(const struct system_exits *before, uint32_t operations)
{
	struct system_exits now;
	char list[320] = "", each[48] = "";

	system_exits_read(&now);
	if (now.kinds == 0 || now.kinds != before->kinds)
		return;
	for (unsigned int i = 0; i < now.kinds; i++)
		now.kind[i].count -= before->kind[i].count;
	for (unsigned int i = 1; i < now.kinds; i++)
		list_add(list, sizeof(list), now.kind[i].count, now.kind[i].name);
	if (operations) {
		each_print(each, sizeof(each), now.kind[0].count, operations);
		note("VM exits of every kind in %u I/Os: %" PRIu64 ", %s per I/O%s", operations,
		     now.kind[0].count, each, list);
	} else {
		note("VM exits of every kind: %" PRIu64 "%s", now.kind[0].count, list);
	}
}

void exits_measure(struct exits *exits, uint32_t operations)
{
	uint64_t data_path = 0;
	char each[48];

	if (operations == 0) {
		memcpy(exits->mark, exits->count, sizeof(exits->mark));
		system_exits_read(&exits->system_mark);
		return;
	}
	/* The guest's progress lines and the end of the measurement itself are no part of an I/O. */
	for (unsigned int i = 0; i < EXIT_KINDS; i++)
		if (i != EXIT_SERIAL && i != EXIT_PORT)
			data_path += exits->count[i] - exits->mark[i];
	each_print(each, sizeof(each), data_path, operations);
	note("VM exits to the loader in %u I/Os: %" PRIu64 ", %s per I/O (and %" PRIu64
	     " for printing)", operations, data_path, each,
	     exits->count[EXIT_SERIAL] - exits->mark[EXIT_SERIAL]);
	system_exits_print(&exits->system_mark, operations);
}

void exits_print(const struct exits *exits)
{
	struct system_exits zero;
	uint64_t sum = 0;
	char list[320] = "";

	for (unsigned int i = 0; i < EXIT_KINDS; i++) {
		sum += exits->count[i];
		list_add(list, sizeof(list), exits->count[i], kind_name[i]);
	}
	note("VM exits to the loader: %" PRIu64 "%s", sum, list);
	system_exits_read(&zero);
	for (unsigned int i = 0; i < zero.kinds; i++)
		zero.kind[i].count = 0;
	system_exits_print(&zero, 0);
}
