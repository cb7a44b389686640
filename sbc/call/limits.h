/* limits.h - how many calls and how many new ones: per interface, per peer, and per source for
 * strangers. One per worker; all workers count together (sbc/route/shared.h).
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "sbc/worker/worker.h"

struct limits;

enum limit_kind { LIMIT_SETUP, LIMIT_REGISTER };
/* A peer has no rate of its own. A registered phone has, but its registrations are not shut out by
 * those of strangers, who use up the interface's. */
enum limit_source { LIMIT_STRANGER, LIMIT_PHONE, LIMIT_PEER };

MUST_CHECK int limits_create(const struct worker *worker, struct limits **out);
void limits_destroy(struct limits *limits); /* NULL is fine */
/* One more call on the interface it comes in by, and of the peer it comes from (-1 = none):
 * -ERR_TOO_MANY. An emergency is counted apart and never refused. limits_leave() gives it back. */
MUST_CHECK int limits_enter(struct limits *limits, uint16_t interface, int peer, bool is_emergency);
/* The same of one that was begun before: whatever the limit. */
void limits_enter_again(struct limits *limits, uint16_t interface, int peer, bool is_emergency);
void limits_leave(struct limits *limits, uint16_t interface, int peer, bool is_emergency);
/* Of this worker alone; emergencies too. */
uint32_t limits_calls(const struct limits *limits, uint16_t interface);
/* One more of a kind now: -ERR_BUSY when the interface, the peer or (no peer's) the source is over
 * its rate. */
MUST_CHECK int limits_take(struct limits *limits, enum limit_kind kind,
			   const struct transport_path *path, enum limit_source who, int peer,
			   uint64_t now_ms);
/* A 2xx came that no call waits for, to the INVITE with this From tag: 0, it is to be ended;
 * -ERR_EXISTS, that was done a short while ago, an ACK will do; -ERR_BUSY, there are too many.
 * Whoever once got an INVITE of ours can repeat his answer for ever, in anybody's name: each must
 * not set off a BYE and its retransmissions. */
MUST_CHECK int limits_take_stray(struct limits *limits, struct slice from_tag, struct slice to_tag,
				 uint64_t now_ms);
