/* Which rule the datapath gets: whom a side expects, where packets go, RTCP shared or not.
 * SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define DIRECTION "direction=lan direction=wan"

static int setup(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	bench_start(bench);
	*state = bench;
	return 0;
}

static int teardown(void **state)
{
	bench_stop(*state);
	free(*state);
	return 0;
}

static void assert_addr(const struct addr *addr, const char *expected)
{
	char text[ADDR_TEXT_SIZE] = "none";
	if (addr->family)
		addr_text(addr, text);
	assert_string_equal(text, expected);
}

static void ask_ok(const struct ng_value *reply)
{
	assert_string_equal(bench_text(reply, "error-reason"), "");
	assert_string_equal(bench_text(reply, "result"), "ok");
}

static void the_two_flows_of_a_stream_name_each_other(void **state)
{
	struct bench *b = *state;

	ask_ok(bench_offer(b, "c", "a", bench_sdp(b, "10.0.0.20", 4000, ""), DIRECTION));
	ask_ok(bench_answer(b, "c", "a b", bench_sdp(b, "198.51.100.7", 5000, "a=rtcp:5007\r\n"),
			    ""));
	struct fake_flow *lan = fake_flow_at(&b->datapath, LAN, 20000);
	struct fake_flow *wan = fake_flow_at(&b->datapath, WAN, 30000);
	struct fake_flow *lan_rtcp = fake_flow_at(&b->datapath, LAN, 20001);
	struct fake_flow *wan_rtcp = fake_flow_at(&b->datapath, WAN, 30001);

	assert_int_equal(lan->rule.kind, FLOW_RTP);
	assert_int_equal(lan_rtcp->rule.kind, FLOW_RTCP);
	assert_addr(&lan->rule.remote, "10.0.0.20:4000");
	assert_addr(&wan->rule.remote, "198.51.100.7:5000");
	assert_addr(&lan_rtcp->rule.remote, "10.0.0.20:4001");
	assert_addr(&wan_rtcp->rule.remote, "198.51.100.7:5007");
	assert_addr(&wan->rule.source.expected[0], "198.51.100.7:5000");
	assert_int_equal(lan->rule.rtp_to.value, wan->id.value);
	assert_int_equal(wan->rule.rtp_to.value, lan->id.value);
	assert_int_equal(lan_rtcp->rule.rtcp_to.value, wan_rtcp->id.value);
	assert_int_equal(wan_rtcp->rule.rtcp_to.value, lan_rtcp->id.value);
	assert_int_equal(wan_rtcp->rule.rtp_of.value, wan->id.value);
	assert_true(lan->rule.symmetric);
	assert_int_equal(lan->rule.clock_hz, 8000);
	assert_int_equal(wan->rule.dscp, 46); /* of the interface it leaves by */
	assert_int_equal(lan->rule.dscp, 0);
	assert_int_equal(lan->affinity, wan_rtcp->affinity);
}

/* The phone behind a NAT says 192.168.0.18; its INVITE came from 81.56.73.55. */
static void natted(struct bench *b, const char *key, const char *value)
{
	const char *sdp = bench_sdp(b, "192.168.0.18", 4000, "");

	ask_ok(bench_ask(b, "offer", "call-id", "c", "from-tag", "a", "sdp", sdp, "direction[]",
			 "wan,lan", "received-from[]", "IP4,81.56.73.55", key, value, NULL));
	ask_ok(bench_answer(b, "c", "a b", bench_sdp(b, "10.0.0.20", 5000, ""), ""));
	struct fake_flow *wan = fake_flow_at(&b->datapath, WAN, 30000);
	assert_addr(&wan->rule.source.expected[0], "81.56.73.55:0");
	assert_int_equal(wan->rule.source.mode, FLOW_SOURCE_LEARN);
	assert_int_equal(wan->rule.remote.family, 0); /* unknown until learned */
	assert_true(wan->rule.source.window_ms > 0);
	wan = fake_flow_at(&b->datapath, WAN, 30001);
	assert_addr(&wan->rule.source.expected[0], "81.56.73.55:0");
}

static void the_signalling_source_stands_for_a_natted_side(void **state)
{
	natted(*state, "flags[]", "SIP source address");
}

static void a_private_address_from_a_public_source_is_natted(void **state)
{
	natted(*state, "flags[]", "trust-address");
}

