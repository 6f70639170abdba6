/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * acpi-routes [-n] [PROGRAM [ARGUMENT]...]: reports the interrupt lines that the firmware's _PRT tell to
 * /sys/kernel/postern/intx_routes, then becomes PROGRAM. -n: reports nothing, but AML runs all the same.
 *
 * A line for each pin of a device that is there: what was reported, or why not. _INI is run where a _PRT may stand on it: of
 * the root, of \_SB, of host bridges. A link device that is not set is
 * left as it is, and an edge is no line. When \_PIC, which chooses the routing for IOAPICs, cannot be run, nothing is reported:
 * _PRT might tell the lines of the other interrupt controller.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "acpi.h"
#include "accommon.h"
#include "acpi_routes.h"

#define TABLES "/sys/firmware/acpi/tables"
#define ROUTES "/sys/kernel/postern/intx_routes"
#define DEPTH_MAX 16

static bool print_only;

/* os.c; ACPI_ADR_SPACE_HANDLER */
ACPI_STATUS os_memory_region(UINT32 function, ACPI_PHYSICAL_ADDRESS at, UINT32 width, UINT64 *value, void *handler, void *region);

/* Where an _PRT belongs. */
struct bus {
	ACPI_HANDLE handle;
	unsigned segment, number, depth;
};

struct line {
	unsigned gsi;
	bool edge, low;
};

static bool number_of(ACPI_HANDLE handle, const char *name, uint64_t *out)
{
	ACPI_BUFFER result = { ACPI_ALLOCATE_BUFFER, NULL };
	bool ok;

	if (ACPI_FAILURE(AcpiEvaluateObjectTyped(handle, (char *)name, NULL, &result, ACPI_TYPE_INTEGER)))
		return false;
	ok = result.Pointer != NULL;
	if (ok)
		*out = ((ACPI_OBJECT *)result.Pointer)->Integer.Value;
	AcpiOsFree(result.Pointer);
	return ok;
}

/* The first interrupt among a link's current resources. */
static ACPI_STATUS link_resource(ACPI_RESOURCE *r, void *arg)
{
	struct line *l = arg;

	if (r->Type == ACPI_RESOURCE_TYPE_IRQ && r->Data.Irq.InterruptCount)
		*l = (struct line){ r->Data.Irq.Interrupts[0], r->Data.Irq.Triggering == ACPI_EDGE_SENSITIVE,
				    r->Data.Irq.Polarity == ACPI_ACTIVE_LOW };
	else if (r->Type == ACPI_RESOURCE_TYPE_EXTENDED_IRQ && r->Data.ExtendedIrq.InterruptCount)
		*l = (struct line){ r->Data.ExtendedIrq.Interrupts[0],
				    r->Data.ExtendedIrq.Triggering == ACPI_EDGE_SENSITIVE,
				    r->Data.ExtendedIrq.Polarity == ACPI_ACTIVE_LOW };
	else
		return AE_OK;
	return AE_CTRL_TERMINATE;
}

/* NULL, or why there is no line. */
static const char *line_of(const struct bus *b, const ACPI_PCI_ROUTING_TABLE *e, struct line *l)
{
	ACPI_HANDLE link;

	*l = (struct line){ e->SourceIndex, false, true }; /* ACPI 6.5, 6.2.13: hardwired ones are level, active low */
	if (!e->Source[0])
		return NULL;
	l->gsi = 0;
	if (ACPI_FAILURE(AcpiGetHandle(b->handle, (char *)e->Source, &link)))
		return "its link device is not there";
	if (ACPI_FAILURE(AcpiWalkResources(link, "_CRS", link_resource, l)))
		return "its link device does not tell";
	return l->gsi ? NULL : "its link device is not set";
}

static bool device_is_there(const struct bus *b, unsigned device)
{
	uint64_t id;

	for (unsigned fn = 0; fn < 8; fn++)
		if (pci_config_read(b->segment, b->number, device, fn, 0, 2, &id))
			return true;
	return false;
}

static const char *report(const struct bus *b, unsigned device, unsigned pin, const struct line *l)
{
	char text[64];
	int fd, n = snprintf(text, sizeof(text), "%x %x %x %x %x %x\n", b->segment, b->number, device, pin, l->gsi, l->low);
	bool ok;

	if (print_only)
		return "not reported";
	fd = open(ROUTES, O_WRONLY | O_CLOEXEC);
	ok = fd >= 0 && write(fd, text, (size_t)n) == n;
	n = errno;
	if (fd >= 0)
		close(fd);
	return ok ? "reported" : strerror(n);
}

/* What _PRT may stand on; one that fails leaves things as they were, which is said. */
static void initialize(ACPI_HANDLE handle, const char *name)
{
	ACPI_STATUS status = AcpiEvaluateObject(handle, (char *)name, NULL, NULL);

	if (ACPI_FAILURE(status) && status != AE_NOT_FOUND)
		fprintf(stderr, "%s: %s\n", name, AcpiFormatException(status));
}

