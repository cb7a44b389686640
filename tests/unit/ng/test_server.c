/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/ng/bench.h"
#include <sys/stat.h>
#include <sys/un.h>

struct bench {
	struct clock clock;
	struct ng_server *server;
	char path[64];
	struct addr udp, tcp, any;
	unsigned handled;
	char text[70000];
};

static void handle(void *owner, const struct ng_request *request, struct ng_value *reply)
{
	struct bench *bench = owner;
	int64_t size = 0;

	if (request->wait && slice_equal(request->command, SLICE("later"))) {
		*request->wait = 7;
		return;
	}
	bench->handled++;
	if (slice_equal(request->command, SLICE("ping"))) {
		ng_dict_add_string(request->arena, reply, "result", SLICE("pong"));
	} else if (slice_equal(request->command, SLICE("count")) ||
		   slice_equal(request->command, SLICE("later"))) {
		ng_dict_add_integer(request->arena, reply, "count", bench->handled);
	} else if (slice_equal(request->command, SLICE("who"))) {
		char *text = arena_alloc(request->arena, ADDR_TEXT_SIZE);

		ng_dict_add_string(request->arena, reply, "who",
				   slice_from(addr_ip_text(&request->source, text)));
	} else if (slice_equal(request->command, SLICE("big"))) {
		assert_int_equal(ng_get_integer(request->dict, "size", &size), 0);
		char *text = arena_zalloc(request->arena, (size_t)size);

		ng_dict_add_string(request->arena, reply, "big",
				   (struct slice){text, (size_t)size});
	} else if (!slice_equal(request->command, SLICE("nothing"))) {
		ng_reply_error(request->arena, reply, "Unrecognized command");
	}
}

static int open_with(void **state, const struct cidr *allow, unsigned allow_count)
{
	struct bench *bench = test_calloc(1, sizeof(*bench));
	static unsigned serial;

	clock_open(&bench->clock);
	snprintf(bench->path, sizeof(bench->path), "/tmp/ng-test-%d-%u.sock", (int)getpid(),
		 serial++);
	struct ng_endpoint listeners[] = {
		{.transport = NG_UDP, .addr = bench_addr("127.0.0.1:0")},
		{.transport = NG_TCP, .addr = bench_addr("127.0.0.1:0")},
		{.transport = NG_UNIX, .path = bench->path},
		{.transport = NG_UDP, .addr = bench_addr("0.0.0.0:0")},
		{.transport = NG_UDP, .addr = bench_addr("[::1]:0")},
	};
	struct ng_server_config config = {
		.loop = bench->clock.loop,
		.wheel = bench->clock.wheel,
		.log = &bench_log,
		.listeners = listeners,
		.listener_count = 5,
		.allow = allow,
		.allow_count = allow_count,
		.max_connections = 4,
		.handler = handle,
		.owner = bench,
	};
	assert_int_equal(ng_server_create(&config, &bench->server), 0);
	assert_int_equal(ng_server_address(bench->server, 0, &bench->udp), 0);
	assert_int_equal(ng_server_address(bench->server, 1, &bench->tcp), 0);
	assert_int_equal(ng_server_address(bench->server, 2, &bench->any), -ERR_NOT_FOUND);
	assert_int_equal(ng_server_address(bench->server, 3, &bench->any), 0);
	*state = bench;
	return 0;
}

static int open_bench(void **state)
{
	return open_with(state, NULL, 0);
}

static int close_bench(void **state)
{
	struct bench *bench = *state;
	struct stat status;

	ng_server_destroy(bench->server);
	assert_int_not_equal(stat(bench->path, &status), 0);
	assert_int_equal(wheel_armed(bench->clock.wheel), 0);
	clock_close(&bench->clock);
	test_free(bench);
	return 0;
}

