/* bench.h - sessions on a fake clock over the fake datapath, asked in NG.
 * lan is 10.0.0.1 with ports 20000-20099, wan 203.0.113.10 and 2001:db8::10 with 30000-30099.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "fake_datapath.h"
#include "rtpengine/session/sessions.h"

struct bench {
	struct wheel *wheel;
	struct log log;
	struct random random; /* yields zeros unless told otherwise: the first free port is taken */
	struct datapath datapath;
	struct sessions *sessions;
	struct arena *arena;   /* for the test's own texts */
	struct arena *request; /* of the last request and its reply */
	struct buf encoded;    /* the last reply in bencode */
	uint64_t now_ms;
	uint16_t last_port; /* offset of the ranges' end, 99 by default */
	struct limits_config limits;
	uint64_t random_state; /* 0 = zeros */
};

#define LAN  "10.0.0.1"
#define WAN  "203.0.113.10"
#define WAN6 "2001:db8::10"

/* Those that bench_start() begins with. */
void bench_interfaces(const struct bench *bench, struct session_interface out[2]);
void bench_start(struct bench *bench);
void bench_stop(struct bench *bench);
void bench_advance(struct bench *bench, uint64_t ms);
/* One request of the pairs key, value ... NULL; "a,b" behind a key that ends in [] is a list. The
 * reply lives until the next request. */
const struct ng_value *bench_ask(struct bench *bench, const char *command, ...);
/* Shortcuts of a plain audio call. Flags are those of rtpp-flags. */
const struct ng_value *bench_offer(struct bench *bench, const char *call_id, const char *tags,
				   const char *sdp, const char *flags);
const struct ng_value *bench_answer(struct bench *bench, const char *call_id, const char *tags,
				    const char *sdp, const char *flags);
const char *bench_text(const struct ng_value *reply, const char *key); /* "" = absent */
char *bench_sdp(struct bench *bench, const char *address, unsigned port, const char *more);
uint32_t bench_ports_in_use(struct bench *bench);
