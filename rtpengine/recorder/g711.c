/* SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/recorder/g711.h"

enum { ULAW_BIAS = 0x84, ULAW_MAX = 32635 };

/* The number of the highest bit set from bit 7 on, 0 to 7. */
static unsigned segment(unsigned magnitude)
{
	unsigned number = 0;

	for (magnitude >>= 8; magnitude && number < 7; magnitude >>= 1)
		number++;
	return number;
}

/* G.711 table 2: sign, 3 bits of segment, 4 bits in it; then every other bit inverted. */
uint8_t g711_alaw(int16_t sample)
{
	unsigned sign = sample >= 0 ? 0x80 : 0;
	unsigned magnitude = (unsigned)(sample >= 0 ? sample : -(sample + 1));
	unsigned number = segment(magnitude);
	unsigned step = number ? magnitude >> (number + 3) : magnitude >> 4;

	return (uint8_t)((sign | number << 4 | (step & 0x0f)) ^ 0x55);
}

int16_t g711_from_alaw(uint8_t code)
{
	unsigned bits = code ^ 0x55u;
	unsigned number = bits >> 4 & 7;
	int magnitude = (int)((bits & 0x0f) << 4) + 8;

	if (number)
		magnitude = (magnitude + 0x100) << (number - 1);
	return (int16_t)(bits & 0x80 ? magnitude : -magnitude);
}

/* G.711 table 3; all bits inverted. */
uint8_t g711_ulaw(int16_t sample)
{
	unsigned sign = sample < 0 ? 0x80 : 0;
	int positive = sample < 0 ? -(int)sample : sample;
	unsigned magnitude = (unsigned)(positive < ULAW_MAX ? positive : ULAW_MAX) + ULAW_BIAS;
	unsigned number = segment(magnitude);

	return (uint8_t) ~(sign | number << 4 | (magnitude >> (number + 3) & 0x0f));
}

int16_t g711_from_ulaw(uint8_t code)
{
	unsigned bits = (uint8_t)~code;
	int magnitude = (((int)(bits & 0x0f) << 3) + ULAW_BIAS) << (bits >> 4 & 7);

	magnitude -= ULAW_BIAS;
	return (int16_t)(bits & 0x80 ? -magnitude : magnitude);
}