/* Send, let the server work, return what came back ("" = nothing). */
static const char *ask(struct bench *bench, int fd, const char *text, size_t len)
{
	assert_int_equal(send(fd, text, len, MSG_NOSIGNAL), len);
	clock_turn(&bench->clock, 3);
	ssize_t n = recv(fd, bench->text, sizeof(bench->text) - 1, MSG_DONTWAIT);
	bench->text[n > 0 ? n : 0] = '\0';
	return bench->text;
}

static const char *ask_text(struct bench *bench, int fd, const char *text)
{
	return ask(bench, fd, text, strlen(text));
}

#define ERROR_REPLY(cookie, len, reason)                                                           \
	cookie " d6:result5:error12:error-reason" len ":" reason "e"

static void each_framing_gets_its_answer(void **state)
{
	static const char *const rows[][2] = {
		{"a1 d7:command4:pinge", "a1 d6:result4:ponge"},
		{"a2 {\"command\":\"ping\"}", "a2 {\"result\":\"pong\"}"},
		{"a3 d7:command4:ping1:zd1:xli1eee1:zi2ee", "a3 d6:result4:ponge"},
		{"a4 xyz", ERROR_REPLY("a4", "22", "Invalid NG data format")},
		{"a5 d7:command", ERROR_REPLY("a5", "35", "Could not decode bencode dictionary")},
		{"a6 {\"command\"", "a6 {\"result\":\"error\",\"error-reason\":"
				    "\"Failed to parse JSON document\"}"},
		{"a7 de", ERROR_REPLY("a7", "36", "Dictionary contains no key \"command\"")},
		{"a8 d7:commandi1ee",
		 ERROR_REPLY("a8", "36", "Dictionary contains no key \"command\"")},
		{"a9 ", ERROR_REPLY("a9", "25", "Invalid data (no payload)")},
		{"b1 d7:command4:PINGe", ERROR_REPLY("b1", "20", "Unrecognized command")},
		{"b2 d7:command7:nothinge", ERROR_REPLY("b2", "24", "No reply to this command")},
		{"b3 l4:pinge", ERROR_REPLY("b3", "22", "Invalid NG data format")},
		{"nocookie", ""},
		{" d7:command4:pinge", ""},
	};
	struct bench *bench = *state;
	int fd = bench_socket(SOCK_DGRAM, "127.0.0.1", &bench->udp);

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(ask_text(bench, fd, rows[i][0]), rows[i][1]);
	assert_int_equal(counter_get(&ng_server_counters(bench->server)->dropped), 2);
	assert_int_equal(counter_get(&ng_server_counters(bench->server)->requests), 5);
	close(fd);
}

static void long_cookies_and_long_replies_are_bounded(void **state)
{
	struct bench *bench = *state;
	int fd = bench_socket(SOCK_DGRAM, "127.0.0.1", &bench->udp);
	char text[400];

	for (unsigned extra = 0; extra < 2; extra++) {
		memset(text, 'c', sizeof(text));
		snprintf(text + 255 + extra, 100, " d7:command4:pinge");
		assert_int_equal(ask_text(bench, fd, text)[0], extra ? '\0' : 'c');
	}
	assert_int_equal(strlen(ask_text(bench, fd, "a d7:command3:big4:sizei60000ee")), 14);
	assert_string_equal(ask_text(bench, fd, "b d7:command3:big4:sizei65500ee"),
			    ERROR_REPLY("b", "15", "Reply too large"));
	assert_string_equal(ask_text(bench, fd, "c d7:command3:big4:sizei99999999ee"),
			    ERROR_REPLY("c", "13", "Out of memory"));
	close(fd);
}

