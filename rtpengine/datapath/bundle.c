/* bundle.c - which of the streams on one transport a packet belongs to (RFC 9143 9.2).
 * SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/datapath/bundle.h"

#include <stdlib.h>

enum { NO_MEMBER = 255, ONE_BYTE = 0xbede, TWO_BYTE = 0x1000 };

/* RTCP (RFC 3550 6.4, RFC 4585 6.1). */
enum { RTCP_SR = 200, RTCP_RR = 201, RTCP_RTPFB = 205, RTCP_PSFB = 206 };

static void set_types(struct bundle *bundle, const struct flow_bundle *rule)
{
	memset(bundle->by_type, NO_MEMBER, sizeof(bundle->by_type));
	for (unsigned type = 0; type < 128; type++) {
		unsigned found = 0;
		for (unsigned i = 0; i < rule->count; i++) {
			if (!(rule->members[i].payload_types[type >> 6] >> (type & 63) & 1))
				continue;
			bundle->by_type[type] = (uint8_t)i;
			found++;
		}
		if (found > 1)
			bundle->by_type[type] = NO_MEMBER;
	}
}

struct bundle *bundle_create(const struct flow_bundle *rule, struct bundle_sources *sources)
{
	struct bundle *bundle = calloc(1, sizeof(*bundle));
	if (!bundle)
		return NULL;
	bundle->count = (uint8_t)rule->count;
	bundle->mid_id = rule->mid_id;
	bundle->sources = sources;
	for (unsigned i = 0; i < rule->count; i++) {
		struct bundle_member *member = &bundle->members[i];
		member->mid_len = (uint8_t)strnlen(rule->members[i].mid, FLOW_MID_MAX);
		memcpy(member->mid, rule->members[i].mid, member->mid_len);
	}
	set_types(bundle, rule);
	return bundle;
}

struct bundle *bundle_copy(const struct bundle *bundle)
{
	struct bundle *copy = bundle ? malloc(sizeof(*copy)) : NULL;
	if (copy)
		*copy = *bundle;
	return copy;
}

static const struct bundle_member *member_of_mid(const struct bundle *bundle, const uint8_t *mid,
						 unsigned len)
{
	for (unsigned i = 0; i < bundle->count && len; i++)
		if (bundle->members[i].mid_len == len && !memcmp(bundle->members[i].mid, mid, len))
			return &bundle->members[i];
	return NULL;
}

/* The header extension of that number (RFC 8285 4.2, 4.3); classify saw that it is whole. */
static const uint8_t *extension(const uint8_t *rtp, uint8_t wanted, unsigned *len)
{
	const uint8_t *at = rtp + 12 + 4 * (rtp[0] & 0xf);
	if (!(rtp[0] & 0x10))
		return NULL;
	bool is_one_byte = read_be16(at) == ONE_BYTE;
	if (!is_one_byte && (read_be16(at) & 0xfff0) != TWO_BYTE)
		return NULL;
	const uint8_t *end = at + 4 + 4 * read_be16(at + 2);
	unsigned header = is_one_byte ? 1 : 2;
	at += 4;
	while (at < end) {
		unsigned id = is_one_byte ? at[0] >> 4 : at[0];
		if (id == 0) { /* padding, without a length */
			at++;
			continue;
		}
		if (end - at < (int)header || (is_one_byte && id == 15))
			return NULL;
		*len = is_one_byte ? (at[0] & 0xfu) + 1 : at[1];
		if (*len > (unsigned)(end - at) - header)
			return NULL;
		if (id == wanted)
			return at + header;
		at += header + *len;
	}
	return NULL;
}

static struct bundle_source *source_find(struct bundle_sources *sources, uint32_t ssrc)
{
	for (unsigned i = 0; i < BUNDLE_SOURCES && sources->at[i].flow.slot; i++)
		if (sources->at[i].ssrc == ssrc)
			return &sources->at[i];
	return NULL;
}

static void source_learn(struct bundle_sources *sources, struct bundle_source *known, uint32_t ssrc,
			 const struct bundle_member *member)
{
	if (!known)
		known = &sources->at[sources->next++ % BUNDLE_SOURCES];
	known->ssrc = ssrc;
	known->flow = member->flow;
}

static const struct flow *find_rtp(const struct bundle *bundle, const struct packet *packet)
{
	const uint8_t *rtp = packet_payload(packet);
	struct bundle_source *known = source_find(bundle->sources, packet->ssrc);
	const struct bundle_member *member = NULL;
	unsigned len = 0;
	const uint8_t *mid = bundle->mid_id ? extension(rtp, bundle->mid_id, &len) : NULL;
	if (mid)
		member = member_of_mid(bundle, mid, len);
	if (!member && known) {
		const struct flow *flow = flow_link_get(&known->flow);
		if (flow)
			return flow;
	}
	uint8_t by_type = bundle->by_type[rtp[1] & 0x7f];
	if (!member && by_type != NO_MEMBER)
		member = &bundle->members[by_type];
	if (!member)
		return NULL;
	if (!known || known->flow.slot != member->flow.slot ||
	    known->flow.generation != member->flow.generation)
		source_learn(bundle->sources, known, packet->ssrc, member);
	return flow_link_get(&member->flow);
}

/* The stream that RTCP is about: of the SSRC that a report or a feedback names; 0 = none. */
static uint32_t reported_ssrc(const uint8_t *rtcp, uint16_t len)
{
	unsigned at = rtcp[1] == RTCP_SR ? 28 : 8;
	bool names_one = (rtcp[1] <= RTCP_RR && (rtcp[0] & 0x1f)) || rtcp[1] == RTCP_RTPFB ||
			 rtcp[1] == RTCP_PSFB;
	return names_one && len >= at + 4 ? read_be32(rtcp + at) : 0;
}

/* By who sends it; else by whom it is about, which is what we send there: it came in on the flow
 * that the member's media leaves through, or shares the way of all. */
static const struct flow *find_rtcp(const struct bundle *bundle, const struct packet *packet)
{
	const struct bundle_source *known = source_find(bundle->sources, packet->ssrc);
	const struct flow *found = known ? flow_link_get(&known->flow) : NULL;
	if (found)
		return found;
	uint32_t about = reported_ssrc(packet_payload(packet), packet->payload_len);
	const struct flow *only = NULL;
	bool is_only = true;
	for (unsigned i = 0; i < bundle->count; i++) {
		const struct flow *flow = flow_link_get(&bundle->members[i].flow);
		const struct flow *out = flow ? flow_link_get(&flow->rtp_to) : NULL;
		if (!out)
			continue;
		if (about && (uint32_t)counter_get(&out->slot->state.rtp_header) == about)
			return flow;
		const struct flow *before = only ? flow_link_get(&only->rtp_to) : NULL;
		is_only = is_only && (!before || before == out);
		only = flow;
	}
	return is_only ? only : NULL;
}

enum drop bundle_find(struct packet *packet)
{
	const struct bundle *bundle = packet->flow->extra->bundle;
	const struct flow *flow =
		packet->kind == PACKET_RTCP ? find_rtcp(bundle, packet) : find_rtp(bundle, packet);
	if (!flow || flow->lcore != packet->flow->lcore)
		return DROP_BUNDLE;
	packet->flow = flow;
	return DROP_NONE;
}
