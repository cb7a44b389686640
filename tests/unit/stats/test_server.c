/* SPDX-License-Identifier: Apache-2.0 */
#include "control/stats/server.h"

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
#include "control/base/buf.h"

#define PEERS 40

struct bench {
	char folder[64];
	char path[96];
	struct loop *loop;
	struct log log;
	FILE *log_file;
	struct stats_server_config config;
	struct stats_server *server;
	int peers[PEERS];
	struct buf in[PEERS];
	struct timer poll;
	uint64_t until_ms;
	int wait_peer;

	struct stats_reply *later[4]; /* of `show later` */
	unsigned later_count;
	char args[128]; /* of the last command */
};

/* --- commands --- */

static void show_calls(void *owner, struct slice args, struct stats_reply *reply)
{
	struct bench *b = owner;
	slice_copy(args, b->args, sizeof(b->args));
	stats_reply_done(reply, json_pack("{s:s}", "command", "show calls"));
}

static void show_call(void *owner, struct slice args, struct stats_reply *reply)
{
	struct bench *b = owner;
	slice_copy(args, b->args, sizeof(b->args));
	if (args.len == 0)
		stats_reply_error(reply, "which call? %s", "show call ID");
	else
		stats_reply_done(reply, json_pack("{s:s}", "command", "show call"));
}

static void show_later(void *owner, struct slice args, struct stats_reply *reply)
{
	struct bench *b = owner;
	(void)args;
	b->later[b->later_count++] = reply;
}

static void show_much(void *owner, struct slice args, struct stats_reply *reply)
{
	uint64_t n = 0;
	(void)owner;
	if (slice_to_u64(args, 100000, &n)) {
		stats_reply_error(reply, "\"%.*s\" is no number", SLICE_ARG(args));
		return;
	}
	json_t *rows = json_array();
	for (uint64_t i = 0; i < n; i++)
		json_array_append_new(rows,
				      json_string("0123456789012345678901234567890123456789"));
	stats_reply_done(reply, rows);
}

static void show_nothing(void *owner, struct slice args, struct stats_reply *reply)
{
	(void)owner;
	(void)args;
	stats_reply_done(reply, NULL);
}

static const struct stats_command commands[] = {
	{"show", "the short one", show_nothing}, {"show calls", "all calls", show_calls},
	{"show call", "one call", show_call},    {"show later", NULL, show_later},
	{"show much", "a long list", show_much},
};

/* --- bench --- */

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	*state = b;
	strcpy(b->folder, "/tmp/postern-stats-XXXXXX");
	assert_non_null(mkdtemp(b->folder));
	snprintf(b->path, sizeof(b->path), "%s/stats.sock", b->folder);
	b->log_file = tmpfile();
	b->log = (struct log){.level = LOG_INFO, .fd = fileno(b->log_file), .program = "test"};
	assert_int_equal(loop_create(&b->loop), 0);
	for (int i = 0; i < PEERS; i++) {
		b->peers[i] = -1;
		buf_init(&b->in[i]);
	}
	b->config = (struct stats_server_config){
		.loop = b->loop,
		.log = &b->log,
		.path = b->path,
		.commands = commands,
		.command_count = sizeof(commands) / sizeof(commands[0]),
		.owner = b,
	};
	return 0;
}

static int setup_serving(void **state)
{
	setup(state);
	struct bench *b = *state;
	return stats_server_create(&b->config, &b->server);
}

static int teardown(void **state)
{
	struct bench *b = *state;
	stats_server_destroy(b->server);
	assert_int_equal(wheel_armed(loop_wheel(b->loop)), 0);
	loop_destroy(b->loop);
	for (int i = 0; i < PEERS; i++) {
		if (b->peers[i] >= 0)
			close(b->peers[i]);
		buf_free(&b->in[i]);
	}
	fclose(b->log_file);
	assert_int_equal(rmdir(b->folder), 0); /* the socket is gone */
	free(b);
	return 0;
}

static void restart(struct bench *b)
{
	stats_server_destroy(b->server);
	b->server = NULL;
	assert_int_equal(stats_server_create(&b->config, &b->server), 0);
}

