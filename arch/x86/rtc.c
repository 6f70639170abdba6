/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The date: read once from the PC's battery clock (MC146818), then counted by the TSC. Years are taken
 * as 2000..2099. A clock that never settles or holds no date gives 1970.
 */
#include "arch/x86/early.h"

#define RTC_INDEX 0x70
#define RTC_DATA 0x71
#define RTC_STATUS_A 0x0a
#define STATUS_A_UPDATING BIT(7)
#define RTC_STATUS_B 0x0b
#define STATUS_B_BINARY BIT(2)
#define STATUS_B_24H BIT(1)
#define HOUR_PM 0x80
#define UPDATE_POLLS 10000
#define READ_TRIES 8

struct date {
	u8 second, minute, hour, day, month, year;
};

static u8 rtc_read(u8 reg)
{
	arch_out8(RTC_INDEX, reg);
	return arch_in8(RTC_DATA);
}

static struct date date_read(void)
{
	for (unsigned i = 0; i < UPDATE_POLLS && (rtc_read(RTC_STATUS_A) & STATUS_A_UPDATING); i++)
		cpu_pause();
	return (struct date){ rtc_read(0), rtc_read(2), rtc_read(4), rtc_read(7), rtc_read(8), rtc_read(9) };
}

static u8 from_bcd(u8 v)
{
	return (v >> 4) * 10 + (v & 15);
}

static void date_decode(struct date *d, u8 status_b)
{
	bool pm = d->hour & HOUR_PM;

	d->hour &= 0x7f;
	if (!(status_b & STATUS_B_BINARY))
		*d = (struct date){ from_bcd(d->second), from_bcd(d->minute), from_bcd(d->hour),
				    from_bcd(d->day), from_bcd(d->month), from_bcd(d->year) };
	if (!(status_b & STATUS_B_24H))
		d->hour = d->hour % 12 + (pm ? 12 : 0);
}

static u64 date_seconds(const struct date *d)
{
	static const u16 before[12] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 };
	u64 year = d->year, days;

	if (!d->month || d->month > 12 || !d->day || d->day > 31 || d->hour > 23 || d->minute > 59 ||
	    d->second > 60 || d->year > 99)
		return 0;
	days = 10957 + year * 365 + (year + 3) / 4 + before[d->month - 1] + d->day - 1; /* from 2000 */
	if (year % 4 == 0 && d->month > 2)
		days++;
	return ((days * 24 + d->hour) * 60 + d->minute) * 60 + d->second;
}

u64 arch_wallclock_ns(void)
{
	static u64 boot_ns; /* wall clock minus arch_now_ns(); 0: not read yet */
	struct date a, b;

	if (boot_ns)
		return boot_ns + arch_now_ns();
	a = date_read();
	for (unsigned i = 0; i < READ_TRIES; i++) { /* the same twice: no update in between */
		b = date_read();
		if (!memcmp(&a, &b, sizeof a))
			break;
		a = b;
	}
	date_decode(&a, rtc_read(RTC_STATUS_B));
	boot_ns = MAX(date_seconds(&a) * NS_PER_S - arch_now_ns(), 1);
	return boot_ns + arch_now_ns();
}
