/* Two agents over a network of our own: what is lost, and where from something comes, is the
 * test's. SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/ice/ice.h"
#include "rtpengine/ice/stun.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define QUEUE 64

struct bench;

struct end {
	struct bench *bench;
	struct ice *ice;
	struct addr at[2]; /* of the components; port + component - 1 */
	struct addr selected[2];
	unsigned selections, failures, losses;
};

struct datagram {
	struct addr from, to;
	size_t len;
	uint8_t data[STUN_MAX];
};

struct bench {
	struct random_system random;
	struct wheel *wheel;
	uint64_t now_ms;
	struct end ends[2];
	struct datagram queue[QUEUE];
	unsigned head, tail;
	unsigned sent;
	bool is_cut;             /* nothing arrives */
	struct addr nat, behind; /* what `behind` sends appears to come from `nat` */
};

static void on_send(void *owner, unsigned component, const struct addr *to, const uint8_t *data,
		    size_t len)
{
	struct end *end = owner;
	struct bench *b = end->bench;
	struct datagram *d = &b->queue[b->tail++ % QUEUE];

	assert_true(b->tail - b->head <= QUEUE);
	b->sent++;
	d->from = end->at[component - 1];
	if (b->behind.family && addr_equal(&d->from, &b->behind))
		d->from = b->nat;
	d->to = *to;
	d->len = len;
	memcpy(d->data, data, len);
}

static void on_selected(void *owner, unsigned component, const struct addr *remote)
{
	struct end *end = owner;
	end->selected[component - 1] = *remote;
	end->selections++;
}

static void on_failed(void *owner, unsigned component)
{
	(void)component;
	((struct end *)owner)->failures++;
}

static void on_lost(void *owner, unsigned component)
{
	(void)component;
	((struct end *)owner)->losses++;
}

static const struct ice_events events = {on_send, on_selected, on_failed, on_lost};

static struct addr address(const char *ip, uint16_t port)
{
	struct addr addr;
	assert_int_equal(addr_parse_ip(slice_from(ip), &addr), 0);
	addr.port = port;
	return addr;
}

static void deliver(struct bench *b)
{
	while (b->head != b->tail) {
		struct datagram d = b->queue[b->head++ % QUEUE];
		if (b->nat.family && addr_equal(&d.to, &b->nat))
			d.to = b->behind;
		for (int e = 0; e < 2 && !b->is_cut; e++)
			for (unsigned c = 0; c < 2; c++)
				if (addr_equal(&b->ends[e].at[c], &d.to))
					(void)ice_receive(b->ends[e].ice, c + 1, &d.from, d.data,
							  d.len, b->now_ms);
	}
}

static void advance(struct bench *b, uint64_t ms)
{
	for (uint64_t end = b->now_ms + ms; b->now_ms < end;) {
		b->now_ms++;
		wheel_advance(b->wheel, b->now_ms);
		deliver(b);
	}
}

static void open_end(struct bench *b, int which, bool lite, bool controlling, uint8_t components)
{
	struct end *end = &b->ends[which];
	struct ice_config config = {
		.wheel = b->wheel,
		.random = &b->random.base,
		.is_lite = lite,
		.is_controlling = controlling,
		.components = components,
		.mark = {1, 2, 3, (uint8_t)which},
		.events = &events,
		.owner = end,
	};
	end->bench = b;
	end->at[0] = address(which ? "203.0.113.10" : "192.0.2.7", 30000);
	end->at[1] = address(which ? "203.0.113.10" : "192.0.2.7", 30001);
	assert_int_equal(ice_create(&config, b->now_ms, &end->ice), 0);
}

/* `to` hears where `from` is. */
static void introduce(struct bench *b, int from, int to, bool lite, bool with_candidates)
{
	struct end *end = &b->ends[from];

	assert_int_equal(ice_set_remote(b->ends[to].ice, slice_from(ice_ufrag(end->ice)),
					slice_from(ice_pwd(end->ice)), lite, b->now_ms),
			 0);
	for (uint8_t c = 1; with_candidates && c <= 2; c++) {
		struct ice_candidate candidate = {
			.addr = end->at[c - 1],
			.component = c,
			.priority = ice_priority(ICE_HOST, 65535, c),
		};
		ice_add_candidate(b->ends[to].ice, &candidate, b->now_ms);
	}
}

