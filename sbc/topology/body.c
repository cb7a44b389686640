/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/topology/body.h"
#include "control/base/table.h"
#include "control/sdp/attribute.h"
#include "control/sdp/media.h"

/* Attributes that say where somebody is or what he runs. */
static const char *const told_attributes[] = {
	"tool", "alt", "source-filter", "nortpproxy", "direction", "remote-candidates",
};

/* Those of ICE pass when they are the relay's: a medium it does not know would keep the other
 * side's candidates, and its credentials with them. */
static const char *const ice_attributes[] = {
	"candidate", "end-of-candidates", "ice-ufrag",    "ice-pwd",
	"ice-lite",  "ice-options",       "ice-mismatch", "ice-pacing",
};

/* A section, as we want it to be. */
struct telling {
	const struct addr *own; /* the relay's address; NULL = none is named */
	bool has_ice;           /* its ICE is the relay's */
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* An address starts where a word does: a fingerprint's octets are not one. */
static bool is_word(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
	       c == ':' || c == '-';
}

/* Length of a dotted quad at the start of s, 0 = none. */
static size_t dotted_quad(struct slice s)
{
	size_t at = 0;

	for (int part = 0; part < 4; part++) {
		size_t digits = 0;
		while (at < s.len && is_digit(s.data[at]) && digits < 4) {
			at++;
			digits++;
		}
		if (digits == 0 || digits > 3)
			return 0;
		if (part < 3 && (at == s.len || s.data[at++] != '.'))
			return 0;
	}
	return at;
}

/* Length of what may be an IPv6 address at the start of s: hex digits and at least two colons. */
static size_t colon_address(struct slice s)
{
	size_t at = 0;
	unsigned colons = 0;
	bool doubled = false;

	for (; at < s.len; at++) {
		char c = s.data[at];
		bool hex = is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
		if (c == ':') {
			if (at > 0 && s.data[at - 1] == ':')
				doubled = true;
			colons++;
		} else if (!hex && c != '.') {
			break;
		}
	}
	return doubled || colons == 7 ? at : 0;
}

/* Does the value name an address other than the relay's own? */
static bool names_stranger(struct slice value, const struct addr *own)
{
	for (size_t i = 0; i < value.len; i++) {
		char before = i > 0 ? value.data[i - 1] : ' ';
		if (is_word(before))
			continue;
		struct slice rest = slice_sub(value, i, value.len);
		size_t len = dotted_quad(rest);
		if (len == 0)
			len = colon_address(rest);
		struct addr addr;
		if (len == 0 || addr_parse_ip(slice_sub(rest, 0, len), &addr) != 0)
			continue;
		if (!own || !addr_equal_ip(&addr, own))
			return true;
	}
	return false;
}

/* a=ssrc:1234 cname:user@host and its like. */
static bool names_source(const struct sdp_line *line)
{
	return slice_equal(line->name, SLICE("ssrc")) &&
	       slice_find_slice(line->argument, SLICE("cname:")) < line->argument.len;
}

static bool is_among(struct slice name, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (slice_equal(name, slice_from(names[i])))
			return true;
	return false;
}

/* Every candidate is on the relay's own address (RFC 8839 5.1: the fifth word), and there is one.
 */
static bool ice_is_ours(const struct sdp_media *media, const struct addr *own)
{
	const struct sdp_line *line = sdp_media_attribute(media, "candidate");
	bool found = false;

	for (; line; line = sdp_attribute_next(line)) {
		struct slice rest = line->argument, word = SLICE_NONE;
		struct addr addr;
		for (int i = 0; i < 5; i++)
			if (!slice_next_word(&rest, &word))
				return false;
		if (!own || addr_parse_ip(word, &addr) != 0 || !addr_equal_ip(&addr, own))
			return false;
		found = true;
	}
	return found;
}

static bool tells(void *owner, const struct sdp_line *line)
{
	const struct telling *telling = owner;

	switch (line->type) {
	case 'i':
	case 'u':
	case 'e':
	case 'p':
	case 'k':
		return true;
	case 'a':
		break;
	default:
		return false;
	}
	if (is_among(line->name, told_attributes,
		     sizeof(told_attributes) / sizeof(told_attributes[0])))
		return true;
	if (!telling->has_ice && is_among(line->name, ice_attributes,
					  sizeof(ice_attributes) / sizeof(ice_attributes[0])))
		return true;
	return names_source(line) || names_stranger(line->argument, telling->own);
}

static const struct addr *media_addr(const struct sdp_media *media)
{
	const struct sdp_connection *connection = sdp_media_connection(media);
	return connection && connection->addr.family ? &connection->addr : NULL;
}

static const struct addr *session_addr(const struct sdp *sdp)
{
	const struct sdp_line *line = sdp_line_find(&sdp->section, 'c');
	if (line && line->connection && line->connection->addr.family)
		return &line->connection->addr;
	return sdp->media_count > 0 ? media_addr(&sdp->media[0]) : NULL;
}

static int set_origin(struct sdp *sdp, const struct addr *addr, uint64_t id, uint64_t version)
{
	char host[ADDR_TEXT_SIZE] = "0.0.0.0";

	if (addr)
		addr_ip_text(addr, host);
	struct sdp_origin origin = {
		.username = SLICE("-"),
		.session_id = slice_from(arena_printf(sdp->arena, "%llu", (unsigned long long)id)),
		.session_version =
			slice_from(arena_printf(sdp->arena, "%llu", (unsigned long long)version)),
		.network_type = SLICE("IN"),
		.address_type = addr && addr->family == AF_INET6 ? SLICE("IP6") : SLICE("IP4"),
		.address = slice_from(host),
	};
	if (!origin.session_id.data || !origin.session_version.data)
		return -ERR_NO_MEMORY;
	return sdp_set_origin(sdp, &origin);
}

/* FNV-1a over the body with version 0: equal bodies keep their version. */
static uint64_t body_hash(struct slice body)
{
	uint64_t hash = 0xcbf29ce484222325u;
	for (size_t i = 0; i < body.len; i++)
		hash = (hash ^ (uint8_t)body.data[i]) * 0x100000001b3u;
	return hash ? hash : 1;
}

static int write_versioned(struct sdp *sdp, const struct addr *addr, struct body_origin *origin,
			   struct buf *out)
{
	size_t start = out->len;
	int err = set_origin(sdp, addr, origin->session_id, 0);
	if (err)
		return err;
	sdp_write(sdp, out);
	if (buf_failed(out))
		return -ERR_NO_MEMORY;
	uint64_t hash = body_hash(slice_sub(buf_slice(out), start, out->len));
	out->len = start;

