/* lines.c - the grammar of each SDP line by itself (RFC 8866 section 9).
 * Several spaces between words and spaces at the end are let pass; phones write them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/sdp/lines.h"

#define PAYLOAD_TYPE_MAX 127
#define PORT_MAX         65535
#define NAME_MAX_BYTES   255 /* of a host name */

static int fault_at(struct sdp_fault *fault, const char *at, const char *reason)
{
	fault->at = at;
	fault->reason = reason;
	return -ERR_MALFORMED;
}

static bool is_token_char(char c)
{
	return (c > ' ' && c < 127 && !strchr("\"(),/:;<=>?@[\\]", c));
}

bool sdp_is_token(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_token_char(s.data[i]))
			return false;
	return s.len > 0;
}

bool sdp_is_digits(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.data[i] < '0' || s.data[i] > '9')
			return false;
	return s.len > 0;
}

bool sdp_protocol_is_rtp(struct slice protocol)
{
	struct slice part;
	struct slice rest = protocol;

	while (rest.len) {
		part = slice_cut(&rest, '/');
		if (slice_equal_nocase(part, SLICE("RTP")) && rest.len)
			return true;
	}
	return false;
}

/* The next word, or a fault at the end of the line. */
static int word(struct slice *rest, struct slice *out, struct sdp_fault *fault, const char *missing)
{
	if (slice_next_word(rest, out))
		return 0;
	return fault_at(fault, rest->data + rest->len, missing);
}

static int end_of_line(struct slice rest, struct sdp_fault *fault)
{
	struct slice extra;

	if (slice_next_word(&rest, &extra))
		return fault_at(fault, extra.data, "more words than this line may have");
	return 0;
}

/* A word of digits only, such as the two numbers of o= and t=; any length. */
static int digits(struct slice *rest, struct slice *out, struct sdp_fault *fault,
		  const char *missing, const char *wrong)
{
	int err = word(rest, out, fault, missing);
	if (err)
		return err;
	return sdp_is_digits(*out) ? 0 : fault_at(fault, out->data, wrong);
}

int sdp_read_origin(struct slice value, struct sdp_origin *out, struct sdp_fault *fault)
{
	struct slice rest = value;
	struct sdp_origin origin;
	int err = word(&rest, &origin.username, fault, "o= is empty");

	if (!err)
		err = digits(&rest, &origin.session_id, fault, "o= without session id",
			     "session id of o= is not a number");
	if (!err)
		err = digits(&rest, &origin.session_version, fault, "o= without session version",
			     "session version of o= is not a number");
	if (!err)
		err = word(&rest, &origin.network_type, fault, "o= without network type");
	if (!err)
		err = word(&rest, &origin.address_type, fault, "o= without address type");
	if (!err)
		err = word(&rest, &origin.address, fault, "o= without address");
	if (!err)
		err = end_of_line(rest, fault);
	if (!err && !sdp_is_token(origin.network_type))
		err = fault_at(fault, origin.network_type.data, "network type is not a token");
	if (!err && !sdp_is_token(origin.address_type))
		err = fault_at(fault, origin.address_type.data, "address type is not a token");
	if (!err)
		*out = origin;
	return err;
}

/* RFC 8866 FQDN; digits and dots alone are a mistyped address, not a name. */
static bool is_host_name(struct slice s)
{
	bool letter = false;

	for (size_t i = 0; i < s.len; i++) {
		char c = s.data[i];
		bool alpha = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

		letter = letter || alpha;
		if (!alpha && !(c >= '0' && c <= '9') && c != '-' && c != '.' && c != '_')
			return false;
	}
	return letter && s.len <= NAME_MAX_BYTES;
}

/* "/ttl", "/ttl/count" (IPv4) and "/count" (IPv6) are for multicast only. */
static int check_multicast_suffix(const struct sdp_connection *connection, struct slice suffix,
				  bool is_v4, struct sdp_fault *fault)
{
	uint32_t number;

	if (addr_is_set(&connection->addr) && !addr_is_multicast(&connection->addr))
		return fault_at(fault, suffix.data, "'/' after a unicast address");
	if (is_v4) {
		struct slice ttl = slice_cut(&suffix, '/');

		if (slice_to_u32(ttl, 255, &number))
			return fault_at(fault, ttl.data, "multicast ttl is not 0 to 255");
		if (suffix.data == NULL || suffix.data == ttl.data + ttl.len)
			return 0;
	}
	if (slice_to_u32(suffix, UINT32_MAX, &number) || number == 0)
		return fault_at(fault, suffix.data, "number of addresses is not a positive number");
	return 0;
}

