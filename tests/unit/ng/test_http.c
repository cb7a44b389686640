/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/ng/bench.h"

struct bench {
	struct clock clock;
	struct ng_server *server;
	struct addr at;
	unsigned handled;
	char text[70000];
	size_t len;
};

static void handle(void *owner, const struct ng_request *request, struct ng_value *reply)
{
	struct bench *bench = owner;

	if (request->wait && slice_equal(request->command, SLICE("later"))) {
		*request->wait = 7;
		return;
	}
	ng_dict_add_integer(request->arena, reply, "count", ++bench->handled);
}

static int open_with(void **state, const char *allow_text)
{
	struct bench *bench = test_calloc(1, sizeof(*bench));
	struct ng_endpoint listener = {.transport = NG_HTTP, .addr = bench_addr("127.0.0.1:0")};
	struct cidr allow;

	clock_open(&bench->clock);
	assert_int_equal(cidr_parse(slice_from(allow_text), &allow), 0);
	struct ng_server_config config = {
		.loop = bench->clock.loop,
		.wheel = bench->clock.wheel,
		.log = &bench_log,
		.listeners = &listener,
		.listener_count = 1,
		.allow = &allow,
		.allow_count = 1,
		.max_connections = 4,
		.handler = handle,
		.owner = bench,
	};
	assert_int_equal(ng_server_create(&config, &bench->server), 0);
	assert_int_equal(ng_server_address(bench->server, 0, &bench->at), 0);
	*state = bench;
	return 0;
}

static int open_bench(void **state)
{
	return open_with(state, "127.0.0.0/8");
}

static int open_denying(void **state)
{
	return open_with(state, "192.0.2.0/24");
}

static int close_bench(void **state)
{
	struct bench *bench = *state;

	ng_server_destroy(bench->server);
	assert_int_equal(wheel_armed(bench->clock.wheel), 0);
	clock_close(&bench->clock);
	test_free(bench);
	return 0;
}

/* Send, let the server work, return what came back ("" = nothing). */
static const char *ask(struct bench *bench, int fd, const char *text, size_t len)
{
	assert_int_equal(send(fd, text, len, MSG_NOSIGNAL), len);
	bench->len = 0;
	for (unsigned i = 0; i < 5; i++) {
		clock_turn(&bench->clock, 3);
		ssize_t n = recv(fd, bench->text + bench->len, sizeof(bench->text) - 1 - bench->len,
				 MSG_DONTWAIT);
		bench->len += n > 0 ? (size_t)n : 0;
	}
	bench->text[bench->len] = '\0';
	return bench->text;
}

static const char *post(struct bench *bench, int fd, const char *path, const char *body)
{
	char text[1024];
	int len = snprintf(text, sizeof(text),
			   "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n%s", path,
			   strlen(body), body);

	return ask(bench, fd, text, (size_t)len);
}

static void assert_contains(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" is not in \"%s\"", part, text);
}

static void requests_are_posted(void **state)
{
	struct bench *bench = *state;
	int fd = bench_socket(SOCK_STREAM, "127.0.0.1", &bench->at);

	assert_contains(post(bench, fd, "/ng", "c1 d7:command4:pinge"), "c1 d5:counti1ee");
	assert_contains(post(bench, fd, "/ng", "c1 d7:command4:pinge"), "c1 d5:counti1ee");
	assert_contains(post(bench, fd, "/ng-plain", "{\"command\":\"x\"}"), "{\"count\":2}");
	assert_contains(bench->text, "application/json");
	assert_contains(post(bench, fd, "/ng", "nocookie"), "400 Bad Request");
	assert_contains(post(bench, fd, "/other", "c1 de"), "404 Not Found");
	assert_contains(ask(bench, fd, "GET /ping HTTP/1.1\r\nHost: x\r\n\r\n", 31), "pong");
	assert_contains(ask(bench, fd, "PUT /ng HTTP/1.1\r\nHost: x\r\n\r\n", 29), "405 ");
	close(fd);
	clock_turn(&bench->clock, 3);
}

