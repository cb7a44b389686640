/* media.c - what one m= section means. SPDX-License-Identifier: Apache-2.0 */
#include "control/sdp/media.h"
#include "control/sdp/lines.h"
#include <stdio.h>

/* RFC 3551 6, tables 4 and 5: payload types with a meaning without a=rtpmap. */
static const struct {
	uint8_t payload_type;
	const char *encoding;
	uint32_t clock_rate;
	uint32_t channels;
} static_payloads[] = {
	{0, "PCMU", 8000, 1},   {3, "GSM", 8000, 1},    {4, "G723", 8000, 1},
	{5, "DVI4", 8000, 1},   {6, "DVI4", 16000, 1},  {7, "LPC", 8000, 1},
	{8, "PCMA", 8000, 1},   {9, "G722", 8000, 1},   {10, "L16", 44100, 2},
	{11, "L16", 44100, 1},  {12, "QCELP", 8000, 1}, {13, "CN", 8000, 1},
	{14, "MPA", 90000, 1},  {15, "G728", 8000, 1},  {16, "DVI4", 11025, 1},
	{17, "DVI4", 22050, 1}, {18, "G729", 8000, 1},  {25, "CelB", 90000, 1},
	{26, "JPEG", 90000, 1}, {28, "nv", 90000, 1},   {31, "H261", 90000, 1},
	{32, "MPV", 90000, 1},  {33, "MP2T", 90000, 1}, {34, "H263", 90000, 1},
};

static const char *const direction_names[] = {"inactive", "sendonly", "recvonly", "sendrecv"};

const struct sdp_connection *sdp_media_connection(const struct sdp_media *media)
{
	const struct sdp_line *line = sdp_line_find(&media->section, 'c');

	if (!line)
		line = sdp_line_find(&media->sdp->section, 'c');
	return line ? line->connection : NULL;
}

int sdp_media_rtp_addr(const struct sdp_media *media, struct addr *out)
{
	const struct sdp_connection *connection = sdp_media_connection(media);

	if (!connection)
		return -ERR_NOT_FOUND;
	if (!addr_is_set(&connection->addr))
		return -ERR_UNSUPPORTED;
	*out = connection->addr;
	out->port = (uint16_t)media->port;
	return 0;
}

int sdp_media_rtcp_addr(const struct sdp_media *media, struct addr *out)
{
	const struct sdp_line *line = sdp_media_attribute(media, "rtcp");
	struct sdp_fault fault;
	struct addr rtp;
	struct addr own;
	uint32_t port;
	int err = sdp_media_rtp_addr(media, &rtp);

	if (err)
		return err;
	if (sdp_media_has_rtcp_mux(media)) {
		*out = rtp;
		return 0;
	}
	if (!line) {
		/* Odd ports may be announced too; RTCP is the next one whatever it is. */
		rtp.port =
			media->port && media->port < UINT16_MAX ? (uint16_t)(media->port + 1) : 0;
		*out = rtp;
		return 0;
	}
	err = sdp_read_rtcp(line->argument, &port, &own, &fault);
	if (err)
		return err;
	*out = addr_is_set(&own) ? own : rtp;
	out->port = (uint16_t)port;
	return 0;
}

int sdp_media_set_rtcp(struct sdp_media *media, const struct addr *addr, bool full_address)
{
	char text[ADDR_TEXT_SIZE + 32];
	char ip[ADDR_TEXT_SIZE];
	int len;

	if (full_address)
		len = snprintf(text, sizeof(text), "%u IN %s %s", addr->port,
			       addr->family == AF_INET6 ? "IP6" : "IP4", addr_ip_text(addr, ip));
	else
		len = snprintf(text, sizeof(text), "%u", addr->port);
	return sdp_attribute_set(media->sdp, &media->section, "rtcp",
				 (struct slice){text, (size_t)len});
}

/* The direction a section states; false when it states none. The first line counts. */
static bool section_direction(const struct sdp_section *section, enum sdp_direction *out)
{
	for (const struct sdp_line *line = section->lines; line; line = line->next)
		for (unsigned i = 0; line->type == 'a' && i < 4; i++)
			if (slice_equal(line->name, slice_from(direction_names[i]))) {
				*out = (enum sdp_direction)i;
				return true;
			}
	return false;
}