static struct bench *open_bench(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	random_system_init(&b->random);
	b->now_ms = 1000;
	assert_int_equal(wheel_create(b->now_ms, &b->wheel), 0);
	*state = b;
	return b;
}

static int teardown(void **state)
{
	struct bench *b = *state;
	ice_destroy(b->ends[0].ice);
	ice_destroy(b->ends[1].ice);
	assert_int_equal(wheel_armed(b->wheel), 0);
	wheel_destroy(b->wheel);
	free(b);
	return 0;
}

static void assert_connected(struct bench *b, unsigned components)
{
	for (int e = 0; e < 2; e++) {
		assert_true(ice_is_completed(b->ends[e].ice));
		for (unsigned c = 0; c < components; c++)
			assert_true(addr_equal(&b->ends[e].selected[c], &b->ends[1 - e].at[c]));
	}
}

static void two_full_agents_connect(void **state)
{
	struct bench *b = open_bench(state);

	open_end(b, 0, false, true, 2);
	open_end(b, 1, false, false, 2);
	introduce(b, 0, 1, false, true);
	introduce(b, 1, 0, false, true);
	advance(b, 300);
	assert_connected(b, 2);
	unsigned sent = b->sent;
	advance(b, 60000);
	assert_int_equal(b->ends[0].losses + b->ends[1].losses, 0);
	assert_true(b->sent - sent >= 4 * 8 && b->sent - sent <= 8 * 16); /* consent, no more */
	assert_int_equal(b->ends[0].selections, 2);
}

static void a_full_agent_connects_to_a_lite_one(void **state)
{
	struct bench *b = open_bench(state);

	open_end(b, 0, false, false, 1);
	open_end(b, 1, true, false, 1);
	introduce(b, 0, 1, false, false); /* lite needs no candidates */
	introduce(b, 1, 0, true, true);
	advance(b, 300);
	assert_connected(b, 1);
	assert_true(ice_is_controlling(b->ends[0].ice));
}

static void both_think_they_control(void **state)
{
	for (int i = 0; i < 8; i++) {
		struct bench *b = open_bench(state);
		open_end(b, 0, false, i & 1, 1);
		open_end(b, 1, false, i & 1, 1);
		introduce(b, 0, 1, false, true);
		introduce(b, 1, 0, false, true);
		advance(b, 1500);
		assert_connected(b, 1);
		assert_true(ice_is_controlling(b->ends[0].ice) !=
			    ice_is_controlling(b->ends[1].ice));
		if (i < 7)
			teardown(state);
	}
}

static void an_address_behind_nat_is_learned(void **state)
{
	struct bench *b = open_bench(state);

	open_end(b, 0, false, true, 1);
	open_end(b, 1, false, false, 1);
	b->behind = b->ends[0].at[0];
	b->nat = address("198.51.100.9", 4711);
	introduce(b, 0, 1, false, true);
	/* what it says of itself leads nowhere */
	b->ends[0].at[0] = b->behind;
	introduce(b, 1, 0, false, true);
	advance(b, 3000);
	assert_true(ice_is_completed(b->ends[0].ice) && ice_is_completed(b->ends[1].ice));
	assert_true(addr_equal(&b->ends[1].selected[0], &b->nat));
}

static void candidates_may_trickle(void **state)
{
	struct bench *b = open_bench(state);

	open_end(b, 0, false, true, 1);
	open_end(b, 1, false, false, 1);
	introduce(b, 0, 1, false, false);
	introduce(b, 1, 0, false, false);
	advance(b, 5000);
	assert_false(ice_is_completed(b->ends[0].ice));
	introduce(b, 1, 0, false, true);
	advance(b, 300);
	assert_connected(b, 1);
}

static void lost_packets_are_sent_again(void **state)
{
	struct bench *b = open_bench(state);

	open_end(b, 0, false, true, 1);
	open_end(b, 1, false, false, 1);
	introduce(b, 0, 1, false, true);
	introduce(b, 1, 0, false, true);
	b->is_cut = true;
	advance(b, 1200);
	b->is_cut = false;
	advance(b, 3000);
	assert_connected(b, 1);
}

