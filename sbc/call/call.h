/* call.h - two dialogs that we hold together: leg 0 with the caller, leg 1 with the callee. Each
 * has its own Call-ID, tags, CSeq, Contact and route set; what one side says is told to the other
 * in our own words. A call belongs to one worker and is found by its number, which its tags carry.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <sys/queue.h>
#include "control/base/table.h"
#include "control/state/store.h"
#include "sbc/call/early.h"
#include "sbc/call/exchange.h"
#include "sbc/call/inside.h"
#include "sbc/call/ladder.h"
#include "sbc/call/leg.h"
#include "sbc/call/limits.h"
#include "sbc/call/refer.h"
#include "sbc/call/transfer.h"
#include "sbc/media/media.h"
#include "sbc/registration/registrar.h"
#include "sbc/route/hunt.h"
#include "sbc/topology/policy.h"

enum { RECENT_MAX = 64 };

enum call_state { CALL_SETUP, CALL_UP, CALL_ENDING };

/* Why a call ended: name and text for the log and show. */
#define FOREACH_CALL_CAUSE(X)                                                                      \
	X(HUNG_UP, "hung up")                                                                      \
	X(CANCELLED, "cancelled by the caller")                                                    \
	X(REFUSED, "refused by the callee")                                                        \
	X(NO_ANSWER, "no answer")                                                                  \
	X(UNREACHABLE, "callee not reachable")                                                     \
	X(NO_RELAY, "no media relay")                                                              \
	X(BAD_SDP, "SDP refused")                                                                  \
	X(NO_ACK, "no ACK")                                                                        \
	X(NO_PRACK, "no PRACK")                                                                    \
	X(EXPIRED, "session timer")                                                                \
	X(NO_MEDIA, "no media")                                                                    \
	X(DIALOG_LOST, "a side lost the dialog")                                                   \
	X(TRANSFERRED, "transferred")                                                              \
	X(FAILED, "failed here")                                                                   \
	X(STOPPED, "stopped")

enum call_cause {
	CALL_CAUSE_NONE,
#define X(name, text) CALL_##name,
	FOREACH_CALL_CAUSE(X)
#undef X
};
const char *call_cause_text(enum call_cause cause);

#define FOREACH_CALL_COUNTER(X)                                                                    \
	X(attempts, "calls begun")                                                                 \
	X(answered, "calls answered")                                                              \
	X(revived, "calls taken up from their records")                                            \
	X(lost, "calls that another node took")                                                    \
	X(bad_records, "records that could not be taken up")                                       \
	X(failed, "calls that ended without an answer")                                            \
	X(ended, "answered calls ended")                                                           \
	X(live, "calls held")                                                                      \
	X(up, "calls in conversation")                                                             \
	X(reinvites, "re-INVITEs")                                                                 \
	X(updates, "UPDATEs")                                                                      \
	X(glare, "offers that crossed (491)")                                                      \
	X(branches, "branches of calls to several phones")                                         \
	X(forks, "second answers of a fork, ended")                                                \
	X(unknown_dialog, "requests for no dialog of ours (481)")                                  \
	X(foreign_source, "in-dialog requests from somebody else's address")                       \
	X(unknown_caller, "calls of strangers, dropped")                                           \
	X(merged, "INVITEs that came by two ways (482)")                                           \
	X(refreshes, "session refreshes sent")                                                     \
	X(expired, "calls ended for lack of a session refresh")                                    \
	X(wrong_answers, "SDP answers that did not fit their offer")                               \
	X(no_prack, "reliable provisional replies without PRACK")                                  \
	X(loops, "calls that came round (482)")                                                    \
	X(too_many_hops, "requests at the end of their hops (483)")                                \
	X(transfers, "transfers carried out here")                                                 \
	X(limited, "calls over a limit (503)")                                                     \
	X(unprotected, "answers the store did not acknowledge in time")                            \
	X(no_ack, "answers without ACK")                                                           \
	X(renewed, "calls given new media")                                                        \
	X(untold, "sides that refused new media")                                                  \
	X(media_timeouts, "calls ended for lack of media")

struct call_counters {
#define X(name, text) struct counter name;
	FOREACH_CALL_COUNTER(X)
#undef X
};

/* Whose request the relay has. */
enum { MEDIA_FOR_EXCHANGE, MEDIA_FOR_RESTORE, MEDIA_FOR_RELAYED /* and its slot */ };

/* The relay is told again what both sides agreed on. */
enum restore_state { RESTORE_NONE, RESTORE_WAITING, RESTORE_OFFERING, RESTORE_ANSWERING };

struct restore {
	enum restore_state state;
	uint8_t early;
	uint8_t from;  /* whose part is the offer */
	bool is_again; /* something has changed meanwhile: once more, with: */
	uint8_t next_early;
	uint8_t next_from;
	bool renews;  /* what the relay says may be new to the sides */
	uint8_t told; /* bits: legs to which it is */
};

enum renewal_state { RENEWAL_NONE, RENEWAL_UNSURE, RENEWAL_QUEUED, RENEWAL_ASKED };

