/* The client against relays that the test plays itself, on real sockets, by a fake clock.
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/ng/bench.h"
#include "control/ng/bencode.h"
#include "control/ng/client.h"

#define RELAYS 3

/* A relay played by the test. */
struct fake {
	int fd;
	struct addr addr;
	struct sockaddr_storage from;
	char text[66000];
	struct slice cookie;
	struct slice document;
};

struct bench {
	struct clock clock;
	struct random_system random;
	struct arena *arena;
	struct fake relays[RELAYS];
	struct ng_client *client;
	/* What the callbacks saw. */
	unsigned done;
	uint64_t handle;
	int err;
	int relay;
	char result[64];
	char ended[64];
	int restarted, lost, known;
};

static void fake_open(struct fake *fake)
{
	struct sockaddr_storage name;
	socklen_t len = sizeof(name);

	fake->fd = bench_socket(SOCK_DGRAM, "127.0.0.1", NULL);
	assert_int_equal(getsockname(fake->fd, (struct sockaddr *)&name, &len), 0);
	addr_from_sockaddr((struct sockaddr *)&name, &fake->addr);
}

/* The next request that waits there; false = none. */
static bool fake_receive(struct fake *fake)
{
	socklen_t len = sizeof(fake->from);
	ssize_t n = recvfrom(fake->fd, fake->text, sizeof(fake->text), MSG_DONTWAIT,
			     (struct sockaddr *)&fake->from, &len);

	if (n < 0)
		return false;
	fake->document = (struct slice){fake->text, (size_t)n};
	fake->cookie = slice_cut(&fake->document, ' ');
	return true;
}

static bool is_command(const struct fake *fake, const char *command)
{
	char text[64];

	snprintf(text, sizeof(text), "7:command%zu:%s", strlen(command), command);
	return slice_find_slice(fake->document, slice_from(text)) < fake->document.len;
}

static void fake_reply(struct fake *fake, const char *document)
{
	char text[1024];
	int len = snprintf(text, sizeof(text), "%.*s %s", SLICE_ARG(fake->cookie), document);

	assert_int_equal(sendto(fake->fd, text, (size_t)len, 0, (struct sockaddr *)&fake->from,
				sizeof(struct sockaddr_in)),
			 len);
}

/* Expect exactly this command next. */
static void fake_expect(struct fake *fake, const char *command)
{
	if (!fake_receive(fake))
		fail_msg("no %s", command);
	if (!is_command(fake, command))
		fail_msg("not %s: %.*s", command, SLICE_ARG(fake->document));
}

static void fake_expect_nothing(struct fake *fake)
{
	if (fake_receive(fake))
		fail_msg("unexpected %.*s", SLICE_ARG(fake->document));
}

static void on_done(void *owner, uint64_t handle, const struct ng_reply *reply)
{
	struct bench *bench = owner;

	bench->done++;
	bench->handle = handle;
	bench->err = reply->err;
	bench->relay = reply->relay;
	slice_copy(ng_get_string(reply->dict, "result"), bench->result, sizeof(bench->result));
	assert_int_equal(reply->err == 0, reply->dict != NULL);
}

static void on_ended(void *owner, int relay, struct slice call_id)
{
	struct bench *bench = owner;

	bench->relay = relay;
	slice_copy(call_id, bench->ended, sizeof(bench->ended));
}

static void on_news(void *owner, int relay, enum ng_news news)
{
	struct bench *bench = owner;

	if (news == NG_NEWS_RESTARTED)
		bench->restarted = relay;
	else if (news == NG_NEWS_LOST)
		bench->lost = relay;
	else
		bench->known = relay;
}

/* Let sockets work and answer pings with pong; other requests stay in the queue of the relay. */
static void turn(struct bench *bench)
{
	clock_turn(&bench->clock, 3);
}

static void answer_pings(struct bench *bench)
{
	for (unsigned i = 0; i < RELAYS; i++) {
		fake_expect(&bench->relays[i], "ping");
		fake_reply(&bench->relays[i], "d6:result4:ponge");
	}
	turn(bench);
}

