/* SPDX-License-Identifier: Apache-2.0 */
#include "control/stats/client.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>
#include "control/stats/server.h"

/* A stats server in a thread of its own. */
struct bench {
	char folder[64];
	char path[96];
	struct loop *loop;
	struct log log;
	struct stats_server *server;
	pthread_t thread;
	struct stats_client *client;
};

static void echo(void *owner, struct slice args, struct stats_reply *reply)
{
	(void)owner;
	stats_reply_done(reply, json_stringn(args.data, args.len));
}

static void large(void *owner, struct slice args, struct stats_reply *reply)
{
	json_t *rows = json_array();
	(void)owner;
	(void)args;
	for (int i = 0; i < 50000; i++)
		json_array_append_new(rows, json_pack("{s:i, s:s}", "n", i, "text", "0123456789"));
	stats_reply_done(reply, rows);
}

static void never(void *owner, struct slice args, struct stats_reply *reply)
{
	(void)owner;
	(void)args;
	(void)reply;
}

static const struct stats_command commands[] = {
	{"echo", NULL, echo},
	{"large", NULL, large},
	{"never", NULL, never},
};

static void *serve(void *owner)
{
	struct bench *b = owner;
	loop_run(b->loop);
	return NULL;
}

static void on_wake(void *owner)
{
	struct bench *b = owner;
	loop_stop(b->loop);
}

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	*state = b;
	strcpy(b->folder, "/tmp/postern-stats-XXXXXX");
	assert_non_null(mkdtemp(b->folder));
	snprintf(b->path, sizeof(b->path), "%s/stats.sock", b->folder);
	b->log = (struct log){.level = LOG_ERROR, .fd = 2, .program = "test"};
	assert_int_equal(loop_create(&b->loop), 0);
	loop_on_wake(b->loop, on_wake, b);
	const struct stats_server_config config = {.loop = b->loop,
						   .log = &b->log,
						   .path = b->path,
						   .commands = commands,
						   .command_count = 3,
						   .owner = b};
	assert_int_equal(stats_server_create(&config, &b->server), 0);
	return pthread_create(&b->thread, NULL, serve, b);
}

static int teardown(void **state)
{
	struct bench *b = *state;
	stats_client_close(b->client);
	loop_wake(b->loop);
	pthread_join(b->thread, NULL);
	stats_server_destroy(b->server);
	loop_destroy(b->loop);
	rmdir(b->folder);
	free(b);
	return 0;
}

static void answers_come_back_one_by_one(void **state)
{
	struct bench *b = *state;
	char word[32];
	assert_int_equal(stats_client_open(b->path, 2000, &b->client), 0);
	for (int i = 0; i < 100; i++) {
		json_t *json = NULL;
		snprintf(word, sizeof(word), "echo %d", i);
		assert_int_equal(stats_client_ask(b->client, slice_from(word), &json), 0);
		assert_string_equal(json_string_value(json), word + 5);
		json_decref(json);
	}
}

static void a_large_answer_arrives_whole(void **state)
{
	struct bench *b = *state;
	json_t *json = NULL;
	assert_int_equal(stats_client_open(b->path, 10000, &b->client), 0);
	assert_int_equal(stats_client_ask(b->client, SLICE("large"), &json), 0);
	assert_int_equal(json_array_size(json), 50000);
	json_decref(json);
	assert_int_equal(stats_client_ask(b->client, SLICE("echo after"), &json), 0);
	assert_string_equal(json_string_value(json), "after");
	json_decref(json);
}

static void waiting_is_bounded(void **state)
{
	struct bench *b = *state;
	json_t *json = NULL;
	assert_int_equal(stats_client_open(b->path, 50, &b->client), 0);
	assert_int_equal(stats_client_ask(b->client, SLICE("never"), &json), -ERR_TIMEOUT);
	assert_null(json);
}

static void two_lines_are_no_command(void **state)
{
	struct bench *b = *state;
	json_t *json = NULL;
	assert_int_equal(stats_client_open(b->path, 50, &b->client), 0);
	assert_int_equal(stats_client_ask(b->client, SLICE("echo a\necho b"), &json), -ERR_INVALID);
}

static void what_is_wrong_with_the_path_is_told(void **state)
{
	struct bench *b = *state;
	char path[256];
	snprintf(path, sizeof(path), "%s/other.sock", b->folder);
	assert_int_equal(stats_client_open(path, 50, &b->client), -ERR_NOT_FOUND);
	assert_int_equal(stats_client_open("", 50, &b->client), -ERR_INVALID);

	struct sockaddr_un address = {.sun_family = AF_UNIX};
	memcpy(address.sun_path, path, strlen(path) + 1);
	int dead = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(dead, (void *)&address, sizeof(address)), 0);
	close(dead);
	assert_int_equal(stats_client_open(path, 50, &b->client), -ERR_REFUSED);
	unlink(path);
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(stats_client_open(path, 50, &b->client), -ERR_TOO_LARGE);
	assert_null(b->client);
}

static void a_server_that_is_none_is_told(void **state)
{
	struct bench *b = *state;
	char path[128], bytes[16];
	json_t *json = NULL;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(path, sizeof(path), "%s/other.sock", b->folder);
	memcpy(address.sun_path, path, strlen(path) + 1);
	int other = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(other, (void *)&address, sizeof(address)), 0);
	assert_int_equal(listen(other, 1), 0);

	assert_int_equal(stats_client_open(path, 1000, &b->client), 0);
	int peer = accept(other, NULL, NULL);
	assert_int_equal(write(peer, "{not json\n{\"a\":", 15), 15);
	assert_int_equal(stats_client_ask(b->client, SLICE("x"), &json), -ERR_MALFORMED);
	assert_int_equal(read(peer, bytes, sizeof(bytes)), 2);
	shutdown(peer, SHUT_WR);
	assert_int_equal(stats_client_ask(b->client, SLICE("x"), &json), -ERR_CLOSED);
	close(peer);
	assert_int_equal(stats_client_ask(b->client, SLICE("x"), &json), -ERR_CLOSED);
	close(other);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(answers_come_back_one_by_one, setup, teardown),
		cmocka_unit_test_setup_teardown(a_large_answer_arrives_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(waiting_is_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(two_lines_are_no_command, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_wrong_with_the_path_is_told, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_server_that_is_none_is_told, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