	uint64_t version = hash == origin->hash ? origin->version : origin->version + 1;
	err = set_origin(sdp, addr, origin->session_id, version);
	if (err)
		return err;
	sdp_write(sdp, out);
	if (buf_failed(out)) {
		out->len = start;
		return -ERR_NO_MEMORY;
	}
	origin->version = version;
	origin->hash = hash;
	return 0;
}

int body_hide(struct arena *arena, struct slice text, struct body_origin *origin, struct buf *out,
	      const char **reason)
{
	struct sdp *sdp;
	struct sdp_error why = {0};

	int err = sdp_parse(arena, text, &sdp, &why);
	if (err) {
		*reason = why.reason ? why.reason : err_text(err);
		return err;
	}
	const struct addr *addr = session_addr(sdp);
	struct telling session = {.own = addr};
	for (unsigned i = 0; i < sdp->media_count; i++) {
		struct sdp_media *media = &sdp->media[i];
		struct telling telling = {.own = media_addr(media)};
		telling.has_ice = ice_is_ours(media, telling.own);
		session.has_ice = session.has_ice || telling.has_ice;
		sdp_line_remove_if(&media->section, tells, &telling);
	}
	sdp_line_remove_if(&sdp->section, tells, &session);
	err = sdp_set_session_name(sdp, SLICE("-"));
	if (!err)
		err = write_versioned(sdp, addr, origin, out);
	if (err)
		*reason = err_text(err);
	return err;
}