int sdp_read_connection(struct slice value, struct sdp_connection *out, struct sdp_fault *fault)
{
	struct sdp_connection connection = {.addr = {.family = 0}};
	struct slice rest = value;
	int err = word(&rest, &connection.network_type, fault, "no network type");

	if (!err)
		err = word(&rest, &connection.address_type, fault, "no address type");
	if (!err)
		err = word(&rest, &connection.address, fault, "no address");
	if (!err)
		err = end_of_line(rest, fault);
	if (err)
		return err;
	if (!sdp_is_token(connection.network_type))
		return fault_at(fault, connection.network_type.data, "network type is not a token");
	if (!sdp_is_token(connection.address_type))
		return fault_at(fault, connection.address_type.data, "address type is not a token");

	struct slice suffix = connection.address;
	bool has_suffix = slice_find(suffix, '/') < suffix.len;
	bool is_v4 = slice_equal_nocase(connection.address_type, SLICE("IP4"));
	bool is_v6 = slice_equal_nocase(connection.address_type, SLICE("IP6"));

	connection.host = slice_cut(&suffix, '/');
	/* Other networks and address types have grammars of their own: kept as text. */
	if (!slice_equal_nocase(connection.network_type, SLICE("IN")) || (!is_v4 && !is_v6)) {
		*out = connection;
		return 0;
	}
	bool is_ip = slice_find(connection.host, '[') == connection.host.len &&
		     addr_parse_ip(connection.host, &connection.addr) == 0;
	if (!is_ip)
		connection.addr = (struct addr){.family = 0};
	if (!is_ip && !is_host_name(connection.host))
		return fault_at(fault, connection.host.data, "not an address and not a host name");
	bool looks_v6 = slice_find(connection.host, ':') < connection.host.len;
	if (is_ip && looks_v6 != is_v6)
		return fault_at(fault, connection.host.data, "address does not fit IP4 or IP6");
	if (has_suffix)
		err = check_multicast_suffix(&connection, suffix, is_v4, fault);
	if (!err)
		*out = connection;
	return err;
}

static int read_port(struct slice text, struct sdp_media *media, struct sdp_fault *fault)
{
	struct slice count = text;
	bool has_count = slice_find(text, '/') < text.len;
	struct slice port = slice_cut(&count, '/');

	media->port_count = 1;
	if (slice_to_u32(port, PORT_MAX, &media->port))
		return fault_at(fault, port.data, "port is not 0 to 65535");
	if (has_count &&
	    (slice_to_u32(count, PORT_MAX, &media->port_count) || media->port_count == 0))
		return fault_at(fault, port.data + port.len + 1,
				"number of ports is not 1 to 65535");
	return 0;
}

static bool is_protocol(struct slice s)
{
	struct slice rest = s;

	if (!s.len || s.data[s.len - 1] == '/')
		return false;
	while (rest.len)
		if (!sdp_is_token(slice_cut(&rest, '/')))
			return false;
	return true;
}

static int read_formats(struct arena *arena, struct slice rest, struct sdp_media *media,
			struct sdp_fault *fault)
{
	struct slice found[SDP_MAX_FORMATS];
	struct slice format;
	unsigned count = 0;
	bool rtp = sdp_protocol_is_rtp(media->protocol);

	while (slice_next_word(&rest, &format)) {
		uint32_t number;

		if (count == SDP_MAX_FORMATS) {
			(void)fault_at(fault, format.data, "too many formats in one m= line");
			return -ERR_TOO_MANY;
		}
		if (rtp && slice_to_u32(format, PAYLOAD_TYPE_MAX, &number))
			return fault_at(fault, format.data, "payload type is not 0 to 127");
		if (!sdp_is_token(format))
			return fault_at(fault, format.data, "format is not a token");
		found[count++] = format;
	}
	/* Refused streams come without formats from some phones; the grammar wants one. */
	if (count == 0 && media->port == 0)
		found[count++] = SLICE("0");
	if (count == 0)
		return fault_at(fault, rest.data + rest.len, "m= without format");
	media->formats = arena_alloc(arena, count * sizeof(found[0]));
	if (!media->formats) {
		(void)fault_at(fault, rest.data, "out of memory");
		return -ERR_NO_MEMORY;
	}
	memcpy(media->formats, found, count * sizeof(found[0]));
	media->format_count = count;
	return 0;
}

int sdp_read_media(struct arena *arena, struct slice value, struct sdp_media *out,
		   struct sdp_fault *fault)
{
	struct slice rest = value;
	struct slice port;
	int err = word(&rest, &out->type, fault, "m= is empty");

	if (!err && !sdp_is_token(out->type))
		err = fault_at(fault, out->type.data, "media type is not a token");
	if (!err)
		err = word(&rest, &port, fault, "m= without port");
	if (!err)
		err = read_port(port, out, fault);
	if (!err)
		err = word(&rest, &out->protocol, fault, "m= without protocol");
	if (!err && !is_protocol(out->protocol))
		err = fault_at(fault, out->protocol.data, "protocol is not tokens joined by '/'");
	if (!err)
		err = read_formats(arena, rest, out, fault);
	return err;
}

