/* bundle.h - several streams on one flow (flow.h: struct flow_bundle), as an lcore sees them.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "rtpengine/datapath/lcore.h"

#define BUNDLE_SOURCES 32

/* Which stream an SSRC belongs to. The lcore's own; outlives the rules of its flow. */
struct bundle_source {
	uint32_t ssrc;
	struct flow_link flow; /* slot NULL = empty */
};
struct bundle_sources {
	struct bundle_source at[BUNDLE_SOURCES];
	unsigned next; /* the oldest, when all are taken */
};

struct bundle_member {
	struct flow_link flow;
	uint8_t mid_len;
	char mid[FLOW_MID_MAX];
};

/* Immutable, but for what `sources` points to. */
struct bundle {
	uint8_t count;
	uint8_t mid_id;
	uint8_t by_type[128]; /* the member that alone has this payload type; 255 = none */
	struct bundle_sources *sources;
	struct bundle_member members[FLOW_BUNDLE_MAX];
};

/* Without the flows of the members, which the caller links. NULL: no memory. */
struct bundle *bundle_create(const struct flow_bundle *rule, struct bundle_sources *sources);
struct bundle *bundle_copy(const struct bundle *bundle); /* NULL for NULL */
/* RFC 9143 9.2: packet->flow, which is a transport's, becomes that of its stream. The packet has
 * been admitted and is authentic. */
enum drop bundle_find(struct packet *packet);