static int peer_open(struct bench *b, int i)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	memcpy(address.sun_path, b->path, strlen(b->path) + 1);
	b->peers[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	return connect(b->peers[i], (void *)&address, sizeof(address));
}

static bool has_line(const struct bench *b, int i)
{
	struct slice in = buf_slice(&b->in[i]);
	return slice_find(in, '\n') < in.len;
}

static void on_poll(struct timer *timer, uint64_t now_ms)
{
	struct bench *b = container_of(timer, struct bench, poll);
	bool done = now_ms >= b->until_ms;
	if (b->wait_peer >= 0) {
		char *room = buf_reserve(&b->in[b->wait_peer], 65536);
		ssize_t n = recv(b->peers[b->wait_peer], room, 65536, MSG_DONTWAIT);
		if (n > 0)
			b->in[b->wait_peer].len += (size_t)n;
		done = done || n == 0 || has_line(b, b->wait_peer);
	}
	if (done)
		loop_stop(b->loop);
	else
		wheel_arm(loop_wheel(b->loop), timer, now_ms + 1, on_poll);
}

static void run(struct bench *b, int peer, uint64_t ms)
{
	b->wait_peer = peer;
	b->until_ms = loop_now_ms(b->loop) + ms;
	wheel_arm(loop_wheel(b->loop), &b->poll, 0, on_poll);
	loop_run(b->loop);
}

static void say(struct bench *b, int i, const char *line)
{
	if (b->peers[i] < 0)
		assert_int_equal(peer_open(b, i), 0);
	assert_int_equal(send(b->peers[i], line, strlen(line), MSG_NOSIGNAL), strlen(line));
}

/* The next answer to this peer; NULL when there is none in time. */
static json_t *answer(struct bench *b, int i)
{
	if (!has_line(b, i))
		run(b, i, 1000);
	if (!has_line(b, i))
		return NULL;
	size_t end = slice_find(buf_slice(&b->in[i]), '\n');
	json_error_t error;
	json_t *json = json_loadb(b->in[i].data, end, JSON_DECODE_ANY, &error);
	if (!json)
		fail_msg("%s: %s", error.text, b->in[i].data);
	buf_consume(&b->in[i], end + 1);
	return json;
}

static void assert_answer(struct bench *b, int i, const char *key, const char *want)
{
	json_t *json = answer(b, i);
	assert_non_null(json);
	const char *got = json_string_value(json_object_get(json, key));
	if (!got || strcmp(got, want))
		fail_msg("%s: \"%s\", not \"%s\"", key, got ? got : "nothing", want);
	json_decref(json);
}

static unsigned logged(struct bench *b, const char *text)
{
	char line[1024];
	unsigned count = 0;
	rewind(b->log_file);
	while (fgets(line, sizeof(line), b->log_file))
		count += strstr(line, text) != NULL;
	return count;
}

/* --- commands and answers --- */

static void the_longest_name_that_fits_is_the_command(void **state)
{
	struct bench *b = *state;
	say(b, 0, "show calls\n");
	assert_answer(b, 0, "command", "show calls");
	assert_string_equal(b->args, "");
	say(b, 0, "show call  a b \r\n");
	assert_answer(b, 0, "command", "show call");
	assert_string_equal(b->args, "a b");
	say(b, 0, "show call\n");
	assert_answer(b, 0, "error", "which call? show call ID");
	say(b, 0, "show callsigns\n"); /* falls back to "show" */
	assert_answer(b, 0, "error", "out of memory");
}

static void an_unknown_command_is_told_what_there_is(void **state)
{
	struct bench *b = *state;
	say(b, 0, "shwo calls\n");
	json_t *json = answer(b, 0);
	assert_string_equal(json_string_value(json_object_get(json, "error")), "unknown command");
	assert_int_equal(json_array_size(json_object_get(json, "commands")), 5);
	json_decref(json);
	say(b, 0, "help\n");
	json = answer(b, 0);
	assert_int_equal(json_array_size(json), 5);
	assert_string_equal(json_string_value(json_object_get(json_array_get(json, 1), "what")),
			    "all calls");
	json_decref(json);
}

