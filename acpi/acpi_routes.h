/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of acpi/ share. acpi-routes is an ordinary static Linux program: it interprets the firmware's AML
 * with ACPICA, asks for the interrupt routing of every PCI host bridge and bridge (_PRT, ACPI 6.5, 6.2.13),
 * and reports each line to /sys/kernel/postern/intx_routes, which checks it.
 *
 * AML gets the tables, the ports and memory that they name (machine.c) and reads of PCI configuration space. Other accesses
 * fail, and with them the method that makes them: what it would have told is not reported.
 */
#ifndef ACPI_ACPI_ROUTES_H
#define ACPI_ACPI_ROUTES_H

#include <stdbool.h>
#include <stdint.h>

/* Reads every table below dir into memory and ties them together as firmware does. False: why is on stderr. */
bool tables_load(const char *dir);
/* The RSDP that tables_load() made, as ACPICA's physical address. */
uint64_t tables_root(void);
/* [where, where + len) is part of one table. */
bool tables_hold(uint64_t where, uint64_t len);

/* A register of a PCI function. False: there is no such function or register, or it is a write. */
bool pci_config_read(unsigned segment, unsigned bus, unsigned device, unsigned function, unsigned reg, unsigned bytes,
		     uint64_t *value);
/* One access of 1, 2 or 4 bytes, in memory also 8. False: it is refused, why is on stderr. */
bool machine_port(uint64_t port, unsigned bytes, uint64_t *value, bool write);
bool machine_memory(uint64_t at, unsigned bytes, uint64_t *value, bool write);

#endif
