/* bench.h - a resolver with a zone of its own, and time that is ours.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "sbc/dns/dns.h"

enum { BENCH_QUESTIONS = 256 };

/* "host A 192.0.2.1", "_sip._tcp.x SRV 10 60 5060 host", "x CNAME y", "x NAPTR 10 10 s SIP+D2T - y"
 * ("-" = empty). */
struct bench {
	const char *const *zone; /* NULL-terminated */
	const char *broken;      /* a name whose questions fail */
	const char *silent;      /* a name whose questions are not answered */
	uint32_t ttl_s;
	bool later; /* answers come by bench_answer() */
	struct random random;
	uint64_t seed;
	struct wheel *wheel;
	uint64_t now_ms;
	struct dns *dns;
	uint32_t asked;
	struct {
		enum dns_type type;
		char name[256];
		uint64_t question;
	} open[BENCH_QUESTIONS];
	uint32_t open_count;
	/* what was told last */
	uint32_t told;
	uint64_t context;
	int err;
	struct dns_targets targets;
	struct dns_uris uris;
};

void bench_open(struct bench *bench, const char *const *zone);
void bench_close(struct bench *bench);
void bench_answer(struct bench *bench); /* everything open, and what follows from it */
void bench_advance(struct bench *bench, uint64_t ms);
int bench_resolve(struct bench *bench, const char *host, uint16_t port, uint8_t transport);
/* "tcp 192.0.2.1:5060, udp ..." */
const char *bench_text(struct bench *bench);
void bench_on_targets(void *owner, uint64_t context, int err, const struct dns_targets *targets);
void bench_on_uris(void *owner, uint64_t context, int err, const struct dns_uris *uris);
/* The answer of the zone as bytes. */
size_t bench_message(const struct bench *bench, enum dns_type type, const char *name,
		     uint8_t out[8192]);
