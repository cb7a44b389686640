/* ports.h - which media ports of one address are free, in use, or resting after use.
 * A range gives out pairs: an even port for RTP and the odd one above it for RTCP (RFC 3550 11).
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/addr.h"
#include "control/base/random.h"

/* How long a port rests before another call may have it. A peer whose BYE got lost goes on sending
 * until a retransmission reaches it: those leave after 0.5, 1.5, 3.5 and 7.5 s (RFC 3261 17.1.2.2),
 * so 8 s keeps the late packets of four lost ones away from a new call. */
#define PORTS_QUARANTINE_MS 8000

struct port_range;

struct port_range_config {
	const char *interface; /* of the configuration; copied */
	struct addr address;   /* port ignored */
	uint16_t first;        /* both ends included; an odd first or an even last is left out */
	uint16_t last;
	uint32_t quarantine_ms; /* 0 = PORTS_QUARANTINE_MS */
	struct random *random;
};

struct port_range_use {
	uint32_t total; /* ports, two for each pair */
	uint32_t in_use;
	uint32_t quarantine;
};

/* -ERR_INVALID when not even one pair fits. */
MUST_CHECK int port_range_create(const struct port_range_config *config, struct port_range **out);
void port_range_destroy(struct port_range *range); /* NULL is fine */

/* A free pair, picked at random, so that nobody guesses the next call's ports. O(1). `owner` is
 * kept as the record of who has it. -ERR_NO_PORT. */
MUST_CHECK int port_range_take(struct port_range *range, uint64_t now_ms, const void *owner,
			       uint16_t *rtp_port);
/* The pair of this even port and no other, for a session that had it before. -ERR_NO_PORT: it is in
 * use or rests; -ERR_NOT_FOUND: it is not of this range. */
MUST_CHECK int port_range_take_port(struct port_range *range, uint64_t now_ms, const void *owner,
				    uint16_t rtp_port);
/* Back into quarantine. The pair must have been taken. */
void port_range_give(struct port_range *range, uint64_t now_ms, uint16_t rtp_port);
const void *port_range_owner(const struct port_range *range, uint16_t port); /* NULL = nobody */

struct port_range_use port_range_use(struct port_range *range, uint64_t now_ms);
const struct addr *port_range_address(const struct port_range *range);
const char *port_range_interface(const struct port_range *range);
/* "range 30000-30099 of wan: 98 of 100 ports in use, 2 in quarantine" */
void port_range_describe(struct port_range *range, uint64_t now_ms, struct buf *out);
void port_range_bounds(const struct port_range *range, uint16_t *first, uint16_t *last);