static void open_client(struct bench *bench, unsigned relay_count, uint32_t ping_ms,
			const struct ng_endpoint *endpoint)
{
	struct ng_relay_config relays[RELAYS];
	struct log quiet = {.level = LOG_ERROR, .fd = -1, .program = "test"};
	static struct log log;

	log = quiet;
	for (unsigned i = 0; i < RELAYS; i++) {
		relays[i] = (struct ng_relay_config){.name = "fake"};
		relays[i].endpoint =
			(struct ng_endpoint){.transport = NG_UDP, .addr = bench->relays[i].addr};
	}
	if (endpoint)
		relays[0].endpoint = *endpoint;
	struct ng_client_config config = {
		.loop = bench->clock.loop,
		.wheel = bench->clock.wheel,
		.log = &log,
		.random = &bench->random.base,
		.relays = relays,
		.relay_count = relay_count,
		.ping_ms = ping_ms,
		.max_pending = 100,
	};
	assert_int_equal(ng_client_create(&config, &bench->client), 0);
	ng_client_on_ended(bench->client, on_ended, bench);
	ng_client_on_news(bench->client, on_news, bench);
}

static int open_bench(void **state)
{
	struct bench *bench = test_calloc(1, sizeof(*bench));

	clock_open(&bench->clock);
	random_system_init(&bench->random);
	assert_int_equal(arena_create(4096, 1 << 20, &bench->arena), 0);
	for (unsigned i = 0; i < RELAYS; i++)
		fake_open(&bench->relays[i]);
	bench->restarted = bench->lost = bench->known = -1;
	*state = bench;
	return 0;
}

static int close_bench(void **state)
{
	struct bench *bench = *state;

	ng_client_destroy(bench->client);
	assert_int_equal(wheel_armed(bench->clock.wheel), 0);
	for (unsigned i = 0; i < RELAYS; i++)
		close(bench->relays[i].fd);
	arena_destroy(bench->arena);
	clock_close(&bench->clock);
	test_free(bench);
	return 0;
}

static int request(struct bench *bench, int relay, const char *command, uint64_t handle)
{
	struct ng_value *dict = ng_dict_create(bench->arena);

	ng_dict_add_string(bench->arena, dict, "command", slice_from(command));
	ng_dict_add_string(bench->arena, dict, "call-id", SLICE("c@ll"));
	int err = ng_client_request(bench->client, relay, dict, on_done, bench, handle);
	arena_reset(bench->arena); /* it is encoded at once */
	ng_client_flush(bench->client);
	return err;
}

/* ---- matching ---- */

static void a_reply_is_matched_by_cookie_and_relay(void **state)
{
	struct bench *bench = *state;
	struct fake *fake = &bench->relays[0];

	open_client(bench, 2, 1000000, NULL);
	assert_int_equal(request(bench, 0, "query", 77), 0);
	fake_expect(fake, "query");
	assert_int_equal(fake->cookie.len, 20);

	struct slice cookie = fake->cookie;
	fake->cookie = SLICE("01234567890123456789");
	fake_reply(fake, "d6:result2:oke");
	fake->cookie = SLICE("");
	fake_reply(fake, "d6:result2:oke");
	turn(bench);
	assert_int_equal(bench->done, 0);

	fake->cookie = cookie;
	fake_reply(fake, "d6:result2:oke");
	fake_reply(fake, "d6:result2:oke"); /* twice */
	turn(bench);
	assert_int_equal(bench->done, 1);
	assert_int_equal(bench->handle, 77);
	assert_int_equal(bench->err, 0);
	assert_int_equal(bench->relay, 0);
	assert_string_equal(bench->result, "ok");
}

static void a_reply_from_another_relay_is_not_believed(void **state)
{
	struct bench *bench = *state;

	open_client(bench, 2, 1000000, NULL);
	clock_advance(&bench->clock, 1);
	fake_expect(&bench->relays[0], "ping");
	fake_expect(&bench->relays[1], "ping"); /* and now it knows where we are */
	assert_int_equal(request(bench, 0, "query", 1), 0);
	fake_expect(&bench->relays[0], "query");
	bench->relays[1].cookie = bench->relays[0].cookie;
	fake_reply(&bench->relays[1], "d6:result2:oke");
	turn(bench);
	assert_int_equal(bench->done, 0);
	fake_reply(&bench->relays[0], "d6:result2:oke");
	turn(bench);
	assert_int_equal(bench->done, 1);
}

