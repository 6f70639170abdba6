/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Firmware that leaves a remapping unit running: translation is on with tables of its own in memory
 * that goes to the next owner, all addresses are mapped one to one for all devices, an invalidation
 * queue is on, and the unit remembers a domain 1 and the three pages that guest_tests/programs/vfio_edu
 * will use for the edu device. Whoever takes over must replace all that without a gap.
 */
#include "guest_tests/efi/lib/efi.h"

#define UNIT 0xfed90000ull /* QEMU's q35 */
#define VER 0x00
#define GCMD 0x18
#define GSTS 0x1c
#define RTADDR 0x20
#define IQH 0x80
#define IQT 0x88
#define IQA 0x90
#define TE (1u << 31)
#define SRTP (1u << 30)
#define QIE (1u << 26)
#define PRESENT 1
#define LEAF_1G_RW (1 << 7 | 3)
#define WIDTH_4_LEVELS 2
#define DOMAIN 1

static UINT32 rd32(UINT64 off) { return *(volatile UINT32 *)(UNIT + off); }
static void wr32(UINT64 off, UINT32 v) { *(volatile UINT32 *)(UNIT + off) = v; }
static UINT64 rd64(UINT64 off) { return *(volatile UINT64 *)(UNIT + off); }
static void wr64(UINT64 off, UINT64 v) { *(volatile UINT64 *)(UNIT + off) = v; }

static void command(UINT32 on, UINT32 bit)
{
	wr32(GCMD, on | bit);
	for (UINTN i = 0; i < 1000 && !(rd32(GSTS) & bit); i++)
		efi_boot->Stall(1000);
	efi_check((rd32(GSTS) & bit) != 0, u"the unit obeys");
}

/* Every bus, every function: 512 GiB one to one. */
static UINT64 *tables(void)
{
	UINT64 *root = efi_pages(4), *context = root + 512, *level4 = root + 1024, *level3 = root + 1536;

	for (UINTN i = 0; i < 256; i++) {
		root[2 * i] = (UINT64)context | PRESENT;
		context[2 * i] = (UINT64)level4 | PRESENT;
		context[2 * i + 1] = DOMAIN << 8 | WIDTH_4_LEVELS;
	}
	level4[0] = (UINT64)level3 | 3;
	for (UINT64 i = 0; i < 512; i++)
		level3[i] = i << 30 | LEAF_1G_RW;
	return root;
}

static void translation_on(void)
{
	UINT64 *queue = efi_pages(1);

	efi_check(rd32(VER) != 0 && rd32(VER) != ~0u, u"there is a remapping unit");
	wr64(RTADDR, (UINT64)tables());
	__asm__ volatile("wbinvd" : : : "memory");
	command(0, SRTP);
	wr64(IQT, 0);
	wr64(IQA, (UINT64)queue);
	command(0, QIE);
	queue[0] = 0x01 | 1 << 4; /* context cache, all */
	queue[2] = 0x02 | 1 << 4; /* IOTLB, all */
	queue[4] = 0x05 | 1 << 5; /* wait, and write 0 */
	queue[5] = (UINT64)(queue + 511);
	wr64(IQT, 48);
	for (UINTN i = 0; i < 1000 && rd64(IQH) != 48; i++)
		efi_boot->Stall(1000);
	efi_check(rd64(IQH) == 48, u"the unit's queue works");
	command(QIE, TE);
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *st);

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *st)
{
	UINT64 *page, registers;
	pci_io *edu;

	efi_start(image, st);
	edu = efi_find(0x1234, 0x11e8);
	efi_bus_master(edu);
	registers = efi_bar(edu, 0);
	translation_on();
	page = efi_pages(1);
	page[0] = 0x706f737465726e;
	edu_dma(registers, (UINT64)page, 8, FALSE);
	edu_dma(registers, (UINT64)(page + 1), 8, TRUE);
	efi_check(page[1] == page[0], u"DMA through firmware's tables");
	for (UINT64 at = 0x100000; at < 0x103000; at += 4096)
		edu_dma(registers, at, 8, FALSE);
	return efi_chain();
}