static void bus_routes(const struct bus *b)
{
	ACPI_BUFFER table = { ACPI_ALLOCATE_BUFFER, NULL };
	ACPI_STATUS status = AcpiGetIrqRoutingTable(b->handle, &table);
	const uint8_t *at = table.Pointer;

	if (status == AE_NOT_FOUND)
		return;
	if (ACPI_FAILURE(status)) {
		printf("%04x:%02x: _PRT: %s\n", b->segment, b->number, AcpiFormatException(status));
		return;
	}
	for (const ACPI_PCI_ROUTING_TABLE *e; (e = (const void *)at)->Length; at += e->Length) {
		unsigned device = (unsigned)(e->Address >> 16) & 0xffff;
		struct line l;
		const char *why;

		if (device > 31 || e->Pin > 3 || !device_is_there(b, device))
			continue;
		why = line_of(b, e, &l);
		if (!why && l.edge)
			why = "it is edge-triggered";
		printf("%04x:%02x:%02x pin %c -> gsi %u level %s: %s\n", b->segment, b->number, device, 'A' + (char)e->Pin,
		       l.gsi, l.low ? "low" : "high", why ? why : report(b, device, e->Pin, &l));
	}
	AcpiOsFree(table.Pointer);
}

/* This bus, and the buses of bridges that AML names below it. */
static void bus_walk(const struct bus *b)
{
	ACPI_HANDLE child = NULL;
	uint64_t address, type, secondary;

	bus_routes(b);
	while (b->depth < DEPTH_MAX && ACPI_SUCCESS(AcpiGetNextObject(ACPI_TYPE_DEVICE, b->handle, child, &child))) {
		struct bus below = { child, b->segment, 0, b->depth + 1 };
		unsigned device, fn;

		if (!number_of(child, "_ADR", &address))
			continue;
		device = (unsigned)(address >> 16) & 31;
		fn = (unsigned)address & 7;
		if (!pci_config_read(b->segment, b->number, device, fn, 0x0e, 1, &type) || (type & 0x7f) != 1 ||
		    !pci_config_read(b->segment, b->number, device, fn, 0x19, 1, &secondary) || !secondary)
			continue;
		below.number = (unsigned)secondary;
		bus_walk(&below);
	}
}

static ACPI_STATUS host_bridge(ACPI_HANDLE handle, UINT32 level, void *arg, void **result)
{
	struct bus b = { .handle = handle };
	uint64_t v;

	(void)level, (void)arg, (void)result;
	initialize(handle, "_INI");
	if (number_of(handle, "_SEG", &v))
		b.segment = (unsigned)v & 0xffff;
	if (number_of(handle, "_BBN", &v))
		b.number = (unsigned)v & 0xff;
	bus_walk(&b);
	return AE_OK;
}

static bool pic_choose(void)
{
	ACPI_OBJECT one = { .Integer = { ACPI_TYPE_INTEGER, 1 } };
	ACPI_OBJECT_LIST args = { 1, &one };
	ACPI_STATUS status = AcpiEvaluateObject(NULL, "\\_PIC", &args, NULL);

	if (ACPI_SUCCESS(status) || status == AE_NOT_FOUND)
		return true;
	printf("\\_PIC: %s: nothing is reported\n", AcpiFormatException(status));
	return false;
}

static void routes(void)
{
	ACPI_STATUS status = AcpiInitializeSubsystem();

	AcpiDbgLevel = 0;
	if (ACPI_SUCCESS(status))
		status = AcpiInitializeTables(NULL, 64, TRUE);
	if (ACPI_SUCCESS(status))
		status = AcpiInstallAddressSpaceHandler(ACPI_ROOT_OBJECT, ACPI_ADR_SPACE_SYSTEM_MEMORY, os_memory_region, NULL, NULL);
	if (ACPI_SUCCESS(status))
		status = AcpiEnableSubsystem(ACPI_FULL_INITIALIZATION);
	if (ACPI_SUCCESS(status))
		status = AcpiLoadTables();
	/* _INI of devices that have no part in routes touch the machine for nothing. */
	if (ACPI_SUCCESS(status))
		status = AcpiInitializeObjects(ACPI_NO_DEVICE_INIT);
	if (ACPI_FAILURE(status)) {
		printf("ACPICA does not start: %s\n", AcpiFormatException(status));
		return;
	}
	initialize(NULL, "\\_INI");
	initialize(NULL, "\\_SB._INI");
	if (pic_choose())
		AcpiGetDevices("PNP0A03", host_bridge, NULL, NULL); /* PCI Express ones name this id too, as compatible */
}

int main(int argc, char **argv)
{
	int first = 1;

	if (argc > 1 && !strcmp(argv[1], "-n")) {
		print_only = true;
		first = 2;
	}
	if (tables_load(TABLES))
		routes();
	fflush(stdout);
	if (first >= argc)
		return 0;
	execv(argv[first], argv + first);
	fprintf(stderr, "%s: %s\n", argv[first], strerror(errno));
	return 127;
}