static void lines_in_pieces_and_in_bundles_are_answered_in_order(void **state)
{
	struct bench *b = *state;
	say(b, 0, "show c");
	run(b, -1, 20);
	say(b, 0, "alls\n\n  \nshow call x\nshow later\nshow calls");
	assert_answer(b, 0, "command", "show calls");
	assert_answer(b, 0, "command", "show call");
	run(b, -1, 20);
	assert_int_equal(b->later_count, 1);
	assert_false(has_line(b, 0));
	stats_reply_done(b->later[0], json_pack("{s:s}", "command", "later"));
	assert_answer(b, 0, "command", "later");
	say(b, 0, "\n");
	assert_answer(b, 0, "command", "show calls");
}

static void many_commands_wait_behind_a_late_answer(void **state)
{
	struct bench *b = *state;
	char lines[300 * 11 + 1] = "";
	for (int i = 0; i < 300; i++)
		memcpy(lines + (size_t)i * 11, "show calls\n", 12);
	say(b, 0, "show later\n");
	say(b, 0, lines);
	run(b, -1, 50);
	stats_reply_done(b->later[0], json_pack("{s:s}", "command", "later"));
	assert_answer(b, 0, "command", "later");
	for (int i = 0; i < 300; i++)
		assert_answer(b, 0, "command", "show calls");
}

static void a_last_line_without_its_end_counts(void **state)
{
	struct bench *b = *state;
	say(b, 0, "show later\nshow calls");
	shutdown(b->peers[0], SHUT_WR);
	run(b, -1, 20);
	stats_reply_done(b->later[0], json_pack("{s:s}", "command", "later"));
	assert_answer(b, 0, "command", "later");
	assert_answer(b, 0, "command", "show calls");
	run(b, 0, 100);
	assert_int_equal(stats_server_readers(b->server), 0);
}

static void a_command_without_end_is_refused(void **state)
{
	struct bench *b = *state;
	char line[2000];
	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	say(b, 0, line);
	assert_answer(b, 0, "error", "command too long");
	run(b, 0, 100);
	assert_int_equal(stats_server_readers(b->server), 0);
}

static void bytes_that_are_not_text_get_an_answer(void **state)
{
	struct bench *b = *state;
	say(b, 0, "show much \xff\xfe\n");
	assert_answer(b, 0, "error", "invalid argument");
	say(b, 0, "\x01\x02\xff\n");
	assert_answer(b, 0, "error", "unknown command");
}

/* --- answers that come later --- */

static void other_readers_do_not_wait_for_a_late_answer(void **state)
{
	struct bench *b = *state;
	say(b, 0, "show later\n");
	run(b, -1, 20);
	say(b, 1, "show calls\n");
	assert_answer(b, 1, "command", "show calls");
	stats_reply_error(b->later[0], "no such call");
	assert_answer(b, 0, "error", "no such call");
}

static void a_handler_that_never_answers_is_timed_out(void **state)
{
	struct bench *b = *state;
	b->config.reply_timeout_ms = 50;
	restart(b);
	say(b, 0, "show later\nshow calls\n");
	assert_answer(b, 0, "error", "timed out");
	assert_answer(b, 0, "command", "show calls");
	stats_reply_done(b->later[0],
			 json_pack("{s:s}", "command", "later")); /* too late: dropped */
	run(b, -1, 20);
	assert_int_equal(stats_server_readers(b->server), 1);
	say(b, 0, "show later\n"); /* and one that is still under way at the end */
	run(b, -1, 20);
}

static void a_reader_that_leaves_before_its_answer_is_no_harm(void **state)
{
	struct bench *b = *state;
	say(b, 0, "show later\n");
	run(b, -1, 20);
	close(b->peers[0]);
	b->peers[0] = -1;
	run(b, -1, 20);
	stats_reply_done(b->later[0], json_pack("{s:s}", "command", "later"));
	run(b, -1, 20);
	assert_int_equal(stats_server_readers(b->server), 0);
}