static void a_body_too_large_is_refused(void **state)
{
	static char body[80000];
	struct bench *bench = *state;
	int fd = bench_socket(SOCK_STREAM, "127.0.0.1", &bench->at);
	static const char head[] = "POST /ng HTTP/1.1\r\nHost: x\r\nContent-Length: 80000\r\n\r\n";

	memset(body, 'x', sizeof(body));
	assert_string_equal(ask(bench, fd, head, sizeof(head) - 1), "");
	assert_contains(ask(bench, fd, body, sizeof(body)), "413 ");
	assert_int_equal(bench->handled, 0);
	close(fd);
	clock_turn(&bench->clock, 3);
}

static void strangers_get_nothing(void **state)
{
	struct bench *bench = *state;
	int fd = bench_socket(SOCK_STREAM, "127.0.0.1", &bench->at);

	clock_turn(&bench->clock, 5);
	assert_int_equal(recv(fd, bench->text, 1, 0), 0);
	assert_int_equal(counter_get(&ng_server_counters(bench->server)->denied), 1);
	close(fd);
}

#define HANDSHAKE(protocol)                                                                        \
	"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n" \
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"             \
	"Sec-WebSocket-Protocol: " protocol "\r\n\r\n"

/* A masked text frame with this payload (RFC 6455 5.2); the mask is zero. */
static size_t frame(char *out, const char *text)
{
	size_t len = strlen(text);

	assert_true(len < 126);
	memcpy(out, "\x81\x00\0\0\0\0", 6);
	out[1] = (char)(0x80 | len);
	memcpy(out + 6, text, len);
	return len + 6;
}

static void websockets_carry_messages(void **state)
{
	struct bench *bench = *state;
	int fd = bench_socket(SOCK_STREAM, "127.0.0.1", &bench->at);
	char text[512] = HANDSHAKE("foo, ng.rtpengine.com");
	size_t len = strlen(text);

	/* The first message comes with the handshake. */
	len += frame(text + len, "w1 d7:command4:pinge");
	assert_contains(ask(bench, fd, text, len), "101 Switching Protocols");
	/* RFC 6455 1.3 */
	assert_contains(bench->text, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
	assert_contains(bench->text, "w1 d5:counti1ee");
	len = frame(text, "w2 d7:command4:pinge");
	len += frame(text + len, "nocookie");
	len += frame(text + len, "w3 d7:command4:pinge");
	ask(bench, fd, text, len);
	assert_int_equal(bench->len, 34);
	assert_memory_equal(bench->text, "\x81\x0fw2 d5:counti2ee\x81\x0fw3 d5:counti3ee", 34);
	/* Byte by byte, then a close: answered, and gone. */
	len = frame(text, "w4 d7:command4:pinge");
	for (size_t i = 0; i + 1 < len; i++)
		assert_int_equal(send(fd, text + i, 1, MSG_NOSIGNAL), 1);
	assert_contains(ask(bench, fd, text + len - 1, 1) + 2, "w4 d5:counti4ee");
	ask(bench, fd, "\x88\x82\0\0\0\0\x03\xe8", 8);
	assert_memory_equal(bench->text, "\x88\x02\x03\xe8", 4);
	assert_int_equal(recv(fd, bench->text, 1, 0), 0);
	close(fd);
}

static const char *resume(struct bench *bench, int fd)
{
	ng_server_resume(bench->server, 7);
	return ask(bench, fd, "", 0);
}

static void what_waits_comes_again(void **state)
{
	struct bench *bench = *state;
	int fd = bench_socket(SOCK_STREAM, "127.0.0.1", &bench->at);
	char text[512] = HANDSHAKE("ng.rtpengine.com");
	size_t len = strlen(text);

	assert_string_equal(post(bench, fd, "/ng", "c1 d7:command5:latere"), "");
	assert_contains(resume(bench, fd), "c1 d5:counti1ee");
	assert_contains(post(bench, fd, "/ng", "c2 d7:command4:pinge"), "c2 d5:counti2ee");
	close(fd);
	clock_turn(&bench->clock, 3);
	fd = bench_socket(SOCK_STREAM, "127.0.0.1", &bench->at);
	len += frame(text + len, "w1 d7:command5:latere");
	len += frame(text + len, "w2 d7:command4:pinge");
	assert_contains(ask(bench, fd, text, len), "w2 d5:counti3ee");
	resume(bench, fd);
	assert_int_equal(bench->len, 17);
	assert_memory_equal(bench->text, "\x81\x0fw1 d5:counti4ee", 17);
	/* One closes while it waits, one still waits at the end. */
	len = frame(text, "w3 d7:command5:latere");
	ask(bench, fd, text, len);
	close(fd);
	clock_turn(&bench->clock, 3);
	ng_server_resume(bench->server, 7);
	assert_int_equal(bench->handled, 4);
	fd = bench_socket(SOCK_STREAM, "127.0.0.1", &bench->at);
	assert_string_equal(post(bench, fd, "/ng", "c3 d7:command5:latere"), "");
	close(fd);
}

static void bad_handshakes_are_refused(void **state)
{
	static const char *const rows[] = {
		HANDSHAKE("sip"),
		"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n"
		"Sec-WebSocket-Protocol: ng.rtpengine.com\r\n\r\n",
	};
	struct bench *bench = *state;

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int fd = bench_socket(SOCK_STREAM, "127.0.0.1", &bench->at);
		assert_contains(ask(bench, fd, rows[i], strlen(rows[i])), "400 Bad Request");
		close(fd);
		clock_turn(&bench->clock, 3);
	}
}

