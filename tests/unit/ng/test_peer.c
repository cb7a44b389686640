/* The client against Debian's rtpengine, started here on loopback: what it answers to ping, offer,
 * answer, query and delete is what the contract says.
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/ng/bench.h"
#include "control/ng/bencode.h"
#include "control/ng/client.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#define SDP(port)                                                                                  \
	"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"                \
	"m=audio " port " RTP/AVP 0\r\n"

struct bench {
	struct clock clock; /* its fake wheel stays unused */
	struct random_system random;
	struct arena *arena;
	struct arena *kept; /* the last reply */
	struct ng_client *client;
	pid_t peer;
	struct addr addr;
	int err;
	unsigned done;
	struct ng_value *reply;
};

static void on_done(void *owner, uint64_t handle, const struct ng_reply *reply)
{
	struct bench *bench = owner;
	struct buf buf;

	(void)handle;
	bench->done++;
	bench->err = reply->err;
	bench->reply = NULL;
	if (!reply->dict)
		return;
	/* Our encoder writes what our decoder read from it, and it reads the same again. */
	buf_init(&buf);
	bencode_write(&buf, reply->dict);
	struct slice copy = arena_copy(bench->kept, buf_slice(&buf));
	assert_int_equal(bencode_read(bench->kept, copy, &bench->reply), 0);
	buf_free(&buf);
}

/* A port of both kinds that nobody has. */
static void find_port(struct bench *bench)
{
	struct sockaddr_storage name;
	socklen_t len = sizeof(name);
	int fd = bench_socket(SOCK_DGRAM, "127.0.0.1", NULL);

	assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &len), 0);
	addr_from_sockaddr((struct sockaddr *)&name, &bench->addr);
	close(fd);
}

static void start_peer(struct bench *bench)
{
	char listen[ADDR_TEXT_SIZE + 16];
	char stream[ADDR_TEXT_SIZE + 16];
	char text[ADDR_TEXT_SIZE];

	find_port(bench);
	snprintf(listen, sizeof(listen), "--listen-ng=%s", addr_text(&bench->addr, text));
	snprintf(stream, sizeof(stream), "--listen-tcp-ng=%s", text);
	bench->peer = fork();
	assert_true(bench->peer >= 0);
	if (bench->peer)
		return;
	int null = open("/dev/null", O_RDWR);
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	execlp("rtpengine", "rtpengine", "-f", "--config-file=none", "--table=-1",
	       "--interface=127.0.0.1", "--port-min=42000", "--port-max=42100", listen, stream,
	       "--log-stderr", (char *)NULL);
	_exit(127);
}

static bool is_installed(void)
{
	return access("/usr/bin/rtpengine", X_OK) == 0 || access("/usr/sbin/rtpengine", X_OK) == 0;
}

static void open_client(struct bench *bench, enum ng_transport transport)
{
	static const struct log quiet = {.level = LOG_ERROR, .fd = -1, .program = "test"};
	struct ng_relay_config relay = {.name = "peer",
					.endpoint = {.transport = transport, .addr = bench->addr}};
	struct ng_client_config config = {
		.loop = bench->clock.loop,
		.log = &quiet,
		.random = &bench->random.base,
		.relays = &relay,
		.relay_count = 1,
		.timeout_ms = 200,
		.tries = 30,
	};

	assert_int_equal(ng_client_create(&config, &bench->client), 0);
}

static int open_bench(void **state, enum ng_transport transport)
{
	if (!is_installed())
		return 0;
	struct bench *bench = test_calloc(1, sizeof(*bench));

	clock_open(&bench->clock);
	random_system_init(&bench->random);
	assert_int_equal(arena_create(4096, 1 << 20, &bench->arena), 0);
	assert_int_equal(arena_create(4096, 1 << 20, &bench->kept), 0);
	start_peer(bench);
	open_client(bench, transport);
	*state = bench;
	return 0;
}

static int open_udp(void **state)
{
	return open_bench(state, NG_UDP);
}

static int open_tcp(void **state)
{
	return open_bench(state, NG_TCP);
}

