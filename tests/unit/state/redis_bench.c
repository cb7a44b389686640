/* SPDX-License-Identifier: Apache-2.0 */
#include "redis_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static int count_fds(void)
{
	int count = 0;
	for (int fd = 0; fd < 256; fd++)
		count += lseek(fd, 0, SEEK_CUR) >= 0 || dup2(fd, fd) == fd;
	return count;
}

int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	*state = b;
	b->fds = count_fds();
	b->log_file = tmpfile();
	b->log = (struct log){.level = LOG_INFO, .fd = fileno(b->log_file), .program = "test"};
	buf_init(&b->text);
	b->config.log = &b->log;
	if (loop_create(&b->loop) || redis_server_create(&b->server))
		return -1;
	b->config.loop = b->loop;
	b->config.timeout_ms = 500; /* the machine may be busy */
	b->config.unix_path = b->server.socket;
	return 0;
}

int setup_running(void **state)
{
	int err = setup(state);
	return err ? err : redis_server_start(&((struct bench *)*state)->server, NULL, NULL);
}

int teardown(void **state)
{
	struct bench *b = *state;
	store_destroy(b->store);
	assert_int_equal(wheel_armed(loop_wheel(b->loop)), 0);
	loop_destroy(b->loop);
	redis_server_destroy(&b->server);
	buf_free(&b->text);
	fclose(b->log_file);
	assert_int_equal(count_fds(), b->fds);
	free(b);
	return 0;
}

/* --- the loop, until something is so --- */

static void on_poll(struct timer *timer, uint64_t now_ms)
{
	struct bench *b = container_of(timer, struct bench, poll);
	if ((b->until && b->until(b)) || now_ms >= b->until_ms)
		loop_stop(b->loop);
	else
		wheel_arm(loop_wheel(b->loop), timer, now_ms + 1, on_poll);
}

uint64_t run(struct bench *b, bool (*until)(struct bench *b), uint64_t most_ms)
{
	uint64_t start = loop_now_ms(b->loop);
	b->until = until;
	b->until_ms = start + most_ms;
	wheel_arm(loop_wheel(b->loop), &b->poll, start, on_poll);
	loop_run(b->loop);
	if (until && !until(b))
		fail_msg("waited %u ms in vain", (unsigned)most_ms);
	return loop_now_ms(b->loop) - start;
}

struct store_status status(const struct bench *b)
{
	struct store_status now;
	store_status(b->store, &now);
	return now;
}

bool is_up(struct bench *b)
{
	return status(b).state == STORE_UP;
}
bool is_down(struct bench *b)
{
	return status(b).state == STORE_DOWN;
}
bool is_refusing(struct bench *b)
{
	return status(b).state == STORE_REFUSING;
}
bool is_idle(struct bench *b)
{
	return status(b).pending == 0;
}
bool is_done(struct bench *b)
{
	return b->done > 0;
}
bool has_returned(struct bench *b)
{
	return b->returns > 0;
}

/* --- verbs --- */

void on_done(void *owner, uint64_t handle, const struct store_reply *reply)
{
	struct bench *b = owner;
	assert_int_equal(handle, 99);
	b->done++;
	b->ok += reply->err == 0;
	b->err = reply->err;
	slice_copy(reply->value, b->value, sizeof(b->value));
}

void put(struct bench *b, const char *key, const char *value)
{
	b->done = b->ok = 0;
	store_put(b->store, slice_from(key), slice_from(value), 60, on_done, b, 99);
}

int put_and_wait(struct bench *b, const char *key, const char *value)
{
	put(b, key, value);
	run(b, is_done, 2000);
	return b->err;
}

int get_and_wait(struct bench *b, const char *key)
{
	b->done = 0;
	store_get(b->store, slice_from(key), on_done, b, 99);
	run(b, is_done, 2000);
	return b->err;
}

static void on_return(void *owner, bool all)
{
	struct bench *b = owner;
	b->returns++;
	b->returned_all = all;
	if (b->puts_on_return)
		store_put(b->store, SLICE("call:{again}"), SLICE("v"), 60, on_done, b, 99);
}

void open_store(struct bench *b)
{
	assert_int_equal(store_redis_create(&b->config, &b->store), 0);
	store_on_return(b->store, on_return, b);
}

void open_and_connect(struct bench *b)
{
	open_store(b);
	run(b, is_up, 2000);
}

const char *ask(struct bench *b, const char *command)
{
	assert_int_equal(redis_server_ask(&b->server, command, &b->text), 0);
	return b->text.data;
}

void assert_server(struct bench *b, const char *command, const char *want)
{
	assert_string_equal(ask(b, command), want);
}

void assert_records(struct bench *b, const char *want)
{
	assert_server(b, "EVAL \"return redis.call('DBSIZE') - #redis.call('KEYS', 'node:{}*')\" 0",
		      want);
}

unsigned long calls_of(struct bench *b, const char *command)
{
	char name[64];
	snprintf(name, sizeof(name), "cmdstat_%s:calls=", command);
	const char *at = strstr(ask(b, "INFO commandstats"), name);
	return at ? strtoul(at + strlen(name), NULL, 10) : 0;
}

unsigned logged(struct bench *b, const char *event)
{
	char line[1024];
	unsigned count = 0;
	rewind(b->log_file);
	while (fgets(line, sizeof(line), b->log_file))
		count += strstr(line, event) != NULL;
	return count;
}
