/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SHA-256 (FIPS 180-4) of a stream. Uses the CPU's SHA instructions where CPUID shows them; the
 * result is the same.
 */
#ifndef UNIKERNEL_SHA256_H
#define UNIKERNEL_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_BLOCK	64
#define SHA256_BYTES	32

struct sha256 {
	uint32_t state[8];
	uint64_t bytes;
	uint8_t block[SHA256_BLOCK];	/* bytes % SHA256_BLOCK of them are waiting */
};

void sha256_init(struct sha256 *sha);
void sha256_add(struct sha256 *sha, const void *data, size_t len);
void sha256_end(struct sha256 *sha, uint8_t digest[SHA256_BYTES]);

#endif