static void a_reply_may_be_json_or_rubbish(void **state)
{
	struct bench *bench = *state;
	struct fake *fake = &bench->relays[0];

	open_client(bench, 1, 1000000, NULL);
	assert_int_equal(request(bench, 0, "query", 1), 0);
	fake_expect(fake, "query");
	fake_reply(fake, "{\"result\":\"ok\"}");
	turn(bench);
	assert_string_equal(bench->result, "ok");
	assert_int_equal(request(bench, 0, "query", 2), 0);
	fake_expect(fake, "query");
	fake_reply(fake, "d6:result");
	turn(bench);
	assert_int_equal(bench->done, 2);
	assert_int_equal(bench->err, -ERR_MALFORMED);
	assert_int_equal(request(bench, 0, "query", 3), 0);
	fake_expect(fake, "query");
	fake_reply(fake, "l2:oke");
	turn(bench);
	assert_int_equal(bench->err, -ERR_MALFORMED);
}

/* ---- time ---- */

static void a_request_is_sent_five_times_and_given_up(void **state)
{
	struct bench *bench = *state;
	struct fake *fake = &bench->relays[0];
	char cookie[32];
	struct ng_relay_state relay;

	open_client(bench, 1, 1000000, NULL);
	clock_advance(&bench->clock, 1);
	fake_expect(fake, "ping");
	fake_reply(fake, "d6:result4:ponge");
	turn(bench);
	clock_advance(&bench->clock, 10);
	assert_int_equal(request(bench, 0, "query", 5), 0);
	for (unsigned i = 0; i < 5; i++) {
		fake_expect(fake, "query");
		if (i == 0)
			slice_copy(fake->cookie, cookie, sizeof(cookie));
		assert_true(slice_equal(fake->cookie, slice_from(cookie)));
		clock_advance(&bench->clock, 999);
		fake_expect_nothing(fake);
		assert_int_equal(bench->done, 0);
		clock_advance(&bench->clock, 1);
	}
	assert_int_equal(bench->done, 1);
	assert_int_equal(bench->err, -ERR_TIMEOUT);
	ng_client_relays(bench->client, 0, &relay);
	assert_int_equal(relay.retransmits, 4);
	assert_int_equal(relay.timeouts, 1);
	assert_int_equal(relay.pending, 0);
	assert_false(relay.in_service);
	assert_int_equal(request(bench, -1, "offer", 6), -ERR_UNREACHABLE);
	assert_int_equal(bench->done, 1);
	fake_expect_nothing(fake);
	/* A late answer finds nobody. */
	fake_reply(fake, "d6:result2:oke");
	turn(bench);
	assert_int_equal(bench->done, 1);
}

static void silence_to_one_request_does_not_condemn_a_relay(void **state)
{
	struct bench *bench = *state;
	struct fake *fake = &bench->relays[0];
	struct ng_relay_state relay;

	open_client(bench, 1, 1000000, NULL);
	assert_int_equal(request(bench, 0, "query", 1), 0);
	clock_advance(&bench->clock, 10);
	assert_int_equal(request(bench, 0, "delete", 2), 0);
	while (fake_receive(fake))
		if (!is_command(fake, "query"))
			fake_reply(fake, is_command(fake, "ping") ? "d6:result4:ponge"
								  : "d6:result2:oke");
	for (unsigned i = 0; i < 5; i++)
		clock_advance(&bench->clock, 1000);
	assert_int_equal(bench->done, 2);
	assert_int_equal(bench->err, -ERR_TIMEOUT);
	ng_client_relays(bench->client, 0, &relay);
	assert_int_equal(relay.timeouts, 1);
	assert_true(relay.in_service);
}

/* ---- fail-over ---- */

