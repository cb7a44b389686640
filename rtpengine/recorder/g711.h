/* g711.h - G.711 (ITU-T), both laws, a sample at a time. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdint.h>

uint8_t g711_alaw(int16_t sample);
uint8_t g711_ulaw(int16_t sample);
int16_t g711_from_alaw(uint8_t code);
int16_t g711_from_ulaw(uint8_t code);