static void a_retransmission_is_answered_without_running_it_again(void **state)
{
	static const char request[] = "same d7:command5:counte";
	struct bench *bench = *state;
	int fd = bench_socket(SOCK_DGRAM, "127.0.0.1", &bench->udp);
	int port = bench_socket(SOCK_DGRAM, "127.0.0.1", &bench->udp);
	int host = bench_socket(SOCK_DGRAM, "127.0.0.2", &bench->udp);

	assert_string_equal(ask_text(bench, fd, request), "same d5:counti1ee");
	assert_string_equal(ask_text(bench, fd, request), "same d5:counti1ee");
	assert_string_equal(ask_text(bench, port, request), "same d5:counti1ee");
	assert_string_equal(ask_text(bench, host, request), "same d5:counti2ee");
	clock_advance(&bench->clock, 29000);
	assert_string_equal(ask_text(bench, fd, request), "same d5:counti1ee");
	clock_advance(&bench->clock, 31000);
	assert_string_equal(ask_text(bench, fd, request), "same d5:counti3ee");
	assert_int_equal(counter_get(&ng_server_counters(bench->server)->duplicates), 3);
	close(fd);
	close(port);
	close(host);
}

static void the_answer_leaves_from_where_the_request_came_to(void **state)
{
	struct bench *bench = *state;
	struct addr at = bench_addr("127.0.0.77");

	at.port = bench->any.port;
	int fd = bench_socket(SOCK_DGRAM, "127.0.0.1", &at); /* hears 127.0.0.77 alone */
	assert_string_equal(ask_text(bench, fd, "x d7:command3:whoe"), "x d3:who9:127.0.0.1e");
	close(fd);

	assert_int_equal(ng_server_address(bench->server, 4, &at), 0);
	fd = bench_socket(SOCK_DGRAM, "::1", &at);
	assert_string_equal(ask_text(bench, fd, "x d7:command3:whoe"), "x d3:who3:::1e");
	close(fd);
}

static int open_allowing(void **state)
{
	struct cidr allow;

	assert_int_equal(cidr_parse(SLICE("127.0.0.2/31"), &allow), 0);
	return open_with(state, &allow, 1);
}

static void strangers_are_not_answered(void **state)
{
	struct bench *bench = *state;
	int good = bench_socket(SOCK_DGRAM, "127.0.0.3", &bench->udp);
	int bad = bench_socket(SOCK_DGRAM, "127.0.0.1", &bench->udp);
	int stream = bench_socket(SOCK_STREAM, "127.0.0.1", &bench->tcp);

	assert_string_equal(ask_text(bench, good, "a d7:command4:pinge"), "a d6:result4:ponge");
	assert_string_equal(ask_text(bench, bad, "a d7:command4:pinge"), "");
	assert_int_equal(recv(stream, bench->text, 1, 0), 0); /* closed */
	assert_int_equal(counter_get(&ng_server_counters(bench->server)->denied), 2);
	/* The other way round from now on. */
	struct cidr allow;
	assert_int_equal(cidr_parse(SLICE("127.0.0.1"), &allow), 0);
	assert_int_equal(ng_server_allow(bench->server, &allow, 1), 0);
	assert_string_equal(ask_text(bench, good, "b d7:command4:pinge"), "");
	assert_string_equal(ask_text(bench, bad, "b d7:command4:pinge"), "b d6:result4:ponge");
	close(good);
	close(bad);
	close(stream);
}

static void a_stream_may_come_in_any_pieces(void **state)
{
	static const char text[] = "a d7:command5:counte\r\nb d7:command3:sdpec d7:command5:counte";
	static const char answers[] =
		"a d5:counti1ee" ERROR_REPLY("b", "20", "Unrecognized command") "c d5:counti3ee";
	struct bench *bench = *state;

	for (size_t piece = 1; piece < sizeof(text); piece += 7) {
		int fd = bench_socket(SOCK_STREAM, "127.0.0.1", &bench->tcp);
		char got[256] = "";

		bench->handled = 0;
		/* New addresses of cookies: the cache knows the old ones. */
		clock_advance(&bench->clock, 120000);
		for (size_t at = 0; at < sizeof(text) - 1; at += piece) {
			size_t left = sizeof(text) - 1 - at;

			strcat(got, ask(bench, fd, text + at, left < piece ? left : piece));
		}
		assert_string_equal(got, answers);
		close(fd);
		clock_turn(&bench->clock, 3);
	}
}

