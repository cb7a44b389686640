/* bench.h - transports on loopback with a loop that runs for as long as a test wants.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "sbc/transport/transport.h"

struct bench {
	struct loop *loop;
	struct log log;
	struct transport *transport;
	struct addr udp, tcp, tls, ws, wss, stun; /* where it listens */
	struct timer stop;
	/* What came in. */
	size_t received;
	struct transport_path path; /* of the last one */
	char last[65536];
	size_t last_len;
	bool truncated, broken;
	bool echo;           /* answer every message with itself */
	bool until_received; /* stop the loop at each message */
	/* What failed. */
	size_t errors;
	int error;
	uint64_t error_token;
	size_t closed; /* connections told as ended */
	bool deny;     /* nobody gets an answer to STUN */
};

/* Listeners in the order of enum sip_transport; those of TLS when there is some. */
struct bench_options {
	const struct transport_timers *timers; /* NULL = the defaults */
	uint32_t source_max;
	uint32_t interface_max;
	struct tls *tls;
	const char *const *origins;
	size_t origin_count;
};
void bench_open_with(struct bench *bench, const struct bench_options *options);
void bench_open(struct bench *bench, const struct transport_timers *timers, uint32_t source_max);
void bench_close(struct bench *bench);
/* Run the loop for so long. */
void bench_run(struct bench *bench, uint32_t ms);
/* Run until so many messages came, at most 5 s. */
void bench_wait(struct bench *bench, size_t received);
int bench_connect(const struct bench *bench); /* a plain blocking TCP socket */
int bench_connect_to(const struct addr *addr);
void bench_write(int fd, const char *text);
struct transport_path bench_to(enum sip_transport transport, uint16_t port);
uint64_t bench_counter(const struct bench *bench, size_t offset);
#define COUNTER(bench, name) bench_counter((bench), offsetof(struct transport_counters, name))
