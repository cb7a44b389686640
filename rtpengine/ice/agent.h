/* agent.h - inside rtpengine/ice only: what an agent remembers.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "rtpengine/ice/ice.h"
#include "rtpengine/ice/stun.h"

#define TA_MS          50  /* between new checks, RFC 8445 14.2 */
#define RTO_MS         500 /* RFC 8489 6.2.1 */
#define CHECK_TRIES    7
#define NOMINATE_MS    500 /* a better pair may take this much longer than the first */
#define SWITCH_MS      3000
#define CONSENT_MS     5000 /* RFC 7675 5.1: times 0.8 to 1.2 */
#define CONSENT_END_MS 30000

enum pair_state { PAIR_WAITING, PAIR_IN_PROGRESS, PAIR_SUCCEEDED, PAIR_FAILED };

struct pair {
	struct ice_candidate remote;
	uint8_t state; /* enum pair_state */
	bool is_triggered;
	bool use_candidate;   /* the peer nominated it */
	bool is_nominating;   /* we did: the check under way says USE-CANDIDATE */
	bool has_transaction; /* `id` is under way */
	uint8_t tries;
	uint8_t id[STUN_ID];
	uint64_t due_ms; /* the next retransmission */
};

struct component {
	struct pair *selected;
	uint64_t valid_ms;     /* first success; 0 = none */
	uint64_t nominated_ms; /* the peer last said USE-CANDIDATE for the selected one */
	uint64_t consent_ms;   /* last proof that it wants our packets */
	uint64_t next_consent_ms;
	uint8_t consent_id[STUN_ID];
	bool has_consent_id;
	bool peer_consents; /* lite: it checks regularly, so its silence means something */
	bool has_failed;
};

struct ice {
	struct ice_config config;
	struct timer timer;
	char ufrag[ICE_UFRAG_LEN + 1], pwd[ICE_PWD_LEN + 1];
	char remote_ufrag[ICE_TEXT_MAX + 1], remote_pwd[ICE_TEXT_MAX + 1];
	bool has_remote, remote_is_lite, is_ended; /* no more candidates */
	uint64_t tie_breaker;
	uint64_t started_ms; /* the remote credentials came */
	uint64_t next_check_ms;
	struct component components[ICE_COMPONENTS];
	struct pair *pairs[ICE_PAIRS_MAX];
	unsigned pair_count;
};

static inline struct component *component_of(struct ice *ice, unsigned number)
{
	return &ice->components[number - 1];
}

/* ice.c */
uint64_t pair_priority(const struct ice *ice, const struct pair *pair);
struct pair *pair_find(struct ice *ice, unsigned component, const struct addr *from);
/* NULL: too many, or no memory. */
struct pair *pair_add(struct ice *ice, const struct ice_candidate *candidate);
/* The pair has the component now, if the peer's nomination or ours outranks what is there. */
void pair_select(struct ice *ice, struct pair *pair, uint64_t now_ms);

/* checks.c */
void checks_on_timer(struct timer *timer, uint64_t now_ms);
void checks_wake(struct ice *ice, uint64_t now_ms); /* something changed: look again at once */
void check_trigger(struct ice *ice, struct pair *pair, uint64_t now_ms);
void check_response(struct ice *ice, unsigned component, const struct addr *from,
		    const struct stun_message *message, uint64_t now_ms);
struct pair *check_find(struct ice *ice, const uint8_t *id);
/* A Binding request to a pair: false = it could not be made. */
bool check_send(struct ice *ice, const struct pair *pair, const uint8_t *id, bool use_candidate);
void check_new_id(struct ice *ice, uint8_t id[STUN_ID]);

/* consent.c */
void consent_begin(struct ice *ice, struct component *component, uint64_t now_ms);
/* A response to a consent check; false = it is none. */
bool consent_response(struct ice *ice, unsigned number, const struct addr *from,
		      const struct stun_message *message, uint64_t now_ms);
/* Returns when to look again; UINT64_MAX = never. */
uint64_t consent_check(struct ice *ice, unsigned number, uint64_t now_ms);