static void a_full_relay_loses_the_new_call(void **state)
{
	static const char *const refusals[] = {
		"d6:result10:load limit7:message19:Load limit exceedede",
		"d6:result5:error12:error-reason30:Parallel session limit reachede",
		"d6:result5:error12:error-reason16:Ran out of portse",
	};
	struct bench *bench = *state;
	struct ng_relay_state relay;

	open_client(bench, 3, 1000000, NULL);
	clock_advance(&bench->clock, 1);
	answer_pings(bench);
	for (unsigned i = 0; i < 3; i++) {
		struct fake *first = NULL;
		struct fake *second = NULL;

		bench->done = 0;
		assert_int_equal(request(bench, -1, "offer", i), 0);
		for (unsigned j = 0; j < RELAYS; j++)
			if (fake_receive(&bench->relays[j]))
				first = &bench->relays[j];
		assert_non_null(first);
		fake_reply(first, refusals[i]);
		turn(bench);
		assert_int_equal(bench->done, 0);
		for (unsigned j = 0; j < RELAYS; j++)
			if (fake_receive(&bench->relays[j]))
				second = &bench->relays[j];
		assert_non_null(second);
		assert_ptr_not_equal(first, second);
		assert_true(is_command(second, "offer"));
		assert_false(slice_equal(first->cookie, second->cookie));
		fake_reply(second, "d6:result2:oke");
		turn(bench);
		assert_int_equal(bench->done, 1);
		assert_int_equal(bench->relay, second - bench->relays);
		fake_expect_nothing(first); /* it refused: nothing to delete */
		ng_client_relays(bench->client, (unsigned)(first - bench->relays), &relay);
		assert_true(relay.in_service);
	}
}

static void when_all_are_full_the_last_refusal_is_told(void **state)
{
	static const char full[] = "d6:result5:error12:error-reason16:Ran out of portse";
	struct bench *bench = *state;

	open_client(bench, 2, 1000000, NULL);
	assert_int_equal(request(bench, -1, "offer", 1), 0);
	for (unsigned i = 0; i < 2; i++) {
		struct fake *fake = &bench->relays[fake_receive(&bench->relays[1]) ? 1 : 0];

		if (fake == &bench->relays[0])
			fake_expect(fake, "offer");
		fake_reply(fake, full);
		turn(bench);
	}
	assert_int_equal(bench->done, 1);
	assert_int_equal(bench->err, 0);
	assert_string_equal(bench->result, "error");
}

static void other_errors_and_known_calls_do_not_fail_over(void **state)
{
	struct bench *bench = *state;

	open_client(bench, 1, 1000000, NULL);
	assert_int_equal(request(bench, -1, "offer", 1), 0);
	fake_expect(&bench->relays[0], "offer");
	fake_reply(&bench->relays[0], "d6:result5:error12:error-reason19:Failed to parse SDPe");
	turn(bench);
	assert_int_equal(bench->done, 1);
	ng_client_destroy(bench->client);

	struct ng_relay_state relay;
	loop_destroy(bench->clock.loop);
	assert_int_equal(loop_create(&bench->clock.loop), 0);
	open_client(bench, 2, 1000000, NULL);
	assert_int_equal(request(bench, 0, "offer", 2), 0); /* a call that lives there */
	fake_expect(&bench->relays[0], "offer");
	fake_reply(&bench->relays[0], "d6:result5:error12:error-reason16:Ran out of portse");
	turn(bench);
	assert_int_equal(bench->done, 2);
	fake_expect_nothing(&bench->relays[1]);
	ng_client_relays(bench->client, 0, &relay);
	assert_int_equal(relay.failovers, 0);
}

static void a_silent_relay_loses_the_new_call_and_its_traces(void **state)
{
	struct bench *bench = *state;
	struct fake *silent;
	struct fake *other;

	open_client(bench, 2, 1000000, NULL);
	assert_int_equal(request(bench, -1, "offer", 9), 0);
	silent = fake_receive(&bench->relays[0]) ? &bench->relays[0] : &bench->relays[1];
	other = silent == &bench->relays[0] ? &bench->relays[1] : &bench->relays[0];
	while (fake_receive(other))
		;
	clock_advance(&bench->clock, 1000);
	clock_advance(&bench->clock, 1000);
	while (fake_receive(silent))
		;
	while (fake_receive(other))
		assert_false(is_command(other, "offer"));
	clock_advance(&bench->clock, 1000); /* the third try is over: another relay is there */
	bool offered = false;
	while (fake_receive(other)) {
		if (!is_command(other, "offer"))
			continue;
		offered = true;
		fake_reply(other, "d6:result2:oke");
	}
	assert_true(offered);
	bool deleted = false;
	while (fake_receive(silent))
		deleted =
			deleted || (is_command(silent, "delete") &&
				    slice_find_slice(silent->document,
						     SLICE("7:call-id4:c@ll12:delete delayi0ee")) <
					    silent->document.len);
	assert_true(deleted);
	turn(bench);
	assert_int_equal(bench->done, 1);
	assert_int_equal(bench->err, 0);
	assert_int_equal(bench->relay, other - bench->relays);
}