/* --- readers that misbehave --- */

static void a_stalled_reader_is_dropped_and_harms_nobody(void **state)
{
	struct bench *b = *state;
	b->config.stall_timeout_ms = 1000;
	restart(b);
	for (int i = 0; i < 50; i++)
		say(b, 0, "show much 100000\n"); /* 4 MB each, and it reads none */
	run(b, -1, 30);
	for (int i = 0; i < 5; i++) {
		say(b, 1, "show calls\n");
		assert_answer(b, 1, "command", "show calls");
	}
	assert_int_equal(stats_server_readers(b->server), 2);
	run(b, -1, 1500);
	assert_int_equal(stats_server_readers(b->server), 1);
	assert_int_equal(logged(b, "stats.reader_stalled"), 1);
}

static void a_slow_reader_gets_everything(void **state)
{
	struct bench *b = *state;
	b->config.stall_timeout_ms = 500;
	restart(b);
	say(b, 0, "show much 20000\n");
	for (int i = 0; i < 15; i++) { /* 750 ms in all, of which none without progress */
		run(b, -1, 50);
		char *room = buf_reserve(&b->in[0], 40000);
		ssize_t n = recv(b->peers[0], room, 40000, MSG_DONTWAIT);
		b->in[0].len += n > 0 ? (size_t)n : 0;
	}
	json_t *json = answer(b, 0);
	assert_int_equal(json_array_size(json), 20000);
	json_decref(json);
}

static void an_answer_beyond_the_limit_is_an_error(void **state)
{
	struct bench *b = *state;
	b->config.answer_limit = 10000;
	restart(b);
	say(b, 0, "show much 200\nshow much 1000\nshow calls\n");
	json_t *json = answer(b, 0);
	assert_int_equal(json_array_size(json), 200);
	json_decref(json);
	assert_answer(b, 0, "error", "answer too large");
	assert_answer(b, 0, "command", "show calls");
}

static void idle_connections_keep_nobody_out(void **state)
{
	struct bench *b = *state;
	b->config.readers_limit = 4;
	restart(b);
	for (int i = 0; i < 10; i++) {
		say(b, i, "show calls\n");
		assert_answer(b, i, "command", "show calls");
		assert_true(stats_server_readers(b->server) <= 4);
		run(b, -1, 2);
	}
	assert_int_equal(stats_server_readers(b->server), 4);
	say(b, 9, "show calls\n"); /* the newest are still there */
	assert_answer(b, 9, "command", "show calls");
}

static void too_many_busy_readers_are_told(void **state)
{
	struct bench *b = *state;
	b->config.readers_limit = 2;
	restart(b);
	say(b, 0, "show later\n");
	say(b, 1, "show later\n");
	run(b, -1, 20);
	assert_int_equal(peer_open(b, 2), 0);
	assert_answer(b, 2, "error", "too many readers");
	stats_reply_done(b->later[0], json_true());
	stats_reply_done(b->later[1], json_true());
	json_decref(answer(b, 0));
	json_decref(answer(b, 1));
}

#define SERVING(test) cmocka_unit_test_setup_teardown(test, setup_serving, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SERVING(the_longest_name_that_fits_is_the_command),
		SERVING(an_unknown_command_is_told_what_there_is),
		SERVING(lines_in_pieces_and_in_bundles_are_answered_in_order),
		SERVING(many_commands_wait_behind_a_late_answer),
		SERVING(a_last_line_without_its_end_counts),
		SERVING(a_command_without_end_is_refused),
		SERVING(bytes_that_are_not_text_get_an_answer),
		SERVING(other_readers_do_not_wait_for_a_late_answer),
		SERVING(a_handler_that_never_answers_is_timed_out),
		SERVING(a_reader_that_leaves_before_its_answer_is_no_harm),
		SERVING(a_stalled_reader_is_dropped_and_harms_nobody),
		SERVING(a_slow_reader_gets_everything),
		SERVING(an_answer_beyond_the_limit_is_an_error),
		SERVING(idle_connections_keep_nobody_out),
		SERVING(too_many_busy_readers_are_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
