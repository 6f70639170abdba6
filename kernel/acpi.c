/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Finding ACPI tables: RSDP, then XSDT or RSDT, then a table by signature.
 *
 * Firmware is not trusted: an address is followed only when the memory map knows it as memory, a
 * length only when all of it is, and a table only when its checksum is right.  What is wrong costs
 * one line that names the table, and the table.
 */
#include "arch/x86/arch.h"
#include "kernel/acpi.h"
#include "kernel/frames.h"

#define BIOS_AREA 0xe0000ull /* ACPI 6.5, 5.2.5.1 */
#define BIOS_AREA_END 0x100000ull
#define ROOT_ENTRIES_MAX 1024u

struct acpi_rsdp { /* ACPI 6.5, 5.2.5.3 */
	char signature[8];
	u8 checksum;
	char oem_id[6];
	u8 revision;
	u32 rsdt;
	u32 length; /* from here on: revision 2 */
	u64 xsdt;
	u8 checksum_all;
	u8 reserved[3];
} __attribute__((packed));
_Static_assert(sizeof(struct acpi_rsdp) == 36, "ACPI 5.2.5.3");
#define RSDP_V1_LENGTH 20u
#define FADT_DSDT 40 /* ACPI 6.5 table 5.9 */
#define FADT_X_DSDT 140

static const struct acpi_header *root;
static unsigned root_entry_size; /* 8: XSDT, 4: RSDT */

static u8 sum(const void *p, size_t n)
{
	const u8 *c = p;
	u8 s = 0;

	while (n--)
		s = (u8)(s + *c++);
	return s;
}

/* The table at pa if it is whole; NULL and a line otherwise. */
static const struct acpi_header *table_at(paddr_t pa, const char *pointed_by)
{
	const struct acpi_header *t;

	if (!frames_is_memory(pa, sizeof(*t))) {
		log_err("ACPI: %s points to 0x%llx, which is not memory", pointed_by,
			(unsigned long long)pa);
		return NULL;
	}
	t = phys_to_virt(pa);
	if (t->length < sizeof(*t) || t->length > ACPI_TABLE_MAX || !frames_is_memory(pa, t->length)) {
		log_err("ACPI: table %.4s at 0x%llx, offset 4: length %u is impossible", t->signature,
			(unsigned long long)pa, t->length);
		return NULL;
	}
	if (sum(t, t->length)) {
		log_err("ACPI: table %.4s at 0x%llx, length %u: wrong checksum", t->signature,
			(unsigned long long)pa, t->length);
		return NULL;
	}
	return t;
}

static bool rsdp_valid(paddr_t pa)
{
	const struct acpi_rsdp *r;

	if (!frames_is_memory(pa, RSDP_V1_LENGTH))
		return false;
	r = phys_to_virt(pa);
	if (memcmp(r->signature, "RSD PTR ", 8) || sum(r, RSDP_V1_LENGTH))
		return false;
	if (r->revision < 2)
		return true;
	return frames_is_memory(pa, sizeof(*r)) && r->length >= sizeof(*r) && r->length <= PAGE_SIZE &&
	       frames_is_memory(pa, r->length) && !sum(r, r->length);
}

int acpi_init(paddr_t rsdp)
{
	const struct acpi_rsdp *r;

	root = NULL;
	if (!rsdp) {
		for (rsdp = BIOS_AREA; rsdp < BIOS_AREA_END && !rsdp_valid(rsdp);)
			rsdp += 16;
		if (rsdp >= BIOS_AREA_END) {
			log_err("ACPI: no RSDP given and none in the BIOS area");
			return -ENOENT;
		}
	} else if (!rsdp_valid(rsdp)) {
		log_err("ACPI: RSDP at 0x%llx: wrong signature, length or checksum",
			(unsigned long long)rsdp);
		return -EBADMSG;
	}
	r = phys_to_virt(rsdp);
	root_entry_size = r->revision >= 2 && r->xsdt ? 8 : 4;
	root = root_entry_size == 8 ? table_at(r->xsdt, "RSDP, offset 24,")
				    : table_at(r->rsdt, "RSDP, offset 16,");
	if (!root)
		return -EBADMSG;
	if (memcmp(root->signature, root_entry_size == 8 ? "XSDT" : "RSDT", 4)) {
		log_err("ACPI: RSDP points to a table %.4s instead of %s", root->signature,
			root_entry_size == 8 ? "XSDT" : "RSDT");
		root = NULL;
		return -EBADMSG;
	}
	return 0;
}

unsigned acpi_tables(void)
{
	return root ? MIN((root->length - (u32)sizeof(*root)) / root_entry_size, ROOT_ENTRIES_MAX) : 0;
}

static paddr_t entry(unsigned i)
{
	u64 pa = 0;

	memcpy(&pa, (const u8 *)(root + 1) + i * root_entry_size, root_entry_size);
	return pa;
}

const struct acpi_header *acpi_table(unsigned i)
{
	return table_at(entry(i), root_entry_size == 8 ? "XSDT" : "RSDT");
}

const struct acpi_header *acpi_find(const char *signature)
{
	for (unsigned i = 0; i < acpi_tables(); i++) {
		const struct acpi_header *t;

		if (!frames_is_memory(entry(i), sizeof(*t)) || memcmp(phys_to_virt(entry(i)), signature, 4))
			continue;
		t = acpi_table(i);
		if (t)
			return t;
	}
	return NULL;
}

u64 acpi_field(const struct acpi_header *t, unsigned off, unsigned bytes)
{
	u64 v = 0;

	if (t && t->length >= off + bytes)
		memcpy(&v, (const u8 *)t + off, bytes);
	return v;
}

const struct acpi_header *acpi_dsdt(void)
{
	const struct acpi_header *fadt = acpi_find("FACP");
	u64 pa = acpi_field(fadt, FADT_X_DSDT, 8);

	pa = pa ? pa : acpi_field(fadt, FADT_DSDT, 4);
	return pa ? table_at(pa, "FADT") : NULL;
}