static void a_host_that_refuses_is_left_at_once(void **state)
{
	struct bench *bench = *state;
	struct ng_relay_state relay;

	open_client(bench, 2, 1000000, NULL);
	close(bench->relays[0].fd);
	/* One of the two offers goes to the port where nobody listens. */
	assert_int_equal(request(bench, -1, "offer", 1), 0);
	assert_int_equal(request(bench, -1, "offer", 2), 0);
	turn(bench);
	turn(bench);
	unsigned offers = 0;
	while (fake_receive(&bench->relays[1])) {
		if (!is_command(&bench->relays[1], "offer"))
			continue;
		offers++;
		fake_reply(&bench->relays[1], "d6:result2:oke");
	}
	assert_int_equal(offers, 2);
	turn(bench);
	assert_int_equal(bench->done, 2);
	ng_client_relays(bench->client, 0, &relay);
	assert_false(relay.in_service);
	bench->relays[0].fd = dup(2);
}

static void a_relay_that_restarts_is_still_asked_when_alone(void **state)
{
	struct bench *bench = *state;

	open_client(bench, 1, 1000000, NULL);
	close(bench->relays[0].fd);
	assert_int_equal(request(bench, 0, "query", 1), 0);
	turn(bench);
	assert_int_equal(request(bench, -1, "offer", 2), 0);
	bench->relays[0].fd = dup(2);
	clock_advance(&bench->clock, 5000);
	assert_int_equal(request(bench, -1, "offer", 2), -ERR_UNREACHABLE);
}

/* ---- health ---- */

static void pings_take_out_of_service_and_back(void **state)
{
	struct bench *bench = *state;
	struct fake *fake = &bench->relays[0];
	struct ng_relay_state relay;

	open_client(bench, 1, 5000, NULL);
	clock_advance(&bench->clock, 1);
	fake_expect(fake, "ping");
	assert_true(slice_equal(fake->document, SLICE("d7:command4:pinge")));
	fake_reply(fake, "d6:result5:errore");
	turn(bench);
	ng_client_relays(bench->client, 0, &relay);
	assert_false(relay.in_service);
	assert_int_equal(request(bench, -1, "offer", 1), -ERR_UNREACHABLE);

	clock_advance(&bench->clock, 500); /* sooner than usual */
	fake_expect(fake, "ping");
	clock_advance(&bench->clock, 1000); /* no answer: one try only */
	clock_advance(&bench->clock, 500);
	fake_expect(fake, "ping");
	fake_reply(fake, "d6:result4:ponge");
	turn(bench);
	ng_client_relays(bench->client, 0, &relay);
	assert_true(relay.in_service);
	assert_false(relay.is_ours);
	clock_advance(&bench->clock, 4999);
	fake_expect_nothing(fake);
	clock_advance(&bench->clock, 1);
	fake_expect(fake, "ping");
}

static void our_own_relay_tells_what_ended_and_that_it_restarted(void **state)
{
	struct bench *bench = *state;
	struct fake *fake = &bench->relays[0];

	open_client(bench, 1, 5000, NULL);
	clock_advance(&bench->clock, 1);
	fake_expect(fake, "ping");
	/* What ended before we came is not ours. */
	fake_reply(fake, "d6:result4:pong8:instance1:A8:sequencei7e5:endedl3:olde");
	fake_reply(fake, "d6:result4:pong8:instance1:A8:sequencei7e5:endedl3:oldee");
	turn(bench);
	/* The first of the two was malformed; the ping is over with it. */
	clock_advance(&bench->clock, 500);
	fake_expect(fake, "ping");
	fake_reply(fake, "d6:result4:pong8:instance1:A8:sequencei7e5:endedl3:oldee");
	turn(bench);
	assert_true(ng_client_relay_is_ours(bench->client, 0));
	assert_string_equal(bench->ended, "");
	assert_int_equal(bench->known, 0);

	clock_advance(&bench->clock, 5000);
	fake_expect(fake, "ping");
	assert_true(slice_equal(fake->document, SLICE("d7:command4:ping5:sincei7ee")));
	fake_reply(fake, "d6:result4:pong8:instance1:A8:sequencei9e5:endedl4:c@llee");
	turn(bench);
	assert_string_equal(bench->ended, "c@ll");
	assert_int_equal(bench->restarted, -1);

	clock_advance(&bench->clock, 5000);
	fake_expect(fake, "ping");
	assert_true(slice_equal(fake->document, SLICE("d7:command4:ping5:sincei9ee")));
	fake_reply(fake, "d6:result4:pong8:instance1:B8:sequencei1e5:endedl5:otheree");
	turn(bench);
	assert_int_equal(bench->restarted, 0);
	assert_string_equal(bench->ended, "c@ll");
	clock_advance(&bench->clock, 5000);
	fake_expect(fake, "ping");
	assert_true(slice_equal(fake->document, SLICE("d7:command4:ping5:sincei1ee")));
}

