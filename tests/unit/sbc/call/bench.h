/* bench.h - the call layer with a clock of our own: messages are put in as text and what goes out
 * is recorded; the store answers when told to; the relay is a small NG server in this process.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "control/ng/server.h"
#include "sbc/call/call.h"
#include "sbc/subscription/subscription.h"

enum { BENCH_SENT_MAX = 128, BENCH_TEXT_MAX = 4096, PHONE = 1, PBX = 0 };

enum { BENCH_KEPT_MAX = 16 };

struct bench_record {
	char key[64];
	struct buf value; /* owned */
};

struct bench_store {
	struct store store;
	struct bench_record kept[BENCH_KEPT_MAX]; /* the newest */
	unsigned kept_next;
	bool holds;   /* keeps its acknowledgements back */
	bool is_away; /* answers that nobody answers */
	bool is_slow; /* another node takes it first, once */
	unsigned puts, deletes, gets, takes;
	size_t bytes; /* of the last record */
	store_done_fn *done;
	void *owner;
	uint64_t handle;
};

struct bench {
	struct loop *loop;
	struct timer alarm;
	struct wheel *wheel;
	uint64_t now_ms;
	struct log log;
	struct random_system random;
	struct token_key key;
	struct config config;
	struct config_interface interfaces[2];
	struct config_peer peers[2];
	struct config_server servers[2];
	struct config_route routes[2];
	struct config_end ends[2];
	struct config_endpoint relay;
	struct config_phones phones;
	struct addr own[2];
	struct worker worker;
	struct peers *peer_table;
	struct registrar *registrar;
	struct limits *limits;
	struct bench_store store;
	struct calls *calls;
	struct conceal_key conceal;
	struct subscriptions *subscriptions; /* NULL unless a test makes them */
	struct scan scan;
	char in[BENCH_TEXT_MAX];
	struct ng_server *relay_server;
	char relay_path[64];
	char relay_log[512];        /* commands it got */
	const char *relay_refuses;  /* error-reason of the next one */
	const char *relay_instance; /* in its pings, as one of ours; NULL = another kind */
	unsigned sent;
	unsigned seen; /* what bench_next() has shown */
	char texts[BENCH_SENT_MAX][BENCH_TEXT_MAX];
	struct transport_path paths[BENCH_SENT_MAX];
	uint64_t first_id; /* of the process that runs */
	bool is_empty;
	bool is_deaf; /* what is sent is not kept */
};

void bench_open(struct bench *bench);
/* The process is killed and started again: everything is forgotten but the store, the keys of
 * identifiers and the relay. */
void bench_restart(struct bench *bench);
/* What the store has of a call; empty. */
struct slice bench_record(const struct bench *bench, const char *id);
void bench_close(struct bench *bench); /* nothing may be left: calls, timers */
/* A message from the phone (interface wan) or the PBX (interface lan). */
void bench_receive(struct bench *bench, int side, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* What was sent next, from where bench_next() stopped; fails when there is nothing. It must begin
 * with `first` and leave by the interface of `side`. */
const char *bench_next(struct bench *bench, int side, const char *first);
void bench_nothing(struct bench *bench); /* ... or nothing more */
void bench_advance(struct bench *bench, uint32_t ms);
/* The value of a header in a text, into one of a few static buffers. */
const char *bench_header(const char *text, const char *name);
/* A reply to a request that was sent, with a tag and perhaps SDP. */
void bench_reply(struct bench *bench, int side, const char *request, const char *status,
		 const char *tag, const char *sdp);

/* The same with further header lines. */
void bench_reply_with(struct bench *bench, int side, const char *request, const char *status,
		      const char *tag, const char *lines, const char *sdp);

extern const char phone_sdp[], pbx_sdp[];

/* A call that is up; texts of it for what follows. */
struct talk {
	char to[160];        /* To of leg A with our tag */
	char target[160];    /* our Contact on leg A */
	const char *invite;  /* as the PBX got it */
	const char *far_tag; /* the PBX's; NULL = "b" */
};
void bench_invite(struct bench *bench, const char *sdp);
/* With further header lines; in the end the PBX has it. */
void bench_invite_with(struct bench *bench, struct talk *talk, const char *lines, const char *sdp);
/* The caller's dialog as a reply tells it. */
void bench_learn(struct talk *talk, const char *reply);
/* A request in the dialog, from either side; nothing of what follows is looked at. */
void bench_inside(struct bench *bench, const struct talk *talk, int side, const char *method,
		  uint32_t cseq, const char *lines, const char *sdp);
void bench_ack(struct bench *bench, const struct talk *talk, uint32_t cseq, const char *sdp);
void bench_talk(struct bench *bench, struct talk *talk);
void bench_hang_up(struct bench *bench, const struct talk *talk, uint32_t cseq);