static int close_bench(void **state)
{
	struct bench *bench = *state;

	if (!bench)
		return 0;
	ng_client_destroy(bench->client);
	kill(bench->peer, SIGKILL);
	waitpid(bench->peer, NULL, 0);
	arena_destroy(bench->arena);
	arena_destroy(bench->kept);
	clock_close(&bench->clock);
	test_free(bench);
	return 0;
}

/* Ask, wait for the answer (it starts while we ask: retransmission bridges that). */
static const char *ask(struct bench *bench, const char *command, const char *sdp,
		       const char *to_tag)
{
	struct ng_value *dict = ng_dict_create(bench->arena);
	static char result[64];
	unsigned before = bench->done;

	ng_dict_add_string(bench->arena, dict, "command", slice_from(command));
	ng_dict_add_string(bench->arena, dict, "call-id", SLICE("peer@test"));
	ng_dict_add_string(bench->arena, dict, "from-tag", SLICE("from"));
	if (to_tag)
		ng_dict_add_string(bench->arena, dict, "to-tag", slice_from(to_tag));
	/* Its default is to keep a deleted call for 30 s. */
	ng_dict_add_integer(bench->arena, dict, "delete delay", 0);
	if (sdp)
		ng_dict_add_string(bench->arena, dict, "sdp", slice_from(sdp));
	assert_int_equal(ng_client_request(bench->client, 0, dict, on_done, bench, 0), 0);
	for (unsigned i = 0; i < 600 && bench->done == before; i++)
		clock_turn(&bench->clock, 10);
	assert_int_equal(bench->done, before + 1);
	assert_int_equal(bench->err, 0);
	slice_copy(ng_get_string(bench->reply, "result"), result, sizeof(result));
	return result;
}

static void a_call_is_driven_through(void **state)
{
	struct bench *bench = *state;
	struct ng_relay_state relay;
	int64_t number;

	if (!bench)
		fail_msg("no rtpengine here: apt-get install rtpengine-daemon");
	assert_string_equal(ask(bench, "ping", NULL, NULL), "pong");
	assert_string_equal(ask(bench, "offer", SDP("40000"), NULL), "ok");
	struct slice sdp = ng_get_string(bench->reply, "sdp");
	assert_true(slice_starts(sdp, SLICE("v=0\r\n")));
	assert_true(slice_find_slice(sdp, SLICE("m=audio 42")) < sdp.len);
	assert_string_equal(ask(bench, "answer", SDP("40002"), "to"), "ok");
	assert_true(slice_find_slice(ng_get_string(bench->reply, "sdp"), SLICE("m=audio 42")) <
		    ng_get_string(bench->reply, "sdp").len);

	assert_string_equal(ask(bench, "query", NULL, NULL), "ok");
	const struct ng_value *tags = ng_get_dict(bench->reply, "tags");
	const struct ng_value *from = ng_dict_get_exact(tags, SLICE("from"));
	const struct ng_value *media = ng_first(ng_get_list(from, "medias"));
	const struct ng_value *stream = ng_first(ng_get_list(media, "streams"));
	assert_non_null(ng_dict_get_exact(tags, SLICE("to")));
	assert_int_equal(ng_get_integer(stream, "local-port", &number), 0);
	assert_in_range(number, 42000, 42100);
	assert_int_equal(ng_get_integer(bench->reply, "created", &number), 0);

	assert_string_equal(ask(bench, "delete", NULL, NULL), "ok");
	assert_string_equal(ask(bench, "query", NULL, NULL), "error");
	assert_true(
		slice_equal(ng_get_string(bench->reply, "error-reason"), SLICE("Unknown call-id")));
	assert_string_equal(ask(bench, "nonsense", NULL, NULL), "error");
	assert_true(slice_equal(ng_get_string(bench->reply, "error-reason"),
				SLICE("Unrecognized command")));
	/* It may have refused us while it started; the next ping takes it back. */
	clock_turn(&bench->clock, 200);
	ng_client_relays(bench->client, 0, &relay);
	assert_true(relay.in_service);
	assert_false(relay.is_ours);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{"a_call_is_driven_through_over_udp", a_call_is_driven_through, open_udp,
		 close_bench, NULL},
		{"a_call_is_driven_through_over_tcp", a_call_is_driven_through, open_tcp,
		 close_bench, NULL},
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
