/* bench.h - a transaction table without network or clock: what it sends is recorded, what happens
 * to it is a line of text, and 32 seconds pass in a call. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "sbc/transaction/transaction.h"

enum { BENCH_SENT_MAX = 64, BENCH_TEXT_MAX = 4096 };

struct bench {
	struct wheel *wheel;
	struct arena *arena;
	struct random_system random;
	struct log log;
	struct transactions *transactions;
	uint64_t now_ms;
	/* What was sent. */
	size_t sent;
	char texts[BENCH_SENT_MAX][BENCH_TEXT_MAX];
	struct transport_path paths[BENCH_SENT_MAX];
	uint64_t tokens[BENCH_SENT_MAX];
	/* What the transaction user heard: "request INVITE", "cancel", "response 200", ... */
	char heard[4096];
	uint64_t context;                  /* that client callbacks must bear */
	struct transaction_handle request; /* of the last request */
	struct transaction_handle cancelled;
	/* What to do inside. */
	unsigned int reply_at_once; /* status */
	int send_error;             /* every send fails so */
	bool large;                 /* there is a stream for large requests */
	uint16_t limit;
	/* Requests have a next hop with a name; what locate() says of it. */
	const char *hop;
	int locate_error;
	struct transaction_ways ways;
	uint32_t failed_ways;
	uint64_t located; /* whom it was asked for */
};

int bench_setup(void **state);
int bench_teardown(void **state);
/* Time passes, timers fire in between. */
void bench_advance(struct bench *bench, uint64_t ms);
/* A message comes in over UDP from 192.0.2.1:5060. */
void bench_receive(struct bench *bench, const char *text);
void bench_receive_path(struct bench *bench, const char *text, const struct transport_path *path);
/* The path above, or the same over TCP. */
struct transport_path bench_path(enum sip_transport transport);
/* A request of this method, branch "z9hG4bK" + branch. */
const char *bench_request(const char *method, const char *branch);
/* The last message sent. */
const char *bench_last(const struct bench *bench);
/* How many of the messages sent start so. */
size_t bench_count(const struct bench *bench, const char *start);
void bench_forget(struct bench *bench); /* what was sent and heard */
/* A response to the last request of this method that we sent. */
void bench_respond(struct bench *bench, const char *method, unsigned int status);
int bench_reply(struct bench *bench, unsigned int status);
/* Start a client transaction. */
struct transaction_handle bench_send(struct bench *bench, const char *method,
				     enum sip_transport transport);