static void the_same_address_outside_and_inside_is_not_natted(void **state)
{
	struct bench *b = *state;
	const char *sdp = bench_sdp(b, "81.56.73.55", 4000, "");

	ask_ok(bench_ask(b, "offer", "call-id", "c", "from-tag", "a", "sdp", sdp, "direction[]",
			 "wan,lan", "received-from", "81.56.73.55", "flags[]", "SIP-source-address",
			 NULL));
	ask_ok(bench_answer(b, "c", "a b", bench_sdp(b, "10.0.0.20", 5000, ""), ""));
	struct fake_flow *wan = fake_flow_at(&b->datapath, WAN, 30000);
	assert_addr(&wan->rule.source.expected[0], "81.56.73.55:4000");
	assert_addr(&wan->rule.remote, "81.56.73.55:4000");
}

static void a_proxy_in_between_does_not_make_a_nat(void **state)
{
	struct bench *b = *state;

	/* both private: the phone's SDP and the proxy that forwarded its INVITE */
	ask_ok(bench_ask(b, "offer", "call-id", "c", "from-tag", "a", "sdp",
			 bench_sdp(b, "10.0.0.20", 4000, ""), "direction[]", "lan,wan",
			 "received-from[]", "IP4,10.0.0.5", NULL));
	ask_ok(bench_answer(b, "c", "a b", bench_sdp(b, "198.51.100.7", 5000, ""), ""));
	assert_addr(&fake_flow_at(&b->datapath, LAN, 20000)->rule.remote, "10.0.0.20:4000");
	/* OpenSIPS sends an empty list when there is no message */
	ask_ok(bench_ask(b, "offer", "call-id", "d", "from-tag", "a", "sdp",
			 bench_sdp(b, "10.0.0.20", 4000, ""), "direction[]", "lan,wan",
			 "received-from[]", "", NULL));
}

static void flags_shape_the_source(void **state)
{
	struct bench *b = *state;

	ask_ok(bench_offer(b, "c", "a", bench_sdp(b, "10.0.0.20", 4000, ""),
			   DIRECTION " asymmetric TOS=184"));
	ask_ok(bench_answer(b, "c", "a b", bench_sdp(b, "198.51.100.7", 5000, ""),
			    "strict-source"));
	struct fake_flow *lan = fake_flow_at(&b->datapath, LAN, 20000);
	struct fake_flow *wan = fake_flow_at(&b->datapath, WAN, 30000);
	assert_false(lan->rule.symmetric);
	assert_int_equal(lan->rule.source.mode, FLOW_SOURCE_LEARN);
	assert_int_equal(wan->rule.source.mode, FLOW_SOURCE_EXACT);
	assert_true(wan->rule.symmetric);
	assert_int_equal(lan->rule.dscp, 46); /* TOS 0xb8 */
}

static uint32_t epoch_of(struct bench *b, const char *address, unsigned port)
{
	return fake_flow_at(&b->datapath, address, port)->rule.source.epoch;
}

static void exchange(struct bench *b, const char *b_address, unsigned b_port, const char *b_more,
		     const char *a_more)
{
	ask_ok(bench_offer(b, "c", "b a", bench_sdp(b, b_address, b_port, b_more), ""));
	ask_ok(bench_answer(b, "c", "b a", bench_sdp(b, "10.0.0.20", 4000, a_more), ""));
}

static void a_side_is_learned_again_when_it_moves_or_begins_to_send(void **state)
{
	struct bench *b = *state;

	ask_ok(bench_offer(b, "c", "a", bench_sdp(b, "10.0.0.20", 4000, ""), DIRECTION));
	ask_ok(bench_answer(b, "c", "a b", bench_sdp(b, "198.51.100.7", 5000, ""), ""));
	uint32_t wan = epoch_of(b, WAN, 30000);
	uint32_t lan = epoch_of(b, LAN, 20000);
	/* a refresh (RFC 4028) moves nobody */
	exchange(b, "198.51.100.7", 5000, "", "");
	assert_int_equal(epoch_of(b, WAN, 30000), wan);
	/* moved: with the answer, not with the offer */
	ask_ok(bench_offer(b, "c", "b a", bench_sdp(b, "198.51.100.9", 5000, ""), ""));
	assert_int_equal(epoch_of(b, WAN, 30000), wan);
	ask_ok(bench_answer(b, "c", "b a", bench_sdp(b, "10.0.0.20", 4000, ""), ""));
	assert_int_equal(epoch_of(b, WAN, 30000), wan + 1);
	assert_int_equal(epoch_of(b, LAN, 20000), lan);
	assert_addr(&fake_flow_at(&b->datapath, WAN, 30000)->rule.source.expected[0],
		    "198.51.100.9:5000");
	/* held by b: a is silent, stays locked, and so goes on hearing music */
	exchange(b, "198.51.100.9", 5000, "a=sendonly\r\n", "a=recvonly\r\n");
	assert_int_equal(epoch_of(b, LAN, 20000), lan);
	assert_int_equal(epoch_of(b, WAN, 30000), wan + 1);
	/* resumed: a begins to send, perhaps from another port of its NAT */
	exchange(b, "198.51.100.9", 5000, "", "");
	assert_int_equal(epoch_of(b, LAN, 20000), lan + 1);
	assert_int_equal(epoch_of(b, WAN, 30000), wan + 1);
}