enum sdp_direction sdp_media_direction(const struct sdp_media *media)
{
	enum sdp_direction direction;

	if (section_direction(&media->section, &direction) ||
	    section_direction(&media->sdp->section, &direction))
		return direction;
	return SDP_SENDRECV;
}

const char *sdp_direction_text(enum sdp_direction direction)
{
	return direction_names[(unsigned)direction & 3];
}

enum sdp_direction sdp_direction_reverse(enum sdp_direction direction)
{
	unsigned bits = (unsigned)direction;

	return (enum sdp_direction)((bits & 1) << 1 | (bits & 2) >> 1);
}

/* The first `left` direction lines. */
static bool is_old_direction(void *owner, const struct sdp_line *line)
{
	unsigned *left = owner;

	for (unsigned i = 0; line->type == 'a' && *left && i < 4; i++)
		if (slice_equal(line->name, slice_from(direction_names[i]))) {
			(*left)--;
			return true;
		}
	return false;
}

int sdp_media_set_direction(struct sdp_media *media, enum sdp_direction direction)
{
	unsigned old = 0;

	for (unsigned i = 0; i < 4; i++) {
		const struct sdp_line *line = sdp_media_attribute(media, direction_names[i]);

		for (; line; line = sdp_attribute_next(line))
			old++;
	}
	/* Added behind them first: without memory the old lines stay. */
	int err = sdp_attribute_add(media->sdp, &media->section, sdp_direction_text(direction),
				    SLICE_NONE);
	if (!err)
		(void)sdp_line_remove_if(&media->section, is_old_direction, &old);
	return err;
}

bool sdp_media_is_rtp(const struct sdp_media *media)
{
	return sdp_protocol_is_rtp(media->protocol);
}

bool sdp_media_is_secure(const struct sdp_media *media)
{
	struct slice rest = media->protocol;

	while (rest.len) {
		struct slice part = slice_cut(&rest, '/');

		if (slice_equal_nocase(part, SLICE("SAVP")) ||
		    slice_equal_nocase(part, SLICE("SAVPF")))
			return true;
	}
	return false;
}

bool sdp_media_has_rtcp_mux(const struct sdp_media *media)
{
	return sdp_media_attribute(media, "rtcp-mux") != NULL;
}

bool sdp_media_is_rejected(const struct sdp_media *media)
{
	/* RFC 8843 6: port 0 with a=bundle-only is alive inside its bundle. */
	return media->port == 0 && !sdp_media_attribute(media, "bundle-only");
}

bool sdp_media_is_hold(const struct sdp_media *media)
{
	const struct sdp_connection *connection = sdp_media_connection(media);
	enum sdp_direction direction = sdp_media_direction(media);

	if (direction == SDP_SENDONLY || direction == SDP_INACTIVE)
		return true;
	/* A trickling ICE agent also writes 0.0.0.0 (RFC 8840 4.1.1), without holding. */
	return connection && addr_is_set(&connection->addr) && addr_is_any(&connection->addr) &&
	       !sdp_media_attribute_effective(media, "ice-ufrag");
}

bool sdp_is_hold(const struct sdp *sdp)
{
	unsigned alive = 0;

	for (unsigned i = 0; i < sdp->media_count; i++) {
		if (sdp_media_is_rejected(&sdp->media[i]))
			continue;
		if (!sdp_media_is_hold(&sdp->media[i]))
			return false;
		alive++;
	}
	return alive > 0;
}

uint32_t sdp_media_ptime_ms(const struct sdp_media *media)
{
	const struct sdp_line *line = sdp_media_attribute(media, "ptime");
	uint32_t ptime_ms;

	if (!line || slice_to_u32(slice_trim(line->argument), 10000, &ptime_ms))
		return 0;
	return ptime_ms;
}

/* "96 opus/48000/2" and the like: does the argument start with this format? */
static bool argument_is_for(const struct sdp_line *line, struct slice format)
{
	struct slice rest = line->argument;
	struct slice first;

	return slice_next_word(&rest, &first) && slice_equal(first, format);
}

