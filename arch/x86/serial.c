/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The PC's serial lines COM1..COM4 (16550), polled, 115200 8N1. A line that fails the scratch-register
 * test is absent: writes to it vanish and reads give nothing. COM1 is the log's sink from the first
 * instructions on. Writing waits for room with a bound, so that a dead line cannot stop the kernel.
 */
#include "arch/x86/early.h"

#define UART_DATA 0
#define UART_IER 1
#define UART_FCR 2
#define UART_LCR 3
#define UART_MCR 4
#define UART_LSR 5
#define UART_SCRATCH 7
#define LSR_DATA BIT(0)
#define LSR_THR_EMPTY BIT(5)
#define LCR_8N1 0x03
#define LCR_DLAB 0x80
#define FCR_ENABLE_CLEAR 0x07
#define MCR_DTR_RTS_OUT2 0x0b
#define FIFO_SIZE 16
#define TX_POLLS 500000 /* reads of a port take about 1 us each on metal */
#define RX_BURST 256

static const u16 ports[4] = { 0x3f8, 0x2f8, 0x3e8, 0x2e8 };
static bool present[4];
static u32 tx_lock[4];
static bool stalled[4]; /* gets one poll instead of TX_POLLS until it moves again */

static bool uart_init(u16 port)
{
	arch_out8(port + UART_SCRATCH, 0x5a);
	if (arch_in8(port + UART_SCRATCH) != 0x5a)
		return false;
	arch_out8(port + UART_SCRATCH, 0xa5);
	if (arch_in8(port + UART_SCRATCH) != 0xa5)
		return false;
	arch_out8(port + UART_IER, 0);
	arch_out8(port + UART_LCR, LCR_DLAB);
	arch_out8(port + UART_DATA, 1); /* 115200 */
	arch_out8(port + UART_IER, 0);
	arch_out8(port + UART_LCR, LCR_8N1);
	arch_out8(port + UART_FCR, FCR_ENABLE_CLEAR);
	arch_out8(port + UART_MCR, MCR_DTR_RTS_OUT2);
	return true;
}

/* Up to FIFO_SIZE bytes once the transmitter is empty; false when it does not get empty. */
static bool uart_burst(unsigned line, const char *s, size_t n)
{
	unsigned polls = stalled[line] ? TX_POLLS : 0;
	u16 port = ports[line];

	while (!(arch_in8(port + UART_LSR) & LSR_THR_EMPTY)) {
		if (++polls > TX_POLLS) {
			stalled[line] = true;
			return false;
		}
	}
	stalled[line] = false;
	for (size_t i = 0; i < n; i++)
		arch_out8(port + UART_DATA, s[i]);
	return true;
}

void arch_serial_write(unsigned n, const char *s, size_t len)
{
	bool on;

	if (n >= 4 || !present[n])
		return;
	/* Two CPUs' bursts must not overfill the FIFO; in a panic nobody may be waited for. */
	on = arch_irq_save();
	while (__atomic_exchange_n(&tx_lock[n], 1, __ATOMIC_ACQUIRE) && !panic_stopping)
		arch_cpu_relax();
	while (len) {
		size_t part = MIN(len, FIFO_SIZE);

		if (!uart_burst(n, s, part))
			break;
		s += part;
		len -= part;
	}
	__atomic_store_n(&tx_lock[n], 0, __ATOMIC_RELEASE);
	arch_irq_restore(on);
}

size_t arch_serial_read(unsigned n, char *buf, size_t cap)
{
	size_t got = 0;

	if (n >= 4 || !present[n])
		return 0;
	while (got < cap && got < RX_BURST && (arch_in8(ports[n] + UART_LSR) & LSR_DATA))
		buf[got++] = arch_in8(ports[n] + UART_DATA);
	return got;
}

/* Terminals want a carriage return before each new line. */
static void log_sink(const char *s, size_t n)
{
	size_t start = 0;

	for (size_t i = 0; i < n; i++) {
		if (s[i] != '\n')
			continue;
		arch_serial_write(0, s + start, i - start);
		arch_serial_write(0, "\r\n", 2);
		start = i + 1;
	}
	if (start < n)
		arch_serial_write(0, s + start, n - start);
}

void serial_init(void)
{
	for (unsigned n = 0; n < 4; n++)
		present[n] = uart_init(ports[n]);
	if (present[0])
		log_add_sink(log_sink);
}

void early_fail(const char *why)
{
	static const char prefix[] = "postern: cannot start: ";

	present[0] = uart_init(ports[0]);
	arch_serial_write(0, prefix, sizeof prefix - 1);
	arch_serial_write(0, why, strlen(why));
	arch_serial_write(0, "\r\n", 2);
	cpu_halt_forever();
}
