/* redis_bench.h - a Redis store, its loop, its log and a real server, for tests.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdio.h>
#include "control/state/redis.h"
#include "redis_server.h"

struct bench {
	struct redis_server server;
	struct loop *loop;
	struct log log;
	FILE *log_file;
	struct store_redis_config config;
	struct store *store;
	struct buf text;
	int fds; /* open before the test */

	unsigned done; /* calls, and how they ended */
	unsigned ok;
	int err; /* of the last */
	unsigned returns;
	bool returned_all; /* the last time */
	bool puts_on_return;
	char value[4096];
	uint8_t seen[10000]; /* by a walk: how often, by number */
	unsigned each;
	unsigned each_limit; /* then it has seen enough; 0 = never */

	struct timer poll;
	bool (*until)(struct bench *b);
	uint64_t until_ms;
};

/* A store configured for a server that does not run yet. */
int setup(void **state);
/* The same, and it runs. */
int setup_running(void **state);
int teardown(void **state);
/* The loop, until something is so; fails after `most_ms`. The milliseconds it took. */
uint64_t run(struct bench *b, bool (*until)(struct bench *b), uint64_t most_ms);
struct store_status status(const struct bench *b);
bool is_up(struct bench *b);
bool is_down(struct bench *b);
bool is_refusing(struct bench *b);
bool is_idle(struct bench *b);
bool is_done(struct bench *b);
bool has_returned(struct bench *b);
void on_done(void *owner, uint64_t handle, const struct store_reply *reply);
/* Verbs; what becomes of them is in `done`, `ok`, `err` and `value`. */
void put(struct bench *b, const char *key, const char *value);
int put_and_wait(struct bench *b, const char *key, const char *value);
int get_and_wait(struct bench *b, const char *key);
void open_store(struct bench *b);
void open_and_connect(struct bench *b);
/* The server's own view. */
const char *ask(struct bench *b, const char *command);
void assert_server(struct bench *b, const char *command, const char *want);
/* So many keys, beside the marks of connections. */
void assert_records(struct bench *b, const char *want);
/* How often the server was sent this command. */
unsigned long calls_of(struct bench *b, const char *command);
/* Lines logged that hold this text. */
unsigned logged(struct bench *b, const char *event);
