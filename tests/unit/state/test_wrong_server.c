/* What is on Redis' port is not Redis, or means harm: the store names it, tries again, and neither
 * hangs nor grows nor falls. SPDX-License-Identifier: Apache-2.0 */
#include "control/state/redis.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

/* Says the same to everybody, in the same loop as the store. */
struct wrong_server {
	int fd;
	struct loop_io *io;
	int peer;
	struct loop_io *peer_io;
	struct slice speech; /* in answer to the first bytes; again and again when `flood` */
	bool flood;
	bool closes; /* after it */
	bool early;  /* does not wait to be asked */
	unsigned connections;
};

struct bench {
	struct loop *loop;
	struct log log;
	struct wrong_server server;
	struct store *store;
	struct timer poll;
	uint64_t until_ms;
	unsigned done;
	int err;
};

static void peer_close(struct wrong_server *server)
{
	loop_io_remove(server->peer_io);
	server->peer_io = NULL;
	if (server->peer >= 0)
		close(server->peer);
	server->peer = -1;
}

static void speak(struct wrong_server *server)
{
	ssize_t n = send(server->peer, server->speech.data, server->speech.len,
			 MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)n; /* the store may have hung up: that is its right */
	if (server->closes)
		peer_close(server);
}

static void on_peer(void *owner, int events)
{
	struct wrong_server *server = owner;
	char bytes[4096];
	if ((events & LOOP_READ) && recv(server->peer, bytes, sizeof(bytes), MSG_DONTWAIT) == 0) {
		peer_close(server);
		return;
	}
	if (server->speech.len)
		speak(server);
}

static void on_accept(void *owner, int events)
{
	struct wrong_server *server = owner;
	(void)events;
	peer_close(server);
	server->peer = accept(server->fd, NULL, NULL);
	server->connections++;
	if (server->early) {
		speak(server);
		return;
	}
	struct bench *b = container_of(server, struct bench, server);
	int wanted = LOOP_READ | (server->flood ? LOOP_WRITE : 0);
	assert_int_equal(
		loop_io_add(b->loop, server->peer, wanted, on_peer, server, &server->peer_io), 0);
}

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	struct sockaddr_in here = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct store_redis_config config = {.log = &b->log, .timeout_ms = 50, .dead_ms = 200};
	socklen_t len = sizeof(here);
	*state = b;
	b->log = (struct log){.level = LOG_ERROR, .fd = 2, .program = "test"};
	assert_int_equal(loop_create(&b->loop), 0);
	b->server.peer = -1;
	b->server.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(b->server.fd, (void *)&here, sizeof(here)), 0);
	assert_int_equal(listen(b->server.fd, 8), 0);
	assert_int_equal(getsockname(b->server.fd, (void *)&here, &len), 0);
	assert_int_equal(
		loop_io_add(b->loop, b->server.fd, LOOP_READ, on_accept, &b->server, &b->server.io),
		0);
	config.loop = b->loop;
	addr_from_sockaddr((void *)&here, &config.address);
	return store_redis_create(&config, &b->store);
}

static int teardown(void **state)
{
	struct bench *b = *state;
	store_destroy(b->store);
	peer_close(&b->server);
	loop_io_remove(b->server.io);
	close(b->server.fd);
	assert_int_equal(wheel_armed(loop_wheel(b->loop)), 0);
	loop_destroy(b->loop);
	free(b);
	return 0;
}

static void on_done(void *owner, uint64_t handle, const struct store_reply *reply)
{
	struct bench *b = owner;
	(void)handle;
	b->done++;
	b->err = reply->err;
}

/* A call is answered every 10 ms. */
static void on_poll(struct timer *timer, uint64_t now_ms)
{
	struct bench *b = container_of(timer, struct bench, poll);
	store_put(b->store, SLICE("call:{a}"), SLICE("v"), 60, on_done, b, 0);
	if (now_ms >= b->until_ms)
		loop_stop(b->loop);
	else
		wheel_arm(loop_wheel(b->loop), timer, now_ms + 10, on_poll);
}

static struct store_status run(struct bench *b, uint64_t ms)
{
	struct store_status status;
	b->until_ms = loop_now_ms(b->loop) + ms;
	wheel_arm(loop_wheel(b->loop), &b->poll, 0, on_poll);
	loop_run(b->loop);
	store_status(b->store, &status);
	assert_true(b->done + status.pending >= status.puts); /* nobody was forgotten */
	return status;
}