static void a_stream_may_speak_json(void **state)
{
	static const char text[] = "a {\"command\":\"count\",\"s\":\"}\\\"{\"}\r\n"
				   "{\"command\":\"count\",\"l\":[{\"x\":1}]}"
				   "b d7:command5:counte";
	struct bench *bench = *state;

	for (size_t piece = 1; piece < sizeof(text); piece += 5) {
		int fd = bench_socket(SOCK_STREAM, "127.0.0.1", &bench->tcp);
		char got[256] = "";

		bench->handled = 0;
		clock_advance(&bench->clock, 120000);
		for (size_t at = 0; at < sizeof(text) - 1; at += piece) {
			size_t left = sizeof(text) - 1 - at;

			strcat(got, ask(bench, fd, text + at, left < piece ? left : piece));
		}
		assert_string_equal(got, "a {\"count\":1}{\"count\":2}b d5:counti3ee");
		assert_string_equal(ask_text(bench, fd, "{]"),
				    "{\"result\":\"error\",\"error-reason\":"
				    "\"Failed to parse JSON document\"}");
		close(fd);
		clock_turn(&bench->clock, 3);
	}
}

static void a_malformed_stream_is_answered_and_closed(void **state)
{
	static const char *const rows[][2] = {
		{"a dxyz", ERROR_REPLY("a", "35", "Could not decode bencode dictionary")},
		{"b xyz", ERROR_REPLY("b", "22", "Invalid NG data format")},
		{"c l4:pinge", ERROR_REPLY("c", "22", "Invalid NG data format")},
	};
	struct bench *bench = *state;

	for (unsigned i = 0; i < 3; i++) {
		int fd = bench_socket(SOCK_STREAM, "127.0.0.1", &bench->tcp);

		assert_string_equal(ask_text(bench, fd, rows[i][0]), rows[i][1]);
		assert_int_equal(recv(fd, bench->text, 1, 0), 0);
		close(fd);
	}
	assert_int_equal(bench->handled, 0);
	int fd = bench_socket(SOCK_STREAM, "127.0.0.1", &bench->tcp);
	memset(bench->text, 'x', 300);
	assert_int_equal(send(fd, bench->text, 300, MSG_NOSIGNAL), 300);
	clock_turn(&bench->clock, 3);
	while (recv(fd, bench->text, 100, 0) > 0)
		;
	close(fd);
}

static void half_a_message_is_not_waited_for_forever(void **state)
{
	struct bench *bench = *state;
	int half = bench_socket(SOCK_STREAM, "127.0.0.1", &bench->tcp);
	int idle = bench_socket(SOCK_STREAM, "127.0.0.1", &bench->tcp);

	assert_string_equal(ask_text(bench, half, "a d7:comm"), "");
	clock_advance(&bench->clock, 9000);
	assert_string_equal(ask_text(bench, half, "and4:ping"), "");
	assert_string_equal(ask_text(bench, idle, "a d7:command4:pinge"), "a d6:result4:ponge");
	assert_int_equal(recv(half, bench->text, 1, MSG_DONTWAIT), -1);
	clock_advance(&bench->clock, 1000);
	assert_int_equal(recv(half, bench->text, 1, 0), 0);
	assert_string_equal(ask_text(bench, idle, "b d7:command4:pinge"), "b d6:result4:ponge");
	close(half);
	close(idle);
	clock_turn(&bench->clock, 3);
}