struct mux_case {
	const char *flags;
	bool a_offers, b_accepts;
	bool lan_mux, wan_mux; /* what comes of it */
};

static void rtcp_mux_is_agreed_on_each_side_by_itself(void **state)
{
	static const struct mux_case cases[] = {
		{"", false, false, false, false},
		{"", true, false, false, false},
		{"", true, true, true, true},
		{"rtcp-mux-offer", false, true, false, true},
		{"rtcp-mux-offer", true, false, false, false},
		{"rtcp-mux-require", false, true, false, true},
		{"rtcp-mux-demux", true, false, true, false},
		{"rtcp-mux-accept", true, false, true, false},
		{"rtcp-mux-accept", true, true, true, true},
		{"rtcp-mux-reject", true, true, false, false},
		{"rtcp-mux-demux rtcp-mux-offer", true, true, true, true},
	};
	struct bench *b = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct mux_case *c = &cases[i];
		const char *flags = arena_printf(b->arena, DIRECTION " %s", c->flags);
		bench_advance(b, 10000); /* the ports of the last case have rested */
		bench_stop(b);
		memset(b, 0, sizeof(*b));
		bench_start(b);
		flags = arena_printf(b->arena, DIRECTION " %s", c->flags);
		ask_ok(bench_offer(
			b, "c", "a",
			bench_sdp(b, "10.0.0.20", 4000, c->a_offers ? "a=rtcp-mux\r\n" : ""),
			flags));
		ask_ok(bench_answer(
			b, "c", "a b",
			bench_sdp(b, "198.51.100.7", 5000, c->b_accepts ? "a=rtcp-mux\r\n" : ""),
			""));
		struct fake_flow *lan = fake_flow_at(&b->datapath, LAN, 20000);
		struct fake_flow *wan = fake_flow_at(&b->datapath, WAN, 30000);
		struct fake_flow *lan_rtcp = fake_flow_at(&b->datapath, LAN, 20001);
		struct fake_flow *wan_rtcp = fake_flow_at(&b->datapath, WAN, 30001);
		if ((lan->rule.kind == FLOW_MUX) != c->lan_mux ||
		    (wan->rule.kind == FLOW_MUX) != c->wan_mux)
			fail_msg("case %zu (%s): lan %d wan %d", i, c->flags, lan->rule.kind,
				 wan->rule.kind);
		/* RTCP of the lan side leaves where the wan side wants it */
		struct flow_id to = c->lan_mux ? lan->rule.rtcp_to : lan_rtcp->rule.rtcp_to;
		assert_int_equal(to.value, c->wan_mux ? wan->id.value : wan_rtcp->id.value);
		if (c->lan_mux)
			assert_int_equal(lan_rtcp->rule.source.mode, FLOW_SOURCE_CLOSED);
	}
}

static void the_sdp_says_what_and_how_much_may_come(void **state)
{
	struct bench *b = *state;
	const char *more = "a=rtpmap:96 opus/48000/2\r\n";
	ask_ok(bench_offer(b, "c", "a", bench_sdp(b, "10.0.0.20", 4000, ""), DIRECTION));
	ask_ok(bench_answer(b, "c", "a b", bench_sdp(b, "198.51.100.7", 5000, more), ""));
	const struct flow_rule *lan = &fake_flow_at(&b->datapath, LAN, 20000)->rule;
	const struct flow_rule *rtcp = &fake_flow_at(&b->datapath, LAN, 20001)->rule;
	assert_int_equal(lan->limit.packets_per_s, 400);
	assert_in_range(lan->limit.bytes_per_s, 8 * 8000, 8 * 16000);
	assert_true(lan->payload_types[0] >> 8 & 1);
	assert_true(lan->payload_types[0] >> 13 & 1); /* comfort noise */
	assert_false(lan->payload_types[0] >> 3 & 1);
	assert_int_equal(rtcp->limit.packets_per_s, 400);
	assert_int_equal(rtcp->payload_types[0] | rtcp->payload_types[1], 0);
}