/* Within 5 s; usually at once. */
static void assert_named(struct bench *b, enum store_state state, const char *reason)
{
	struct store_status status = run(b, 50);
	for (int i = 0; i < 100 && !(status.state == state && strstr(status.reason, reason)); i++)
		status = run(b, 50);
	if (status.state != state || !strstr(status.reason, reason))
		fail_msg("%s, \"%s\", not \"%s\"", store_state_text(status.state), status.reason,
			 reason);
	assert_int_equal(status.acknowledged, 0);
	assert_true(status.unprotected > 0);
}

static void a_web_server_is_named(void **state)
{
	struct bench *b = *state;
	b->server.speech = SLICE("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
	b->server.closes = true;
	assert_named(b, STORE_REFUSING, "does not speak the Redis protocol: ");
	run(b, 500);
	assert_in_range(b->server.connections, 2, 6); /* back-off */
}

static void a_silent_server_is_named(void **state)
{
	struct bench *b = *state;
	assert_named(b, STORE_DOWN, "no answer for 200 ms");
	run(b, 500);
	assert_true(b->server.connections >= 2);
}

static void a_server_that_hangs_up_is_named(void **state)
{
	struct bench *b = *state;
	b->server.early = true;
	b->server.closes = true;
	assert_named(b, STORE_DOWN, "closed by the server");
}

static void a_full_server_is_named(void **state)
{
	struct bench *b = *state;
	b->server.speech = SLICE("-ERR max number of clients reached\r\n");
	b->server.early = true;
	b->server.closes = true;
	assert_named(b, STORE_REFUSING, "max number of clients");
}

/* For what may end in more than one way: the store has hung up and tried again. */
static void assert_left(struct bench *b)
{
	struct store_status status = run(b, 50);
	for (int i = 0; i < 100 && b->server.connections < 2; i++)
		status = run(b, 50);
	assert_true(b->server.connections >= 2);
	assert_int_not_equal(status.state, STORE_UP);
}

static void answers_nobody_asked_for_end_the_connection(void **state)
{
	struct bench *b = *state;
	b->server.speech = SLICE("+OK\r\n:7\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n");
	assert_left(b);
}

static void an_endless_value_is_cut_off(void **state)
{
	static char flood[64 * 1024];
	struct bench *b = *state;
	memset(flood, 'x', sizeof(flood));
	memcpy(flood, "$2000000000\r\n", 13);
	b->server.speech = (struct slice){flood, sizeof(flood)};
	b->server.flood = true;
	assert_named(b, STORE_REFUSING, "answer too large");
}

static void an_endless_line_is_cut_off(void **state)
{
	static char flood[64 * 1024];
	struct bench *b = *state;
	memset(flood, '+', sizeof(flood));
	b->server.speech = (struct slice){flood, sizeof(flood)};
	b->server.flood = true;
	assert_left(b); /* too large, or too late on a busy machine */
}

static void arrays_and_nonsense_are_refused(void **state)
{
	static const struct slice speeches[] = {
		{"*2147483647\r\n", 13},
		{"*-1\r\n", 5},
		{"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n+a\r\n", 45},
		{"$-7\r\n", 5},
		{"$999999999999999999999\r\n", 24},
		{":99999999999999999999999\r\n", 26},
		{":\r\n", 3},
		{"\0\0\0\0", 4},
		{"%1\r\n+a\r\n+b\r\n", 12},
	};
	struct bench *b = *state;
	for (size_t i = 0; i < sizeof(speeches) / sizeof(speeches[0]); i++) {
		b->server.speech = speeches[i];
		peer_close(&b->server);
		struct store_status status = run(b, 250);
		assert_int_not_equal(status.state, STORE_UP);
		assert_int_equal(status.acknowledged, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_web_server_is_named, setup, teardown),
		cmocka_unit_test_setup_teardown(a_silent_server_is_named, setup, teardown),
		cmocka_unit_test_setup_teardown(a_server_that_hangs_up_is_named, setup, teardown),
		cmocka_unit_test_setup_teardown(a_full_server_is_named, setup, teardown),
		cmocka_unit_test_setup_teardown(answers_nobody_asked_for_end_the_connection, setup,
						teardown),
		cmocka_unit_test_setup_teardown(an_endless_value_is_cut_off, setup, teardown),
		cmocka_unit_test_setup_teardown(an_endless_line_is_cut_off, setup, teardown),
		cmocka_unit_test_setup_teardown(arrays_and_nonsense_are_refused, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
