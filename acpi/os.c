/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What ACPICA asks of an operating system (acpiosxf.h), for a program with one thread: locks are nothing, ports and
 * memory are machine.c's. A write to port 0x80 is swallowed: firmware tells it where it is, and nobody listens.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "acpi.h"
#include "accommon.h"
#include "acpi_routes.h"

#define POST_PORT 0x80

ACPI_STATUS AcpiOsReadPciConfiguration(ACPI_PCI_ID *id, UINT32 reg, UINT64 *value, UINT32 width)
{
	return pci_config_read(id->Segment, id->Bus, id->Device, id->Function, reg, width / 8, value) ? AE_OK : AE_NOT_FOUND;
}

ACPI_STATUS AcpiOsWritePciConfiguration(ACPI_PCI_ID *id, UINT32 reg, UINT64 value, UINT32 width)
{
	(void)value, (void)width;
	fprintf(stderr, "AML may not write register 0x%x of %04x:%02x:%02x.%x\n", reg, id->Segment, id->Bus, id->Device,
		id->Function);
	return AE_ACCESS;
}

ACPI_STATUS AcpiOsReadPort(ACPI_IO_ADDRESS port, UINT32 *value, UINT32 width)
{
	UINT64 v = 0;
	bool ok = machine_port(port, width / 8, &v, false);

	*value = ok ? (UINT32)v : ~0u;
	return ok ? AE_OK : AE_ACCESS;
}

ACPI_STATUS AcpiOsWritePort(ACPI_IO_ADDRESS port, UINT32 value, UINT32 width)
{
	UINT64 v = value;

	return port == POST_PORT || machine_port(port, width / 8, &v, true) ? AE_OK : AE_ACCESS;
}

ACPI_STATUS AcpiOsReadMemory(ACPI_PHYSICAL_ADDRESS at, UINT64 *value, UINT32 width)
{
	return machine_memory(at, width / 8, value, false) ? AE_OK : AE_ACCESS;
}

ACPI_STATUS AcpiOsWriteMemory(ACPI_PHYSICAL_ADDRESS at, UINT64 value, UINT32 width)
{
	return machine_memory(at, width / 8, &value, true) ? AE_OK : AE_ACCESS;
}

/* Tables are at this program's addresses; regions go by os_memory_region(). */
void *AcpiOsMapMemory(ACPI_PHYSICAL_ADDRESS where, ACPI_SIZE len)
{
	if (tables_hold(where, len))
		return (void *)(uintptr_t)where;
	fprintf(stderr, "no table is at 0x%llx\n", (unsigned long long)where);
	return NULL;
}

ACPI_STATUS os_memory_region(UINT32 function, ACPI_PHYSICAL_ADDRESS at, UINT32 width, UINT64 *value, void *handler, void *region)
{
	(void)handler, (void)region;
	return machine_memory(at, width / 8, value, (function & ACPI_IO_MASK) == ACPI_WRITE) ? AE_OK : AE_ACCESS;
}

void AcpiOsUnmapMemory(void *where, ACPI_SIZE len) { (void)where, (void)len; }
ACPI_PHYSICAL_ADDRESS AcpiOsGetRootPointer(void) { return tables_root(); }
ACPI_STATUS AcpiOsInitialize(void) { return AE_OK; }
ACPI_STATUS AcpiOsTerminate(void) { return AE_OK; }

ACPI_STATUS AcpiOsPredefinedOverride(const ACPI_PREDEFINED_NAMES *name, ACPI_STRING *value)
{
	(void)name;
	*value = NULL;
	return AE_OK;
}

ACPI_STATUS AcpiOsTableOverride(ACPI_TABLE_HEADER *old, ACPI_TABLE_HEADER **new)
{
	(void)old;
	*new = NULL;
	return AE_OK;
}

ACPI_STATUS AcpiOsPhysicalTableOverride(ACPI_TABLE_HEADER *old, ACPI_PHYSICAL_ADDRESS *new, UINT32 *len)
{
	(void)old, (void)len;
	*new = 0;
	return AE_OK;
}

