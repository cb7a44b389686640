/* keep_private.h - what keep*.c and revive.c share. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "rtpengine/session/keep.h"
#include "rtpengine/session/keep_io.h"
#include "rtpengine/session/peering_private.h"

#define KEEP_PREFIX  "media:"
#define KEEP_MAGIC   "\xCC"
#define KEEP_VERSION 1

struct keeper {
	struct sessions *sessions;
	struct store *store;
	char *node, *mark;
	uint16_t node_number;
	bool is_sealed, keeps_ringing;
	struct buf key, value; /* of the write at hand */
	uint64_t written;
	/* while the sessions of the process before come back */
	struct timer timer;
	uint64_t until_ms, latest_ms;
	keep_done_fn *done; /* NULL = it is over */
	void *done_owner;
	bool is_scanning;
	bool has_own;        /* ours are found; now those that are in the records of calls */
	struct arena *arena; /* of the call's record in hand */
	struct buf found;    /* what the scan gave: two lengths, key and value, one after another */
	uint32_t revived, lost;
	/* afterwards */
	struct fetch *fetches;
	unsigned fetch_count;
	uint64_t last_fetch;
	uint32_t fetched;
	void (*on_fetched)(void *owner, uint64_t number);
	void *owner;
};

/* What stands in front of a session in its record. */
struct keep_head {
	char instance[SESSIONS_INSTANCE_LEN + 1];
	uint64_t written_us; /* Unix time */
	char *call_id;       /* allocated */
	bool is_partial;     /* it cannot be made again from this */
};

/* The fields of one record: first those of the head, then the session's. */
void keep_head_fields(struct keep_io *io, struct keep_head *head);
void keep_session_fields(struct keep_io *io, struct session *session, bool has_secrets);
void keep_sdes_fields(struct keep_io *io, uint16_t number, struct sdes **sdes);
void keep_peering_fields(struct keep_io *io, uint16_t number, struct stream *stream, int side,
			 struct side_resume *resume);
/* Keys of any kind, which only a sealed store may have. */
bool keep_has_secrets(const struct session *session);
bool keep_has_srtp(const struct session *session);

/* "media:{ID}:NODE": the braces keep all keys of a call in one cluster slot. */
void keep_key(const struct keeper *keeper, struct slice call_id, struct buf *out);
/* What a client keeps: node, NUL, value. */
/* Append the value. -ERR_NO_MEMORY, -ERR_TOO_LARGE. */
MUST_CHECK int keep_encode(struct keeper *keeper, struct session *session, struct buf *out);

/* revive.c: one record, head and all. -ERR_EXISTS: the session is there; -ERR_UNSUPPORTED: it was
 * not kept whole; or what is wrong with it. */
MUST_CHECK int revive_session(struct sessions *sessions, struct slice body, uint64_t now_ms);
/* A whole value, which must be of this session. */
MUST_CHECK int revive_asked(struct sessions *sessions, struct slice call_id, struct slice value,
			    uint64_t now_ms);
/* fetch.c: with the store gone, nothing is answered any more. */
void fetches_free(struct keeper *keeper);