static void a_relay_that_stays_away_is_given_up_once(void **state)
{
	struct bench *bench = *state;
	struct fake *fake = &bench->relays[0];

	open_client(bench, 1, 1000, NULL);
	clock_advance(&bench->clock, 1);
	fake_expect(fake, "ping");
	fake_reply(fake, "d6:result4:pong8:instance1:A8:sequencei1ee");
	turn(bench);
	assert_true(ng_client_relay_serves(bench->client, -1));
	clock_advance(&bench->clock, 1000);
	for (int i = 0; i < 120; i++) {
		clock_advance(&bench->clock, 100);
		turn(bench);
	}
	assert_false(ng_client_relay_serves(bench->client, 0));
	assert_int_equal(bench->lost, 0);
	bench->lost = -1;
	clock_advance(&bench->clock, 5000);
	turn(bench);
	assert_int_equal(bench->lost, -1);
}

static void new_calls_go_to_the_least_loaded(void **state)
{
	struct bench *bench = *state;
	unsigned offers[RELAYS] = {0};
	struct ng_relay_state relay;

	open_client(bench, 3, 1000000, NULL);
	clock_advance(&bench->clock, 1);
	answer_pings(bench);
	for (unsigned i = 0; i < 30; i++) {
		assert_int_equal(request(bench, -1, "offer", i), 0);
		for (unsigned j = 0; j < RELAYS; j++) {
			if (!fake_receive(&bench->relays[j]))
				continue;
			offers[j]++;
			fake_reply(&bench->relays[j], "d6:result2:oke");
		}
		turn(bench);
	}
	for (unsigned j = 0; j < RELAYS; j++)
		assert_int_equal(offers[j], 10);
	for (unsigned i = 0; i < 6; i++) {
		assert_int_equal(request(bench, 1, "delete", i), 0);
		fake_expect(&bench->relays[1], "delete");
		fake_reply(&bench->relays[1], "d6:result2:oke");
		turn(bench);
	}
	ng_client_relays(bench->client, 1, &relay);
	assert_int_equal(relay.calls, 4);
	for (unsigned i = 0; i < 6; i++) {
		assert_int_equal(request(bench, -1, "offer", i), 0);
		fake_expect(&bench->relays[1], "offer");
		fake_reply(&bench->relays[1], "d6:result2:oke");
		turn(bench);
	}
}

/* ---- bounds ---- */

static void what_cannot_be_asked_is_refused_at_once(void **state)
{
	struct bench *bench = *state;
	static char big[66000];

	open_client(bench, 1, 1000000, NULL);
	struct ng_value *dict = ng_dict_create(bench->arena);
	assert_int_equal(ng_client_request(bench->client, 0, dict, on_done, bench, 0),
			 -ERR_INVALID);
	assert_int_equal(request(bench, 1, "query", 0), -ERR_INVALID);
	dict = ng_dict_create(bench->arena);
	ng_dict_add_string(bench->arena, dict, "command", SLICE("offer"));
	ng_dict_add_string(bench->arena, dict, "sdp", (struct slice){big, sizeof(big)});
	assert_int_equal(ng_client_request(bench->client, 0, dict, on_done, bench, 0),
			 -ERR_TOO_LARGE);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(request(bench, 0, "query", i), 0);
	assert_int_equal(request(bench, 0, "query", 0), -ERR_TOO_MANY);
	assert_int_equal(bench->done, 0);
}

static void a_done_function_may_ask_again(void *owner, uint64_t handle,
					  const struct ng_reply *reply)
{
	struct bench *bench = owner;

	(void)reply;
	if (handle < 3)
		assert_int_equal(request(bench, 0, "query", handle + 1), 0);
	bench->done++;
}

