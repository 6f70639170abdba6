/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command line, with QEMU's names for what the loader has: -m, -kernel, -append, -device
 * vfio-pci, -serial, -smp. Everything is checked here; the rest of the loader sees bytes, paths and
 * full device addresses. What is not supported is refused by name.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/loader.h"

#define MEMORY_DEFAULT	(128 * MIB)
#define MEMORY_MIN	(16 * MIB)
#define MEMORY_MAX	(1024 * GIB)

static const char usage[] =
"usage: loader -kernel GUEST.elf [-m SIZE] [-append WORDS] [-device vfio-pci,host=ADDRESS]...\n"
"              [-serial stdio|none] [-smp 1]\n"
"\n"
"Runs one guest, with PCI devices of this machine given to it through VFIO.\n"
"\n"
"  -kernel FILE   a 64-bit ELF guest with a PVH entry note (XEN_ELFNOTE_PHYS32_ENTRY)\n"
"  -m SIZE        memory: a number of MiB, or a number with K, M or G (128M)\n"
"  -append WORDS  the guest's command line\n"
"  -device vfio-pci,host=0000:01:00.0\n"
"                 gives this device to the guest; may be repeated. Its group must belong to a\n"
"                 vfio driver, and every device of the group with it\n"
"  -serial stdio  the guest's COM1 is standard output (the default); none drops it\n"
"  -smp 1         one virtual CPU; there is no more than one\n"
"\n"
"The guest ends by writing a byte to port 0xf4: it is the exit status of the loader. A guest that\n"
"dies gives status 1, as does everything the loader refuses; wrong usage gives 2.\n";

static void usage_error(const char *what, const char *word)
{
	fprintf(stderr, "loader: %s '%s'\n  do:  loader --help lists what there is\n", what, word);
	exit(2);
}

static uint64_t size_parse(const char *text)
{
	unsigned long long number;
	uint64_t unit = MIB;
	char *end;

	errno = 0;
	number = strtoull(text, &end, 10);
	switch (*end) {
	case 'K':
	case 'k':
		unit = 1024;
		end++;
		break;
	case 'M':
	case 'm':
		end++;
		break;
	case 'G':
	case 'g':
		unit = GIB;
		end++;
		break;
	default:
		break;
	}
	if (errno || end == text || *end || *text == '-')
		usage_error("-m wants a size such as 256M, not", text);
	if (number > MEMORY_MAX / unit || number * unit < MEMORY_MIN || number * unit % MIB)
		usage_error("-m wants whole MiB from 16M to 1024G, not", text);
	return number * unit;
}

/* Accepts 0000:01:00.0 and the short 01:00.0; gives the full form that VFIO wants. */
static void device_parse(struct options *opt, const char *text)
{
	static const char head[] = "vfio-pci,host=";
	unsigned int domain = 0, bus, slot, function;
	const char *address;
	int used = 0;

	if (strncmp(text, head, sizeof(head) - 1) != 0)
		usage_error("-device knows vfio-pci,host=ADDRESS only, not", text);
	address = text + sizeof(head) - 1;
	if (sscanf(address, "%4x:%2x:%2x.%1x%n", &domain, &bus, &slot, &function, &used) != 4) {
		domain = 0;
		used = 0;
		if (sscanf(address, "%2x:%2x.%1x%n", &bus, &slot, &function, &used) != 3)
			usage_error("not a PCI address:", address);
	}
	if (address[used] || slot > 31 || function > 7)
		usage_error("not a PCI address:", address);
	if (opt->devices == MAX_DEVICES)
		usage_error("too many devices (8 at most):", text);
	snprintf(opt->device[opt->devices], sizeof(opt->device[0]), "%04x:%02x:%02x.%x",
		 domain, bus, slot, function);
	for (unsigned int i = 0; i < opt->devices; i++)
		if (strcmp(opt->device[i], opt->device[opt->devices]) == 0)
			usage_error("given twice:", opt->device[i]);
	opt->devices++;
}

void options_parse(struct options *opt, int argc, char **argv)
{
	memset(opt, 0, sizeof(*opt));
	opt->memory = MEMORY_DEFAULT;
	opt->append = "";
	opt->serial = true;

	for (int i = 1; i < argc; i++) {
		const char *name = argv[i];
		const char *value;

		if (strcmp(name, "--help") == 0 || strcmp(name, "-help") == 0 ||
		    strcmp(name, "-h") == 0) {
			output_write(usage, sizeof(usage) - 1);
			exit(0);
		}
		if (name[0] != '-')
			usage_error("unexpected word", name);
		if (++i == argc)
			usage_error("unknown option, or its value is missing:", name);
		value = argv[i];
		if (strcmp(name, "-m") == 0) {
			opt->memory = size_parse(value);
		} else if (strcmp(name, "-kernel") == 0) {
			opt->kernel = value;
		} else if (strcmp(name, "-append") == 0) {
			opt->append = value;
		} else if (strcmp(name, "-device") == 0) {
			device_parse(opt, value);
		} else if (strcmp(name, "-serial") == 0) {
			if (strcmp(value, "stdio") != 0 && strcmp(value, "none") != 0)
				usage_error("-serial is stdio or none, not", value);
			opt->serial = strcmp(value, "stdio") == 0;
		} else if (strcmp(name, "-smp") == 0) {
			if (strcmp(value, "1") != 0)
				usage_error("a guest has one virtual CPU; -smp cannot be", value);
		} else {
			usage_error("unknown option", name);
		}
	}
	if (!opt->kernel)
		usage_error("a guest is needed:", "-kernel FILE");
}
