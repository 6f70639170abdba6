/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SHA-256, FIPS 180-4. The rounds are unrolled by eight, so that the eight working variables change
 * names instead of places. A second compression function uses the SHA extensions (Intel SDM 2B,
 * SHA256RNDS2); which one runs is decided once.
 */
#include <cpuid.h>
#include <immintrin.h>
#include <string.h>

#include "guest_tests/unikernel/lib/sha256.h"

#define CPUID_7_EBX_SHA		(1u << 29)
#define CPUID_1_ECX_SSSE3	(1u << 9)
#define CPUID_1_ECX_SSE41	(1u << 19)

static const uint32_t constants[64] __attribute__((aligned(16))) = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static inline uint32_t rotate(uint32_t x, unsigned int n)
{
	return x >> n | x << (32 - n);
}

static inline uint32_t load_be(const uint8_t *p)
{
	uint32_t word;

	memcpy(&word, p, sizeof(word));
	return __builtin_bswap32(word);
}

/* FIPS 180-4, 4.1.2 and 6.2.2: one round; d and h receive the new values. */
#define ROUND(a, b, c, d, e, f, g, h, i) do {						\
	uint32_t t1 = (h) + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) +		\
		      (((e) & ((f) ^ (g))) ^ (g)) + constants[i] + w[i];		\
	(d) += t1;									\
	(h) = t1 + (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) +			\
	      (((a) & (b)) | ((c) & ((a) | (b))));					\
} while (0)

static void compress_plain(uint32_t *state, const uint8_t *data, size_t blocks)
{
	uint32_t w[64];

	for (; blocks > 0; blocks--, data += SHA256_BLOCK) {
		uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
		uint32_t e = state[4], f = state[5], g = state[6], h = state[7];

		for (unsigned int i = 0; i < 16; i++)
			w[i] = load_be(data + 4 * i);
		for (unsigned int i = 16; i < 64; i++)
			w[i] = w[i - 16] + w[i - 7] +
			       (rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3) +
			       (rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10);
		for (unsigned int i = 0; i < 64; i += 8) {
			ROUND(a, b, c, d, e, f, g, h, i);
			ROUND(h, a, b, c, d, e, f, g, i + 1);
			ROUND(g, h, a, b, c, d, e, f, i + 2);
			ROUND(f, g, h, a, b, c, d, e, i + 3);
			ROUND(e, f, g, h, a, b, c, d, i + 4);
			ROUND(d, e, f, g, h, a, b, c, i + 5);
			ROUND(c, d, e, f, g, h, a, b, i + 6);
			ROUND(b, c, d, e, f, g, h, a, i + 7);
		}
		state[0] += a;
		state[1] += b;
		state[2] += c;
		state[3] += d;
		state[4] += e;
		state[5] += f;
		state[6] += g;
		state[7] += h;
	}
}

/*
 * The instructions hold the state as ABEF and CDGH. w[] is a ring of the last 16 message words; each
 * step of four rounds uses one quarter and replaces it by the words of 16 rounds later.
 */
__attribute__((target("sha,sse4.1,ssse3")))
static void compress_sha(uint32_t *state, const uint8_t *data, size_t blocks)
{
	const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0bll, 0x0405060700010203ll);
	__m128i low = _mm_loadu_si128((const __m128i *)state);		/* D C B A */
	__m128i high = _mm_loadu_si128((const __m128i *)(state + 4));	/* H G F E */
	__m128i abef, cdgh;

	low = _mm_shuffle_epi32(low, 0xb1);				/* C D A B */
	high = _mm_shuffle_epi32(high, 0x1b);				/* E F G H */
	abef = _mm_alignr_epi8(low, high, 8);
	cdgh = _mm_blend_epi16(high, low, 0xf0);

	for (; blocks > 0; blocks--, data += SHA256_BLOCK) {
		const __m128i abef_old = abef, cdgh_old = cdgh;
		__m128i w[4];

		for (unsigned int i = 0; i < 4; i++)
			w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)data + i), swap);
		for (unsigned int i = 0; i < 16; i++) {
			const __m128i now = w[i & 3], next = w[(i + 1) & 3];
			const __m128i last = w[(i + 3) & 3];
			__m128i k = _mm_load_si128((const __m128i *)constants + i);

			k = _mm_add_epi32(k, now);
			cdgh = _mm_sha256rnds2_epu32(cdgh, abef, k);
			abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(k, 0x0e));
			w[i & 3] = _mm_sha256msg2_epu32(
				_mm_add_epi32(_mm_sha256msg1_epu32(now, next),
					      _mm_alignr_epi8(last, w[(i + 2) & 3], 4)), last);
		}
		abef = _mm_add_epi32(abef, abef_old);
		cdgh = _mm_add_epi32(cdgh, cdgh_old);
	}

	low = _mm_shuffle_epi32(abef, 0x1b);				/* F E B A */
	high = _mm_shuffle_epi32(cdgh, 0xb1);				/* D C H G */
	_mm_storeu_si128((__m128i *)state, _mm_blend_epi16(low, high, 0xf0));
	_mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(high, low, 8));
}

static void (*compress)(uint32_t *state, const uint8_t *data, size_t blocks);

static void compress_choose(void)
{
	unsigned int eax, ebx = 0, ecx = 0, edx, ebx7 = 0;

	__get_cpuid_count(7, 0, &eax, &ebx7, &ecx, &edx);
	ecx = 0;
	__get_cpuid(1, &eax, &ebx, &ecx, &edx);
	compress = compress_plain;
	if ((ebx7 & CPUID_7_EBX_SHA) && (ecx & CPUID_1_ECX_SSSE3) && (ecx & CPUID_1_ECX_SSE41))
		compress = compress_sha;
}

void sha256_init(struct sha256 *sha)
{
	static const uint32_t initial[8] = {
		0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
		0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
	};

	if (!compress)
		compress_choose();
	memcpy(sha->state, initial, sizeof(initial));
	sha->bytes = 0;
}

void sha256_add(struct sha256 *sha, const void *data, size_t len)
{
	size_t have = sha->bytes % SHA256_BLOCK;
	const uint8_t *from = data;

	sha->bytes += len;
	if (have > 0) {
		size_t want = SHA256_BLOCK - have < len ? SHA256_BLOCK - have : len;

		memcpy(sha->block + have, from, want);
		if (have + want < SHA256_BLOCK)
			return;
		compress(sha->state, sha->block, 1);
		from += want;
		len -= want;
	}
	compress(sha->state, from, len / SHA256_BLOCK);
	memcpy(sha->block, from + len / SHA256_BLOCK * SHA256_BLOCK, len % SHA256_BLOCK);
}

void sha256_end(struct sha256 *sha, uint8_t digest[SHA256_BYTES])
{
	static const uint8_t padding[SHA256_BLOCK] = { 0x80 };
	uint64_t bits = __builtin_bswap64(sha->bytes * 8);
	size_t have = sha->bytes % SHA256_BLOCK;

	/* A 1 bit, zeros, and the length in the last 8 bytes of a block: FIPS 180-4, 5.1.1. */
	sha256_add(sha, padding, have < 56 ? 56 - have : 120 - have);
	sha256_add(sha, &bits, sizeof(bits));
	for (unsigned int i = 0; i < 8; i++) {
		uint32_t word = __builtin_bswap32(sha->state[i]);

		memcpy(digest + 4 * i, &word, sizeof(word));
	}
}