static void bad_frames_close_the_websocket(void **state)
{
	static const char plain[] = HANDSHAKE("ng-plain.rtpengine.com");
	static const char *const rows[] = {
		"\x81\x05hello",                              /* not masked */
		"\xf1\x80\0\0\0\0",                           /* reserved bits */
		"\x81\xff\x7f\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", /* 2^62 bytes */
	};
	static const size_t lengths[] = {7, 6, 18};
	struct bench *bench = *state;

	for (unsigned i = 0; i < 3; i++) {
		int fd = bench_socket(SOCK_STREAM, "127.0.0.1", &bench->at);
		ask(bench, fd, plain, sizeof(plain) - 1);
		assert_contains(bench->text, "101 ");
		ask(bench, fd, rows[i], lengths[i]);
		close(fd);
		clock_turn(&bench->clock, 3);
	}
	assert_int_equal(bench->handled, 0);
}

static void what_is_open_at_the_end_is_closed(void **state)
{
	static const char text[] = HANDSHAKE("ng.rtpengine.com");
	struct bench *bench = *state;
	int fd = bench_socket(SOCK_STREAM, "127.0.0.1", &bench->at);

	assert_contains(ask(bench, fd, text, sizeof(text) - 1), "101 ");
	int half = bench_socket(SOCK_STREAM, "127.0.0.1", &bench->at);
	ask(bench, half, "POST /ng HT", 11);
	close_bench(state);
	assert_int_equal(recv(fd, &(char){0}, 1, 0), 0);
	assert_int_equal(recv(half, &(char){0}, 1, 0), 0);
	close(fd);
	close(half);
	open_bench(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_bench, close_bench)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(requests_are_posted),
		TEST(a_body_too_large_is_refused),
		cmocka_unit_test_setup_teardown(strangers_get_nothing, open_denying, close_bench),
		TEST(websockets_carry_messages),
		TEST(what_waits_comes_again),
		TEST(bad_handshakes_are_refused),
		TEST(bad_frames_close_the_websocket),
		TEST(what_is_open_at_the_end_is_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
