/* test_connect.c - parties joined beside offer and answer, and media published without a call.
 * SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static void ok(const struct ng_value *reply)
{
	if (*bench_text(reply, "error-reason"))
		fail_msg("%s", bench_text(reply, "error-reason"));
	assert_string_equal(bench_text(reply, "result"), "ok");
}

static void refused(const struct ng_value *reply, const char *reason)
{
	assert_string_equal(bench_text(reply, "error-reason"), reason);
}

static unsigned port_of(const struct ng_value *reply)
{
	const char *at = strstr(bench_text(reply, "sdp"), "m=audio ");

	return at ? (unsigned)strtoul(at + 8, NULL, 10) : 0;
}

/* Of calls x, y and z: towards their callers, and their callees. */
struct ports {
	unsigned lan, wan;
};
static struct ports x, y, z;

/* 10.0.0.20 calls 198.51.100.7; tags are the call's letter and 1 or 2. */
static struct ports call(struct bench *b, const char *id, const char *from, const char *to,
			 unsigned port)
{
	char *offer = bench_sdp(b, "10.0.0.20", port, NULL);
	char *answer = bench_sdp(b, "198.51.100.7", port, NULL);

	struct ports ports;
	const struct ng_value *reply = bench_ask(b, "offer", "call-id", id, "from-tag", from, "sdp",
						 offer, "direction[]", "lan,wan", NULL);
	ok(reply);
	ports.wan = port_of(reply);
	reply = bench_ask(b, "answer", "call-id", id, "from-tag", from, "to-tag", to, "sdp", answer,
			  NULL);
	ok(reply);
	ports.lan = port_of(reply);
	return ports;
}

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	bench_start(b);
	*state = b;
	x = call(b, "x", "x1", "x2", 4000);
	y = call(b, "y", "y1", "y2", 5000);
	return 0;
}

static int teardown(void **state)
{
	bench_stop(*state);
	free(*state);
	return 0;
}

/* From which local port what comes to this one leaves; 0 = none. */
static unsigned leads_to(struct bench *b, const char *address, unsigned port)
{
	const struct fake_flow *flow = fake_flow_at(&b->datapath, address, port);
	const struct fake_flow *out = fake_flow_of(&b->datapath, flow->rule.rtp_to);

	return out ? out->local.port : 0;
}

static void calls_are_joined_and_come_apart(void **state)
{
	struct bench *b = *state;

	assert_int_equal(leads_to(b, LAN, x.lan), x.wan);
	ok(bench_ask(b, "connect", "call-id", "x", "from-tag", "x1", "to-call-id", "y", "to-tag",
		     "y1", NULL));
	assert_int_equal(leads_to(b, LAN, x.lan), y.lan);
	assert_int_equal(leads_to(b, LAN, y.lan), x.lan);
	assert_int_equal(leads_to(b, WAN, x.wan), 0); /* whom they had is heard by nobody */
	assert_int_equal(leads_to(b, WAN, y.wan), 0);
	/* RTCP goes along */
	const struct fake_flow *rtcp = fake_flow_at(&b->datapath, LAN, x.lan + 1);
	assert_int_equal(fake_flow_of(&b->datapath, rtcp->rule.rtcp_to)->local.port, y.lan + 1);
	/* one lcore serves all of them */
	assert_int_equal(fake_flow_at(&b->datapath, LAN, x.lan)->affinity,
			 fake_flow_at(&b->datapath, LAN, y.lan)->affinity);
	/* those who are left over may be joined as well */
	ok(bench_ask(b, "connect", "call-id", "x", "from-tag", "x2", "to-call-id", "y", "to-tag",
		     "y2", NULL));
	assert_int_equal(leads_to(b, WAN, x.wan), y.wan);
	ok(bench_ask(b, "delete", "call-id", "y", NULL));
	assert_int_equal(bench_ports_in_use(b), 4);
	/* offer and answer join anew */
	char *sdp = bench_sdp(b, "10.0.0.20", 4000, NULL);
	char *answer = bench_sdp(b, "198.51.100.7", 4000, NULL);
	ok(bench_offer(b, "x", "x1 x2", sdp, ""));
	ok(bench_answer(b, "x", "x1 x2", answer, ""));
	assert_int_equal(leads_to(b, LAN, x.lan), x.wan);
	assert_int_equal(leads_to(b, WAN, x.wan), x.lan);
}