static void a_reader_that_stalls_is_bounded_and_harms_nobody(void **state)
{
	static const char request[] = "d7:command3:big4:sizei60000ee";
	struct bench *bench = *state;
	int stalled = bench_socket(SOCK_STREAM, "127.0.0.1", &bench->tcp);
	int other = bench_socket(SOCK_STREAM, "127.0.0.1", &bench->tcp);

	for (unsigned i = 0; i < 1000; i++)
		if (send(stalled, request, strlen(request), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			break;
	clock_turn(&bench->clock, 50);
	unsigned handled = bench->handled;
	assert_true(handled < 1000); /* it stopped reading */
	assert_string_equal(ask_text(bench, other, "b d7:command4:pinge"), "b d6:result4:ponge");
	clock_advance(&bench->clock, 10000);
	assert_int_equal(bench->handled, handled + 1);
	close(stalled);
	close(other);
	clock_turn(&bench->clock, 3);
}

static void a_slow_reader_gets_every_answer(void **state)
{
	static const char request[] = "d7:command3:big4:sizei60000ee";
	struct bench *bench = *state;
	int fd = bench_socket(SOCK_STREAM, "127.0.0.1", &bench->tcp);
	size_t want = 200 * strlen("d3:big60000:e") + 200 * 60000;
	size_t got = 0;

	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
	for (unsigned i = 0; i < 2000 && got < want; i++) {
		ssize_t n;

		clock_turn(&bench->clock, 1);
		while ((n = recv(fd, bench->text, sizeof(bench->text), MSG_DONTWAIT)) > 0)
			got += (size_t)n;
	}
	assert_int_equal(got, want);
	assert_int_equal(bench->handled, 200);
	close(fd);
	clock_turn(&bench->clock, 3);
}

static void the_time_allowed_is_that_of_one_message(void **state)
{
	struct bench *bench = *state;
	int fd = bench_socket(SOCK_STREAM, "127.0.0.1", &bench->tcp);

	assert_string_equal(ask_text(bench, fd, "a d7:comm"), "");
	for (unsigned i = 0; i < 5; i++) {
		clock_advance(&bench->clock, 6000);
		/* The end of one message and the start of the next. */
		assert_int_equal(ask_text(bench, fd, "and4:pinge a d7:comm")[0], 'a');
	}
	clock_advance(&bench->clock, 10000);
	assert_int_equal(recv(fd, bench->text, 1, 0), 0);
	close(fd);
}

static void connections_are_counted(void **state)
{
	struct bench *bench = *state;
	int fds[6];

	for (unsigned i = 0; i < 6; i++) {
		fds[i] = bench_socket(SOCK_STREAM, "127.0.0.1", &bench->tcp);
		clock_turn(&bench->clock, 3);
	}
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(recv(fds[i], bench->text, 1, MSG_DONTWAIT), -1);
	assert_int_equal(recv(fds[4], bench->text, 1, MSG_DONTWAIT), 0);
	close(fds[0]);
	clock_turn(&bench->clock, 3);
	fds[0] = bench_socket(SOCK_STREAM, "127.0.0.1", &bench->tcp);
	assert_string_equal(ask_text(bench, fds[0], "a d7:command4:pinge"), "a d6:result4:ponge");
	for (unsigned i = 0; i < 6; i++)
		close(fds[i]);
	clock_turn(&bench->clock, 3);
}

static int unix_connect(const char *path)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(name.sun_path, sizeof(name.sun_path), "%s", path);
	assert_int_equal(connect(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	return fd;
}

static void unix_sockets_need_no_cookie(void **state)
{
	struct bench *bench = *state;
	struct stat status;
	int fd = unix_connect(bench->path);

	assert_string_equal(ask_text(bench, fd, "d7:command5:counte"), "d5:counti1ee");
	assert_string_equal(ask_text(bench, fd, "d7:command5:counte"), "d5:counti2ee");
	assert_string_equal(ask_text(bench, fd, "d7 d7:command5:counte"), "d7 d5:counti3ee");
	assert_string_equal(ask_text(bench, fd, "d7"), "");
	assert_string_equal(ask_text(bench, fd, ":command5:counte"), "d5:counti4ee");
	assert_int_equal(stat(bench->path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0660);
	close(fd);
	clock_turn(&bench->clock, 3);
}

static const char *resume(struct bench *bench, int fd)
{
	ng_server_resume(bench->server, 7);
	clock_turn(&bench->clock, 3);
	ssize_t n = recv(fd, bench->text, sizeof(bench->text) - 1, MSG_DONTWAIT);
	bench->text[n > 0 ? n : 0] = '\0';
	return bench->text;
}

static void what_waits_comes_again(void **state)
{
	struct bench *bench = *state;
	int fd = bench_socket(SOCK_DGRAM, "127.0.0.1", &bench->any);

	assert_string_equal(ask_text(bench, fd, "u1 d7:command5:latere"), "");
	assert_string_equal(ask_text(bench, fd, "u2 d7:command5:counte"), "u2 d5:counti1ee");
	assert_string_equal(resume(bench, fd), "u1 d5:counti2ee");
	assert_string_equal(ask_text(bench, fd, "u1 d7:command5:latere"), "u1 d5:counti2ee");
	ng_server_resume(bench->server, 7);
	assert_int_equal(bench->handled, 2);
	close(fd);
	/* A stream is answered in its order. */
	fd = unix_connect(bench->path);
	assert_string_equal(ask_text(bench, fd, "d7:command5:latere"), "");
	assert_string_equal(ask_text(bench, fd, "d7:command5:counte"), "");
	assert_string_equal(resume(bench, fd), "d5:counti3eed5:counti4ee");
	assert_string_equal(ask_text(bench, fd, "s d7:command5:latere"), "");
	assert_string_equal(resume(bench, fd), "s d5:counti5ee");
	assert_string_equal(ask_text(bench, fd, "t d7:command5:latere"), "");
	close(fd);
	clock_turn(&bench->clock, 3);
	ng_server_resume(bench->server, 7);
	fd = bench_socket(SOCK_DGRAM, "127.0.0.1", &bench->udp);
	/* More than are held: the rest is answered at once. */
	for (unsigned i = 0; i < 1024; i++) {
		char text[64];

		snprintf(text, sizeof(text), "m%u d7:command5:latere", i);
		assert_string_equal(ask_text(bench, fd, text), "");
	}
	assert_string_not_equal(ask_text(bench, fd, "m d7:command5:latere"), "");
	close(fd);
}

static void a_served_path_is_left_and_a_stale_one_replaced(void **state)
{
	struct bench *bench = *state;
	struct ng_endpoint endpoint = {.transport = NG_UNIX, .path = bench->path};
	struct log quiet = {.level = LOG_ERROR, .fd = -1, .program = "test"};
	struct ng_server_config config = {
		.loop = bench->clock.loop,
		.wheel = bench->clock.wheel,
		.log = &quiet,
		.listeners = &endpoint,
		.listener_count = 1,
		.handler = handle,
		.owner = bench,
	};
	struct ng_server *second;

	assert_int_equal(ng_server_create(&config, &second), -ERR_BUSY);
	close(unix_connect(bench->path)); /* still there */
	clock_turn(&bench->clock, 3);

	char stale[80];
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	snprintf(stale, sizeof(stale), "%s.stale", bench->path);
	snprintf(name.sun_path, sizeof(name.sun_path), "%s", stale);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	close(fd);
	endpoint.path = stale;
	assert_int_equal(ng_server_create(&config, &second), 0);
	ng_server_destroy(second);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_bench, close_bench)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_framing_gets_its_answer),
		TEST(long_cookies_and_long_replies_are_bounded),
		TEST(a_retransmission_is_answered_without_running_it_again),
		TEST(the_answer_leaves_from_where_the_request_came_to),
		cmocka_unit_test_setup_teardown(strangers_are_not_answered, open_allowing,
						close_bench),
		TEST(a_stream_may_come_in_any_pieces),
		TEST(a_stream_may_speak_json),
		TEST(a_malformed_stream_is_answered_and_closed),
		TEST(half_a_message_is_not_waited_for_forever),
		TEST(a_reader_that_stalls_is_bounded_and_harms_nobody),
		TEST(a_slow_reader_gets_every_answer),
		TEST(the_time_allowed_is_that_of_one_message),
		TEST(connections_are_counted),
		TEST(unix_sockets_need_no_cookie),
		TEST(what_waits_comes_again),
		TEST(a_served_path_is_left_and_a_stale_one_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
