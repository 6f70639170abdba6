/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's COM1: as much of a 16550 as an output console needs. It transmits at once and never
 * receives; interrupts are not there (IIR says none pending). Output is collected to lines, so that
 * one line is one write.
 */
#include <string.h>

#include "loader/loader.h"

/* Registers, 16550D data sheet, table II */
#define REG_DATA	0	/* divisor low when LCR.DLAB */
#define REG_IER		1	/* divisor high when LCR.DLAB */
#define REG_IIR		2
#define REG_LCR		3
#define REG_MCR		4
#define REG_LSR		5
#define REG_MSR		6
#define REG_SCR		7

#define IIR_NONE	0x01
#define LCR_DLAB	0x80
#define LSR_IDLE	0x60	/* transmitter and holding register empty */
#define MSR_READY	0xb0	/* DCD, DSR, CTS */

static struct {
	bool enabled;
	uint8_t reg[8];
	uint8_t divisor[2];
	char line[256];
	size_t len;
} serial;

void serial_init(bool enabled)
{
	memset(&serial, 0, sizeof(serial));
	serial.enabled = enabled;
}

void serial_flush(void)
{
	if (serial.len > 0)
		output_write(serial.line, serial.len);
	serial.len = 0;
}

static void serial_transmit(uint8_t byte)
{
	if (!serial.enabled)
		return;
	serial.line[serial.len++] = (char)byte;
	if (byte == '\n' || serial.len == sizeof(serial.line))
		serial_flush();
}

void serial_port(unsigned int reg, uint8_t *data, bool write)
{
	bool divisor = reg <= REG_IER && (serial.reg[REG_LCR] & LCR_DLAB);

	if (divisor && write) {
		serial.divisor[reg] = *data;
	} else if (divisor) {
		*data = serial.divisor[reg];
	} else if (write) {
		if (reg == REG_DATA)
			serial_transmit(*data);
		else
			serial.reg[reg] = *data;
	} else if (reg == REG_DATA) {
		*data = 0;
	} else if (reg == REG_IIR) {
		*data = IIR_NONE;
	} else if (reg == REG_LSR) {
		*data = LSR_IDLE;
	} else if (reg == REG_MSR) {
		*data = MSR_READY;
	} else {
		*data = serial.reg[reg];
	}
}
