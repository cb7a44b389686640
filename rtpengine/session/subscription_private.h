/* subscription_private.h - what subscription.c and query.c know of a subscription.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "rtpengine/session/subscription.h"

struct source {                /* of one m= line of the subscriber */
	struct stream *stream; /* NULL = it is gone */
	int side;
	struct port_range *range; /* NULL = no ports */
	uint16_t port;
	struct flow_id flow;
	struct addr remote;
	bool is_answered;
};

struct subscription {
	struct subscription *next;
	char *tag;
	char *label; /* NULL = none given */
	uint64_t created_ms;
	unsigned interface;
	uint8_t family; /* one for all its streams: its c= */
	unsigned count;
	struct source sources[SDP_MAX_MEDIA];
};