static void asking_again_inside_the_callback_works(void **state)
{
	struct bench *bench = *state;
	struct ng_value *dict = ng_dict_create(bench->arena);

	open_client(bench, 1, 1000000, NULL);
	ng_dict_add_string(bench->arena, dict, "command", SLICE("offer"));
	assert_int_equal(
		ng_client_request(bench->client, 0, dict, a_done_function_may_ask_again, bench, 1),
		0);
	ng_client_flush(bench->client);
	fake_expect(&bench->relays[0], "offer");
	fake_reply(&bench->relays[0], "d6:result2:oke");
	turn(bench);
	fake_expect(&bench->relays[0], "query");
	assert_int_equal(bench->done, 1);
}

/* ---- streams, against our own server ---- */

struct service {
	struct ng_server *server;
	unsigned handled;
};

static void serve(void *owner, const struct ng_request *request, struct ng_value *reply)
{
	struct service *service = owner;

	service->handled += !slice_equal(request->command, SLICE("ping"));
	ng_dict_add_string(request->arena, reply, "result",
			   slice_equal(request->command, SLICE("ping")) ? SLICE("pong")
									: SLICE("ok"));
}

static void start_service(struct bench *bench, struct service *service,
			  struct ng_endpoint *endpoint)
{
	static const struct log quiet = {.level = LOG_ERROR, .fd = -1, .program = "test"};
	struct ng_server_config config = {
		.loop = bench->clock.loop,
		.wheel = bench->clock.wheel,
		.log = &quiet,
		.listeners = endpoint,
		.listener_count = 1,
		.handler = serve,
		.owner = service,
	};

	assert_int_equal(ng_server_create(&config, &service->server), 0);
	if (endpoint->transport != NG_UNIX)
		assert_int_equal(ng_server_address(service->server, 0, &endpoint->addr), 0);
}

static void over_a_stream(struct bench *bench, struct ng_endpoint *endpoint)
{
	struct service service = {.handled = 0};

	start_service(bench, &service, endpoint);
	open_client(bench, 1, 1000000, endpoint);
	for (unsigned i = 0; i < 50; i++)
		assert_int_equal(request(bench, 0, "query", i), 0);
	clock_turn(&bench->clock, 20);
	assert_int_equal(bench->done, 50);
	assert_int_equal(service.handled, 50);

	/* The relay goes; what is asked meanwhile is asked again when it is back. */
	ng_server_destroy(service.server);
	clock_turn(&bench->clock, 5);
	assert_int_equal(request(bench, 0, "query", 50), 0);
	clock_advance(&bench->clock, 1000);
	start_service(bench, &service, endpoint);
	clock_advance(&bench->clock, 1000);
	clock_turn(&bench->clock, 20);
	assert_int_equal(bench->done, 51);
	assert_int_equal(bench->err, 0);
	assert_int_equal(service.handled, 51);
	ng_server_destroy(service.server);
	clock_turn(&bench->clock, 5);
}

static void requests_travel_over_tcp(void **state)
{
	struct ng_endpoint endpoint = {.transport = NG_TCP, .addr = bench_addr("127.0.0.1:0")};

	over_a_stream(*state, &endpoint);
}

static void requests_travel_over_unix_sockets(void **state)
{
	char path[64];
	struct ng_endpoint endpoint = {.transport = NG_UNIX, .path = path};

	snprintf(path, sizeof(path), "/tmp/ng-client-%d.sock", (int)getpid());
	over_a_stream(*state, &endpoint);
}

/* ---- a network that loses half of everything ---- */

#define LOSSY_REQUESTS 60

struct lossy {
	unsigned handled[LOSSY_REQUESTS]; /* by the relay */
	unsigned done[LOSSY_REQUESTS];    /* told to whoever asked */
	unsigned answered;
	uint32_t dice;
};

static void count_handled(void *owner, const struct ng_request *request, struct ng_value *reply)
{
	struct lossy *lossy = owner;
	int64_t number = 0;

	ng_dict_add_string(request->arena, reply, "result", SLICE("ok"));
	if (ng_get_integer(request->dict, "number", &number) == 0)
		lossy->handled[number]++;
}

static void count_done(void *owner, uint64_t handle, const struct ng_reply *reply)
{
	struct lossy *lossy = owner;

	lossy->done[handle]++;
	lossy->answered += reply->err == 0;
}

