// SPDX-License-Identifier: GPL-2.0-only
/*
 * What AML gets of ports and memory: tables that name nearly everything, every port tried, and memory of every kind.
 * Nothing may be done on the machine by an access that is refused, and nothing at all once a group was opened.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kernel/acpi.h"
#include "pci/internal.h"
#include "tests/host/vfio_rig.h"

#define RSDP 0xf0000ull
#define AREA (HOST_RAM_SIZE - 0x10000) /* firmware's memory */
#define LOW_END 0xd00u                 /* the tables name the ports below */
#define HIGH 0xc000u                   /* and from here on */
#define HIGH_END 0xd000u
#define NIC_PORTS 0xc040u
#define PM 0x1804u                     /* PM1 event, behind them */
#define REGISTERS 0xd0000000ull
#define LARGE 0xd8000000ull
#define BOARD 0xfec00000ull            /* IOAPIC, HPET, IOMMU, local APIC */
#define HPET 0xfed00000ull
#define UNIT 0xfed90000ull

static u8 registers[PAGE_SIZE], board[0x300000];
static int ports, memory;
static unsigned ins, outs;
static u32 out_value;

static u8 *at(paddr_t pa)
{
	return phys_to_virt(pa);
}

static void sum(paddr_t pa, size_t n, unsigned where)
{
	u8 s = 0;

	at(pa)[where] = 0;
	for (size_t i = 0; i < n; i++)
		s = (u8)(s + at(pa)[i]);
	at(pa)[where] = (u8)-s;
}

static void table(paddr_t pa, const char *signature, const void *body, u32 n)
{
	struct acpi_header h = { .length = sizeof(h) + n };

	memcpy(h.signature, signature, sizeof(h.signature));
	memcpy(at(pa), &h, sizeof(h));
	memcpy(at(pa) + sizeof(h), body, n);
	sum(pa, h.length, 9);
}

static u32 region(u8 *out, bool io, u64 base, u64 size)
{
	u8 r[26] = { 0x5b, 0x80, '\\', 'R', 'E', 'G', '_', io, 0x0e };

	memcpy(r + 9, &base, 8);
	r[17] = 0x0e;
	memcpy(r + 18, &size, 8);
	memcpy(out, r, sizeof(r));
	return sizeof(r);
}

static void tables(void)
{
	const struct { u64 base, size; bool io; } named[] = {
		{ 0x9f000, 0x1000, false }, { 0x100000, 0x1000, false }, { 0x300000, 0x1000, false },
		{ AREA, 0x1000, false }, { HOST_RAM_SIZE - 0x1000, 0x2000, false }, { REGISTERS, PAGE_SIZE, false },
		{ LARGE, 0x4000000, false }, { BOARD, sizeof(board), false },
		{ vr_pci(VR_NIC)->bar[0].base, PAGE_SIZE, false }, { HIGH, HIGH_END - HIGH, true }, { PM - 4, 0x200, true },
	};
	u64 xsdt[2] = { AREA + 0x1000, AREA + 0x2000 }, root = AREA;
	u32 fadt[64] = { 0 }, n = 0;
	u8 aml[1024];

	for (unsigned i = 0; i < ARRAY_SIZE(named); i++)
		n += region(aml + n, named[i].io, named[i].base, named[i].size);
	table(AREA + 0x2000, "SSDT", aml, n);
	table(AREA + 0x3000, "DSDT", aml, region(aml, true, 0, LOW_END));
	fadt[1] = AREA + 0x3000; /* offset 40 */
	fadt[3] = 0xc80;         /* SMI_CMD: here not at its usual place */
	fadt[5] = PM;            /* PM1a_EVT_BLK */
	table(AREA + 0x1000, "FACP", fadt, 80);
	table(AREA, "XSDT", xsdt, sizeof(xsdt));
	memset(at(RSDP), 0, 36);
	memcpy(at(RSDP), "RSD PTR ", 8);
	at(RSDP)[15] = 2;
	at(RSDP)[20] = 36;
	memcpy(at(RSDP) + 24, &root, 8);
	sum(RSDP, 20, 8);
	sum(RSDP, 36, 32);
}

static u32 port_in(u16 port, unsigned size)
{
	ins++;
	return size == 4 ? 0x44332200u | port : port;
}

static void port_out(u16 port, u32 v, unsigned size)
{
	(void)port, (void)size;
	outs++;
	out_value = v;
}

static s64 get(int fd, u64 where, size_t n, u32 *v)
{
	*v = 0;
	return vr_read(fd, where, v, n);
}

/* Told again here, in other words. */
static bool boards(u32 p)
{
	static const u32 of[][2] = { { 0, 0x22 }, { 0x40, 0x44 }, { 0x60, 0x62 }, { 0x64, 0x65 }, { 0x70, 0x78 },
				     { 0x81, 0x93 }, { 0xa0, 0xa2 }, { 0xb2, 0xb4 }, { 0xc0, 0xe0 }, { 0x170, 0x1f8 },
				     { 0x2e8, 0x300 }, { 0x376, 0x400 }, { 0x4d0, 0x4d2 }, { 0xcf8, 0xd00 }, { 0xc80, 0xc81 },
				     { 0x1800, 0x1900 }, { NIC_PORTS, NIC_PORTS + 32 } };

	for (unsigned i = 0; i < ARRAY_SIZE(of); i++)
		if (p >= of[i][0] && p < of[i][1])
			return true;
	return false;
}