static void no_path_is_a_failure(void **state)
{
	struct bench *b = open_bench(state);

	open_end(b, 0, false, true, 1);
	open_end(b, 1, false, false, 1);
	introduce(b, 0, 1, false, true);
	introduce(b, 1, 0, false, true);
	ice_end_of_candidates(b->ends[0].ice, b->now_ms);
	b->is_cut = true;
	advance(b, 70000);
	assert_int_equal(b->ends[0].failures, 1);
	assert_int_equal(b->ends[1].failures, 1);
	assert_true(b->sent < 40);
}

static void consent_ends(void **state)
{
	struct bench *b = open_bench(state);

	open_end(b, 0, false, true, 1);
	open_end(b, 1, true, false, 1);
	introduce(b, 0, 1, false, true);
	introduce(b, 1, 0, true, true);
	advance(b, 20000);
	assert_connected(b, 1);
	b->is_cut = true;
	advance(b, 29000 - 6000);
	assert_int_equal(b->ends[0].losses + b->ends[1].losses, 0);
	advance(b, 8000);
	assert_int_equal(b->ends[0].losses, 1); /* full: it asks */
	assert_int_equal(b->ends[1].losses, 1); /* lite: it was asked regularly */
	unsigned sent = b->sent;
	advance(b, 20000);
	assert_int_equal(b->sent, sent);
}

static size_t make_check(struct bench *b, struct stun_writer *w, const char *ufrag, const char *pwd,
			 bool nominate)
{
	char username[128];
	int len = snprintf(username, sizeof(username), "%s:%s", ufrag, ice_ufrag(b->ends[0].ice));

	stun_begin(w, STUN_REQUEST, (const uint8_t *)"abcdefghijkl");
	stun_add_username(w, (struct slice){username, (size_t)len});
	stun_add_priority(w, 1000);
	stun_add_role(w, STUN_CONTROLLING, 1);
	if (nominate)
		stun_add_use_candidate(w);
	assert_int_equal(stun_end(w, slice_from(pwd)), 0);
	return w->len;
}

static void strangers_are_not_answered(void **state)
{
	struct bench *b = open_bench(state);
	struct addr stranger = address("198.51.100.66", 9);
	struct stun_writer w;

	open_end(b, 0, false, true, 1);
	open_end(b, 1, true, false, 1);
	introduce(b, 0, 1, false, true);
	struct ice *ice = b->ends[1].ice;
	size_t len = make_check(b, &w, ice_ufrag(ice), "not the password 1234567890", true);
	assert_int_equal(ice_receive(ice, 1, &stranger, w.data, len, b->now_ms), ICE_UNAUTHENTIC);
	len = make_check(b, &w, "whoever", ice_pwd(ice), true);
	assert_int_equal(ice_receive(ice, 1, &stranger, w.data, len, b->now_ms), ICE_NOT_OURS);
	assert_int_equal(ice_receive(ice, 1, &stranger, w.data, len - 8, b->now_ms), ICE_MALFORMED);
	len = make_check(b, &w, ice_ufrag(ice), ice_pwd(ice), true);
	assert_int_equal(ice_receive(ice, 2, &stranger, w.data, len, b->now_ms), ICE_NOT_OURS);
	assert_int_equal(b->sent, 0);
	assert_false(ice_is_completed(ice));
	/* and who does is, but not without bound */
	for (uint16_t port = 1; port < 200; port++) {
		stranger.port = port;
		(void)ice_receive(ice, 1, &stranger, w.data, len, b->now_ms);
		b->head = b->tail;
	}
	assert_int_equal(b->sent, ICE_PAIRS_MAX - 1); /* one was signalled */
}