/* ---- memory, time, text ---- */

void *AcpiOsAllocate(ACPI_SIZE size) { return malloc(size); }
void AcpiOsFree(void *p) { free(p); }
void AcpiOsSleep(UINT64 ms) { usleep((useconds_t)(ms < 1000 ? ms : 1000) * 1000); }
void AcpiOsStall(UINT32 us) { usleep(us); }

UINT64 AcpiOsGetTimer(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (UINT64)t.tv_sec * 10000000 + (UINT64)t.tv_nsec / 100;
}

void AcpiOsVprintf(const char *format, va_list args) { vfprintf(stderr, format, args); }

void ACPI_INTERNAL_VAR_XFACE AcpiOsPrintf(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	AcpiOsVprintf(format, args);
	va_end(args);
}

/* ---- one thread ---- */

ACPI_THREAD_ID AcpiOsGetThreadId(void) { return 1; }
ACPI_STATUS AcpiOsCreateLock(ACPI_SPINLOCK *lock) { *lock = (ACPI_SPINLOCK)1; return AE_OK; }
void AcpiOsDeleteLock(ACPI_SPINLOCK lock) { (void)lock; }
ACPI_CPU_FLAGS AcpiOsAcquireLock(ACPI_SPINLOCK lock) { (void)lock; return 0; }
void AcpiOsReleaseLock(ACPI_SPINLOCK lock, ACPI_CPU_FLAGS flags) { (void)lock, (void)flags; }
ACPI_STATUS AcpiOsDeleteSemaphore(ACPI_SEMAPHORE s) { free(s); return AE_OK; }

ACPI_STATUS AcpiOsCreateSemaphore(UINT32 max, UINT32 units, ACPI_SEMAPHORE *out)
{
	UINT32 *count = malloc(sizeof(*count));

	(void)max;
	if (!count)
		return AE_NO_MEMORY;
	*count = units;
	*out = (ACPI_SEMAPHORE)count;
	return AE_OK;
}

/* Nobody else could signal it: what is not there now never comes. */
ACPI_STATUS AcpiOsWaitSemaphore(ACPI_SEMAPHORE s, UINT32 units, UINT16 ms)
{
	UINT32 *count = (UINT32 *)s;

	(void)ms;
	if (*count < units)
		return AE_TIME;
	*count -= units;
	return AE_OK;
}

ACPI_STATUS AcpiOsSignalSemaphore(ACPI_SEMAPHORE s, UINT32 units)
{
	*(UINT32 *)s += units;
	return AE_OK;
}

/* Notifications and the like: they have nothing to do with routes. */
ACPI_STATUS AcpiOsExecute(ACPI_EXECUTE_TYPE type, ACPI_OSD_EXEC_CALLBACK fn, void *arg)
{
	(void)type, (void)fn, (void)arg;
	return AE_OK;
}

void AcpiOsWaitEventsComplete(void) {}

ACPI_STATUS AcpiOsInstallInterruptHandler(UINT32 irq, ACPI_OSD_HANDLER fn, void *arg)
{
	(void)irq, (void)fn, (void)arg;
	return AE_OK;
}

ACPI_STATUS AcpiOsRemoveInterruptHandler(UINT32 irq, ACPI_OSD_HANDLER fn)
{
	(void)irq, (void)fn;
	return AE_OK;
}

ACPI_STATUS AcpiOsSignal(UINT32 what, void *info)
{
	(void)info;
	fprintf(stderr, "AML: %s\n", what == ACPI_SIGNAL_FATAL ? "Fatal" : "Breakpoint");
	return AE_OK;
}

ACPI_STATUS AcpiOsEnterSleep(UINT8 state, UINT32 a, UINT32 b)
{
	(void)state, (void)a, (void)b;
	return AE_CTRL_TERMINATE;
}
