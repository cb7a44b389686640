/* hunt.h - the target set of a call (RFC 3261 16.5): everything its INVITE may be sent to, one
 * after the other. Destinations of the route, servers of a peer, addresses of a name (RFC 3263),
 * URIs of a number (RFC 6116), contacts of a redirection (RFC 3261 8.1.3.4) where the routes lead
 * there too. A hunt belongs to its call; what is asked of DNS is told by the call's own number.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "sbc/message/message.h"
#include "sbc/route/peers.h"
#include "sbc/route/route.h"

enum {
	HUNT_STEPS_MAX = 16,    /* destinations known at one time */
	HUNT_TRIES_MAX = 16,    /* INVITEs of one call */
	HUNT_SEEN_MAX = 16,     /* redirections */
	HUNT_DEPTH_MAX = 5,     /* redirections of redirections */
	HUNT_SILENCE_MS = 4000, /* nothing at all from a server while there are others */
};

/* Names are known now, or not (err): hunt_heard(), then hunt_next() again. */
typedef void hunt_fn(void *owner, uint64_t context, int err);

struct hunter { /* of a worker */
	struct worker *worker;
	struct peers *peers;
	hunt_fn *fn;
	void *owner;
};

struct hunt_step {
	struct config_end end;
	struct slice uri; /* owned; empty = the callee's */
	int peer;         /* whose host the URI names; -1 = nobody's */
	uint8_t depth;    /* of redirections */
};

struct hunt_list {                              /* what is only needed while the call is set up */
	struct hunt_step steps[HUNT_STEPS_MAX]; /* the next one first */
	uint32_t step_count;
	uint64_t seen[HUNT_SEEN_MAX]; /* hashes of URIs redirected to */
	uint32_t seen_count;
	struct dns_target *addresses; /* owned; of a URI */
	uint32_t address;
	uint32_t address_count;
};

struct hunt {                   /* zeroed = not begun */
	struct hunt_list *list; /* owned; NULL once it is settled */
	struct hunt_step at;    /* in hand */
	int peer;               /* of the target in hand; -1 = none */
	struct peers_try attempt;
	bool has_step;     /* `at` is one */
	bool is_used;      /* it was given out, or asked for: for those that are once */
	bool is_counted;   /* the peer's calls count this one */
	bool is_emergency; /* limits are not asked */
	bool is_busy;      /* some limit was in the way */
	bool is_rejected;  /* the route ended in a refusal, which is `code` */
	bool is_waiting;   /* for DNS */
	uint8_t sequence;  /* of that question */
	uint8_t tries;
	uint16_t code; /* to answer with when nothing is left */
	int heard;     /* why DNS did not say; 0 = it did */
};

struct hunt_target {
	enum config_end_type type;  /* PEER, PHONES, or DNS for anything by its URI */
	int peer;                   /* -1 = none */
	uint16_t interface;         /* not of PHONES */
	struct transport_path path; /* not of PHONES */
	struct slice uri;           /* the Request-URI, unless empty; the hunt's */
	bool keeps_host;            /* it is for the URI's own host, not for the peer's server */
};

/* The route's destinations, in order. */
MUST_CHECK int hunt_begin(struct hunt *hunt, const struct config_route *route);
/* Nothing but redirections from now on: 480 when there are none. */
void hunt_clear(struct hunt *hunt);
/* The same; what it may still go to is `rest`, with the step in hand. */
MUST_CHECK int hunt_part(struct hunt *hunt, struct hunt *rest);
/* The next target. -ERR_AGAIN: DNS is asked, hunter.fn follows with `context`. -ERR_UNREACHABLE:
 * there is none; `code` says what to answer. */
MUST_CHECK int hunt_next(const struct hunter *hunter, struct hunt *hunt, struct slice callee,
			 uint64_t number, struct hunt_target *out);
/* False: an old answer. `context` as hunter.fn got it. */
bool hunt_heard(struct hunt *hunt, uint64_t context, int err);
static inline uint64_t hunt_number(uint64_t context)
{
	return context >> 8;
}
/* What became of the target in hand. `rest_ms` as in peers.h. */
void hunt_worked(const struct hunter *hunter, const struct hunt *hunt);
void hunt_failed(const struct hunter *hunter, const struct hunt *hunt, const char *why,
		 uint32_t rest_ms);
/* Is this final reply one after which the next target is tried? Never a person's decision. */
bool hunt_moves_on(const struct hunter *hunter, const struct hunt *hunt, unsigned int status);
/* Of several refusals the lowest is the best (RFC 3261 16.7 step 6). */
int outcome_rank(unsigned int status);
/* Is there another target, as far as is known now? */
bool hunt_has_next(const struct hunter *hunter, const struct hunt *hunt);
/* How long to wait for any reply at all, and for more than a 100 (0 = as long as the transaction),
 * while there is another target. */
uint32_t hunt_silence_ms(const struct hunter *hunter, const struct hunt *hunt);
uint32_t hunt_no_answer_ms(const struct hunter *hunter, const struct hunt *hunt);
/* At the front of the steps. */
MUST_CHECK int hunt_push(struct hunt *hunt, const struct hunt_step *step, struct slice uri);
/* The step in hand is done with. */
void hunt_leave(const struct hunter *hunter, struct hunt *hunt);
struct hunt_caller { /* on whose behalf a redirection is followed */
	int peer;    /* -1 = a phone */
	time_t now;
	struct slice callee;
	bool (*is_registered)(void *owner, struct slice uri);
	void *owner;
};
/* Put the contacts of a 3xx first, by their q. -ERR_NOT_FOUND: none of them may be tried. */
MUST_CHECK int hunt_redirect(const struct hunter *hunter, struct hunt *hunt,
			     const struct message *response, const struct hunt_caller *caller);
/* Of a call that was answered before: its peer and (if not UINT32_MAX) that one's server count it
 * again, whatever the limit. Into a zeroed one. */
void hunt_resume(const struct hunter *hunter, struct hunt *hunt, int peer, uint32_t server,
		 bool is_emergency);
/* What is kept of the hunt of a call that rings: destinations of the route it has not gone to yet.
 * Contacts of a redirection, and addresses of a name, are not. */
struct hunt_kept {
	uint32_t steps;
	uint32_t tries;
	uint64_t servers; /* of the peer in hand, tried: bits */
};
void hunt_keep(const struct hunt *hunt, struct hunt_kept *out);
/* After hunt_resume(): it goes on there when the target in hand fails. */
MUST_CHECK int hunt_resume_rest(struct hunt *hunt, const struct config_route *route,
				const struct hunt_kept *kept);
/* The target in hand has answered: the others are forgotten. */
void hunt_settle(struct hunt *hunt);
/* The call is over. */
void hunt_end(const struct hunter *hunter, struct hunt *hunt);