static void who_is_joined_elsewhere_is_let_go(void **state)
{
	struct bench *b = *state;

	z = call(b, "z", "z1", "z2", 6000);
	ok(bench_ask(b, "connect", "call-id", "x", "from-tag", "x1", "to-call-id", "y", "to-tag",
		     "y1", NULL));
	ok(bench_ask(b, "connect", "call-id", "z", "from-tag", "z1", "to-call-id", "y", "to-tag",
		     "y1", NULL));
	assert_int_equal(leads_to(b, LAN, x.lan), 0);
	assert_int_equal(leads_to(b, LAN, y.lan), z.lan);
	assert_int_equal(leads_to(b, LAN, z.lan), y.lan);
	/* back to whom it was called by */
	ok(bench_ask(b, "connect", "call-id", "x", "from-tag", "x1", "to-tag", "x2", NULL));
	assert_int_equal(leads_to(b, LAN, x.lan), x.wan);
	assert_int_equal(leads_to(b, WAN, x.wan), x.lan);
	/* an offer of theirs ends what was joined, and the other side is told */
	char *sdp = bench_sdp(b, "10.0.0.20", 6000, NULL);
	ok(bench_offer(b, "z", "z1 z2", sdp, ""));
	ok(bench_answer(b, "z", "z1 z2", bench_sdp(b, "198.51.100.7", 6000, NULL), ""));
	assert_int_equal(leads_to(b, LAN, z.lan), z.wan);
	assert_int_equal(leads_to(b, LAN, y.lan), 0);
}

static void what_was_known_of_a_flow_goes_along(void **state)
{
	struct bench *b = *state;
	struct fake_flow *flow = fake_flow_at(&b->datapath, LAN, y.lan);

	flow->stats.source_is_locked = true;
	assert_int_equal(addr_parse_ip(SLICE("10.0.0.99"), &flow->stats.source), 0);
	flow->stats.source.port = 7777;
	flow->stats.packets = 5;
	ok(bench_ask(b, "connect", "call-id", "x", "from-tag", "x1", "to-call-id", "y", "to-tag",
		     "y1", NULL));
	flow = fake_flow_at(&b->datapath, LAN, y.lan);
	assert_int_equal(flow->locked.port, 7777);
}

static void what_cannot_be_joined_is_said(void **state)
{
	struct bench *b = *state;
	char *g729 = arena_printf(b->arena, "v=0\r\no=- 1 1 IN IP4 10.0.0.20\r\ns=-\r\n"
					    "c=IN IP4 10.0.0.20\r\nt=0 0\r\n"
					    "m=audio 6000 RTP/AVP 18\r\n");

	refused(bench_ask(b, "connect", "call-id", "n", "from-tag", "x1", "to-tag", "x2", NULL),
		"Unknown call-id");
	refused(bench_ask(b, "connect", "from-tag", "x1", "to-tag", "x2", NULL),
		"No call-id in message");
	refused(bench_ask(b, "connect", "call-id", "x", "from-tag", "x1", NULL),
		"No to-tag in message");
	refused(bench_ask(b, "connect", "call-id", "x", "to-tag", "x1", NULL),
		"No from-tag in message");
	refused(bench_ask(b, "connect", "call-id", "x", "from-tag", "x1", "to-call-id", "n",
			  "to-tag", "x2", NULL),
		"Unknown to-call-id");
	refused(bench_ask(b, "connect", "call-id", "x", "from-tag", "x1", "to-tag", "y1", NULL),
		"no answered party with the tag \"y1\"");
	refused(bench_ask(b, "connect", "call-id", "x", "from-tag", "x1", "to-tag", "x1", NULL),
		"from-tag and to-tag are one party");
	refused(bench_ask(b, "connect", "call-id", "x", "from-tag", "x1", "to-tag", "x2", "flags[]",
			  "directional", NULL),
		"directional is not supported: subscribe instead");
	ok(bench_ask(b, "publish", "call-id", "p", "from-tag", "p1", "sdp", g729, NULL));
	refused(bench_ask(b, "connect", "call-id", "x", "from-tag", "x1", "to-call-id", "p",
			  "to-tag", "p1", NULL),
		"media 1: no payload type in common");
	assert_int_equal(leads_to(b, LAN, x.lan), x.wan);
}

static char *published(struct bench *b, const char *more)
{
	return arena_printf(b->arena,
			    "v=0\r\no=- 1 1 IN IP4 10.0.0.20\r\ns=-\r\nc=IN IP4 10.0.0.20\r\n"
			    "t=0 0\r\nm=audio 6000 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\n"
			    "a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
			    "a=sendonly\r\n%s",
			    more);
}

static const char *body(const struct ng_value *reply)
{
	ok(reply);
	return bench_text(reply, "sdp");
}

static void published_media_is_answered_with_one_codec(void **state)
{
	struct bench *b = *state;
	const struct ng_value *reply = bench_ask(b, "publish", "call-id", "p", "from-tag", "p1",
						 "interface", "lan", "sdp", published(b, ""), NULL);
	const char *sdp = body(reply);
	unsigned port = port_of(reply);

	assert_string_equal(bench_text(reply, "call-id"), "p");
	assert_string_equal(bench_text(reply, "from-tag"), "p1");
	assert_non_null(strstr(sdp, " RTP/AVP 8\r\n"));
	assert_non_null(strstr(sdp, "\r\na=recvonly\r\n"));
	assert_non_null(strstr(sdp, "c=IN IP4 10.0.0.1\r\n"));
	assert_null(strstr(sdp, "10.0.0.20"));
	assert_int_equal(leads_to(b, LAN, port), 0);
	assert_int_equal(fake_flow_at(&b->datapath, LAN, port)->rule.source.mode,
			 FLOW_SOURCE_LEARN);
	/* again: other ports, these are free */
	reply = bench_ask(b, "publish", "call-id", "p", "from-tag", "p1", "sdp", published(b, ""),
			  "flags[]", "codec-accept-opus,codec-accept-PCMU", NULL);
	assert_non_null(strstr(body(reply), " RTP/AVP 0\r\n"));
	assert_int_not_equal(port_of(reply), port);
	assert_int_equal(bench_ports_in_use(b), 10);
	/* invented names */
	reply = bench_ask(b, "publish", "sdp", published(b, ""), NULL);
	ok(reply);
	assert_int_equal(strlen(bench_text(reply, "call-id")), 16);
	assert_int_equal(strlen(bench_text(reply, "from-tag")), 16);
}