static bool named(u32 p)
{
	return p < LOW_END || (p >= HIGH && p < HIGH_END) || (p >= 0x1800 && p < 0x1a00);
}

static void test_every_port(void **state)
{
	u32 v;

	(void)state;
	for (u32 size = 1; size <= 4; size *= 2) {
		for (u32 p = 0; p <= 0xffff; p++) {
			bool mine = true;

			for (u32 i = p; i < p + size; i++)
				mine &= named(i) && !boards(i);
			ins = outs = 0;
			assert_int_equal(get(ports, p, size, &v), mine ? (s64)size : -EPERM);
			assert_int_equal(ins, mine);
			v = 0xa5a5a5a5;
			assert_int_equal(vr_write(ports, p, &v, size), mine ? (s64)size : -EPERM);
			assert_int_equal(outs, mine);
			if (mine)
				assert_int_equal(out_value, size == 4 ? v : v & (BIT(8 * size) - 1));
		}
	}
	assert_int_equal(get(ports, 0x510, 4, &v), 4);
	assert_int_equal(v, 0x44332200u | 0x510);
	assert_int_equal(get(ports, 0x510, 3, &v), -EINVAL);
	assert_int_equal(get(ports, 0x510, 8, &v), -EINVAL);
	assert_int_equal(get(ports, 0x10000 + 0x510, 1, &v), -EPERM);
	assert_int_equal(get(ports, ~0ull >> 1, 1, &v), -EPERM);
}

static void test_memory(void **state)
{
	static const struct { u64 at; int read, write; } of[] = {
		{ 0x9f100, 2, -EPERM },                     /* reserved */
		{ AREA + 2, 2, -EROFS },                    /* firmware's tables */
		{ REGISTERS + 8, 2, -EPERM },
		{ REGISTERS + PAGE_SIZE - 1, -EPERM, -EPERM }, /* half outside */
		{ 0x100000, -EPERM, -EPERM },               /* RAM */
		{ 0x300000, -EPERM, -EPERM },               /* the kernel */
		{ HOST_RAM_SIZE, -EPERM, -EPERM },          /* its region lies over memory, too */
		{ LARGE, -EPERM, -EPERM },
		{ HPET + 8, 2, -EPERM },
		{ UNIT, -EPERM, -EPERM },
		{ BOARD, -EPERM, -EPERM },
		{ 0xfee00300, -EPERM, -EPERM },
		{ 0xdead0000, -EPERM, -EPERM },             /* nobody names it */
	};
	u32 v;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(of); i++) {
		assert_int_equal(get(memory, of[i].at, 2, &v), of[i].read);
		if (of[i].read > 0)
			assert_memory_equal(&v, of[i].at == REGISTERS + 8 || of[i].at == HPET + 8 ? registers + 8 : at(of[i].at), 2);
		v = 0xffffffff;
		assert_int_equal(vr_write(memory, of[i].at, &v, 2), of[i].write);
	}
	assert_int_equal(at(AREA + 2)[0], 'D'); /* XSDT */
	for (unsigned i = 0; i < PAGE_SIZE; i++)
		assert_int_equal(registers[i], (u8)i);
	assert_int_equal(get(memory, vr_pci(VR_NIC)->bar[0].base, 4, &v), -EPERM);
}

/* Runs last. */
static void test_closed(void **state)
{
	int g;
	u32 v;

	(void)state;
	assert_int_equal(get(ports, 0x510, 1, &v), 1);
	g = vr_open_group(VR_NIC);
	assert_true(g >= 0);
	vr_close(g);
	ins = outs = 0;
	assert_int_equal(get(ports, 0x510, 1, &v), -EPERM);
	assert_int_equal(vr_write(ports, 0x510, &v, 1), -EPERM);
	assert_int_equal(get(memory, AREA, 1, &v), -EPERM);
	assert_int_equal(vr_write(memory, AREA, &v, 1), -EPERM);
	assert_int_equal(ins + outs, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_port),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_closed),
	};

	vr_start(true);
	tables();
	for (unsigned i = 0; i < PAGE_SIZE; i++)
		registers[i] = (u8)i;
	memcpy(board + HPET - BOARD, registers, PAGE_SIZE);
	host_mmio_add(BOARD, sizeof(board), NULL, board);
	host_mmio_add(REGISTERS, PAGE_SIZE, NULL, registers);
	host_mmio_add(LARGE, 0x4000000, NULL, registers);
	host_mmio_add(HOST_RAM_SIZE - 0x1000, 0x2000, NULL, registers);
	host_port_in = port_in;
	host_port_out = port_out;
	if (acpi_init(RSDP) || pci_aml_io_init())
		return 1;
	vr_begin();
	ports = vr_open("/dev/port");
	memory = vr_open("/dev/mem");
	if (ports < 0 || memory < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