static int static_rtpmap(uint8_t payload_type, struct sdp_rtpmap *out)
{
	for (unsigned i = 0; i < sizeof(static_payloads) / sizeof(static_payloads[0]); i++) {
		if (static_payloads[i].payload_type != payload_type)
			continue;
		*out = (struct sdp_rtpmap){
			.payload_type = payload_type,
			.encoding = slice_from(static_payloads[i].encoding),
			.clock_rate = static_payloads[i].clock_rate,
			.channels = static_payloads[i].channels,
		};
		return 0;
	}
	return -ERR_NOT_FOUND;
}

int sdp_media_rtpmap(const struct sdp_media *media, struct slice format, struct sdp_rtpmap *out)
{
	const struct sdp_line *line = sdp_media_attribute(media, "rtpmap");
	struct sdp_rtpmap map;
	struct sdp_fault fault;
	uint32_t payload_type;

	for (; line; line = sdp_attribute_next(line)) {
		if (!argument_is_for(line, format))
			continue;
		if (sdp_read_rtpmap(line->argument, &map.payload_type, &map.encoding,
				    &map.clock_rate, &map.channels, &fault) ||
		    !map.clock_rate)
			continue;
		*out = map;
		return 0;
	}
	if (!sdp_media_is_rtp(media) || slice_to_u32(format, 127, &payload_type))
		return -ERR_NOT_FOUND;
	return static_rtpmap((uint8_t)payload_type, out);
}

int sdp_media_find_encoding(const struct sdp_media *media, struct slice encoding,
			    uint32_t clock_rate, struct sdp_rtpmap *out)
{
	struct sdp_rtpmap map;

	for (unsigned i = 0; i < media->format_count; i++) {
		if (sdp_media_rtpmap(media, media->formats[i], &map))
			continue;
		if (!slice_equal_nocase(map.encoding, encoding) ||
		    (clock_rate && clock_rate != map.clock_rate))
			continue;
		*out = map;
		return 0;
	}
	return -ERR_NOT_FOUND;
}

bool sdp_media_has_format(const struct sdp_media *media, struct slice format)
{
	for (unsigned i = 0; i < media->format_count; i++)
		if (slice_equal(media->formats[i], format))
			return true;
	return false;
}

struct slice sdp_media_fmtp(const struct sdp_media *media, struct slice format)
{
	const struct sdp_line *line = sdp_media_attribute(media, "fmtp");

	for (; line; line = sdp_attribute_next(line)) {
		struct slice rest = line->argument;
		struct slice first;

		if (slice_next_word(&rest, &first) && slice_equal(first, format))
			return slice_trim(rest);
	}
	return SLICE_NONE;
}

static bool is_about_format(void *owner, const struct sdp_line *line)
{
	const struct slice *format = owner;

	return line->type == 'a' &&
	       (slice_equal(line->name, SLICE("rtpmap")) ||
		slice_equal(line->name, SLICE("fmtp")) ||
		slice_equal(line->name, SLICE("rtcp-fb"))) &&
	       argument_is_for(line, *format);
}

bool sdp_media_remove_format(struct sdp_media *media, struct slice format)
{
	struct slice wanted = format;
	unsigned kept = 0;

	if (!sdp_media_has_format(media, format) || media->format_count == 1)
		return false;
	for (unsigned i = 0; i < media->format_count; i++)
		if (!slice_equal(media->formats[i], format))
			media->formats[kept++] = media->formats[i];
	if (!kept)
		kept = 1; /* the same format several times: one stays */
	media->format_count = kept;
	(void)sdp_line_remove_if(&media->section, is_about_format, &wanted);
	return true;
}

int sdp_media_set_protocol(struct sdp_media *media, struct slice protocol)
{
	struct slice copy = arena_copy(media->sdp->arena, protocol);

	if (!protocol.len || slice_find(protocol, ' ') < protocol.len)
		return -ERR_INVALID;
	if (!copy.data)
		return -ERR_NO_MEMORY;
	media->protocol = copy;
	return 0;
}
