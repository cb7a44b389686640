/* media.h - asks the relay for a call's media, over NG: offer, answer, delete, query. One per
 * worker. Answers come by handle, because calls end while we wait. Nothing here needs more than any
 * NG relay has; what ours adds (ended calls in its ping) is used when it is there.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/ng/client.h"
#include "sbc/media/codecs.h"
#include "sbc/worker/worker.h"

struct media;

/* What the relay knows of a call. Embedded in it. */
struct media_session {
	char id[TOKEN_LENGTH]; /* the relay's call-id */
	int relay;             /* who has it; -1 = not placed yet */
	bool is_open;          /* something may be there: delete it at the end */
	bool keeps_state;      /* the call's record is written next: a relay of ours that uses the
				* same store lets it carry its own */
};

/* One side of an offer or answer. */
struct media_end {
	struct slice tag;   /* at the relay; empty = not known yet */
	uint16_t interface; /* its name goes to the relay */
	struct addr source; /* where the signalling of this side comes from */
	bool is_trusted;
	const struct config_media *policy; /* NULL = the interface's */
	struct codec_list codecs;
	struct slice agreed; /* its description that is in force; empty = none yet */
};

enum media_verb { MEDIA_OFFER, MEDIA_ANSWER };

struct media_result {
	int err;             /* 0: sdp is the relay's */
	unsigned int status; /* on err: what to answer, 488, 500 or 503 */
	const char *reason;  /* on err: for people and the log */
	struct slice sdp;    /* valid during the call */
	struct slice state;  /* the same; what the call's record is to hold for the relay */
	int relay;
};

struct media_handlers {
	void (*on_result)(void *owner, uint64_t handle, const struct media_result *result);
	/* The relay ended a call by media time-out. */
	void (*on_ended)(void *owner, int relay, struct slice id);
	/* Of media_check(): the relay does not know it any more. */
	void (*on_unknown)(void *owner, uint64_t handle);
	/* A relay of ours is another process, and has none of the calls it had; or it is away for
	 * long; or is heard of for the first time. */
	void (*on_relay)(void *owner, int relay, enum ng_news news);
};

#define FOREACH_MEDIA_COUNTER(X)                                                                   \
	X(offers, "offers")                                                                        \
	X(answers, "answers")                                                                      \
	X(deletes, "deletes")                                                                      \
	X(queries, "queries")                                                                      \
	X(failed, "offers and answers that failed")                                                \
	X(no_relay, "offers and answers no relay took")                                            \
	X(ended, "calls the relay ended for lack of media")                                        \
	X(restarts, "relays seen restarted")                                                       \
	X(lost, "relays given up")

struct media_counters {
#define X(name, text) struct counter name;
	FOREACH_MEDIA_COUNTER(X)
#undef X
};

MUST_CHECK int media_create(struct worker *worker, const struct media_handlers *handlers,
			    void *owner, struct media **out);
void media_destroy(struct media *media); /* NULL is fine; pending answers never come */
void media_session_init(struct media_session *session, const char id[TOKEN_LENGTH]);

/* The offer or answer of `from`, to be shown to `to`. on_result comes exactly once when 0 is
 * returned. -ERR_MALFORMED (a bad SDP: 488), -ERR_UNREACHABLE (no relay: 503), ... */
MUST_CHECK int media_exchange(struct media *media, enum media_verb verb,
			      struct media_session *session, const struct media_end *from,
			      const struct media_end *to, struct slice sdp, uint64_t handle);
/* What to answer for an error that media_exchange() returned. */
unsigned int media_status_of(int err);
/* The session is closed; the relay frees its ports. */
void media_delete(struct media *media, struct media_session *session);
/* Counters of a session, for show. */
MUST_CHECK int media_query(struct media *media, const struct media_session *session,
			   ng_done_fn *done, void *owner, uint64_t handle);
/* Ask a relay that does not tell us by itself whether the call is still there. */
void media_check(struct media *media, const struct media_session *session, uint64_t handle);
bool media_tells_end(const struct media *media, const struct media_session *session);

const struct media_counters *media_counters(const struct media *media);
const struct ng_client *media_client(const struct media *media);