static void a_stream_taken_off_lets_nobody_in(void **state)
{
	struct bench *b = *state;
	const char *video = "m=video 4002 RTP/AVP 99\r\na=rtpmap:99 h264/90000\r\n";
	const char *video_b = "m=video 5002 RTP/AVP 99\r\na=rtpmap:99 h264/90000\r\n";

	ask_ok(bench_offer(b, "c", "a", bench_sdp(b, "10.0.0.20", 4000, video), DIRECTION));
	ask_ok(bench_answer(b, "c", "a b", bench_sdp(b, "198.51.100.7", 5000, video_b), ""));
	assert_int_equal(bench_ports_in_use(b), 8);
	assert_int_equal(fake_flow_at(&b->datapath, WAN, 30098)->rule.clock_hz, 90000);
	/* the answerer drops it: its ports stay for another fork, closed */
	ask_ok(bench_answer(b, "c", "a b2",
			    bench_sdp(b, "198.51.100.8", 5000, "m=video 0 RTP/AVP 99\r\n"), ""));
	assert_int_equal(fake_flow_at(&b->datapath, WAN, 30098)->rule.source.mode,
			 FLOW_SOURCE_CLOSED);
	/* the offerer drops it: the ports go */
	ask_ok(bench_offer(b, "c", "a b2",
			   bench_sdp(b, "10.0.0.20", 4000, "m=video 0 RTP/AVP 99\r\n"), ""));
	ask_ok(bench_answer(b, "c", "a b2",
			    bench_sdp(b, "198.51.100.8", 5000, "m=video 0 RTP/AVP 99\r\n"), ""));
	assert_int_equal(bench_ports_in_use(b), 4);
	assert_null(fake_flow_at(&b->datapath, WAN, 30098));
}

static void families_are_bridged(void **state)
{
	struct bench *b = *state;

	ask_ok(bench_offer(b, "c", "a", bench_sdp(b, "10.0.0.20", 4000, ""),
			   DIRECTION " address-family=IP6"));
	ask_ok(bench_answer(b, "c", "a b", bench_sdp(b, "2001:db8::77", 5000, ""), ""));
	struct fake_flow *wan = fake_flow_at(&b->datapath, WAN6, 30000);
	assert_non_null(wan);
	assert_addr(&wan->rule.remote, "[2001:db8::77]:5000");
	assert_null(fake_flow_at(&b->datapath, WAN, 30000));
	/* an IPv6 caller, and a LAN that has none: bridged without being asked */
	ask_ok(bench_offer(b, "d", "a", bench_sdp(b, "2001:db8::77", 4000, ""),
			   "direction=wan direction=lan"));
	ask_ok(bench_answer(b, "d", "a b", bench_sdp(b, "10.0.0.20", 5000, ""), ""));
	assert_int_equal(bench_ports_in_use(b), 8);
}

static void the_wrong_family_is_refused(void **state)
{
	struct bench *b = *state;

	ask_ok(bench_offer(b, "c", "a", bench_sdp(b, "10.0.0.20", 4000, ""), DIRECTION));
	assert_string_equal(
		bench_text(bench_answer(b, "c", "a b", bench_sdp(b, "2001:db8::77", 5000, ""), ""),
			   "error-reason"),
		"media 1: its address is not of the family spoken on that side");
	/* the signalling may come over another family than the media: then it says nothing */
	ask_ok(bench_ask(b, "answer", "call-id", "c", "from-tag", "a", "to-tag", "b", "sdp",
			 bench_sdp(b, "192.168.1.1", 5000, ""), "received-from[]",
			 "IP6,2001:db8::77", NULL));
	assert_addr(&fake_flow_at(&b->datapath, WAN, 30000)->rule.source.expected[0],
		    "192.168.1.1:5000");
}