/* Of a call that may have lost its media. */
struct renewal {
	enum renewal_state state;
	bool is_late;      /* it was busy when its turn came: behind all others */
	uint64_t until_ms; /* so long it is tried */
	uint64_t instance; /* of the relay that had it, hashed; while unsure */
	TAILQ_ENTRY(call) link;
};
TAILQ_HEAD(call_queue, call);

struct call {
	struct table_link by_number;
	struct table_link by_origin; /* of one that is not named by this worker */
	struct calls *calls;
	const struct config *config; /* held: the one it began with */
	uint64_t number;             /* of this worker's: what handles bear */
	struct token name;           /* in its tokens; the number, unless it came from elsewhere */
	uint64_t epoch;              /* of our ownership (state/record.h) */
	char id[TOKEN_LENGTH];
	enum call_state state;
	enum call_cause cause;
	unsigned int status; /* of the final reply, or 0 */
	int ended_by;        /* leg, or -1 = us */
	uint64_t created_ms; /* the loop's clock */
	uint64_t ringing_ms;
	uint64_t answered_ms;
	uint64_t ended_ms;
	struct leg legs[LEGS];
	struct early *early;    /* early dialogs of the first INVITE, oldest first */
	uint8_t early_count;    /* made so far */
	struct session session; /* of the call; while it is set up, the offer of the INVITE */
	struct exchange exchange;
	struct provisional provisional;
	struct media_session media;
	uint8_t media_sequence; /* of the request the relay has; stale answers are known by it */
	bool media_pending;
	struct slice
		media_state; /* owned; of the relay, for the record; empty = it keeps its own */
	uint8_t media_owner;
	uint8_t media_early; /* whose answer the relay has; 0 = the call's */
	struct restore restore;
	struct renewal renewal;
	const struct config_route *route;
	struct slice caller;   /* owned; From URI as it came */
	struct slice callee;   /* owned; Request-URI as it came */
	struct slice target;   /* owned; the number called, as its peer's rules make it */
	struct slice invite;   /* owned; as it came, while there may be other targets */
	struct hunt hunt;      /* what it may still be sent to */
	struct fork *fork;     /* while it is one of several branches; NULL = it stands alone */
	bool is_branch;        /* that has lost: another one counts, and speaks to the caller */
	bool has_target;       /* leg B was made for one */
	bool has_provisional;  /* of the target in hand */
	uint64_t sent_ms;      /* when its INVITE went out */
	struct timer patience; /* until when it must say something */
	uint32_t pending;      /* client transactions whose end is awaited */
	struct relayed *relayed[RELAYED_MAX]; /* NULL = free */
	bool is_stored;                       /* a record was given to the store */
	bool was_stored;                      /* before that */
	bool is_protected;
	bool is_unprotected;          /* in conversation, and counted so */
	bool is_told;                 /* it ended before, and has its CDR */
	uint64_t cdr_ticket;          /* ended: its record goes when this line is in the file */
	uint64_t rung_client;         /* of which INVITE the record of ringing tells, */
	uint8_t rung_early;           /* and of how many early dialogs */
	uint32_t reserved_cseq[LEGS]; /* what the record allows a successor to assume */
	struct timer upkeep;          /* record refreshed, media checked */
	uint64_t stored_ms;
	bool is_record_due;    /* at the next upkeep */
	uint64_t media_due_ms; /* its media was lost: then its relay is asked; 0 = no need */
	bool is_in_doubt;      /* taken up, and maybe over: its relay is asked once, when due */
	struct timer reaper;
	bool is_emergency;                  /* counted apart */
	bool wants_privacy;                 /* of its caller, RFC 3323 */
	struct refer_id refers[REFERS_MAX]; /* a ring */
	uint8_t refer_count;
	struct transfer *transfer; /* owned; while it is made out of other calls, else NULL */
	uint64_t lent_to;          /* the call of a transfer that has, or will have, a leg of it */
	bool is_referring;         /* it is looked for where a REFER leads */
	uint8_t away;              /* bits: legs that are lent, or hung up meanwhile */
	struct session_ids session_ids;
	struct ladder ladder;
};

/* A failed call, kept for a while so that somebody can look at it. */
struct recent {
	char id[TOKEN_LENGTH];
	enum call_cause cause;
	unsigned int status;
	uint64_t created_ms;
	uint64_t ended_ms;
	char caller[96];
	char callee[96];
	uint16_t interfaces[LEGS];
	struct ladder ladder;
};