static void the_best_nominated_pair_wins_and_a_new_path_later(void **state)
{
	struct bench *b = open_bench(state);
	struct addr good = address("192.0.2.7", 30000), bad = address("192.0.2.8", 40000);
	struct stun_writer w;

	open_end(b, 0, false, true, 1);
	open_end(b, 1, true, false, 1);
	introduce(b, 0, 1, false, true); /* makes `good` a host candidate */
	struct ice *ice = b->ends[1].ice;
	size_t len = make_check(b, &w, ice_ufrag(ice), ice_pwd(ice), true);
	(void)ice_receive(ice, 1, &bad, w.data, len, b->now_ms);
	assert_true(addr_equal(&b->ends[1].selected[0], &bad));
	(void)ice_receive(ice, 1, &good, w.data, len, b->now_ms);
	assert_true(addr_equal(&b->ends[1].selected[0], &good));
	(void)ice_receive(ice, 1, &bad, w.data, len, b->now_ms + 500);
	assert_true(addr_equal(&b->ends[1].selected[0], &good));
	/* the phone left its network: only the other path is nominated any more */
	(void)ice_receive(ice, 1, &bad, w.data, len, b->now_ms + 4000);
	assert_true(addr_equal(&b->ends[1].selected[0], &bad));
}

static void candidates_are_read_and_written(void **state)
{
	static const struct {
		const char *text;
		int err;
	} cases[] = {
		{"1 1 UDP 2130706431 192.0.2.1 30000 typ host", 0},
		{"842163049 1 udp 1677729535 203.0.113.4 5123 typ srflx raddr 10.0.0.1 rport 5123 "
		 "generation 0 ufrag x network-cost 999",
		 0},
		{"a+/9 2 UDP 1 2001:db8::1 1 typ relay raddr :: rport 0", 0},
		{"1 1 TCP 2105458943 192.0.2.1 9 typ host tcptype active", -ERR_UNSUPPORTED},
		{"1 1 UDP 1 5b3c.local 9 typ host", -ERR_UNSUPPORTED},
		{"1 3 UDP 1 192.0.2.1 9 typ host", -ERR_UNSUPPORTED},
		{"1 1 UDP 1 0.0.0.0 9 typ host", -ERR_UNSUPPORTED},
		{"1 1 UDP 1 224.0.0.1 9 typ host", -ERR_UNSUPPORTED},
		{"1 1 UDP 1 255.255.255.255 9 typ host", -ERR_UNSUPPORTED},
		{"1 1 UDP 1 192.0.2.1 9 typ other", -ERR_UNSUPPORTED},
		{"1 0 UDP 1 192.0.2.1 9 typ host", -ERR_MALFORMED},
		{"1 1 UDP 0 192.0.2.1 9 typ host", -ERR_MALFORMED},
		{"1 1 UDP 2147483648 192.0.2.1 9 typ host", -ERR_MALFORMED},
		{"1 1 UDP 1 192.0.2.1 65536 typ host", -ERR_MALFORMED},
		{"1 1 UDP 1 192.0.2.1 9 host", -ERR_MALFORMED},
		{"1 1 UDP 1 192.0.2.1 9 typ", -ERR_MALFORMED},
		{"* 1 UDP 1 192.0.2.1 9 typ host", -ERR_MALFORMED},
		{"", -ERR_MALFORMED},
	};
	struct ice_candidate candidate;
	struct buf out;
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(ice_candidate_read(slice_from(cases[i].text), &candidate),
				 cases[i].err);
	assert_int_equal(ice_candidate_read(slice_from(cases[0].text), &candidate), 0);
	buf_init(&out);
	candidate.foundation = 1;
	ice_candidate_write(&candidate, &out);
	assert_string_equal(out.data, cases[0].text);
	buf_free(&out);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, teardown)
	const struct CMUnitTest tests[] = {
		TEST(two_full_agents_connect),
		TEST(a_full_agent_connects_to_a_lite_one),
		TEST(both_think_they_control),
		TEST(an_address_behind_nat_is_learned),
		TEST(candidates_may_trickle),
		TEST(lost_packets_are_sent_again),
		TEST(no_path_is_a_failure),
		TEST(consent_ends),
		TEST(strangers_are_not_answered),
		TEST(the_best_nominated_pair_wins_and_a_new_path_later),
		cmocka_unit_test(candidates_are_read_and_written),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
