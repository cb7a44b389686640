/* keep.h - sessions beyond the process: each answered one has a record in the store, from which a
 * relay of the same name that starts later makes it again, with its ports, sources, keys and
 * indexes. All of it on the control thread; an lcore knows nothing of it, and nothing waits for
 * the store. The first record of a plain session goes with its client's of the call, when that one
 * uses the same store: one write, one delete for both. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/state/store.h"
#include "rtpengine/session/session.h"

/* How often the indexes of SRTP are written while they move; more sessions, less often. */
#define KEEP_CHECKPOINT_MS 2000
#define KEEP_TICK_MS       20  /* what is due in one of these is written together */
#define KEEP_SOON_MS       100 /* after a change that no command brought: several at once */
#define KEEP_TTL_S         600
#define KEEP_REFRESH_MS    (KEEP_TTL_S * 1000 / 2)
#define KEEP_RATE          1000 /* writes in a second that time alone asks for, at most */
#define KEEP_SIZE_LIMIT    ((size_t)128 * 1024)
#define KEEP_GIVEN_LIMIT   ((size_t)8 * 1024) /* of what a client keeps for us */

struct keep_config {
	struct store *store; /* taken over */
	const char *node;    /* whose records these are; copied */
	const char *mark;    /* which store it is; copied; NULL = clients keep nothing for us */
	uint16_t node_number;
	bool is_sealed;     /* what is in the store nobody else can read: keys may go there */
	bool keeps_ringing; /* sessions without an answer, too */
	/* What waits for that number (ng_request.wait) may go on; NULL = only what was there at
	 * start comes back. */
	void (*on_fetched)(void *owner, uint64_t number);
	void *owner;
};

/* Once, before the first command. */
MUST_CHECK int sessions_keep(struct sessions *sessions, const struct keep_config *config);
/* Bring back what the process before had; `done` once the store has given all, or nothing for
 * KEEP_PATIENCE_MS, or not all within KEEP_PATIENCE_ALL_MS. `done` runs from the loop, never before
 * this returns. */
#define KEEP_PATIENCE_MS     1000
#define KEEP_PATIENCE_ALL_MS 10000
typedef void keep_done_fn(void *owner);
void sessions_revive(struct sessions *sessions, keep_done_fn *done, void *owner);
struct keep_status {
	struct store_status store;
	uint32_t revived, lost; /* sessions, at start */
	uint32_t fetched;       /* later, when a command named them */
	uint64_t written;
	bool is_sealed;
};
bool sessions_keep_status(const struct sessions *sessions, struct keep_status *out);

/* For the rest of this folder; nothing happens without a keeper. */
/* A command names a session that is not here. 0: nor is it in the store, or that cannot be asked
 * now. Otherwise it is being read, for which the store takes its 20 ms at most, and then what waits
 * for that number is resumed. */
MUST_CHECK uint64_t keep_fetch(struct sessions *sessions, struct slice call_id);
/* A command changed it; its reply may carry the record away. */
void keep_answered(struct session *session, struct command *command);
void keep_now(struct session *session);
void keep_soon(struct session *session);   /* something else did */
void keep_forget(struct session *session); /* it ends */
void keeper_destroy(struct sessions *sessions);

/* What the datapath knew of a flow. */
struct flow_resume {
	struct addr source; /* locked; family 0 = none was */
	unsigned in_count, out_count;
	struct flow_srtp_index in[FLOW_SRTP_INITIAL_MAX], out[FLOW_SRTP_INITIAL_MAX];
};
struct side_resume {
	struct addr local;           /* address and RTP port; family 0 = it had no ports */
	struct addr alternate;       /* those of the other family; 0 = there were none */
	struct flow_resume flows[2]; /* RTP, RTCP */
	struct ice_state ice;        /* of the agent in use */
	bool has_ice;
};
void resume_ask(const struct stream *stream, int side, struct side_resume *out);
void resume_rule(const struct flow_resume *resume, struct flow_rule *rule);
/* revive.c: once its rules are out, the sources it had; and then it is of no more use. */
void resume_lock(const struct dialog *dialog);
void resume_end(struct session *session);