static void a_party_may_have_a_rule_of_its_own(void **state)
{
	struct bench *b = *state;
	char *offer = bench_sdp(b, "10.0.0.20", 4000, "");
	char *answer = bench_sdp(b, "198.51.100.7", 5000, "");
	struct fake_flow *wan;

	ask_ok(bench_ask(b, "offer", "call-id", "c", "from-tag", "a", "direction[]", "lan,wan",
			 "media-source[]", "default,sdp-only", "media-timeout[]", "default,20000",
			 "sdp", offer, NULL));
	ask_ok(bench_answer(b, "c", "a b", answer, ""));
	wan = fake_flow_at(&b->datapath, WAN, 30000);
	assert_int_equal(wan->rule.source.mode, FLOW_SOURCE_EXACT);
	assert_int_equal(wan->rule.source.window_ms, 20000);
	assert_int_equal(fake_flow_at(&b->datapath, LAN, 20000)->rule.source.mode,
			 FLOW_SOURCE_LEARN);
	/* the next offer says nothing: it stays */
	ask_ok(bench_offer(b, "c", "a b", offer, DIRECTION));
	ask_ok(bench_answer(b, "c", "a b", answer, ""));
	assert_int_equal(wan->rule.source.mode, FLOW_SOURCE_EXACT);
	bench_advance(b, 19000);
	assert_string_equal(bench_text(bench_ask(b, "query", "call-id", "c", NULL), "result"),
			    "ok");
	bench_advance(b, 2000); /* the interface would have waited a minute */
	assert_string_equal(bench_text(bench_ask(b, "query", "call-id", "c", NULL), "result"),
			    "error");
	/* secure closes what comes in clear; a word that is none is an error */
	ask_ok(bench_ask(b, "offer", "call-id", "d", "from-tag", "a", "direction[]", "lan,wan",
			 "media-source[]", "learn-once,secure", "sdp", offer, NULL));
	ask_ok(bench_answer(b, "d", "a b", answer, ""));
	for (unsigned port = 30000; !(wan = fake_flow_at(&b->datapath, WAN, port)) && port < 30100;)
		port += 2;
	assert_true(wan && wan->rule.needs_srtp);
	assert_string_equal(bench_text(bench_ask(b, "offer", "call-id", "e", "from-tag", "a",
						 "media-source[]", "anybody", "sdp", offer, NULL),
				       "error-reason"),
			    "media-source=anybody is not supported");
}

/* Each range of each address; where most is free. */
static void ranges_and_addresses_share_the_calls(void **state)
{
	struct bench *b = *state;
	const struct addr addresses[] = {{.family = AF_INET, .bytes = {203, 0, 113, 11}},
					 {.family = AF_INET, .bytes = {203, 0, 113, 12}}};
	const struct session_interface interface = {
		.name = "wan",
		.addresses = addresses,
		.address_count = 2,
		.ports = {{30000, 30003}, {31000, 31007}},
		.port_count = 2,
	};
	struct sessions_config config = {
		.wheel = b->wheel,
		.log = &b->log,
		.random = &b->random,
		.datapath = &b->datapath,
		.interfaces = &interface,
		.interface_count = 1,
	};
	unsigned seen[2][2] = {{0}};
	char id[8];

	sessions_destroy(b->sessions);
	assert_int_equal(sessions_create(&config, b->now_ms, &b->sessions), 0);
	for (unsigned i = 0; i < 6; i++) { /* two pairs each: 12 pairs in all */
		snprintf(id, sizeof(id), "c%u", i);
		ask_ok(bench_offer(b, id, "a", bench_sdp(b, "198.51.100.7", 4000, ""), ""));
	}
	for (unsigned a = 0; a < 2; a++)
		for (unsigned port = 30000; port < 31008; port++)
			seen[a][port >= 31000] +=
				fake_flow_at(&b->datapath, a ? "203.0.113.12" : "203.0.113.11",
					     port) != NULL;
	assert_int_equal(seen[0][0] + seen[1][0], 8);
	assert_int_equal(seen[0][1] + seen[1][1], 16);
	assert_string_not_equal(
		bench_text(bench_offer(b, "c6", "a", bench_sdp(b, "198.51.100.7", 4000, ""), ""),
			   "error-reason"),
		"");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_two_flows_of_a_stream_name_each_other),
		TEST(the_signalling_source_stands_for_a_natted_side),
		TEST(a_private_address_from_a_public_source_is_natted),
		TEST(the_same_address_outside_and_inside_is_not_natted),
		TEST(a_proxy_in_between_does_not_make_a_nat),
		TEST(flags_shape_the_source),
		TEST(a_side_is_learned_again_when_it_moves_or_begins_to_send),
		TEST(rtcp_mux_is_agreed_on_each_side_by_itself),
		TEST(the_sdp_says_what_and_how_much_may_come),
		TEST(a_stream_taken_off_lets_nobody_in),
		TEST(families_are_bridged),
		TEST(the_wrong_family_is_refused),
		TEST(a_party_may_have_a_rule_of_its_own),
		TEST(ranges_and_addresses_share_the_calls),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