static bool is_lost(struct lossy *lossy)
{
	lossy->dice = lossy->dice * 1664525 + 1013904223;
	return lossy->dice >> 31;
}

/* Carry what waits at `from` to `to`, or lose it. */
static void carry(struct lossy *lossy, int from, int to, const struct sockaddr_storage *name)
{
	char text[2048];
	ssize_t n;

	while ((n = recv(from, text, sizeof(text), MSG_DONTWAIT)) > 0)
		if (!is_lost(lossy))
			assert_int_equal(sendto(to, text, (size_t)n, 0,
						(const struct sockaddr *)name,
						name ? sizeof(struct sockaddr_in) : 0),
					 n);
}

static void each_request_is_done_once_whatever_is_lost(void **state)
{
	static const struct log quiet = {.level = LOG_ERROR, .fd = -1, .program = "test"};
	struct bench *bench = *state;
	struct fake *proxy = &bench->relays[0];
	struct ng_endpoint endpoint = {.transport = NG_UDP, .addr = bench_addr("127.0.0.1:0")};
	struct lossy lossy = {.dice = 4711};
	struct ng_server_config config = {.loop = bench->clock.loop,
					  .wheel = bench->clock.wheel,
					  .log = &quiet,
					  .listeners = &endpoint,
					  .listener_count = 1,
					  .handler = count_handled,
					  .owner = &lossy};
	struct ng_server *server;
	struct addr addr;

	assert_int_equal(ng_server_create(&config, &server), 0);
	assert_int_equal(ng_server_address(server, 0, &addr), 0);
	int behind = bench_socket(SOCK_DGRAM, "127.0.0.1", &addr);
	open_client(bench, 1, 1000000, NULL);
	assert_int_equal(request(bench, 0, "first", 0), 0); /* tells the proxy where we are */
	assert_true(fake_receive(proxy));
	for (unsigned i = 0; i < LOSSY_REQUESTS; i++) {
		struct ng_value *dict = ng_dict_create(bench->arena);

		ng_dict_add_string(bench->arena, dict, "command", SLICE("offer"));
		ng_dict_add_integer(bench->arena, dict, "number", i);
		assert_int_equal(ng_client_request(bench->client, 0, dict, count_done, &lossy, i),
				 0);
	}
	ng_client_flush(bench->client);
	for (unsigned i = 0; i < 7; i++) {
		carry(&lossy, proxy->fd, behind, NULL);
		clock_turn(&bench->clock, 3);
		carry(&lossy, behind, proxy->fd, &proxy->from);
		clock_advance(&bench->clock, 1000);
	}
	for (unsigned i = 0; i < LOSSY_REQUESTS; i++) {
		assert_int_equal(lossy.done[i], 1);
		assert_in_range(lossy.handled[i], 0, 1);
	}
	/* A try succeeds with 1/4: of 60 requests with five tries about 46. */
	assert_in_range(lossy.answered, 36, 56);
	ng_server_destroy(server);
	close(behind);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_bench, close_bench)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_reply_is_matched_by_cookie_and_relay),
		TEST(a_reply_from_another_relay_is_not_believed),
		TEST(a_reply_may_be_json_or_rubbish),
		TEST(a_request_is_sent_five_times_and_given_up),
		TEST(silence_to_one_request_does_not_condemn_a_relay),
		TEST(a_full_relay_loses_the_new_call),
		TEST(when_all_are_full_the_last_refusal_is_told),
		TEST(other_errors_and_known_calls_do_not_fail_over),
		TEST(a_silent_relay_loses_the_new_call_and_its_traces),
		TEST(a_host_that_refuses_is_left_at_once),
		TEST(a_relay_that_restarts_is_still_asked_when_alone),
		TEST(pings_take_out_of_service_and_back),
		TEST(our_own_relay_tells_what_ended_and_that_it_restarted),
		TEST(a_relay_that_stays_away_is_given_up_once),
		TEST(new_calls_go_to_the_least_loaded),
		TEST(what_cannot_be_asked_is_refused_at_once),
		TEST(asking_again_inside_the_callback_works),
		TEST(each_request_is_done_once_whatever_is_lost),
		TEST(requests_travel_over_tcp),
		TEST(requests_travel_over_unix_sockets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
