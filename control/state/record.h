/* record.h - what the store holds of a call, or of a subscription: enough for any node to finish
 * it. A packed, versioned value of numbered fields: new fields get new numbers, unknown numbers are
 * skipped, a number is never used again. The layout on the wire is in record_fields.c; a test holds
 * golden bytes. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/addr.h"
#include "control/base/arena.h"
#include "control/base/buf.h"

#define RECORD_VERSION     1
#define RECORD_SIZE_LIMIT  ((size_t)256 * 1024) /* encoded bytes */
#define RECORD_LEGS_LIMIT  16                   /* two parties and forks */
#define RECORD_ROUTE_LIMIT 32                   /* entries of one route set */
#define RECORD_LIST_LIMIT  16                   /* entries of the other lists */
#define RECORD_ID_LIMIT    128

enum record_state { RECORD_RINGING = 1, RECORD_ANSWERED, RECORD_ENDING, RECORD_SUBSCRIPTION };
enum record_transport {
	RECORD_TRANSPORT_NONE,
	RECORD_UDP,
	RECORD_TCP,
	RECORD_TLS,
	RECORD_WS,
	RECORD_WSS
};
/* Which way a leg is held; RFC 3264 8.4. */
enum record_hold { RECORD_HOLD_NONE, RECORD_HOLD_BY_US, RECORD_HOLD_BY_PEER, RECORD_HOLD_BOTH };
/* An offer without its answer on a leg; RFC 3264 section 4. */
enum record_offer { RECORD_OFFER_NONE, RECORD_OFFER_SENT, RECORD_OFFER_RECEIVED };
/* Who sends the refresh; RFC 4028. */
enum record_refresher { RECORD_REFRESHER_NONE, RECORD_REFRESHER_US, RECORD_REFRESHER_PEER };

/* All slices belong to whoever filled the record (after decoding: to the arena).
 * Empty, zero and false mean "not there". Times are Unix milliseconds. */
struct record_leg {
	/* the dialog, RFC 3261 12 */
	struct slice call_id;
	struct slice local_tag;
	struct slice remote_tag;
	struct slice local_uri; /* ours: From of what we send on this leg, without tag */
	struct slice remote_uri;
	struct slice local_display; /* as they stand in the header */
	struct slice remote_display;
	struct slice remote_target;                 /* the peer's Contact URI */
	struct slice local_contact;                 /* the Contact URI we gave */
	struct slice route_set[RECORD_ROUTE_LIMIT]; /* in the order we send them */
	uint32_t route_count;
	uint32_t local_cseq;  /* reserved in blocks: below it everything may have been used */
	uint32_t remote_cseq; /* highest seen */
	bool is_caller;       /* this side sent the first INVITE */
	bool is_confirmed;    /* its 2xx was sent or received */
	bool is_secure;       /* RFC 3261 12.1: sips */
	bool allows_update;   /* its last Allow has UPDATE */
	/* the way to it */
	enum record_transport transport;
	struct slice interface; /* names, not addresses: another node has other addresses */
	struct slice listener;
	struct addr remote; /* as seen */
	struct slice peer;
	uint32_t server;       /* of the peer, from 1: whose calls count this one */
	struct slice tls_name; /* whom its certificate must name */
	/* offer and answer */
	struct slice sdp_sent; /* last whole body each way */
	struct slice sdp_received;
	struct slice sdp_session_id; /* o= of what we send: same id, rising version (RFC 3264 5) */
	uint64_t sdp_session_version;
	uint64_t sdp_session_hash; /* of what was sent, without its o= line */
	uint64_t remote_sdp_version;
	enum record_hold hold;
	enum record_offer offer;
	struct slice ng_tag; /* this side's tag at the relay */
	/* session timer, RFC 4028 */
	uint32_t session_interval_s;
	enum record_refresher refresher;
	uint64_t next_refresh_ms; /* without a refresh until then the call ends */
	uint32_t minimum_se_s;
	/* while it rings: what its INVITE asked for, until the 2xx */
	uint32_t asked_interval_s;
	uint32_t asked_minimum_s;
	uint32_t asked_refresher; /* 0 nobody, 1 uac, 2 uas */
	bool knows_timers;
	/* of a fork: the leg of the callee's side, and what differs on the caller's */
	uint32_t early_id;
	uint32_t rseq; /* of its last reliable provisional */
	bool is_agreed;
	struct slice near_offer; /* as its peer gave it, when another one than the INVITE's */
	struct slice near_shown; /* its answer as the caller got it */
	uint64_t near_version;
	uint64_t near_hash;
	uint32_t near_local_cseq;
	uint32_t near_remote_cseq;
};