int sdp_read_attribute(struct slice value, struct sdp_line *out, struct sdp_fault *fault)
{
	size_t colon = slice_find(value, ':');

	out->name = slice_sub(value, 0, colon);
	out->argument = SLICE_NONE;
	if (colon < value.len)
		out->argument = (struct slice){value.data + colon + 1, value.len - colon - 1};
	/* A flag with spaces behind it is let pass ("a=sendrecv "). */
	struct slice name = out->argument.data ? out->name : slice_trim(out->name);
	if (!sdp_is_token(name))
		return fault_at(fault, value.data, "attribute name is not a token");
	out->name = name;
	return 0;
}

int sdp_check_bandwidth(struct slice value, struct sdp_fault *fault)
{
	struct slice number = value;
	struct slice type = slice_cut(&number, ':');
	uint64_t kbps;

	if (!sdp_is_token(type))
		return fault_at(fault, value.data, "bandwidth type is not a token");
	if (type.len == value.len || slice_to_u64(slice_trim(number), UINT64_MAX, &kbps))
		return fault_at(fault, number.data, "bandwidth is not a number");
	return 0;
}

int sdp_check_time(struct slice value, struct sdp_fault *fault)
{
	struct slice rest = value;
	struct slice start;
	struct slice stop;
	int err = digits(&rest, &start, fault, "t= without start", "start of t= is not a number");

	if (!err)
		err = digits(&rest, &stop, fault, "t= without stop", "stop of t= is not a number");
	return err ? err : end_of_line(rest, fault);
}

int sdp_read_rtpmap(struct slice argument, uint8_t *payload_type, struct slice *encoding,
		    uint32_t *clock_rate, uint32_t *channels, struct sdp_fault *fault)
{
	struct slice rest = argument;
	struct slice number;
	struct slice map;
	uint32_t value;
	int err = word(&rest, &number, fault, "a=rtpmap without payload type");

	if (!err && slice_to_u32(number, PAYLOAD_TYPE_MAX, &value))
		err = fault_at(fault, number.data, "payload type is not 0 to 127");
	if (!err)
		err = word(&rest, &map, fault, "a=rtpmap without encoding");
	if (err)
		return err;
	*payload_type = (uint8_t)value;
	struct slice name = slice_cut(&map, '/');
	struct slice rate = slice_cut(&map, '/');
	bool has_rate = rate.data != name.data + name.len;
	if (!sdp_is_token(name))
		return fault_at(fault, name.data, "encoding name is not a token");
	/* Without clock rate it means nothing, but such lines are about (RFC 4475 has them). */
	*clock_rate = 0;
	if (has_rate && (slice_to_u32(rate, UINT32_MAX, clock_rate) || *clock_rate == 0))
		return fault_at(fault, rate.data, "clock rate is not a positive number");
	*encoding = name;
	/* For audio the parameter is the number of channels; for others it may be anything. */
	if (!map.len || slice_to_u32(map, 255, channels) || *channels == 0)
		*channels = 1;
	return 0;
}

int sdp_read_rtcp(struct slice argument, uint32_t *port, struct addr *addr, struct sdp_fault *fault)
{
	struct slice rest = argument;
	struct slice number;
	struct sdp_connection connection;
	int err = word(&rest, &number, fault, "a=rtcp without port");

	if (err)
		return err;
	if (slice_to_u32(number, PORT_MAX, port))
		return fault_at(fault, number.data, "port of a=rtcp is not 0 to 65535");
	*addr = (struct addr){.family = 0};
	rest = slice_trim(rest);
	if (!rest.len)
		return 0;
	err = sdp_read_connection(rest, &connection, fault);
	if (!err)
		*addr = connection.addr;
	return err;
}

int sdp_check_media_attribute(const struct sdp_media *media, const struct sdp_line *line,
			      struct sdp_fault *fault)
{
	uint8_t payload_type;
	struct slice encoding;
	struct addr addr;
	uint32_t number;
	uint32_t channels;

	if (!sdp_protocol_is_rtp(media->protocol))
		return 0;
	bool is_rtpmap = slice_equal(line->name, SLICE("rtpmap"));
	bool is_rtcp = slice_equal(line->name, SLICE("rtcp"));
	if ((is_rtpmap || is_rtcp) && !line->argument.data)
		return fault_at(fault, line->value.data, "attribute without value");
	if (is_rtpmap)
		return sdp_read_rtpmap(line->argument, &payload_type, &encoding, &number, &channels,
				       fault);
	return is_rtcp ? sdp_read_rtcp(line->argument, &number, &addr, fault) : 0;
}
