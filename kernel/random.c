/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random bytes for programs (AT_RANDOM, getrandom).  RDRAND where there is one.  Without it the
 * bytes come from a 64-bit mixer over the boot loader's seed and the clock: good enough for stack
 * canaries and hash seeds, not for keys; the log says so at boot.
 */
#include "arch/x86/arch.h"
#include "kernel/random.h"

static u64 state = 0x9e3779b97f4a7c15ull;

static u64 mix(u64 x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

void random_seed(const void *seed, size_t n)
{
	const u8 *p = seed;
	u64 probe;

	for (size_t i = 0; i < n; i++)
		state = mix(state + p[i]);
	if (!arch_random(&probe))
		log_warn("this CPU has no RDRAND: getrandom gives bytes that are not fit for keys");
}

void random_fill(void *buf, size_t n)
{
	u8 *out = buf;

	while (n) {
		size_t part = MIN(n, sizeof(u64));
		u64 word;

		if (!arch_random(&word))
			word = mix(__atomic_add_fetch(&state, arch_tsc() | 1, __ATOMIC_RELAXED));
		memcpy(out, &word, part);
		out += part;
		n -= part;
	}
}