struct call_record {
	struct slice id; /* ours; RECORD_ID_LIMIT bytes of [0-9A-Za-z._-] */
	enum record_state state;
	uint64_t created_ms;
	uint64_t answered_ms;
	uint64_t written_ms; /* when this value was made */
	struct slice node;   /* owner */
	uint64_t epoch;      /* of the ownership; a write with an older one must fail */
	uint32_t worker;
	/* media */
	struct slice ng_call_id;
	struct slice relay; /* control address as configured */
	struct slice relay_instance;
	struct slice relay_state; /* the relay's own record of it, for the relay alone */
	uint32_t media_idle_ms;   /* silence that ends the call */
	/* timers */
	uint64_t ends_ms; /* without more: a subscription that nobody refreshes */
	/* what the call detail record starts from */
	struct slice caller; /* URI as the caller gave it */
	struct slice callee; /* URI as dialled */
	struct addr source;  /* where the INVITE came from */
	struct slice route;  /* name of the route taken */
	bool is_emergency;
	bool wants_privacy; /* RFC 3323 */
	uint64_t ringing_ms;
	struct slice session_ids; /* RFC 7989: seed, both identifiers, and which are known */
	struct slice refers[RECORD_LIST_LIMIT]; /* "leg in out": CSeqs of REFER on both sides */
	uint32_t refer_count;
	struct slice transfer; /* under way with a side of it: "LEG EVENT QUIET GONE", of the side
				  that asked: its NOTIFYs' id, none wanted, it has hung up */

	/* while it rings */
	struct slice invite;        /* head of the caller's INVITE: what its replies need */
	struct slice sent;          /* head of ours, with its branch */
	struct slice record_routes; /* lines of the replies */
	uint32_t client_cseq;
	uint32_t reliability; /* towards the caller, RFC 3262: 0 never, 1 supported, 2 required */
	bool is_late;         /* the INVITE had no offer */
	uint32_t media_early; /* whose answer the relay has */
	uint32_t early_count;
	uint32_t rseq; /* of our last reliable provisional */
	bool awaits_prack;
	bool prack_has_sdp;
	bool prack_is_answer;
	uint32_t prack_early;
	uint32_t prack_far_rseq;
	bool is_branch;      /* others ring beside it, for the same INVITE */
	struct slice target; /* where its targets lead: the number called, as its peer means it */
	struct slice hunt;   /* "STEPS TRIES SERVERS": of the route not gone yet, INVITEs so far,
				and a bit for each server tried; `invite` is whole then */

	/* of a subscription (RFC 6665): `callee` is its Request-URI, [0] of the legs the
	 * subscriber's */
	struct slice event;
	uint32_t lifetime_s;                   /* as its notifier granted it */
	struct slice forks[RECORD_LIST_LIMIT]; /* identifiers of those that other notifiers began */
	uint32_t fork_count;
	struct slice root; /* of such a one: the first */

	struct record_leg *legs; /* [0] the caller's, [1] the callee's, then forks */
	uint32_t leg_count;
};

/* Appends the encoded record. -ERR_TOO_LARGE, -ERR_TOO_MANY, -ERR_INVALID (id) name what decoding
 * would refuse; then nothing is appended. -ERR_NO_MEMORY. */
MUST_CHECK int record_encode(const struct call_record *record, struct buf *out);
/* Everything is copied into the arena. -ERR_VERSION, -ERR_MALFORMED, -ERR_TOO_LARGE, -ERR_TOO_MANY,
 * -ERR_NO_MEMORY. */
MUST_CHECK int record_decode(struct arena *arena, struct slice bytes, struct call_record **out);
/* Two legs, zeroed; NULL without memory. */
struct call_record *record_create(struct arena *arena, uint32_t legs);

/* "call:{id}": the braces keep all keys of a call in one cluster slot. -ERR_INVALID for an id with
 * other characters. */
MUST_CHECK int record_key(struct slice id, struct buf *out);
/* Appends one JSON object, for `show record`: bytes that are not UTF-8 are shown as U+FFFD. */
void record_json(const struct call_record *record, struct buf *out);
