/* SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/ice/candidate.h"

static const char *const type_names[] = {
	[ICE_HOST] = "host", [ICE_SRFLX] = "srflx", [ICE_PRFLX] = "prflx", [ICE_RELAY] = "relay"};

uint32_t ice_priority(enum ice_type type, uint16_t local_preference, uint8_t component)
{
	static const uint8_t preference[] = {
		[ICE_HOST] = 126, [ICE_SRFLX] = 100, [ICE_PRFLX] = 110, [ICE_RELAY] = 0};

	return (uint32_t)preference[type] << 24 | (uint32_t)local_preference << 8 |
	       (uint32_t)(256 - component);
}

static bool is_ice_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '+' || c == '/';
}

static bool is_foundation(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (!is_ice_char(s.data[i]))
			return false;
	}
	return s.len >= 1 && s.len <= 32;
}

static int read_type(struct slice name, uint8_t *out)
{
	for (uint8_t i = 0; i < sizeof(type_names) / sizeof(type_names[0]); i++) {
		if (slice_equal(name, slice_from(type_names[i]))) {
			*out = i;
			return 0;
		}
	}
	return -ERR_UNSUPPORTED; /* RFC 8839 5.1: other types may come */
}

int ice_candidate_read(struct slice text, struct ice_candidate *out)
{
	struct ice_candidate candidate = {0};
	struct slice word[8];
	uint32_t component, port;

	for (size_t i = 0; i < 8; i++) {
		if (!slice_next_word(&text, &word[i]))
			return -ERR_MALFORMED;
	}
	if (!is_foundation(word[0]) || slice_to_u32(word[1], 256, &component) != 0 || !component ||
	    slice_to_u32(word[3], INT32_MAX, &candidate.priority) != 0 || !candidate.priority ||
	    slice_to_u32(word[5], 65535, &port) != 0 || !slice_equal(word[6], SLICE("typ")))
		return -ERR_MALFORMED;
	if (component > 2 || !slice_equal_nocase(word[2], SLICE("UDP")) || !port ||
	    addr_parse_ip(word[4], &candidate.addr) != 0 || addr_is_any(&candidate.addr) ||
	    addr_is_multicast(&candidate.addr) ||
	    (candidate.addr.family == AF_INET && candidate.addr.v4.s_addr == INADDR_BROADCAST))
		return -ERR_UNSUPPORTED;
	candidate.component = (uint8_t)component;
	candidate.addr.port = (uint16_t)port;
	int err = read_type(word[7], &candidate.type);
	if (!err)
		*out = candidate;
	return err;
}

void ice_candidate_write(const struct ice_candidate *candidate, struct buf *out)
{
	/* one base and one type: one foundation (RFC 8445 5.1.1.3) */
	buf_printf(out, "%u %u UDP %u ", candidate->foundation, candidate->component,
		   candidate->priority);
	addr_add_ip(out, &candidate->addr);
	buf_printf(out, " %u typ %s", candidate->addr.port, type_names[candidate->type]);
}
