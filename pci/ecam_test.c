// SPDX-License-Identifier: GPL-2.0-only
/* Config space by ports and by MCFG: which address and width each access has, and entries refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kernel/acpi.h"
#include "kernel/frames.h"
#include "pci/internal.h"
#include "tests/host/host.h"

#define ECAM 0xe0000000ull
#define BUSES 2
#define BUS_SIZE 0x100000ull

struct mcfg {
	struct acpi_header h;
	u64 reserved;
	struct { u64 base; u16 segment; u8 first, last; u32 reserved; } __attribute__((packed)) entry[4];
} __attribute__((packed));

static u32 address, data;
static u16 data_port;
static unsigned data_size;

static u32 port_in(u16 port, unsigned size)
{
	data_port = port;
	data_size = size;
	return data;
}

static void port_out(u16 port, u32 v, unsigned size)
{
	if (port == 0xcf8) {
		assert_int_equal(size, 4);
		address = v;
		return;
	}
	port_in(port, size);
	data = v;
}

static void test_ports(void **state)
{
	struct pci_segment s[2];

	(void)state;
	host_init();
	host_port_in = port_in;
	host_port_out = port_out;
	data = ~0u;
	assert_int_equal(pci_ecam_init(s, 2), -ENODEV);
	data = 0x29c08086;
	assert_int_equal(pci_ecam_init(s, 2), 1);
	assert_int_equal(s[0].bus_last, 255);
	assert_int_equal(pci_cfg_read(0, 3, 0x21, 0x3d, 1), 0x86);
	assert_int_equal(address, 0x8003213c);
	assert_int_equal(data_port, 0xcfd);
	assert_int_equal(data_size, 1);
	pci_cfg_write(0, 0xff, 0xff, 0x06, 2, 0x1234);
	assert_int_equal(address, 0x80ffff04);
	assert_int_equal(data_port, 0xcfe);
	assert_int_equal(data, 0x1234);
	/* Not there, and not a wrap into something else. */
	assert_int_equal(pci_cfg_read(0, 0, 0, 0x100, 4), ~0u);
	assert_int_equal(pci_cfg_read(1, 0, 0, 0, 4), ~0u);
	pci_ecam_panic(); /* from here on without the lock */
	assert_int_equal(pci_cfg_read(0, 0, 0, 0, 2), 0x1234);
}

static void seal(void *table, size_t n, u8 *checksum)
{
	u8 sum = 0;

	*checksum = 0;
	for (size_t i = 0; i < n; i++)
		sum += ((u8 *)table)[i];
	*checksum = (u8)-sum;
}

/* RSDP, XSDT and MCFG in one page. */
static paddr_t tables(const struct mcfg *mcfg)
{
	paddr_t pa = frame_alloc(SZ_4K), xsdt_pa = pa + 0x100, mcfg_pa = pa + 0x200;
	u8 *rsdp = phys_to_virt(pa), *xsdt = phys_to_virt(xsdt_pa);
	struct mcfg *m = phys_to_virt(mcfg_pa);
	u32 length = 44, rsdp_length = 36;

	memcpy(rsdp, "RSD PTR ", 8);
	rsdp[15] = 2;
	memcpy(rsdp + 20, &rsdp_length, 4);
	memcpy(rsdp + 24, &xsdt_pa, 8);
	seal(rsdp, 20, rsdp + 8);
	seal(rsdp, 36, rsdp + 32);
	memcpy(xsdt, "XSDT", 4);
	memcpy(xsdt + 4, &length, 4);
	memcpy(xsdt + 36, &mcfg_pa, 8);
	seal(xsdt, length, xsdt + 9);
	*m = *mcfg;
	memcpy(m->h.signature, "MCFG", 4);
	m->h.length = sizeof(*m);
	seal(m, sizeof(*m), &m->h.checksum);
	return pa;
}

static void test_mcfg(void **state)
{
	const struct mcfg mcfg = { .entry = {
		{ ECAM, 0, 4, 5, 0 },     /* the address is that of bus 0 */
		{ 0x100000, 2, 0, 0, 0 }, /* in RAM */
		{ ECAM, 0, 5, 9, 0 },     /* bus 5 again */
		{ ECAM, 1, 6, 6, 0 },     /* cannot be mapped */
	} };
	u8 *space = calloc(BUSES, BUS_SIZE);
	struct pci_segment s[4];

	(void)state;
	host_mmio_add(ECAM + 4 * BUS_SIZE, BUSES * BUS_SIZE, NULL, space);
	assert_int_equal(acpi_init(tables(&mcfg)), 0);
	assert_int_equal(pci_ecam_init(s, 4), 1);
	assert_int_equal(s[0].segment, 0);
	assert_int_equal(s[0].bus_first, 4);
	assert_int_equal(s[0].bus_last, 5);

	pci_cfg_write(0, 5, 0x0a, 0x104, 4, 0x11223344);
	assert_int_equal(*(u32 *)(void *)(space + 0x10a104), 0x11223344);
	assert_int_equal(pci_cfg_read(0, 5, 0x0a, 0x106, 2), 0x1122);
	assert_int_equal(pci_cfg_read(0, 5, 0x0a, 0x105, 1), 0x33);
	pci_cfg_write(0, 5, 0x0a, 0x105, 1, 0x99);
	assert_int_equal(pci_cfg_read(0, 5, 0x0a, 0x104, 4), 0x11229944);
	assert_int_equal(pci_cfg_read(0, 3, 0, 0, 4), ~0u);
	assert_int_equal(pci_cfg_read(0, 6, 0, 0, 4), ~0u);
	assert_int_equal(pci_cfg_read(2, 0, 0, 0, 4), ~0u);
	assert_int_equal(pci_cfg_read(0, 5, 0x0a, 0x1104, 4), ~0u);
	assert_true(pci_ecam_overlaps(ECAM + 5 * BUS_SIZE, 0x1000));
	assert_false(pci_ecam_overlaps(ECAM + 6 * BUS_SIZE, 0x1000));
	free(space);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_mcfg),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
