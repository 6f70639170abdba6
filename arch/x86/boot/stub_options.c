/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The command line: the EFI load options if they hold text, else the file \postern\cmdline of the boot
 * volume. Load options are UCS-2; the shell puts the program's name first and QEMU adds " initrd=…", both
 * of which are not ours. Firmware may also hand over binary data there: that is no command line.
 */
#include "arch/x86/boot/stub.h"

/* Text, or nothing: printable to its end, which is a NUL or the end of the data. */
static UINTN options_length(const CHAR16 *text, UINTN n)
{
	UINTN len = 0;

	while (len < n && text[len]) {
		if (text[len] < ' ' && text[len] != '\t')
			return 0;
		len++;
	}
	return len && text[0] < 0x7f ? len : 0;
}

static UINTN utf8_put(char *out, CHAR16 c)
{
	if (c < 0x80) {
		out[0] = c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = 0xc0 | c >> 6;
		out[1] = 0x80 | (c & 0x3f);
		return 2;
	}
	out[0] = 0xe0 | c >> 12;
	out[1] = 0x80 | (c >> 6 & 0x3f);
	out[2] = 0x80 | (c & 0x3f);
	return 3;
}

static int is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void strip_end(char *text, UINTN n)
{
	while (n && is_blank(text[n - 1]))
		n--;
	text[n] = 0;
}

/* The shell's "fs0:\postern.efi options" */
static void strip_program(char *text)
{
	char *at = text;

	while (*at && !is_blank(*at))
		at++;
	if (at - text < 4 || at[-4] != '.' || (at[-3] | 32) != 'e' || (at[-2] | 32) != 'f' || (at[-1] | 32) != 'i')
		return;
	while (is_blank(*at))
		at++;
	while ((*text++ = *at++))
		;
}

/* QEMU's " initrd=…" at the end: one word, the last. */
static void strip_initrd(char *text)
{
	UINTN n = 0, word = 0;

	for (; text[n]; n++)
		if (is_blank(text[n]))
			word = n + 1;
	if (n - word >= 7 && !memcmp(text + word, "initrd=", 7))
		strip_end(text, word);
}

static EFI_STATUS options_from_file(void)
{
	void *data;
	UINT64 size;
	EFI_STATUS s = stub_read_file(u"\\postern\\cmdline", 1, &data, &size);
	char *out = stub.ho->cmdline;

	if (s == EFI_NOT_FOUND)
		return EFI_SUCCESS; /* no options at all are allowed */
	if (EFI_ERROR(s))
		return stub_fail("\\postern\\cmdline", s);
	if (size >= HANDOVER_CMDLINE)
		return stub_fail("\\postern\\cmdline, beyond 4095 bytes", EFI_BAD_BUFFER_SIZE);
	for (UINT64 i = 0; i < size; i++)
		out[i] = is_blank(((char *)data)[i]) ? ' ' : ((char *)data)[i];
	strip_end(out, size);
	return EFI_SUCCESS;
}

EFI_STATUS stub_read_options(void)
{
	const CHAR16 *text = stub.loaded->LoadOptions;
	UINTN len = 0, n = 0;
	char *out = stub.ho->cmdline;

	if (text && stub.loaded->LoadOptionsSize >= sizeof *text)
		len = options_length(text, stub.loaded->LoadOptionsSize / sizeof *text);
	for (UINTN i = 0; i < len; i++) {
		if (n + 4 > HANDOVER_CMDLINE)
			return stub_fail("load options, beyond 4095 bytes", EFI_BAD_BUFFER_SIZE);
		n += utf8_put(out + n, text[i]);
	}
	strip_end(out, n);
	strip_program(out);
	strip_initrd(out);
	return out[0] ? EFI_SUCCESS : options_from_file();
}
