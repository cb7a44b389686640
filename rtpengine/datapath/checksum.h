/* checksum.h - the Internet checksum (RFC 1071), in memory order: sums of bytes as they lie, to be
 * stored as they are. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

static inline uint16_t checksum_fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* At most 64 KB; the data must begin at an even offset of the datagram. */
static inline uint64_t checksum_add(uint64_t sum, const void *data, size_t len)
{
	const uint8_t *p = data;
#ifdef __SSE2__ /* every x86-64: four sums of 32 bits at once, each in 64 bits */
	const __m128i zero = _mm_setzero_si128();
	__m128i low = zero, high = zero;
	for (; len >= 16; p += 16, len -= 16) {
		__m128i words = _mm_loadu_si128((const __m128i *)(const void *)p);
		low = _mm_add_epi64(low, _mm_unpacklo_epi32(words, zero));
		high = _mm_add_epi64(high, _mm_unpackhi_epi32(words, zero));
	}
	uint64_t sums[2];
	low = _mm_add_epi64(low, high);
	_mm_storeu_si128((__m128i *)(void *)sums, low);
	sum += sums[0] + sums[1];
#endif
	for (; len >= 4; p += 4, len -= 4) {
		uint32_t word;
		memcpy(&word, p, 4);
		sum += word;
	}
	uint32_t tail = 0;
	memcpy(&tail, p, len); /* 0 to 3 bytes, padded with zeros */
	return sum + tail;
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
