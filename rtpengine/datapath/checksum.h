/* checksum.h - the Internet checksum (RFC 1071), in memory order: sums of bytes as they lie, to be
 * stored as they are. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Adding the halves of a number to each other, both ways round, leaves their end-around sum in the
 * upper one. */
static inline uint16_t checksum_fold(uint64_t sum)
{
	sum += sum >> 32 | sum << 32;
	uint32_t half = (uint32_t)(sum >> 32);
	half += half >> 16 | half << 16;
	return (uint16_t)(half >> 16);
}

#ifdef __SSE2__ /* every x86-64 */
/* Eight words at once: with their upper bit turned over they are what multiply-and-add takes for
 * signed, each less by 0x8000. `len` is a multiple of 16, not above 64 KB. */
static inline uint64_t checksum_add_vectors(const uint8_t *data, size_t len)
{
	const __m128i turn = _mm_set1_epi16((short)0x8000), one = _mm_set1_epi16(1);
	__m128i sums = _mm_setzero_si128();
	for (size_t at = 0; at < len; at += 16) {
		__m128i words = _mm_loadu_si128((const __m128i *)(const void *)(data + at));
		sums = _mm_add_epi32(sums, _mm_madd_epi16(_mm_xor_si128(words, turn), one));
	}
	sums = _mm_add_epi32(sums, _mm_shuffle_epi32(sums, _MM_SHUFFLE(1, 0, 3, 2)));
	sums = _mm_add_epi32(sums, _mm_shuffle_epi32(sums, _MM_SHUFFLE(2, 3, 0, 1)));
	return (uint64_t)((int64_t)_mm_cvtsi128_si32(sums) + 0x8000 * (int64_t)(len / 2));
}
#endif

/* At most 64 KB; the data must begin at an even offset of the datagram. */
static inline uint64_t checksum_add(uint64_t sum, const void *data, size_t len)
{
	const uint8_t *p = data;
#ifdef __SSE2__
	size_t whole = len & ~(size_t)15;
	sum += checksum_add_vectors(p, whole);
	p += whole;
	len -= whole;
#endif
	for (; len >= 4; p += 4, len -= 4) {
		uint32_t word;
		memcpy(&word, p, 4);
		sum += word;
	}
	if (len & 2) {
		uint16_t word;
		memcpy(&word, p, 2);
		sum += word;
		p += 2;
	}
	if (len & 1) { /* padded with a zero */
		const uint8_t last[2] = {*p, 0};
		uint16_t word;
		memcpy(&word, last, 2);
		sum += word;
	}
	return sum;
}

/* The same of few bytes, a multiple of 4 that the compiler knows. */
static inline uint64_t checksum_add_words(uint64_t sum, const void *data, size_t len)
{
	const uint8_t *p = data;
	for (size_t i = 0; i < len; i += 4) {
		uint32_t word;
		memcpy(&word, p + i, 4);
		sum += word;
	}
	return sum;
}

static inline uint64_t checksum_add_be16(uint64_t sum, uint16_t host_value)
{
	uint8_t bytes[2] = {(uint8_t)(host_value >> 8), (uint8_t)host_value};
	uint16_t word;
	memcpy(&word, bytes, 2);
	return sum + word;
}

/* Pseudo-header of UDP over IPv4 (RFC 768) and IPv6 (RFC 8200 8.1): the two addresses follow each
 * other in both headers; protocol and length add up alike. */
static inline uint64_t checksum_pseudo(const uint8_t *addresses, size_t len, uint16_t udp_len)
{
	uint64_t sum = len == 8 ? checksum_add_words(0, addresses, 8)
				: checksum_add_words(0, addresses, 32);
	return checksum_add_be16(checksum_add_be16(sum, 17), udp_len);
}
