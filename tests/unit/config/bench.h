/* bench.h - what the tests of config/ share: a machine of their own, and texts loaded on it.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "config/raw.h"

/* Two CPUs; devices lo, lan0 (10.0.0.1, 2001:db8::1), wan0 (203.0.113.10), bare0 (no address);
 * users nobody and sip; the environment holds REDIS_PASSWORD, CARRIER_PASSWORD and STATE_KEY, all
 * hunter2; called "edge"; the files of pem/; 2026-11-18. */
extern const struct config_host bench_host;

/* Loads a text named "test.yaml"; NULL when it is refused. findings may be NULL. */
struct loaded *bench_load_on(const struct config_host *host, const char *text,
			     struct buf *findings);
/* On bench_host, as all below. */
struct loaded *bench_load(const char *text, struct buf *findings);
/* Loads it and expects it to be refused, or to be warned about, with this line among what is said.
 */
void bench_refused(const char *text, const char *line);
void bench_warned(const char *text, const char *line);
/* Loads it and expects not a word. */
struct loaded *bench_fine(const char *text);
/* A file's whole text, malloc'd and NUL-terminated; fails the test when it cannot be read. */
char *bench_read(const char *folder, const char *name, size_t *length);

#define BENCH_LAN "interfaces: {lan: {role: trusted, address: 10.0.0.1}}\n"
#define BENCH_WAN                                                                                  \
	"interfaces:\n  lan: {role: trusted, address: 10.0.0.1}\n  wan: {address: 203.0.113.10}\n"
#define BENCH_SHORTEST BENCH_WAN "peers:\n  pbx: {interface: lan, address: 10.0.0.20}\n"
