/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The "newc" archive: per file a header of 110 characters (magic and 13 hexadecimal numbers), the
 * name, padding to 4, the contents, padding to 4.  Several archives may follow each other, with
 * zeroes in between, as boot loaders concatenate them.
 */
#include "kernel/cpio.h"

#define CPIO_HEADER 110u
enum { CPIO_MODE = 1, CPIO_SIZE = 6, CPIO_NAME_SIZE = 11 }; /* index of the number */

static bool hex8(const char *s, u64 *out)
{
	u64 v = 0;

	for (unsigned i = 0; i < 8; i++) {
		char c = s[i];
		unsigned digit;

		if (c >= '0' && c <= '9')
			digit = c - '0';
		else if (c >= 'a' && c <= 'f')
			digit = c - 'a' + 10;
		else if (c >= 'A' && c <= 'F')
			digit = c - 'A' + 10;
		else
			return false;
		v = v << 4 | digit;
	}
	*out = v;
	return true;
}

static const char *strip(const char *name)
{
	for (;;) {
		if (name[0] == '/')
			name++;
		else if (name[0] == '.' && name[1] == '/')
			name += 2;
		else
			return name;
	}
}

static int entry_parse(const char *base, u64 size, u64 *pos, struct cpio_entry *out)
{
	const char *header = base + *pos, *name;
	u64 name_size, data_at, end;
	u64 file_size, mode;

	if (size - *pos < CPIO_HEADER || memcmp(header, "070701", 6))
		return -EBADMSG;
	if (!hex8(header + 6 + 8 * CPIO_MODE, &mode) || !hex8(header + 6 + 8 * CPIO_SIZE, &file_size) ||
	    !hex8(header + 6 + 8 * CPIO_NAME_SIZE, &name_size))
		return -EBADMSG;
	if (!name_size || name_size > size - *pos - CPIO_HEADER)
		return -EBADMSG;
	name = header + CPIO_HEADER;
	if (name[name_size - 1] || memchr(name, 0, name_size) != name + name_size - 1)
		return -EBADMSG;
	data_at = ALIGN_UP(*pos + CPIO_HEADER + name_size, 4);
	if (data_at > size || file_size > size - data_at)
		return -EBADMSG;
	end = ALIGN_UP(data_at + file_size, 4);
	*out = (struct cpio_entry){ strip(name), (const u8 *)base + data_at, file_size, (u32)mode };
	*pos = MIN(end, size);
	return 1;
}

int cpio_next(const void *archive, u64 size, u64 *pos, struct cpio_entry *out)
{
	const char *base = archive;

	for (;;) {
		int r;

		while (*pos < size && !base[*pos])
			++*pos;
		if (*pos >= size)
			return 0;
		r = entry_parse(base, size, pos, out);
		if (r < 0 || strcmp(out->name, "TRAILER!!!"))
			return r;
	}
}