struct calls {
	struct worker *worker;
	struct peers *peers;
	struct hunter hunter;
	struct registrar *registrar;
	struct media *media;
	struct store *store;
	struct limits *limits;
	struct arena *scratch; /* of the SDP or record in hand */
	struct table by_number;
	struct refer_lookup *lookups; /* owned; with other workers */
	struct table by_name;         /* legs that another call, or process, named */
	struct table by_origin;       /* calls that another process named */
	struct table by_server;
	struct table by_merge;
	uint64_t hash_key[2];
	const struct conceal_key *conceal;
	struct refer_questions *questions;
	uint64_t next_number;
	uint32_t unprotected; /* calls in conversation of which the store knows nothing, or not all
			       */
	uint64_t unix_offset_ms; /* Unix time minus the loop's clock */
	bool is_lasting; /* the store, and with it the keys of identifiers, outlive the process */
	struct takeover *takeover;
	struct call_queue emergencies; /* calls that need new media, oldest first */
	struct call_queue others;
	struct timer renewing; /* armed while there are any */
	bool is_stopping;
	void (*again)(void *owner, struct transaction_handle handle, const struct message *request,
		      const struct transport_path *path);
	/* A call that was another node's is ours (its packed name); NULL is fine. */
	void (*on_taken)(void *owner, uint64_t name, uint64_t epoch);
	void (*on_empty)(void *owner); /* the last call went while stopping */
	void *owner;
	struct recent *recent; /* RECENT_MAX, a ring */
	uint32_t recent_count;
	struct call_counters counters;
};

struct calls_config {
	struct worker *worker;
	struct peers *peers;
	struct registrar *registrar;
	struct store *store;
	struct limits *limits;
	const struct conceal_key *conceal; /* must outlive it */
	bool is_lasting;                   /* the store outlives the process */
	/* A request that was held comes again (takeover.h, refer_ask.c). */
	void (*again)(void *owner, struct transaction_handle handle, const struct message *request,
		      const struct transport_path *path);
	/* A call that was another node's is ours (its packed name); NULL is fine. */
	void (*on_taken)(void *owner, uint64_t name, uint64_t epoch);
	void (*on_empty)(void *owner);
	void *owner;
};

MUST_CHECK int calls_create(const struct calls_config *config, struct calls **out);
/* Calls still there are forgotten without a word. NULL is fine. */
void calls_destroy(struct calls *calls);
/* Their store takes writes again; `owner` is the calls (store_return_fn). */
void calls_store_returned(void *owner, bool all);
/* No new calls; BYE to both sides of each. on_empty follows. */
void calls_stop(struct calls *calls);

/* Nobody new is wanted: the node is to be empty soon. */
bool calls_are_draining(const struct calls *calls);

/* --- what the worker hears; all in invite.c, ack.c, ... --- */
void calls_receive(struct calls *calls, struct transaction_handle handle,
		   const struct message *request, const struct transport_path *path);
void calls_cancelled(struct calls *calls, struct transaction_handle handle,
		     const struct message *cancel);
void calls_server_failed(struct calls *calls, struct transaction_handle handle, int err);
/* A 2xx nobody waits for: ACK and BYE. */
void calls_stray(struct calls *calls, const struct message *response,
		 const struct transport_path *path);

/* --- the object --- */
MUST_CHECK int call_create(struct calls *calls, struct call **out);
/* The same with the name that it had in another process. */
MUST_CHECK int call_create_named(struct calls *calls, const struct token *name, struct call **out);
/* An identifier of the call: its own, or (kind, two bits) of a leg. */
void call_token(const struct call *call, enum token_kind kind, unsigned int bits,
		char out[TOKEN_LENGTH]);
/* Where a peer's policies are read (-1: its interface's): in what was in force when the call began,
 * unless the peer came later. */
const struct config *call_policies(const struct call *call, int peer);
struct call *calls_find(const struct calls *calls, uint64_t number);
/* By the name in a token; `shift`: bits that tell the leg. */
struct call *calls_by_token(const struct calls *calls, const struct token *token,
			    unsigned int shift);
struct call *calls_by_id(const struct calls *calls, struct slice id);
struct call *calls_by_server(const struct calls *calls, struct transaction_handle handle);
/* Whose leg the name in a tag or Contact of ours is by now. */
bool calls_by_name(const struct calls *calls, const struct token *name, struct call **call,
		   uint8_t *leg);
/* Whose tag this is; of this worker. */
bool calls_by_tag(const struct calls *calls, struct slice tag, struct call **call, uint8_t *leg);
struct call *calls_next(const struct calls *calls, const struct call *at);
/* Whose in-dialog request this is: its leg, and its early dialog or 0. NULL: 481. */
struct call *calls_match(const struct calls *calls, const struct message *request, uint8_t *leg,
			 uint8_t *early);
/* Ask the relay for `owner`. One question at a time; call_go_on() comes when it is free. */
MUST_CHECK int call_ask(struct call *call, uint8_t owner, enum media_verb verb, uint8_t from,
			struct slice sdp);
bool call_is_asking(const struct call *call);
/* Nothing is under way in it, but perhaps a refresh. */
bool call_is_at_rest(const struct call *call);
/* The relay is free, or a PRACK came: whatever waited goes on. */
void call_go_on(struct call *call);
uint64_t call_now(const struct call *call);
/* For requests that wait for nothing any more. */
/* Its state, or what the store has of it, is another one. */
void call_count_unprotected(struct call *call);
void call_release_if_done(struct call *call);
void call_note(struct call *call, uint8_t leg, bool sent, const struct message *message);
void call_note_sent(struct call *call, uint8_t leg, struct slice method, unsigned int status,
		    uint32_t cseq, bool has_sdp);
static inline uint8_t other_leg(uint8_t leg)
{
	return leg ^ 1;
}
