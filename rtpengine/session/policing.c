/* policing.c - SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/session/policing.h"

/* Times what the codecs need: for telephone events beside them, bursts after a stall, FEC. */
#define FACTOR         8
#define PTIME_USUAL_MS 20
#define PTIME_LEAST_MS 10
#define HEADERS        60 /* of RTP with extensions, SRTP's trailer included */
/* Bytes a second: G.711 and whatever needs less; Opus at its best (RFC 6716: 510 kbit/s). */
#define NARROW_BYTES 8000
#define WIDE_BYTES   64000
/* Video and what we know nothing of: 32 Mbit/s in packets of 800 bytes. */
#define OTHER_PACKETS 5000
#define OTHER_BYTES   4000000
/* Comfort noise (RFC 3389) comes unasked, also under its old number. */
#define COMFORT_NOISE (1ull << 13 | 1ull << 19)

static uint32_t greater(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static uint32_t codec_bytes(const struct sdp_rtpmap *map)
{
	static const char *const narrow[] = {"PCMU", "PCMA", "G722", "G729", "G723",
					     "GSM",  "iLBC", "CN",   "AMR",  "telephone-event"};

	for (size_t i = 0; i < sizeof(narrow) / sizeof(narrow[0]); i++)
		if (slice_equal_nocase(map->encoding, slice_from(narrow[i])))
			return NARROW_BYTES;
	if (slice_equal_nocase(map->encoding, SLICE("L16")))
		return map->clock_rate < 192000 ? map->clock_rate * 2 * 8 : OTHER_BYTES;
	return WIDE_BYTES;
}

static void read_audio(const struct sdp_media *media, struct flow_limit *out)
{
	uint32_t ptime_ms = sdp_media_ptime_ms(media);
	uint32_t bytes = NARROW_BYTES;
	struct sdp_rtpmap map;

	if (ptime_ms == 0 || ptime_ms > PTIME_USUAL_MS)
		ptime_ms = PTIME_USUAL_MS;
	if (ptime_ms < PTIME_LEAST_MS)
		ptime_ms = PTIME_LEAST_MS / 2;
	for (unsigned i = 0; i < media->format_count; i++)
		bytes = greater(bytes, sdp_media_rtpmap(media, media->formats[i], &map) == 0
					       ? codec_bytes(&map)
					       : WIDE_BYTES);
	out->packets_per_s = FACTOR * 1000 / ptime_ms;
	out->bytes_per_s = FACTOR * (bytes + HEADERS * 1000 / ptime_ms);
}

void policing_read(const struct sdp_media *media, struct policing *out)
{
	*out = (struct policing){.limit = {OTHER_PACKETS, OTHER_BYTES}};
	if (!sdp_media_is_rtp(media))
		return;
	if (slice_equal_nocase(media->type, SLICE("audio")))
		read_audio(media, &out->limit);
	for (unsigned i = 0; i < media->format_count; i++) {
		uint32_t type;
		if (slice_to_u32(media->formats[i], 127, &type) == 0)
			out->payload_types[type >> 6] |= 1ull << (type & 63);
	}
}

void policing_rule(const struct policing *side, const struct policing *other,
		   struct flow_rule *rule)
{
	rule->limit = (struct flow_limit){
		greater(side->limit.packets_per_s, other->limit.packets_per_s),
		greater(side->limit.bytes_per_s, other->limit.bytes_per_s),
	};
	if (rule->kind != FLOW_RTP && rule->kind != FLOW_MUX)
		return;
	for (unsigned i = 0; i < 2; i++)
		rule->payload_types[i] = side->payload_types[i] | other->payload_types[i];
	if (rule->payload_types[0] | rule->payload_types[1])
		rule->payload_types[0] |= COMFORT_NOISE;
}