static void published_media_is_subscribed_to(void **state)
{
	struct bench *b = *state;

	const struct ng_value *reply = bench_ask(b, "publish", "call-id", "p", "from-tag", "p1",
						 "sdp", published(b, ""), NULL);
	ok(reply);
	unsigned port = port_of(reply);
	reply = bench_ask(b, "subscribe request", "call-id", "p", "from-tag", "p1", "interface",
			  "wan", "to-tag", "s", NULL);
	const char *sdp = body(reply);
	unsigned copied = port_of(reply);
	assert_non_null(strstr(sdp, " RTP/AVP 8\r\n"));
	assert_non_null(strstr(sdp, "a=sendonly\r\n"));
	ok(bench_ask(b, "subscribe answer", "call-id", "p", "to-tag", "s", "sdp",
		     bench_sdp(b, "198.51.100.9", 7000, "a=recvonly\r\n"), NULL));
	const struct fake_flow *flow = fake_flow_at(&b->datapath, LAN, port);
	assert_int_equal(fake_flow_of(&b->datapath, flow->rule.alter.copies[0])->local.port,
			 copied);
	/* it goes along when the call is joined to another */
	ok(bench_ask(b, "connect", "call-id", "x", "from-tag", "x1", "to-call-id", "p", "to-tag",
		     "p1", NULL));
	flow = fake_flow_at(&b->datapath, LAN, port);
	assert_int_equal(leads_to(b, LAN, port), x.lan);
	const struct fake_flow *copy = fake_flow_of(&b->datapath, flow->rule.alter.copies[0]);
	assert_int_equal(copy->local.port, copied);
	assert_int_equal(copy->rule.remote.port, 7000);
	/* the same to-tag again: what it had before ends */
	ok(bench_ask(b, "subscribe request", "call-id", "p", "from-tag", "p1", "interface", "wan",
		     "to-tag", "s", NULL));
	assert_null(fake_flow_at(&b->datapath, WAN, copied));
}

static void what_cannot_be_published_is_said(void **state)
{
	struct bench *b = *state;

	refused(bench_ask(b, "publish", "call-id", "p", "from-tag", "p1", NULL),
		"No sdp in message");
	refused(bench_ask(b, "publish", "call-id", "x", "from-tag", "x1", "sdp", published(b, ""),
			  NULL),
		"this from-tag has media of an offer or answer");
	refused(bench_ask(b, "publish", "call-id", "p", "from-tag", "p1", "sdp", published(b, ""),
			  "flags[]", "codec-accept-opus", NULL),
		"media 1: no codec that is accepted");
	refused(bench_ask(b, "publish", "call-id", "p", "from-tag", "p1", "sdp", published(b, ""),
			  "interface", "moon", NULL),
		"unknown interface \"moon\"");
	assert_int_equal(bench_ports_in_use(b), 8);
	assert_int_equal(sessions_count(b->sessions), 2);
}

/* It is no part of offer and answer: these make a dialog of their own. */
static void an_offer_passes_what_is_published_by(void **state)
{
	struct bench *b = *state;

	ok(bench_ask(b, "publish", "call-id", "p", "from-tag", "p1", "sdp", published(b, ""),
		     NULL));
	ok(bench_offer(b, "p", "p1", bench_sdp(b, "10.0.0.20", 6000, NULL),
		       "direction=lan direction=wan"));
	ok(bench_answer(b, "p", "p1 p2", bench_sdp(b, "198.51.100.7", 6000, NULL), ""));
	assert_int_equal(bench_ports_in_use(b), 14);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(calls_are_joined_and_come_apart, setup, teardown),
		cmocka_unit_test_setup_teardown(who_is_joined_elsewhere_is_let_go, setup, teardown),
		cmocka_unit_test_setup_teardown(what_was_known_of_a_flow_goes_along, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_cannot_be_joined_is_said, setup, teardown),
		cmocka_unit_test_setup_teardown(published_media_is_answered_with_one_codec, setup,
						teardown),
		cmocka_unit_test_setup_teardown(published_media_is_subscribed_to, setup, teardown),
		cmocka_unit_test_setup_teardown(what_cannot_be_published_is_said, setup, teardown),
		cmocka_unit_test_setup_teardown(an_offer_passes_what_is_published_by, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
